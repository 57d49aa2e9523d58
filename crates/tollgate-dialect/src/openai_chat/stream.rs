//! Streams: what upstreams send ([`Decoder`]) and what clients get ([`Encoder`]).

mod calls;
mod details;
mod encoder;
mod think;

pub use encoder::{Encoder, encode_error};

use crate::citation::Citation;
use crate::error::AnswerError;
use crate::event::{Event, StopReason, ThinkingState};
use crate::frame::sse::Frame;
use crate::json::Text;
use crate::quirks::{Quirks, ReasoningField};
use crate::scan::{Raw, items};
use crate::usage::Usage;

use super::request::thinking_text;
use super::wire::{CallPiece, Choice, Chunk, ContentPart, Delta, FunctionPiece};
use super::{errors, finish, usage};
use calls::Calls;
use details::Details;
use think::{Split, Tags};

/// The end of a stream.
pub const END: &[u8] = b"data: [DONE]\n\n";

/// How much of something unreadable an error shows.
const EXCERPT: usize = 200;

/// Chunks to events. It knows what "compatible" servers do and needs to be told of it only where a guess would be wrong.
#[derive(Debug)]
pub struct Decoder {
    calls: Calls,
    /// `Some` where `<think>` at the head of the text means thoughts.
    tags: Option<Tags>,
    /// `Some` where the provider wants its `reasoning_details` back.
    details: Option<Details>,
    output_excludes_reasoning: bool,
    started: bool,
    /// Some choice was seen: there is an answer, if perhaps a short one.
    answered: bool,
    finish: Option<StopReason>,
    /// The finish was emitted; what follows is ignored.
    over: bool,
}

/// Takes events; shortens the signatures.
type Emit<'e, 'a> = &'e mut dyn FnMut(Event<'a>);

impl Decoder {
    pub fn new(quirks: &Quirks) -> Decoder {
        Decoder {
            calls: Calls::default(),
            tags: quirks.think_tags.then(Tags::default),
            details: (quirks.reasoning_field == ReasoningField::ReasoningDetails).then(Details::default),
            output_excludes_reasoning: quirks.output_excludes_reasoning,
            started: false,
            answered: false,
            finish: None,
            over: false,
        }
    }

