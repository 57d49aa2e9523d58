//! The messages of a chat request: roles, contents, and calls with their results.

use serde_json::{Map, Value};

use super::Strictness;
use super::validate::{check_name, empty_array, invalid, known_keys, wrong_type};
use crate::refusal::{Check, Refusal};

pub(super) fn check(messages: &Value, body: &Value, s: &Strictness) -> Check {
    let messages = match messages {
        Value::Array(messages) if messages.is_empty() => return Err(empty_array("messages")),
        Value::Array(messages) => messages,
        other => return Err(wrong_type("messages", "an array of objects", other)),
    };
    for (i, message) in messages.iter().enumerate() {
        check_message(message, &format!("messages[{i}]"), s)?;
    }
    check_order(messages, s)?;
    check_results(messages)?;
    if s.requires_reasoning_content && body["thinking"]["type"] != "disabled" {
        check_reasoning(messages)?;
    }
    Ok(())
}

fn check_message(message: &Value, path: &str, s: &Strictness) -> Check {
    let Some(object) = message.as_object() else { return Err(wrong_type(path, "an object", message)) };
    let known: &[&str] = match message["role"].as_str() {
        Some("system" | "developer" | "user") => &["role", "content", "name"],
        Some("assistant") => &["role", "content", "name", "tool_calls", "refusal", "audio"],
        Some("tool") => &["role", "content", "tool_call_id"],
        _ => {
            let message = format!(
                "Invalid value: {}. Supported values are: 'system', 'assistant', 'user', 'function', 'tool', and 'developer'.",
                message["role"]
            );
            return Err(invalid(message, &format!("{path}.role")));
        }
    };
    let replayed = s.requires_reasoning_content && message["role"] == "assistant";
    let mut keys = object.clone();
    if replayed {
        keys.remove("reasoning_content");
    }
    known_keys(&keys, known, path, s)?;
    check_content(object, path, s)?;
    check_tool_calls(object, path, s)
}

fn check_content(message: &Map<String, Value>, path: &str, s: &Strictness) -> Check {
    let role = message["role"].as_str().unwrap_or_default();
    let calls_tools = message.contains_key("tool_calls");
    let path = format!("{path}.content");
    match message.get("content") {
        None | Some(Value::Null) if role == "assistant" && calls_tools => Ok(()),
        None | Some(Value::Null) => {
            let expected = "expected a string, got null.";
            Err(invalid(format!("Invalid value for 'content': {expected}"), &path))
        }
        Some(Value::String(text)) => {
            let may_be_empty =
                (role == "assistant" && calls_tools) || (role == "tool" && !s.refuses_empty_tool_content);
            if text.is_empty() && !may_be_empty {
                return Err(invalid(format!("Invalid '{path}': message with role '{role}' must not be empty"), &path));
            }
            Ok(())
        }
        Some(Value::Array(_)) if s.text_only || (s.tool_text_only && role == "tool") => {
            let message = format!(
                "Failed to deserialize the JSON body into the target type: {path}: invalid type: sequence, expected a string"
            );
            Err(Refusal::chat(400, message, None, None))
        }
        Some(Value::Array(parts)) if parts.is_empty() => Err(empty_array(&path)),
        Some(Value::Array(parts)) => {
            parts.iter().enumerate().try_for_each(|(i, part)| check_part(part, role, &format!("{path}[{i}]"), s))
        }
        Some(other) => Err(wrong_type(&path, "one of a string or array of objects", other)),
    }
}

