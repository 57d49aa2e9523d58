//! Events to pieces of an answer.

use crate::AnswerHead;
use crate::error::{ErrorKind, PublicError};
use crate::event::{Event, StopReason};
use crate::gemini::errors;
use crate::gemini::response::{Piece, write_candidates, write_head};
use crate::gemini::signature::Carry;
use crate::gemini::usage;
use crate::json::{Text, Writer};
use crate::sealed::Seal;
use crate::usage::Usage;

/// Writes server-sent events, or one JSON array whose items come as they are made. A call is kept until it is whole, because
/// this dialect has no pieces of calls.
pub struct Encoder {
    head: AnswerHead,
    seal: Seal,
    id: Option<Text<'static>>,
    opened: bool,
    /// An item of the array was written.
    items: bool,
    carry: Carry,
    /// The call that is under way.
    call: Option<Piece>,
    usage: Usage,
    pages: Vec<String>,
    reason: Option<StopReason>,
    done: bool,
}

impl Encoder {
    pub fn new(head: AnswerHead, seal: Seal) -> Encoder {
        Encoder {
            head,
            seal,
            id: None,
            opened: false,
            items: false,
            carry: Carry::default(),
            call: None,
            usage: Usage::default(),
            pages: Vec::new(),
            reason: None,
            done: false,
        }
    }

    /// Opens the answer: server-sent events need nothing for it.
    pub fn open(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.opened, true) && self.head.json_array {
            out.push(b'[');
        }
    }

    pub fn push(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        self.open(out);
        match event {
            Event::Start { id, usage, .. } => {
                self.id = id.clone().map(Text::into_owned);
                self.usage.update(usage);
            }
            Event::Usage(usage) => self.usage.update(usage),
            Event::Text(text) | Event::Refusal(text) => self.text(text, false, out),
            Event::Thinking(text) => {
                self.carry.thinking(text);
                self.text(text, true, out);
            }
            Event::ThinkingState(state) => self.carry.state(state, &self.seal, &self.head.family),
            Event::Redacted(data) => self.carry.redacted(data),
            Event::ToolStart { id, name, .. } => {
                let (id, name) = (id.clone().into_owned(), name.clone().into_owned());
                self.call = Some(Piece::Call { id, name, input: Text::EMPTY });
            }
            Event::ToolInput { json, .. } => {
                if let Some(Piece::Call { input, .. }) = &mut self.call {
                    input.push(json);
                }
            }
            Event::ToolEnd { .. } => {
                if let Some(call) = self.call.take() {
                    self.part(&call, out);
                }
            }
            Event::Freeform { id, name, input, .. } => self.part(&Piece::freeform(id, name, input), out),
            Event::Finish { reason, .. } => self.reason = Some(*reason),
            Event::Citation(citation) => self.pages.extend(citation.for_google()),
            // Google's clients know none.
            Event::Server(_) => {}
        }
    }

    /// Google's Python SDK takes a comment for a piece of JSON, so an empty text shows that the stream is alive; between the
    /// items of an array white space does.
    pub fn ping(&mut self, out: &mut Vec<u8>) {
        self.open(out);
        if self.head.json_array {
            out.push(b'\n');
        } else {
            self.piece(out, None, |writer| _ = writer.raw(r#"{"text":""}"#));
        }
    }

    /// The end. An answer that failed, or that never said why it ended, gets no end but an error.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.done, true) {
            return;
        }
        self.open(out);
        let Some(reason) = self.reason.filter(|reason| *reason != StopReason::Failed) else {
            let error =
                PublicError::new(500, ErrorKind::Api, "the upstream reported a failure before its answer was complete");
            return self.fail(&error, out);
        };
        let signature = self.carry.take();
        let last = Piece::Text { text: Text::EMPTY, thought: false };
        self.piece(out, Some(reason), |writer| last.write(writer, signature.as_ref()));
        self.close(out);
    }

    /// An error as the last piece.
    pub fn fail(&mut self, error: &PublicError, out: &mut Vec<u8>) {
        self.done = true;
        self.open(out);
        self.frame(out, |out| out.extend_from_slice(&errors::encode_error(error)));
        self.close(out);
    }

    fn text(&mut self, text: &Text<'_>, thought: bool, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        let signature = if thought { None } else { self.carry.take() };
        self.piece(out, None, |writer| {
            writer.open_object().key("text").text(text);
            if thought {
                writer.key("thought").bool(true);
            }
            if let Some(signature) = &signature {
                writer.key("thoughtSignature").text(signature);
            }
            writer.close_object();
        });
    }

    fn part(&mut self, part: &Piece, out: &mut Vec<u8>) {
        let signature = self.carry.take();
        self.piece(out, None, |writer| part.write(writer, signature.as_ref()));
    }

    /// One piece; the last one has the reason and the usage.
    fn piece(&mut self, out: &mut Vec<u8>, reason: Option<StopReason>, parts: impl FnOnce(&mut Writer)) {
        let mut writer = Writer::with_capacity(256);
        writer.open_object();
        let pages = if reason.is_some() { std::mem::take(&mut self.pages) } else { Vec::new() };
        write_candidates(&mut writer, parts, reason, &pages);
        if reason.is_some() {
            writer.key("usageMetadata");
            usage::encode(&mut writer, &self.usage, self.head.estimated_input);
        }
        write_head(&mut writer, &self.head, self.id.as_ref());
        writer.close_object();
        self.frame(out, |out| out.extend_from_slice(&writer.out));
    }

    fn frame(&mut self, out: &mut Vec<u8>, data: impl FnOnce(&mut Vec<u8>)) {
        if self.head.json_array {
            if std::mem::replace(&mut self.items, true) {
                out.extend_from_slice(b",\n");
            }
            data(out);
        } else {
            out.extend_from_slice(b"data: ");
            data(out);
            out.extend_from_slice(b"\n\n");
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.head.json_array {
            out.extend_from_slice(b"]\n");
        }
    }
}