    pub fn push<'a>(&mut self, frame: &Frame<'a>, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        let data = frame.data.trim_ascii();
        if data.is_empty() || self.over {
            return Ok(());
        }
        if data == b"[DONE]" {
            return if self.answered { self.end(emit) } else { Ok(()) };
        }
        if frame.event == "error" {
            return Err(errors::in_answer(data));
        }
        self.body(data, emit)
    }

    pub fn saw_end(&self) -> bool {
        self.over
    }

    /// The upstream closed the stream.
    pub fn finish(&mut self, emit: &mut dyn FnMut(Event<'static>)) -> Result<(), AnswerError> {
        if self.over {
            return Ok(());
        }
        match (self.answered, self.finish) {
            (false, _) => Err(AnswerError::Empty),
            (true, None) => Err(AnswerError::Cut),
            (true, Some(_)) => self.end(emit),
        }
    }

    /// A whole answer: its end needs no mark.
    pub(super) fn whole<'a>(&mut self, body: &'a [u8], emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        self.body(body, emit)?;
        if self.answered { self.end(emit) } else { Err(AnswerError::Empty) }
    }

    fn body<'a>(&mut self, data: &'a [u8], emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        // Checked once as a whole, not once for each value.
        let text = std::str::from_utf8(data).ok();
        match text.and_then(|text| Chunk::parse(text).ok()) {
            Some(chunk) => self.chunk(&chunk, data, emit),
            None => self.odd_body(data, emit),
        }
    }

    /// Bytes that are no UTF-8, a key given twice, or no JSON at all.
    fn odd_body<'a>(&mut self, data: &'a [u8], emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        let text = String::from_utf8_lossy(data);
        let Ok(value) = serde_json::from_str::<serde_json::Value>(&text) else {
            if text.starts_with('<') {
                return Err(AnswerError::Malformed(errors::decode(200, data).message));
            }
            return Err(AnswerError::Malformed(format!("it is no JSON: {}", excerpt(&text))));
        };
        // Parsed and written again, every key stands once.
        let text = value.to_string();
        match Chunk::parse(&text) {
            Ok(chunk) => self.chunk(&chunk, text.as_bytes(), &mut |event| emit(event.into_owned())),
            Err(error) => {
                Err(AnswerError::Malformed(format!("it is no chat completion ({error}): {}", excerpt(&text))))
            }
        }
    }

    fn chunk<'a>(&mut self, chunk: &Chunk<'a>, data: &[u8], emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        if reports_error(chunk) {
            return Err(errors::in_answer(data));
        }
        let Some(choices) = &chunk.choices else { return self.without_choices(chunk, data, emit) };
        let choice = choices.first.as_ref();
        self.start(chunk, choice.is_some(), emit);
        if let Some(choice) = choice {
            self.answered = true;
            self.choice(choice, emit)?;
        }
        self.usage(chunk, choice, emit);
        Ok(())
    }

    fn start<'a>(&mut self, chunk: &Chunk<'a>, begun: bool, emit: Emit<'_, 'a>) {
        let id = string(chunk.id);
        // Azure's first chunk has filter results and no id.
        if self.started || !(begun || id.is_some()) {
            return;
        }
        self.started = true;
        emit(Event::Start { id, model: string(chunk.model), usage: Usage::default() });
    }

    /// Usage alone, a keep-alive, or another dialect.
    fn without_choices<'a>(&mut self, chunk: &Chunk<'a>, data: &[u8], emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        let kind = string(chunk.kind);
        let kind = kind.as_ref().map_or("", Text::escaped);
        if kind == "message" || kind.starts_with("message_") || kind.starts_with("content_block") {
            return Err(AnswerError::Malformed(
                "it is in Anthropic's Messages format, not chat; set the deployment's provider to one that speaks Messages".into(),
            ));
        }
        if kind.starts_with("response.") || string(chunk.object).is_some_and(|o| o.escaped() == "response") {
            return Err(AnswerError::Malformed("it is in OpenAI's Responses format, not chat".into()));
        }
        if chunk.message.is_some() || chunk.detail.is_some() {
            return Err(errors::in_answer(data));
        }
        self.usage(chunk, None, emit);
        Ok(())
    }

    fn usage<'a>(&mut self, chunk: &Chunk<'a>, choice: Option<&Choice<'a>>, emit: Emit<'_, 'a>) {
        let raw = chunk.usage.or(choice.and_then(|c| c.usage)).or(chunk.x_groq.as_ref().and_then(|x| x.usage));
        if let Some(usage) = raw.and_then(|raw| usage::decode(raw, self.output_excludes_reasoning)) {
            emit(Event::Usage(usage));
        }
    }

    fn choice<'a>(&mut self, choice: &Choice<'a>, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        if let Some(delta) = &choice.delta {
            self.delta(delta, false, emit)?;
        } else if let Some(raw) = choice.message {
            let message = Delta::parse(raw.get())
                .map_err(|error| AnswerError::Malformed(format!("its message cannot be read ({error})")))?;
            self.delta(&message, true, emit)?;
        }
        // An empty reason is written by some on every chunk and by others at the end: it ends nothing by itself.
        if let Some(reason) = string(choice.finish_reason) {
            self.finish = Some(finish::decode(reason.escaped()));
        }
        Ok(())
    }

    /// `whole`: it is the message of an answer of one piece.
    fn delta<'a>(&mut self, delta: &Delta<'a>, whole: bool, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        let thought = string(delta.reasoning_content).or_else(|| string(delta.reasoning));
        if let Some(raw) = delta.reasoning_details {
            if thought.is_none() {
                details::texts(raw, |text| emit(Event::Thinking(text)));
            }
            if let Some(details) = &mut self.details {
                details.add(raw);
            }
        }
        if let Some(thought) = thought {
            emit(Event::Thinking(thought));
        }
        if let Some(content) = delta.content {
            match Text::of_token(content.get()) {
                Some(text) => self.text(text, emit),
                None => self.parts(content, emit),
            }
        }
        if let Some(refusal) = string(delta.refusal) {
            self.end_thoughts(emit);
            emit(Event::Refusal(refusal));
        }
        if let Some(raw) = delta.tool_calls {
            self.tool_calls(raw, whole, emit)?;
        }
        let annotations = delta.annotations.and_then(|raw| items(raw.get())).unwrap_or_default();
        for citation in annotations.into_iter().filter_map(Citation::of_openai) {
            emit(Event::Citation(citation));
        }
        // The form before `tool_calls`.
        if let Some(raw) = delta.function_call
            && let Ok(function) = serde_json::from_str::<FunctionPiece<'a>>(raw.get())
        {
            self.end_thoughts(emit);
            self.calls.piece(whole, CallPiece { function: Some(function), ..CallPiece::default() }, emit);
        }
        Ok(())
    }

    fn tool_calls<'a>(&mut self, raw: Raw<'a>, whole: bool, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        let pieces = match serde_json::from_str::<Vec<Option<CallPiece<'a>>>>(raw.get()) {
            Ok(pieces) => pieces,
            // One call without a list around it.
            Err(error) => vec![Some(serde_json::from_str(raw.get()).map_err(|_| {
                AnswerError::Malformed(format!("its tool calls cannot be read ({error}): {}", excerpt(raw.get())))
            })?)],
        };
        for piece in pieces.into_iter().flatten() {
            self.end_thoughts(emit);
            self.calls.piece(whole, piece, emit);
        }
        Ok(())
    }

    fn text<'a>(&mut self, text: Text<'a>, emit: Emit<'_, 'a>) {
        if text.is_empty() {
            return;
        }
        let Some(tags) = &mut self.tags else {
            self.plain_text(text, emit);
            return;
        };
        for piece in tags.push(text) {
            match piece {
                Split::Text(text) => self.plain_text(text, emit),
                Split::Thinking(text) => emit(Event::Thinking(text)),
            }
        }
    }

    fn plain_text<'a>(&mut self, text: Text<'a>, emit: Emit<'_, 'a>) {
        self.end_thoughts(emit);
        self.calls.flush(emit);
        emit(Event::Text(text));
    }

    /// Mistral's list of parts.
    fn parts<'a>(&mut self, raw: Raw<'a>, emit: Emit<'_, 'a>) {
        let parts: Vec<ContentPart<'a>> = serde_json::from_str(raw.get()).unwrap_or_default();
        for part in parts {
            if let Some(thinking) = part.thinking.map(thinking_text).filter(|t| !t.is_empty()) {
                emit(Event::Thinking(thinking));
            }
            if let Some(text) = string(part.text) {
                self.text(text, emit);
            }
            if let Some(refusal) = string(part.refusal) {
                emit(Event::Refusal(refusal));
            }
        }
    }

    /// What belongs to the thoughts must be said before anything else begins.
    fn end_thoughts<'a>(&mut self, emit: Emit<'_, 'a>) {
        if let Some(details) = &mut self.details
            && let Some(json) = details.take()
        {
            emit(Event::ThinkingState(ThinkingState::Details(json)));
        }
    }

    fn end<'a>(&mut self, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        self.over = true;
        if let Some(rest) = self.tags.as_mut().and_then(Tags::finish) {
            match rest {
                Split::Text(text) => emit(Event::Text(text)),
                Split::Thinking(text) => emit(Event::Thinking(text)),
            }
        }
        self.end_thoughts(emit);
        self.calls.end(emit)?;
        emit(Event::Finish { reason: self.finish.unwrap_or(StopReason::EndTurn), stop_sequence: None });
        Ok(())
    }
}

/// Errors stand in many places; `null` and empty ones are none.
fn reports_error(chunk: &Chunk<'_>) -> bool {
    let real = |raw: Raw<'_>| !matches!(raw.get(), "null" | "{}" | "\"\"" | "false" | "0");
    let base_resp = chunk.base_resp.as_ref().and_then(|base| base.status_code);
    chunk.error.is_some_and(real)
        || chunk.x_groq.as_ref().and_then(|x| x.error).is_some_and(real)
        || base_resp.is_some_and(real)
        || (chunk.choices.is_none() && string(chunk.object).is_some_and(|o| o.escaped() == "error"))
}

/// A string with something in it.
fn string<'a>(raw: Option<impl Into<Raw<'a>>>) -> Option<Text<'a>> {
    raw?.into().text().filter(|t| !t.is_empty())
}

fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT).collect()
}

#[cfg(test)]
mod tests;
