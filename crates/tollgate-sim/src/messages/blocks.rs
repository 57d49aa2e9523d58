//! Content blocks and tools: their kinds, keys and sources.

use serde_json::{Map, Value};

use super::validate::known_keys;
use super::{Strictness, invalid, signature};
use crate::refusal::Check;

/// Kinds of blocks by role, with their keys beside `type`.
const USER: &[(&str, &[&str])] = &[
    ("text", &["text", "cache_control", "citations"]),
    ("image", &["source", "cache_control", "transformations"]),
    ("document", &["source", "cache_control", "title", "context", "citations"]),
    ("search_result", &["source", "title", "content", "cache_control", "citations"]),
    ("tool_result", &["tool_use_id", "content", "is_error", "cache_control", "toolset_name"]),
    ("container_upload", &["file_id", "cache_control"]),
];
const ASSISTANT: &[(&str, &[&str])] = &[
    ("text", &["text", "cache_control", "citations"]),
    ("thinking", &["thinking", "signature"]),
    ("redacted_thinking", &["data"]),
    ("tool_use", &["id", "name", "input", "cache_control", "caller", "toolset_name"]),
    ("server_tool_use", &["id", "name", "input", "cache_control", "caller"]),
    ("web_search_tool_result", &["tool_use_id", "content", "cache_control", "caller"]),
    ("web_fetch_tool_result", &["tool_use_id", "content", "cache_control", "caller"]),
    ("code_execution_tool_result", &["tool_use_id", "content", "cache_control"]),
    ("tool_search_tool_result", &["tool_use_id", "content", "cache_control"]),
    ("compaction", &["content", "encrypted_content", "signature", "cache_control"]),
    ("document", &["source", "cache_control", "title", "context", "citations"]),
];
const IN_RESULT: &[(&str, &[&str])] = &[
    ("text", &["text", "cache_control", "citations"]),
    ("image", &["source", "cache_control", "transformations"]),
    ("document", &["source", "cache_control", "title", "context", "citations"]),
    ("search_result", &["source", "title", "content", "cache_control", "citations"]),
    ("tool_reference", &["tool_name", "cache_control"]),
    ("browser_state", &["state"]),
];
const SYSTEM: &[(&str, &[&str])] = &[("text", &["text", "cache_control", "citations"])];

const SERVER_TOOLS: &[&str] = &[
    "web_search_",
    "web_fetch_",
    "code_execution_",
    "bash_",
    "text_editor_",
    "memory_",
    "tool_search_tool_",
    "computer_",
    "browser_toolset_",
    "advisor_",
];

pub(super) fn check_system(system: &Value) -> Check {
    match system {
        Value::Null | Value::String(_) => Ok(()),
        Value::Array(blocks) => blocks
            .iter()
            .enumerate()
            .try_for_each(|(i, block)| check_kind(block, SYSTEM, &format!("system.{i}")).map(drop)),
        _ => Err(invalid("system: Input should be a valid string")),
    }
}

/// One block of a message.
pub(super) fn check_block(block: &Value, role: &str, path: &str, s: &Strictness) -> Check {
    let kinds = match role {
        "assistant" => ASSISTANT,
        "system" => SYSTEM,
        _ => USER,
    };
    match check_kind(block, kinds, path)? {
        "tool_use" => {
            check_pattern(&block["id"], &format!("{path}.tool_use.id"), usize::MAX)?;
            check_pattern(&block["name"], &format!("{path}.tool_use.name"), 200)?;
            if block["input"].is_object() {
                return Ok(());
            }
            Err(invalid(format!("{path}.tool_use.input: Input should be a valid dictionary")))
        }
        "tool_result" => check_tool_result(block, path),
        "thinking" => check_thinking_block(block, path, s),
        _ => Ok(()),
    }
}

/// The kind of a block, when it is one of these with its keys, a text that is not empty and a source that can be read.
fn check_kind<'a>(block: &'a Value, kinds: &[(&str, &[&str])], path: &str) -> Check<&'a str> {
    let Some(object) = block.as_object() else { return Err(invalid(format!("{path}: Input should be an object"))) };
    let kind = block["type"].as_str().unwrap_or_default();
    let Some((_, keys)) = kinds.iter().find(|(known, _)| *known == kind) else {
        let expected: Vec<String> = kinds.iter().map(|(known, _)| format!("'{known}'")).collect();
        return Err(invalid(format!(
            "{path}: Input tag '{kind}' found using 'type' does not match any of the expected tags: {}",
            expected.join(", ")
        )));
    };
    let mut own: Map<String, Value> = object.clone();
    own.shift_remove("type");
    known_keys(&own, keys, &format!("{path}.{kind}"))?;
    if let Some(control) = block.get("cache_control").filter(|control| !control.is_null()) {
        check_cache_control(control, &format!("{path}.{kind}.cache_control"))?;
    }
    match kind {
        "text" => match block["text"].as_str() {
            Some("") if object.contains_key("cache_control") => {
                Err(invalid(format!("{path}.text: cache_control cannot be set for empty text blocks")))
            }
            Some("") => Err(invalid("messages: text content blocks must be non-empty")),
            Some(_) => Ok(kind),
            None => Err(invalid(format!("{path}.text.text: Input should be a valid string"))),
        },
        "image" | "document" => check_source(&block["source"], kind, path).map(|()| kind),
        _ => Ok(kind),
    }
}

