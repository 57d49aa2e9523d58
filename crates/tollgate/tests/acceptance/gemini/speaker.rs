//! Clients of all dialects that keep a conversation as they received it. They read answers as plain JSON.

use serde_json::{Value, json};

use crate::stage::MASTER_KEY;
use crate::support::Gateway;
use crate::support::http::{Answer, post};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaker {
    Messages,
    Chat,
    Responses,
    Gemini,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    Whole,
    Stream,
}

#[derive(Debug)]
pub struct Call {
    pub id: String,
    pub name: String,
    pub args: Value,
}

/// What a client makes of an answer.
#[derive(Debug)]
pub struct Turn {
    pub text: String,
    pub thoughts: String,
    pub calls: Vec<Call>,
    /// As it goes into the history; of Responses all items of it.
    pub message: Value,
    /// Output tokens.
    pub usage: u64,
}

impl Speaker {
    pub fn says(self, text: &str) -> Value {
        match self {
            Speaker::Gemini => json!({"role": "user", "parts": [{"text": text}]}),
            _ => json!({"role": "user", "content": text}),
        }
    }

    /// Every client here asks for thoughts but the chat one, whose dialect has no such wish.
    pub fn shows_thoughts(self, text: &str) -> String {
        if self == Speaker::Chat { String::new() } else { text.to_owned() }
    }

    pub fn results(self, calls: &[Call], outputs: &[&str]) -> Vec<Value> {
        let each = calls.iter().zip(outputs);
        match self {
            Speaker::Messages => {
                let result = |(call, output): (&Call, &&str)| json!({"type": "tool_result", "tool_use_id": call.id, "content": output});
                vec![json!({"role": "user", "content": each.map(result).collect::<Vec<_>>()})]
            }
            Speaker::Chat => {
                each.map(|(call, output)| json!({"role": "tool", "tool_call_id": call.id, "content": output})).collect()
            }
            Speaker::Responses => each
                .map(|(call, output)| json!({"type": "function_call_output", "call_id": call.id, "output": output}))
                .collect(),
            Speaker::Gemini => {
                let result = |(call, output): (&Call, &&str)| {
                    let mut response = json!({"name": call.name, "response": {"output": output}});
                    if !call.id.is_empty() {
                        response["id"] = json!(call.id);
                    }
                    json!({"functionResponse": response})
                };
                vec![json!({"role": "user", "parts": each.map(result).collect::<Vec<_>>()})]
            }
        }
    }

