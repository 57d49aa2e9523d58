//! The events of an answer as one body.

use crate::AnswerHead;
use crate::anthropic_messages::request::{arguments_of, is_input};
use crate::anthropic_messages::wire::write_usage;
use crate::error::AnswerError;
use crate::event::{Event, StopReason, ThinkingState};
use crate::json::{Json, Text, Writer};
use crate::sealed::{Seal, SealedState};
use crate::usage::Usage;

/// Collects the events of an answer into a Message.
pub struct Collector {
    head: AnswerHead,
    seal: Seal,
    id: Option<Text<'static>>,
    usage: Usage,
    blocks: Vec<Block>,
    finish: Option<(StopReason, Option<Text<'static>>)>,
}

enum Block {
    Text { text: Text<'static>, citations: Vec<String> },
    Thinking { text: Text<'static>, signature: Option<Text<'static>> },
    Redacted(Text<'static>),
    Tool { slot: u32, id: Text<'static>, name: Text<'static>, input: Text<'static> },
    Server(Json<'static>),
}

impl Collector {
    pub fn new(head: AnswerHead, seal: Seal) -> Collector {
        Collector { head, seal, id: None, usage: Usage::default(), blocks: Vec::new(), finish: None }
    }

    /// An answer that was cut at its token limit may end within a call; any other is broken by arguments that are no JSON.
    pub fn check(&self) -> Result<(), AnswerError> {
        if matches!(self.finish, Some((StopReason::MaxTokens | StopReason::ContextWindow, _))) {
            return Ok(());
        }
        for block in &self.blocks {
            if let Block::Tool { name, input, .. } = block
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
            Event::Text(text) | Event::Refusal(text) => self.text(text),
            Event::Thinking(more) if more.is_empty() => {}
            Event::Thinking(more) => match self.blocks.last_mut() {
                Some(Block::Thinking { text, signature: None }) => text.push(more),
                _ => self.blocks.push(Block::Thinking { text: more.clone().into_owned(), signature: None }),
            },
            Event::ThinkingState(state) => {
                let sealed = signature_of(state, &self.seal, &self.head.family);
                match self.blocks.last_mut() {
                    Some(Block::Thinking { signature: signature @ None, .. }) => *signature = Some(sealed),
                    _ => self.blocks.push(Block::Thinking { text: Text::EMPTY, signature: Some(sealed) }),
                }
            }
            Event::Redacted(data) => self.blocks.push(Block::Redacted(data.clone().into_owned())),
            Event::ToolStart { slot, id, name } => self.blocks.push(Block::Tool {
                slot: *slot,
                id: id.clone().into_owned(),
                name: name.clone().into_owned(),
                input: Text::EMPTY,
            }),
            Event::ToolInput { slot, json } => {
                let called = self.blocks.iter_mut().rev().find_map(|block| match block {
                    Block::Tool { slot: s, input, .. } if s == slot => Some(input),
                    _ => None,
                });
                if let Some(input) = called {
                    input.push(json);
                }
            }
            // Clients of this dialect have no tools of free text.
            Event::ToolEnd { .. } | Event::Freeform { .. } => {}
            Event::Server(json) => self.blocks.push(Block::Server(json.clone().into_owned())),
            Event::Citation(citation) => {
                let citation = citation.for_anthropic();
                match self.blocks.last_mut() {
                    Some(Block::Text { citations, .. }) => citations.push(citation),
                    _ => self.blocks.push(Block::Text { text: Text::EMPTY, citations: vec![citation] }),
                }
            }
            Event::Usage(usage) => self.usage.update(usage),
            Event::Finish { reason, stop_sequence } => {
                self.finish = Some((*reason, stop_sequence.clone().map(Text::into_owned)));
            }
        }
    }

    fn text(&mut self, more: &Text<'_>) {
        if more.is_empty() {
            return;
        }
        match self.blocks.last_mut() {
            // Citations end a text: what follows is another block, as it was at its source.
            Some(Block::Text { text, citations }) if citations.is_empty() => text.push(more),
            _ => self.blocks.push(Block::Text { text: more.clone().into_owned(), citations: Vec::new() }),
        }
    }

    pub fn finish(self) -> Vec<u8> {
        let mut w = Writer::with_capacity(1024);
        w.open_object().key("id").text(&message_id(self.id.as_ref(), &self.head));
        w.key("type").raw(r#""message""#).key("role").raw(r#""assistant""#).key("model").str(&self.head.model);
        w.key("content").open_array();
        for block in &self.blocks {
            self.block(&mut w, block);
        }
        w.close_array();
        let called = self.blocks.iter().any(|block| matches!(block, Block::Tool { .. }));
        w.key("stop_reason");
        match self.finish.as_ref().and_then(|(reason, _)| stop_reason_name(*reason, called)) {
            Some(name) => w.str(name),
            None => w.null(),
        };
        w.key("stop_sequence");
        match self.finish.as_ref().and_then(|(_, sequence)| sequence.as_ref()) {
            Some(sequence) => w.text(sequence),
            None => w.null(),
        };
        w.key("usage");
        write_usage(&mut w, &self.usage, self.head.estimated_input, 0);
        w.close_object();
        w.out
    }

    fn block(&self, w: &mut Writer, block: &Block) {
        match block {
            Block::Text { text, citations } => {
                w.open_object().key("type").raw(r#""text""#).key("text").text(text);
                if !citations.is_empty() {
                    w.key("citations").open_array();
                    citations.iter().for_each(|c| _ = w.raw(c));
                    w.close_array();
                }
                w.close_object();
            }
            Block::Thinking { text, signature } => {
                w.open_object().key("type").raw(r#""thinking""#).key("thinking").text(text).key("signature");
                match signature {
                    Some(signature) => w.text(signature),
                    None => w.text(&plain_signature(&self.seal, &self.head.family)),
                };
                w.close_object();
            }
            Block::Redacted(data) => {
                w.open_object().key("type").raw(r#""redacted_thinking""#).key("data").text(data).close_object();
            }
            Block::Tool { id, name, input, .. } => {
                w.open_object().key("type").raw(r#""tool_use""#).key("id").text(id).key("name").text(name);
                w.key("input").raw(&arguments_of(&input.decode())).close_object();
            }
            Block::Server(json) => _ = w.json(json),
        }
    }
}

/// Clients expect `msg_…`.
pub fn message_id(upstream: Option<&Text<'_>>, head: &AnswerHead) -> Text<'static> {
    match upstream {
        Some(id) if id.escaped().starts_with("msg_") => id.clone().into_owned(),
        _ if head.id.starts_with("msg_") => Text::plain(&head.id),
        _ => Text::plain(&format!("msg_{}", head.id)),
    }
}

/// Anthropic's own signature, or an envelope of ours: never an empty one, which SDKs refuse to send back.
pub fn signature_of(state: &ThinkingState<'_>, seal: &Seal, family: &str) -> Text<'static> {
    match state {
        ThinkingState::Signature(signature) if signature.is_empty() => plain_signature(seal, family),
        ThinkingState::Signature(signature) => signature.clone().into_owned(),
        ThinkingState::Details(details) => {
            seal.seal(&SealedState { family: family.to_string(), details: Some(details.borrowed()) })
        }
    }
}

/// For thoughts without any state.
pub fn plain_signature(seal: &Seal, family: &str) -> Text<'static> {
    seal.seal(&SealedState { family: family.to_string(), details: None })
}

/// `None` for a failure, which has no reason here. Clients act on what they see: a call needs `tool_use`, and `tool_use`
/// needs a call.
pub fn stop_reason_name(reason: StopReason, called: bool) -> Option<&'static str> {
    Some(match reason {
        StopReason::EndTurn if called => "tool_use",
        StopReason::EndTurn => "end_turn",
        StopReason::ToolUse if !called => "end_turn",
        StopReason::ToolUse => "tool_use",
        StopReason::MaxTokens => "max_tokens",
        StopReason::ContextWindow => "model_context_window_exceeded",
        StopReason::StopSequence => "stop_sequence",
        StopReason::Refusal => "refusal",
        StopReason::PauseTurn => "pause_turn",
        StopReason::Compaction => "compaction",
        StopReason::Failed => return None,
    })
}
