//! The conversation as contents: the user begins, roles alternate, and the results of all calls stand together at the head of
//! the user's next content, in the order of the calls.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::encode::Out;
use super::media::guessed_type;
use crate::anthropic_messages::request::turns::{Item, Rules, Thoughts, Turn, leading_system, turns};
use crate::anthropic_messages::request::{ATTRIBUTION, input_of};
use crate::error::{ChangeKind, Unsupported};
use crate::gemini::signature;
use crate::json::Text;
use crate::names::safe_tool_name;
use crate::openai_chat::request::parts::{PARAGRAPH, heading, server_text};
use crate::request::{Media, MediaKind, Part, Request, Role, Source, ToolResult};

pub fn write(out: &mut Out<'_>, request: &Request<'_>, notes: &[String]) -> Result<(), Unsupported> {
    let leading = leading_system(&request.messages);
    system(out, request, leading, notes);
    let rules = Rules {
        thoughts: Thoughts::All,
        mid_system: false,
        ids: out.quirks().tool_ids,
        prefill: out.quirks().prefill,
        filler: None,
    };
    let turns = turns(&request.messages[leading..], &rules, &mut out.changes);
    out.writer.key("contents").open_array();
    let mut contents = Contents { out, calls: Vec::new() };
    for turn in &turns {
        contents.turn(turn)?;
    }
    out.writer.close_array();
    Ok(())
}

fn system(out: &mut Out<'_>, request: &Request<'_>, leading: usize, notes: &[String]) {
    let early = request.messages[..leading].iter().flat_map(|m| &m.parts).filter_map(|part| match part {
        Part::Text(text) => Some(text),
        _ => None,
    });
    let said = request.system.iter().chain(early).map(|block| &block.text);
    let said = said.filter(|text| !text.is_blank() && !text.escaped().starts_with(ATTRIBUTION)).map(Text::borrowed);
    let mut said = said.chain(notes.iter().map(|note| Text::plain(note))).peekable();
    if said.peek().is_none() {
        return;
    }
    out.writer.key("systemInstruction").open_object().key("parts").open_array();
    for text in said {
        out.writer.open_object().key("text").text(&text).close_object();
    }
    out.writer.close_array().close_object();
}

struct Contents<'o, 't> {
    out: &'o mut Out<'t>,
    /// Names of the calls that the next content answers, in their order.
    calls: Vec<Text<'static>>,
}

