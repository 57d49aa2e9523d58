//! Repairs of answers that otherwise pass as they are: usage that clients cannot add up (it is null, missing, or no integer),
//! and frames without the `event:` line that Claude Code insists on.

use crate::Forwarded;
use crate::anthropic_messages::wire::{Members, Raw, count_of, word_of};
use crate::frame::sse::Frame;
use crate::json::Writer;
use crate::usage::Usage;

use super::edit::Edits;

/// A count, as far as it is known.
type Known = fn(&Usage) -> Option<u64>;

/// The counts that every client reads, each with the name that it has in layers made after chat.
const COUNTS: [(&str, &str, Known); 4] = [
    ("input_tokens", "prompt_tokens", |known| known.input),
    ("cache_creation_input_tokens", "", |known| known.cache_write),
    ("cache_read_input_tokens", "", |known| known.cache_read),
    ("output_tokens", "completion_tokens", |known| known.output),
];

pub fn frame(frame: &Frame<'_>, known: &dyn Fn() -> Usage) -> Forwarded {
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
            .and_then(|(object, inner)| repair(data, object, &inner, true, known)),
        "message_delta" => repair(data, data.trim(), &members, false, known),
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
pub fn response(body: &[u8], known: &Usage) -> Option<Vec<u8>> {
    let body = std::str::from_utf8(body).ok()?;
    let members = Members::parse(body)?;
    members.get("content").filter(|c| c.get().starts_with('['))?;
    repair(body, body.trim(), &members, true, &|| *known)
}

/// `object`, a part of `whole`, is what has the usage; `full`: all four counts must be there. In a `message_delta` what is
/// missing beside the output counts as in `message_start`. A client takes the counts of the last usage for those of the whole answer: what is
/// known of them stands in for what this one lacks.
fn repair(whole: &str, object: &str, members: &Members<'_>, full: bool, known: &dyn Fn() -> Usage) -> Option<Vec<u8>> {
    let usage = members.get("usage");
    let fields = usage.and_then(|u| Members::parse(u.get()));
    if let Some(fields) = &fields {
        let sound = COUNTS.iter().all(|(name, ..)| match fields.get(name) {
            Some(raw) => is_integer(raw),
            None => !full && *name != "output_tokens",
        });
        if sound {
            return None;
        }
    }
    let fields = fields.unwrap_or_default();
    let known = known();
    let mut w = Writer::default();
    w.open_object();
    for (name, other, of) in COUNTS {
        let told = count_of(fields.get(name)).or_else(|| count_of(fields.get(other)));
        w.key(name).number(told.or_else(|| of(&known)).unwrap_or(0));
    }
    for (key, value) in &fields.0 {
        if !COUNTS.iter().any(|(name, ..)| key.escaped() == *name) {
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
