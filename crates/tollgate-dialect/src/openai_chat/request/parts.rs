//! Content parts: text, media and what has to become text.

use base64::Engine as _;
use serde_json::Value;

use crate::error::{ChangeKind, Unsupported};
use crate::json::{Json, Text, Writer};
use crate::names::safe_tool_name;
use crate::request::{CacheMark, Media, MediaKind, Part, Source, TextPart};

use super::encode::Out;
use super::marks::Marks;

/// Between texts that become one.
pub const PARAGRAPH: Text<'static> = Text::literal("\\n\\n");

/// What a user message or a tool result is made of.
#[derive(Clone, Debug)]
pub enum Piece<'r> {
    Text {
        text: Text<'r>,
        cache: Option<CacheMark>,
    },
    Image {
        url: Url<'r>,
        detail: Option<Text<'r>>,
        cache: Option<CacheMark>,
    },
    File {
        name: Option<Text<'r>>,
        url: Url<'r>,
        cache: Option<CacheMark>,
    },
    Audio {
        data: Text<'r>,
        format: &'static str,
    },
    /// A system message in the middle, where the target takes one.
    System {
        text: Text<'r>,
        cache: Option<CacheMark>,
    },
}

#[derive(Clone, Debug)]
pub enum Url<'r> {
    Plain(Text<'r>),
    Data { media_type: Text<'r>, data: Text<'r> },
}

impl<'r> Piece<'r> {
    pub fn text(text: Text<'r>) -> Piece<'r> {
        Piece::Text { text, cache: None }
    }

    pub fn ours(text: &str) -> Piece<'static> {
        Piece::Text { text: Text::plain(text), cache: None }
    }

    fn cache(&mut self) -> Option<&mut Option<CacheMark>> {
        match self {
            Piece::Text { cache, .. }
            | Piece::Image { cache, .. }
            | Piece::File { cache, .. }
            | Piece::System { cache, .. } => Some(cache),
            Piece::Audio { .. } => None,
        }
    }
}

/// The mark of a block that became several pieces, or the last of theirs, is the last piece's.
pub fn mark_last(pieces: &mut [Piece<'_>], mark: Option<CacheMark>) {
    if let (Some(mark), Some(cache)) = (mark, pieces.last_mut().and_then(Piece::cache)) {
        *cache = Some(mark);
    }
}

/// Where a part stands, for messages to people.
#[derive(Clone, Copy)]
pub struct Place {
    pub message: usize,
    pub content: usize,
    /// Inside a tool result nothing is refused: the session has to go on.
    pub in_result: bool,
}

impl Place {
    fn unsupported(self, what: &str, out: &Out<'_>) -> Unsupported {
        let param = format!("messages.{}.content.{}", self.message, self.content);
        Unsupported::content(param, format!("{what} are not supported by {}", out.target.label))
    }

    /// A note in place of a part that cannot be sent; outside of tool results a refusal.
    fn omit<'r>(
        self,
        what: &str,
        field: &str,
        out: &mut Out<'_>,
        pieces: &mut Vec<Piece<'r>>,
    ) -> Result<(), Unsupported> {
        if !self.in_result {
            return Err(self.unsupported(what, out));
        }
        out.change(ChangeKind::Dropped, field);
        pieces.push(Piece::ours(&format!("[{field} omitted: {what} are not supported by this model]")));
        Ok(())
    }
}

/// Appends what a part becomes. Tool calls, results and thoughts are not parts of this kind and are left out.
pub fn push<'r>(
    out: &mut Out<'_>,
    part: &'r Part<'_>,
    at: Place,
    pieces: &mut Vec<Piece<'r>>,
) -> Result<(), Unsupported> {
    match part {
        Part::Text(text) => push_text(text, pieces),
        Part::Refusal(text) => pieces.push(Piece::text(text.borrowed())),
        Part::Media(media) => return push_media(out, media, at, pieces),
        Part::SearchResult { title, source, content, cache } => {
            let heading = Text::plain(&format!("Title: {}\nSource: {}\n\n", title.decode(), source.decode()));
            let mut text = heading;
            text.push(&Text::join(content.iter().map(|c| &c.text), &PARAGRAPH));
            pieces.push(Piece::Text { text, cache: *cache });
        }
        Part::ToolReference { name } => {
            let mut text = Text::plain("Tool available from now on: ");
            text.push(&safe_tool_name(name, out.quirks().tool_names));
            pieces.push(Piece::text(text));
        }
        Part::Server { kind, fields } => {
            out.change(ChangeKind::Textualised, &kind.decode());
            pieces.push(Piece::text(server_text(kind, fields)));
        }
        Part::Unknown { kind } => out.change(ChangeKind::Dropped, &kind.decode()),
        Part::Thinking(_) | Part::ToolCall(_) | Part::ToolResult(_) => {}
    }
    Ok(())
}

