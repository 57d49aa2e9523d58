//! Secrets in a stream: a model spells them out piece by piece, so each text is looked at as a whole.

use std::collections::HashMap;

use serde_json::Value;
use tollgate_dialect::frame::eventstream::EventStreamReader;
use tollgate_dialect::frame::{FrameReader, event_in};

use super::media;
use super::redact::{REDACTED, Redactor};

/// An event stream of AWS as server-sent events, so that it can be read and searched; `None`: it is none. What is wrong with it,
/// and a message that broke off, is left out.
pub fn of_event_stream(raw: &[u8]) -> Option<String> {
    if FrameReader::of(raw).is_text() {
        return None;
    }
    let mut reader = EventStreamReader::default();
    reader.feed(raw);
    let mut events = String::with_capacity(raw.len());
    while let Some(Ok(message)) = reader.next() {
        let unwrapped = event_in(&message).flatten();
        let payload = String::from_utf8_lossy(unwrapped.as_deref().unwrap_or(message.payload));
        let data = if payload.is_empty() { message.error_message } else { &payload };
        events.push_str(&format!("event: {}\ndata: {data}\n\n", message.name));
    }
    Some(events)
}

/// The stream without secrets. Frames in which nothing is found stay as they are, byte for byte.
pub fn redact(stream: &str, redactor: &Redactor) -> String {
    let lines: Vec<Line<'_>> = stream.split_inclusive('\n').map(Line::new).collect();
    let edits = edits(&lines, redactor);
    let mut out = String::with_capacity(stream.len());
    let mut number = 0;
    for line in lines {
        match line {
            Line::Other(text) => out.push_str(&redactor.text(text)),
            Line::Data { before, json, after, mut value } => {
                let first = number;
                strings(&value, &mut String::new(), &mut |_, _| number += 1);
                if (first..number).any(|at| edits.contains_key(&at)) {
                    let mut at = first;
                    replace(&mut value, &edits, &mut at);
                    out.extend([before, &value.to_string(), after]);
                } else {
                    out.extend([before, json, after]);
                }
            }
        }
    }
    out
}

enum Line<'s> {
    /// `data:` with JSON after it.
    Data {
        before: &'s str,
        json: &'s str,
        after: &'s str,
        value: Value,
    },
    Other(&'s str),
}