fn check_part(part: &Value, role: &str, path: &str, s: &Strictness) -> Check {
    let Some(object) = part.as_object() else { return Err(wrong_type(path, "an object", part)) };
    let kind = part["type"].as_str().unwrap_or_default();
    match (kind, role) {
        ("text", _) => {
            known_keys(object, &["type", "text"], path, s)?;
            match part["text"].as_str() {
                Some("") => Err(invalid(format!("Invalid '{path}.text': text must not be empty"), path)),
                Some(_) => Ok(()),
                None => Err(wrong_type(&format!("{path}.text"), "a string", &part["text"])),
            }
        }
        ("refusal", "assistant") => known_keys(object, &["type", "refusal"], path, s),
        ("image_url", "user") => {
            known_keys(object, &["type", "image_url"], path, s)?;
            check_image(&part["image_url"], &format!("{path}.image_url"), s)
        }
        ("image_url", _) => {
            let message = format!(
                "Image URLs are only allowed for messages with role 'user', but this message with role '{role}' contains an image URL."
            );
            Err(invalid(message, path))
        }
        ("file", "user") => {
            known_keys(object, &["type", "file"], path, s)?;
            let file = part["file"].as_object().ok_or_else(|| wrong_type(path, "an object", &part["file"]))?;
            known_keys(file, &["file_data", "file_id", "filename"], path, s)
        }
        ("input_audio", "user") => known_keys(object, &["type", "input_audio"], path, s),
        _ => {
            let message = format!(
                "Invalid value: '{kind}'. Supported values are: 'text', 'image_url', 'input_audio', 'refusal', 'audio', and 'file'."
            );
            Err(invalid(message, &format!("{path}.type")))
        }
    }
}

fn check_image(image: &Value, path: &str, s: &Strictness) -> Check {
    let Some(object) = image.as_object() else { return Err(wrong_type(path, "an object", image)) };
    known_keys(object, &["url", "detail"], path, s)?;
    let Some(url) = image["url"].as_str() else {
        return Err(wrong_type(&format!("{path}.url"), "a string", &image["url"]));
    };
    if url.starts_with("https://") || url.starts_with("http://") {
        return Ok(());
    }
    let data = url.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    let base64 = |c: u8| c.is_ascii_alphanumeric() || b"+/=".contains(&c);
    match data {
        Some(("image/png" | "image/jpeg" | "image/gif" | "image/webp", data))
            if !data.is_empty() && data.len() % 4 == 0 && data.bytes().all(base64) =>
        {
            Ok(())
        }
        Some(("image/png" | "image/jpeg" | "image/gif" | "image/webp", _)) => {
            Err(Refusal::chat(400, "Invalid base64 image_url.", Some(path), Some("invalid_base64")))
        }
        Some(_) => {
            let message = "Invalid MIME type. Only image types are supported.";
            Err(Refusal::chat(400, message, Some(path), Some("invalid_image_format")))
        }
        None => Err(invalid(
            format!("Invalid '{path}.url'. Expected a valid URL, but got a value with an invalid format."),
            path,
        )),
    }
}

fn check_tool_calls(message: &Map<String, Value>, path: &str, s: &Strictness) -> Check {
    if message["role"] == "tool" {
        let path = format!("{path}.tool_call_id");
        let id = message.get("tool_call_id").unwrap_or(&Value::Null);
        return check_id(id, &path, s);
    }
    let path = format!("{path}.tool_calls");
    let calls = match message.get("tool_calls") {
        None => return Ok(()),
        Some(Value::Array(calls)) if calls.is_empty() => return Err(empty_array(&path)),
        Some(Value::Array(calls)) => calls,
        Some(other) => return Err(wrong_type(&path, "an array of objects", other)),
    };
    for (i, call) in calls.iter().enumerate() {
        let path = format!("{path}[{i}]");
        let Some(object) = call.as_object() else { return Err(wrong_type(&path, "an object", call)) };
        known_keys(object, &["id", "type", "function"], &path, s)?;
        check_id(&call["id"], &format!("{path}.id"), s)?;
        if calls[..i].iter().any(|other| other["id"] == call["id"]) {
            return Err(invalid(format!("Duplicate value for 'tool_call_id' of {}", call["id"]), &path));
        }
        if call["type"] != "function" {
            let message = format!("Invalid value: {}. Supported values are: 'function'.", call["type"]);
            return Err(invalid(message, &format!("{path}.type")));
        }
        let path = format!("{path}.function");
        let Some(function) = call["function"].as_object() else {
            return Err(wrong_type(&path, "an object", &call["function"]));
        };
        known_keys(function, &["name", "arguments"], &path, s)?;
        check_name(&call["function"]["name"], &format!("{path}.name"))?;
        let arguments = &call["function"]["arguments"];
        let path = format!("{path}.arguments");
        let Some(text) = arguments.as_str() else { return Err(wrong_type(&path, "a string", arguments)) };
        if !serde_json::from_str::<Value>(text).is_ok_and(|value| value.is_object()) {
            return Err(invalid(format!("Invalid '{path}': must be a JSON object in a string"), &path));
        }
    }
    Ok(())
}

