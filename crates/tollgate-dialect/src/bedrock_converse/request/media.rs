//! What parts become: texts, images and documents.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::error::{ChangeKind, Unsupported};
use crate::json::Text;
use crate::names::safe_tool_name;
use crate::openai_chat::request::parts::{PARAGRAPH, about, heading, server_text};
use crate::request::{CacheMark, Media, MediaKind, Part, Source, ToolResult};

use super::documents::format_of;
use super::encode::Out;

/// A block of a message or of a tool result.
pub enum Piece<'r> {
    Text(Text<'r>),
    Image {
        format: &'static str,
        data: Text<'r>,
    },
    Document {
        format: &'static str,
        name: Option<&'r Text<'r>>,
        data: Text<'r>,
    },
    /// Behind the block that it closes.
    Mark(CacheMark),
}

/// Where a part stands, for messages to people. Inside a tool result nothing is refused: the session has to go on.
#[derive(Clone, Copy)]
pub struct Place {
    pub message: usize,
    pub content: usize,
    pub in_result: bool,
}

/// Appends what a part becomes. Calls, results and thoughts become nothing here.
pub fn push<'r>(
    out: &mut Out<'_>,
    part: &'r Part<'r>,
    at: Place,
    pieces: &mut Vec<Piece<'r>>,
) -> Result<(), Unsupported> {
    let before = pieces.len();
    let cache = match part {
        Part::Text(text) => {
            push_text(text.text.borrowed(), pieces);
            text.cache
        }
        Part::Media(media) => {
            push_media(out, media, at, pieces)?;
            media.cache
        }
        Part::SearchResult { title, source, content, cited, cache } => {
            if *cited {
                out.change(ChangeKind::Dropped, "citations");
            }
            out.change(ChangeKind::Textualised, "search_result");
            let mut text = Text::plain(&format!("Title: {}\nSource: {}\n\n", title.decode(), source.decode()));
            text.push(&Text::join(content.iter().map(|c| &c.text), &PARAGRAPH));
            pieces.push(Piece::Text(text));
            *cache
        }
        Part::Refusal(text) => {
            push_text(text.borrowed(), pieces);
            None
        }
        Part::ToolReference { name } => {
            out.change(ChangeKind::Textualised, "tool_reference");
            let mut text = Text::literal("Tool available from now on: ");
            text.push(&safe_tool_name(name, out.quirks().tool_names));
            pieces.push(Piece::Text(text));
            None
        }
        Part::Server { kind, fields } => {
            out.change(ChangeKind::Textualised, &kind.decode());
            pieces.push(Piece::Text(server_text(kind, fields)));
            None
        }
        Part::Unknown { kind } => {
            out.change(ChangeKind::Dropped, &kind.decode());
            None
        }
        Part::Thinking(_) | Part::ToolCall(_) | Part::ToolResult(_) => None,
    };
    if pieces.len() > before {
        pieces.extend(cache.map(Piece::Mark));
    }
    Ok(())
}

/// Blank text is refused.
fn push_text<'r>(text: Text<'r>, pieces: &mut Vec<Piece<'r>>) {
    if !text.is_blank() {
        pieces.push(Piece::Text(text));
    }
}

/// The result of a call that is not part of the conversation.
pub fn orphan<'r>(
    out: &mut Out<'_>,
    result: &'r ToolResult<'r>,
    pieces: &mut Vec<Piece<'r>>,
) -> Result<(), Unsupported> {
    let mut tag = Text::literal("[result of an earlier tool call ");
    tag.push(&result.id);
    tag.push(&Text::literal("]"));
    pieces.push(Piece::Text(tag));
    let at = Place { message: 0, content: 0, in_result: true };
    result.content.iter().try_for_each(|part| match part {
        Part::Media(lost) => {
            out.change(ChangeKind::Dropped, lost.kind.name());
            Ok(())
        }
        part => push(out, part, at, pieces),
    })
}

