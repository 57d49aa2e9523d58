//! Responses, items and parts as clients are told them.

use crate::AnswerHead;
use crate::json::{Text, Writer};
use crate::names::unqualified;
use crate::openai_responses::usage;
use crate::usage::Usage;

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum PartKind {
    Text,
    Refusal,
}

impl PartKind {
    /// The part's type, its field, and the name that its events begin with.
    pub fn names(self) -> (&'static str, &'static str, &'static str) {
        match self {
            PartKind::Text => ("output_text", "text", "response.output_text"),
            PartKind::Refusal => ("refusal", "refusal", "response.refusal"),
        }
    }
}

/// What a response tells of an answer.
pub struct Told<'t> {
    pub id: &'t str,
    pub head: &'t AnswerHead,
    /// The items that are done, as JSON with commas between them.
    pub done: &'t [u8],
    pub usage: &'t Usage,
}

/// Only what clients need of the echo of a request.
pub fn write_response(
    w: &mut Writer,
    told: &Told<'_>,
    (status, reason): (&str, Option<&str>),
    error: Option<(&str, &str)>,
) {
    w.open_object().key("id").str(told.id).key("object").str("response");
    w.key("created_at").number(told.head.created).key("status").str(status).key("background").bool(false);
    w.key("error");
    match error {
        Some((code, message)) => w.open_object().key("code").str(code).key("message").str(message).close_object(),
        None => w.null(),
    };
    w.key("incomplete_details");
    match reason {
        Some(reason) => w.open_object().key("reason").str(reason).close_object(),
        None => w.null(),
    };
    w.key("instructions").null().key("max_output_tokens").null().key("model").str(&told.head.model);
    w.key("output").open_array();
    if status != "in_progress" {
        w.out.extend_from_slice(told.done);
    }
    w.close_array().key("parallel_tool_calls").bool(true).key("previous_response_id").null();
    w.key("reasoning").raw(r#"{"effort":null,"summary":null}"#).key("store").bool(false).key("temperature").null();
    w.key("text").raw(r#"{"format":{"type":"text"}}"#).key("tool_choice").str("auto").key("tools").raw("[]");
    w.key("top_p").null().key("truncation").str("disabled").key("usage");
    if status == "in_progress" {
        w.null();
    } else {
        usage::encode(w, told.usage, told.head.estimated_input);
    }
    w.key("user").null().key("metadata").raw("{}").close_object();
}

pub fn write_part(w: &mut Writer, kind: PartKind, text: &Text<'_>, annotations: &[String]) {
    let (name, field, _) = kind.names();
    w.open_object().key("type").str(name).key(field).text(text);
    if kind == PartKind::Text {
        w.key("annotations").raw(&format!("[{}]", annotations.join(","))).key("logprobs").raw("[]");
    }
    w.close_object();
}

pub fn write_summary(w: &mut Writer, text: &Text<'_>) {
    w.open_object().key("type").str("summary_text").key("text").text(text).close_object();
}

fn status(done: bool) -> &'static str {
    if done { "completed" } else { "in_progress" }
}

pub fn write_call(w: &mut Writer, item: &str, done: bool, id: &Text<'_>, name: &Text<'_>, arguments: &Text<'_>) {
    w.key("id")
        .str(item)
        .key("type")
        .str("function_call")
        .key("status")
        .str(status(done))
        .key("arguments")
        .text(arguments);
    write_names(w, id, name);
}

pub fn write_custom(w: &mut Writer, item: &str, done: bool, id: &Text<'_>, name: &Text<'_>, input: &Text<'_>) {
    w.key("id").str(item).key("type").str("custom_tool_call").key("status").str(status(done)).key("input").text(input);
    write_names(w, id, name);
}

fn write_names(w: &mut Writer, id: &Text<'_>, name: &Text<'_>) {
    let (namespace, name) = unqualified(name);
    w.key("call_id").text(id).key("name").text(&name);
    if let Some(namespace) = namespace {
        w.key("namespace").text(&namespace);
    }
}
