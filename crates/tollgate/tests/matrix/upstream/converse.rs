//! Claude by Amazon Bedrock's Converse, whose streams are binary.

use serde_json::{Value, json};
use tollgate_sim::{Provider, Recorded, SimConfig, Step, signature};

use super::{Got, Item, Plays, Stop, aws_error, list, string, texts, thought};
use crate::client::Call;

pub struct Converse;

impl Plays for Converse {
    fn params(&self, base: &str) -> Value {
        json!({"model": "bedrock/converse/us.anthropic.claude-sonnet-4-6", "aws_region_name": "us-east-1",
            "api_base": base})
    }

    fn sim(&self) -> SimConfig {
        SimConfig { providers: vec![Provider::Converse], ..SimConfig::default() }
    }

    fn model(&self) -> &'static str {
        "us.anthropic.claude-sonnet-4-6"
    }

    fn read(&self, request: &Recorded) -> Got {
        let body = request.json();
        let (config, wish) = (&body["toolConfig"], &body["outputConfig"]);
        let tool = |t: &Value| (string(&t["toolSpec"]["name"]), t["toolSpec"]["inputSchema"]["json"].clone());
        let schema = wish["textFormat"]["structure"]["jsonSchema"]["schema"].as_str();
        let mut got = Got {
            system: texts(&body["system"]),
            tools: list(&config["tools"]).iter().map(tool).collect(),
            choice: choice(&config["toolChoice"]),
            // It stands there as a string.
            shape: schema.map(|schema| serde_json::from_str(schema).unwrap_or_else(|e| panic!("{e}: {schema}"))),
            max_tokens: body["inferenceConfig"]["maxTokens"].as_u64(),
            effort: string(&wish["effort"]),
            ..Got::default()
        };
        for message in list(&body["messages"]) {
            let user = message["role"] == "user";
            got.items.extend(list(&message["content"]).iter().map(|b| block(b, user)));
        }
        got
    }

    fn thought(&self, text: &str, _call: &Call) -> Vec<Item> {
        vec![thought(text, signature(text))]
    }

    /// Bedrock's counts: the input has neither what the cache had nor what was written to it. Thoughts are not told apart.
    fn usage(&self) -> Value {
        json!({"inputTokens": 100, "cacheReadInputTokens": 1000, "cacheWriteInputTokens": 200, "outputTokens": 50,
            "totalTokens": 1350})
    }

    fn stop(&self, stop: Stop) -> Option<&'static str> {
        match stop {
            Stop::End => Some("end_turn"),
            Stop::Length => Some("max_tokens"),
            Stop::Refusal => Some("content_filtered"),
            Stop::Sequence => Some("stop_sequence"),
        }
    }

    fn error(&self, status: u16) -> Step {
        aws_error(status)
    }

    /// `messageStart`, a piece of text: nothing begins a text.
    fn opening(&self) -> usize {
        2
    }
}

fn choice(choice: &Value) -> String {
    match choice.as_object().and_then(|choice| choice.iter().next()) {
        Some((_, tool)) if tool.get("name").is_some() => string(&tool["name"]),
        Some((word, _)) => word.clone(),
        None => String::new(),
    }
}

fn data(file: &Value, format: &str) -> String {
    assert_eq!(file["format"], format, "{file}");
    string(&file["source"]["bytes"])
}

/// A union: one field, which says what it is.
fn block(block: &Value, user: bool) -> Item {
    let (kind, value) = block.as_object().and_then(|block| block.iter().next()).expect("a field");
    match kind.as_str() {
        "text" if user => Item::User(string(value)),
        "text" => Item::Said(string(value)),
        "image" => Item::Image(data(value, "png")),
        "document" => Item::Document(data(value, "pdf")),
        "reasoningContent" => {
            let said = &value["reasoningText"];
            Item::Thought { text: string(&said["text"]), state: string(&said["signature"]) }
        }
        "toolUse" => Item::Call(Call {
            id: string(&value["toolUseId"]),
            name: string(&value["name"]),
            args: value["input"].clone(),
        }),
        "toolResult" => {
            let content = list(&value["content"]);
            let images = content.iter().filter_map(|b| b.get("image")).map(|image| data(image, "png")).collect();
            let text = content.iter().map(|b| string(&b["text"])).collect();
            Item::Result { id: string(&value["toolUseId"]), text, images }
        }
        _ => panic!("an unexpected block: {block}"),
    }
}
