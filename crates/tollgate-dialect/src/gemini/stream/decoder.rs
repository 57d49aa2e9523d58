//! An upstream's pieces to events.

use crate::error::{AnswerError, ErrorKind, Scope, UpstreamError};
use crate::event::{Event, StopReason, ThinkingState};
use crate::frame::sse::Frame;
use crate::gemini::errors::decode_error;
use crate::gemini::wire::{
    Answer, Candidate, FunctionCall, Part, PromptFeedback, Raw, is_true, parse, some_text, text_of, word,
};
use crate::gemini::{code, finish, signature, usage};
use crate::json::Text;
use crate::scan::items;
use crate::usage::Usage;

/// How much of something unreadable an error shows.
const EXCERPT: usize = 200;

/// Takes events; shortens the signatures.
type Emit<'e, 'a> = &'e mut dyn FnMut(Event<'a>);

/// Reads pieces of an answer. Its only end mark is a finish reason, and usage may still follow that.
#[derive(Debug, Default)]
pub struct Decoder {
    started: bool,
    /// Calls so far; a call is always whole.
    calls: u32,
    finish: Option<StopReason>,
    over: bool,
}

impl Decoder {
    pub fn push<'a>(&mut self, frame: &Frame<'a>, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        let data = frame.data.trim_ascii();
        if data.is_empty() || self.over || data == b"[DONE]" {
            return Ok(());
        }
        match self.body(data, emit) {
            // The answer is there, whatever a proxy put behind it.
            Err(AnswerError::Malformed(_)) if self.finish.is_some() => Ok(()),
            read => read,
        }
    }

    /// The upstream closed the stream.
    pub fn finish(&mut self, emit: &mut dyn FnMut(Event<'static>)) -> Result<(), AnswerError> {
        self.end(emit)
    }

    /// A whole answer: its end needs no mark, unless it is a stream in the form of an array.
    pub fn whole<'a>(&mut self, body: &'a [u8], emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        self.body(body, emit)?;
        if self.started && body.starts_with(b"{") {
            self.finish.get_or_insert(StopReason::EndTurn);
        }
        self.end(emit)
    }

    fn end<'a>(&mut self, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        match self.finish {
            _ if self.over => {}
            None if self.started => return Err(AnswerError::Cut),
            None => return Err(AnswerError::Empty),
            Some(reason) => {
                self.over = true;
                emit(Event::Finish { reason, stop_sequence: None });
            }
        }
        Ok(())
    }

    fn body<'a>(&mut self, data: &'a [u8], emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        let text = std::str::from_utf8(data).map_err(|_| AnswerError::Malformed("it is not UTF-8".into()))?;
        if text.starts_with('[') {
            let pieces = items(text).ok_or_else(|| unreadable(text))?;
            return pieces.into_iter().try_for_each(|piece| self.piece(piece.get(), emit));
        }
        self.piece(text, emit)
    }

    fn piece<'a>(&mut self, text: &'a str, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        let answer = parse(text, Answer::read).map_err(|_| unreadable(text))?;
        if answer.error.is_some() {
            return Err(AnswerError::Upstream(Box::new(decode_error(200, text.as_bytes()))));
        }
        let known = answer.candidates.is_some() || answer.prompt_feedback.is_some();
        if !known && answer.usage_metadata.is_none() && answer.response_id.is_none() && !self.started {
            return Err(AnswerError::Malformed(format!("it is no answer of Gemini's: {}", excerpt(text))));
        }
        if !self.started {
            self.started = true;
            let (id, model) = (some_text(answer.response_id), some_text(answer.model_version));
            emit(Event::Start { id, model, usage: Usage::default() });
        }
        if let Some(candidate) = answer.candidates.and_then(|candidates| candidates.first) {
            self.candidate(candidate, emit)?;
        }
        self.prompt(answer.prompt_feedback, emit);
        if let Some(usage) = answer.usage_metadata.and_then(usage::decode) {
            emit(Event::Usage(usage));
        }
        Ok(())
    }

    /// A prompt that was refused has no candidates.
    fn prompt<'a>(&mut self, feedback: Option<Raw<'a>>, emit: Emit<'_, 'a>) {
        let Some(feedback) = feedback.and_then(|raw| parse(raw.get(), PromptFeedback::read).ok()) else { return };
        if self.finish.is_some() || matches!(word(feedback.block_reason), "" | "BLOCK_REASON_UNSPECIFIED") {
            return;
        }
        let words = some_text(feedback.block_reason_message);
        emit(Event::Refusal(words.unwrap_or_else(|| blocked("The prompt was blocked", word(feedback.block_reason)))));
        self.finish = Some(StopReason::Refusal);
    }

    fn candidate<'a>(&mut self, candidate: Candidate<'a>, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        for part in candidate.content.and_then(|content| content.parts).unwrap_or_default().0 {
            self.part(part, emit)?;
        }
        let reason = word(candidate.finish_reason);
        if matches!(reason, "" | "FINISH_REASON_UNSPECIFIED") {
            return Ok(());
        }
        let meaning = finish::decode(reason);
        let words = some_text(candidate.finish_message);
        match meaning {
            StopReason::Failed => return Err(failed(reason, words.as_ref())),
            StopReason::Refusal => {
                emit(Event::Refusal(words.unwrap_or_else(|| blocked("The answer was stopped", reason))));
            }
            _ => {}
        }
        self.finish = Some(meaning);
        Ok(())
    }

    fn part<'a>(&mut self, part: Part<'a>, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        let signature = some_text(part.thought_signature);
        let thought = is_true(part.thought);
        let sign = |emit: Emit<'_, 'a>| {
            if let Some(signature) = &signature {
                emit(Event::ThinkingState(ThinkingState::Details(signature::state(signature, thought))));
            }
        };
        if thought {
            if let Some(text) = some_text(part.text) {
                emit(Event::Thinking(text));
            }
            sign(emit);
            return Ok(());
        }
        let code = code::texts(&part);
        // State of a part has no other place with a client than in thoughts before it.
        sign(emit);
        if let Some(text) = some_text(part.text) {
            emit(Event::Text(text));
        }
        if let Some(call) = part.function_call {
            self.call(call, emit)?;
        }
        for text in code {
            emit(Event::Text(text));
        }
        if let Some(blob) = part.inline_data {
            let kind = text_of(blob.mime_type).unwrap_or_default();
            let note = format!("[the model made something of type {}, which cannot be passed on]", kind.decode());
            emit(Event::Text(Text::plain(&note)));
        }
        Ok(())
    }

    fn call<'a>(&mut self, call: FunctionCall<'a>, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        let slot = self.calls;
        let Some(name) = some_text(call.name) else {
            return Err(AnswerError::Malformed("a function call has no name".into()));
        };
        self.calls += 1;
        emit(Event::ToolStart { slot, id: text_of(call.id).unwrap_or_default(), name });
        if let Some(args) = call.args {
            emit(Event::ToolInput { slot, json: Text::plain(args.get()) });
        }
        emit(Event::ToolEnd { slot });
        Ok(())
    }
}

fn blocked(what: &str, reason: &str) -> Text<'static> {
    Text::plain(&format!("{what} by Google ({reason})."))
}

/// Google ends an answer that its model spoilt with a reason, not with an error.
fn failed(reason: &str, words: Option<&Text<'_>>) -> AnswerError {
    let words = words.map_or(String::new(), |words| format!(": {}", words.decode()));
    AnswerError::Upstream(Box::new(UpstreamError {
        status: 502,
        kind: ErrorKind::Api,
        message: format!("the upstream ended its answer with finishReason {reason}{words}"),
        code: Some(reason.to_string()),
        param: None,
        overflow: None,
        retry_after: None,
        scope: Scope::Unsaid,
        temporary: true,
    }))
}

fn unreadable(text: &str) -> AnswerError {
    AnswerError::Malformed(format!("it is no JSON of Gemini's: {}", excerpt(text)))
}

fn excerpt(text: &str) -> String {
    text.chars().take(EXCERPT).collect()
}
