//! An assistant message: text, thoughts in the field that the target wants them back in, and calls.

use std::collections::HashSet;

use crate::error::{ChangeKind, Unsupported};
use crate::gemini::signature;
use crate::json::{Json, Text, Writer};
use crate::names::{safe_id, safe_tool_name};
use crate::openai_chat::request::arguments;
use crate::openai_chat::request::encode::Out;
use crate::openai_chat::request::marks::Marks;
use crate::openai_chat::request::parts::{self, PARAGRAPH, Piece, Place, write_text_part};
use crate::quirks::{EmptyContent, ReasoningField, Replay};
use crate::request::{CacheMark, Part, Thinking, ToolCall, ToolInput};
use crate::sealed::Opened;

#[derive(Default)]
pub struct Assistant<'r> {
    texts: Vec<AssistantText<'r>>,
    thoughts: Vec<&'r Thinking<'r>>,
    pub calls: Vec<&'r ToolCall<'r>>,
    /// The thinking block directly before each call: it may hold the call's state.
    before_calls: Vec<Option<&'r Thinking<'r>>>,
    pub ids: HashSet<&'r str>,
}

struct AssistantText<'r> {
    text: Text<'r>,
    cache: Option<CacheMark>,
    /// Begins a message that was joined to the one before.
    apart: bool,
}

