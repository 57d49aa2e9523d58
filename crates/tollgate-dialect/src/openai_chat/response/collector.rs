//! Events to one `chat.completion`.

use crate::AnswerHead;
use crate::citation::Counted;
use crate::event::{Event, StopReason};
use crate::json::{Text, Writer};
use crate::openai_chat::{finish, usage};
use crate::usage::Usage;

use super::{chat_id, extra_content, google_signature};

pub struct Collector {
    head: AnswerHead,
    id: Option<Text<'static>>,
    text: Text<'static>,
    thinking: Text<'static>,
    refusal: Text<'static>,
    annotations: Vec<String>,
    calls: Vec<Call>,
    /// Google's signature of the call that comes next.
    signature: Option<Text<'static>>,
    usage: Usage,
    reason: StopReason,
}

struct Call {
    slot: u32,
    id: Text<'static>,
    name: Text<'static>,
    arguments: Text<'static>,
    signature: Option<Text<'static>>,
    /// The arguments are free text.
    freeform: bool,
}

impl Collector {
    pub fn new(head: AnswerHead) -> Collector {
        Collector {
            head,
            id: None,
            text: Text::EMPTY,
            thinking: Text::EMPTY,
            refusal: Text::EMPTY,
            annotations: Vec::new(),
            calls: Vec::new(),
            signature: None,
            usage: Usage::default(),
            reason: StopReason::EndTurn,
        }
    }

    pub fn push(&mut self, event: &Event<'_>) {
        match event {
            Event::Start { id, usage, .. } => {
                self.id = id.clone().map(Text::into_owned);
                self.usage.update(usage);
            }
            Event::Usage(usage) => self.usage.update(usage),
            Event::Text(text) => self.text.push(text),
            Event::Thinking(text) => self.thinking.push(text),
            Event::Refusal(text) => self.refusal.push(text),
            Event::ToolStart { slot, id, name } => self.calls.push(Call {
                slot: *slot,
                id: id.clone().into_owned(),
                name: name.clone().into_owned(),
                arguments: Text::EMPTY,
                signature: self.signature.take(),
                freeform: false,
            }),
            Event::Freeform { slot, id, name, input } => self.calls.push(Call {
                slot: *slot,
                id: id.clone().into_owned(),
                name: name.clone().into_owned(),
                arguments: input.clone().into_owned(),
                signature: None,
                freeform: true,
            }),
            Event::ToolInput { slot, json } => {
                if let Some(call) = self.calls.iter_mut().rfind(|c| c.slot == *slot) {
                    call.arguments.push(json);
                }
            }
            Event::Finish { reason, .. } => self.reason = *reason,
            Event::ThinkingState(state) => self.signature = google_signature(state),
            Event::Citation(citation) => {
                let mut said = Counted::default();
                said.add(&self.text);
                self.annotations.extend(citation.for_chat(said.here()));
            }
            // Chat has no place for these.
            Event::Redacted(_) | Event::ToolEnd { .. } | Event::Server(_) => {}
        }
    }

    pub fn finish(self) -> Vec<u8> {
        let mut writer = Writer::with_capacity(512 + self.text.escaped().len() + self.thinking.escaped().len());
        writer.open_object().key("id").str(&chat_id(&self.head.id, self.id.as_ref()));
        writer.key("object").str("chat.completion").key("created").number(self.head.created);
        writer.key("model").str(&self.head.model).key("choices").open_array();
        writer.open_object().key("index").number(0).key("message").open_object().key("role").str("assistant");
        writer.key("content");
        if self.text.is_empty() && !(self.calls.is_empty() && self.refusal.is_empty()) {
            writer.null();
        } else {
            writer.text(&self.text);
        }
        if !self.thinking.is_empty() {
            writer.key("reasoning_content").text(&self.thinking);
        }
        writer.key("refusal");
        if self.refusal.is_empty() {
            writer.null();
        } else {
            writer.text(&self.refusal);
        }
        if !self.annotations.is_empty() {
            writer.key("annotations").raw(&format!("[{}]", self.annotations.join(",")));
        }
        if !self.calls.is_empty() {
            writer.key("tool_calls").open_array();
            for call in &self.calls {
                if call.freeform {
                    writer.open_object().key("id").text(&call.id).key("type").str("custom").key("custom").open_object();
                    writer.key("name").text(&call.name).key("input").text(&call.arguments);
                    writer.close_object().close_object();
                    continue;
                }
                let arguments = if call.arguments.is_empty() { &Text::literal("{}") } else { &call.arguments };
                writer.open_object().key("id").text(&call.id).key("type").str("function").key("function").open_object();
                writer.key("name").text(&call.name).key("arguments").text(arguments).close_object();
                if let Some(signature) = &call.signature {
                    writer.out.extend_from_slice(extra_content(signature).as_bytes());
                }
                writer.close_object();
            }
            writer.close_array();
        }
        writer.close_object().key("logprobs").null().key("finish_reason").str(finish::encode(self.reason));
        writer.close_object().close_array().key("usage");
        usage::encode(&mut writer, &self.usage, self.head.estimated_input);
        writer.close_object();
        writer.out
    }
}
