//! Edits of a JSON text by position.

use std::ops::Range;

use serde_json::value::RawValue;

use crate::openai_chat::request::Members;

/// A member of the body's top-level object.
pub struct Member<'b> {
    pub name: String,
    pub value: &'b RawValue,
    /// From its key to its value, and the comma that parts it from its neighbour.
    span: Range<usize>,
}

/// Where `part`, a slice of `whole`, begins in it.
fn offset(whole: &str, part: &str) -> usize {
    (part.as_ptr() as usize).wrapping_sub(whole.as_ptr() as usize)
}

pub fn members<'b>(text: &'b str, members: Members<'b>) -> Vec<Member<'b>> {
    let mut after = text.find('{').map_or(0, |at| at + 1);
    let mut found: Vec<Member<'b>> = Vec::with_capacity(members.0.len());
    for (name, value) in members.0 {
        let end = offset(text, value.get()) + value.get().len();
        found.push(Member { name: name.into_owned(), value, span: after..end });
        after = end;
    }
    found
}

/// Edits in any order, applied in one pass.
pub struct Edits<'b> {
    text: &'b str,
    /// Ranges do not overlap, except that a removal swallows a replacement inside it.
    edits: Vec<(Range<usize>, String)>,
    removed: Vec<Range<usize>>,
    inserted: Vec<(String, String)>,
}

impl<'b> Edits<'b> {
    pub fn new(text: &'b str) -> Edits<'b> {
        Edits { text, edits: Vec::new(), removed: Vec::new(), inserted: Vec::new() }
    }

    pub fn replace(&mut self, old: &str, new: &str) {
        let start = offset(self.text, old);
        self.edits.push((start..start + old.len(), new.to_string()));
    }

    /// Puts `new` in front of what begins at `place`, a slice of the text.
    pub fn before(&mut self, place: &str, new: &str) {
        let start = offset(self.text, place);
        self.edits.push((start..start, new.to_string()));
    }

    pub fn remove(&mut self, member: &Member<'_>) {
        if !self.removed.contains(&member.span) {
            self.removed.push(member.span.clone());
        }
    }

    /// Adds a member at the front of the object, so that what follows keeps its place behind it on every turn.
    pub fn insert(&mut self, name: &str, value: &str) {
        self.withdraw(name);
        self.inserted.push((name.to_string(), value.to_string()));
    }

    /// Takes an insertion back.
    pub fn withdraw(&mut self, name: &str) {
        self.inserted.retain(|(inserted, _)| inserted != name);
    }

    pub fn apply(mut self) -> Vec<u8> {
        let text = self.text;
        let open = text.find('{').map_or(0, |at| at + 1);
        let removed = std::mem::take(&mut self.removed);
        self.edits.retain(|(range, _)| !removed.iter().any(|r| r.start <= range.start && range.end <= r.end));
        let cuts = removed.into_iter().map(|range| (range, String::new()));
        let mut edits: Vec<(Range<usize>, String)> = self.edits.into_iter().chain(cuts).collect();
        edits.sort_by_key(|(range, _)| (range.start, range.end));

        let mut members = String::with_capacity(text.len() + 64);
        let mut at = open;
        for (range, new) in edits {
            members.push_str(&text[at..range.start]);
            members.push_str(&new);
            at = range.end;
        }
        members.push_str(&text[at..]);

        let mut out = Vec::with_capacity(members.len() + 256);
        out.extend_from_slice(&text.as_bytes()[..open]);
        for (i, (name, value)) in self.inserted.iter().enumerate() {
            out.extend_from_slice(format!("{}\"{name}\":{value}", if i > 0 { "," } else { "" }).as_bytes());
        }
        // Where the first member went, its neighbour's comma is left over.
        let rest = members.trim_start().strip_prefix(',').unwrap_or(&members);
        if !self.inserted.is_empty() && !rest.trim_start().starts_with('}') {
            out.push(b',');
        }
        out.extend_from_slice(rest.as_bytes());
        out
    }
}
