//! An upstream's frames to events.

use crate::anthropic_messages::response::{ended, error_in_answer, explanation, input_text, stop_reason};
use crate::anthropic_messages::wire::{
    Members, Raw, WireAnswer, WireBlock, WireDelta, WireEvent, count_of, parse, text_of, usage_of, word,
};
use crate::citation::Citation;
use crate::error::AnswerError;
use crate::event::{Event, StopReason, ThinkingState};
use crate::frame::sse::Frame;
use crate::json::{Json, Text, Writer};
use crate::scan::Bad;
use crate::usage::Usage;

/// Reads a stream of Messages events, Anthropic's own or a layer's that is less exact.
#[derive(Debug, Default)]
pub struct Decoder {
    /// A block or an answer has begun: an end from here on is a cut.
    begun: bool,
    open: Open,
    called: bool,
    /// The reason is held back until the end, because usage may still follow.
    finish: Option<(StopReason, Option<Text<'static>>)>,
    done: bool,
}

/// The block that is under way.
#[derive(Debug, Default)]
enum Open {
    #[default]
    None,
    Text,
    /// With the signature that came in its first frame.
    Thinking(Option<Text<'static>>),
    /// With the input that came in its first frame and counts if no piece follows.
    Tool {
        slot: u32,
        whole: Option<Text<'static>>,
    },
    /// A block of the provider's own, as it began, and what was added to it.
    Server {
        start: Json<'static>,
        input: String,
        replaced: Vec<(&'static str, Json<'static>)>,
    },
}

impl Decoder {
    pub fn push<'a>(&mut self, frame: &Frame<'a>, emit: &mut dyn FnMut(Event<'a>)) -> Result<(), AnswerError> {
        if self.done || frame.data.is_empty() || frame.data == b"[DONE]" {
            return Ok(());
        }
        let data =
            std::str::from_utf8(frame.data).map_err(|_| AnswerError::Malformed("an event is not UTF-8".into()))?;
        let event = parse(data, WireEvent::read).map_err(malformed)?;
        let kind = if event.kind.is_some() { word(event.kind) } else { frame.event };
        let index = count_of(event.index).and_then(|i| u32::try_from(i).ok()).unwrap_or(0);
        let delta = match event.delta {
            Some(delta) => parse(delta.get(), WireDelta::read).map_err(malformed)?,
            None => WireDelta::default(),
        };
        if kind == "error" || event.error.is_some() {
            let error =
                error_in_answer(data).unwrap_or_else(|| crate::decode_error(crate::Dialect::Messages, 500, frame.data));
            return Err(AnswerError::Upstream(Box::new(error)));
        }
        match kind {
            "content_block_delta" => {
                self.delta(delta, index, emit);
            }
            "content_block_start" => {
                self.close(emit);
                if let Some(block) = event.content_block {
                    self.start(block, index, emit)?;
                }
            }
            "content_block_stop" => self.close(emit),
            "message_start" if !self.begun => {
                self.begun = true;
                let answer = event.message.and_then(|m| parse(m.get(), WireAnswer::read).ok()).unwrap_or_default();
                let usage = usage_of(answer.usage);
                emit(Event::Start { id: text_of(answer.id), model: text_of(answer.model), usage });
            }
            "message_delta" => {
                self.begun = true;
                self.close(emit);
                let usage = usage_of(event.usage);
                if usage != Usage::default() {
                    emit(Event::Usage(usage));
                }
                if let Some(text) = explanation(delta.stop_details) {
                    emit(Event::Refusal(text));
                }
                if let Some(reason) = stop_reason(delta.stop_reason) {
                    self.finish = Some((reason, text_of(delta.stop_sequence).map(Text::into_owned)));
                }
            }
            "message_stop" => {
                self.close(emit);
                self.end(emit);
            }
            _ => {}
        }
        Ok(())
    }

    pub fn saw_end(&self) -> bool {
        self.done
    }

    /// The upstream closed the stream.
    pub fn finish(&mut self, emit: &mut dyn FnMut(Event<'static>)) -> Result<(), AnswerError> {
        if self.done {
            return Ok(());
        }
        if self.finish.is_none() {
            return Err(if self.begun { AnswerError::Cut } else { AnswerError::Empty });
        }
        self.end(emit);
        Ok(())
    }

    fn end<'a>(&mut self, emit: &mut dyn FnMut(Event<'a>)) {
        self.done = true;
        let (reason, stop_sequence) = self.finish.take().unwrap_or((ended(self.called), None));
        emit(Event::Finish { reason, stop_sequence });
    }