fn check_id(id: &Value, path: &str, s: &Strictness) -> Check {
    let Some(text) = id.as_str().filter(|text| !text.is_empty()) else {
        return Err(Refusal::chat(
            400,
            format!("Missing required parameter: '{path}'."),
            Some(path),
            Some("missing_required_parameter"),
        ));
    };
    if s.nine_char_ids && !(text.len() == 9 && text.bytes().all(|c| c.is_ascii_alphanumeric())) {
        let message = format!("Tool call id was {text} but must be a-z, A-Z, 0-9, with a length of 9.");
        return Err(Refusal::flat(400, message, "invalid_function_call", "3280"));
    }
    Ok(())
}

fn check_order(messages: &[Value], s: &Strictness) -> Check {
    let is_system = |message: &Value| message["role"] == "system" || message["role"] == "developer";
    let body = messages.iter().skip_while(|message| is_system(message));
    if s.leading_system_only && body.clone().any(is_system) {
        return Err(Refusal::chat(400, "System message must be at the beginning.", None, None));
    }
    if s.alternating {
        let body: Vec<&Value> = body.collect();
        let repeats = |pair: &[&Value]| {
            pair[0]["role"] == pair[1]["role"] && (pair[0]["role"] == "user" || pair[0]["role"] == "assistant")
        };
        if body.windows(2).any(repeats) {
            let message = "After the (optional) system message(s), user or tool message(s) should alternate with assistant message(s).";
            return Err(Refusal::chat(400, message, None, Some("invalid_message")));
        }
    }
    Ok(())
}

/// Every call is answered by exactly one tool message directly after, and there is no other tool message.
fn check_results(messages: &[Value]) -> Check {
    let mut open: Vec<&str> = Vec::new();
    let mut may_answer = false;
    for (i, message) in messages.iter().enumerate() {
        if message["role"] == "tool" {
            let param = format!("messages.[{i}].role");
            if !may_answer {
                let message = "Invalid parameter: messages with role 'tool' must be a response to a preceeding message with 'tool_calls'.";
                return Err(Refusal::chat(400, message, Some(&param), None));
            }
            let id = message["tool_call_id"].as_str().unwrap_or_default();
            let Some(found) = open.iter().position(|call| *call == id) else {
                let message = format!(
                    "Invalid parameter: 'tool_call_id' of '{id}' not found in 'tool_calls' of previous message."
                );
                return Err(Refusal::chat(400, message, Some(&format!("messages.[{i}].tool_call_id")), None));
            };
            open.remove(found);
            continue;
        }
        all_answered(&open, i)?;
        let calls = message["tool_calls"].as_array().map_or(&[][..], Vec::as_slice);
        open = calls.iter().filter_map(|call| call["id"].as_str()).collect();
        may_answer = !open.is_empty();
    }
    all_answered(&open, messages.len())
}

fn all_answered(open: &[&str], index: usize) -> Check {
    if open.is_empty() {
        return Ok(());
    }
    let message = format!(
        "An assistant message with 'tool_calls' must be followed by tool messages responding to each 'tool_call_id'. The following tool_call_ids did not have response messages: {}",
        open.join(", ")
    );
    Err(Refusal::chat(400, message, Some(&format!("messages.[{index}].role")), None))
}

fn check_reasoning(messages: &[Value]) -> Check {
    let lacks = |message: &Value| !message["tool_calls"].is_null() && !message["reasoning_content"].is_string();
    if messages.iter().any(lacks) {
        let message = "The `reasoning_content` in the thinking mode must be passed back to the API.";
        return Err(Refusal::chat(400, message, None, Some("invalid_request_error")));
    }
    Ok(())
}
