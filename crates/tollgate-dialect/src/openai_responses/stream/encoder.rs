//! Events to a client's stream.

mod shapes;

use crate::AnswerHead;
use crate::citation::{Citation, Counted};
use crate::error::PublicError;
use crate::event::{Event, StopReason};
use crate::json::{Text, Writer};
use crate::openai_responses::response::failure;
use crate::openai_responses::{ending, state};
use crate::sealed::Seal;
use crate::usage::Usage;
use shapes::{PartKind, Told, write_call, write_custom, write_part, write_response, write_summary};

/// Writes a stream: items one after another, each added, filled, told once more as a whole and done, and at the end the whole
/// answer. That the format says everything again is why the answer is kept here until its end.
pub struct Encoder {
    head: AnswerHead,
    seal: Seal,
    /// The answer's id; empty until the answer is open.
    id: String,
    sequence: u64,
    /// The index of the item that is open, or that comes next.
    index: u64,
    /// The id of the item that is open.
    item: String,
    open: Open,
    /// The head of a delta frame of what is open, up to the text.
    delta: Vec<u8>,
    /// The items that are done, as JSON with commas between them.
    done: Vec<u8>,
    refused: bool,
    usage: Usage,
    reason: StopReason,
}

/// The item that is under way.
enum Open {
    None,
    Message {
        /// The parts that are done, as `done` has the items.
        parts: Vec<u8>,
        count: u64,
        part: PartKind,
        text: Text<'static>,
        /// Of this part.
        annotations: Vec<String>,
    },
    Reasoning {
        text: Text<'static>,
    },
    Call {
        id: Text<'static>,
        name: Text<'static>,
        input: Text<'static>,
    },
}

const SUMMARY_TEXT: &str = "response.reasoning_summary_text";

impl Encoder {
    pub fn new(head: AnswerHead, seal: Seal) -> Encoder {
        Encoder {
            head,
            seal,
            id: String::new(),
            sequence: 0,
            index: 0,
            item: String::new(),
            open: Open::None,
            delta: Vec::with_capacity(192),
            done: Vec::new(),
            refused: false,
            usage: Usage::default(),
            reason: StopReason::EndTurn,
        }
    }

    pub fn open(&mut self, out: &mut Vec<u8>) {
        self.start(None, out);
    }

    fn start(&mut self, upstream_id: Option<&Text<'_>>, out: &mut Vec<u8>) {
        if !self.id.is_empty() {
            return;
        }
        self.id = self.response_id(upstream_id);
        for kind in ["response.created", "response.in_progress"] {
            self.in_progress(kind, out);
        }
    }

    fn response_id(&self, upstream: Option<&Text<'_>>) -> String {
        const FORM: &str = "resp_";
        match upstream {
            Some(id) if id.escaped().starts_with(FORM) => id.decode().into_owned(),
            _ if self.head.id.starts_with(FORM) => self.head.id.clone(),
            _ => format!("{FORM}{}", self.head.id),
        }
    }

    fn in_progress(&mut self, kind: &str, out: &mut Vec<u8>) {
        let mut frame = self.frame(kind, out);
        frame.key("response");
        write_response(&mut frame, &self.told(), ("in_progress", None), None);
        self.end_frame(frame, out);
    }

    pub fn push(&mut self, event: &Event<'_>, out: &mut Vec<u8>) {
        if let Event::Start { id, usage, .. } = event {
            self.usage.update(usage);
            self.start(id.as_ref(), out);
        }
        if event.bears_content() {
            self.open(out);
        }
        match event {
            Event::Start { .. } => {}
            Event::Usage(usage) => self.usage.update(usage),
            Event::Text(text) => self.text(PartKind::Text, text, out),
            Event::Refusal(text) => {
                self.refused = true;
                self.text(PartKind::Refusal, text, out);
            }
            Event::Thinking(text) => self.thinking(text, out),
            Event::ThinkingState(thinking) => {
                let content = state::encrypted_content(thinking, &self.seal, &self.head.family);
                self.reasoning_done(&content, out);
            }
            Event::Redacted(data) => {
                self.close(out);
                let content = state::redacted_content(data, &self.seal, &self.head.family);
                self.reasoning_done(&content, out);
            }
            Event::ToolStart { id, name, .. } => self.call(id, name, out),
            Event::ToolInput { json, .. } => self.call_input(json, out),
            Event::ToolEnd { .. } => self.close(out),
            Event::Freeform { id, name, input, .. } => self.freeform(id, name, input, out),
            Event::Finish { reason, .. } => self.reason = *reason,
            Event::Citation(citation) => self.citation(citation, out),
            // Other providers' own blocks have no form here.
            Event::Server(_) => {}
        }
    }

