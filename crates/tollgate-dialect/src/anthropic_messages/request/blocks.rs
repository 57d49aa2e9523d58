//! Canonical parts as content blocks.

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use crate::Target;
use crate::anthropic_messages::wire::{is_server_block, parse, write_cache};
use crate::error::{Change, ChangeKind, Unsupported};
use crate::json::{Text, Writer};
use crate::names::safe_tool_name;
use crate::request::{CacheMark, Media, MediaKind, Part, Role, Source, TextPart, Thinking, ToolInput, ToolResult};

use crate::scan::Cursor;

use super::encode::mark;
use super::turns::{Item, Thoughts, Turn, trimmed};

pub struct Blocks<'t> {
    pub w: Writer,
    pub target: &'t Target<'t>,
    pub thoughts: Thoughts,
    pub changes: Vec<Change>,
    /// Blocks written into the array that is open.
    written: usize,
}

type Written = Result<(), Unsupported>;

impl<'t> Blocks<'t> {
    pub fn new(w: Writer, target: &'t Target<'t>, thoughts: Thoughts, changes: Vec<Change>) -> Self {
        Blocks { w, target, thoughts, changes, written: 0 }
    }

    pub fn turn(&mut self, turn: &Turn<'_>) -> Written {
        let role = match turn.role {
            Role::User => r#""user""#,
            Role::Assistant => r#""assistant""#,
            Role::System => r#""system""#,
        };
        self.w.open_object().key("role").raw(role).key("content").open_array();
        self.written = 0;
        let mut attached = Vec::new();
        for item in &turn.items {
            if !matches!(item, Item::Result { .. } | Item::Missing { .. }) {
                self.attachments(&mut attached)?;
            }
            self.item(item, turn.role, &mut attached)?;
        }
        self.attachments(&mut attached)?;
        if self.written == 0 {
            self.text(&Text::literal("(empty)"), None);
        }
        self.w.close_array().close_object();
        Ok(())
    }

