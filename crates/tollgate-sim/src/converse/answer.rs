//! Converse's answers: one document, or the messages of an event stream.

use std::iter;

use bytes::Bytes;
use serde_json::{Value, json};

use crate::aws::eventstream::message;
use crate::faults::Piece;
use crate::messages::signature;
use crate::prompt::{PromptCache, PromptTokens};
use crate::script::{Answer, Arguments, Finish, Part, ToolCall, Usage, huge_arguments, pieces as cut};

/// What counts as the prompt.
fn prompt_text(body: &Value) -> String {
    format!("{}{}{}", body["toolConfig"], body["system"], body["messages"])
}

pub(crate) fn whole(body: &Value, answer: &Answer, prompts: &PromptCache) -> Value {
    let content: Vec<Value> = answer.parts.iter().filter_map(block).collect();
    let mut out = json!({
        "output": {"message": {"role": "assistant", "content": content}},
        "metrics": {"latencyMs": 7},
    });
    if let Some(reason) = stop_reason(answer) {
        ended(&mut out, body, reason);
    }
    if let Some(usage) = Counts::of(body, answer, prompts).say(&answer.usage) {
        out["usage"] = usage;
    }
    out
}

fn block(part: &Part) -> Option<Value> {
    Some(match part {
        Part::Text(text) => json!({"text": text}),
        Part::Thinking(text) => {
            json!({"reasoningContent": {"reasoningText": {"text": text, "signature": signature(text)}}})
        }
        Part::Tool(call) => called(call),
        Part::HugeTool { id, name, bytes } => {
            let arguments = Arguments::Text(huge_arguments(*bytes).collect());
            called(&ToolCall { id: id.clone(), name: name.clone(), arguments })
        }
        Part::Block(block) => block.get("reasoningContent").map(|_| block.clone())?,
    })
}

fn called(call: &ToolCall) -> Value {
    let input: Value = serde_json::from_str(&call.arguments.text()).unwrap_or_else(|_| json!({}));
    json!({"toolUse": {"toolUseId": call.id, "name": call.name, "input": input}})
}

fn stop_reason(answer: &Answer) -> Option<Value> {
    match &answer.finish {
        Finish::Auto if answer.calls_tools() => Some(json!("tool_use")),
        Finish::Auto => Some(json!("end_turn")),
        Finish::Given(reason) => Some(json!(reason)),
        Finish::Null | Finish::Missing => None,
    }
}

/// Of the model's own answer comes what was asked for.
fn ended(out: &mut Value, body: &Value, reason: Value) {
    let asked = body["additionalModelResponseFieldPaths"]
        .as_array()
        .is_some_and(|paths| paths.contains(&json!("/stop_sequence")));
    if asked && reason == "stop_sequence" {
        out["additionalModelResponseFields"] = json!({"stop_sequence": body["inferenceConfig"]["stopSequences"][0]});
    }
    out["stopReason"] = reason;
}

/// The messages of a stream. Texts and thoughts have no event that begins them; the usage comes last.
pub(crate) fn pieces(body: &Value, answer: &Answer, prompts: &PromptCache) -> Vec<Piece> {
    let counts = Counts::of(body, answer, prompts);
    let mut out = vec![event("messageStart", &json!({"role": "assistant"}))];
    for (index, part) in answer.parts.iter().filter(|part| block(part).is_some()).enumerate() {
        out.extend(part_events(index, part, answer.piece_chars));
        out.push(event("contentBlockStop", &json!({"contentBlockIndex": index})));
    }
    if let Some(reason) = stop_reason(answer) {
        let mut stop = json!({});
        ended(&mut stop, body, reason);
        out.push(event("messageStop", &stop));
        let mut metadata = json!({"metrics": {"latencyMs": 7}});
        if let Some(usage) = counts.say(&answer.usage) {
            metadata["usage"] = usage;
        }
        out.push(event("metadata", &metadata));
    }
    out.into_iter().map(Piece::Bytes).collect()
}

fn part_events(index: usize, part: &Part, chars: usize) -> Vec<Bytes> {
    let delta = |delta: Value| event("contentBlockDelta", &json!({"contentBlockIndex": index, "delta": delta}));
    let start = |id: &str, name: &str| {
        let start = json!({"toolUse": {"toolUseId": id, "name": name}});
        event("contentBlockStart", &json!({"contentBlockIndex": index, "start": start}))
    };
    let input = |json: String| delta(json!({"toolUse": {"input": json}}));
    match part {
        Part::Text(text) => cut(text, chars).into_iter().map(|text| delta(json!({"text": text}))).collect(),
        Part::Thinking(text) => cut(text, chars)
            .into_iter()
            .map(|text| json!({"text": text}))
            .chain(iter::once(json!({"signature": signature(text)})))
            .map(|piece| delta(json!({"reasoningContent": piece})))
            .collect(),
        Part::Tool(call) => iter::once(start(&call.id, &call.name))
            .chain(cut(&call.arguments.text(), chars).into_iter().map(input))
            .collect(),
        Part::HugeTool { id, name, bytes } => {
            iter::once(start(id, name)).chain(huge_arguments(*bytes).map(input)).collect()
        }
        Part::Block(block) => vec![delta(block.clone())],
    }
}

/// One event. Payloads are padded, so that their lengths tell nothing of their contents.
fn event(name: &str, payload: &Value) -> Bytes {
    let mut payload = payload.clone();
    payload["p"] = json!("abcdefghij");
    let headers = [(":event-type", name), (":content-type", "application/json"), (":message-type", "event")];
    message(&headers, payload.to_string().as_bytes())
}

#[derive(Debug, Clone, Copy)]
struct Counts {
    prompt: PromptTokens,
    output: u64,
}

impl Counts {
    fn of(body: &Value, answer: &Answer, prompts: &PromptCache) -> Self {
        let text = prompt_text(body);
        // Only what stands before the last cache point is kept.
        let cacheable = text.rfind("cachePoint").unwrap_or(0);
        Self { prompt: prompts.count(&text, cacheable), output: answer.tokens().0 }
    }

    /// The input leaves out what the cache had and got.
    fn say(&self, form: &Usage) -> Option<Value> {
        let PromptTokens { total, cached, written } = self.prompt;
        let fresh = total - cached - written;
        match form {
            Usage::Normal | Usage::EveryChunk | Usage::OnFinish => Some(json!({
                "inputTokens": fresh, "outputTokens": self.output, "totalTokens": total + self.output,
                "cacheReadInputTokens": cached, "cacheWriteInputTokens": written})),
            Usage::Missing => None,
            Usage::Null => Some(Value::Null),
            Usage::Empty => Some(json!({})),
            Usage::Strings => Some(json!({"inputTokens": fresh.to_string(), "outputTokens": self.output.to_string()})),
            Usage::Floats => Some(json!({"inputTokens": fresh as f64 + 0.5, "outputTokens": self.output as f64 + 0.5})),
            Usage::TotalOnly => Some(json!({"totalTokens": total + self.output})),
            Usage::Exact(value) => Some(value.clone()),
        }
    }
}
