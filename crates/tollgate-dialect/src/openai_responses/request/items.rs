//! The conversation as items.
//!
//! Every call is answered, and every result answers a call: an upstream refuses the whole conversation otherwise. Reasoning
//! stands directly before what it led to. The conversation is cut into turns, what the assistant made and what follows it up to
//! the next time; a turn is a function of its own messages alone, so a longer conversation repeats the bytes of the shorter one.

use std::collections::HashMap;

use crate::error::{ChangeKind, Unsupported};
use crate::json::{Text, Writer};
use crate::names::{safe_id, safe_tool_name};
use crate::openai_chat::request::parts::{self, Piece, Place, Url, mark_last, server_text, write_joined, write_url};
use crate::openai_chat::request::{ATTRIBUTION, Out, arguments};
use crate::openai_responses::state::Encrypted;
use crate::openai_responses::wire::is_hosted;
use crate::quirks::{MidSystem, Replay};
use crate::request::{Message, Part, Request, Role, TextPart, Thinking, ToolCall, ToolInput, ToolResult};

const NO_RESULT: Text<'static> = Text::literal("No result was recorded for this call.");
/// There is no field for it.
const FAILED: Text<'static> = Text::literal("Error: ");

/// `leading`: the system prompt, where it is not in `instructions`.
pub fn write(out: &mut Out<'_>, request: &Request<'_>, leading: &[TextPart<'_>]) -> Result<(), Unsupported> {
    out.writer.key("input").open_array();
    if !leading.is_empty() {
        let pieces: Vec<Piece<'_>> =
            leading.iter().map(|b| Piece::Text { text: b.text.borrowed(), cache: b.cache }).collect();
        write_message(out, "developer", &pieces);
    }
    let mut conversation = Conversation { out, turn: Turn::default(), ends_with_assistant: false };
    for (i, message) in request.messages.iter().enumerate() {
        conversation.push(message, i)?;
    }
    conversation.end()?;
    out.writer.close_array();
    Ok(())
}

/// What the assistant made and all that follows it up to the next time.
#[derive(Default)]
struct Turn<'r> {
    /// With the index of the message that each part is from.
    made: Vec<(&'r Part<'r>, usize)>,
    calls: Vec<&'r ToolCall<'r>>,
    /// Something of the user's side came, perhaps empty.
    answered: bool,
    results: Vec<(&'r ToolResult<'r>, Place)>,
    pieces: Vec<Piece<'r>>,
}

struct Conversation<'o, 't, 'r> {
    out: &'o mut Out<'t>,
    turn: Turn<'r>,
    ends_with_assistant: bool,
}

impl<'r> Conversation<'_, '_, 'r> {
    fn push(&mut self, message: &'r Message<'r>, index: usize) -> Result<(), Unsupported> {
        match message.role {
            Role::Assistant => {
                if self.turn.answered {
                    self.flush()?;
                }
                self.turn.made.extend(message.parts.iter().map(|part| (part, index)));
                self.turn.calls.extend(message.parts.iter().filter_map(|part| match part {
                    Part::ToolCall(call) => Some(call),
                    _ => None,
                }));
                Ok(())
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
            match part {
                Part::ToolResult(result) if self.turn.calls.iter().any(|call| call.id == result.id) => {
                    self.turn.results.push((result, at));
                }
                Part::ToolResult(result) => self.orphan(result, at)?,
                part => parts::push(self.out, part, at, &mut self.turn.pieces)?,
            }
        }
        Ok(())
    }

    /// A result whose call is not in the turn before it.
    fn orphan(&mut self, result: &'r ToolResult<'r>, at: Place) -> Result<(), Unsupported> {
        self.out.change(ChangeKind::Repaired, "orphan_tool_result");
        let mut tag = Text::plain("[result of an earlier tool call ");
        tag.push(&result.id);
        tag.push(&Text::literal("]"));
        self.turn.pieces.push(Piece::text(tag));
        self.turn.pieces.extend(content(self.out, result, at)?);
        Ok(())
    }

    fn system(&mut self, message: &'r [Part<'r>]) {
        let texts = message.iter().filter_map(|part| match part {
            Part::Text(t) if !t.text.is_empty() && !t.text.escaped().starts_with(ATTRIBUTION) => Some(t),
            _ => None,
        });
        for TextPart { text, cache } in texts {
            if self.out.quirks().mid_system == MidSystem::InPlace {
                self.turn.pieces.push(Piece::System { text: text.borrowed(), cache: *cache });
                continue;
            }
            self.out.change(ChangeKind::Moved, "system");
            let mut reminder = Text::plain("<system-reminder>\n");
            reminder.push(text);
            reminder.push(&Text::literal("\\n</system-reminder>"));
            self.turn.pieces.push(Piece::Text { text: reminder, cache: *cache });
        }
    }