    fn item<'r>(&mut self, item: &Item<'r>, role: Role, attached: &mut Vec<Attached<'r>>) -> Written {
        match item {
            Item::Part { part, message, index } => self.part(part, role, &Place { message: *message, index: *index }),
            Item::Prefill(text) => {
                self.text(&trimmed(&text.text), text.cache);
                Ok(())
            }
            Item::Reminder(text) => {
                self.note(Change::new(ChangeKind::Moved, "system"));
                let lines =
                    [Text::literal("<system-reminder>"), text.text.borrowed(), Text::literal("</system-reminder>")];
                self.text(&Text::join(&lines, &Text::literal(r"\n")), text.cache);
                Ok(())
            }
            Item::Call { call, id } => {
                let name = safe_tool_name(&call.name, self.target.quirks.tool_names);
                self.open("tool_use")
                    .key("id")
                    .text(id)
                    .key("name")
                    .text(&name)
                    .key("input")
                    .raw(&input_of(&call.input));
                self.close(call.cache);
                Ok(())
            }
            Item::Result { result, id, message, index } => {
                self.result(result, id, &Place { message: *message, index: *index }, attached)
            }
            Item::Missing { id } => {
                self.open("tool_result").key("tool_use_id").text(id);
                self.w.key("content").raw(r#""(the result of this tool call is missing)""#).key("is_error").bool(true);
                self.close(None);
                Ok(())
            }
            Item::Orphan { result } => {
                self.orphan(result);
                Ok(())
            }
            Item::Filler(text) => {
                self.open("thinking").key("thinking").str(text).key("signature").raw(r#""""#);
                self.close(None);
                Ok(())
            }
            Item::Note(text) => {
                self.text(&Text::literal(text), None);
                Ok(())
            }
        }
    }

    fn part(&mut self, part: &Part<'_>, role: Role, place: &Place) -> Written {
        match part {
            Part::Text(text) => self.text(&text.text, text.cache),
            Part::Refusal(text) if !blank(text) => self.text(text, None),
            Part::Refusal(_) => {}
            Part::Media(media) if role == Role::User => self.media(media, place)?,
            Part::Media(_) => self.note(Change::dropped("assistant.media")),
            Part::Thinking(thinking) => self.thinking(thinking),
            Part::SearchResult { title, source, content, cited, cache } => {
                self.search_result(title, source, content, *cited, *cache);
            }
            Part::ToolReference { name } => self.tool_reference(name),
            Part::Server { kind, fields } if self.genuine() && is_server_block(kind.escaped()) => {
                self.w.json(fields);
                self.written += 1;
            }
            Part::Server { kind, fields } => {
                self.note(Change::new(ChangeKind::Textualised, kind.decode()));
                self.text(&Text::plain(&format!("[{}] {}", kind.decode(), fields.get())), None);
            }
            Part::Unknown { kind } => self.note(Change::dropped(kind.decode())),
            Part::ToolResult(result) => self.orphan(result),
            Part::ToolCall(_) => self.note(Change::dropped("tool_use")),
        }
        Ok(())
    }

    pub fn text(&mut self, text: &Text<'_>, cache: Option<CacheMark>) {
        self.open("text").key("text").text(text);
        self.close(cache);
    }

    fn thinking(&mut self, thinking: &Thinking<'_>) {
        match (self.thoughts, &thinking.signature) {
            (Thoughts::Signed, Some(data)) if thinking.redacted => {
                self.open("redacted_thinking").key("data").text(data);
                self.close(None);
            }
            (Thoughts::Signed, Some(signature)) => {
                self.open("thinking").key("thinking").text(&thinking.text).key("signature").text(signature);
                self.close(None);
            }
            (Thoughts::Unsigned, _) => {
                self.open("thinking").key("thinking").text(&thinking.text).key("signature").raw(r#""""#);
                self.close(None);
            }
            _ => {}
        }
    }

    fn media(&mut self, media: &Media<'_>, place: &Place) -> Written {
        let refuse = |what: &str| {
            let message = format!("{what} input is not supported by {}", self.target.label);
            Err(Unsupported::content(place.to_string(), message))
        };
        if media.wants_detail() {
            self.note(Change::dropped("detail"));
        }
        let kind = match media.kind {
            MediaKind::Image if !self.target.quirks.images => {
                self.note(Change::dropped("image"));
                self.text(&Text::literal("[image left out: this model takes no images]"), media.cache);
                return Ok(());
            }
            MediaKind::Image => "image",
            MediaKind::Document => "document",
            MediaKind::Audio => return refuse("audio"),
            MediaKind::Video => return refuse("video"),
        };
        let source = match &media.source {
            Source::Url(url) => data_url(url).map_or(Cow::Borrowed(&media.source), Cow::Owned),
            source => Cow::Borrowed(source),
        };
        if let (MediaKind::Document, Source::Base64 { media_type, data }) = (media.kind, &*source)
            && media_type.escaped() != "application/pdf"
        {
            let plain = STANDARD.decode(data.escaped()).ok().and_then(|bytes| String::from_utf8(bytes).ok());
            let Some(plain) = plain.filter(|_| is_textual(media_type.escaped())) else {
                return refuse(&media_type.decode());
            };
            self.document_head();
            self.w.open_object().key("type").raw(r#""text""#).key("media_type").raw(r#""text/plain""#);
            self.w.key("data").str(&plain).close_object();
        } else {
            if kind == "image" {
                self.open(kind).key("source")
            } else {
                self.document_head()
            };
            self.source(&source, place)?;
        }
        if kind == "document" {
            for (key, value) in [("title", &media.name), ("context", &media.context)] {
                if let Some(value) = value {
                    self.w.key(key).text(value);
                }
            }
            self.citations(media.cited);
        }
        self.close(media.cache);
        Ok(())
    }

    fn citations(&mut self, wanted: bool) {
        if wanted && self.genuine() {
            self.w.key("citations").raw(r#"{"enabled":true}"#);
        } else if wanted {
            self.note(Change::dropped("citations"));
        }
    }

    fn document_head(&mut self) -> &mut Writer {
        self.open("document").key("source")
    }

    fn source(&mut self, source: &Source<'_>, place: &Place) -> Written {
        let w = &mut self.w;
        match source {
            Source::Base64 { media_type, data } => {
                let media_type = if media_type.escaped() == "image/jpg" { "image/jpeg" } else { media_type.escaped() };
                w.open_object().key("type").raw(r#""base64""#).key("media_type").text(&Text::plain(media_type));
                w.key("data").text(data).close_object();
            }
            Source::Url(url) => _ = w.open_object().key("type").raw(r#""url""#).key("url").text(url).close_object(),
            Source::Text(text) => {
                w.open_object().key("type").raw(r#""text""#).key("media_type").raw(r#""text/plain""#);
                w.key("data").text(text).close_object();
            }
            Source::Blocks(parts) => {
                w.open_object().key("type").raw(r#""content""#).key("content").open_array();
                let outer = std::mem::take(&mut self.written);
                for part in parts {
                    if let Part::Text(_) | Part::Media(_) = part {
                        self.part(part, Role::User, place)?;
                    }
                }
                self.written = outer;
                self.w.close_array().close_object();
            }
            Source::File(_) => {
                let message = format!(
                    "a file kept by another provider cannot be read by {}; send its content",
                    self.target.label
                );
                return Err(Unsupported::content(place.to_string(), message));
            }
        }
        Ok(())
    }

    fn result<'r>(
        &mut self,
        result: &'r ToolResult<'r>,
        id: &Text<'_>,
        place: &Place,
        attached: &mut Vec<Attached<'r>>,
    ) -> Written {
        self.open("tool_result").key("tool_use_id").text(id);
        let outer = self.written;
        let parts: Vec<&Part<'_>> =
            result.content.iter().filter(|p| !matches!(p, Part::Text(t) if blank(&t.text))).collect();
        match (&parts[..], &self.target.quirks.empty_result) {
            ([], None) => {}
            ([], Some(filler)) => _ = self.w.key("content").str(filler),
            ([Part::Text(TextPart { text, cache: None })], _) => _ = self.w.key("content").text(text),
            (parts, _) => {
                self.w.key("content").open_array();
                for part in parts {
                    match part {
                        Part::Media(media) if !self.target.quirks.messages.media_in_tool_result => {
                            let what = media.kind.name();
                            self.note(Change::new(ChangeKind::Moved, what));
                            self.text(&Text::plain(&format!("[{what} attached below]")), None);
                            attached.push(Attached { id: id.decode().into_owned(), media, place: *place });
                        }
                        part => self.part(part, Role::User, place)?,
                    }
                }
                self.w.close_array();
            }
        }
        self.written = outer;
        if result.is_error {
            self.w.key("is_error").bool(true);
        }
        self.close(result.cache);
        Ok(())
    }

    /// Media of tool results, for targets that take none there: behind all results, each with the id of its call.
    fn attachments(&mut self, attached: &mut Vec<Attached<'_>>) -> Written {
        for Attached { id, media, place } in attached.drain(..) {
            self.text(&Text::plain(&format!("[attachment of the result of tool call {id}]")), None);
            self.media(media, &place)?;
        }
        Ok(())
    }

    fn orphan(&mut self, result: &ToolResult<'_>) {
        let mut text = format!("[result of tool call {}, which is not part of this conversation]", result.id.decode());
        for part in &result.content {
            match part {
                Part::Text(t) => {
                    text.push('\n');
                    text.push_str(&t.text.decode());
                }
                Part::Media(lost) => self.note(Change::dropped(lost.kind.name())),
                _ => {}
            }
        }
        self.text(&Text::plain(&text), result.cache);
    }

    fn search_result(
        &mut self,
        title: &Text<'_>,
        source: &Text<'_>,
        content: &[TextPart<'_>],
        cited: bool,
        cache: Option<CacheMark>,
    ) {
        if self.genuine() {
            self.open("search_result").key("source").text(source).key("title").text(title).key("content").open_array();
            let outer = self.written;
            for text in content.iter().filter(|t| !blank(&t.text)) {
                self.text(&text.text, text.cache);
            }
            self.written = outer;
            self.w.close_array();
            self.citations(cited);
            self.close(cache);
        } else {
            self.note(Change::new(ChangeKind::Textualised, "search_result"));
            let lines = [title, source].into_iter().chain(content.iter().map(|t| &t.text));
            self.text(&Text::join(lines, &Text::literal(r"\n")), cache);
        }
    }

    fn tool_reference(&mut self, name: &Text<'_>) {
        if self.genuine() {
            self.open("tool_reference").key("tool_name").text(name);
            self.close(None);
        } else {
            self.note(Change::new(ChangeKind::Textualised, "tool_reference"));
            self.text(&Text::plain(&format!("The tool {} is now available.", name.decode())), None);
        }
    }

    fn open(&mut self, kind: &str) -> &mut Writer {
        self.written += 1;
        self.w.open_object().key("type").str(kind)
    }

    fn close(&mut self, cache: Option<CacheMark>) {
        write_cache(&mut self.w, mark(cache, self.target));
        self.w.close_object();
    }

    fn genuine(&self) -> bool {
        self.target.quirks.messages.genuine
    }

    fn note(&mut self, change: Change) {
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }
}

struct Attached<'r> {
    id: String,
    media: &'r Media<'r>,
    place: Place,
}

#[derive(Clone, Copy)]
struct Place {
    message: usize,
    index: usize,
}

impl std::fmt::Display for Place {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "messages.{}.content.{}", self.message, self.index)
    }
}

/// Anthropic refuses text that is only white space. Looks further than the first byte only where it must.
pub fn blank(text: &Text<'_>) -> bool {
    text.escaped().bytes().next().is_none_or(|b| matches!(b, b' ' | b'\\' | 0x80..)) && text.is_blank()
}

/// `data:image/png;base64,…`
fn data_url(url: &Text<'_>) -> Option<Source<'static>> {
    let url = url.decode();
    let (head, data) = url.strip_prefix("data:")?.split_once(',')?;
    let media_type = head.strip_suffix(";base64")?.split(';').next()?;
    Some(Source::Base64 { media_type: Text::plain(media_type), data: Text::plain(data) })
}

fn is_textual(media_type: &str) -> bool {
    media_type.starts_with("text/") || matches!(media_type, "application/json" | "application/xml" | "application/yaml")
}

/// A call's input as an object, whatever it was.
pub fn input_of<'i>(input: &'i ToolInput<'i>) -> Cow<'i, str> {
    match input {
        ToolInput::Object(json) if json.is_object() => Cow::Borrowed(json.get()),
        ToolInput::Object(json) => as_object(json.get()),
        ToolInput::Arguments(text) => Cow::Owned(arguments_of(&text.decode()).into_owned()),
        ToolInput::Freeform(text) => {
            let mut w = Writer::default();
            w.open_object().key("input").text(text).close_object();
            Cow::Owned(finished(w))
        }
    }
}

/// The JSON of a tool's input as one object: empty is no input, a string that holds an object is that object, and what
/// cannot be read is kept as it is.
pub fn arguments_of(arguments: &str) -> Cow<'_, str> {
    let arguments = arguments.trim();
    if matches!(arguments, "" | "null" | "\"\"") {
        return Cow::Borrowed("{}");
    }
    if !is_json(arguments) {
        let mut w = Writer::default();
        w.open_object().key("_raw").str(arguments).close_object();
        return Cow::Owned(finished(w));
    }
    if arguments.starts_with('"')
        && let Ok(inner) = serde_json::from_str::<String>(arguments)
        && inner.trim_start().starts_with('{')
        && is_json(&inner)
    {
        return Cow::Owned(inner.trim().to_string());
    }
    as_object(arguments)
}

/// Whether [`arguments_of`] can read it.
pub fn is_input(arguments: &str) -> bool {
    let arguments = arguments.trim();
    arguments.is_empty() || is_json(arguments)
}

fn is_json(text: &str) -> bool {
    parse(text, Cursor::value).is_ok()
}

fn as_object(json: &str) -> Cow<'_, str> {
    if json.starts_with('{') {
        return Cow::Borrowed(json);
    }
    let mut w = Writer::default();
    w.open_object().key("value").raw(json).close_object();
    Cow::Owned(finished(w))
}

fn finished(w: Writer) -> String {
    String::from_utf8(w.out).expect("only whole strings were written")
}