    /// Something harmless that shows the stream is alive. A comment is skipped by every reader, but Codex counts the time
    /// between events.
    pub fn ping(&mut self, out: &mut Vec<u8>) {
        if self.id.is_empty() {
            out.extend_from_slice(b": ping\n\n");
        } else {
            self.in_progress("response.in_progress", out);
        }
    }

    pub fn finish(&mut self, out: &mut Vec<u8>) {
        self.open(out);
        self.close(out);
        let ended = ending::encode(self.reason, self.refused);
        let mut frame = self.frame(&format!("response.{}", ended.0), out);
        frame.key("response");
        write_response(&mut frame, &self.told(), ended, None);
        self.end_frame(frame, out);
    }

    /// The last event of a stream that failed.
    pub fn fail(&mut self, error: &PublicError, request_id: &str, out: &mut Vec<u8>) {
        if self.id.is_empty() {
            self.id = format!("resp_{request_id}");
        }
        let (code, message) = failure(error);
        let mut frame = self.frame("response.failed", out);
        frame.key("response");
        write_response(&mut frame, &self.told(), ("failed", None), Some((code, &message)));
        self.end_frame(frame, out);
    }

    /// The answer in one piece.
    pub fn into_response(mut self) -> Vec<u8> {
        let mut frames = Vec::new();
        self.open(&mut frames);
        self.close(&mut frames);
        let mut writer = Writer::with_capacity(self.done.len() + 1024);
        write_response(&mut writer, &self.told(), ending::encode(self.reason, self.refused), None);
        writer.out
    }