    fn flush(&mut self) -> Result<(), Unsupported> {
        let Turn { made, calls, answered, results, pieces } = std::mem::take(&mut self.turn);
        if !made.is_empty() {
            let mut assistant =
                Assistant { out: &mut *self.out, calls: !calls.is_empty(), thoughts: Vec::new(), open: None };
            for (part, index) in made {
                assistant.part(part, index);
            }
            assistant.end();
            self.ends_with_assistant = calls.is_empty();
        }
        // Of two results for one call the later one counts.
        let by_id: HashMap<&str, (&ToolResult<'_>, Place)> =
            results.iter().map(|(result, at)| (result.id.escaped(), (*result, *at))).collect();
        for call in &calls {
            write_result(self.out, call, by_id.get(call.id.escaped()).copied())?;
        }
        let is_system = |piece: &Piece<'_>| matches!(piece, Piece::System { .. });
        for run in pieces.chunk_by(|a, b| is_system(a) == is_system(b)) {
            write_message(self.out, if is_system(&run[0]) { "developer" } else { "user" }, run);
            self.ends_with_assistant = false;
        }
        if answered && results.is_empty() && pieces.is_empty() {
            write_message(self.out, "user", &[Piece::ours("(empty)")]);
            self.ends_with_assistant = false;
        }
        Ok(())
    }

    fn end(mut self) -> Result<(), Unsupported> {
        self.flush()?;
        if self.ends_with_assistant && !self.out.quirks().prefill {
            self.out.change(ChangeKind::Repaired, "prefill");
            write_message(self.out, "user", &[Piece::ours("Continue.")]);
        }
        Ok(())
    }
}

/// What the assistant made in one turn, on its way out.
struct Assistant<'o, 't, 'r> {
    out: &'o mut Out<'t>,
    /// There are calls in it.
    calls: bool,
    /// Written only when something follows: reasoning alone is refused.
    thoughts: Vec<&'r Thinking<'r>>,
    /// The index of the message whose texts are being written.
    open: Option<usize>,
}

impl<'r> Assistant<'_, '_, 'r> {
    fn part(&mut self, part: &'r Part<'r>, index: usize) {
        match part {
            Part::Thinking(thinking) => {
                self.close();
                self.thoughts.push(thinking);
            }
            Part::Text(text) if text.text.is_empty() => {}
            Part::Text(text) => self.text("output_text", "text", &text.text, index),
            Part::Refusal(text) if text.is_empty() => {}
            Part::Refusal(text) => self.text("refusal", "refusal", text, index),
            Part::ToolCall(call) => {
                self.begin();
                write_call(self.out, call);
            }
            Part::Server { kind, fields } if is_hosted(kind.escaped()) && !self.out.quirks().plain_tools => {
                self.begin();
                self.out.writer.json(fields);
            }
            Part::Server { kind, fields } => {
                self.out.change(ChangeKind::Textualised, &kind.decode());
                self.text("output_text", "text", &server_text(kind, fields), index);
            }
            Part::Unknown { kind } => self.out.change(ChangeKind::Dropped, &kind.decode()),
            Part::Media(_) => self.out.change(ChangeKind::Dropped, "assistant_media"),
            Part::ToolReference { .. } | Part::SearchResult { .. } | Part::ToolResult(_) => {
                self.out.change(ChangeKind::Dropped, "assistant_content");
            }
        }
    }

    fn text(&mut self, kind: &str, field: &str, text: &Text<'_>, index: usize) {
        if self.open != Some(index) {
            self.begin();
            self.open = Some(index);
            self.out.writer.open_object().key("type").str("message").key("role").str("assistant");
            self.out.writer.key("content").open_array();
        }
        self.out.writer.open_object().key("type").str(kind).key(field).text(text).close_object();
    }

    /// An item begins.
    fn begin(&mut self) {
        self.close();
        for thinking in std::mem::take(&mut self.thoughts) {
            write_thoughts(self.out, thinking, self.calls);
        }
    }

    fn end(&mut self) {
        self.close();
        if self.thoughts.iter().any(|thinking| thinking.redacted || !thinking.text.is_empty()) {
            self.out.change(ChangeKind::Dropped, "thinking");
        }
    }

    fn close(&mut self) {
        if self.open.take().is_some() {
            self.out.writer.close_array().close_object();
        }
    }
}

/// Thoughts as an upstream can read them: with the state that it gave, or as text where it wants that back.
fn write_thoughts(out: &mut Out<'_>, thinking: &Thinking<'_>, calls: bool) {
    let family = out.target.label.split('/').next().unwrap_or("");
    let signature = thinking.signature.as_ref().filter(|_| out.quirks().messages.earlier_thoughts);
    let own = signature.and_then(|s| Encrypted::of_signature(s, out.target.seal, family));
    let told = match out.quirks().replay {
        Replay::Never => false,
        Replay::ToolCalls => calls,
        Replay::Always => true,
    };
    let writer = &mut out.writer;
    match own {
        Some(Encrypted { id, content }) => {
            writer.open_object().key("type").str("reasoning");
            if let Some(id) = id {
                writer.key("id").text(&id);
            }
            writer.key("summary").open_array();
            if !thinking.text.is_empty() {
                writer.open_object().key("type").str("summary_text").key("text").text(&thinking.text).close_object();
            }
            writer.close_array().key("encrypted_content").text(&content).close_object();
        }
        None if told && !thinking.redacted && !thinking.text.is_empty() => {
            writer.open_object().key("type").str("reasoning").key("summary").open_array().close_array();
            writer.key("content").open_array().open_object().key("type").str("reasoning_text");
            writer.key("text").text(&thinking.text).close_object().close_array().close_object();
        }
        // Without its words nothing is missed: then there was only another maker's state.
        None if thinking.text.is_empty() && !thinking.redacted => {}
        None => out.change(ChangeKind::Dropped, "thinking"),
    }
}