fn push_text<'r>(part: &'r TextPart<'_>, pieces: &mut Vec<Piece<'r>>) {
    if !part.text.is_empty() {
        pieces.push(Piece::Text { text: part.text.borrowed(), cache: part.cache });
    }
}

/// What a provider's own tool left behind, without the parts that only that provider can read.
pub fn server_text(kind: &Text<'_>, fields: &Json<'_>) -> Text<'static> {
    let mut value = fields.to_value();
    strip_opaque(&mut value);
    Text::plain(&format!("[{}] {value}", kind.decode()))
}

fn strip_opaque(value: &mut Value) {
    match value {
        Value::Object(map) => {
            for key in ["type", "encrypted_content", "encrypted_index", "signature", "cache_control", "caller"] {
                map.shift_remove(key);
            }
            map.values_mut().for_each(strip_opaque);
        }
        Value::Array(list) => list.iter_mut().for_each(strip_opaque),
        _ => {}
    }
}

fn push_media<'r>(
    out: &mut Out<'_>,
    media: &'r Media<'_>,
    at: Place,
    pieces: &mut Vec<Piece<'r>>,
) -> Result<(), Unsupported> {
    let (name, detail, cache) = (media.name.as_ref(), media.detail.as_ref(), media.cache);
    let url = match &media.source {
        Source::File(_) => return at.omit("files kept by another provider (`file_id`)", "file_id", out, pieces),
        Source::Text(data) => {
            let mut text = heading(media);
            text.push(data);
            pieces.push(Piece::Text { text, cache });
            return Ok(());
        }
        Source::Blocks(parts) => {
            let heading = heading(media);
            // The paragraphs that follow are set apart where they are joined.
            if let Some(line) = heading.escaped().strip_suffix("\\n\\n") {
                pieces.push(Piece::text(Text::of_token(&format!("\"{line}\"")).unwrap_or_default().into_owned()));
            }
            parts.iter().try_for_each(|part| push(out, part, at, pieces))?;
            mark_last(pieces, cache);
            return Ok(());
        }
        Source::Base64 { media_type, data } => Url::Data { media_type: media_type.borrowed(), data: data.borrowed() },
        Source::Url(url) => Url::Plain(url.borrowed()),
    };
    match (media.kind, url) {
        (MediaKind::Image, _) if !out.quirks().images => {
            out.change(ChangeKind::Dropped, "image");
            let text = Text::literal("[image omitted: this model does not take images]");
            pieces.push(Piece::Text { text, cache });
        }
        (MediaKind::Image, url) => pieces.push(Piece::Image { url, detail: detail.map(Text::borrowed), cache }),
        (MediaKind::Document, Url::Data { media_type, data }) if media_type.escaped().starts_with("text/") => {
            let decoded = base64::engine::general_purpose::STANDARD.decode(data.escaped()).unwrap_or_default();
            let mut text = heading(media);
            text.push(&Text::plain(&String::from_utf8_lossy(&decoded)));
            pieces.push(Piece::Text { text, cache });
        }
        (MediaKind::Document, url) if out.files => {
            pieces.push(Piece::File { name: name.map(Text::borrowed), url, cache });
        }
        (MediaKind::Document, Url::Data { media_type, .. }) if media_type.escaped() != "application/pdf" => {
            return at.omit(&format!("documents of type {}", media_type.decode()), "document", out, pieces);
        }
        (MediaKind::Document, _) => return at.omit("PDF documents", "document", out, pieces),
        (MediaKind::Audio, Url::Data { media_type, data }) => {
            let format = if media_type.escaped().contains("wav") { "wav" } else { "mp3" };
            pieces.push(Piece::Audio { data, format });
        }
        (MediaKind::Audio, Url::Plain(_)) => return at.omit("audio files by URL", "audio", out, pieces),
        (MediaKind::Video, _) => return at.omit("videos", "video", out, pieces),
    }
    Ok(())
}