    fn told(&self) -> Told<'_> {
        Told { id: &self.id, head: &self.head, done: &self.done, usage: &self.usage }
    }

    // ---- messages

    fn text(&mut self, kind: PartKind, text: &Text<'_>, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        self.ready(kind, out);
        if let Open::Message { text: told, .. } = &mut self.open {
            told.push(text);
        }
        self.append(text, out);
    }

    /// A part of this kind is under way.
    fn ready(&mut self, kind: PartKind, out: &mut Vec<u8>) {
        match &self.open {
            Open::Message { part, .. } if *part == kind => {}
            Open::Message { .. } => {
                self.end_part(out);
                self.begin_part(kind, out);
            }
            _ => {
                self.close(out);
                self.added("msg", out, |w, id| {
                    w.key("id").str(id).key("type").str("message").key("status").str("in_progress");
                    w.key("role").str("assistant").key("content").raw("[]");
                });
                self.open = Open::Message {
                    parts: Vec::new(),
                    count: 0,
                    part: kind,
                    text: Text::EMPTY,
                    annotations: Vec::new(),
                };
                self.begin_part(kind, out);
            }
        }
    }

    fn begin_part(&mut self, kind: PartKind, out: &mut Vec<u8>) {
        let Open::Message { count, part, .. } = &mut self.open else { return };
        *part = kind;
        let count = *count;
        let mut frame = self.place("response.content_part.added", out);
        frame.key("content_index").number(count).key("part");
        write_part(&mut frame, kind, &Text::EMPTY, &[]);
        self.end_frame(frame, out);
        self.begin_delta(kind.names().2, &format!(",\"content_index\":{count}"));
    }

    fn end_part(&mut self, out: &mut Vec<u8>) {
        let Open::Message { parts, count, part, text, annotations } = &mut self.open else { return };
        let (kind, at, text, annotations) = (*part, *count, std::mem::take(text), std::mem::take(annotations));
        *count += 1;
        if !parts.is_empty() {
            parts.push(b',');
        }
        let mut w = Writer { out: std::mem::take(parts) };
        let begin = w.out.len();
        write_part(&mut w, kind, &text, &annotations);
        let whole = String::from_utf8_lossy(&w.out[begin..]).into_owned();
        *parts = w.out;
        let (_, field, events) = kind.names();
        let mut frame = self.place(&format!("{events}.done"), out);
        frame.key("content_index").number(at).key(field).text(&text);
        if kind == PartKind::Text {
            frame.key("logprobs").raw("[]");
        }
        self.end_frame(frame, out);
        let mut frame = self.place("response.content_part.done", out);
        frame.key("content_index").number(at).key("part").raw(&whole);
        self.end_frame(frame, out);
    }

    /// Of the text that is under way.
    fn citation(&mut self, citation: &Citation<'_>, out: &mut Vec<u8>) {
        if citation.url.is_none() {
            return;
        }
        self.ready(PartKind::Text, out);
        let Open::Message { count, part: PartKind::Text, text, annotations, .. } = &mut self.open else { return };
        let mut said = Counted::default();
        said.add(text);
        let Some(annotation) = citation.for_responses(said.here()) else { return };
        let (part, number) = (*count, annotations.len() as u64);
        annotations.push(annotation.clone());
        let mut frame = self.place("response.output_text.annotation.added", out);
        frame.key("content_index").number(part).key("annotation_index").number(number);
        frame.key("annotation").raw(&annotation);
        self.end_frame(frame, out);
    }

    // ---- reasoning

    fn thinking(&mut self, text: &Text<'_>, out: &mut Vec<u8>) {
        if text.is_empty() {
            return;
        }
        if !matches!(self.open, Open::Reasoning { .. }) {
            self.close(out);
            self.begin_reasoning(out);
            let mut frame = self.place("response.reasoning_summary_part.added", out);
            frame.key("summary_index").number(0).key("part").raw(r#"{"type":"summary_text","text":""}"#);
            self.end_frame(frame, out);
            self.begin_delta(SUMMARY_TEXT, ",\"summary_index\":0");
        }
        if let Open::Reasoning { text: told } = &mut self.open {
            told.push(text);
        }
        self.append(text, out);
    }

    fn begin_reasoning(&mut self, out: &mut Vec<u8>) {
        self.added("rs", out, |w, id| {
            w.key("id").str(id).key("type").str("reasoning").key("summary").raw("[]");
        });
        self.open = Open::Reasoning { text: Text::EMPTY };
    }

    /// Ends the item of thoughts, which has nothing in it but their state where none were told.
    fn reasoning_done(&mut self, encrypted: &Text<'_>, out: &mut Vec<u8>) {
        if !matches!(self.open, Open::Reasoning { .. }) {
            self.close(out);
            self.begin_reasoning(out);
        }
        let Open::Reasoning { text } = std::mem::replace(&mut self.open, Open::None) else { return };
        let mut summary = Writer::default();
        summary.open_array();
        if !text.is_empty() {
            let mut frame = self.place(&format!("{SUMMARY_TEXT}.done"), out);
            frame.key("summary_index").number(0).key("text").text(&text);
            self.end_frame(frame, out);
            let mut frame = self.place("response.reasoning_summary_part.done", out);
            frame.key("summary_index").number(0).key("part");
            write_summary(&mut frame, &text);
            self.end_frame(frame, out);
            write_summary(&mut summary, &text);
        }
        summary.close_array();
        let summary = String::from_utf8_lossy(&summary.out).into_owned();
        self.item_done(out, |w, id| {
            w.key("id").str(id).key("type").str("reasoning").key("summary").raw(&summary);
            w.key("encrypted_content").text(encrypted);
        });
    }

    // ---- calls

    fn call(&mut self, id: &Text<'_>, name: &Text<'_>, out: &mut Vec<u8>) {
        self.close(out);
        self.added("fc", out, |w, item| write_call(w, item, false, id, name, &Text::EMPTY));
        self.begin_delta("response.function_call_arguments", "");
        self.open = Open::Call { id: id.clone().into_owned(), name: name.clone().into_owned(), input: Text::EMPTY };
    }

    fn call_input(&mut self, json: &Text<'_>, out: &mut Vec<u8>) {
        if let Open::Call { input, .. } = &mut self.open
            && !json.is_empty()
        {
            input.push(json);
            self.append(json, out);
        }
    }

    fn call_done(&mut self, id: &Text<'_>, name: &Text<'_>, input: &Text<'_>, out: &mut Vec<u8>) {
        let input = if input.is_empty() { &Text::literal("{}") } else { input };
        let mut frame = self.place("response.function_call_arguments.done", out);
        frame.key("arguments").text(input);
        self.end_frame(frame, out);
        self.item_done(out, |w, item| write_call(w, item, true, id, name, input));
    }

    fn freeform(&mut self, id: &Text<'_>, name: &Text<'_>, input: &Text<'_>, out: &mut Vec<u8>) {
        self.close(out);
        self.added("ctc", out, |w, item| write_custom(w, item, false, id, name, &Text::EMPTY));
        if !input.is_empty() {
            self.begin_delta("response.custom_tool_call_input", "");
            self.append(input, out);
        }
        let mut frame = self.place("response.custom_tool_call_input.done", out);
        frame.key("input").text(input);
        self.end_frame(frame, out);
        self.item_done(out, |w, item| write_custom(w, item, true, id, name, input));
    }

    // ---- items and frames

    fn close(&mut self, out: &mut Vec<u8>) {
        match &self.open {
            Open::None => {}
            Open::Message { .. } => {
                self.end_part(out);
                let Open::Message { parts, .. } = std::mem::replace(&mut self.open, Open::None) else { return };
                let parts = String::from_utf8_lossy(&parts).into_owned();
                self.item_done(out, |w, id| {
                    w.key("id").str(id).key("type").str("message").key("status").str("completed");
                    w.key("role").str("assistant").key("content").raw(&format!("[{parts}]"));
                });
            }
            Open::Reasoning { .. } => {
                let content = state::no_content(&self.seal, &self.head.family);
                self.reasoning_done(&content, out);
            }
            Open::Call { .. } => {
                let Open::Call { id, name, input } = std::mem::replace(&mut self.open, Open::None) else { return };
                self.call_done(&id, &name, &input, out);
            }
        }
    }

    /// An item begins. Its id is the same when a turn is repeated; OpenAI wants the kind in front, and at most 64 letters.
    fn added(&mut self, kind: &str, out: &mut Vec<u8>, fields: impl FnOnce(&mut Writer, &str)) {
        let ours: String = self.head.id.trim_start_matches("resp_").chars().take(40).collect();
        let index = self.index;
        self.item = format!("{kind}_{ours}_{index}");
        let mut frame = self.frame("response.output_item.added", out);
        frame.key("output_index").number(index).key("item").open_object();
        fields(&mut frame, &self.item);
        frame.close_object();
        self.end_frame(frame, out);
    }

    fn item_done(&mut self, out: &mut Vec<u8>, fields: impl FnOnce(&mut Writer, &str)) {
        let begin = self.done.len();
        let mut items = Writer { out: std::mem::take(&mut self.done) };
        items.open_object();
        fields(&mut items, &self.item);
        items.close_object();
        self.done = items.out;
        let index = self.index;
        let mut frame = self.frame("response.output_item.done", out);
        frame.key("output_index").number(index).key("item");
        // The first item has no comma before it.
        let comma = usize::from(begin > 0);
        frame.out.extend_from_slice(&self.done[begin + comma..]);
        self.end_frame(frame, out);
        self.index += 1;
        self.open = Open::None;
    }

    /// A frame about a place in the open item.
    fn place(&self, kind: &str, out: &mut Vec<u8>) -> Writer {
        let mut frame = self.frame(kind, out);
        frame.key("item_id").str(&self.item).key("output_index").number(self.index);
        frame
    }

    fn frame(&self, kind: &str, out: &mut Vec<u8>) -> Writer {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(kind.as_bytes());
        out.extend_from_slice(b"\ndata: ");
        let mut w = Writer { out: std::mem::take(out) };
        w.open_object().key("type").str(kind);
        w
    }

    fn end_frame(&mut self, mut frame: Writer, out: &mut Vec<u8>) {
        frame.key("sequence_number").number(self.sequence).close_object();
        self.sequence += 1;
        *out = frame.out;
        out.extend_from_slice(b"\n\n");
    }

    fn begin_delta(&mut self, events: &str, place: &str) {
        self.delta.clear();
        let (id, index) = (Text::plain(&self.item), self.index);
        let head = format!(
            "event: {events}.delta\ndata: {{\"type\":\"{events}.delta\",\"item_id\":\"{}\",\"output_index\":{index}{place},\"delta\":\"",
            id.escaped()
        );
        self.delta.extend_from_slice(head.as_bytes());
    }

    /// One delta: copies, and a number.
    fn append(&mut self, text: &Text<'_>, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.delta);
        out.extend_from_slice(text.escaped().as_bytes());
        out.extend_from_slice(b"\",\"sequence_number\":");
        out.extend_from_slice(self.sequence.to_string().as_bytes());
        out.extend_from_slice(b"}\n\n");
        self.sequence += 1;
    }
}