    fn start<'a>(&mut self, raw: Raw<'a>, index: u32, emit: &mut dyn FnMut(Event<'a>)) -> Result<(), AnswerError> {
        self.begun = true;
        let block = WireBlock::parse(raw.get()).map_err(malformed)?;
        match block.kind() {
            "text" => {
                self.open = Open::Text;
                emit_text(text_of(block.text), Event::Text, emit);
            }
            "thinking" => {
                self.open = Open::Thinking(text_of(block.signature).filter(|s| !s.is_empty()).map(Text::into_owned));
                emit_text(text_of(block.thinking), Event::Thinking, emit);
            }
            "redacted_thinking" => emit(Event::Redacted(text_of(block.data).unwrap_or_default())),
            "tool_use" => {
                self.called = true;
                self.open = Open::Tool { slot: index, whole: block.input.and_then(input_text) };
                emit(Event::ToolStart {
                    slot: index,
                    id: text_of(block.id).unwrap_or_default(),
                    name: text_of(block.name).unwrap_or_default(),
                });
            }
            _ => {
                self.open = Open::Server { start: raw.json().into_owned(), input: String::new(), replaced: Vec::new() };
            }
        }
        Ok(())
    }

    fn delta<'a>(&mut self, delta: WireDelta<'a>, index: u32, emit: &mut dyn FnMut(Event<'a>)) {
        self.begun = true;
        match (word(delta.kind), &mut self.open) {
            ("text_delta", _) => emit_text(text_of(delta.text), Event::Text, emit),
            ("thinking_delta", _) => emit_text(text_of(delta.thinking), Event::Thinking, emit),
            ("signature_delta", open) => {
                if let Some(signature) = text_of(delta.signature).filter(|s| !s.is_empty()) {
                    if let Open::Thinking(early) = open {
                        *early = None;
                    }
                    emit(Event::ThinkingState(ThinkingState::Signature(signature)));
                }
            }
            ("input_json_delta", Open::Server { input, .. }) => {
                if let Some(piece) = text_of(delta.partial_json) {
                    input.push_str(&piece.decode());
                }
            }
            ("input_json_delta", open) => {
                let Some(json) = text_of(delta.partial_json).filter(|p| !p.is_empty()) else { return };
                if let Open::Tool { whole, .. } = open {
                    *whole = None;
                }
                emit(Event::ToolInput { slot: index, json });
            }
            ("citations_delta", _) => {
                if let Some(citation) = delta.citation {
                    emit(Event::Citation(Citation::of_anthropic(citation)));
                }
            }
            ("compaction_delta", Open::Server { replaced, .. }) => {
                for (key, value) in [("content", delta.content), ("encrypted_content", delta.encrypted_content)] {
                    if let Some(value) = value {
                        replaced.push((key, value.json().into_owned()));
                    }
                }
            }
            _ => {}
        }
    }

    fn close<'a>(&mut self, emit: &mut dyn FnMut(Event<'a>)) {
        match std::mem::take(&mut self.open) {
            Open::None | Open::Text | Open::Thinking(None) => {}
            Open::Thinking(Some(signature)) => emit(Event::ThinkingState(ThinkingState::Signature(signature))),
            Open::Tool { slot, whole } => {
                if let Some(json) = whole {
                    emit(Event::ToolInput { slot, json });
                }
                emit(Event::ToolEnd { slot });
            }
            Open::Server { start, input, replaced } => emit(Event::Server(whole_block(start, &input, replaced))),
        }
    }
}

fn emit_text<'a>(text: Option<Text<'a>>, event: fn(Text<'a>) -> Event<'a>, emit: &mut dyn FnMut(Event<'a>)) {
    if let Some(text) = text.filter(|t| !t.is_empty()) {
        emit(event(text));
    }
}

/// The block as it would be in a one-piece answer.
fn whole_block(start: Json<'static>, input: &str, mut replaced: Vec<(&'static str, Json<'static>)>) -> Json<'static> {
    if let Ok(input) = Json::parse(input) {
        replaced.push(("input", input.into_owned()));
    }
    let Some(members) = Members::parse(start.get()).filter(|_| !replaced.is_empty()) else { return start };
    let mut w = Writer::with_capacity(start.get().len() + input.len());
    w.open_object();
    for (key, value) in &members.0 {
        if !replaced.iter().any(|(name, _)| *name == key.escaped()) {
            w.key(key.escaped()).raw(value.get());
        }
    }
    for (key, value) in &replaced {
        w.key(key).json(value);
    }
    w.close_object();
    let whole = String::from_utf8(w.out).expect("only whole strings were written");
    Json::parse(&whole).map_or(start, Json::into_owned)
}

fn malformed(bad: Bad) -> AnswerError {
    AnswerError::Malformed(bad.to_string())
}
