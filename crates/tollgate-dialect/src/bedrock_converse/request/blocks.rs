//! Turns as messages: every block under the constraints that the service checks.

use crate::anthropic_messages::request::input_of;
use crate::anthropic_messages::request::turns::{Item, Turn, trimmed};
use crate::bedrock_converse::state::{self, Own};
use crate::error::{ChangeKind, Unsupported};
use crate::json::Text;
use crate::names::safe_tool_name;
use crate::quirks::Maker;
use crate::request::{MediaKind, Part, Role, Thinking, ToolResult};

use super::documents::Names;
use super::encode::Out;
use super::media::{self, Piece, Place};

/// Stands where nothing is left to say: blank text is refused, and so is a message without a block.
const EMPTY: Text<'static> = Text::literal("(empty)");
const NO_OUTPUT: Text<'static> = Text::literal("(no output)");
/// "If you include a ContentBlock with a document field in the array, you must also include a ContentBlock with a text field"
/// (botocore 1.44.8, `Message`).
const SEE_DOCUMENT: Text<'static> = Text::literal("(see the attached document)");

pub struct Blocks<'o, 't> {
    out: &'o mut Out<'t>,
    names: Names,
}

impl<'o, 't> Blocks<'o, 't> {
    pub fn new(out: &'o mut Out<'t>) -> Self {
        Blocks { out, names: Names::default() }
    }

    pub fn turn(&mut self, turn: &Turn<'_>) -> Result<(), Unsupported> {
        let role = if turn.role == Role::Assistant { "assistant" } else { "user" };
        self.out.writer.open_object().key("role").str(role).key("content").open_array();
        if turn.role == Role::Assistant {
            self.assistant(turn)?;
        } else {
            self.user(turn)?;
        }
        if self.out.writer.out.ends_with(b"[") {
            self.text(&EMPTY);
        }
        self.out.writer.close_array().close_object();
        Ok(())
    }

    fn assistant(&mut self, turn: &Turn<'_>) -> Result<(), Unsupported> {
        for item in &turn.items {
            match item {
                Item::Part { part: Part::Thinking(thinking), .. } => self.thinking(thinking),
                Item::Part { part: Part::Media(_), .. } => self.out.change(ChangeKind::Dropped, "assistant_media"),
                Item::Call { call, id } => {
                    let name = safe_tool_name(&call.name, self.out.quirks().tool_names);
                    let writer = self.out.writer.open_object().key("toolUse").open_object();
                    writer.key("toolUseId").text(id).key("name").text(&name).key("input").raw(&input_of(&call.input));
                    writer.close_object().close_object();
                    self.out.cache_point(call.cache);
                }
                item => {
                    let pieces = self.said(item)?;
                    self.pieces(&pieces);
                }
            }
        }
        Ok(())
    }

    /// The signature says who may have a thought back.
    fn thinking(&mut self, thinking: &Thinking<'_>) {
        if self.out.quirks().converse.maker == Maker::Anthropic {
            match &thinking.signature {
                Some(data) if thinking.redacted => self.redacted(data),
                signature => self.thought(&thinking.text, signature.as_ref()),
            }
            return;
        }
        match state::own(thinking, self.out.target) {
            Some(Own::Redacted(data)) => self.redacted(&data),
            Some(Own::Signature(signature)) => self.thought(&thinking.text, Some(&signature)),
            Some(Own::Plain) if !thinking.text.is_blank() => self.thought(&thinking.text, None),
            _ => self.out.change(ChangeKind::Dropped, "thinking"),
        }
    }

    fn thought(&mut self, text: &Text<'_>, signature: Option<&Text<'_>>) {
        let writer = self.out.writer.open_object().key("reasoningContent").open_object();
        writer.key("reasoningText").open_object().key("text").text(text);
        if let Some(signature) = signature {
            writer.key("signature").text(signature);
        }
        writer.close_object().close_object().close_object();
    }

    fn redacted(&mut self, data: &Text<'_>) {
        let writer = self.out.writer.open_object().key("reasoningContent").open_object();
        writer.key("redactedContent").text(data).close_object().close_object();
    }

    /// All results of a turn lead its one message.
    fn user(&mut self, turn: &Turn<'_>) -> Result<(), Unsupported> {
        let is_result = |item: &&Item<'_>| matches!(item, Item::Result { .. } | Item::Missing { .. });
        let mut beside = Vec::new();
        for item in turn.items.iter().filter(|item| !is_result(item)) {
            beside.extend(self.said(item)?);
        }
        let results: Vec<&Item<'_>> = turn.items.iter().filter(is_result).collect();
        let mut attached = Vec::new();
        for (i, item) in results.iter().enumerate() {
            let last = i + 1 == results.len();
            match item {
                Item::Result { result, id, message, index } => {
                    let at = Place { message: *message, content: *index, in_result: true };
                    let mut content = self.result(result, id, at, &mut attached)?;
                    if last && !self.out.quirks().converse.text_beside_results {
                        content.append(&mut attached);
                        content.append(&mut beside);
                    }
                    self.open_result(id);
                    self.content(content, result.is_error);
                    let inside = result.content.iter().find_map(cache_of);
                    self.out.cache_point(result.cache.or(inside));
                }
                Item::Missing { id } => {
                    let mut content = vec![Piece::Text(Text::literal("(the result of this tool call is missing)"))];
                    if last && !self.out.quirks().converse.text_beside_results {
                        content.append(&mut attached);
                        content.append(&mut beside);
                    }
                    self.open_result(id);
                    self.content(content, true);
                }
                _ => {}
            }
        }
        attached.append(&mut beside);
        let has = |document: bool| {
            attached.iter().any(|piece| match piece {
                Piece::Document { .. } => document,
                Piece::Text(_) => !document,
                _ => false,
            })
        };
        let wants_text = has(true) && !has(false);
        self.pieces(&attached);
        if wants_text {
            self.text(&SEE_DOCUMENT);
        }
        Ok(())
    }