fn write_call(out: &mut Out<'_>, call: &ToolCall<'_>) {
    let (form, names) = (out.quirks().tool_ids, out.quirks().tool_names);
    let freeform = is_freeform(out, call);
    let writer = &mut out.writer;
    writer.open_object().key("type").str(if freeform { "custom_tool_call" } else { "function_call" });
    writer.key("call_id").text(&safe_id(form, &call.id)).key("name").text(&safe_tool_name(&call.name, names));
    match &call.input {
        ToolInput::Freeform(text) if freeform => _ = writer.key("input").text(text),
        ToolInput::Freeform(text) => write_arguments(writer, &format!(r#"{{"input":"{}"}}"#, text.escaped())),
        ToolInput::Arguments(text) if !text.is_empty() => _ = writer.key("arguments").text(text),
        ToolInput::Object(json) if json.is_object() => write_arguments(writer, json.get()),
        ToolInput::Object(_) | ToolInput::Arguments(_) => _ = writer.key("arguments").str("{}"),
    }
    writer.close_object();
}

/// A call of a tool that takes free text, where there are such tools.
fn is_freeform(out: &Out<'_>, call: &ToolCall<'_>) -> bool {
    matches!(call.input, ToolInput::Freeform(_)) && !out.quirks().plain_tools
}

fn write_arguments(writer: &mut Writer, json: &str) {
    // An empty token lets the writer place its comma; its closing quote is taken back.
    writer.key("arguments").text(&Text::EMPTY).out.pop();
    arguments::write(&mut writer.out, json);
    writer.out.push(b'"');
}

fn write_result(
    out: &mut Out<'_>,
    call: &ToolCall<'_>,
    result: Option<(&ToolResult<'_>, Place)>,
) -> Result<(), Unsupported> {
    let mut pieces = match result {
        Some((result, at)) => content(out, result, at)?,
        None => {
            out.change(ChangeKind::Repaired, "missing_tool_result");
            vec![Piece::text(NO_RESULT)]
        }
    };
    if let (true, Some(filler)) = (pieces.is_empty(), &out.quirks().empty_result) {
        pieces.push(Piece::ours(filler));
    }
    let freeform = is_freeform(out, call);
    let id = safe_id(out.quirks().tool_ids, &call.id);
    let marks_kept = out.marks().are_kept();
    let writer = &mut out.writer;
    writer.open_object().key("type").str(if freeform { "custom_tool_call_output" } else { "function_call_output" });
    writer.key("call_id").text(&id).key("output");
    let plain = pieces.is_empty() || (!marks_kept && pieces.iter().all(|p| matches!(p, Piece::Text { .. })));
    if plain {
        write_joined(writer, parts::texts(&pieces));
    } else {
        write_pieces(out, &pieces);
    }
    out.writer.close_object();
    Ok(())
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
    mark_last(&mut pieces, result.cache);
    Ok(pieces)
}

fn write_message(out: &mut Out<'_>, role: &str, pieces: &[Piece<'_>]) {
    out.writer.open_object().key("type").str("message").key("role").str(role).key("content");
    write_pieces(out, pieces);
    out.writer.close_object();
}

fn write_pieces(out: &mut Out<'_>, pieces: &[Piece<'_>]) {
    let marks = out.marks();
    let writer = &mut out.writer;
    writer.open_array();
    for piece in pieces {
        writer.open_object().key("type");
        let cache = match piece {
            Piece::Text { text, cache } | Piece::System { text, cache } => {
                writer.str("input_text").key("text").text(text);
                *cache
            }
            Piece::Image { url, detail, cache } => {
                writer.str("input_image").key("image_url");
                write_url(writer, url);
                if let Some(detail) = detail {
                    writer.key("detail").text(detail);
                }
                *cache
            }
            Piece::File { name, url, cache } => {
                write_file(writer, name.as_ref(), url);
                *cache
            }
            Piece::Audio { data, format } => {
                writer.str("input_audio").key("input_audio").open_object();
                writer.key("data").text(data).key("format").str(format).close_object();
                None
            }
        };
        marks.write(writer, cache);
        writer.close_object();
    }
    writer.close_array();
}

fn write_file(writer: &mut Writer, name: Option<&Text<'_>>, url: &Url<'_>) {
    writer.str("input_file");
    match url {
        Url::Plain(url) => _ = writer.key("file_url").text(url),
        data => {
            writer.key("filename").text(name.unwrap_or(&Text::literal("document.pdf"))).key("file_data");
            write_url(writer, data);
        }
    }
}