impl<'t> Contents<'_, 't> {
    fn turn(&mut self, turn: &Turn<'_>) -> Result<(), Unsupported> {
        let role = if turn.role == Role::Assistant { "model" } else { "user" };
        self.out.writer.open_object().key("role").str(role).key("parts").open_array();
        if turn.role == Role::Assistant {
            self.model(turn)?;
        } else {
            self.user(turn)?;
        }
        if self.out.writer.out.ends_with(b"[") {
            self.text(&Text::literal("(empty)"));
        }
        self.out.writer.close_array().close_object();
        Ok(())
    }

    /// Signatures stay with the part that they came with. The first call of a turn must have one (Gemini 3).
    fn model(&mut self, turn: &Turn<'_>) -> Result<(), Unsupported> {
        let quirks = self.out.quirks();
        self.calls.clear();
        let mut waiting: Option<Text<'_>> = None;
        for item in &turn.items {
            match item {
                Item::Part { part: Part::Thinking(thinking), .. } => match signature::own(thinking, self.out.target) {
                    Some((signature, true)) => {
                        self.out.writer.open_object().key("thought").bool(true).key("text").text(&thinking.text);
                        self.sign(Some(&signature));
                    }
                    Some((signature, false)) => waiting = Some(signature),
                    None => {}
                },
                Item::Call { call, id } => {
                    let first = self.calls.is_empty();
                    let name = safe_tool_name(&call.name, quirks.tool_names);
                    self.calls.push(name.clone().into_owned());
                    let made_up = (first && quirks.thought_signatures).then_some(signature::NONE);
                    let given = call.state.as_ref().filter(|_| !quirks.gemini.foreign_signatures);
                    let signature = waiting.take().or(given.map(Text::borrowed)).or(made_up);
                    let writer = &mut self.out.writer;
                    writer.open_object().key("functionCall").open_object();
                    if quirks.gemini.ids {
                        writer.key("id").text(id);
                    }
                    writer.key("name").text(&name).key("args").raw(&input_of(&call.input)).close_object();
                    self.sign(signature.as_ref());
                }
                Item::Part { part: Part::Media(_), .. } => self.out.change(ChangeKind::Dropped, "assistant_media"),
                item => {
                    for text in self.texts(item) {
                        self.out.writer.open_object().key("text").text(&text);
                        self.sign(waiting.take().as_ref());
                    }
                }
            }
        }
        if let Some(signature) = waiting {
            self.out.writer.open_object().key("text").text(&Text::EMPTY);
            self.sign(Some(&signature));
        }
        Ok(())
    }

    /// Closes the part, with its signature.
    fn sign(&mut self, signature: Option<&Text<'_>>) {
        if let Some(signature) = signature {
            self.out.writer.key("thoughtSignature").text(signature);
        }
        self.out.writer.close_object();
    }

    fn user(&mut self, turn: &Turn<'_>) -> Result<(), Unsupported> {
        let mut calls = std::mem::take(&mut self.calls).into_iter();
        let mut behind = Vec::new();
        for item in &turn.items {
            match item {
                Item::Result { result, id, message, index } => {
                    let at = Place { message: *message, content: *index, in_result: true };
                    self.result(result, id, calls.next(), at, &mut behind)?;
                }
                Item::Missing { id } => {
                    self.open_response(id, calls.next());
                    self.out.writer.key("response").raw(r#"{"error":"The result of this call is missing."}"#);
                    self.out.writer.close_object().close_object();
                }
                item => {
                    self.write_behind(&mut behind);
                    self.item(item)?;
                }
            }
        }
        self.write_behind(&mut behind);
        Ok(())
    }

    fn item(&mut self, item: &Item<'_>) -> Result<(), Unsupported> {
        if let Item::Part { part: Part::Media(media), message, index } = item {
            let at = Place { message: *message, content: *index, in_result: false };
            let pieces = self.media(media, at)?;
            self.write_behind(&mut { pieces });
            return Ok(());
        }
        for text in self.texts(item) {
            self.text(&text);
        }
        Ok(())
    }

    fn open_response(&mut self, id: &Text<'_>, name: Option<Text<'_>>) {
        let with_id = self.out.quirks().gemini.ids;
        let writer = &mut self.out.writer;
        writer.open_object().key("functionResponse").open_object();
        if with_id {
            writer.key("id").text(id);
        }
        writer.key("name").text(&name.unwrap_or_default());
    }

    /// Media that results cannot hold stand behind all results, each with the id of its call.
    fn result<'r>(
        &mut self,
        result: &'r ToolResult<'r>,
        id: &Text<'_>,
        name: Option<Text<'_>>,
        at: Place,
        behind: &mut Vec<Piece<'r>>,
    ) -> Result<(), Unsupported> {
        let mut texts: Vec<Text<'_>> = Vec::new();
        let mut media = Vec::new();
        for part in &result.content {
            match part {
                Part::Media(one) => {
                    for piece in self.media(one, at)? {
                        match piece {
                            Piece::Text(text) => texts.push(text),
                            piece => media.push(piece),
                        }
                    }
                }
                part => texts.extend(self.part_text(part)),
            }
        }
        let holds_media = self.out.quirks().gemini.media_in_tool_result;
        if !media.is_empty() && !holds_media {
            let mut tag = Text::literal("[attached below: what the tool call ");
            tag.push(id);
            tag.push(&Text::literal(" gave]"));
            texts.push(tag);
        }
        self.open_response(id, name);
        let key = if result.is_error { "error" } else { "output" };
        let writer = &mut self.out.writer;
        writer.key("response").open_object().key(key).text(&Text::join(&texts, &PARAGRAPH)).close_object();
        if holds_media && !media.is_empty() {
            writer.key("parts").open_array();
            media.drain(..).for_each(|piece| self.piece(&piece));
            self.out.writer.close_array();
        }
        self.out.writer.close_object().close_object();
        if !media.is_empty() {
            let mut tag = Text::literal("[given by the tool call ");
            tag.push(id);
            tag.push(&Text::literal("]"));
            behind.push(Piece::Text(tag));
            behind.append(&mut media);
        }
        Ok(())
    }

    fn write_behind(&mut self, pieces: &mut Vec<Piece<'_>>) {
        pieces.drain(..).for_each(|piece| self.piece(&piece));
    }

    fn piece(&mut self, piece: &Piece<'_>) {
        let writer = &mut self.out.writer;
        match piece {
            Piece::Text(text) => return self.text(text),
            Piece::Inline { media_type, data } => {
                writer.open_object().key("inlineData").open_object();
                writer.key("mimeType").text(media_type).key("data").text(data);
            }
            Piece::Url { media_type, url } => {
                writer.open_object().key("fileData").open_object();
                writer.key("mimeType").str(media_type).key("fileUri").text(url);
            }
        }
        writer.close_object().close_object();
    }

    fn text(&mut self, text: &Text<'_>) {
        self.out.writer.open_object().key("text").text(text).close_object();
    }

    /// What an item says in words; media, calls and results say nothing.
    fn texts<'r>(&mut self, item: &Item<'r>) -> Vec<Text<'r>> {
        match item {
            Item::Part { part, .. } => self.part_text(part).into_iter().collect(),
            Item::Prefill(text) => vec![Text::plain(text.text.decode().trim_end())],
            Item::Reminder(text) => {
                let lines =
                    [Text::literal("<system-reminder>"), text.text.borrowed(), Text::literal("</system-reminder>")];
                vec![Text::join(&lines, &Text::literal("\\n"))]
            }
            Item::Orphan { result } => self.orphan(result),
            Item::Filler(text) => vec![Text::plain(text)],
            Item::Note(text) => vec![Text::literal(text)],
            Item::Call { .. } | Item::Result { .. } | Item::Missing { .. } => Vec::new(),
        }
    }

    fn part_text<'r>(&mut self, part: &'r Part<'r>) -> Option<Text<'r>> {
        match part {
            Part::Text(text) => Some(text.text.borrowed()).filter(|text| !text.is_empty()),
            Part::Refusal(text) => Some(text.borrowed()),
            Part::SearchResult { title, source, content, .. } => {
                let mut text = Text::plain(&format!("Title: {}\nSource: {}\n\n", title.decode(), source.decode()));
                text.push(&Text::join(content.iter().map(|c| &c.text), &PARAGRAPH));
                Some(text)
            }
            Part::ToolReference { name } => {
                let mut text = Text::literal("Tool available from now on: ");
                text.push(&safe_tool_name(name, self.out.quirks().tool_names));
                Some(text)
            }
            Part::Server { kind, fields } => {
                self.out.change(ChangeKind::Textualised, &kind.decode());
                Some(server_text(kind, fields))
            }
            Part::Unknown { kind } => {
                self.out.change(ChangeKind::Dropped, &kind.decode());
                None
            }
            Part::Media(_) | Part::Thinking(_) | Part::ToolCall(_) | Part::ToolResult(_) => None,
        }
    }

    fn orphan<'r>(&mut self, result: &'r ToolResult<'r>) -> Vec<Text<'r>> {
        let mut tag = Text::literal("[result of an earlier tool call ");
        tag.push(&result.id);
        tag.push(&Text::literal("]"));
        let mut texts = vec![tag];
        for part in &result.content {
            texts.extend(self.part_text(part));
        }
        texts
    }

    /// What a medium becomes.
    fn media<'r>(&mut self, media: &'r Media<'r>, at: Place) -> Result<Vec<Piece<'r>>, Unsupported> {
        if media.kind == MediaKind::Image && !self.out.quirks().images {
            self.out.change(ChangeKind::Dropped, "image");
            return Ok(vec![Piece::Text(Text::literal("[image omitted: this model does not take images]"))]);
        }
        Ok(vec![match &media.source {
            Source::Base64 { media_type, data } if is_plain_text(media.kind, media_type) => {
                let decoded = STANDARD.decode(data.escaped()).unwrap_or_default();
                let mut text = heading(media);
                text.push(&Text::plain(&String::from_utf8_lossy(&decoded)));
                Piece::Text(text)
            }
            Source::Base64 { media_type, data } => {
                Piece::Inline { media_type: media_type.borrowed(), data: data.borrowed() }
            }
            Source::Url(url) => Piece::Url { media_type: guessed_type(media.kind, &url.decode()), url: url.borrowed() },
            Source::File(uri) if uri.escaped().contains("://") => {
                Piece::Url { media_type: guessed_type(media.kind, &uri.decode()), url: uri.borrowed() }
            }
            Source::File(_) if at.in_result => {
                self.out.change(ChangeKind::Dropped, "file_id");
                Piece::Text(Text::literal("[file omitted: another provider keeps it]"))
            }
            Source::File(_) => {
                let why = format!(
                    "files kept by another provider (`file_id`) are not supported by {}; send the content",
                    self.out.target.label
                );
                return Err(Unsupported::content(format!("messages.{}.content.{}", at.message, at.content), why));
            }
            Source::Text(data) => {
                let mut text = heading(media);
                text.push(data);
                Piece::Text(text)
            }
            Source::Blocks(parts) => {
                let mut pieces = vec![Piece::Text(heading(media))];
                pieces.retain(|piece| !matches!(piece, Piece::Text(text) if text.is_empty()));
                for part in parts {
                    match part {
                        Part::Media(inner) => pieces.extend(self.media(inner, at)?),
                        part => pieces.extend(self.part_text(part).map(Piece::Text)),
                    }
                }
                return Ok(pieces);
            }
        }])
    }
}

enum Piece<'r> {
    Text(Text<'r>),
    Inline { media_type: Text<'r>, data: Text<'r> },
    Url { media_type: &'static str, url: Text<'r> },
}

/// Where a part stands, for messages to people. Inside a tool result nothing is refused: the session has to go on.
#[derive(Clone, Copy)]
struct Place {
    message: usize,
    content: usize,
    in_result: bool,
}

/// Documents of text go as text: it is what the model reads in any case.
fn is_plain_text(kind: MediaKind, media_type: &Text<'_>) -> bool {
    kind == MediaKind::Document && media_type.escaped().starts_with("text/")
}
