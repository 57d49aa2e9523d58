//! Repairs of answers that otherwise pass as they are: usage that clients cannot add up (it is null, missing, or no integer),
//! and frames without the `event:` line that Claude Code insists on.

use crate::Forwarded;
use crate::anthropic_messages::wire::{Members, Raw, count_of, word_of};
use crate::frame::sse::Frame;
use crate::json::Writer;

use super::edit::Edits;

/// The counts that every client reads, each with the name that it has in layers made after chat.
const COUNTS: [(&str, &str); 4] = [
    ("input_tokens", "prompt_tokens"),
    ("cache_creation_input_tokens", ""),
    ("cache_read_input_tokens", ""),
    ("output_tokens", "completion_tokens"),
];

pub fn frame(frame: &Frame<'_>) -> Forwarded {
    if frame.data.is_empty() || !matches!(frame.event, "" | "message_start" | "message_delta") {
        return Forwarded::AsIs;
    }
    let Ok(data) = std::str::from_utf8(frame.data) else { return Forwarded::AsIs };
    let Some(members) = Members::parse(data) else { return Forwarded::AsIs };
    let Some(kind) = word_of(members.get("type")) else { return Forwarded::AsIs };
    let repaired = match &*kind {
        "message_start" => members
            .get("message")
            .and_then(|m| Some((m.get(), Members::parse(m.get())?)))
            .and_then(|(object, inner)| repair(data, object, &inner, true)),
        "message_delta" => repair(data, data.trim(), &members, false),
        _ => None,
    };
    if repaired.is_none() && !frame.event.is_empty() {
        return Forwarded::AsIs;
    }
    let mut out = format!("event: {kind}\ndata: ").into_bytes();
    let data = repaired.unwrap_or_else(|| frame.data.to_vec());
    // Line feeds stand only between tokens; inside a data line they would end it.
    out.extend(data.into_iter().map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { b }));
    out.extend_from_slice(b"\n\n");
    Forwarded::Replace(out)
}

/// `None`: the body can go on as it is.
pub fn response(body: &[u8]) -> Option<Vec<u8>> {
    let body = std::str::from_utf8(body).ok()?;
    let members = Members::parse(body)?;
    members.get("content").filter(|c| c.get().starts_with('['))?;
    repair(body, body.trim(), &members, true)
}

/// `object`, a part of `whole`, is what has the usage; `full`: all four counts must be there. In a `message_delta` what is
/// missing beside the output counts as in `message_start`.
fn repair(whole: &str, object: &str, members: &Members<'_>, full: bool) -> Option<Vec<u8>> {
    let usage = members.get("usage");
    let fields = usage.and_then(|u| Members::parse(u.get()));
    if let Some(fields) = &fields {
        let sound = COUNTS.iter().all(|(name, _)| match fields.get(name) {
            Some(raw) => is_integer(raw),
            None => !full && *name != "output_tokens",
        });
        if sound {
            return None;
        }
    }
    let fields = fields.unwrap_or_default();
    let mut w = Writer::default();
    w.open_object();
    for (name, other) in COUNTS {
        w.key(name).number(count_of(fields.get(name)).or_else(|| count_of(fields.get(other))).unwrap_or(0));
    }
    for (key, value) in &fields.0 {
        if !COUNTS.iter().any(|(name, _)| key.escaped() == *name) {
            w.key(key.escaped()).raw(value.get());
        }
    }
    w.close_object();
    let repaired = String::from_utf8(w.out).expect("only whole strings were written");
    let mut edits = Edits::new(whole);
    match usage {
        Some(usage) => edits.replace(usage.get(), repaired),
        None => edits.add_member(object, &format!("\"usage\":{repaired}")),
    }
    Some(edits.apply())
}

fn is_integer(raw: Raw<'_>) -> bool {
    raw.get().bytes().all(|b| b.is_ascii_digit())
}
