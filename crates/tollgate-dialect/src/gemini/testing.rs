//! What the tests of this dialect share.

use serde_json::Value;

use crate::error::AnswerError;
use crate::event::{Event, ThinkingState};
use crate::frame::sse::Frame;
use crate::gemini::stream::Decoder;
use crate::quirks::Quirks;
use crate::sealed::Seal;
use crate::{AnswerHead, Target};

pub fn seal() -> Seal {
    Seal::new(b"a secret of these tests")
}

pub fn target<'t>(quirks: &'t Quirks, seal: &'t Seal) -> Target<'t> {
    Target {
        model: "gemini-up",
        label: "gemini/gemini-up",
        quirks,
        drop_params: false,
        max_output_tokens: None,
        stream: false,
        seal,
    }
}

pub fn head() -> AnswerHead {
    AnswerHead { id: "ours".into(), model: "asked".into(), estimated_input: 77, ..AnswerHead::default() }
}

pub fn frame(data: &[u8]) -> Frame<'_> {
    Frame { event: "", data, raw: data }
}

/// All events of a stream of the given pieces, or how it failed.
pub fn read(pieces: &[&str]) -> Result<Vec<Event<'static>>, AnswerError> {
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    for piece in pieces {
        decoder.push(&frame(piece.as_bytes()), &mut |event| events.push(event.into_owned()))?;
    }
    decoder.finish(&mut |event| events.push(event))?;
    Ok(events)
}

/// What a client sees of an answer: thoughts, text, calls and reason, as one line.
pub fn told(events: &[Event<'_>]) -> String {
    let mut line = String::new();
    for event in events {
        match event {
            Event::Thinking(t) => line.push_str(&format!("({})", t.decode())),
            Event::ThinkingState(ThinkingState::Details(d)) => line.push_str(&format!("<{}>", d.get())),
            Event::ThinkingState(ThinkingState::Signature(s)) => line.push_str(&format!("<{}>", s.decode())),
            Event::Text(t) => line.push_str(&t.decode()),
            Event::Refusal(t) => line.push_str(&format!("!{}", t.decode())),
            Event::ToolStart { id, name, .. } => line.push_str(&format!("[{}={}", id.decode(), name.decode())),
            Event::ToolInput { json, .. } => line.push_str(&json.decode()),
            Event::ToolEnd { .. } => line.push(']'),
            Event::Finish { reason, .. } => line.push_str(&format!("|{reason:?}")),
            _ => {}
        }
    }
    line
}

pub fn value(bytes: &[u8]) -> Value {
    match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => panic!("not JSON ({error}): {}", String::from_utf8_lossy(bytes)),
    }
}