    fn body(self, form: Form, history: &[Value]) -> Value {
        let schema = json!({"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]});
        let stream = form == Form::Stream;
        match self {
            Speaker::Messages => json!({"model": "m", "max_tokens": 4000, "stream": stream, "system": "Be brief.",
                "thinking": {"type": "enabled", "budget_tokens": 2000}, "messages": history,
                "tools": [{"name": "read", "description": "Reads.", "input_schema": schema}]}),
            Speaker::Chat => {
                let mut messages = vec![json!({"role": "system", "content": "Be brief."})];
                messages.extend_from_slice(history);
                json!({"model": "m", "max_tokens": 4000, "stream": stream, "stream_options": {"include_usage": true},
                    "messages": messages,
                    "tools": [{"type": "function", "function": {"name": "read", "parameters": schema}}]})
            }
            Speaker::Responses => {
                let items: Vec<&Value> = history
                    .iter()
                    .flat_map(|item| item.as_array().map_or(std::slice::from_ref(item), Vec::as_slice))
                    .collect();
                json!({"model": "m", "max_output_tokens": 4000, "stream": stream, "store": false,
                    "instructions": "Be brief.", "input": items, "reasoning": {"effort": "low", "summary": "auto"},
                    "include": ["reasoning.encrypted_content"],
                    "tools": [{"type": "function", "name": "read", "parameters": schema}]})
            }
            Speaker::Gemini => json!({"contents": history, "systemInstruction": {"parts": [{"text": "Be brief."}]},
                "tools": [{"functionDeclarations": [{"name": "read", "parametersJsonSchema": schema}]}],
                "generationConfig": {"maxOutputTokens": 4000,
                    "thinkingConfig": {"includeThoughts": true, "thinkingBudget": 2000}}}),
        }
    }

    pub async fn ask(self, gateway: &Gateway, form: Form, history: &[Value]) -> Turn {
        let path = match (self, form) {
            (Speaker::Messages, _) => "/v1/messages",
            (Speaker::Chat, _) => "/v1/chat/completions",
            (Speaker::Responses, _) => "/v1/responses",
            (Speaker::Gemini, Form::Whole) => "/v1beta/models/m:generateContent",
            (Speaker::Gemini, Form::Stream) => "/v1beta/models/m:streamGenerateContent?alt=sse",
        };
        let header = if self == Speaker::Gemini { "x-goog-api-key" } else { "x-api-key" };
        let mut body = self.body(form, history);
        if self == Speaker::Chat && form == Form::Whole {
            body.as_object_mut().expect("an object").remove("stream_options");
        }
        let answer = post(&gateway.url(path), &[(header, MASTER_KEY)], &body).await;
        assert_eq!(answer.status, 200, "{self:?} {form:?}: {}", answer.text());
        match (self, form) {
            (Speaker::Messages, Form::Whole) => messages(answer.json()),
            (Speaker::Messages, Form::Stream) => messages(folded_messages(&answer)),
            (Speaker::Chat, Form::Whole) => chat(&answer.json()),
            (Speaker::Chat, Form::Stream) => chat(&folded_chat(&answer)),
            (Speaker::Responses, Form::Whole) => responses(&answer.json()),
            (Speaker::Responses, Form::Stream) => {
                let events = frames(&answer);
                let last = events.last().expect("an event");
                assert_eq!(last["type"], "response.completed", "{last}");
                responses(&last["response"])
            }
            (Speaker::Gemini, Form::Whole) => gemini(&[answer.json()]),
            (Speaker::Gemini, Form::Stream) => gemini(&frames(&answer)),
        }
    }
}

/// The data of every frame but chat's end mark.
pub fn frames(answer: &Answer) -> Vec<Value> {
    let text = answer.text();
    let data =
        text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).filter(|data| *data != "[DONE]");
    data.map(|data| serde_json::from_str(data).unwrap_or_else(|e| panic!("{e}: {data}"))).collect()
}

fn join<'v>(values: impl Iterator<Item = &'v Value>) -> String {
    values.filter_map(Value::as_str).collect()
}

fn messages(body: Value) -> Turn {
    let content = body["content"].as_array().cloned().unwrap_or_default();
    let of = |kind: &str| content.iter().filter(|b| b["type"] == kind).cloned().collect::<Vec<_>>();
    let call = |b: &Value| Call { id: string(&b["id"]), name: string(&b["name"]), args: b["input"].clone() };
    Turn {
        text: join(of("text").iter().map(|b| &b["text"])),
        thoughts: join(of("thinking").iter().map(|b| &b["thinking"])),
        calls: of("tool_use").iter().map(call).collect(),
        message: json!({"role": "assistant", "content": content}),
        usage: body["usage"]["output_tokens"].as_u64().unwrap_or(0),
    }
}

/// As Anthropic's SDK collects a stream.
fn folded_messages(answer: &Answer) -> Value {
    let mut blocks: Vec<Value> = Vec::new();
    let mut usage = Value::Null;
    let mut inputs: Vec<String> = Vec::new();
    for event in frames(answer) {
        match event["type"].as_str().unwrap_or("") {
            "content_block_start" => {
                blocks.push(event["content_block"].clone());
                inputs.push(String::new());
            }
            "content_block_delta" => {
                let block = blocks.last_mut().expect("an open block");
                for (delta, field) in [("text", "text"), ("thinking", "thinking"), ("signature", "signature")] {
                    if let Some(more) = event["delta"][delta].as_str() {
                        block[field] = json!(format!("{}{more}", block[field].as_str().unwrap_or("")));
                    }
                }
                inputs
                    .last_mut()
                    .expect("an open block")
                    .push_str(event["delta"]["partial_json"].as_str().unwrap_or(""));
            }
            "content_block_stop" => {
                let (block, input) = (blocks.last_mut().expect("a block"), inputs.last().expect("its input"));
                if block["type"] == "tool_use" {
                    block["input"] = serde_json::from_str(input).expect("JSON");
                }
            }
            "message_delta" => usage = event["usage"].clone(),
            "error" => panic!("{event}"),
            _ => {}
        }
    }
    json!({"content": blocks, "usage": usage})
}

