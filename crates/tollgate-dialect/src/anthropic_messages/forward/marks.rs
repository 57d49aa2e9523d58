//! Cache marks in every block, for targets that refuse them or parts of them.

use crate::Target;
use crate::anthropic_messages::wire::{Content, Members, Raw, WireBlock};
use crate::error::Change;
use crate::scan::items;

use super::edit::Edits;

pub fn edit<'b>(members: &Members<'b>, target: &Target<'_>, edits: &mut Edits<'b>, changes: &mut Vec<Change>) {
    let refused = &target.quirks.messages.refuses;
    let mut marks = Marks { refused, edits, changes };
    if let Some(Content::Blocks(blocks)) = members.get("system").and_then(|s| Content::parse(s.get())) {
        marks.blocks(&blocks);
    }
    let list = |name: &str| members.get(name).and_then(|raw| items(raw.get())).unwrap_or_default();
    for message in list("messages").into_iter().filter_map(|raw| Members::parse(raw.get())) {
        if let Some(Content::Blocks(blocks)) = message.get("content").and_then(|c| Content::parse(c.get())) {
            marks.blocks(&blocks);
        }
    }
    for tool in list("tools") {
        marks.object(tool);
    }
}

struct Marks<'m, 'b> {
    refused: &'m [String],
    edits: &'m mut Edits<'b>,
    changes: &'m mut Vec<Change>,
}

impl<'b> Marks<'_, 'b> {
    fn blocks(&mut self, blocks: &[WireBlock<'b>]) {
        for block in blocks {
            if block.cache_control.is_some() {
                self.object(block.whole);
            }
            if let Content::Blocks(inner) = &block.content {
                self.blocks(inner);
            }
        }
    }

    /// Takes the mark, or its refused fields, out of an object.
    fn object(&mut self, whole: Raw<'b>) {
        let Some(members) = Members::parse(whole.get()) else { return };
        if self.refused.iter().any(|key| key == "cache_control") {
            self.drop(&members, |key| (key == "cache_control").then_some("cache_control"));
        } else if let Some(mark) = members.get("cache_control").and_then(|m| Members::parse(m.get())) {
            let refused = self.refused;
            self.drop(&mark, |key| {
                refused.iter().find(|r| r.strip_prefix("cache_control.") == Some(key)).map(String::as_str)
            });
        }
    }

    fn drop<'r>(&mut self, members: &Members<'b>, refused: impl Fn(&str) -> Option<&'r str>) {
        let goes: Vec<Option<&str>> = members.0.iter().map(|(key, _)| refused(key.escaped())).collect();
        for name in goes.iter().flatten() {
            let change = Change::dropped(*name);
            if !self.changes.contains(&change) {
                self.changes.push(change);
            }
        }
        let drop: Vec<bool> = goes.iter().map(Option::is_some).collect();
        self.edits.drop_members(members, &drop);
    }
}
