//! Anthropic's answers: one message, or the events of a stream.

use std::iter::once;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::signature;
use crate::faults::Frame;
use crate::prompt::{PromptCache, PromptTokens};
use crate::script::{Answer, Finish, Part, Usage, huge_arguments, pieces};

/// The prompt as text, and how many of its bytes end at the last cache breakpoint.
fn prompt_text(body: &Value) -> (String, usize) {
    let mut text = String::new();
    let mut breakpoint = 0;
    let mut add = |block: &Value| {
        let mut plain = block.clone();
        let marked = plain.as_object_mut().is_some_and(|block| block.shift_remove("cache_control").is_some());
        text.push_str(&plain.to_string());
        if marked {
            breakpoint = text.len();
        }
    };
    let mut add_all = |content: &Value| match content {
        Value::Array(blocks) => blocks.iter().for_each(&mut add),
        Value::Null => {}
        // A plain string is short for one text block.
        other => add(&json!({"type": "text", "text": other})),
    };
    add_all(&body["tools"]);
    add_all(&body["system"]);
    for message in body["messages"].as_array().map_or(&[][..], Vec::as_slice) {
        add_all(&message["content"]);
    }
    if body["cache_control"].is_object() {
        breakpoint = text.len();
    }
    (text, breakpoint)
}

/// The size of the prompt.
pub(crate) fn tokens(body: &Value) -> u64 {
    (prompt_text(body).0.len() as u64 / 4).max(1)
}

fn stop_reason(answer: &Answer) -> Value {
    match &answer.finish {
        Finish::Auto if answer.calls_tools() => json!("tool_use"),
        Finish::Auto => json!("end_turn"),
        Finish::Given(reason) => json!(reason),
        Finish::Null | Finish::Missing => Value::Null,
    }
}

/// An answer that ends at one of the request's stop sequences says which: the first.
fn stop_sequence(body: &Value, reason: &Value) -> Value {
    if reason == "stop_sequence" { body["stop_sequences"][0].clone() } else { Value::Null }
}

fn message(body: &Value, answer: &Answer, content: Vec<Value>, stop_reason: Value) -> Value {
    let model = answer.model.as_ref().map_or_else(|| body["model"].clone(), |model| json!(model));
    // Claude Code takes two messages of one id to be parts of one.
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let id = format!("msg_sim{:08}", NEXT.fetch_add(1, Ordering::Relaxed));
    json!({"id": id, "type": "message", "role": "assistant", "model": model, "content": content,
        "stop_sequence": stop_sequence(body, &stop_reason), "stop_reason": stop_reason})
}

pub(crate) fn whole(body: &Value, answer: &Answer, prompts: &PromptCache) -> Value {
    let input = |text: &str| serde_json::from_str::<Value>(text).unwrap_or_else(|_| json!({}));
    let block = |part: &Part| match part {
        Part::Text(text) => json!({"type": "text", "text": text}),
        Part::Thinking(text) => json!({"type": "thinking", "thinking": text, "signature": signature(text)}),
        Part::Tool(call) => {
            json!({"type": "tool_use", "id": call.id, "name": call.name, "input": input(&call.arguments.text())})
        }
        Part::HugeTool { id, name, bytes } => {
            let arguments: String = huge_arguments(*bytes).collect();
            json!({"type": "tool_use", "id": id, "name": name, "input": input(&arguments)})
        }
        Part::Block(block) => block.clone(),
    };
    let content = answer.parts.iter().map(block).collect();
    let mut out = message(body, answer, content, stop_reason(answer));
    let counts = Counts::of(body, answer, prompts);
    if let Some(usage) = counts.say(&answer.usage, counts.output) {
        out["usage"] = usage;
    }
    out
}

type Events = Box<dyn Iterator<Item = Value> + Send>;