/// What is known about a document whose text follows.
pub fn heading(media: &Media<'_>) -> Text<'static> {
    let mut heading = Text::EMPTY;
    for (label, value) in [("Document: ", &media.name), ("Context: ", &media.context)] {
        if let Some(value) = value {
            heading.push(&Text::literal(label));
            heading.push(value);
            heading.push(&Text::literal("\\n"));
        }
    }
    if !heading.is_empty() {
        heading.push(&Text::literal("\\n"));
    }
    heading
}

/// One text for several: separated by a blank line, directly into the body.
pub fn write_joined<'p>(writer: &mut Writer, texts: impl IntoIterator<Item = &'p Text<'p>>) {
    // An empty token first lets the writer place its comma; its closing quote is taken back.
    writer.text(&Text::EMPTY).out.pop();
    for (i, text) in texts.into_iter().enumerate() {
        if i > 0 {
            writer.out.extend_from_slice(b"\\n\\n");
        }
        writer.out.extend_from_slice(text.escaped().as_bytes());
    }
    writer.out.push(b'"');
}

pub fn texts<'p, 'r>(pieces: &'p [Piece<'r>]) -> impl Iterator<Item = &'p Text<'r>> {
    pieces.iter().filter_map(|piece| match piece {
        Piece::Text { text, .. } | Piece::System { text, .. } => Some(text),
        _ => None,
    })
}

/// One string where all is text, else parts in their order. Where marks are kept it is always parts, marked or not: a mark
/// that moves on must leave the bytes around it as they were.
pub fn write_pieces(writer: &mut Writer, pieces: &[Piece<'_>], marks: Marks) {
    if !marks.are_kept() && pieces.iter().all(|p| matches!(p, Piece::Text { .. } | Piece::System { .. })) {
        write_joined(writer, texts(pieces));
        return;
    }
    writer.open_array();
    pieces.iter().for_each(|piece| write_part(writer, piece, marks));
    writer.close_array();
}

/// Writes one content part; marks only where the target understands them.
pub fn write_part(writer: &mut Writer, piece: &Piece<'_>, marks: Marks) {
    let cache = match piece {
        Piece::Text { text, cache } | Piece::System { text, cache } => {
            return write_text_part(writer, text, *cache, marks);
        }
        Piece::Image { url, detail, cache } => {
            writer.open_object().key("type").text(&Text::literal("image_url"));
            writer.key("image_url").open_object().key("url");
            write_url(writer, url);
            if let Some(detail) = detail {
                writer.key("detail").text(&known_detail(detail));
            }
            writer.close_object();
            cache
        }
        Piece::File { name, url, cache } => {
            writer.open_object().key("type").text(&Text::literal("file"));
            writer.key("file").open_object().key("filename");
            writer.text(name.as_ref().unwrap_or(&Text::literal("document.pdf"))).key("file_data");
            write_url(writer, url);
            writer.close_object();
            cache
        }
        Piece::Audio { data, format } => {
            writer.open_object().key("type").text(&Text::literal("input_audio"));
            writer.key("input_audio").open_object().key("data").text(data).key("format").str(format).close_object();
            &None
        }
    };
    marks.write(writer, *cache);
    writer.close_object();
}

/// Chat has no `original`, which Responses has.
fn known_detail<'r>(detail: &'r Text<'_>) -> Text<'r> {
    if detail.escaped() == "original" { Text::literal("high") } else { detail.borrowed() }
}

pub fn write_text_part(writer: &mut Writer, text: &Text<'_>, cache: Option<CacheMark>, marks: Marks) {
    writer.open_object().key("type").text(&Text::literal("text")).key("text").text(text);
    marks.write(writer, cache);
    writer.close_object();
}

pub fn write_url(writer: &mut Writer, url: &Url<'_>) {
    match url {
        Url::Plain(url) => {
            writer.text(url);
        }
        Url::Data { media_type, data } => {
            writer.text(&Text::literal("data:")).out.pop();
            for piece in [media_type.escaped(), ";base64,", data.escaped()] {
                writer.out.extend_from_slice(piece.as_bytes());
            }
            writer.out.push(b'"');
        }
    }
}
