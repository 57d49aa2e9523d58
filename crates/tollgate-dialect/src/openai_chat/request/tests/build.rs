//! Canonical requests from a JSON close to Anthropic's Messages, for fixtures.

use serde_json::Value;

use crate::json::{Json, Text};
use crate::request::*;
use crate::sealed::{Seal, SealedState};

fn text(value: &Value) -> Text<'static> {
    Text::plain(value.as_str().unwrap_or_default())
}

fn optional(value: &Value) -> Option<Text<'static>> {
    value.as_str().map(Text::plain)
}

fn cache(value: &Value) -> Option<CacheMark> {
    let mark = value.get("cache_control")?;
    Some(if mark["ttl"] == "1h" { CacheMark::Long } else { CacheMark::Short })
}

fn text_parts(value: &Value) -> Vec<TextPart<'static>> {
    match value {
        Value::String(one) => vec![TextPart { text: Text::plain(one), cache: None }],
        Value::Array(list) => list.iter().map(|v| TextPart { text: text(&v["text"]), cache: cache(v) }).collect(),
        _ => Vec::new(),
    }
}

fn parts(value: &Value) -> Vec<Part<'static>> {
    match value {
        Value::String(one) => vec![Part::Text(TextPart { text: Text::plain(one), cache: None })],
        Value::Array(list) => list.iter().map(part).collect(),
        _ => Vec::new(),
    }
}

fn part(v: &Value) -> Part<'static> {
    let kind = v["type"].as_str().expect("a type");
    match kind {
        "text" => Part::Text(TextPart { text: text(&v["text"]), cache: cache(v) }),
        "image" | "document" | "audio" => Part::Media(Media {
            kind: match kind {
                "image" => MediaKind::Image,
                "audio" => MediaKind::Audio,
                _ => MediaKind::Document,
            },
            source: source(&v["source"]),
            name: optional(&v["title"]),
            context: optional(&v["context"]),
            detail: None,
            cache: cache(v),
        }),
        "thinking" => Part::Thinking(Thinking {
            text: text(&v["thinking"]),
            signature: optional(&v["signature"]).map(signature),
            redacted: false,
        }),
        "redacted_thinking" => {
            Part::Thinking(Thinking { text: Text::EMPTY, signature: optional(&v["data"]), redacted: true })
        }
        "tool_use" => Part::ToolCall(ToolCall {
            id: text(&v["id"]),
            name: text(&v["name"]),
            // A string is taken as raw JSON, so that a fixture can have white space in it.
            input: ToolInput::Object(match &v["input"] {
                Value::String(raw) => Json::parse(raw).expect("JSON").into_owned(),
                value => Json::of(value),
            }),
            namespace: None,
            state: None,
            cache: cache(v),
        }),
        "tool_result" => Part::ToolResult(ToolResult {
            id: text(&v["tool_use_id"]),
            content: parts(&v["content"]),
            is_error: v["is_error"] == true,
            cache: cache(v),
        }),
        "search_result" => Part::SearchResult {
            title: text(&v["title"]),
            source: text(&v["source"]),
            content: text_parts(&v["content"]),
            cache: cache(v),
        },
        "tool_reference" => Part::ToolReference { name: text(&v["tool_name"]) },
        "server_tool_use" | "web_search_tool_result" => Part::Server { kind: text(&v["type"]), fields: Json::of(v) },
        _ => Part::Unknown { kind: text(&v["type"]) },
    }
}

/// `ours:FAMILY:DETAILS` stands for a state that we sealed.
fn signature(written: Text<'static>) -> Text<'static> {
    let text = written.decode();
    let Some((family, details)) = text.strip_prefix("ours:").and_then(|t| t.split_once(':')) else {
        return written.clone();
    };
    let details = Json::parse(details).expect("JSON");
    Seal::new(super::SECRET).seal(&SealedState { family: family.into(), details: Some(details) })
}

fn source(v: &Value) -> Source<'static> {
    match v["type"].as_str().expect("a source type") {
        "base64" => Source::Base64 { media_type: text(&v["media_type"]), data: text(&v["data"]) },
        "url" => Source::Url(text(&v["url"])),
        "file" => Source::File(text(&v["file_id"])),
        "text" => Source::Text(text(&v["data"])),
        _ => Source::Blocks(parts(&v["content"])),
    }
}

fn tool(v: &Value) -> Tool<'static> {
    let kind = match v["type"].as_str() {
        None | Some("custom") => ToolKind::Function { schema: v.get("input_schema").map(Json::of) },
        Some(kind) if ["bash_", "text_editor_", "memory_", "computer_"].iter().any(|p| kind.starts_with(p)) => {
            ToolKind::Client { kind: Text::plain(kind), fields: Json::of(v) }
        }
        Some(kind) => ToolKind::Server { kind: Text::plain(kind), fields: Json::of(v) },
    };
    Tool {
        name: text(&v["name"]),
        description: optional(&v["description"]),
        kind,
        strict: v["strict"].as_bool(),
        deferred: v["defer_loading"] == true,
        namespace: None,
        cache: cache(v),
    }
}

pub fn request(v: &Value) -> Request<'static> {
    let mut request = Request {
        model: text(&v["model"]),
        system: text_parts(&v["system"]),
        tools: v["tools"].as_array().into_iter().flatten().map(tool).collect(),
        max_tokens: v["max_tokens"].as_u64(),
        stop: v["stop_sequences"].as_array().into_iter().flatten().map(text).collect(),
        temperature: v.get("temperature").map(Json::of),
        top_p: v.get("top_p").map(Json::of),
        top_k: v.get("top_k").map(Json::of),
        user: optional(&v["metadata"]["user_id"]),
        ..Request::default()
    };
    for message in v["messages"].as_array().into_iter().flatten() {
        let role = match message["role"].as_str() {
            Some("assistant") => Role::Assistant,
            Some("system") => Role::System,
            _ => Role::User,
        };
        request.messages.push(Message { role, parts: parts(&message["content"]) });
    }
    let choice = &v["tool_choice"];
    request.tool_choice = match choice["type"].as_str() {
        Some("auto") => Some(ToolChoice::Auto),
        Some("any") => Some(ToolChoice::Required),
        Some("tool") => Some(ToolChoice::Named(text(&choice["name"]))),
        Some("none") => Some(ToolChoice::None),
        _ => None,
    };
    request.parallel_tool_calls = (choice["disable_parallel_tool_use"] == true).then_some(false);
    let effort = v["output_config"]["effort"].as_str().and_then(Effort::of_name);
    let mode = match v["thinking"]["type"].as_str() {
        Some("adaptive") => Some(ReasoningMode::Adaptive),
        Some("disabled") => Some(ReasoningMode::Off),
        Some("between_tools") => Some(ReasoningMode::BetweenTools),
        Some("enabled") => Some(ReasoningMode::Budget(v["thinking"]["budget_tokens"].as_u64().expect("a budget"))),
        _ => effort.map(|_| ReasoningMode::Adaptive),
    };
    request.reasoning = mode.map(|mode| Reasoning { mode, effort, visible: None });
    if let Some(schema) = v["output_config"].get("format").map(|f| &f["schema"]) {
        let schema = Json::of(schema);
        request.output_format = Some(OutputFormat::JsonSchema { name: None, description: None, schema, strict: None });
    }
    for (name, value) in v["extra"].as_object().into_iter().flatten() {
        request.extra.push((Text::plain(name), Json::of(value)));
    }
    request
}
