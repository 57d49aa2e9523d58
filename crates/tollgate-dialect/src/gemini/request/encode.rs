//! The canonical form as a body for an upstream.
//!
//! `contents` is the last key, so that a longer conversation begins with the bytes of the shorter one.

use super::{config, contents, tools};
use crate::error::{Change, ChangeKind, Unsupported};
use crate::json::Writer;
use crate::quirks::{Quirks, may_go};
use crate::request::{Part, Request, Source, ToolKind};
use crate::{Encoded, Target};

pub fn encode(request: &Request<'_>, target: &Target<'_>) -> Result<Encoded, Unsupported> {
    let mut out = Out { writer: Writer::with_capacity(expected_size(request)), target, changes: Vec::new() };
    out.writer.open_object();
    let mut notes = tools::write(&mut out, request)?;
    notes.extend(config::write(&mut out, request)?);
    contents::write(&mut out, request, &notes)?;
    out.writer.close_object();
    Ok(Encoded { body: out.writer.out, changes: out.changes })
}

/// A body under construction.
pub struct Out<'t> {
    pub writer: Writer,
    pub target: &'t Target<'t>,
    pub changes: Vec<Change>,
}

impl<'t> Out<'t> {
    pub fn quirks(&self) -> &'t Quirks {
        self.target.quirks
    }

    /// Reports a change once, however often it happened.
    pub fn change(&mut self, what: ChangeKind, field: &str) {
        let change = Change::new(what, field);
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }

    /// True if the parameter, by Google's name, may be written. One that the target refuses is dropped and reported, or is an
    /// error that names it as the client did.
    pub fn takes(&mut self, param: &str, clients: &str, value: &str) -> Result<bool, Unsupported> {
        let refused = self.quirks().refuses.iter().any(|name| name == param);
        if refused { self.refused(clients, value) } else { Ok(true) }
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
    let system: usize = request.system.iter().map(|block| block.text.escaped().len() + 32).sum();
    let schema = |kind: &ToolKind<'_>| match kind {
        ToolKind::Function { schema: Some(schema) } => schema.get().len(),
        _ => 1024,
    };
    let described = |d: &crate::json::Text<'_>| d.escaped().len();
    let tools = request.tools.iter().map(|t| schema(&t.kind) + t.description.as_ref().map_or(0, described) + 256);
    let messages = request.messages.iter().flat_map(|m| &m.parts).map(part_size);
    1024 + system + tools.sum::<usize>() + messages.sum::<usize>()
}

fn part_size(part: &Part<'_>) -> usize {
    96 + match part {
        Part::Text(text) => text.text.escaped().len(),
        Part::ToolResult(result) => result.content.iter().map(part_size).sum(),
        Part::Media(media) => match &media.source {
            Source::Base64 { data, .. } => data.escaped().len(),
            Source::Text(text) => text.escaped().len(),
            _ => 0,
        },
        _ => 256,
    }
}
