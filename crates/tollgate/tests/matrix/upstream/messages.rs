//! Anthropic's Messages API.

use serde_json::{Value, json};
use tollgate_sim::{Provider, Recorded, SimConfig, Step, signature};

use super::{Got, Item, Plays, Stop, WORDS, list, string, texts, thought};
use crate::client::Call;

pub struct Messages;

impl Plays for Messages {
    fn params(&self, base: &str) -> Value {
        json!({"model": "anthropic/claude-sonnet-4-6", "api_base": base})
    }

    fn sim(&self) -> SimConfig {
        SimConfig { providers: vec![Provider::Messages], ..SimConfig::default() }
    }

    fn model(&self) -> &'static str {
        "claude-sonnet-4-6"
    }

    fn read(&self, request: &Recorded) -> Got {
        let body = request.json();
        let tool = |t: &Value| (string(&t["name"]), t["input_schema"].clone());
        let mut got = Got {
            system: texts(&body["system"]),
            tools: list(&body["tools"]).iter().map(tool).collect(),
            choice: match body["tool_choice"]["type"].as_str() {
                Some("tool") => string(&body["tool_choice"]["name"]),
                word => word.unwrap_or_default().to_owned(),
            },
            shape: body["output_config"]["format"].get("schema").cloned(),
            max_tokens: body["max_tokens"].as_u64(),
            effort: string(&body["output_config"]["effort"]),
            ..Got::default()
        };
        for message in list(&body["messages"]) {
            let user = message["role"] == "user";
            match &message["content"] {
                Value::String(text) if user => got.items.push(Item::User(text.clone())),
                Value::String(text) => got.items.push(Item::Said(text.clone())),
                blocks => got.items.extend(list(blocks).iter().map(|b| block(b, user))),
            }
        }
        got
    }

    fn thought(&self, text: &str, _call: &Call) -> Vec<Item> {
        vec![thought(text, signature(text))]
    }

    /// Anthropic's counts: the input has neither what the cache had nor what was written to it.
    fn usage(&self) -> Value {
        json!({"input_tokens": 100, "cache_read_input_tokens": 1000, "cache_creation_input_tokens": 200,
            "output_tokens": 50, "output_tokens_details": {"thinking_tokens": 20}})
    }

    fn stop(&self, stop: Stop) -> Option<&'static str> {
        match stop {
            Stop::End => Some("end_turn"),
            Stop::Length => Some("max_tokens"),
            Stop::Refusal => Some("refusal"),
            Stop::Sequence => Some("stop_sequence"),
        }
    }

    fn error(&self, status: u16) -> Step {
        let (status, kind) = match status {
            400 => (400, "invalid_request_error"),
            429 => (429, "rate_limit_error"),
            _ => (529, "overloaded_error"),
        };
        let body = json!({"type": "error", "error": {"type": kind, "message": WORDS}, "request_id": "req_sim"});
        Step::json(status, &body)
    }

    /// `message_start`, a ping, the block, a piece of text.
    fn opening(&self) -> usize {
        4
    }
}

fn image(block: &Value, media_type: &str) -> String {
    let source = &block["source"];
    assert_eq!((&source["type"], &source["media_type"]), (&json!("base64"), &json!(media_type)), "{block}");
    string(&source["data"])
}

fn block(block: &Value, user: bool) -> Item {
    match block["type"].as_str() {
        Some("text") if user => Item::User(string(&block["text"])),
        Some("text") => Item::Said(string(&block["text"])),
        Some("image") => Item::Image(image(block, "image/png")),
        Some("document") => Item::Document(image(block, "application/pdf")),
        Some("thinking") => Item::Thought { text: string(&block["thinking"]), state: string(&block["signature"]) },
        Some("tool_use") => {
            Item::Call(Call { id: string(&block["id"]), name: string(&block["name"]), args: block["input"].clone() })
        }
        Some("tool_result") => {
            let content = &block["content"];
            let images = list(content).iter().filter(|b| b["type"] == "image").map(|b| image(b, "image/png")).collect();
            let text = match content {
                Value::String(text) => text.clone(),
                blocks => list(blocks).iter().map(|b| string(&b["text"])).collect(),
            };
            Item::Result { id: string(&block["tool_use_id"]), text, images }
        }
        _ => panic!("an unexpected block: {block}"),
    }
}
