//! The conversation, in the order that strict servers ask for: every assistant message with calls is directly followed by one
//! `tool` message for each call, and no two user messages stand in a row.
//!
//! The conversation is cut into turns, an assistant message and what follows it up to the next one. A turn is a function of
//! its own messages alone, so a longer conversation repeats the bytes of the shorter one.

use std::collections::HashMap;

use super::encode::Out;
use super::parts::{self, PARAGRAPH, Piece, Place, write_joined, write_pieces, write_text_part};
use crate::error::{ChangeKind, Unsupported};
use crate::json::Text;
use crate::quirks::{MidSystem, SystemRole};
use crate::request::{Message, Part, Request, Role, TextPart, ToolResult};
use assistant::Assistant;

mod assistant;
mod results;

/// Claude Code's attribution line. It changes from request to request and means nothing to other vendors.
pub const ATTRIBUTION: &str = "x-anthropic-billing-header:";

pub fn write(out: &mut Out<'_>, request: &Request<'_>, notes: &[String]) -> Result<(), Unsupported> {
    out.writer.key("messages").open_array();
    let system = leading_system(out, &request.system, notes);
    let mut conversation = Conversation { out, turn: Turn::default(), last: None };
    if let Some(text) = system {
        // The user's first words follow in the same message.
        conversation.turn.answered = true;
        conversation.turn.pieces.push(Piece::text(text));
    }
    for (i, message) in request.messages.iter().enumerate() {
        conversation.push(message, i)?;
    }
    conversation.end()?;
    out.writer.close_array();
    Ok(())
}

/// The role for system messages; `None` where the user has to say them.
fn system_role(out: &Out<'_>) -> Option<&'static str> {
    match out.quirks().system_role {
        SystemRole::System => Some("system"),
        SystemRole::Developer => Some("developer"),
        SystemRole::User => None,
    }
}

/// Writes the system prompt, or gives it back where it has no role of its own.
fn leading_system(out: &mut Out<'_>, blocks: &[TextPart<'_>], notes: &[String]) -> Option<Text<'static>> {
    let blocks = blocks.iter().filter(|b| !b.text.is_empty() && !b.text.escaped().starts_with(ATTRIBUTION));
    let notes = notes.iter().map(|note| TextPart { text: Text::plain(note), cache: None });
    let blocks: Vec<TextPart<'_>> =
        blocks.map(|b| TextPart { text: b.text.borrowed(), cache: b.cache }).chain(notes).collect();
    if blocks.is_empty() {
        return None;
    }
    let Some(role) = system_role(out) else {
        return Some(Text::join(blocks.iter().map(|b| &b.text), &PARAGRAPH));
    };
    let marks = out.marks();
    let writer = &mut out.writer;
    writer.open_object().key("role").str(role).key("content");
    if marks.are_kept() {
        writer.open_array();
        blocks.iter().for_each(|b| write_text_part(writer, &b.text, b.cache, marks));
        writer.close_array();
    } else {
        write_joined(writer, blocks.iter().map(|b| &b.text));
    }
    writer.close_object();
    None
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Last {
    Assistant,
    Other,
}

/// An assistant message and all that follows it up to the next one.
#[derive(Default)]
struct Turn<'r> {
    assistant: Option<Assistant<'r>>,
    /// Something of the user's side came, perhaps empty.
    answered: bool,
    results: Vec<(&'r ToolResult<'r>, Place)>,
    pieces: Vec<Piece<'r>>,
}

struct Conversation<'o, 't, 'r> {
    out: &'o mut Out<'t>,
    turn: Turn<'r>,
    last: Option<Last>,
}

impl<'r> Conversation<'_, '_, 'r> {
    fn push(&mut self, message: &'r Message<'r>, index: usize) -> Result<(), Unsupported> {
        match message.role {
            Role::Assistant => {
                if self.turn.answered {
                    self.flush()?;
                }
                self.turn.assistant.get_or_insert_default().add(self.out, &message.parts, index)
            }
            Role::User => {
                self.turn.answered = true;
                self.user(&message.parts, index)
            }
            Role::System => {
                self.turn.answered = true;
                self.system(&message.parts);
                Ok(())
            }
        }
    }

