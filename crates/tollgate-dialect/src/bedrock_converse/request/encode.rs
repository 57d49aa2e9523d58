//! The canonical form as a body for an upstream.
//!
//! `messages` is the last key, so that a longer conversation begins with the bytes of the shorter one.

use std::borrow::Cow;

use crate::anthropic_messages::request::turns::{Item, Rules, Thoughts, leading_system, turns};
use crate::anthropic_messages::request::{ATTRIBUTION, mark, unwrapped};
use crate::error::{Change, ChangeKind, Unsupported};
use crate::json::{Text, Writer};
use crate::quirks::{IdForm, Maker, Quirks, Replay, may_go};
use crate::request::{CacheMark, Message, Part, Request, TextPart};
use crate::{Encoded, Target};

use super::blocks::Blocks;
use super::native::Native;
use super::thinking::Thinking;
use super::{config, extra, tools};

pub fn encode(request: &Request<'_>, target: &Target<'_>) -> Result<Encoded, Unsupported> {
    let mut out = Out { writer: Writer::with_capacity(4096), target, changes: Vec::new() };
    let claude = target.quirks.converse.maker == Maker::Anthropic;
    let leading = leading_system(&request.messages);
    let messages = &request.messages[leading..];
    let messages = if claude { unwrapped(messages, target) } else { Cow::Borrowed(messages) };
    let rules = Rules {
        thoughts: thoughts(&messages, target),
        // The role is new, and few models take it.
        mid_system: false,
        ids: if target.quirks.tool_ids == IdForm::Any { IdForm::Converse } else { target.quirks.tool_ids },
        prefill: target.quirks.prefill && target.quirks.messages.prefill && request.output_format.is_none(),
        filler: None,
    };
    let turns = turns(&messages, &rules, &mut out.changes);
    let thinking = Thinking::choose(&mut out, request, &turns);

    let is_call = |item: &Item<'_>| matches!(item, Item::Call { .. } | Item::Result { .. } | Item::Missing { .. });
    let offer = tools::choose(&mut out, request, turns.iter().any(|turn| turn.items.iter().any(is_call)), &thinking)?;
    let mut native = Native::default();
    out.writer.open_object();
    let mut notes: Vec<Text<'static>> = offer.notes.iter().map(Text::borrowed).map(Text::into_owned).collect();
    config::write(&mut out, request, &thinking, &mut native)?;
    thinking.write(&mut out, &mut native);
    notes.extend(config::output(&mut out, request, &thinking));
    tools::add_native(&offer, &mut native);
    extra::write(&mut out, request, &mut native)?;
    native.write(&mut out);
    tools::write(&mut out, &offer);
    system(&mut out, request, leading, &notes);
    out.writer.key("messages").open_array();
    let mut blocks = Blocks::new(&mut out);
    for turn in &turns {
        blocks.turn(turn)?;
    }
    out.writer.close_array().close_object();
    Ok(Encoded { body: out.writer.out, changes: out.changes })
}

/// Claude's thoughts go back signed, those of others where the model wants them.
fn thoughts(messages: &[Message<'_>], target: &Target<'_>) -> Thoughts {
    match target.quirks.converse.maker {
        _ if !target.quirks.messages.earlier_thoughts => Thoughts::Strip,
        Maker::Anthropic => Thoughts::for_genuine(messages),
        _ if target.quirks.replay == Replay::Never => Thoughts::Strip,
        _ => Thoughts::All,
    }
}

fn system(out: &mut Out<'_>, request: &Request<'_>, leading: usize, notes: &[Text<'static>]) {
    let early = request.messages[..leading].iter().flat_map(|m| &m.parts).filter_map(|part| match part {
        Part::Text(text) => Some(text),
        _ => None,
    });
    let notes: Vec<TextPart<'_>> = notes.iter().map(|text| TextPart { text: text.borrowed(), cache: None }).collect();
    let claude = out.quirks().converse.maker == Maker::Anthropic;
    let is_said = |t: &&TextPart<'_>| !t.text.is_blank() && (claude || !t.text.escaped().starts_with(ATTRIBUTION));
    let mut all = request.system.iter().chain(early).chain(&notes).filter(is_said).peekable();
    if all.peek().is_none() {
        return;
    }
    out.writer.key("system").open_array();
    for part in all {
        out.writer.open_object().key("text").text(&part.text).close_object();
        out.cache_point(part.cache);
    }
    out.writer.close_array();
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

    /// True if the parameter may be written. One that the target refuses is dropped and reported, or is an error.
    pub fn takes(&mut self, param: &str, value: &str) -> Result<bool, Unsupported> {
        let refused = self.quirks().refuses.iter().any(|name| name == param);
        if refused { self.refused(param, value) } else { Ok(true) }
    }

    pub fn refused(&mut self, param: &str, value: &str) -> Result<bool, Unsupported> {
        if !self.target.drop_params && !may_go(param, value) {
            return Err(Unsupported::param(param, self.target.label));
        }
        self.change(ChangeKind::Dropped, param);
        Ok(false)
    }

    /// Behind the block that it closes.
    pub fn cache_point(&mut self, cache: Option<CacheMark>) {
        if !self.quirks().cache_control {
            return;
        }
        let Some(cache) = mark(cache, self.target) else { return };
        self.writer.open_object().key("cachePoint").open_object().key("type").str("default");
        if cache == CacheMark::Long {
            self.writer.key("ttl").str("1h");
        }
        self.writer.close_object().close_object();
    }
}