    /// What a result holds. Media that it cannot hold are attached behind all results, with the id of the call.
    fn result<'r>(
        &mut self,
        result: &'r ToolResult<'r>,
        id: &Text<'_>,
        at: Place,
        attached: &mut Vec<Piece<'r>>,
    ) -> Result<Vec<Piece<'r>>, Unsupported> {
        let mut content = Vec::new();
        for part in &result.content {
            media::push(self.out, part, at, &mut content)?;
        }
        content.retain(|piece| !matches!(piece, Piece::Mark(_)));
        if self.out.quirks().media_in_tool_result {
            return Ok(content);
        }
        let (texts, media): (Vec<_>, Vec<_>) = content.into_iter().partition(|piece| matches!(piece, Piece::Text(_)));
        let mut content = texts;
        if !media.is_empty() {
            for piece in &media {
                let kind = if matches!(piece, Piece::Image { .. }) { MediaKind::Image } else { MediaKind::Document };
                self.out.change(ChangeKind::Moved, kind.name());
            }
            let tagged = |before: &'static str, after: &'static str| {
                Text::join(&[Text::literal(before), id.borrowed(), Text::literal(after)], &Text::EMPTY)
            };
            content.push(Piece::Text(tagged("[attached below: what the tool call ", " gave]")));
            attached.push(Piece::Text(tagged("[given by the tool call ", "]")));
            attached.extend(media);
        }
        Ok(content)
    }

    fn open_result(&mut self, id: &Text<'_>) {
        self.out.writer.open_object().key("toolResult").open_object().key("toolUseId").text(id);
    }

    fn content(&mut self, mut content: Vec<Piece<'_>>, is_error: bool) {
        content.retain(|piece| !matches!(piece, Piece::Mark(_)));
        if content.is_empty() {
            content.push(Piece::Text(NO_OUTPUT));
        }
        self.out.writer.key("content").open_array();
        self.pieces(&content);
        self.out.writer.close_array();
        if is_error {
            self.out.writer.key("status").str("error");
        }
        self.out.writer.close_object().close_object();
    }

    /// What an item says beside calls, results and thoughts.
    fn said<'r>(&mut self, item: &Item<'r>) -> Result<Vec<Piece<'r>>, Unsupported> {
        let mut pieces = Vec::new();
        match item {
            Item::Part { part, message, index } => {
                let at = Place { message: *message, content: *index, in_result: false };
                media::push(self.out, part, at, &mut pieces)?;
            }
            Item::Prefill(text) => {
                pieces.push(Piece::Text(trimmed(&text.text)));
                pieces.extend(text.cache.map(Piece::Mark));
            }
            Item::Reminder(text) => {
                self.out.change(ChangeKind::Moved, "system");
                let lines =
                    [Text::literal("<system-reminder>"), text.text.borrowed(), Text::literal("</system-reminder>")];
                pieces.push(Piece::Text(Text::join(&lines, &Text::literal("\\n"))));
                pieces.extend(text.cache.map(Piece::Mark));
            }
            Item::Orphan { result } => media::orphan(self.out, result, &mut pieces)?,
            Item::Filler(text) => pieces.push(Piece::Text(Text::plain(text))),
            Item::Note(text) => pieces.push(Piece::Text(Text::literal(text))),
            Item::Call { .. } | Item::Result { .. } | Item::Missing { .. } => {}
        }
        Ok(pieces)
    }

    fn pieces(&mut self, pieces: &[Piece<'_>]) {
        for piece in pieces {
            match piece {
                Piece::Text(text) => self.text(text),
                Piece::Mark(mark) => self.out.cache_point(Some(*mark)),
                Piece::Image { format, data } => {
                    let writer = self.out.writer.open_object().key("image").open_object();
                    writer.key("format").str(format).key("source").open_object().key("bytes").text(data);
                    writer.close_object().close_object().close_object();
                }
                Piece::Document { format, name, data } => {
                    let name = self.names.unique(*name);
                    let writer = self.out.writer.open_object().key("document").open_object();
                    writer.key("format").str(format).key("name").text(&name);
                    writer.key("source").open_object().key("bytes").text(data);
                    writer.close_object().close_object().close_object();
                }
            }
        }
    }

    fn text(&mut self, text: &Text<'_>) {
        self.out.writer.open_object().key("text").text(text).close_object();
    }
}

/// A mark inside a result closes the result.
fn cache_of(part: &Part<'_>) -> Option<crate::request::CacheMark> {
    match part {
        Part::Text(text) => text.cache,
        Part::Media(media) => media.cache,
        Part::SearchResult { cache, .. } => *cache,
        _ => None,
    }
}
