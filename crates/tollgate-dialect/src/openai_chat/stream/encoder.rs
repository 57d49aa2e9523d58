//! Events to chunks.

use crate::AnswerHead;
use crate::citation::Counted;
use crate::error::PublicError;
use crate::event::{Event, StopReason};
use crate::json::{Text, Writer};
use crate::openai_chat::response::{chat_id, error_object, extra_content, google_signature};
use crate::openai_chat::{finish, usage};
use crate::usage::Usage;

pub struct Encoder {
    head: AnswerHead,
    /// A chunk up to its delta; empty until the answer is open.
    prefix: Vec<u8>,
    /// A chunk from its delta on, where it does not finish.
    suffix: &'static [u8],
    /// The slots of the calls; a call's place is its index.
    slots: Vec<u32>,
    /// Google's signature of the call that comes next.
    signature: Option<Text<'static>>,
    said: Counted,
    usage: Usage,
    reason: StopReason,
}

impl Encoder {
    pub fn new(head: AnswerHead) -> Encoder {
        // Clients that ask for usage expect the key on every chunk.
        let suffix: &[u8] = if head.stream_usage {
            b",\"finish_reason\":null}],\"usage\":null}\n\n"
        } else {
            b",\"finish_reason\":null}]}\n\n"
        };
        Encoder {
            head,
            prefix: Vec::new(),
            suffix,
            slots: Vec::new(),
            signature: None,
            said: Counted::default(),
            usage: Usage::default(),
            reason: StopReason::EndTurn,
        }
    }

    pub fn open(&mut self, out: &mut Vec<u8>) {
        self.open_as(None, out);
    }

    fn open_as(&mut self, upstream_id: Option<&Text<'_>>, out: &mut Vec<u8>) {
        if !self.prefix.is_empty() {
            return;
        }
        self.prefix.extend_from_slice(b"data: {");
        let mut writer = Writer { out: std::mem::take(&mut self.prefix) };
        self.write_head(&mut writer, &chat_id(&self.head.id, upstream_id));
        writer.out.extend_from_slice(b",\"choices\":[{\"index\":0,\"delta\":");
        self.prefix = writer.out;
        self.delta(out, |out| out.extend_from_slice(b"{\"role\":\"assistant\",\"content\":\"\"}"));
    }

    fn write_head(&self, writer: &mut Writer, id: &str) {
        writer.key("id").str(id).key("object").str("chat.completion.chunk").key("created").number(self.head.created);
        writer.key("model").str(&self.head.model);
    }

    fn delta(&self, out: &mut Vec<u8>, write: impl FnOnce(&mut Vec<u8>)) {
        out.extend_from_slice(&self.prefix);
        write(out);
        out.extend_from_slice(self.suffix);
    }

    fn text_delta(&self, out: &mut Vec<u8>, field: &str, text: &Text<'_>) {
        if text.is_empty() {
            return;
        }
        self.delta(out, |out| {
            for piece in ["{\"", field, "\":\"", text.escaped(), "\"}"] {
                out.extend_from_slice(piece.as_bytes());
            }
        });
    }

    pub fn push(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if let Event::Start { id, .. } = event {
            self.open_as(id.as_ref(), out);
        }
        if event.bears_content() {
            self.open(out);
        }
        match event {
            Event::Start { usage, .. } | Event::Usage(usage) => self.usage.update(usage),
            Event::Text(text) => {
                self.said.add(text);
                self.text_delta(out, "content", text);
            }
            Event::Thinking(text) => self.text_delta(out, "reasoning_content", text),
            Event::Refusal(text) => self.text_delta(out, "refusal", text),
            Event::ToolStart { slot, id, name } => {
                let index = self.slots.len();
                self.slots.push(*slot);
                let state = self.signature.take().map(|signature| extra_content(&signature)).unwrap_or_default();
                self.delta(out, |out| {
                    let head = format!("{{\"tool_calls\":[{{\"index\":{index},\"id\":\"");
                    let pieces = [
                        &head,
                        id.escaped(),
                        "\",\"type\":\"function\",\"function\":{\"name\":\"",
                        name.escaped(),
                        "\",\"arguments\":\"\"}",
                        &state,
                        "}]}",
                    ];
                    pieces.iter().for_each(|piece| out.extend_from_slice(piece.as_bytes()));
                });
            }
            Event::ToolInput { slot, json } => {
                let Some(index) = self.slots.iter().rposition(|s| s == slot) else { return };
                if json.is_empty() {
                    return;
                }
                self.delta(out, |out| {
                    let head = format!("{{\"tool_calls\":[{{\"index\":{index},\"function\":{{\"arguments\":\"");
                    [&head, json.escaped(), "\"}}]}"].iter().for_each(|piece| out.extend_from_slice(piece.as_bytes()));
                });
            }
            Event::Freeform { slot, id, name, input } => {
                let index = self.slots.len();
                self.slots.push(*slot);
                let start = format!(
                    r#"{{"tool_calls":[{{"index":{index},"id":"{}","type":"custom","custom":{{"name":"{}","input":""}}}}]}}"#,
                    id.escaped(),
                    name.escaped()
                );
                let text =
                    format!(r#"{{"tool_calls":[{{"index":{index},"custom":{{"input":"{}"}}}}]}}"#, input.escaped());
                for delta in [start, text] {
                    self.delta(out, |out| out.extend_from_slice(delta.as_bytes()));
                }
            }
            Event::Finish { reason, .. } => self.reason = *reason,
            Event::ThinkingState(state) => self.signature = google_signature(state),
            Event::Citation(citation) => {
                if let Some(annotation) = citation.for_chat(self.said.here()) {
                    let delta = format!(r#"{{"annotations":[{annotation}]}}"#);
                    self.delta(out, |out| out.extend_from_slice(delta.as_bytes()));
                }
            }
            // Chat has no place for these.
            Event::Redacted(_) | Event::ToolEnd { .. } | Event::Server(_) => {}
        }
    }

    /// A comment: every reader of server-sent events skips it.
    pub fn ping(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b": ping\n\n");
    }

    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.open(out);
        out.extend_from_slice(&self.prefix);
        out.extend_from_slice(b"{},\"finish_reason\":\"");
        out.extend_from_slice(finish::encode(self.reason).as_bytes());
        out.extend_from_slice(if self.head.stream_usage { b"\"}],\"usage\":null}\n\n" } else { b"\"}]}\n\n" });
        if self.head.stream_usage {
            let choices = b",\"choices\":[{\"index\":0,\"delta\":";
            out.extend_from_slice(&self.prefix[..self.prefix.len() - choices.len()]);
            let mut writer = Writer { out: std::mem::take(out) };
            writer.key("choices").open_array().close_array().key("usage");
            usage::encode(&mut writer, &self.usage, self.head.estimated_input);
            writer.close_object();
            *out = writer.out;
            out.extend_from_slice(b"\n\n");
        }
        out.extend_from_slice(super::END);
    }
}

/// The last chunk of a stream that failed. No end mark follows: clients that look for one must not find it.
pub fn encode_error(error: &PublicError, out: &mut Vec<u8>) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(&error_object(error));
    out.extend_from_slice(b"\n\n");
}
