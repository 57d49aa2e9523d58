//! OpenAI's Responses API, with a model that thinks.

use serde_json::{Value, json};
use tollgate_sim::{Provider, Recorded, SimConfig, Step, encrypted};

use super::{Got, Item, Plays, Stop, data_url, list, openai_error, parsed, string, texts, thought};
use crate::client::Call;

pub struct Responses;

impl Plays for Responses {
    fn params(&self, base: &str) -> Value {
        json!({"model": "openai/x", "api_base": format!("{base}/v1"), "api_mode": "responses", "reasoning": "effort",
            "quirks": {"pdf": true}})
    }

    fn sim(&self) -> SimConfig {
        SimConfig { providers: vec![Provider::Responses], ..SimConfig::default() }
    }

    fn model(&self) -> &'static str {
        "x"
    }

    fn read(&self, request: &Recorded) -> Got {
        let body = request.json();
        let tool = |t: &Value| (string(&t["name"]), t["parameters"].clone());
        let mut got = Got {
            system: string(&body["instructions"]),
            tools: list(&body["tools"]).iter().map(tool).collect(),
            choice: match &body["tool_choice"] {
                Value::String(word) => word.clone(),
                named => string(&named["name"]),
            },
            shape: body["text"]["format"].get("schema").cloned(),
            max_tokens: body["max_output_tokens"].as_u64(),
            effort: string(&body["reasoning"]["effort"]),
            ..Got::default()
        };
        got.items.extend(list(&body["input"]).iter().flat_map(item));
        got
    }

    fn thought(&self, text: &str, _call: &Call) -> Vec<Item> {
        vec![thought(text, encrypted(text))]
    }

    fn usage(&self) -> Value {
        json!({"input_tokens": 1300, "output_tokens": 50, "total_tokens": 1350,
            "input_tokens_details": {"cached_tokens": 1000, "cache_write_tokens": 200},
            "output_tokens_details": {"reasoning_tokens": 20}})
    }

    /// As the simulated provider's scripts say it: a response has a status, and a reason if it is incomplete.
    fn stop(&self, stop: Stop) -> Option<&'static str> {
        match stop {
            Stop::End => Some("completed"),
            Stop::Length => Some("length"),
            Stop::Refusal => Some("content_filter"),
            Stop::Sequence => None,
        }
    }

    fn error(&self, status: u16) -> Step {
        openai_error(status)
    }

    /// `created`, `in_progress`, the item, its part, a piece of text.
    fn opening(&self) -> usize {
        5
    }
}

fn item(item: &Value) -> Vec<Item> {
    match item["type"].as_str().unwrap_or("message") {
        "message" if item["role"] == "user" => content(&item["content"]),
        "message" if item["role"] == "assistant" => vec![Item::Said(texts(&item["content"]))],
        "reasoning" => {
            vec![Item::Thought { text: texts(&item["summary"]), state: string(&item["encrypted_content"]) }]
        }
        "function_call" => vec![Item::Call(Call {
            id: string(&item["call_id"]),
            name: string(&item["name"]),
            args: parsed(&item["arguments"]),
        })],
        "function_call_output" => {
            let images = list(&item["output"]).iter().filter(|part| part["type"] == "input_image");
            let images = images.map(|part| data_url(&part["image_url"], "image/png")).collect();
            let text = match &item["output"] {
                Value::String(text) => text.clone(),
                parts => list(parts).iter().map(|part| string(&part["text"])).collect(),
            };
            vec![Item::Result { id: string(&item["call_id"]), text, images }]
        }
        _ => panic!("an unexpected item: {item}"),
    }
}

fn content(content: &Value) -> Vec<Item> {
    if let Value::String(text) = content {
        return vec![Item::User(text.clone())];
    }
    let part = |part: &Value| match part["type"].as_str() {
        Some("input_text") => Item::User(string(&part["text"])),
        Some("input_image") => Item::Image(data_url(&part["image_url"], "image/png")),
        Some("input_file") => Item::Document(data_url(&part["file_data"], "application/pdf")),
        _ => panic!("an unexpected part: {part}"),
    };
    list(content).iter().map(part).collect()
}
