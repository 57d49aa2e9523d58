//! Canonical request to chat body.
//!
//! `messages` is the last key, so that a longer conversation begins with the bytes of the shorter one.

use crate::error::{Change, ChangeKind, Unsupported};
use crate::json::Writer;
use crate::quirks::{Quirks, may_go};
use crate::request::{Part, Request, Source, ToolInput, ToolKind};
use crate::{Encoded, Target};

use super::marks::Marks;
use super::{messages, params, reasoning, tools};

pub fn encode(request: &Request<'_>, target: &Target<'_>) -> Result<Encoded, Unsupported> {
    let mut out = Out::new(request, target);
    out.writer.open_object().key("model").str(target.model);
    params::write(&mut out, request)?;
    reasoning::write(&mut out, request.reasoning, request.max_tokens);
    let mut notes = params::response_format(&mut out, request)?;
    notes.extend(tools::write(&mut out, request)?);
    messages::write(&mut out, request, &notes)?;
    out.writer.close_object();
    Ok(Encoded { body: out.writer.out, changes: out.changes })
}

/// A body under construction.
pub struct Out<'t> {
    pub writer: Writer,
    pub target: &'t Target<'t>,
    pub changes: Vec<Change>,
    /// PDF documents have a place.
    pub files: bool,
}

impl<'t> Out<'t> {
    pub fn new(request: &Request<'_>, target: &'t Target<'t>) -> Out<'t> {
        Out {
            writer: Writer::with_capacity(expected_size(request)),
            target,
            changes: Vec::new(),
            files: target.quirks.pdf,
        }
    }

    pub fn quirks(&self) -> &'t Quirks {
        self.target.quirks
    }

    /// Unless there are none, text goes as parts that carry them.
    pub fn marks(&self) -> Marks {
        let quirks = self.quirks();
        let refused = quirks.refuses.iter().any(|r| r == "cache_control");
        match (quirks.cache_control && !refused, quirks.cache_breakpoints) {
            _ if quirks.string_content => Marks::None,
            (true, _) => Marks::CacheControl,
            (false, true) => Marks::Breakpoints,
            (false, false) => Marks::None,
        }
    }

    /// Reports a change once, however often it happened.
    pub fn change(&mut self, what: ChangeKind, field: &str) {
        let change = Change::new(what, field);
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    /// True if the parameter may be written with this value, in JSON. One that the target refuses is dropped and reported, or
    /// is an error.
    pub fn takes(&mut self, param: &str, value: &str) -> Result<bool, Unsupported> {
        if self.quirks().refuses.iter().any(|r| r == param) { self.refused(param, value) } else { Ok(true) }
    }

    pub fn refused(&mut self, param: &str, value: &str) -> Result<bool, Unsupported> {
        if !self.target.drop_params && !may_go(param, value) {
            return Err(Unsupported::param(param, self.target.label));
        }
        self.change(ChangeKind::Dropped, param);
        Ok(false)
    }
}

/// An estimate that is seldom too small: the bulk of a request is text that is copied.
fn expected_size(request: &Request<'_>) -> usize {
    let system: usize = request.system.iter().map(|b| b.text.escaped().len() + 64).sum();
    let tools: usize = request
        .tools
        .iter()
        .map(|tool| {
            let schema = match &tool.kind {
                ToolKind::Function { schema: Some(schema) } => schema.get().len(),
                _ => 1024,
            };
            schema + tool.description.as_ref().map_or(0, |d| d.escaped().len()) + 256
        })
        .sum();
    let messages: usize = request.messages.iter().flat_map(|m| &m.parts).map(part_size).sum();
    1024 + system + tools + messages
}

fn part_size(part: &Part<'_>) -> usize {
    96 + match part {
        Part::Text(text) => text.text.escaped().len(),
        Part::Thinking(thinking) => thinking.text.escaped().len(),
        Part::ToolCall(call) => match &call.input {
            // Quotes and backslashes double.
            ToolInput::Object(json) => json.get().len() * 5 / 4,
            ToolInput::Arguments(text) | ToolInput::Freeform(text) => text.escaped().len(),
        },
        Part::ToolResult(result) => result.content.iter().map(part_size).sum(),
        Part::Media(media) => match &media.source {
            Source::Base64 { data, .. } => data.escaped().len(),
            Source::Text(text) => text.escaped().len(),
            _ => 0,
        },
        _ => 0,
    }
}
