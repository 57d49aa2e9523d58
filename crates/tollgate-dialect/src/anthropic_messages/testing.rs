//! What the tests of this dialect share.

use serde_json::Value;

use crate::event::Event;
use crate::frame::sse::Frame;
use crate::json::Text;
use crate::quirks::{MessagesQuirks, Quirks};
use crate::sealed::Seal;
use crate::{AnswerHead, Target};

pub fn seal() -> Seal {
    Seal::new(b"a secret of the tests")
}

pub fn genuine() -> Quirks {
    Quirks { messages: MessagesQuirks { genuine: true, ..MessagesQuirks::default() }, ..Quirks::default() }
}

pub fn target<'t>(quirks: &'t Quirks, seal: &'t Seal) -> Target<'t> {
    Target {
        model: "claude-up",
        label: "anthropic/claude-up",
        quirks,
        drop_params: false,
        max_output_tokens: None,
        stream: false,
        seal,
    }
}

pub fn head() -> AnswerHead {
    AnswerHead {
        id: "msg_ours".into(),
        model: "kimi-k2".into(),
        estimated_input: 77,
        created: 0,
        stream_usage: false,
        family: "moonshot".into(),
        json_array: false,
    }
}

pub fn value(bytes: &[u8]) -> Value {
    match serde_json::from_slice(bytes) {
        Ok(value) => value,
        Err(error) => panic!("not JSON ({error}): {}", String::from_utf8_lossy(bytes)),
    }
}

/// The frames of a stream as `(event, data)`.
pub fn frames(bytes: &[u8]) -> Vec<(String, Value)> {
    let text = std::str::from_utf8(bytes).unwrap();
    assert!(text.is_empty() || text.ends_with("\n\n"), "{text}");
    let frame = |frame: &str| {
        let (event, data) = frame.split_once('\n').unwrap();
        (event.strip_prefix("event: ").unwrap().to_string(), value(data.strip_prefix("data: ").unwrap().as_bytes()))
    };
    text.split("\n\n").filter(|f| !f.is_empty()).map(frame).collect()
}

/// Splits a stream the way the framer does.
pub fn cut(stream: &str) -> Vec<Frame<'_>> {
    let frame = |raw: &'_ str| -> Frame<'_> {
        let line = |name: &str| raw.lines().find_map(|l| l.strip_prefix(name)).unwrap_or("").trim_start();
        let (event, data) = (line("event:"), line("data:"));
        // The borrow is of `stream`, not of the closure.
        Frame {
            event: borrow(stream, event),
            data: borrow(stream, data).as_bytes(),
            raw: borrow(stream, raw).as_bytes(),
        }
    };
    stream.split("\n\n").filter(|f| !f.trim().is_empty()).map(frame).collect()
}

fn borrow<'a>(whole: &'a str, part: &str) -> &'a str {
    if part.is_empty() {
        return "";
    }
    let at = part.as_ptr() as usize - whole.as_ptr() as usize;
    &whole[at..at + part.len()]
}

/// Neighbouring pieces of one text joined, so that a stream and a whole answer can be compared.
pub fn joined(events: Vec<Event<'_>>) -> Vec<Event<'static>> {
    let mut out: Vec<Event<'static>> = Vec::new();
    let push = |text: &mut Text<'static>, more: &Text<'_>| text.push(more);
    for event in events {
        match (out.last_mut(), &event) {
            (Some(Event::Text(text)), Event::Text(more)) => push(text, more),
            (Some(Event::Thinking(text)), Event::Thinking(more)) => push(text, more),
            (Some(Event::ToolInput { slot: a, json }), Event::ToolInput { slot: b, json: more }) if a == b => {
                push(json, more);
            }
            _ => out.push(event.into_owned()),
        }
    }
    out
}
