//! A chat provider's answers: one JSON document, or the frames of a stream.

use std::iter::once;

use serde_json::{Map, Value, json};

use crate::faults::Frame;
use crate::prompt::{PromptCache, PromptTokens};
use crate::script::{Answer, Arguments, Finish, Part, Thinking, ToolCall, ToolDeltas, Usage, huge_arguments, pieces};

const CREATED: u64 = 1_795_000_000;

/// What counts as the prompt: tools first, as servers render them.
pub(super) fn prompt_text(body: &Value) -> String {
    format!("{}{}", body["tools"], body["messages"])
}

pub(crate) fn whole(body: &Value, answer: &Answer, prompts: &PromptCache) -> Value {
    let (mut text, mut thought, mut calls) = (String::new(), String::new(), Vec::new());
    for part in &answer.parts {
        match part {
            Part::Text(part) => text.push_str(part),
            Part::Thinking(part) if answer.thinking == Thinking::Tags => {
                text.push_str(&format!("<think>{part}</think>"));
            }
            Part::Thinking(part) => thought.push_str(part),
            Part::Tool(call) => calls.push(whole_call(call, calls.len(), answer.tool_deltas)),
            Part::HugeTool { id, name, bytes } => {
                let arguments = huge_arguments(*bytes).collect();
                let call = ToolCall { id: id.clone(), name: name.clone(), arguments: Arguments::Text(arguments) };
                calls.push(whole_call(&call, calls.len(), answer.tool_deltas));
            }
            Part::Block(_) => {}
        }
    }
    let mut message = json!({"role": "assistant", "content": text});
    if text.is_empty() {
        message["content"] = Value::Null;
    }
    if !calls.is_empty() {
        // An index belongs to streams only.
        calls.iter_mut().filter_map(Value::as_object_mut).for_each(|call| drop(call.shift_remove("index")));
        message["tool_calls"] = Value::Array(calls);
    }
    if !thought.is_empty() {
        extend(&mut message, thinking_fields(&thought, answer.thinking));
    }
    let mut choice = json!({"index": 0, "message": message, "logprobs": null});
    if let Some(finish) = finish(answer) {
        choice["finish_reason"] = finish;
    }
    let mut out = json!({"id": "chatcmpl-sim", "object": "chat.completion", "created": CREATED,
        "model": model(body, answer), "choices": [choice]});
    let counts = Counts::of(body, answer, prompts);
    if let Some(usage) = counts.say(&answer.usage) {
        out["usage"] = usage;
    }
    out
}

fn model(body: &Value, answer: &Answer) -> Value {
    answer.model.as_ref().map_or_else(|| body["model"].clone(), |model| json!(model))
}

/// `None` when the answer has no finish at all.
fn finish(answer: &Answer) -> Option<Value> {
    match &answer.finish {
        Finish::Auto if answer.calls_tools() => Some(json!("tool_calls")),
        Finish::Auto => Some(json!("stop")),
        Finish::Given(reason) => Some(json!(reason)),
        Finish::Null => Some(Value::Null),
        Finish::Missing => None,
    }
}

fn thinking_fields(text: &str, form: Thinking) -> Value {
    match form {
        Thinking::ReasoningContent => json!({"reasoning_content": text}),
        Thinking::Reasoning => json!({"reasoning": text}),
        Thinking::Details => json!({"reasoning": text, "reasoning_details":
            [{"type": "reasoning.text", "text": text, "format": "unknown", "index": 0}]}),
        Thinking::Tags => json!({"content": text}),
    }
}

fn extend(object: &mut Value, fields: Value) {
    if let (Value::Object(object), Value::Object(fields)) = (object, fields) {
        object.extend(fields);
    }
}

