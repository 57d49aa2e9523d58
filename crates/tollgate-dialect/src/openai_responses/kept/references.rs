//! Items that a request refers to by their ids alone: `{"type": "item_reference", "id": "msg_1"}` (openai/types/responses of SDK 3.52.0,
//! 2026-11). They are items of answers that were kept, or of their inputs.

use std::collections::{HashMap, HashSet};

use memchr::memmem;

use crate::json::members;
use crate::scan::{Raw, items};

use super::{Turn, sent_back, with_input};

/// Ids are not longer than this (OpenAI's are at most 64).
const LONGEST: usize = 200;

/// The ids that the input refers to, each once.
pub fn references(body: &str) -> Vec<String> {
    if memmem::find(body.as_bytes(), b"\"item_reference\"").is_none() {
        return Vec::new();
    }
    let members = members(body).unwrap_or_default();
    let input = members.iter().rfind(|(name, _)| *name == "input").and_then(|(_, input)| items(input));
    let mut ids: Vec<String> = Vec::new();
    for id in input.unwrap_or_default().into_iter().filter_map(reference) {
        if !ids.iter().any(|known| known == id) {
            ids.push(id.to_string());
        }
    }
    ids
}

fn reference(item: Raw<'_>) -> Option<&str> {
    let members = members(item.get()).ok()?;
    let is_one = members.iter().any(|(name, value)| (*name, *value) == ("type", "\"item_reference\""));
    id_of(item).filter(|_| is_one)
}

/// The same request with the items in place of what refers to them. One that is empty leaves nothing behind; what is not found stays.
/// `None`: its input would have more bytes than `most`.
pub fn with_items(body: &str, found: &HashMap<String, String>, most: usize) -> Option<Vec<u8>> {
    let members = members(body).ok()?;
    let input = items(members.iter().rfind(|(name, _)| *name == "input")?.1)?;
    let resolved = |item: &Raw<'_>| reference(*item).and_then(|id| found.get(id));
    let parts: Vec<&str> = input
        .iter()
        .map(|item| resolved(item).map_or(item.get(), String::as_str))
        .filter(|item| !item.is_empty())
        .collect();
    let bytes: usize = parts.iter().map(|part| part.len()).sum();
    (bytes <= most).then(|| with_input(&members, &parts, &[]))
}

/// The ids in a list of items.
pub fn ids(list: &str) -> impl Iterator<Item = &str> {
    items(list).unwrap_or_default().into_iter().filter_map(id_of)
}

/// Adds the wanted items of a turn, by their ids and as a request has them: those that are not found yet. One that is of no use to anybody is
/// empty.
pub fn find(turn: Turn<'_>, response_id: &str, wanted: &HashSet<&str>, found: &mut HashMap<String, String>) {
    let mut add = |id: &str, item: &dyn Fn() -> String| {
        if wanted.contains(id) && !found.contains_key(id) {
            found.insert(id.to_string(), item());
        }
    };
    for made in items(turn.output).unwrap_or_default() {
        if let Some(id) = id_of(made) {
            add(id, &|| sent_back(made).unwrap_or_default());
        }
    }
    for (n, given) in items(turn.input).unwrap_or_default().into_iter().enumerate() {
        match id_of(given) {
            Some(id) => add(id, &|| given.get().to_string()),
            None => add(&made_up(response_id, n), &|| given.get().to_string()),
        }
    }
}

/// The answer whose input's item has an id of our own making.
pub fn home(id: &str) -> Option<&str> {
    Some(id.strip_prefix("item_")?.rsplit_once('_')?.0)
}

/// The id of an input's nth item that came without one.
pub(super) fn made_up(response_id: &str, n: usize) -> String {
    format!("item_{response_id}_{n}")
}

/// What OpenAI says of an item that is not there, and what to do.
pub fn not_found(id: &str) -> String {
    format!(
        "Item with id '{id}' not found. The gateway has the items of answers that it keeps for this key (tollgate_settings.responses), and \
         none of an answer with `store` set to false. Send the item itself in `input`."
    )
}

pub(super) fn id_of(item: Raw<'_>) -> Option<&str> {
    let members = members(item.get()).ok()?;
    let id = members.iter().find(|(name, _)| *name == "id")?.1.strip_prefix('"')?.strip_suffix('"')?;
    (!id.is_empty() && id.len() <= LONGEST && !id.contains('\\')).then_some(id)
}
