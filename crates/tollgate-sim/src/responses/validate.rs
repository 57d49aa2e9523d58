//! The top level of a request: field names, limits, tools.

use serde_json::{Map, Value};

use super::items;
use crate::refusal::{Check, Refusal};

/// `openai/types/responses/response_create_params.py` of SDK 3.52.0.
const FIELDS: &[&str] = &[
    "model",
    "input",
    "instructions",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_output_tokens",
    "max_tool_calls",
    "reasoning",
    "text",
    "temperature",
    "top_p",
    "top_logprobs",
    "include",
    "store",
    "stream",
    "stream_options",
    "previous_response_id",
    "conversation",
    "background",
    "truncation",
    "context_management",
    "prompt",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "service_tier",
    "safety_identifier",
    "user",
    "metadata",
    "moderation",
    "client_metadata",
];

const INCLUDES: &[&str] = &[
    "file_search_call.results",
    "web_search_call.results",
    "web_search_call.action.sources",
    "message.input_image.image_url",
    "computer_call_output.output.image_url",
    "code_interpreter_call.outputs",
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
];

const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];

pub(super) fn invalid(message: impl Into<String>, param: &str) -> Refusal {
    Refusal::chat(400, message, Some(param), Some("invalid_value"))
}

pub(super) fn wrong_type(param: &str, expected: &str) -> Refusal {
    let message = format!("Invalid type for '{param}': expected {expected}.");
    Refusal::chat(400, message, Some(param), Some("invalid_type"))
}

pub(super) fn missing(param: &str) -> Refusal {
    let message = format!("Missing required parameter: '{param}'.");
    Refusal::chat(400, message, Some(param), Some("missing_required_parameter"))
}

/// An object with no other keys than these.
pub(super) fn object<'v>(value: &'v Value, known: &[&str], path: &str) -> Check<&'v Map<String, Value>> {
    let Some(object) = value.as_object() else { return Err(wrong_type(path, "an object")) };
    let Some(key) = object.keys().find(|key| !known.contains(&key.as_str())) else { return Ok(object) };
    let at = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
    Err(Refusal::chat(400, format!("Unknown parameter: '{at}'."), Some(&at), Some("unknown_parameter")))
}

pub(super) fn string<'v>(object: &'v Map<String, Value>, key: &str, path: &str) -> Check<&'v str> {
    let at = format!("{path}.{key}");
    match object.get(key) {
        Some(Value::String(text)) => Ok(text),
        Some(_) => Err(wrong_type(&at, "a string")),
        None => Err(missing(&at)),
    }
}

/// `[A-Za-z0-9_-]`, 1 to 64.
pub(super) fn name(object: &Map<String, Value>, path: &str) -> Check {
    let name = string(object, "name", path)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if name.is_empty() || name.len() > 64 || !name.chars().all(legal) {
        let message = format!(
            "Invalid '{path}.name': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
        );
        return Err(invalid(message, &format!("{path}.name")));
    }
    Ok(())
}

pub(crate) fn check(body: &Value) -> Check {
    let fields = object(body, FIELDS, "")?;
    if !body["model"].is_string() {
        return Err(missing("model"));
    }
    if let Some(asked) = fields.get("max_output_tokens").filter(|v| !v.is_null()) {
        let least = asked.as_u64().ok_or_else(|| wrong_type("max_output_tokens", "an integer"))?;
        if least < 16 {
            let message = format!(
                "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, but got {least} instead."
            );
            let param = Some("max_output_tokens");
            return Err(Refusal::chat(400, message, param, Some("integer_below_min_value")));
        }
    }
    for flag in ["stream", "store", "parallel_tool_calls", "background"] {
        if fields.get(flag).is_some_and(|v| !v.is_boolean() && !v.is_null()) {
            return Err(wrong_type(flag, "a boolean"));
        }
    }
    let kept = fields.get("previous_response_id").filter(|v| !v.is_null());
    if let Some(id) = kept {
        let message = format!("Previous response with id {id} not found.");
        let param = Some("previous_response_id");
        return Err(Refusal::chat(400, message, param, Some("previous_response_not_found")));
    }
    check_include(&body["include"])?;
    check_reasoning(&body["reasoning"])?;
    check_text(&body["text"])?;
    let tools = check_tools(&body["tools"])?;
    check_choice(&body["tool_choice"], &tools)?;
    if fields.get("instructions").is_some_and(|v| !v.is_string() && !v.is_null()) {
        return Err(wrong_type("instructions", "a string"));
    }
    items::check(&body["input"])
}