/// A call with its whole arguments, as in a JSON document or in a stream's only chunk for it.
fn whole_call(call: &ToolCall, index: usize, form: ToolDeltas) -> Value {
    let mut out = call_head(call, index, form);
    let function = &mut out["function"];
    match &call.arguments {
        Arguments::Text(text) => function["arguments"] = json!(text),
        Arguments::Object(value) => function["arguments"] = value.clone(),
        Arguments::Null => function["arguments"] = Value::Null,
        Arguments::Missing => {}
    }
    out
}

fn call_head(call: &ToolCall, index: usize, form: ToolDeltas) -> Value {
    let mut out = Map::new();
    if form != ToolDeltas::NoIndex {
        out.insert("index".to_owned(), json!(index));
    }
    match form {
        ToolDeltas::NoId => {}
        ToolDeltas::EmptyId => drop(out.insert("id".to_owned(), json!(""))),
        _ => drop(out.insert("id".to_owned(), json!(call.id))),
    }
    out.insert("type".to_owned(), json!("function"));
    out.insert("function".to_owned(), json!({"name": call.name}));
    Value::Object(out)
}

/// The deltas of one call.
fn call_deltas(call: &ToolCall, index: usize, form: ToolDeltas, piece_chars: usize) -> Vec<Value> {
    let Arguments::Text(text) = &call.arguments else { return vec![whole_call(call, index, form)] };
    if form == ToolDeltas::Whole {
        return vec![whole_call(call, index, form)];
    }
    let mut first = call_head(call, index, form);
    first["function"]["arguments"] = json!("");
    let mut out = vec![first.clone()];
    for piece in pieces(text, piece_chars) {
        out.push(argument_delta(&first, &piece, index, form));
    }
    out
}

fn argument_delta(first: &Value, piece: &str, index: usize, form: ToolDeltas) -> Value {
    match form {
        ToolDeltas::Repeated => {
            let mut delta = first.clone();
            delta["function"]["arguments"] = json!(piece);
            delta
        }
        ToolDeltas::NoIndex => json!({"function": {"arguments": piece}}),
        _ => json!({"index": index, "function": {"arguments": piece}}),
    }
}

type Deltas = Box<dyn Iterator<Item = Value> + Send>;

/// The deltas of all parts, made while they are sent.
fn deltas(answer: &Answer) -> Deltas {
    let (mut out, mut calls): (Vec<Deltas>, Vec<Vec<Value>>) = (Vec::new(), Vec::new());
    let content = |text: &str| -> Deltas {
        Box::new(pieces(text, answer.piece_chars).into_iter().map(|piece| json!({"content": piece})))
    };
    for part in &answer.parts {
        match part {
            Part::Text(text) => out.push(content(text)),
            Part::Thinking(text) if answer.thinking == Thinking::Tags => {
                out.push(content(&format!("<think>{text}</think>")));
            }
            Part::Thinking(text) => {
                let form = answer.thinking;
                let each = pieces(text, answer.piece_chars).into_iter();
                out.push(Box::new(each.map(move |piece| thinking_fields(&piece, form))));
            }
            Part::Tool(call) => calls.push(call_deltas(call, calls.len(), answer.tool_deltas, answer.piece_chars)),
            Part::HugeTool { id, name, bytes } => {
                let call = ToolCall { id: id.clone(), name: name.clone(), arguments: Arguments::Missing };
                let index = calls.len();
                let head = call_head(&call, index, answer.tool_deltas);
                let rest =
                    huge_arguments(*bytes).map(move |piece| json!({"index": index, "function": {"arguments": piece}}));
                out.push(Box::new(once(head).chain(rest).map(|call| json!({"tool_calls": [call]}))));
            }
            Part::Block(_) => {}
        }
    }
    let ordered = if answer.tool_deltas == ToolDeltas::Interleaved { interleave(calls) } else { calls.concat() };
    out.push(Box::new(ordered.into_iter().map(|call| json!({"tool_calls": [call]}))));
    Box::new(out.into_iter().flatten())
}

