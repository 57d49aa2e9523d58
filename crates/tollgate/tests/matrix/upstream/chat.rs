//! An OpenAI-compatible chat provider that thinks, sends `reasoning_content`, wants it back, and takes PDF files.

use serde_json::{Value, json};
use tollgate_sim::{ChatStrictness, Provider, Recorded, SimConfig, Step};

use super::{Got, Item, Plays, Stop, data_url, list, openai_error, parsed, string, texts, thought};
use crate::client::Call;

pub struct Chat;

impl Plays for Chat {
    fn params(&self, base: &str) -> Value {
        json!({"model": "openai/x", "api_base": format!("{base}/v1"),
            "quirks": {"reasoning": "effort", "replay": "tool_calls", "pdf": true}})
    }

    fn sim(&self) -> SimConfig {
        let strictness = ChatStrictness::default().accepting(&["reasoning_content"]);
        SimConfig { providers: vec![Provider::Chat], ..SimConfig::default() }.chat(strictness)
    }

    fn model(&self) -> &'static str {
        "x"
    }

    fn read(&self, request: &Recorded) -> Got {
        let body = request.json();
        let mut got = Got {
            tools: list(&body["tools"])
                .iter()
                .map(|t| (string(&t["function"]["name"]), t["function"]["parameters"].clone()))
                .collect(),
            choice: match &body["tool_choice"] {
                Value::String(word) => word.clone(),
                named => string(&named["function"]["name"]),
            },
            shape: body["response_format"]["json_schema"].get("schema").cloned(),
            max_tokens: body["max_tokens"].as_u64(),
            effort: string(&body["reasoning_effort"]),
            ..Got::default()
        };
        for (i, message) in list(&body["messages"]).iter().enumerate() {
            match message["role"].as_str() {
                Some("system") if i == 0 => got.system = texts(&message["content"]),
                Some("user") => got.items.extend(user(&message["content"])),
                Some("assistant") => got.items.extend(assistant(message)),
                Some("tool") => got.items.push(Item::Result {
                    id: string(&message["tool_call_id"]),
                    text: texts(&message["content"]),
                    images: Vec::new(),
                }),
                _ => panic!("an unexpected message: {message}"),
            }
        }
        got
    }

    fn thought(&self, text: &str, _call: &Call) -> Vec<Item> {
        vec![thought(text, String::new())]
    }

    /// OpenAI's counts: the prompt has what the cache had, the completion has the thoughts.
    fn usage(&self) -> Value {
        json!({"prompt_tokens": 1300, "completion_tokens": 50, "total_tokens": 1350,
            "prompt_tokens_details": {"cached_tokens": 1000, "cache_write_tokens": 200},
            "completion_tokens_details": {"reasoning_tokens": 20}})
    }

    fn stop(&self, stop: Stop) -> Option<&'static str> {
        match stop {
            Stop::End => Some("stop"),
            Stop::Length => Some("length"),
            Stop::Refusal => Some("content_filter"),
            Stop::Sequence => None,
        }
    }

    fn error(&self, status: u16) -> Step {
        openai_error(status)
    }

    /// The role, a piece of text.
    fn opening(&self) -> usize {
        2
    }
}

fn user(content: &Value) -> Vec<Item> {
    if let Value::String(text) = content {
        return vec![Item::User(text.clone())];
    }
    let part = |part: &Value| match part["type"].as_str() {
        Some("text") => Item::User(string(&part["text"])),
        Some("image_url") => Item::Image(data_url(&part["image_url"]["url"], "image/png")),
        Some("file") => Item::Document(data_url(&part["file"]["file_data"], "application/pdf")),
        _ => panic!("an unexpected part: {part}"),
    };
    list(content).iter().map(part).collect()
}

fn assistant(message: &Value) -> Vec<Item> {
    let mut items = Vec::new();
    if let Some(text) = message["reasoning_content"].as_str() {
        items.push(Item::Thought { text: text.to_owned(), state: String::new() });
    }
    let text = texts(&message["content"]);
    if !text.is_empty() {
        items.push(Item::Said(text));
    }
    let call = |call: &Value| {
        let function = &call["function"];
        Item::Call(Call {
            id: string(&call["id"]),
            name: string(&function["name"]),
            args: parsed(&function["arguments"]),
        })
    };
    items.extend(list(&message["tool_calls"]).iter().map(call));
    items
}
