//! Tool results: one `tool` message for each call, in the order of the calls.

use crate::error::{ChangeKind, Unsupported};
use crate::json::Text;
use crate::names::safe_id;
use crate::openai_chat::request::encode::Out;
use crate::openai_chat::request::marks::Marks;
use crate::openai_chat::request::parts::{self, PARAGRAPH, Piece, Place, texts, write_pieces};
use crate::request::{ToolCall, ToolResult};

const NO_RESULT: Text<'static> = Text::literal("No result was recorded for this call.");
/// Chat has no field for it.
const FAILED: Text<'static> = Text::literal("Error: ");

/// Writes the message that answers `call`. What it cannot hold is added to the user message that follows.
pub fn write<'r>(
    out: &mut Out<'_>,
    call: &ToolCall<'_>,
    result: Option<(&'r ToolResult<'r>, Place)>,
    following: &mut Vec<Piece<'r>>,
) -> Result<(), Unsupported> {
    let id = safe_id(out.quirks().tool_ids, &call.id);
    let mut pieces = match result {
        Some((result, at)) => content(out, result, at)?,
        None => {
            out.change(ChangeKind::Repaired, "missing_tool_result");
            vec![Piece::text(NO_RESULT)]
        }
    };
    if !out.quirks().media_in_tool_result {
        move_media(out, &id, &mut pieces, following);
    }
    if pieces.is_empty()
        && let Some(filler) = &out.quirks().empty_result
    {
        pieces.push(Piece::Text { text: Text::plain(filler), cache: result.and_then(|(result, _)| result.cache) });
    }
    // Nothing is a string: an empty text part is refused by those who know marks.
    let marks = if pieces.is_empty() { Marks::None } else { out.marks() };
    if marks.are_kept() && pieces.iter().all(|p| matches!(p, Piece::Text { .. })) {
        pieces = vec![joined(&pieces)];
    }
    let writer = &mut out.writer;
    writer.open_object().key("role").text(&Text::literal("tool")).key("tool_call_id").text(&id).key("content");
    write_pieces(writer, &pieces, marks);
    writer.close_object();
    Ok(())
}

/// One text, as the result of a call is; the last mark in it is at its end.
fn joined(pieces: &[Piece<'_>]) -> Piece<'static> {
    let cache = pieces.iter().rev().find_map(|piece| if let Piece::Text { cache, .. } = piece { *cache } else { None });
    Piece::Text { text: Text::join(texts(pieces), &PARAGRAPH), cache }
}

fn content<'r>(out: &mut Out<'_>, result: &'r ToolResult<'r>, at: Place) -> Result<Vec<Piece<'r>>, Unsupported> {
    let mut pieces = Vec::new();
    for part in &result.content {
        parts::push(out, part, Place { in_result: true, ..at }, &mut pieces)?;
    }
    if result.is_error {
        out.change(ChangeKind::Textualised, "is_error");
        match pieces.first_mut() {
            Some(Piece::Text { text, .. }) => {
                let mut marked = FAILED;
                marked.push(text);
                *text = marked;
            }
            _ => pieces.insert(0, Piece::text(FAILED)),
        }
    }
    parts::mark_last(&mut pieces, result.cache);
    Ok(pieces)
}

/// A result whose call is not in the message before it: no server would take it as a `tool` message.
pub fn orphan<'r>(
    out: &mut Out<'_>,
    result: &'r ToolResult<'r>,
    at: Place,
    pieces: &mut Vec<Piece<'r>>,
) -> Result<(), Unsupported> {
    out.change(ChangeKind::Repaired, "orphan_tool_result");
    pieces.push(Piece::text(tagged("[result of an earlier tool call ", &result.id)));
    pieces.extend(content(out, result, at)?);
    Ok(())
}

/// A `tool` message takes text only: media goes into the user message behind the turn's results, with the call's id.
fn move_media<'r>(out: &mut Out<'_>, id: &Text<'_>, pieces: &mut [Piece<'r>], following: &mut Vec<Piece<'r>>) {
    for piece in pieces {
        let kind = match piece {
            Piece::Image { .. } => "image",
            Piece::File { .. } => "document",
            Piece::Audio { .. } => "audio",
            Piece::Text { .. } | Piece::System { .. } => continue,
        };
        out.change(ChangeKind::Moved, kind);
        let note = Piece::ours(&format!("[{kind}: see the next user message]"));
        following.push(Piece::text(tagged(&format!("[{kind} from tool result "), id)));
        following.push(std::mem::replace(piece, note));
    }
}

fn tagged(lead: &str, id: &Text<'_>) -> Text<'static> {
    let mut tag = Text::plain(lead);
    tag.push(id);
    tag.push(&Text::literal("]"));
    tag
}