fn push_media<'r>(
    out: &mut Out<'_>,
    media: &'r Media<'r>,
    at: Place,
    pieces: &mut Vec<Piece<'r>>,
) -> Result<(), Unsupported> {
    if media.kind == MediaKind::Image && !out.quirks().images {
        out.change(ChangeKind::Dropped, "image");
        pieces.push(Piece::Text(Text::literal("[image omitted: this model does not take images]")));
        return Ok(());
    }
    if media.cited {
        out.change(ChangeKind::Dropped, "citations");
    }
    if media.wants_detail() {
        out.change(ChangeKind::Dropped, "detail");
    }
    match &media.source {
        Source::Base64 { media_type, data } => binary(out, media, media_type.borrowed(), data.borrowed(), at, pieces),
        Source::Url(url) => match of_data_url(url) {
            Some((media_type, data)) => binary(out, media, media_type, data, at, pieces),
            None => omit(out, at, "files by URL", media.kind.name(), "send the content", pieces),
        },
        Source::File(_) => {
            omit(out, at, "files kept by another provider (`file_id`)", "file_id", "send the content", pieces)
        }
        Source::Text(text) => {
            plain(out, media, text.borrowed(), pieces);
            Ok(())
        }
        Source::Blocks(parts) => {
            let texts = parts.iter().filter_map(|part| match part {
                Part::Text(text) => Some(&text.text),
                _ => None,
            });
            plain(out, media, Text::join(texts, &PARAGRAPH), pieces);
            parts.iter().try_for_each(|part| match part {
                Part::Media(inner) => push_media(out, inner, at, pieces),
                _ => Ok(()),
            })
        }
    }
}

/// A document of text; text where the model takes no documents.
fn plain<'r>(out: &mut Out<'_>, media: &'r Media<'r>, text: Text<'r>, pieces: &mut Vec<Piece<'r>>) {
    if text.is_blank() {
        return;
    }
    if out.quirks().pdf {
        let data = Text::plain(&STANDARD.encode(text.decode().as_bytes()));
        with_context(out, media, pieces);
        pieces.push(Piece::Document { format: "txt", name: media.name.as_ref(), data });
    } else {
        out.change(ChangeKind::Textualised, "document");
        let mut whole = heading(media);
        whole.push(&text);
        pieces.push(Piece::Text(whole));
    }
}

/// What the sender says about a document has no field.
fn with_context<'r>(out: &mut Out<'_>, media: &'r Media<'r>, pieces: &mut Vec<Piece<'r>>) {
    if let Some(text) = about(media) {
        out.change(ChangeKind::Textualised, "context");
        pieces.push(Piece::Text(text));
    }
}

fn binary<'r>(
    out: &mut Out<'_>,
    media: &'r Media<'r>,
    media_type: Text<'r>,
    data: Text<'r>,
    at: Place,
    pieces: &mut Vec<Piece<'r>>,
) -> Result<(), Unsupported> {
    let media_type = media_type.decode().to_ascii_lowercase();
    match media.kind {
        MediaKind::Image => match image_format(&media_type) {
            Some(format) => pieces.push(Piece::Image { format, data }),
            None => return omit(out, at, &format!("images of type {media_type}"), "image", "send PNG or JPEG", pieces),
        },
        MediaKind::Document if !out.quirks().pdf && media_type.starts_with("text/") => {
            let decoded = STANDARD.decode(data.escaped()).unwrap_or_default();
            plain(out, media, Text::plain(&String::from_utf8_lossy(&decoded)), pieces);
        }
        MediaKind::Document => match format_of(&media_type).filter(|_| out.quirks().pdf) {
            Some(format) => {
                with_context(out, media, pieces);
                pieces.push(Piece::Document { format, name: media.name.as_ref(), data });
            }
            None => {
                return omit(out, at, &format!("documents of type {media_type}"), "document", "send its text", pieces);
            }
        },
        MediaKind::Audio => return omit(out, at, "audio inputs", "audio", "send its text", pieces),
        MediaKind::Video => return omit(out, at, "video inputs", "video", "send its text", pieces),
    }
    Ok(())
}

fn image_format(media_type: &str) -> Option<&'static str> {
    Some(match media_type {
        "image/png" => "png",
        "image/jpeg" | "image/jpg" => "jpeg",
        "image/gif" => "gif",
        "image/webp" => "webp",
        _ => return None,
    })
}

/// `data:image/png;base64,…`
fn of_data_url(url: &Text<'_>) -> Option<(Text<'static>, Text<'static>)> {
    let url = url.decode();
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let media_type = head.strip_suffix(";base64")?.split(';').next()?;
    Some((Text::plain(media_type), Text::plain(data)))
}

/// A note in place of what cannot be sent; outside of tool results a refusal.
fn omit<'r>(
    out: &mut Out<'_>,
    at: Place,
    what: &str,
    field: &str,
    cure: &str,
    pieces: &mut Vec<Piece<'r>>,
) -> Result<(), Unsupported> {
    if !at.in_result {
        let param = format!("messages.{}.content.{}", at.message, at.content);
        return Err(Unsupported::content(param, format!("{what} are not supported by {}; {cure}", out.target.label)));
    }
    out.change(ChangeKind::Dropped, field);
    pieces.push(Piece::Text(Text::plain(&format!("[{field} omitted: {what} are not supported by this model]"))));
    Ok(())
}
