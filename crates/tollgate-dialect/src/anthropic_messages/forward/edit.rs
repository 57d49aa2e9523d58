//! Edits of a body by byte ranges: what is not named in one stays as the client wrote it.

use std::ops::Range;

use crate::anthropic_messages::wire::{Members, span};

pub struct Edits<'b> {
    body: &'b str,
    list: Vec<(Range<usize>, String)>,
}

impl<'b> Edits<'b> {
    pub fn new(body: &'b str) -> Self {
        Edits { body, list: Vec::new() }
    }

    /// `part` was borrowed from the body.
    pub fn replace(&mut self, part: &str, with: impl Into<String>) {
        self.list.push((span(self.body, part), with.into()));
    }

    /// What is inserted at one place stands in the order of the calls.
    pub fn insert_before(&mut self, part: &str, text: impl Into<String>) {
        let at = span(self.body, part).start;
        self.list.push((at..at, text.into()));
    }

    pub fn insert_after(&mut self, part: &str, text: impl Into<String>) {
        let at = span(self.body, part).end;
        self.list.push((at..at, text.into()));
    }

    /// Puts a member in front of the others of an object, which may have none, or none left.
    pub fn add_member(&mut self, object: &str, member: &str) {
        let at = span(self.body, object).start + 1;
        self.list.push((at..at, format!("{member},")));
    }

    /// Takes the members out for which `drop` is true.
    pub fn drop_members(&mut self, members: &Members<'_>, drop: &[bool]) {
        let range = |(key, value): &(crate::json::Text<'_>, crate::scan::Raw<'_>)| {
            // The key's text stands between quotes.
            span(self.body, key.escaped()).start - 1..span(self.body, value.get()).end
        };
        let ranges: Vec<_> = members.0.iter().map(range).collect();
        self.drop_from(&ranges, drop);
    }

    /// Takes the items of an array out for which `drop` is true.
    pub fn drop_items(&mut self, items: &[crate::scan::Raw<'_>], drop: &[bool]) {
        let ranges: Vec<_> = items.iter().map(|item| span(self.body, item.get())).collect();
        self.drop_from(&ranges, drop);
    }

    /// Every run of dropped entries takes one comma with it: the one after it, or at the end the one before.
    fn drop_from(&mut self, entries: &[Range<usize>], drop: &[bool]) {
        let mut i = 0;
        while i < entries.len() {
            if !drop[i] {
                i += 1;
                continue;
            }
            let first = i;
            while i < entries.len() && drop[i] {
                i += 1;
            }
            let range = match (entries.get(i), first.checked_sub(1)) {
                (Some(next), _) => entries[first].start..next.start,
                (None, Some(previous)) => entries[previous].end..entries[i - 1].end,
                (None, None) => entries[first].start..entries[i - 1].end,
            };
            self.list.push((range, String::new()));
        }
    }

    pub fn apply(mut self) -> Vec<u8> {
        self.list.sort_by_key(|(range, _)| (range.start, !range.is_empty()));
        let more: usize = self.list.iter().map(|(_, text)| text.len()).sum();
        let mut out = Out { bytes: Vec::with_capacity(self.body.len() + more), comma: None };
        let mut done = 0;
        for (range, text) in &self.list {
            // What lies inside something that is gone needs no edit.
            if range.start < done {
                continue;
            }
            out.keep(&self.body[done..range.start]);
            out.put(text);
            done = range.end;
        }
        out.keep(&self.body[done..]);
        out.bytes
    }
}

struct Out {
    bytes: Vec<u8>,
    /// Where a comma behind an added member stands that has only white space after it.
    comma: Option<usize>,
}

impl Out {
    fn put(&mut self, text: &str) {
        if !text.is_empty() {
            self.bytes.extend_from_slice(text.as_bytes());
            self.comma = text.ends_with(',').then(|| self.bytes.len() - 1);
        }
    }

    /// Goes on with the client's bytes. A comma is one too many where the object ends.
    fn keep(&mut self, bytes: &str) {
        if let Some(first) = bytes.trim_start().chars().next()
            && let Some(comma) = self.comma.take()
            && first == '}'
        {
            self.bytes.remove(comma);
        }
        self.bytes.extend_from_slice(bytes.as_bytes());
    }
}