fn interleave(calls: Vec<Vec<Value>>) -> Vec<Value> {
    let longest = calls.iter().map(Vec::len).max().unwrap_or(0);
    (0..longest).flat_map(|i| calls.iter().filter_map(move |call| call.get(i).cloned()).collect::<Vec<_>>()).collect()
}

pub(crate) fn frames(
    body: &Value,
    answer: Answer,
    prompts: &PromptCache,
) -> impl Iterator<Item = Frame> + Send + use<> {
    let counts = Counts::of(body, &answer, prompts);
    let include_usage = body["stream_options"]["include_usage"] == true;
    let base = json!({"id": "chatcmpl-sim", "object": "chat.completion.chunk", "created": CREATED,
        "model": model(body, &answer)});
    let in_every = answer.usage == Usage::EveryChunk;
    let chunk = move |choices: Value, usage: Option<Value>| {
        let mut chunk = base.clone();
        chunk["choices"] = choices;
        match usage {
            Some(usage) => chunk["usage"] = usage,
            None if in_every => chunk["usage"] = counts.vendor(),
            None if include_usage => chunk["usage"] = Value::Null,
            None => {}
        }
        Frame { event: None, data: chunk.to_string() }
    };
    let choice =
        |delta: Value, finish: Value| json!([{"index": 0, "delta": delta, "logprobs": null, "finish_reason": finish}]);
    let first = chunk(choice(json!({"role": "assistant", "content": ""}), Value::Null), None);

    let on_finish = answer.usage == Usage::OnFinish;
    let mut last = Vec::new();
    if let Some(reason) = finish(&answer) {
        last.push(chunk(choice(json!({}), reason), on_finish.then(|| counts.vendor())));
    }
    if include_usage && !on_finish {
        last.extend(counts.say(&answer.usage).map(|usage| chunk(json!([]), Some(usage))));
    }
    last.push(Frame { event: None, data: "[DONE]".to_owned() });

    let middle = deltas(&answer).map(move |delta| chunk(choice(delta, Value::Null), None));
    once(first).chain(middle).chain(last)
}

#[derive(Debug, Clone, Copy)]
struct Counts {
    prompt: PromptTokens,
    completion: u64,
    thinking: u64,
}

impl Counts {
    fn of(body: &Value, answer: &Answer, prompts: &PromptCache) -> Self {
        let text = prompt_text(body);
        // The closing bracket of the list is not a prefix of the next turn.
        let prompt = prompts.count(&text, text.len().saturating_sub(1));
        let (completion, thinking) = answer.tokens();
        Self { prompt, completion, thinking }
    }

    /// OpenAI's usage object: the prompt includes what was cached, the completion includes thinking.
    fn vendor(&self) -> Value {
        json!({"prompt_tokens": self.prompt.total, "completion_tokens": self.completion,
            "total_tokens": self.prompt.total + self.completion,
            "prompt_tokens_details": {"cached_tokens": self.prompt.cached},
            "completion_tokens_details": {"reasoning_tokens": self.thinking}})
    }

    fn say(&self, form: &Usage) -> Option<Value> {
        let (prompt, completion) = (self.prompt.total, self.completion);
        let total = prompt + completion;
        match form {
            Usage::Normal | Usage::EveryChunk | Usage::OnFinish => Some(self.vendor()),
            Usage::Missing => None,
            Usage::Null => Some(Value::Null),
            Usage::Empty => Some(json!({})),
            Usage::Strings => Some(json!({"prompt_tokens": prompt.to_string(),
                "completion_tokens": completion.to_string(), "total_tokens": total.to_string()})),
            Usage::Floats => Some(json!({"prompt_tokens": prompt as f64 + 0.5,
                "completion_tokens": completion as f64 + 0.5, "total_tokens": total as f64 + 1.0})),
            Usage::TotalOnly => Some(json!({"total_tokens": total})),
            Usage::Exact(value) => Some(value.clone()),
        }
    }
}

#[cfg(test)]
mod tests;