fn chat(body: &Value) -> Turn {
    let message = body["choices"][0]["message"].clone();
    let calls = message["tool_calls"].as_array().cloned().unwrap_or_default();
    let args = |c: &Value| serde_json::from_str(c["function"]["arguments"].as_str().unwrap_or("")).expect("JSON");
    Turn {
        text: string(&message["content"]),
        thoughts: string(&message["reasoning_content"]),
        calls: calls
            .iter()
            .map(|c| Call { id: string(&c["id"]), name: string(&c["function"]["name"]), args: args(c) })
            .collect(),
        message,
        usage: body["usage"]["completion_tokens"].as_u64().unwrap_or(0),
    }
}

fn responses(body: &Value) -> Turn {
    let output = body["output"].as_array().cloned().unwrap_or_default();
    let of = |kind: &str| output.iter().filter(|item| item["type"] == kind).collect::<Vec<_>>();
    let texts = |kind: &str, field: &str| {
        let items = of(kind);
        join(items.iter().flat_map(|item| item[field].as_array().into_iter().flatten()).map(|part| &part["text"]))
    };
    let args = |item: &Value| serde_json::from_str(item["arguments"].as_str().unwrap_or("")).expect("JSON");
    let call = |item: &&Value| Call { id: string(&item["call_id"]), name: string(&item["name"]), args: args(item) };
    Turn {
        text: texts("message", "content"),
        thoughts: texts("reasoning", "summary"),
        calls: of("function_call").iter().map(call).collect(),
        message: json!(output),
        usage: body["usage"]["output_tokens"].as_u64().unwrap_or(0),
    }
}

/// As clients of Google's chat endpoint do it: the first piece of a call has all but its arguments.
fn folded_chat(answer: &Answer) -> Value {
    let (mut text, mut thoughts, mut usage) = (String::new(), String::new(), Value::Null);
    let mut calls: Vec<Value> = Vec::new();
    for chunk in frames(answer) {
        assert!(chunk.get("error").is_none(), "{chunk}");
        let delta = &chunk["choices"][0]["delta"];
        text.push_str(delta["content"].as_str().unwrap_or(""));
        thoughts.push_str(delta["reasoning_content"].as_str().unwrap_or(""));
        for piece in delta["tool_calls"].as_array().into_iter().flatten() {
            let index = piece["index"].as_u64().expect("an index") as usize;
            match calls.get_mut(index) {
                None => calls.push(piece.clone()),
                Some(call) => {
                    let more = piece["function"]["arguments"].as_str().unwrap_or("");
                    call["function"]["arguments"] = json!(string(&call["function"]["arguments"]) + more);
                }
            }
        }
        if chunk["usage"].is_object() {
            usage = chunk["usage"].clone();
        }
    }
    let mut message = json!({"role": "assistant", "content": text, "reasoning_content": thoughts});
    if !calls.is_empty() {
        message["tool_calls"] = json!(calls);
    }
    json!({"choices": [{"message": message}], "usage": usage})
}

/// Google's SDKs keep all parts of a stream in their order.
fn gemini(pieces: &[Value]) -> Turn {
    for piece in pieces {
        assert!(piece.get("error").is_none(), "{piece}");
    }
    let parts: Vec<Value> = pieces
        .iter()
        .flat_map(|piece| piece["candidates"][0]["content"]["parts"].as_array().cloned().unwrap_or_default())
        .filter(|part| *part != json!({"text": ""}))
        .collect();
    let last = pieces.last().expect("a piece");
    assert!(last["candidates"][0]["finishReason"].is_string(), "{last}");
    let said = |thought: bool| join(parts.iter().filter(|p| (p["thought"] == true) == thought).map(|p| &p["text"]));
    let counts = &last["usageMetadata"];
    let call = |p: &Value| {
        let call = p.get("functionCall")?;
        Some(Call { id: string(&call["id"]), name: string(&call["name"]), args: call["args"].clone() })
    };
    Turn {
        text: said(false),
        thoughts: said(true),
        calls: parts.iter().filter_map(call).collect(),
        message: json!({"role": "model", "parts": parts}),
        usage: counts["candidatesTokenCount"].as_u64().unwrap_or(0)
            + counts["thoughtsTokenCount"].as_u64().unwrap_or(0),
    }
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or("").to_owned()
}