impl<'r> Assistant<'r> {
    /// Takes in a message; one that follows another without an answer between them becomes part of it.
    pub fn add(&mut self, out: &mut Out<'_>, message: &'r [Part<'r>], index: usize) -> Result<(), Unsupported> {
        let mut apart = !self.texts.is_empty();
        let mut pieces = Vec::new();
        let mut before = None;
        for (i, part) in message.iter().enumerate() {
            match part {
                Part::Thinking(thinking) => {
                    before = Some(thinking);
                    self.thoughts.push(thinking);
                }
                Part::ToolCall(call) => {
                    self.ids.insert(call.id.escaped());
                    self.calls.push(call);
                    self.before_calls.push(before.take());
                }
                other => parts::push(out, other, Place { message: index, content: i, in_result: false }, &mut pieces)?,
            }
        }
        for piece in pieces {
            match piece {
                Piece::Text { text, cache } => {
                    self.texts.push(AssistantText { text, cache, apart: std::mem::take(&mut apart) });
                }
                // Chat has no media in assistant messages.
                _ => out.change(ChangeKind::Dropped, "assistant_media"),
            }
        }
        Ok(())
    }

    pub fn write(&self, out: &mut Out<'_>) {
        let thought = self.thought(out);
        if self.loses_thoughts(&thought, out.quirks().replay) {
            out.change(ChangeKind::Dropped, "thinking");
        }
        // Where marks are kept, a text is a part, marked or not: a mark that moves on must leave the bytes around it as they were.
        let marks = out.marks();
        let quirks = out.quirks();
        let writer = &mut out.writer;
        writer.open_object().key("role").text(&Text::literal("assistant"));
        match &thought {
            Thought::InContent(thought) if quirks.reasoning_field == ReasoningField::ContentPart => {
                writer.key("content").open_array();
                writer.open_object().key("type").text(&Text::literal("thinking")).key("thinking").open_array();
                write_text_part(writer, thought, None, marks);
                writer.close_array().close_object();
                self.write_text_parts(writer, marks);
                writer.close_array();
            }
            Thought::InContent(thought) if marks.are_kept() => {
                writer.key("content").open_array();
                write_text_part(writer, &in_tags(thought), None, marks);
                self.write_text_parts(writer, marks);
                writer.close_array();
            }
            Thought::InContent(thought) => self.write_text(writer, &in_tags(thought)),
            _ if self.texts.is_empty() => self.write_no_content(writer, quirks.empty_content, &thought),
            _ if marks.are_kept() => {
                writer.key("content").open_array();
                self.write_text_parts(writer, marks);
                writer.close_array();
            }
            _ => self.write_text(writer, &Text::EMPTY),
        }
        match &thought {
            Thought::Beside(field, thought) => {
                writer.key(field).text(thought);
            }
            Thought::Details(elements) => {
                writer.key("reasoning_details").raw(&format!("[{elements}]"));
            }
            Thought::None | Thought::InContent(_) => {}
        }
        if !self.calls.is_empty() {
            self.write_calls(out);
        }
        out.writer.close_object();
    }

    /// What the target gets to see of the thoughts.
    fn thought(&self, out: &Out<'_>) -> Thought {
        let quirks = out.quirks();
        let replays = match quirks.replay {
            Replay::Never => false,
            Replay::ToolCalls => !self.calls.is_empty(),
            Replay::Always => true,
        };
        if !replays {
            return Thought::None;
        }
        if quirks.reasoning_field == ReasoningField::ReasoningDetails {
            let elements = self.details(out);
            if !elements.is_empty() {
                return Thought::Details(elements);
            }
        }
        let thoughts = self.thoughts.iter().filter(|t| !t.redacted).map(|t| &t.text);
        let mut text = Text::join(thoughts, &Text::EMPTY);
        if text.is_empty() {
            match &quirks.reasoning_filler {
                Some(filler) => text = Text::plain(filler),
                None => return Thought::None,
            }
        }
        match quirks.reasoning_field {
            ReasoningField::ReasoningContent => Thought::Beside("reasoning_content", text),
            ReasoningField::Reasoning | ReasoningField::ReasoningDetails => Thought::Beside("reasoning", text),
            ReasoningField::ThinkTags | ReasoningField::ContentPart => Thought::InContent(text),
        }
    }

    /// Something was thought that the target does not get: words, or what was encrypted. Who wants the thoughts of calls back does
    /// without all others.
    fn loses_thoughts(&self, told: &Thought, replay: Replay) -> bool {
        if replay == Replay::ToolCalls && self.calls.is_empty() {
            return false;
        }
        self.thoughts.iter().any(|thinking| match told {
            Thought::Details(_) => false,
            Thought::None => thinking.redacted || !thinking.text.is_empty(),
            Thought::Beside(..) | Thought::InContent(_) => thinking.redacted,
        })
    }

    /// The elements of `reasoning_details` that this very provider gave us, unmodified.
    fn details(&self, out: &Out<'_>) -> String {
        let mut joined = String::new();
        for signature in self.thoughts.iter().filter_map(|t| t.signature.as_ref()) {
            let Some(details) = own_state(out, signature) else { continue };
            let elements = details.get().trim().strip_prefix('[').and_then(|d| d.strip_suffix(']'));
            let elements = elements.map_or("", str::trim);
            if !joined.is_empty() && !elements.is_empty() {
                joined.push(',');
            }
            joined.push_str(elements);
        }
        joined
    }

    fn write_text(&self, writer: &mut Writer, head: &Text<'_>) {
        writer.key("content").text(head).out.pop();
        for AssistantText { text, apart, .. } in &self.texts {
            if *apart {
                writer.out.extend_from_slice(PARAGRAPH.escaped().as_bytes());
            }
            writer.out.extend_from_slice(text.escaped().as_bytes());
        }
        writer.out.push(b'"');
    }

    fn write_text_parts(&self, writer: &mut Writer, marks: Marks) {
        for AssistantText { text, cache, apart } in &self.texts {
            // A part of nothing but white space is refused by those who know marks.
            if *apart && !marks.are_kept() {
                write_text_part(writer, &PARAGRAPH, None, marks);
            }
            write_text_part(writer, text, *cache, marks);
        }
    }

    fn write_no_content(&self, writer: &mut Writer, form: EmptyContent, thought: &Thought) {
        match (self.calls.is_empty(), form) {
            (false, EmptyContent::Null) => writer.key("content").null(),
            (false, EmptyContent::Omit) => writer,
            (false, EmptyContent::EmptyString) => writer.key("content").text(&Text::EMPTY),
            // Leaving the message out would join its neighbours, and change bytes that were sent before.
            (true, form) if form == EmptyContent::Omit || matches!(thought, Thought::None) => {
                writer.key("content").text(&Text::literal("(no output)"))
            }
            (true, _) => writer.key("content").text(&Text::EMPTY),
        };
    }

    fn write_calls(&self, out: &mut Out<'_>) {
        let (form, names) = (out.quirks().tool_ids, out.quirks().tool_names);
        out.writer.key("tool_calls").open_array();
        for (at, call) in self.calls.iter().enumerate() {
            let state = self.call_state(out, at);
            let writer = &mut out.writer;
            writer.open_object().key("id").text(&safe_id(form, &call.id)).key("type").text(&Text::literal("function"));
            writer.key("function").open_object().key("name").text(&safe_tool_name(&call.name, names)).key("arguments");
            // An empty token lets the writer place its comma; its closing quote is taken back.
            writer.text(&Text::EMPTY).out.pop();
            match &call.input {
                ToolInput::Object(json) if json.is_object() => arguments::write(&mut writer.out, json.get()),
                ToolInput::Arguments(text) if !text.is_empty() => {
                    writer.out.extend_from_slice(text.escaped().as_bytes());
                }
                ToolInput::Object(_) | ToolInput::Arguments(_) => writer.out.extend_from_slice(b"{}"),
                ToolInput::Freeform(text) => {
                    arguments::write(&mut writer.out, &format!(r#"{{"input":"{}"}}"#, text.escaped()));
                }
            }
            writer.out.push(b'"');
            writer.close_object();
            if let Some(state) = state {
                writer.key("extra_content").json(&state);
            }
            writer.close_object();
        }
        out.writer.close_array();
    }

    /// What Google gave with the call; for the first one its documented word where that is lost.
    fn call_state(&self, out: &Out<'_>, at: usize) -> Option<Json<'static>> {
        if !out.quirks().thought_signatures {
            return None;
        }
        let signature = self.before_calls[at].and_then(|thinking| thinking.signature.as_ref());
        let own = signature.and_then(|signature| own_state(out, signature)).filter(Json::is_object);
        own.or_else(|| self.calls[at].state.as_ref().map(|signature| signature::state(signature, false)))
            .or_else(|| (at == 0).then_some(NO_SIGNATURE))
    }
}

/// ai.google.dev/gemini-api/docs/thought-signatures, 2026-11: for calls that another model made.
const NO_SIGNATURE: Json<'static> =
    Json::literal(r#"{"google":{"thought_signature":"skip_thought_signature_validator"}}"#);

/// State that this very provider gave us.
fn own_state(out: &Out<'_>, signature: &Text<'_>) -> Option<Json<'static>> {
    let family = out.target.label.split('/').next().unwrap_or("");
    match out.target.seal.open(signature) {
        Opened::Ours(state) if state.family == family => state.details,
        _ => None,
    }
}

enum Thought {
    None,
    /// A field of the message.
    Beside(&'static str, Text<'static>),
    /// The elements of a `reasoning_details` array.
    Details(String),
    /// At the head of the content.
    InContent(Text<'static>),
}

/// As the models themselves write it.
fn in_tags(thought: &Text<'_>) -> Text<'static> {
    let mut text = Text::plain("<think>\n");
    text.push(thought);
    text.push(&Text::literal("</think>\\n\\n"));
    text
}
