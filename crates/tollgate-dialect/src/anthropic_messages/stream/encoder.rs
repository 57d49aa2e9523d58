//! Events to a client's stream.

use crate::AnswerHead;
use crate::anthropic_messages::response::{message_id, plain_signature, signature_of, stop_reason_name, write_error};
use crate::anthropic_messages::wire::{Members, text_of, write_usage};
use crate::error::{ErrorKind, PublicError};
use crate::event::{Event, StopReason, ThinkingState};
use crate::json::{Json, Text, Writer};
use crate::sealed::Seal;
use crate::usage::Usage;

/// Writes a stream: blocks one after another, numbered without gaps, each opened, filled and closed. Every frame has its
/// `event:` line, without which Claude Code discards the stream (2.1.329).
pub struct Encoder {
    head: AnswerHead,
    seal: Seal,
    opened: bool,
    open: Open,
    /// The index of the block that is open, or that comes next.
    index: u64,
    /// The head of a delta frame of the open block, up to the text.
    delta: Vec<u8>,
    called: bool,
    usage: Usage,
    finish: Option<(StopReason, Option<Text<'static>>)>,
    done: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Open {
    None,
    Text,
    Thinking,
    Tool { has_input: bool },
}

impl Encoder {
    pub fn new(head: AnswerHead, seal: Seal) -> Encoder {
        Encoder {
            head,
            seal,
            opened: false,
            open: Open::None,
            index: 0,
            delta: Vec::with_capacity(128),
            called: false,
            usage: Usage::default(),
            finish: None,
            done: false,
        }
    }

    /// Opens the answer. Does nothing the second time.
    pub fn open(&mut self, out: &mut Vec<u8>) {
        self.start(None, out);
    }

    fn start(&mut self, id: Option<&Text<'_>>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.opened, true) {
            return;
        }
        frame(out, "message_start", |w| {
            w.key("message").open_object().key("id").text(&message_id(id, &self.head));
            w.key("type").raw(r#""message""#).key("role").raw(r#""assistant""#).key("model").str(&self.head.model);
            w.key("content").raw("[]").key("stop_reason").null().key("stop_sequence").null().key("usage");
            write_usage(w, &self.usage, self.head.estimated_input, 1);
            w.close_object();
        });
    }

    pub fn push(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if let Event::Start { id, usage, .. } = event {
            self.usage.update(usage);
            self.start(id.as_ref(), out);
            return;
        }
        if !self.opened {
            self.start(None, out);
        }
        match event {
            Event::Text(text) | Event::Refusal(text) => self.text(text, out),
            Event::Thinking(text) => self.thinking(text, out),
            Event::ThinkingState(state) => self.thinking_state(state, out),
            Event::Redacted(data) => self.whole(out, |w| {
                w.open_object().key("type").raw(r#""redacted_thinking""#).key("data").text(data).close_object();
            }),
            Event::ToolStart { id, name, .. } => {
                self.called = true;
                self.begin(Open::Tool { has_input: false }, "input_json_delta\",\"partial_json", out, |w| {
                    w.open_object().key("type").raw(r#""tool_use""#).key("id").text(id).key("name").text(name);
                    w.key("input").raw("{}").close_object();
                });
            }
            Event::ToolInput { json, .. } => {
                if let Open::Tool { has_input } = &mut self.open
                    && !json.is_empty()
                {
                    *has_input = true;
                    self.append(json, out);
                }
            }
            Event::ToolEnd { .. } => self.close(out),
            Event::Server(block) => self.server(block, out),
            Event::Citation(citation) => {
                if self.open != Open::Text {
                    self.begin_text(out);
                }
                let index = self.index;
                frame(out, "content_block_delta", |w| {
                    w.key("index").number(index).key("delta").open_object().key("type").raw(r#""citations_delta""#);
                    w.key("citation").raw(&citation.for_anthropic().replace(['\n', '\r'], " ")).close_object();
                });
            }
            Event::Usage(usage) => self.usage.update(usage),
            Event::Finish { reason, stop_sequence } => {
                self.finish = Some((*reason, stop_sequence.clone().map(Text::into_owned)));
            }
            // Clients of this dialect have no tools of free text.
            Event::Start { .. } | Event::Freeform { .. } => {}
        }
    }

    /// Something harmless that shows the stream is alive.
    pub fn ping(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"event: ping\ndata: {\"type\":\"ping\"}\n\n");
    }

    /// The end. An answer that failed, or that never said why it ended, gets no end but an error.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        self.open(out);
        self.close(out);
        let finish = self.finish.take();
        let Some((name, sequence)) = finish.and_then(|(r, s)| Some((stop_reason_name(r, self.called)?, s))) else {
            let error =
                PublicError::new(500, ErrorKind::Api, "the upstream reported a failure before its answer was complete");
            encode_error(&error, &self.head.id, out);
            return;
        };
        frame(out, "message_delta", |w| {
            w.key("delta").open_object().key("stop_reason").str(name).key("stop_sequence");
            match sequence {
                Some(sequence) => w.text(&sequence),
                None => w.null(),
            };
            w.close_object().key("usage");
            write_usage(w, &self.usage, self.head.estimated_input, 0);
        });
        frame(out, "message_stop", |_| {});
    }

    fn text(&mut self, text: &Text<'_>, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        if self.open != Open::Text {
            self.begin_text(out);
        }
        self.append(text, out);
    }

    fn begin_text(&mut self, out: &mut Vec<u8>) {
        self.begin(Open::Text, "text_delta\",\"text", out, |w| _ = w.raw(r#"{"type":"text","text":""}"#));
    }

    fn thinking(&mut self, text: &Text<'_>, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        if self.open != Open::Thinking {
            self.begin_thinking(out);
        }
        self.append(text, out);
    }

    fn begin_thinking(&mut self, out: &mut Vec<u8>) {
        self.begin(Open::Thinking, "thinking_delta\",\"thinking", out, |w| {
            w.raw(r#"{"type":"thinking","thinking":"","signature":""}"#);
        });
    }

    fn thinking_state(&mut self, state: &ThinkingState<'_>, out: &mut Vec<u8>) {
        if self.open != Open::Thinking {
            self.begin_thinking(out);
        }
        self.sign(&signature_of(state, &self.seal, &self.head.family), out);
        self.stop(out);
    }

    fn sign(&self, signature: &Text<'_>, out: &mut Vec<u8>) {
        frame(out, "content_block_delta", |w| {
            w.key("index").number(self.index).key("delta").open_object().key("type").raw(r#""signature_delta""#);
            w.key("signature").text(signature).close_object();
        });
    }

    /// A tool's input goes as deltas even where it is there from the start: Claude Code reads no other.
    fn server(&mut self, block: &Json<'_>, out: &mut Vec<u8>) {
        let members = Members::parse(block.get());
        let input = members.as_ref().and_then(|m| {
            let kind = text_of(m.get("type"))?;
            matches!(kind.escaped(), "server_tool_use" | "mcp_tool_use").then(|| m.get("input")).flatten()
        });
        let (Some(members), Some(input)) = (members, input) else {
            let block = one_line(block);
            return self.whole(out, |w| _ = w.raw(&block));
        };
        self.begin(Open::Tool { has_input: true }, "input_json_delta\",\"partial_json", out, |w| {
            w.open_object();
            for (key, value) in &members.0 {
                let value = if key.escaped() == "input" { "{}".into() } else { one_line(&value.json()) };
                w.key(key.escaped()).raw(&value);
            }
            w.close_object();
        });
        self.append(&Text::plain(input.get()), out);
        self.stop(out);
    }

    /// A block that is complete when it starts.
    fn whole(&mut self, out: &mut Vec<u8>, block: impl FnOnce(&mut Writer)) {
        self.begin(Open::None, "", out, block);
        self.stop(out);
    }

    fn begin(&mut self, open: Open, delta: &str, out: &mut Vec<u8>, block: impl FnOnce(&mut Writer)) {
        self.close(out);
        self.open = open;
        let index = self.index;
        frame(out, "content_block_start", |w| {
            w.key("index").number(index).key("content_block");
            block(w);
        });
        self.delta.clear();
        self.delta.extend_from_slice(b"event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":");
        self.delta.extend_from_slice(index.to_string().as_bytes());
        self.delta.extend_from_slice(b",\"delta\":{\"type\":\"");
        self.delta.extend_from_slice(delta.as_bytes());
        self.delta.extend_from_slice(b"\":\"");
    }

    /// One delta of the open block: three copies, nothing else.
    fn append(&self, text: &Text<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.delta);
        out.extend_from_slice(text.escaped().as_bytes());
        out.extend_from_slice(b"\"}}\n\n");
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        match self.open {
            Open::None => return,
            Open::Text => {}
            Open::Thinking => self.sign(&plain_signature(&self.seal, &self.head.family), out),
            Open::Tool { has_input: true } => {}
            Open::Tool { has_input: false } => self.append(&Text::literal("{}"), out),
        }
        self.stop(out);
    }

    fn stop(&mut self, out: &mut Vec<u8>) {
        let index = self.index;
        frame(out, "content_block_stop", |w| _ = w.key("index").number(index));
        self.open = Open::None;
        self.index += 1;
    }
}

/// An error as the last frame.
pub fn encode_error(error: &PublicError, request_id: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: error\ndata: ");
    let mut w = Writer { out: std::mem::take(out) };
    write_error(&mut w, error, request_id);
    *out = w.out;
    out.extend_from_slice(b"\n\n");
}

fn frame(out: &mut Vec<u8>, kind: &str, fields: impl FnOnce(&mut Writer)) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(kind.as_bytes());
    out.extend_from_slice(b"\ndata: ");
    let mut w = Writer { out: std::mem::take(out) };
    w.open_object().key("type").str(kind);
    fields(&mut w);
    w.close_object();
    *out = w.out;
    out.extend_from_slice(b"\n\n");
}

/// A line feed between tokens would end the frame's data line; inside strings there can be none.
fn one_line(json: &Json<'_>) -> String {
    json.get().replace(['\n', '\r'], " ")
}
