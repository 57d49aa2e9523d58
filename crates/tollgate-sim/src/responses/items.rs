//! The items of a conversation: their fields, contents, and calls with their results.

use serde_json::{Map, Value};

use super::encrypted;
use super::validate::{invalid, missing, name, object, string};
use crate::refusal::{Check, Refusal};

pub(super) fn check(input: &Value) -> Check {
    let items = match input {
        Value::String(text) if !text.is_empty() => return Ok(()),
        Value::Array(items) if !items.is_empty() => items,
        Value::Null => return Err(missing("input")),
        _ => return Err(invalid("Invalid 'input': expected a string or a list with at least one item.", "input")),
    };
    for (i, item) in items.iter().enumerate() {
        check_item(item, &format!("input[{i}]"))?;
    }
    check_calls(items)?;
    check_reasoning(items)
}

fn kind(item: &Value) -> &str {
    item["type"].as_str().unwrap_or("message")
}

fn check_item(item: &Value, path: &str) -> Check {
    match kind(item) {
        "message" => {
            let message = object(item, &["type", "id", "role", "content", "status", "phase"], path)?;
            id(message, "msg", path)?;
            let role = string(message, "role", path)?;
            if !["user", "assistant", "system", "developer"].contains(&role) {
                return Err(invalid(format!("Invalid value: '{role}'."), &format!("{path}.role")));
            }
            let allowed: &[&str] = match role {
                "assistant" => &["output_text", "refusal"],
                _ => &["input_text", "input_image", "input_file"],
            };
            content(&item["content"], allowed, &format!("{path}.content"))
        }
        "function_call" => {
            let known = ["type", "id", "call_id", "name", "namespace", "arguments", "status"];
            let call = object(item, &known, path)?;
            id(call, "fc", path)?;
            name(call, path)?;
            string(call, "arguments", path)?;
            call_id(call, path)
        }
        "custom_tool_call" => {
            let call = object(item, &["type", "id", "call_id", "name", "input", "status"], path)?;
            id(call, "ctc", path)?;
            name(call, path)?;
            string(call, "input", path)?;
            call_id(call, path)
        }
        "function_call_output" | "custom_tool_call_output" => {
            let output = object(item, &["type", "id", "call_id", "output", "status"], path)?;
            call_id(output, path)?;
            match &item["output"] {
                Value::String(_) => Ok(()),
                parts => content(parts, &["input_text", "input_image", "input_file"], &format!("{path}.output")),
            }
        }
        "reasoning" => {
            let item = object(item, &["type", "id", "summary", "content", "encrypted_content", "status"], path)?;
            id(item, "rs", path)?;
            kept(item)?;
            encrypted_content(item, path)
        }
        "web_search_call" => Ok(()),
        "compaction" => {
            let item = object(item, &["type", "id", "encrypted_content"], path)?;
            id(item, "cmp", path)?;
            if item.get("encrypted_content").and_then(Value::as_str) != Some(&encrypted("compacted")) {
                let message = "The encrypted content could not be verified.";
                let param = format!("{path}.encrypted_content");
                return Err(Refusal::chat(400, message, Some(&param), Some("invalid_encrypted_content")));
            }
            Ok(())
        }
        "compaction_trigger" => object(item, &["type", "id"], path).map(|_| ()),
        "item_reference" => {
            let item = object(item, &["type", "id"], path)?;
            let id = string(item, "id", path)?;
            // What it keeps for others than this caller, for tests of what passes.
            if id.starts_with("msg_there") {
                return Ok(());
            }
            Err(Refusal::chat(404, format!("Item with id '{id}' not found."), Some("input"), None))
        }
        other => Err(invalid(format!("Invalid value: '{other}'."), &format!("{path}.type"))),
    }
}

/// Ids are those of this provider, or none.
fn id(item: &Map<String, Value>, prefix: &str, path: &str) -> Check {
    match item.get("id").and_then(Value::as_str) {
        Some(id) if !id.starts_with(&format!("{prefix}_")) || id.len() > 64 => {
            let message = format!(
                "Invalid '{path}.id': '{id}'. Expected an ID that begins with '{prefix}' and has at most 64 characters."
            );
            Err(invalid(message, &format!("{path}.id")))
        }
        _ => Ok(()),
    }
}

fn call_id(item: &Map<String, Value>, path: &str) -> Check {
    let id = string(item, "call_id", path)?;
    if id.is_empty() || id.len() > 64 {
        let message = format!("Invalid '{path}.call_id': expected 1 to 64 characters, but got {}.", id.len());
        return Err(Refusal::chat(400, message, Some(&format!("{path}.call_id")), Some("string_above_max_length")));
    }
    Ok(())
}