fn check_source(source: &Value, kind: &str, path: &str) -> Check {
    let path = format!("{path}.{kind}.source");
    let image = kind == "image";
    match source["type"].as_str() {
        Some("base64") => {
            let media = source["media_type"].as_str().unwrap_or_default();
            let images = ["image/jpeg", "image/png", "image/gif", "image/webp"];
            if image && !images.contains(&media) {
                return Err(invalid(format!(
                    "{path}.base64.media_type: Input should be 'image/jpeg', 'image/png', 'image/gif' or 'image/webp'"
                )));
            }
            if !image && media != "application/pdf" {
                return Err(invalid(format!("{path}.base64.media_type: Input should be 'application/pdf'")));
            }
            let base64 = |c: u8| c.is_ascii_alphanumeric() || b"+/=".contains(&c);
            match source["data"].as_str() {
                Some(data) if !data.is_empty() && data.len() % 4 == 0 && data.bytes().all(base64) => Ok(()),
                _ => Err(invalid(format!("{path}.base64: invalid base64 data"))),
            }
        }
        Some("url") if source["url"].is_string() => Ok(()),
        Some("file") if source["file_id"].is_string() => Ok(()),
        Some("text") if !image && source["data"].is_string() => Ok(()),
        Some("content") if !image && !source["content"].is_null() => Ok(()),
        other => Err(invalid(format!("{path}: Input tag {other:?} does not match any of the expected tags"))),
    }
}

fn check_tool_result(block: &Value, path: &str) -> Check {
    let path = format!("{path}.tool_result");
    if !block["tool_use_id"].is_string() {
        return Err(invalid(format!("{path}.tool_use_id: Field required")));
    }
    match &block["content"] {
        Value::Null | Value::String(_) => Ok(()),
        Value::Array(blocks) => blocks
            .iter()
            .enumerate()
            .try_for_each(|(i, inner)| check_kind(inner, IN_RESULT, &format!("{path}.content.{i}")).map(drop)),
        _ => Err(invalid(format!("{path}.content: Input should be a valid list"))),
    }
}

fn check_thinking_block(block: &Value, path: &str, s: &Strictness) -> Check {
    let Some(text) = block["thinking"].as_str() else {
        return Err(invalid(format!("{path}.thinking.thinking: Field required")));
    };
    let Some(sent) = block["signature"].as_str() else {
        return Err(invalid(format!("{path}.thinking.signature: Field required")));
    };
    if s.checks_signatures && !s.binds_thoughts && sent != signature(text) {
        return Err(invalid(format!("{path}: Invalid `signature` in `thinking` block")));
    }
    Ok(())
}

fn check_cache_control(control: &Value, path: &str) -> Check {
    let Some(object) = control.as_object() else { return Err(invalid(format!("{path}: Input should be an object"))) };
    known_keys(object, &["type", "ttl", "scope"], path)?;
    if control["type"] != "ephemeral" || !matches!(control["ttl"].as_str(), None | Some("5m" | "1h")) {
        return Err(invalid(format!("{path}: Input should be {{\"type\": \"ephemeral\"}} with a ttl of 5m or 1h")));
    }
    Ok(())
}

fn check_pattern(value: &Value, path: &str, longest: usize) -> Check {
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    match value.as_str() {
        Some(text) if !text.is_empty() && text.len() <= longest && text.chars().all(legal) => Ok(()),
        Some(_) if longest == usize::MAX => {
            Err(invalid(format!("{path}: String should match pattern '^[a-zA-Z0-9_-]+$'")))
        }
        Some(_) => Err(invalid(format!("{path}: String should match pattern '^[a-zA-Z0-9_-]{{1,{longest}}}$'"))),
        None => Err(invalid(format!("{path}: Input should be a valid string"))),
    }
}

pub(super) fn check_tool(tool: &Value, index: usize) -> Check {
    let Some(object) = tool.as_object() else {
        return Err(invalid(format!("tools.{index}: Input should be an object")));
    };
    match tool["type"].as_str() {
        None | Some("custom") => {}
        Some("mcp_toolset") => return Ok(()),
        Some(kind) if SERVER_TOOLS.iter().any(|known| kind.starts_with(known)) => return Ok(()),
        Some(kind) => {
            return Err(invalid(format!(
                "tools.{index}: Input tag '{kind}' found using 'type' does not match any of the expected tags"
            )));
        }
    }
    let path = format!("tools.{index}.custom");
    let keys = [
        "type",
        "name",
        "description",
        "input_schema",
        "strict",
        "cache_control",
        "defer_loading",
        "eager_input_streaming",
        "input_examples",
        "allowed_callers",
    ];
    known_keys(object, &keys, &path)?;
    if !object.contains_key("name") {
        return Err(invalid(format!("{path}.name: Field required")));
    }
    check_pattern(&tool["name"], &format!("{path}.name"), 64)?;
    match tool.get("input_schema") {
        None => Err(invalid(format!("{path}.input_schema: Field required"))),
        Some(schema) if schema["type"].is_null() => Err(invalid(format!("{path}.input_schema.type: Field required"))),
        Some(schema) if schema["type"] != "object" => {
            Err(invalid(format!("{path}.input_schema.type: Input should be 'object'")))
        }
        Some(schema) => match ["oneOf", "allOf", "anyOf"].iter().find(|key| !schema[**key].is_null()) {
            Some(_) => Err(invalid(format!(
                "{path}.input_schema: input_schema does not support oneOf, allOf, or anyOf at the top level"
            ))),
            None => Ok(()),
        },
    }
}

/// At most four breakpoints in one request.
pub(super) fn check_cache_controls(body: &Value) -> Check {
    let of = |blocks: &Value| {
        let blocks = blocks.as_array().map_or(&[][..], Vec::as_slice);
        blocks.iter().filter(|block| block["cache_control"].is_object()).count()
    };
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    let in_messages = messages.iter().map(|message| of(&message["content"])).sum::<usize>();
    let found = of(&body["tools"]) + of(&body["system"]) + in_messages;
    if found > 4 {
        return Err(invalid(format!("A maximum of 4 blocks with cache_control may be provided. Found {found}.")));
    }
    Ok(())
}
