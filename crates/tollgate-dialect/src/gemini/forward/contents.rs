//! Edits inside the conversation: signatures and ids of calls, and results that are there twice.

use crate::Target;
use crate::anthropic_messages::forward::edit::Edits;
use crate::anthropic_messages::wire::Members;
use crate::error::{Change, ChangeKind};
use crate::gemini::signature::{CARRIED, NONE};
use crate::gemini::wire::{Raw, camel, word};
use crate::scan::items;

use super::find;

/// `signed`: every call may need an edit, and not only results that are there twice.
pub fn edit<'b>(
    contents: Raw<'b>,
    target: &Target<'_>,
    signed: bool,
    edits: &mut Edits<'b>,
    changes: &mut Vec<Change>,
) {
    let mut lane = Contents { target, edits, changes };
    let of_concern = list(contents).into_iter().filter(|content| signed || may_repeat(content.get()));
    for content in of_concern.filter_map(|content| Members::parse(content.get())) {
        let model = word(find(&content, "role")) == "model";
        let mut first = model;
        let parts = find(&content, "parts").map(list).unwrap_or_default();
        let again = repeated(&parts);
        for (part, _) in parts.iter().zip(&again).filter(|(_, again)| !**again) {
            lane.part(*part, &mut first);
        }
        if again.contains(&true) {
            lane.edits.drop_items(&parts, &again);
            lane.note(Change::new(ChangeKind::Repaired, "functionResponse"));
        }
    }
}

/// A list, or the one thing that stands in its place.
fn list(raw: Raw<'_>) -> Vec<Raw<'_>> {
    items(raw.get()).unwrap_or_else(|| vec![raw])
}

/// More than one result is in it, or what looks like one.
pub fn may_repeat(json: &str) -> bool {
    memchr::memmem::find_iter(json.as_bytes(), RESULT).nth(1).is_some()
}

const RESULT: &[u8] = b"\"functionResponse\"";

/// Which parts are results of a call that has its result in this content already. Google refuses them, and Gemini CLI 0.61 sends each
/// result twice in a session that it resumes (github.com/google-gemini/gemini-cli/issues/29365, 2026-09).
fn repeated<'b>(parts: &[Raw<'b>]) -> Vec<bool> {
    if parts.len() < 2 {
        return vec![false; parts.len()];
    }
    let mut answered: Vec<&str> = Vec::new();
    let again = |part: &Raw<'b>| {
        let part = Members::parse(part.get())?;
        let id = word(find(&Members::parse(find(&part, "functionResponse")?.get())?, "id"));
        let again = !id.is_empty() && answered.contains(&id);
        answered.push(id);
        Some(again)
    };
    parts.iter().map(again).map(|again| again.unwrap_or(false)).collect()
}

struct Contents<'e, 'b, 't> {
    target: &'t Target<'t>,
    edits: &'e mut Edits<'b>,
    changes: &'e mut Vec<Change>,
}

impl<'b> Contents<'_, 'b, '_> {
    /// `first`: no call of this content came yet, and it is the model's.
    fn part(&mut self, whole: Raw<'b>, first: &mut bool) {
        let Some(part) = Members::parse(whole.get()) else { return };
        let call = find(&part, "functionCall");
        if !self.target.quirks.gemini.ids {
            for with_id in [call, find(&part, "functionResponse")].into_iter().flatten() {
                self.drop(with_id, "id");
            }
        }
        let needed = call.is_some() && std::mem::take(first) && self.target.quirks.thought_signatures;
        let given = find(&part, "thoughtSignature").filter(|raw| raw.get() != "\"\"");
        // Another maker's thoughts are nothing that Google could read, nor is its other endpoint's state.
        let all_foreign = self.target.quirks.gemini.foreign_signatures;
        let foreign = given.is_some_and(|raw| all_foreign || word(Some(raw)).starts_with(CARRIED));
        match given {
            Some(_) if foreign && !needed => self.drop(whole, "thoughtSignature"),
            Some(signature) if foreign => self.edits.replace(signature.get(), format!("\"{}\"", NONE.escaped())),
            Some(_) => return,
            None if needed => {
                self.edits.add_member(whole.get(), &format!("\"thoughtSignature\":\"{}\"", NONE.escaped()));
            }
            None => return,
        }
        self.note(Change::new(ChangeKind::Repaired, "thoughtSignature"));
    }

    fn drop(&mut self, object: Raw<'b>, name: &str) {
        let Some(members) = Members::parse(object.get()) else { return };
        let drop: Vec<bool> = members.0.iter().map(|(key, _)| camel(key.escaped()) == name).collect();
        if drop.contains(&true) {
            self.edits.drop_members(&members, &drop);
            self.note(Change::dropped(name));
        }
    }

    fn note(&mut self, change: Change) {
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }
}
