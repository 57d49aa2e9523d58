//! The answers: one response, or the events of a stream.

use std::hash::{DefaultHasher, Hasher};
use std::iter::once;

use serde_json::{Value, json};

use super::encrypted;
use crate::faults::Frame;
use crate::prompt::{PromptCache, PromptTokens};
use crate::script::{Answer, Finish, Part, Usage, huge_arguments, pieces};

pub(super) const CREATED: u64 = 1_795_000_000;

/// Encrypted reasoning is given to those who ask for it.
fn wants_encrypted(body: &Value) -> bool {
    body["include"].as_array().is_some_and(|list| list.iter().any(|value| value == "reasoning.encrypted_content"))
}

/// The item that a part is in the output.
fn item(part: &Part, index: usize, encrypts: bool) -> Value {
    match part {
        Part::Text(text) => json!({"id": format!("msg_sim{index}"), "type": "message", "status": "completed",
            "role": "assistant", "content": [{"type": "output_text", "text": text, "annotations": [], "logprobs": []}]}),
        Part::Thinking(text) => {
            let content = if encrypts { json!(encrypted(text)) } else { Value::Null };
            json!({"id": format!("rs_sim{index}"), "type": "reasoning",
                "summary": [{"type": "summary_text", "text": text}], "encrypted_content": content})
        }
        Part::Tool(call) => function_call(index, &call.id, &call.name, &call.arguments.text()),
        Part::HugeTool { id, name, bytes } => {
            function_call(index, id, name, &huge_arguments(*bytes).collect::<String>())
        }
        Part::Block(item) => item.clone(),
    }
}

fn function_call(index: usize, id: &str, name: &str, arguments: &str) -> Value {
    json!({"id": format!("fc_sim{index}"), "type": "function_call", "status": "completed", "call_id": id,
        "name": name, "arguments": arguments})
}

/// The status, and why the answer is incomplete: `length` and `content_filter` as a script says it of any provider.
fn ending(answer: &Answer) -> (&'static str, Value) {
    match &answer.finish {
        Finish::Given(reason) if reason == "length" => ("incomplete", json!({"reason": "max_output_tokens"})),
        Finish::Given(reason) if reason == "content_filter" => ("incomplete", json!({"reason": "content_filter"})),
        _ => ("completed", Value::Null),
    }
}

/// Another one for every other request.
pub(super) fn response_id(body: &Value) -> String {
    let mut hasher = DefaultHasher::new();
    hasher.write(body.to_string().as_bytes());
    format!("resp_sim{:016x}", hasher.finish())
}

fn response(body: &Value, answer: &Answer, output: Vec<Value>, status: &str, usage: Value) -> Value {
    let model = answer.model.as_ref().map_or_else(|| body["model"].clone(), |model| json!(model));
    json!({"id": response_id(body), "object": "response", "created_at": CREATED, "status": status, "error": null,
        "incomplete_details": null, "model": model, "output": output, "parallel_tool_calls": true,
        "store": body["store"], "tools": [], "tool_choice": "auto", "usage": usage, "metadata": {}})
}

pub(crate) fn whole(body: &Value, answer: &Answer, prompts: &PromptCache) -> Value {
    let encrypts = wants_encrypted(body);
    let output = answer.parts.iter().enumerate().map(|(i, part)| item(part, i, encrypts)).collect();
    let (status, details) = ending(answer);
    let usage = usage(body, answer, prompts);
    let mut out = response(body, answer, output, status, usage.clone().unwrap_or(Value::Null));
    if usage.is_none() {
        drop(out.as_object_mut().and_then(|out| out.shift_remove("usage")));
    }
    out["incomplete_details"] = details;
    out
}

type Events = Box<dyn Iterator<Item = Value> + Send>;

