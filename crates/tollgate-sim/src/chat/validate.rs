//! The top level of a chat request: field names, limits, tools.

use serde_json::{Map, Value};

use super::conversation;
use super::{Strictness, Words};
use crate::refusal::{Check, Refusal};

/// `openai/types/chat/completion_create_params.py` of SDK 3.52.0, without `metadata`, which most compatible servers lack.
const FIELDS: &[&str] = &[
    "model",
    "messages",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "n",
    "stop",
    "stream",
    "stream_options",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "response_format",
    "presence_penalty",
    "frequency_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "seed",
    "user",
    "reasoning_effort",
    "verbosity",
    "service_tier",
    "store",
    "prediction",
    "modalities",
    "audio",
    "web_search_options",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "safety_identifier",
    "moderation",
];

const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];

pub(super) fn invalid(message: impl Into<String>, param: &str) -> Refusal {
    Refusal::chat(400, message, Some(param), Some("invalid_value"))
}

pub(super) fn wrong_type(param: &str, expected: &str, got: &Value) -> Refusal {
    let message = format!("Invalid type for '{param}': expected {expected}, but got {} instead.", kind(got));
    Refusal::chat(400, message, Some(param), Some("invalid_type"))
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

/// Refuses keys that the schema of an object does not name.
pub(super) fn known_keys(object: &Map<String, Value>, known: &[&str], path: &str, s: &Strictness) -> Check {
    let unknown = object.keys().find(|key| !known.contains(&key.as_str()) && !s.accepts.contains(key));
    let Some(key) = unknown else { return Ok(()) };
    let at = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
    Err(match (s.words, path) {
        (Words::Pydantic, _) => {
            Refusal::chat(400, format!("Extra inputs are not permitted, field: '{at}'"), None, None)
        }
        (Words::OpenAi, "") => Refusal::chat(400, format!("Unrecognized request argument supplied: {key}"), None, None),
        (Words::OpenAi, _) => {
            Refusal::chat(400, format!("Unknown parameter: '{at}'."), Some(&at), Some("unknown_parameter"))
        }
    })
}

/// Names of functions and schemas: `[A-Za-z0-9_-]`, 1 to 64.
pub(super) fn check_name(name: &Value, path: &str) -> Check {
    let Some(text) = name.as_str() else { return Err(wrong_type(path, "a string", name)) };
    if text.len() > 64 {
        let message = format!(
            "Invalid '{path}': string too long. Expected a string with maximum length 64, but got a string with length {} instead.",
            text.len()
        );
        return Err(Refusal::chat(400, message, Some(path), Some("string_above_max_length")));
    }
    let legal = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    if text.is_empty() || !text.chars().all(legal) {
        let message = format!(
            "Invalid '{path}': string does not match pattern. Expected a string that matches the pattern '^[a-zA-Z0-9_-]+$'."
        );
        return Err(invalid(message, path));
    }
    Ok(())
}

pub(crate) fn check(body: &Value, s: &Strictness) -> Check {
    if s.off {
        return Ok(());
    }
    let Some(fields) = body.as_object() else { return Err(wrong_type("", "an object", body)) };
    known_keys(fields, FIELDS, "", s)?;
    if let Some(name) = s.refuses.iter().find(|name| fields.contains_key(name.as_str())) {
        let message = format!("Unsupported parameter: '{name}' is not supported with this model.");
        return Err(Refusal::chat(400, message, Some(name), Some("unsupported_parameter")));
    }
    if !body["model"].is_string() {
        return Err(Refusal::chat(400, "you must provide a model parameter", None, None));
    }
    check_output_limit(body, s)?;
    check_sampling(body)?;
    check_stream(body)?;
    check_format(body)?;
    check_tools(body, s)?;
    conversation::check(&body["messages"], body, s)?;
    check_window(body, s)
}

fn check_output_limit(body: &Value, s: &Strictness) -> Check {
    let limit = |name: &str| match &body[name] {
        Value::Null => Ok(None),
        value => match value.as_u64() {
            Some(0) | None => {
                let message = format!("Invalid '{name}': integer below minimum value. Expected a value >= 1.");
                Err(Refusal::chat(400, message, Some(name), Some("integer_below_min_value")))
            }
            Some(tokens) => Ok(Some(tokens)),
        },
    };
    let (old, new) = (limit("max_tokens")?, limit("max_completion_tokens")?);
    if old.is_some() && new.is_some() {
        let message = "Setting 'max_tokens' and 'max_completion_tokens' at the same time is not supported.";
        return Err(invalid(message, "max_tokens"));
    }
    if old.is_some() && s.requires_max_completion_tokens {
        let message = "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
        return Err(Refusal::chat(400, message, Some("max_tokens"), Some("unsupported_parameter")));
    }
    let name = if old.is_some() { "max_tokens" } else { "max_completion_tokens" };
    let Some(tokens) = old.or(new) else { return Ok(()) };
    if let Some(cap) = s.max_tokens_cap.filter(|cap| tokens > *cap) {
        let message = format!(
            "{name} is too large: {tokens}. This model supports at most {cap} completion tokens, whereas you provided {tokens}."
        );
        return Err(invalid(message, name));
    }
    if let Some(limit) = s.stream_only_above.filter(|limit| tokens > *limit && body["stream"] != true) {
        let message = match s.words {
            Words::OpenAi => format!("max_tokens > {limit} must have stream = true"),
            Words::Pydantic => format!("Requests with max_tokens > {limit} must have stream=true"),
        };
        return Err(Refusal::chat(400, message, None, None));
    }
    Ok(())
}

fn check_sampling(body: &Value) -> Check {
    let ranges = [
        ("temperature", 0.0, 2.0),
        ("top_p", 0.0, 1.0),
        ("presence_penalty", -2.0, 2.0),
        ("frequency_penalty", -2.0, 2.0),
    ];
    for (name, low, high) in ranges {
        let value = &body[name];
        if value.is_null() {
            continue;
        }
        let Some(number) = value.as_f64() else { return Err(wrong_type(name, "a decimal", value)) };
        let (code, bound) = if number > high {
            ("decimal_above_max_value", format!("above maximum value. Expected a value <= {high}"))
        } else if number < low {
            ("decimal_below_min_value", format!("below minimum value. Expected a value >= {low}"))
        } else {
            continue;
        };
        let message = format!("Invalid '{name}': decimal {bound}, but got {number} instead.");
        return Err(Refusal::chat(400, message, Some(name), Some(code)));
    }
    match &body["stop"] {
        Value::Null | Value::String(_) => {}
        Value::Array(stops) if stops.len() > 4 => return Err(too_long("stop", 4, stops.len())),
        Value::Array(stops) if stops.iter().all(Value::is_string) => {}
        other => return Err(wrong_type("stop", "a string or an array of strings", other)),
    }
    match &body["reasoning_effort"] {
        Value::Null => Ok(()),
        Value::String(effort) if EFFORTS.contains(&effort.as_str()) => Ok(()),
        other => {
            Err(invalid(format!("Invalid value: {other}. Supported values are: {EFFORTS:?}."), "reasoning_effort"))
        }
    }
}

pub(super) fn too_long(path: &str, most: usize, got: usize) -> Refusal {
    let message = format!(
        "Invalid '{path}': array too long. Expected an array with maximum length {most}, but got an array with length {got} instead."
    );
    Refusal::chat(400, message, Some(path), Some("array_above_max_length"))
}

pub(super) fn empty_array(path: &str) -> Refusal {
    let message = format!(
        "Invalid '{path}': empty array. Expected an array with minimum length 1, but got an empty array instead."
    );
    Refusal::chat(400, message, Some(path), Some("empty_array"))
}

fn check_stream(body: &Value) -> Check {
    if !body["stream"].is_null() && !body["stream"].is_boolean() {
        return Err(wrong_type("stream", "a boolean", &body["stream"]));
    }
    match &body["stream_options"] {
        Value::Null => Ok(()),
        Value::Object(options) if body["stream"] == true => {
            let known = ["include_usage", "include_obfuscation"];
            known_keys(options, &known, "stream_options", &Strictness::default())
        }
        Value::Object(_) => {
            let message = "The 'stream_options' parameter is only allowed when 'stream' is enabled.";
            Err(invalid(message, "stream_options"))
        }
        other => Err(wrong_type("stream_options", "an object", other)),
    }
}

fn check_format(body: &Value) -> Check {
    let format = &body["response_format"];
    match (format, format["type"].as_str()) {
        (Value::Null, _) | (_, Some("text" | "json_object")) => Ok(()),
        (_, Some("json_schema")) => {
            check_name(&format["json_schema"]["name"], "response_format.json_schema.name")?;
            if format["json_schema"]["schema"].is_object() {
                return Ok(());
            }
            let path = "response_format.json_schema.schema";
            Err(Refusal::chat(
                400,
                format!("Missing required parameter: '{path}'."),
                Some(path),
                Some("missing_required_parameter"),
            ))
        }
        (other, _) => {
            let message = format!(
                "Invalid value: {}. Supported values are: 'json_object', 'json_schema', and 'text'.",
                other["type"]
            );
            Err(invalid(message, "response_format.type"))
        }
    }
}

fn check_tools(body: &Value, s: &Strictness) -> Check {
    let tools = match &body["tools"] {
        Value::Null => &[],
        Value::Array(tools) if tools.is_empty() => return Err(empty_array("tools")),
        Value::Array(tools) if tools.len() > 128 => return Err(too_long("tools", 128, tools.len())),
        Value::Array(tools) => tools.as_slice(),
        other => return Err(wrong_type("tools", "an array", other)),
    };
    for (i, tool) in tools.iter().enumerate() {
        check_tool(tool, &format!("tools[{i}]"), s)?;
        let name = &tool["function"]["name"];
        if tools[..i].iter().any(|other| &other["function"]["name"] == name) {
            return Err(invalid(format!("Invalid 'tools[{i}]': duplicate function name {name}."), "tools"));
        }
    }
    for name in ["tool_choice", "parallel_tool_calls"] {
        if tools.is_empty() && !body[name].is_null() {
            let message = format!("Invalid value for '{name}': '{name}' is only allowed when 'tools' are specified.");
            return Err(invalid(message, name));
        }
    }
    check_tool_choice(&body["tool_choice"], tools, s)
}

fn check_tool(tool: &Value, path: &str, s: &Strictness) -> Check {
    let Some(object) = tool.as_object() else { return Err(wrong_type(path, "an object", tool)) };
    if tool["type"] != "function" {
        let message = format!("Invalid value: {}. Supported values are: 'function'.", tool["type"]);
        return Err(invalid(message, &format!("{path}.type")));
    }
    known_keys(object, &["type", "function"], path, s)?;
    let path = format!("{path}.function");
    let Some(function) = tool["function"].as_object() else {
        return Err(wrong_type(&path, "an object", &tool["function"]));
    };
    known_keys(function, &["name", "description", "parameters", "strict"], &path, s)?;
    let description = &tool["function"]["description"];
    if function.contains_key("description") && !description.is_string() {
        return Err(wrong_type(&format!("{path}.description"), "a string", description));
    }
    check_name(&tool["function"]["name"], &format!("{path}.name"))?;
    let Some(schema) = function.get("parameters") else { return Ok(()) };
    let name = &tool["function"]["name"];
    let problem = match (schema.as_object(), schema["type"].as_str()) {
        (Some(_), Some("object")) if schema["properties"].is_object() => return Ok(()),
        (Some(_), Some("object")) => "In context=(), object schema missing properties.".to_owned(),
        (_, got) => {
            format!("schema must be a JSON Schema of 'type: \"object\"', got 'type: {:?}'.", got.unwrap_or("None"))
        }
    };
    let message = format!("Invalid schema for function {name}: {problem}");
    Err(Refusal::chat(400, message, Some(&format!("{path}.parameters")), Some("invalid_function_parameters")))
}

fn check_tool_choice(choice: &Value, tools: &[Value], s: &Strictness) -> Check {
    let forced = match choice {
        Value::Null => return Ok(()),
        Value::String(word) if word == "none" || word == "auto" => return Ok(()),
        Value::String(word) if word == "required" => "required",
        Value::Object(object) if choice["type"] == "function" => {
            known_keys(object, &["type", "function"], "tool_choice", s)?;
            let name = &choice["function"]["name"];
            check_name(name, "tool_choice.function.name")?;
            if !tools.iter().any(|tool| &tool["function"]["name"] == name) {
                let message = "Invalid value for 'tool_choice': the function named in it is not one of the 'tools'.";
                return Err(invalid(message, "tool_choice"));
            }
            "specified"
        }
        other => {
            let message = format!("Invalid value: {other}. Supported values are: 'none', 'auto', and 'required'.");
            return Err(invalid(message, "tool_choice"));
        }
    };
    if s.refuses_forced_tool {
        let message = format!("tool_choice '{forced}' is incompatible with thinking enabled");
        return Err(Refusal::chat(400, message, None, None));
    }
    Ok(())
}

fn check_window(body: &Value, s: &Strictness) -> Check {
    let Some(window) = s.context_window else { return Ok(()) };
    let tokens = super::answer::prompt_text(body).len() as u64 / 4;
    if tokens <= window {
        return Ok(());
    }
    let message = format!(
        "This model's maximum context length is {window} tokens. However, your messages resulted in {tokens} tokens. Please reduce the length of the messages."
    );
    Err(Refusal::chat(400, message, Some("messages"), Some("context_length_exceeded")))
}

#[cfg(test)]
mod tests;
