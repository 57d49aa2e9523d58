//! What the tests of this dialect share.

use serde_json::{Value, json};

use crate::error::AnswerError;
use crate::event::{Event, ThinkingState};
use crate::frame::sse::Frame;
use crate::quirks::{ConverseQuirks, Maker, Quirks, ResponseFormat};
use crate::sealed::Seal;
use crate::{Target, decode_request, encode_request};

use super::stream::Decoder;

pub fn seal() -> Seal {
    Seal::new(b"a secret of these tests")
}

/// As the registry has Claude on Bedrock.
pub fn claude() -> Quirks {
    Quirks {
        cache_control: true,
        pdf: true,
        media_in_tool_result: true,
        response_format: ResponseFormat::JsonSchema,
        converse: ConverseQuirks { maker: Maker::Anthropic, ..ConverseQuirks::default() },
        ..Quirks::default()
    }
}

pub fn of(maker: Maker) -> Quirks {
    Quirks { converse: ConverseQuirks { maker, ..ConverseQuirks::default() }, ..Quirks::default() }
}

pub fn target<'t>(quirks: &'t Quirks, seal: &'t Seal) -> Target<'t> {
    Target {
        model: "anthropic.claude-sonnet-4-5-20250929-v1:0",
        label: "bedrock/anthropic.claude-sonnet-4-5-20250929-v1:0",
        quirks,
        drop_params: false,
        max_output_tokens: None,
        stream: false,
        seal,
    }
}

/// A request of a Messages client as it goes up, and the changes.
pub fn encoded(body: &Value, quirks: &Quirks) -> Result<(Value, Vec<String>), String> {
    from(crate::Dialect::Messages, body, quirks)
}

pub fn from(client: crate::Dialect, body: &Value, quirks: &Quirks) -> Result<(Value, Vec<String>), String> {
    let seal = seal();
    let bytes = body.to_string();
    let request = decode_request(client, bytes.as_bytes()).map_err(|error| error.to_string())?;
    let encoded = encode_request(crate::Dialect::Converse, &request, &target(quirks, &seal))
        .map_err(|error| error.to_string())?;
    let changes = encoded.changes.iter().map(ToString::to_string).collect();
    Ok((value(&encoded.body), changes))
}

/// A Messages request with these fields.
pub fn asking(more: Value) -> Value {
    let mut body = json!({"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hi"}]});
    for (name, value) in more.as_object().expect("an object") {
        body[name] = value.clone();
    }
    body
}

/// All events of a stream of the given events, or how it failed.
pub fn read(events: &[(&str, &str)], maker: Maker) -> Result<Vec<Event<'static>>, AnswerError> {
    let mut decoder = Decoder::new(maker);
    let mut out = Vec::new();
    for (event, data) in events {
        let frame = Frame { event, data: data.as_bytes(), raw: data.as_bytes() };
        decoder.push(&frame, &mut |event| out.push(event.into_owned()))?;
    }
    decoder.finish(&mut |event| out.push(event))?;
    Ok(out)
}

/// What a client sees of an answer: thoughts, text, calls and reason, as one line.
pub fn told(events: &[Event<'_>]) -> String {
    let mut line = String::new();
    for event in events {
        match event {
            Event::Thinking(t) => line.push_str(&format!("({})", t.decode())),
            Event::ThinkingState(ThinkingState::Details(d)) => line.push_str(&format!("<{}>", d.get())),
            Event::ThinkingState(ThinkingState::Signature(s)) => line.push_str(&format!("<{}>", s.decode())),
            Event::Redacted(t) => line.push_str(&format!("#{}#", t.decode())),
            Event::Text(t) => line.push_str(&t.decode()),
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