/// The events of one block, made while they are sent.
fn block_events(index: usize, part: &Part, chars: usize) -> Events {
    let delta = move |delta: Value| json!({"type": "content_block_delta", "index": index, "delta": delta});
    let input = move |piece: String| delta(json!({"type": "input_json_delta", "partial_json": piece}));
    let tool = |id: &str, name: &str| json!({"type": "tool_use", "id": id, "name": name, "input": {}});
    let (start, deltas): (Value, Events) = match part {
        Part::Text(text) => {
            let each = pieces(text, chars).into_iter();
            (
                json!({"type": "text", "text": ""}),
                Box::new(each.map(move |piece| delta(json!({"type": "text_delta", "text": piece})))),
            )
        }
        Part::Thinking(text) => {
            let each = pieces(text, chars).into_iter();
            let thoughts = each.map(move |piece| delta(json!({"type": "thinking_delta", "thinking": piece})));
            let signed = once(delta(json!({"type": "signature_delta", "signature": signature(text)})));
            (json!({"type": "thinking", "thinking": "", "signature": ""}), Box::new(thoughts.chain(signed)))
        }
        Part::Tool(call) => {
            let each = pieces(&call.arguments.text(), chars).into_iter();
            (tool(&call.id, &call.name), Box::new(each.map(input)))
        }
        Part::HugeTool { id, name, bytes } => (tool(id, name), Box::new(huge_arguments(*bytes).map(input))),
        Part::Block(block) => (block.clone(), Box::new(std::iter::empty())),
    };
    let start = json!({"type": "content_block_start", "index": index, "content_block": start});
    let stop = json!({"type": "content_block_stop", "index": index});
    Box::new(once(start).chain(deltas).chain(once(stop)))
}

pub(crate) fn frames(
    body: &Value,
    answer: Answer,
    prompts: &PromptCache,
) -> impl Iterator<Item = Frame> + Send + use<> {
    let counts = Counts::of(body, &answer, prompts);
    let mut start = json!({"type": "message_start", "message": message(body, &answer, Vec::new(), Value::Null)});
    if let Some(usage) = counts.say(&answer.usage, 1) {
        start["message"]["usage"] = usage;
    }
    let chars = answer.piece_chars;
    let blocks = answer.parts.iter().enumerate().map(|(i, part)| block_events(i, part, chars));
    let blocks: Vec<Events> = blocks.collect();
    let mut end = Vec::new();
    if answer.finish != Finish::Missing {
        let reason = stop_reason(&answer);
        let sequence = stop_sequence(body, &reason);
        let mut delta = json!({"type": "message_delta", "delta": {"stop_reason": reason, "stop_sequence": sequence}});
        if let Some(usage) = counts.say(&answer.usage, counts.output) {
            delta["usage"] = usage;
        }
        end.push(delta);
    }
    end.push(json!({"type": "message_stop"}));
    let events = once(start).chain(once(json!({"type": "ping"}))).chain(blocks.into_iter().flatten()).chain(end);
    events.map(|event| Frame { event: event_name(&event), data: event.to_string() })
}

fn event_name(event: &Value) -> Option<&'static str> {
    const NAMES: [&str; 7] = [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ];
    NAMES.into_iter().find(|name| event["type"] == *name)
}

#[derive(Debug, Clone, Copy)]
struct Counts {
    prompt: PromptTokens,
    output: u64,
    thinking: u64,
}

impl Counts {
    fn of(body: &Value, answer: &Answer, prompts: &PromptCache) -> Self {
        let (text, breakpoint) = prompt_text(body);
        let (output, thinking) = answer.tokens();
        Self { prompt: prompts.count(&text, breakpoint), output, thinking }
    }

    /// Anthropic's usage object: `input_tokens` leaves out what was read from or written to the cache.
    fn say(&self, form: &Usage, output: u64) -> Option<Value> {
        let PromptTokens { total, cached, written } = self.prompt;
        let input = total.saturating_sub(cached + written);
        match form {
            Usage::Normal | Usage::EveryChunk | Usage::OnFinish => Some(json!({
                "input_tokens": input, "cache_read_input_tokens": cached, "cache_creation_input_tokens": written,
                "output_tokens": output, "output_tokens_details": {"thinking_tokens": self.thinking}})),
            Usage::Missing => None,
            Usage::Null => Some(Value::Null),
            Usage::Empty => Some(json!({})),
            Usage::Strings => Some(json!({"input_tokens": input.to_string(), "output_tokens": output.to_string()})),
            Usage::Floats => Some(json!({"input_tokens": input as f64 + 0.5, "output_tokens": output as f64 + 0.5})),
            Usage::TotalOnly => Some(json!({"total_tokens": total + output})),
            Usage::Exact(value) => Some(value.clone()),
        }
    }
}

#[cfg(test)]
mod tests;
