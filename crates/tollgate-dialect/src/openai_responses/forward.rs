//! The same-dialect lane: a Responses client's bytes to a Responses upstream, with named edits.
//!
//! The input is passed on as it is but for reasoning that another upstream's state stands in: that is left out, and state of
//! this very provider that travelled in an envelope is unwrapped.

use memchr::memmem;
use serde_json::value::RawValue;

use crate::error::{Change, ChangeKind, Invalid, Unsupported};
use crate::json::{Json, Text};
use crate::openai_chat::forward::edits::{self, Edits, Member};
use crate::openai_chat::request::{Members, params, reasoning};
use crate::quirks::{ToolChoiceForms, may_go};
use crate::request::Effort;
use crate::scan::{Raw, items, object};
use crate::{Encoded, ForwardError, Target, sealed};

use super::request::{LEAST_TOKENS, fitting_tokens};
use super::state::Encrypted;
use super::wire::{Item, word};

pub fn request(body: &[u8], target: &Target<'_>) -> Result<Encoded, ForwardError> {
    let text = std::str::from_utf8(body).map_err(|_| Invalid::new("", "The request body is not UTF-8"))?;
    let members: Members<'_> = serde_json::from_str(text).map_err(Invalid::from)?;
    let members = edits::members(text, members);
    let mut lane = Lane { target, edits: Edits::new(text), changes: Vec::new(), members: &members };
    lane.model();
    lane.max_output_tokens()?;
    lane.stream();
    lane.reasoning();
    lane.sampling()?;
    lane.tools()?;
    lane.refused()?;
    if !target.quirks.messages.earlier_thoughts || memmem::find(body, b"\"tg1.").is_some() {
        lane.sealed();
    }
    let Lane { edits, changes, .. } = lane;
    Ok(Encoded { body: edits.apply(), changes })
}

struct Lane<'l, 't, 'b> {
    target: &'t Target<'t>,
    edits: Edits<'b>,
    changes: Vec<Change>,
    members: &'l [Member<'b>],
}

