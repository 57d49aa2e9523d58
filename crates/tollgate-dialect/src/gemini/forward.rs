//! The same-dialect lane: a Gemini client's bytes to a Gemini upstream, with edits at named places.
//!
//! Answers go on as they are: what Google's servers say, Google's clients read.

mod contents;

use crate::anthropic_messages::forward::edit::Edits;
use crate::anthropic_messages::wire::Members;
use crate::error::{Change, ChangeKind, Invalid, Unsupported};
use crate::frame::sse::Frame;
use crate::quirks::{GeminiThinking, may_go};
use crate::{Encoded, ForwardError, Forwarded, Target};

use super::request::{decode_thinking, fitting_tokens, write_thinking};
use super::signature::CARRIED;
use super::wire::{Raw, camel, count_of, parse};
use crate::scan::items;

pub fn request(body: &[u8], target: &Target<'_>) -> Result<Encoded, ForwardError> {
    let body = std::str::from_utf8(body).map_err(|_| Invalid::new("", "The request body is not valid UTF-8"))?;
    let members = parse(body, Members::read).map_err(Invalid::from)?;
    let mut lane = Lane { edits: Edits::new(body), target, changes: Vec::new() };
    // Who the request is for stands in the path.
    lane.refused(&members, &["model"])?;
    if let Some(config) = find(&members, "generationConfig").and_then(|raw| Members::parse(raw.get())) {
        lane.refused(&config, &[])?;
        lane.max_tokens(&config);
        lane.thinking(&config);
    }
    lane.whole_calls(&members);
    let quirks = target.quirks;
    if let Some(tools) = find(&members, "tools").filter(|_| quirks.gemini.one_kind_per_tool) {
        lane.tools(tools);
    }
    let signed = quirks.thought_signatures
        || !quirks.gemini.ids
        || quirks.gemini.foreign_signatures
        || memchr::memmem::find(body.as_bytes(), CARRIED.as_bytes()).is_some();
    if let Some(contents) = find(&members, "contents").filter(|raw| signed || contents::may_repeat(raw.get())) {
        contents::edit(contents, target, signed, &mut lane.edits, &mut lane.changes);
    }
    Ok(Encoded { body: lane.edits.apply(), changes: lane.changes })
}

/// The last member of the name, in either spelling.
fn find<'b>(members: &Members<'b>, name: &str) -> Option<Raw<'b>> {
    let found = members.0.iter().rev().find(|(key, _)| camel(key.escaped()) == name);
    found.map(|(_, value)| *value).filter(|value| !value.is_null())
}

struct Lane<'b, 't> {
    edits: Edits<'b>,
    target: &'t Target<'t>,
    changes: Vec<Change>,
}

impl Lane<'_, '_> {
    fn note(&mut self, change: Change) {
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    /// Takes out what the target refuses, and without a word what is `ours`.
    fn refused(&mut self, members: &Members<'_>, ours: &[&str]) -> Result<(), Unsupported> {
        let mut drop = Vec::with_capacity(members.0.len());
        for (key, value) in &members.0 {
            let name = camel(key.escaped());
            let refused = self.target.quirks.refuses.iter().any(|refused| *refused == name);
            if refused {
                if !self.target.drop_params && !may_go(&name, value.get()) && !value.is_null() {
                    return Err(Unsupported::param(&name, self.target.label));
                }
                self.note(Change::dropped(&*name));
            }
            drop.push(refused || ours.contains(&&*name));
        }
        self.edits.drop_members(members, &drop);
        Ok(())
    }

    fn max_tokens(&mut self, config: &Members<'_>) {
        let Some(raw) = find(config, "maxOutputTokens") else { return };
        let Some(asked) = count_of(Some(raw)) else { return };
        let fitting = fitting_tokens(asked, self.target);
        if asked != fitting {
            self.edits.replace(raw.get(), fitting.to_string());
            self.note(Change::new(ChangeKind::Clamped, "maxOutputTokens"));
        }
    }

    /// A call is read as a whole, so its arguments are not asked for in pieces.
    fn whole_calls(&mut self, members: &Members<'_>) {
        const IN_PIECES: &str = "streamFunctionCallArguments";
        let Some(tools) = find(members, "toolConfig").and_then(|raw| Members::parse(raw.get())) else { return };
        let Some(config) = find(&tools, "functionCallingConfig").and_then(|raw| Members::parse(raw.get())) else {
            return;
        };
        let drop: Vec<bool> = config.0.iter().map(|(key, _)| camel(key.escaped()) == IN_PIECES).collect();
        if drop.contains(&true) {
            self.edits.drop_members(&config, &drop);
            self.note(Change::dropped(IN_PIECES));
        }
    }

    /// One entry for each kind of tools.
    fn tools(&mut self, tools: Raw<'_>) {
        for tool in items(tools.get()).unwrap_or_default() {
            let Some(kinds) = Members::parse(tool.get()).filter(|kinds| kinds.0.len() > 1) else { continue };
            let each = kinds.0.iter().map(|(kind, value)| format!("{{\"{}\":{}}}", kind.escaped(), value.get()));
            self.edits.replace(tool.get(), each.collect::<Vec<_>>().join(","));
            self.note(Change::new(ChangeKind::Rewritten, "tools"));
        }
    }

    /// Models before Gemini 3 know no levels. Later ones still take a budget.
    fn thinking(&mut self, config: &Members<'_>) {
        let Some(raw) = find(config, "thinkingConfig") else { return };
        let Some(fields) = Members::parse(raw.get()) else { return };
        let fits = match self.target.quirks.gemini.thinking {
            GeminiThinking::Level => true,
            GeminiThinking::Budget => find(&fields, "thinkingLevel").is_none(),
            GeminiThinking::None => false,
        };
        let Some(wish) = decode_thinking(raw).filter(|_| !fits) else { return };
        if self.target.quirks.gemini.thinking == GeminiThinking::None {
            let drop: Vec<bool> = config.0.iter().map(|(key, _)| camel(key.escaped()) == "thinkingConfig").collect();
            self.edits.drop_members(config, &drop);
            self.note(Change::dropped("thinkingConfig"));
            return;
        }
        self.edits.replace(raw.get(), write_thinking(wish, self.target));
        self.note(Change::new(ChangeKind::Rewritten, "thinkingConfig"));
    }
}

pub fn frame(frame: &Frame<'_>) -> Forwarded {
    // The end mark of other dialects, from a proxy: Google's clients read every frame as JSON.
    if frame.data.trim_ascii() == b"[DONE]" { Forwarded::Drop } else { Forwarded::AsIs }
}

pub fn response(_body: &[u8]) -> Option<Vec<u8>> {
    None
}

#[cfg(test)]
mod tests;