impl<'s> Line<'s> {
    fn new(line: &'s str) -> Line<'s> {
        let Some(data) = line.strip_prefix("data:") else { return Line::Other(line) };
        let json = data.trim();
        let Ok(value @ Value::Object(_)) = serde_json::from_str(json) else { return Line::Other(line) };
        let begin = line.len() - data.trim_start().len();
        Line::Data { before: &line[..begin], json, after: &line[begin + json.len()..], value }
    }
}

/// New texts for strings, by their number in the order of the stream.
fn edits(lines: &[Line<'_>], redactor: &Redactor) -> HashMap<usize, String> {
    let mut texts: HashMap<String, Vec<(usize, &str)>> = HashMap::new();
    let mut number = 0;
    let mut edits = HashMap::new();
    for line in lines {
        let Line::Data { value, .. } = line else { continue };
        strings(value, &mut String::new(), &mut |place, text| {
            match media::placeholder(text, None) {
                Some((_, instead)) => {
                    edits.insert(number, instead);
                }
                None => texts.entry(place.to_string()).or_default().push((number, text)),
            }
            number += 1;
        });
    }
    for pieces in texts.into_values() {
        edit(&pieces, redactor, &mut edits);
    }
    edits
}

/// What is found goes from all the pieces that it reaches over; the mark stands in the first.
fn edit(pieces: &[(usize, &str)], redactor: &Redactor, edits: &mut HashMap<usize, String>) {
    let whole: String = pieces.iter().map(|(_, text)| *text).collect();
    let found = redactor.find(&whole);
    if found.is_empty() {
        return;
    }
    let mut begin = 0;
    for (number, text) in pieces {
        let end = begin + text.len();
        let mut left = String::new();
        let mut done = begin;
        for range in found.iter().filter(|range| range.start < end && range.end > begin) {
            left.push_str(&whole[done..range.start.max(done)]);
            if range.start >= begin {
                left.push_str(REDACTED);
            }
            done = range.end.min(end);
        }
        left.push_str(&whole[done..end]);
        if left != *text {
            edits.insert(*number, left);
        }
        begin = end;
    }
}

/// Calls `each` with every string and its place. Objects that number themselves by `index` have places of their own.
fn strings<'v>(value: &'v Value, place: &mut String, each: &mut impl FnMut(&str, &'v str)) {
    let length = place.len();
    match value {
        Value::String(text) => each(place, text),
        Value::Array(items) => items.iter().for_each(|item| strings(item, place, each)),
        Value::Object(members) => {
            if let Some(index) = members.get("index").and_then(Value::as_u64) {
                place.push_str(&format!("#{index}"));
            }
            let own = place.len();
            for (name, member) in members {
                place.push('.');
                place.push_str(name);
                strings(member, place, each);
                place.truncate(own);
            }
        }
        _ => {}
    }
    place.truncate(length);
}

/// Puts the new texts in, in the same order.
fn replace(value: &mut Value, edits: &HashMap<usize, String>, number: &mut usize) {
    match value {
        Value::String(text) => {
            if let Some(new) = edits.get(number) {
                text.clone_from(new);
            }
            *number += 1;
        }
        Value::Array(items) => items.iter_mut().for_each(|item| replace(item, edits, number)),
        Value::Object(members) => members.values_mut().for_each(|member| replace(member, edits, number)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redacted(stream: &str) -> String {
        redact(stream, &Redactor::new(["provider-canary".to_string()]))
    }

    #[test]
    fn a_secret_in_a_chunk_of_bedrock_is_found() {
        let event = r#"{"type":"content_block_delta","delta":{"text":"provider-canary"}}"#;
        let stream = of_event_stream(&tollgate_sim::chunk(event)).expect("an event stream");
        let expected = format!("event: chunk\ndata: {}\n\n", event.replace("provider-canary", "[redacted]"));
        assert_eq!(redacted(&stream), expected);
    }

    fn chunk(text: &str) -> String {
        format!("data: {{\"choices\":[{{\"index\":0,\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
    }

    #[test]
    fn a_secret_that_is_spelled_out_over_frames_is_found() {
        let stream = ["it is prov", "ider-", "canary, yes", "."].map(chunk).concat() + "data: [DONE]\n\n";
        let expected = ["it is [redacted]", "", ", yes", "."].map(chunk).concat() + "data: [DONE]\n\n";
        assert_eq!(redacted(&stream), expected);
    }

    #[test]
    fn calls_that_alternate_are_told_apart() {
        let call = |index: u32, text: &str| {
            format!("data: {{\"tool_calls\":[{{\"index\":{index},\"function\":{{\"arguments\":\"{text}\"}}}}]}}\n\n")
        };
        let stream =
            [call(0, "AKIAIOSF"), call(1, "one"), call(0, "ODNN7EXA"), call(1, "two"), call(0, "MPLE")].concat();
        let expected = [call(0, "[redacted]"), call(1, "one"), call(0, ""), call(1, "two"), call(0, "")].concat();
        assert_eq!(redacted(&stream), expected);
    }

    #[test]
    fn frames_without_secrets_keep_their_bytes_and_the_rest_of_a_stream_is_looked_at_too() {
        let stream =
            "event: x\r\ndata:{\"a\" : 1.50}\r\n\r\n: provider-canary\ndata: {\"a\":\"provider-canary\ndata: {\"cut";
        let expected = "event: x\r\ndata:{\"a\" : 1.50}\r\n\r\n: [redacted]\ndata: {\"a\":\"[redacted]\ndata: {\"cut";
        assert_eq!(redacted(stream), expected);
    }

    #[test]
    fn two_secrets_in_one_piece_and_one_that_begins_in_it_all_go() {
        let stream = ["provider-canary provider-canary pro", "vider-canary"].map(chunk).concat();
        let expected = ["[redacted] [redacted] [redacted]", ""].map(chunk).concat();
        assert_eq!(redacted(&stream), expected);
    }
}
