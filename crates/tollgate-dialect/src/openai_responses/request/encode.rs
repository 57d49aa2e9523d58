//! Canonical request to a Responses body.
//!
//! `input` is the last key, so that a longer conversation begins with the bytes of the shorter one. Nothing is kept at the
//! provider: `store` is false, and what it must have again comes back encrypted.

use crate::error::Unsupported;
use crate::json::Text;
use crate::openai_chat::request::{ATTRIBUTION, Out};
use crate::request::{Request, TextPart};
use crate::{Encoded, Target};

use super::{items, params, tools};

pub fn encode(request: &Request<'_>, target: &Target<'_>) -> Result<Encoded, Unsupported> {
    // `input_file` is a part of the API itself, unlike chat's `file`.
    let mut out = Out { files: true, ..Out::new(request, target) };
    out.writer.open_object().key("model").str(target.model);
    params::write(&mut out, request)?;
    let mut notes = params::text(&mut out, request)?;
    notes.extend(tools::write(&mut out, request)?);
    let system = system(request, &notes);
    // Where marks are kept the system prompt needs parts to carry them.
    let leading = if out.marks().are_kept() { system } else { instructions(&mut out, &system) };
    items::write(&mut out, request, &leading)?;
    out.writer.close_object();
    Ok(Encoded { body: out.writer.out, changes: out.changes })
}

fn system<'r>(request: &'r Request<'_>, notes: &[String]) -> Vec<TextPart<'r>> {
    let blocks = request.system.iter().filter(|b| !b.text.is_empty() && !b.text.escaped().starts_with(ATTRIBUTION));
    let blocks = blocks.map(|b| TextPart { text: b.text.borrowed(), cache: b.cache });
    let notes = notes.iter().map(|note| TextPart { text: Text::plain(note), cache: None });
    blocks.chain(notes).collect()
}

fn instructions<'r>(out: &mut Out<'_>, system: &[TextPart<'_>]) -> Vec<TextPart<'r>> {
    if !system.is_empty() {
        out.writer.key("instructions");
        crate::openai_chat::request::parts::write_joined(&mut out.writer, system.iter().map(|b| &b.text));
    }
    Vec::new()
}