fn content(content: &Value, allowed: &[&str], path: &str) -> Check {
    let parts = match content {
        Value::String(text) if !text.is_empty() => return Ok(()),
        Value::Array(parts) if !parts.is_empty() => parts,
        _ => return Err(invalid(format!("Invalid '{path}': expected something that is not empty."), path)),
    };
    for (i, part) in parts.iter().enumerate() {
        let path = format!("{path}[{i}]");
        let kind = part["type"].as_str().unwrap_or_default();
        if !allowed.contains(&kind) {
            let supported = allowed.iter().map(|kind| format!("'{kind}'")).collect::<Vec<_>>().join(", ");
            let message = format!("Invalid value: '{kind}'. Supported values are: {supported}.");
            return Err(invalid(message, &format!("{path}.type")));
        }
        let known: &[&str] = match kind {
            "input_text" => &["type", "text", "prompt_cache_breakpoint"],
            "output_text" => &["type", "text", "annotations", "logprobs"],
            "refusal" => &["type", "refusal"],
            "input_image" => &["type", "image_url", "file_id", "detail", "prompt_cache_breakpoint"],
            _ => &["type", "filename", "file_data", "file_url", "file_id", "detail", "prompt_cache_breakpoint"],
        };
        let fields = object(part, known, &path)?;
        if kind.ends_with("_text") && string(fields, "text", &path)?.is_empty() {
            return Err(invalid(format!("Invalid '{path}.text': empty string."), &path));
        }
    }
    Ok(())
}

/// Without encrypted content an item is looked up by its id, and only this provider's own are there.
fn kept(item: &Map<String, Value>) -> Check {
    let id = item.get("id").and_then(Value::as_str).filter(|id| !id.starts_with("rs_sim"));
    match (id, item.get("encrypted_content").is_some_and(Value::is_string)) {
        (Some(id), false) => {
            let message = format!(
                "Item with id '{id}' not found. Items are not persisted when `store` is set to false. Try again with `store` set to true, or remove this item from your input."
            );
            Err(Refusal::chat(404, message, Some("input"), None))
        }
        _ => Ok(()),
    }
}

/// What was encrypted must be what this provider gave with that summary.
fn encrypted_content(item: &Map<String, Value>, path: &str) -> Check {
    let Some(summary) = item.get("summary").and_then(Value::as_array) else {
        return Err(missing(&format!("{path}.summary")));
    };
    let text: String = summary.iter().filter_map(|part| part["text"].as_str()).collect();
    match item.get("encrypted_content").and_then(Value::as_str) {
        Some(content) if content != encrypted(&text) => {
            let message = format!("The encrypted content {content} could not be verified.");
            let param = format!("{path}.encrypted_content");
            Err(Refusal::chat(400, message, Some(&param), Some("invalid_encrypted_content")))
        }
        _ => Ok(()),
    }
}

/// Every result answers a call before it, and every call is answered before the assistant goes on.
fn check_calls(items: &[Value]) -> Check {
    let refuse = |message: String| Err(Refusal::chat(400, message, Some("input"), None));
    let mut open: Vec<(&str, &str)> = Vec::new();
    for item in items {
        match (kind(item), item["call_id"].as_str().unwrap_or_default()) {
            ("function_call", id) => open.push(("function_call_output", id)),
            ("custom_tool_call", id) => open.push(("custom_tool_call_output", id)),
            (kind @ ("function_call_output" | "custom_tool_call_output"), id) => {
                match open.iter().position(|call| *call == (kind, id)) {
                    Some(at) => drop(open.remove(at)),
                    None => {
                        return refuse(format!("No tool call found for function call output with call_id {id}."));
                    }
                }
            }
            _ => {}
        }
    }
    match open.first() {
        Some((_, id)) => refuse(format!("No tool output found for function call {id}.")),
        None => Ok(()),
    }
}

/// Reasoning stands directly before what it led to.
fn check_reasoning(items: &[Value]) -> Check {
    for (i, item) in items.iter().enumerate().filter(|(_, item)| kind(item) == "reasoning") {
        let next = items.get(i + 1);
        let made = next.is_some_and(|next| {
            next["role"] == "assistant" || matches!(kind(next), "function_call" | "custom_tool_call" | "reasoning")
        });
        if !made {
            let message =
                format!("Item {} of type 'reasoning' was provided without its required following item.", item["id"]);
            return Err(Refusal::chat(400, message, Some("input"), None));
        }
    }
    Ok(())
}
