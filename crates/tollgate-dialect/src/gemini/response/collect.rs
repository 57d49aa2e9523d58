//! The events of an answer as one body, and what streamed pieces share with it.

use crate::AnswerHead;
use crate::anthropic_messages::request::{arguments_of, is_input};
use crate::error::AnswerError;
use crate::event::{Event, StopReason};
use crate::gemini::signature::Carry;
use crate::gemini::{finish, usage};
use crate::json::{Text, Writer};
use crate::sealed::Seal;
use crate::usage::Usage;

/// A part of an answer.
pub enum Piece {
    Text {
        text: Text<'static>,
        thought: bool,
    },
    /// `input`: JSON as it came, perhaps none.
    Call {
        id: Text<'static>,
        name: Text<'static>,
        input: Text<'static>,
    },
}

impl Piece {
    pub fn write(&self, writer: &mut Writer, signature: Option<&Text<'_>>) {
        writer.open_object();
        match self {
            Piece::Text { text, thought } => {
                writer.key("text").text(text);
                if *thought {
                    writer.key("thought").bool(true);
                }
            }
            Piece::Call { id, name, input } => {
                writer.key("functionCall").open_object().key("id").text(id).key("name").text(name);
                writer.key("args").raw(&one_line(&arguments_of(&input.decode()))).close_object();
            }
        }
        if let Some(signature) = signature {
            writer.key("thoughtSignature").text(signature);
        }
        writer.close_object();
    }

    /// The call of a tool that takes free text, which went up as a function of one string.
    pub fn freeform(id: &Text<'_>, name: &Text<'_>, input: &Text<'_>) -> Piece {
        let mut writer = Writer::default();
        writer.open_object().key("input").text(input).close_object();
        let input = Text::plain(&String::from_utf8_lossy(&writer.out));
        Piece::Call { id: id.clone().into_owned(), name: name.clone().into_owned(), input }
    }
}

/// Line feeds between tokens would end the data line of a frame; inside strings there can be none.
fn one_line(json: &str) -> String {
    json.replace(['\n', '\r'], " ")
}

/// `candidates` with its one member: `parts` writes into the open list.
/// `pages`: what the answer stands on.
pub fn write_candidates(
    writer: &mut Writer,
    parts: impl FnOnce(&mut Writer),
    reason: Option<StopReason>,
    pages: &[String],
) {
    writer.key("candidates").open_array().open_object().key("content").open_object();
    writer.key("parts").open_array();
    parts(writer);
    writer.close_array().key("role").str("model").close_object();
    if let Some(reason) = reason {
        writer.key("finishReason").str(finish::encode(reason));
    }
    if !pages.is_empty() {
        writer.key("groundingMetadata").open_object();
        writer.key("groundingChunks").raw(&format!("[{}]", pages.join(","))).close_object();
    }
    writer.key("index").number(0).close_object().close_array();
}

/// Whose answer it is.
pub fn write_head(writer: &mut Writer, head: &AnswerHead, id: Option<&Text<'_>>) {
    writer.key("modelVersion").str(&head.model).key("responseId");
    match id {
        Some(id) => writer.text(id),
        None => writer.str(&head.id),
    };
}

/// Collects the events of an answer into a `GenerateContentResponse`.
pub struct Collector {
    head: AnswerHead,
    seal: Seal,
    id: Option<Text<'static>>,
    usage: Usage,
    carry: Carry,
    parts: Vec<(Piece, Option<Text<'static>>)>,
    pages: Vec<String>,
    reason: StopReason,
}

impl Collector {
    pub fn new(head: AnswerHead, seal: Seal) -> Collector {
        Collector {
            head,
            seal,
            id: None,
            usage: Usage::default(),
            carry: Carry::default(),
            parts: Vec::new(),
            pages: Vec::new(),
            reason: StopReason::EndTurn,
        }
    }

    /// An answer that was cut at its token limit may end within a call; any other is broken by arguments that are no JSON.
    pub fn check(&self) -> Result<(), AnswerError> {
        if matches!(self.reason, StopReason::MaxTokens | StopReason::ContextWindow) {
            return Ok(());
        }
        for (piece, _) in &self.parts {
            if let Piece::Call { name, input, .. } = piece
                && !is_input(&input.decode())
            {
                let name = name.decode();
                return Err(AnswerError::Malformed(format!("the arguments of its call of {name} are no JSON")));
            }
        }
        Ok(())
    }

    pub fn push(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { id, usage, .. } => {
                self.id = id.clone().map(Text::into_owned);
                self.usage.update(usage);
            }
            Event::Text(text) | Event::Refusal(text) => self.text(text, false),
            Event::Thinking(text) => {
                self.carry.thinking(text);
                self.text(text, true);
            }
            Event::ThinkingState(state) => self.carry.state(state, &self.seal, &self.head.family),
            Event::Redacted(data) => self.carry.redacted(data),
            Event::ToolStart { id, name, .. } => {
                let call =
                    Piece::Call { id: id.clone().into_owned(), name: name.clone().into_owned(), input: Text::EMPTY };
                let signature = self.carry.take();
                self.parts.push((call, signature));
            }
            Event::ToolInput { json, .. } => {
                if let Some((Piece::Call { input, .. }, _)) = self.parts.last_mut() {
                    input.push(json);
                }
            }
            Event::Freeform { id, name, input, .. } => {
                let signature = self.carry.take();
                self.parts.push((Piece::freeform(id, name, input), signature));
            }
            Event::Usage(usage) => self.usage.update(usage),
            Event::Finish { reason, .. } => self.reason = *reason,
            Event::Citation(citation) => self.pages.extend(citation.for_google()),
            // Google's clients know neither.
            Event::ToolEnd { .. } | Event::Server(_) => {}
        }
    }

    fn text(&mut self, more: &Text<'_>, thought: bool) {
        if more.is_empty() {
            return;
        }
        let signature = if thought { None } else { self.carry.take() };
        match self.parts.last_mut() {
            Some((Piece::Text { text, thought: same }, None)) if *same == thought && signature.is_none() => {
                text.push(more);
            }
            _ => self.parts.push((Piece::Text { text: more.clone().into_owned(), thought }, signature)),
        }
    }

    pub fn finish(mut self) -> Vec<u8> {
        if let Some(signature) = self.carry.take() {
            self.parts.push((Piece::Text { text: Text::EMPTY, thought: false }, Some(signature)));
        }
        if self.parts.is_empty() {
            self.parts.push((Piece::Text { text: Text::EMPTY, thought: false }, None));
        }
        let mut writer = Writer::with_capacity(1024);
        writer.open_object();
        let parts = &self.parts;
        write_candidates(
            &mut writer,
            |writer| parts.iter().for_each(|(piece, signature)| piece.write(writer, signature.as_ref())),
            Some(self.reason),
            &self.pages,
        );
        writer.key("usageMetadata");
        usage::encode(&mut writer, &self.usage, self.head.estimated_input);
        write_head(&mut writer, &self.head, self.id.as_ref());
        writer.close_object();
        writer.out
    }
}