    fn user(&mut self, message: &'r [Part<'r>], index: usize) -> Result<(), Unsupported> {
        for (i, part) in message.iter().enumerate() {
            let at = Place { message: index, content: i, in_result: false };
            let Part::ToolResult(result) = part else {
                parts::push(self.out, part, at, &mut self.turn.pieces)?;
                continue;
            };
            if self.turn.assistant.as_ref().is_some_and(|a| a.ids.contains(result.id.escaped())) {
                self.turn.results.push((result, at));
            } else {
                results::orphan(self.out, result, at, &mut self.turn.pieces)?;
            }
        }
        Ok(())
    }

    fn system(&mut self, message: &'r [Part<'r>]) {
        let mut texts = message.iter().filter_map(|part| match part {
            Part::Text(t) if !t.text.is_empty() && !t.text.escaped().starts_with(ATTRIBUTION) => Some(t),
            _ => None,
        });
        let Some(first) = texts.next() else { return };
        let mut text = first.text.borrowed();
        let mut cache = first.cache;
        for more in texts {
            text.push(&PARAGRAPH);
            text.push(&more.text);
            cache = more.cache.or(cache);
        }
        let quirks = self.out.quirks();
        if quirks.mid_system == MidSystem::InPlace && !quirks.strict_alternation && system_role(self.out).is_some() {
            self.turn.pieces.push(Piece::System { text, cache });
            return;
        }
        self.out.change(ChangeKind::Moved, "system");
        let mut reminder = Text::plain("<system-reminder>\n");
        reminder.push(&text);
        reminder.push(&Text::literal("\\n</system-reminder>"));
        self.turn.pieces.push(Piece::Text { text: reminder, cache });
    }

    /// Writes the turn.
    fn flush(&mut self) -> Result<(), Unsupported> {
        let Turn { assistant, answered, results, pieces } = std::mem::take(&mut self.turn);
        let mut following = Vec::new();
        if let Some(assistant) = &assistant {
            if self.last.is_none() && self.out.quirks().strict_alternation {
                self.write_user(&[Piece::ours("(continue)")]);
            }
            assistant.write(self.out);
            // Of two results for one call the later one counts.
            let by_id: HashMap<&str, (&ToolResult<'_>, Place)> =
                results.iter().map(|(result, at)| (result.id.escaped(), (*result, *at))).collect();
            for call in &assistant.calls {
                let result = by_id.get(call.id.escaped()).copied();
                results::write(self.out, call, result, &mut following)?;
            }
            self.last = Some(if assistant.calls.is_empty() { Last::Assistant } else { Last::Other });
        }
        following.extend(pieces);
        if !following.is_empty() {
            self.write_following(&following);
        } else if answered && results.is_empty() {
            self.write_user(&[Piece::ours("(empty)")]);
        }
        Ok(())
    }

    fn end(mut self) -> Result<(), Unsupported> {
        self.flush()?;
        let quirks = self.out.quirks();
        if self.last == Some(Last::Assistant) && (!quirks.prefill || quirks.strict_alternation) {
            self.out.change(ChangeKind::Repaired, "prefill");
            self.write_user(&[Piece::ours("Continue.")]);
        }
        Ok(())
    }

    /// User messages, with system messages between them where those stay in place.
    fn write_following(&mut self, pieces: &[Piece<'r>]) {
        let is_system = |piece: &Piece<'_>| matches!(piece, Piece::System { .. });
        for run in pieces.chunk_by(|a, b| is_system(a) == is_system(b)) {
            let role = if is_system(&run[0]) { system_role(self.out).unwrap_or("user") } else { "user" };
            self.write_message(role, run);
        }
    }

    fn write_user(&mut self, pieces: &[Piece<'_>]) {
        self.write_message("user", pieces);
    }

    fn write_message(&mut self, role: &'static str, pieces: &[Piece<'_>]) {
        self.last = Some(Last::Other);
        let marks = self.out.marks();
        let writer = &mut self.out.writer;
        writer.open_object().key("role").text(&Text::literal(role)).key("content");
        write_pieces(writer, pieces, marks);
        writer.close_object();
    }
}