impl<'b> Lane<'_, '_, 'b> {
    /// A value that is not null.
    fn value(&self, name: &str) -> Option<&'b RawValue> {
        self.members.iter().rfind(|m| m.name == name).map(|m| m.value).filter(|v| v.get() != "null")
    }

    fn change(&mut self, what: ChangeKind, field: &str) {
        let change = Change::new(what, field);
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    fn remove(&mut self, name: &str) {
        for member in self.members.iter().filter(|m| m.name == name) {
            self.edits.remove(member);
        }
    }

    /// Takes out a parameter that the target does not take, or refuses the request.
    fn drop_param(&mut self, name: &str) -> Result<(), Unsupported> {
        if let Some(value) = self.value(name) {
            if !self.target.drop_params && !may_go(name, value.get()) {
                return Err(Unsupported::param(name, self.target.label));
            }
            self.change(ChangeKind::Dropped, name);
        }
        self.remove(name);
        Ok(())
    }

    fn model(&mut self) {
        let model = format!("\"{}\"", Text::plain(self.target.model).escaped());
        let given: Vec<&RawValue> = self.members.iter().filter(|m| m.name == "model").map(|m| m.value).collect();
        if given.is_empty() {
            self.edits.insert("model", &model);
        }
        // Every one: servers differ in which of two they read.
        given.iter().for_each(|old| self.edits.replace(old.get(), &model));
    }

    fn max_output_tokens(&mut self) -> Result<(), ForwardError> {
        let Some(value) = self.value("max_output_tokens") else { return Ok(()) };
        let asked = Raw::from(value).json().as_count();
        let asked = asked.ok_or_else(|| Invalid::new("max_output_tokens", "expected a whole number"))?;
        // What is too little is the client's own mistake, and the upstream's to name.
        let fitting = if asked < LEAST_TOKENS { asked } else { fitting_tokens(asked, self.target) };
        if asked != fitting {
            self.change(ChangeKind::Clamped, "max_output_tokens");
            self.edits.replace(value.get(), &fitting.to_string());
        }
        Ok(())
    }

    fn stream(&mut self) {
        let stream = self.target.stream;
        let word = if stream { "true" } else { "false" };
        match self.value("stream") {
            Some(value) if (value.get() == "true") != stream => self.edits.replace(value.get(), word),
            Some(_) => {}
            None if stream => {
                self.remove("stream");
                self.edits.insert("stream", word);
            }
            None => {}
        }
        if !stream {
            self.remove("stream_options");
        }
    }

    /// An effort goes to the nearest that the model is known to have.
    fn reasoning(&mut self) {
        object! {
            Wish {
                effort,
            }
        }
        let quirks = self.target.quirks;
        let wish = self.value("reasoning").and_then(|value| Wish::parse(value.get()).ok());
        let Some(effort) = wish.and_then(|wish| wish.effort) else { return };
        let Some(level) = Effort::of_name(effort.word()) else { return };
        let known = quirks.reasoning != crate::quirks::ReasoningControl::None && !quirks.efforts.contains(&level);
        if let Some(nearest) = reasoning::nearest(level, &quirks.efforts).filter(|_| known) {
            self.edits.replace(effort.get(), &format!("\"{}\"", nearest.name()));
        }
    }

    fn sampling(&mut self) -> Result<(), ForwardError> {
        let quirks = self.target.quirks;
        if let Some(value) = self.value("temperature") {
            let json: Json<'_> = Raw::from(value).json();
            if let Some(most) = params::clamped_temperature(&json, quirks) {
                self.change(ChangeKind::Clamped, "temperature");
                self.edits.replace(value.get(), &most);
            }
            if quirks.temperature_or_top_p && self.value("top_p").is_some() {
                self.change(ChangeKind::Dropped, "top_p");
                self.remove("top_p");
            }
        }
        Ok(())
    }

    fn tools(&mut self) -> Result<(), Unsupported> {
        let quirks = self.target.quirks;
        if !quirks.tools {
            self.drop_param("tools")?;
            self.remove("tool_choice");
            self.remove("parallel_tool_calls");
            return Ok(());
        }
        let Some(choice) = self.value("tool_choice").map(RawValue::get) else { return Ok(()) };
        let forced = !matches!(choice, "\"auto\"" | "\"none\"");
        let softer = match quirks.tool_choice {
            ToolChoiceForms::AutoNone if forced => "\"auto\"",
            ToolChoiceForms::Words if choice.starts_with('{') => "\"required\"",
            _ => return Ok(()),
        };
        self.change(ChangeKind::Softened, "tool_choice");
        self.edits.replace(choice, softer);
        Ok(())
    }

    fn refused(&mut self) -> Result<(), Unsupported> {
        for name in &self.target.quirks.refuses {
            // The only item of `include` that clients send as a matter of course.
            let name = if name == "reasoning.encrypted_content" { "include" } else { name };
            self.drop_param(name)?;
            self.edits.withdraw(name);
        }
        Ok(())
    }

    /// Reasoning whose state is an envelope of ours: the provider gets its own state back, and no other's.
    fn sealed(&mut self) {
        let Some(input) = self.value("input") else { return };
        let family = self.target.label.split('/').next().unwrap_or("");
        let list = items(input.get()).unwrap_or_default();
        let mut cuts = Vec::new();
        for (i, raw) in list.iter().enumerate() {
            let Ok(item) = Item::parse(raw.get()) else { continue };
            let content = item.encrypted_content.filter(|_| word(item.kind) == "reasoning");
            let Some((token, text)) = content.and_then(|raw| Some((raw, raw.text()?))) else { continue };
            let refused = !self.target.quirks.messages.earlier_thoughts;
            if !refused && !sealed::is_ours(&text) {
                continue;
            }
            match Encrypted::of_signature(&text, self.target.seal, family) {
                Some(own) if !refused => self.edits.replace(token.get(), &format!("\"{}\"", own.content.escaped())),
                _ => cuts.push(i),
            }
        }
        if !cuts.is_empty() {
            self.change(ChangeKind::Dropped, "reasoning");
            self.cut(input.get(), &list, &cuts);
        }
    }

    /// Takes items out of the list, each with the comma that parts it from a neighbour.
    fn cut(&mut self, whole: &'b str, list: &[Raw<'b>], cuts: &[usize]) {
        let at = |part: &str| part.as_ptr() as usize - whole.as_ptr() as usize;
        let end = |i: usize| at(list[i].get()) + list[i].get().len();
        let kept_before = |i: usize| (0..i).any(|before| !cuts.contains(&before));
        for &i in cuts {
            let span = match (kept_before(i), list.get(i + 1)) {
                (true, _) => end(i - 1)..end(i),
                (false, Some(next)) => at(list[i].get())..at(next.get()),
                (false, None) => at(list[i].get())..end(i),
            };
            self.edits.replace(&whole[span], "");
        }
    }
}

#[cfg(test)]
mod tests;
