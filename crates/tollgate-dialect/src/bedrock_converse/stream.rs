//! Streams of upstreams. Failures inside them are told by the transport: [`crate::frame::FrameReader`].

use crate::error::AnswerError;
use crate::event::{Event, StopReason, ThinkingState};
use crate::frame::sse::Frame;
use crate::json::Text;
use crate::quirks::Maker;
use crate::scan::Raw;
use crate::usage::Usage;

use super::response::finish;
use super::state::{self, Field};
use super::wire::{self, Delta, ToolUse, count_of, some_text};
use super::{stop, usage};

/// How much of something unreadable an error shows.
const EXCERPT: usize = 200;

/// More blocks at once than this are no answer.
const MOST_OPEN: usize = 1024;

type Emit<'e, 'a> = &'e mut dyn FnMut(Event<'a>);

/// Reads the events of an answer. Its end is `messageStop`, which says why; `metadata`, which says what it took, comes behind it, or is
/// left out by servers that are not AWS's own.
#[derive(Debug)]
pub struct Decoder {
    maker: Maker,
    started: bool,
    /// Blocks that are calls of the client's tools and have not ended.
    calls: Vec<u32>,
    /// The signature of the thoughts in this block, which may come in pieces.
    signature: Option<(u32, Text<'static>)>,
    stop: Option<StopReason>,
    metered: bool,
    over: bool,
}

impl Decoder {
    pub fn new(maker: Maker) -> Decoder {
        Decoder { maker, started: false, calls: Vec::new(), signature: None, stop: None, metered: false, over: false }
    }

    pub fn push<'a>(&mut self, frame: &Frame<'a>, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        if self.over {
            return Ok(());
        }
        let known = matches!(
            frame.event,
            "messageStart"
                | "contentBlockStart"
                | "contentBlockDelta"
                | "contentBlockStop"
                | "messageStop"
                | "metadata"
        );
        // `initial-response`, and what a later version of the service may send.
        if !known {
            return Ok(());
        }
        let text = std::str::from_utf8(frame.data).map_err(|_| AnswerError::Malformed("it is not UTF-8".into()))?;
        let event = wire::Event::parse(text).map_err(|_| no_answer(text))?;
        if !self.started {
            self.started = true;
            emit(Event::Start { id: None, model: None, usage: Usage::default() });
        }
        let index = count_of(event.content_block_index).and_then(|index| u32::try_from(index).ok()).unwrap_or(0);
        if self.signature.as_ref().is_some_and(|(of, _)| *of != index) {
            self.sign(emit);
        }
        match frame.event {
            "contentBlockStart" => self.start(event.start.and_then(|start| start.tool_use), index, emit)?,
            "contentBlockDelta" => self.delta(event.delta.unwrap_or_default(), index, emit),
            "contentBlockStop" => self.end_block(index, emit),
            "messageStop" => {
                self.sign(emit);
                self.stop = Some(stop::decode(event.stop_reason.map_or("", Raw::word))?);
                if self.metered {
                    self.end(emit);
                }
            }
            "metadata" => {
                if let Some(usage) = event.usage.and_then(usage::decode) {
                    emit(Event::Usage(usage));
                }
                self.metered = true;
                self.end(emit);
            }
            _ => {}
        }
        Ok(())
    }

    fn end(&mut self, emit: Emit<'_, '_>) {
        if let Some(reason) = self.stop {
            self.over = true;
            finish(reason, emit);
        }
    }

    /// Nothing more is due.
    pub fn is_over(&self) -> bool {
        self.over
    }

    /// The upstream closed the stream.
    pub fn finish(&mut self, emit: &mut dyn FnMut(Event<'static>)) -> Result<(), AnswerError> {
        if !self.over {
            self.end(emit);
        }
        match (self.over, self.started) {
            (true, _) => Ok(()),
            (false, true) => Err(AnswerError::Cut),
            (false, false) => Err(AnswerError::Empty),
        }
    }

    fn start<'a>(&mut self, call: Option<Raw<'a>>, slot: u32, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
        let Some(call) = call.and_then(|raw| ToolUse::parse(raw.get()).ok()) else { return Ok(()) };
        // What the service runs itself is no call of the client's tools.
        if call.kind.is_some_and(|kind| kind.word() == "server_tool_use") {
            return Ok(());
        }
        let Some(name) = some_text(call.name) else {
            return Err(AnswerError::Malformed("a tool call has no name".into()));
        };
        if self.calls.len() == MOST_OPEN {
            return Err(AnswerError::Malformed(format!("it has more than {MOST_OPEN} calls at once")));
        }
        self.calls.push(slot);
        emit(Event::ToolStart { slot, id: some_text(call.tool_use_id).unwrap_or_default(), name });
        Ok(())
    }

    fn delta<'a>(&mut self, delta: Delta<'a>, index: u32, emit: Emit<'_, 'a>) {
        if let Some(text) = some_text(delta.text) {
            emit(Event::Text(text));
        }
        if let Some(json) = delta.tool_use.and_then(|call| call.input).filter(|_| self.calls.contains(&index)) {
            // A piece of JSON in a string; by some servers the object itself.
            let whole = json.is_object().then(|| Text::plain(json.get()));
            if let Some(json) = whole.or_else(|| some_text(Some(json))) {
                emit(Event::ToolInput { slot: index, json });
            }
        }
        let Some(reasoning) = delta.reasoning_content else { return };
        if let Some(text) = some_text(reasoning.text) {
            emit(Event::Thinking(text));
        }
        if let Some(more) = some_text(reasoning.signature) {
            self.signature.get_or_insert((index, Text::EMPTY)).1.push(&more);
        }
        if let Some(data) = some_text(reasoning.redacted_content) {
            redacted(self.maker, data, emit);
        }
    }

    fn end_block(&mut self, index: u32, emit: Emit<'_, '_>) {
        self.sign(emit);
        if let Some(at) = self.calls.iter().position(|open| *open == index) {
            self.calls.swap_remove(at);
            emit(Event::ToolEnd { slot: index });
        }
    }

    fn sign(&mut self, emit: Emit<'_, '_>) {
        if let Some((_, signature)) = self.signature.take() {
            signed(self.maker, signature, emit);
        }
    }
}

pub(super) fn signed<'a>(maker: Maker, signature: Text<'a>, emit: Emit<'_, 'a>) {
    if maker == Maker::Anthropic {
        emit(Event::ThinkingState(ThinkingState::Signature(signature)));
    } else if let Some(details) = state::details(maker, Field::Signature, &signature) {
        emit(Event::ThinkingState(ThinkingState::Details(details)));
    }
}

pub(super) fn redacted<'a>(maker: Maker, data: Text<'a>, emit: Emit<'_, 'a>) {
    if maker == Maker::Anthropic {
        emit(Event::Redacted(data));
    } else if let Some(details) = state::details(maker, Field::Redacted, &data) {
        emit(Event::ThinkingState(ThinkingState::Details(details)));
    }
}

pub(super) fn no_answer(text: &str) -> AnswerError {
    AnswerError::Malformed(format!("it is no answer of Converse: {}", text.chars().take(EXCERPT).collect::<String>()))
}

#[cfg(test)]
mod tests;