fn check_include(include: &Value) -> Check {
    for value in include.as_array().map_or(&[][..], Vec::as_slice) {
        if !value.as_str().is_some_and(|value| INCLUDES.contains(&value)) {
            return Err(invalid(format!("Invalid value: {value}."), "include"));
        }
    }
    Ok(())
}

fn check_reasoning(reasoning: &Value) -> Check {
    if reasoning.is_null() {
        return Ok(());
    }
    object(reasoning, &["effort", "summary", "generate_summary", "context", "mode"], "reasoning")?;
    let one_of = |key: &str, values: &[&str]| match &reasoning[key] {
        Value::Null => Ok(()),
        value if value.as_str().is_some_and(|value| values.contains(&value)) => Ok(()),
        value => Err(invalid(format!("Invalid value: {value}."), &format!("reasoning.{key}"))),
    };
    one_of("effort", EFFORTS)?;
    one_of("summary", &["auto", "concise", "detailed"])
}

fn check_text(text: &Value) -> Check {
    if text.is_null() {
        return Ok(());
    }
    object(text, &["format", "verbosity"], "text")?;
    if text["format"].is_null() {
        return Ok(());
    }
    let format = object(&text["format"], &["type", "name", "schema", "strict", "description"], "text.format")?;
    match string(format, "type", "text.format")? {
        "text" | "json_object" => Ok(()),
        "json_schema" => {
            name(format, "text.format")?;
            if format.get("schema").is_none_or(|schema| !schema.is_object()) {
                return Err(missing("text.format.schema"));
            }
            Ok(())
        }
        other => Err(invalid(format!("Invalid value: '{other}'."), "text.format.type")),
    }
}

/// The names of functions and custom tools, with their types.
pub(super) fn check_tools(tools: &Value) -> Check<Vec<(String, String)>> {
    let mut names = Vec::new();
    for (i, tool) in tools.as_array().map_or(&[][..], Vec::as_slice).iter().enumerate() {
        let path = format!("tools[{i}]");
        let Some(fields) = tool.as_object() else { return Err(wrong_type(&path, "an object")) };
        let kind = string(fields, "type", &path)?;
        match kind {
            "function" => {
                object(tool, &["type", "name", "description", "parameters", "strict", "defer_loading"], &path)?;
                name(fields, &path)?;
                if !fields.get("parameters").is_some_and(Value::is_object) {
                    return Err(missing(&format!("{path}.parameters")));
                }
                check_strict(tool, &path)?;
            }
            "custom" => {
                object(tool, &["type", "name", "description", "format"], &path)?;
                name(fields, &path)?;
                if let Some(format) = fields.get("format") {
                    object(format, &["type", "syntax", "definition"], &format!("{path}.format"))?;
                }
            }
            "namespace" => {
                object(tool, &["type", "name", "description", "tools"], &path)?;
                name(fields, &path)?;
                check_tools(&tool["tools"])?;
                continue;
            }
            "web_search" | "tool_search" | "image_generation" => continue,
            other => return Err(invalid(format!("Invalid value: '{other}'."), &format!("{path}.type"))),
        }
        names.push((kind.to_owned(), string(fields, "name", &path)?.to_owned()));
    }
    Ok(names)
}

/// A tool is strict unless it says otherwise, and then its schema must leave nothing open.
fn check_strict(tool: &Value, path: &str) -> Check {
    let parameters = &tool["parameters"];
    let closed = parameters["additionalProperties"] == false;
    if tool["strict"] != false && !closed {
        let message = format!(
            "Invalid schema for function {}: In context=(), 'additionalProperties' is required to be supplied and to be false.",
            tool["name"]
        );
        let param = format!("{path}.parameters");
        return Err(Refusal::chat(400, message, Some(&param), Some("invalid_function_parameters")));
    }
    Ok(())
}

fn check_choice(choice: &Value, tools: &[(String, String)]) -> Check {
    let unknown = || invalid(format!("Invalid value: {choice}."), "tool_choice");
    match choice {
        Value::Null => Ok(()),
        Value::String(word) if ["auto", "none", "required"].contains(&word.as_str()) => Ok(()),
        Value::Object(fields) => match choice["type"].as_str() {
            Some(kind @ ("function" | "custom")) => {
                object(choice, &["type", "name"], "tool_choice")?;
                let name = string(fields, "name", "tool_choice")?;
                if !tools.iter().any(|tool| (tool.0.as_str(), tool.1.as_str()) == (kind, name)) {
                    let message = format!("Tool choice '{name}' not found in 'tools' parameter.");
                    return Err(invalid(message, "tool_choice"));
                }
                Ok(())
            }
            Some("web_search" | "allowed_tools") => Ok(()),
            _ => Err(unknown()),
        },
        _ => Err(unknown()),
    }
}
