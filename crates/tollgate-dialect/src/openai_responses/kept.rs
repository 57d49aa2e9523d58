//! Answers that are kept so that a later request can refer to them: `previous_response_id`, `GET /v1/responses/{id}`.
//!
//! What is kept of a turn is its own input and its answer. A request that goes on from there gets the turns before it put in front of its
//! input, so that any upstream can answer it; `instructions` are those of the new request alone (platform.openai.com, conversation state,
//! 2026-11).

mod references;

use crate::json::{Writer, members};
use crate::scan::{Raw, items};

pub use references::{find, home, ids, not_found, references, with_items};

#[cfg(test)]
mod tests;

/// A turn of a conversation, each part a JSON list of items.
#[derive(Clone, Copy, Debug)]
pub struct Turn<'a> {
    pub input: &'a str,
    pub output: &'a str,
}

/// An answer, as it is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    pub id: &'a str,
    /// The JSON list of its items.
    pub output: &'a str,
    /// The whole object.
    pub response: &'a str,
}

/// The answer in a one-piece body.
pub fn answer(response: &str) -> Option<Answer<'_>> {
    let members = members(response).ok()?;
    let member = |name: &str| members.iter().rfind(|(of, _)| *of == name).map(|(_, value)| *value);
    let id = member("id")?.strip_prefix('"')?.strip_suffix('"')?;
    let output = member("output").filter(|output| output.starts_with('['))?;
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    id.chars().all(plain).then_some(Answer { id, output, response })
}

/// The answer in the event that ends a stream; `None`: it is another event.
pub fn answer_of_event(data: &str) -> Option<Answer<'_>> {
    let members = members(data).ok()?;
    let member = |name: &str| members.iter().find(|(of, _)| *of == name).map(|(_, value)| *value);
    let ends = ["\"response.completed\"", "\"response.incomplete\"", "\"response.failed\""];
    answer(member("response").filter(|_| member("type").is_some_and(|kind| ends.contains(&kind)))?)
}

/// The input of a request as a list of items. `None`: it has none that can be read, which is said elsewhere.
pub fn input(body: &str) -> Option<String> {
    let members = members(body).ok()?;
    let value = members.iter().rfind(|(name, _)| *name == "input")?.1;
    as_items(value)
}

/// A part of the conversation is with the provider alone: items of a `conversation`, the messages of a `prompt`.
pub fn leans(body: &str) -> bool {
    names(body, "conversation") || names(body, "prompt")
}

/// Whether the request has the member, with a value.
pub fn names(body: &str, name: &str) -> bool {
    members(body).is_ok_and(|members| members.iter().any(|(own, value)| *own == name && *value != "null"))
}

fn as_items(value: &str) -> Option<String> {
    if value.starts_with('[') {
        return Some(value.to_string());
    }
    value.starts_with('"').then(|| format!("[{{\"role\":\"user\",\"content\":{value}}}]"))
}

/// The same request with the turns before its input, oldest first, in place of the reference to them.
pub fn with_turns(body: &str, turns: &[Turn<'_>]) -> Option<Vec<u8>> {
    let members = members(body).ok()?;
    let mut parts: Vec<String> = Vec::new();
    for turn in turns {
        parts.extend(inside(turn.input));
        parts.extend(items(turn.output)?.into_iter().filter_map(sent_back));
    }
    if let Some((_, value)) = members.iter().rfind(|(name, _)| *name == "input") {
        parts.extend(inside(&as_items(value)?));
    }
    Some(with_input(&members, &parts, &["previous_response_id"]))
}

/// The same members but for these, and with this input.
fn with_input<T: std::borrow::Borrow<str>>(members: &[(&str, &str)], items: &[T], without: &[&str]) -> Vec<u8> {
    let mut w = Writer::default();
    w.open_object();
    for (name, value) in members.iter().filter(|(name, _)| *name != "input" && !without.contains(name)) {
        w.key(name).raw(value);
    }
    w.key("input").raw(&format!("[{}]", items.join(",")));
    w.close_object();
    w.out
}

/// What stands between the brackets of a list, if anything does.
fn inside(list: &str) -> Option<String> {
    let inside = list.strip_prefix('[')?.strip_suffix(']')?.trim();
    (!inside.is_empty()).then(|| inside.to_string())
}

/// An item of an answer as the next request has it. An id refers to what the provider keeps, and may be another provider's: it stays behind, but
/// for reasoning, which has to have one. Reasoning without its encrypted content is of no use to anybody.
fn sent_back(item: Raw<'_>) -> Option<String> {
    let members = members(item.get()).ok()?;
    let member = |name: &str| members.iter().find(|(of, _)| *of == name).map(|(_, value)| *value);
    let reasons = member("type") == Some("\"reasoning\"");
    if reasons && member("encrypted_content").is_none_or(|content| content == "null") {
        return None;
    }
    let mut w = Writer::default();
    w.open_object();
    for (name, value) in members.iter().filter(|(name, _)| *name != "status" && (reasons || *name != "id")) {
        w.key(name).raw(value);
    }
    w.close_object();
    String::from_utf8(w.out).ok()
}

/// The items of a list, each with an id, as `GET /v1/responses/{id}/input_items` tells them: newest first unless `oldest_first`.
pub fn item_list(input: &str, response_id: &str, oldest_first: bool) -> Vec<u8> {
    let mut listed: Vec<(String, String)> = Vec::new();
    for (n, item) in items(input).unwrap_or_default().into_iter().enumerate() {
        let (id, whole) = match references::id_of(item) {
            Some(id) => (id.to_string(), item.get().to_string()),
            None => {
                let id = references::made_up(response_id, n);
                let whole = with_id(&members(item.get()).unwrap_or_default(), &id);
                (id, whole)
            }
        };
        listed.push((id, whole));
    }
    if !oldest_first {
        listed.reverse();
    }
    let mut w = Writer::default();
    w.open_object().key("object").str("list").key("data").open_array();
    listed.iter().for_each(|(_, item)| {
        w.raw(item);
    });
    w.close_array();
    for (key, end) in [("first_id", listed.first()), ("last_id", listed.last())] {
        match end {
            Some((id, _)) => w.key(key).str(id),
            None => w.key(key).null(),
        };
    }
    w.key("has_more").bool(false).close_object();
    w.out
}

fn with_id(members: &[(&str, &str)], id: &str) -> String {
    let mut w = Writer::default();
    w.open_object().key("id").str(id);
    for (name, value) in members.iter().filter(|(name, _)| *name != "id") {
        w.key(name).raw(value);
    }
    w.close_object();
    String::from_utf8(w.out).unwrap_or_default()
}