/// The events of one item, made while they are sent.
fn item_events(index: usize, part: &Part, chars: usize, encrypts: bool) -> Events {
    let done = item(part, index, encrypts);
    let id = done["id"].clone();
    let at = move |kind: &str, more: Value| {
        let mut event = json!({"type": format!("response.{kind}"), "item_id": id, "output_index": index});
        if let (Value::Object(event), Value::Object(more)) = (&mut event, more) {
            event.extend(more);
        }
        event
    };
    let mut added = done.clone();
    let inner: Events = match part {
        Part::Text(text) => {
            added["content"] = json!([]);
            added["status"] = json!("in_progress");
            let part = json!({"type": "output_text", "text": "", "annotations": []});
            let (begin, whole) = (json!({"content_index": 0, "part": part}), json!({"content_index": 0, "text": text}));
            let first = at("content_part.added", begin);
            let deltas: Vec<Value> = pieces(text, chars)
                .into_iter()
                .map(|piece| at("output_text.delta", json!({"content_index": 0, "delta": piece, "logprobs": []})))
                .collect();
            let last = [at("output_text.done", whole), at("content_part.done", json!({"content_index": 0}))];
            Box::new(once(first).chain(deltas).chain(last))
        }
        Part::Thinking(text) => {
            added["summary"] = json!([]);
            added["encrypted_content"] = Value::Null;
            let first = at("reasoning_summary_part.added", json!({"summary_index": 0}));
            let deltas: Vec<Value> = pieces(text, chars)
                .into_iter()
                .map(|piece| at("reasoning_summary_text.delta", json!({"summary_index": 0, "delta": piece})))
                .collect();
            let last = [
                at("reasoning_summary_text.done", json!({"summary_index": 0, "text": text})),
                at("reasoning_summary_part.done", json!({"summary_index": 0})),
            ];
            Box::new(once(first).chain(deltas).chain(last))
        }
        Part::Tool(call) => {
            added["arguments"] = json!("");
            let text = call.arguments.text();
            let deltas: Vec<Value> = pieces(&text, chars)
                .into_iter()
                .map(|piece| at("function_call_arguments.delta", json!({"delta": piece})))
                .collect();
            let last = at("function_call_arguments.done", json!({"arguments": text}));
            Box::new(deltas.into_iter().chain(once(last)))
        }
        Part::HugeTool { .. } | Part::Block(_) => Box::new(std::iter::empty()),
    };
    let added = json!({"type": "response.output_item.added", "output_index": index, "item": added});
    let done = json!({"type": "response.output_item.done", "output_index": index, "item": done});
    Box::new(once(added).chain(inner).chain(once(done)))
}

pub(crate) fn frames(
    body: &Value,
    answer: Answer,
    prompts: &PromptCache,
) -> impl Iterator<Item = Frame> + Send + use<> {
    let encrypts = wants_encrypted(body);
    let begun = response(body, &answer, Vec::new(), "in_progress", Value::Null);
    let opening = ["response.created", "response.in_progress"].map(|kind| json!({"type": kind, "response": begun}));
    let chars = answer.piece_chars;
    let items: Vec<Events> =
        answer.parts.iter().enumerate().map(|(i, part)| item_events(i, part, chars, encrypts)).collect();
    let last = whole(body, &answer, prompts);
    let status = last["status"].as_str().unwrap_or("completed").to_owned();
    let end =
        (answer.finish != Finish::Missing).then(|| json!({"type": format!("response.{status}"), "response": last}));
    let events = opening.into_iter().chain(items.into_iter().flatten()).chain(end);
    events.enumerate().map(|(number, mut event)| {
        event["sequence_number"] = json!(number);
        Frame { event: event_name(&event), data: event.to_string() }
    })
}

fn event_name(event: &Value) -> Option<&'static str> {
    const NAMES: [&str; 16] = [
        "response.created",
        "response.in_progress",
        "response.completed",
        "response.incomplete",
        "response.output_item.added",
        "response.output_item.done",
        "response.content_part.added",
        "response.content_part.done",
        "response.output_text.delta",
        "response.output_text.done",
        "response.reasoning_summary_part.added",
        "response.reasoning_summary_part.done",
        "response.reasoning_summary_text.delta",
        "response.reasoning_summary_text.done",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
    ];
    NAMES.into_iter().find(|name| event["type"] == *name)
}

/// OpenAI's usage object: the input includes what the cache had. `None` where the script leaves it out.
pub(super) fn usage(body: &Value, answer: &Answer, prompts: &PromptCache) -> Option<Value> {
    let prompt = format!("{}{}{}", body["tools"], body["instructions"], body["input"]);
    let PromptTokens { total, cached, .. } = prompts.count(&prompt, prompt.len());
    let (output, thinking) = answer.tokens();
    match &answer.usage {
        Usage::Missing => None,
        Usage::Null => Some(Value::Null),
        Usage::Empty => Some(json!({})),
        Usage::Strings => Some(json!({"input_tokens": total.to_string(), "output_tokens": output.to_string()})),
        Usage::Floats => Some(json!({"input_tokens": total as f64 + 0.5, "output_tokens": output as f64 + 0.5})),
        Usage::TotalOnly => Some(json!({"total_tokens": total + output})),
        Usage::Exact(value) => Some(value.clone()),
        Usage::Normal | Usage::EveryChunk | Usage::OnFinish => Some(json!({
            "input_tokens": total, "input_tokens_details": {"cached_tokens": cached}, "output_tokens": output,
            "output_tokens_details": {"reasoning_tokens": thinking}, "total_tokens": total + output})),
    }
}
