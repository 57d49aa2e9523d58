//! The fields of a request, by name and place.

use serde_json::{Map, Value};

use super::{Strictness, conversation, invalid};
use crate::refusal::Check;

const REQUEST: &[&str] = &[
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "generationConfig",
    "safetySettings",
    "cachedContent",
    "serviceTier",
];

const CONFIG: &[&str] = &[
    "temperature",
    "topP",
    "topK",
    "candidateCount",
    "maxOutputTokens",
    "stopSequences",
    "responseMimeType",
    "responseSchema",
    "responseJsonSchema",
    "presencePenalty",
    "frequencyPenalty",
    "seed",
    "responseLogprobs",
    "logprobs",
    "responseModalities",
    "speechConfig",
    "mediaResolution",
    "imageConfig",
    "thinkingConfig",
];

const TOOL: &[&str] = &["functionDeclarations", "googleSearch", "urlContext", "codeExecution", "googleMaps"];

const DECLARATION: &[&str] =
    &["name", "description", "parameters", "parametersJsonSchema", "response", "responseJsonSchema", "behavior"];

/// `Schema`, the subset of OpenAPI.
const SCHEMA: &[&str] = &[
    "type",
    "format",
    "title",
    "description",
    "nullable",
    "default",
    "example",
    "items",
    "minItems",
    "maxItems",
    "enum",
    "properties",
    "propertyOrdering",
    "required",
    "minProperties",
    "maxProperties",
    "minimum",
    "maximum",
    "minLength",
    "maxLength",
    "pattern",
    "anyOf",
];

/// What `parametersJsonSchema` refuses. Not `$schema`: Gemini CLI 0.61.0 sends it there.
const NOT_IN_JSON_SCHEMA: &[&str] = &["const", "$id", "$comment"];

pub(super) fn known(object: &Map<String, Value>, names: &[&str], path: &str) -> Check {
    match object.keys().find(|key| !names.contains(&key.as_str())) {
        Some(key) if path.is_empty() => {
            Err(invalid(format!("Invalid JSON payload received. Unknown name \"{key}\": Cannot find field.")))
        }
        Some(key) => Err(invalid(format!(
            "Invalid JSON payload received. Unknown name \"{key}\" at '{path}': Cannot find field."
        ))),
        None => Ok(()),
    }
}

/// An object with nothing but these fields.
pub(super) fn object<'v>(value: &'v Value, names: &[&str], path: &str) -> Check<&'v Map<String, Value>> {
    let Some(object) = value.as_object() else {
        return Err(invalid(format!("Invalid value at '{path}' (expected a message)")));
    };
    known(object, names, path)?;
    Ok(object)
}

pub(super) fn list<'v>(value: &'v Value, path: &str) -> Check<&'v [Value]> {
    match value {
        Value::Null => Ok(&[]),
        Value::Array(list) => Ok(list),
        _ => Err(invalid(format!("Invalid value at '{path}' (expected a list)"))),
    }
}

pub(crate) fn check(body: &Value, s: &Strictness) -> Check {
    if s.off {
        return Ok(());
    }
    let names: Vec<&str> = REQUEST.iter().copied().chain([if s.vertex { "labels" } else { "store" }]).collect();
    object(body, &names, "")?;
    let functions = tools(&body["tools"], s)?;
    config(&body["generationConfig"], functions, s)?;
    choice(&body["toolConfig"], &body["tools"])?;
    if !body["systemInstruction"].is_null() {
        conversation::instruction(&body["systemInstruction"])?;
    }
    conversation::check(&body["contents"], s)
}

fn config(config: &Value, functions: bool, s: &Strictness) -> Check {
    if config.is_null() {
        return Ok(());
    }
    let path = "generation_config";
    object(config, CONFIG, path)?;
    for (name, low, high) in
        [("temperature", 0.0, 2.0), ("topP", 0.0, 1.0), ("presencePenalty", -2.0, 2.0), ("frequencyPenalty", -2.0, 2.0)]
    {
        let value = &config[name];
        if !value.is_null() && !value.as_f64().is_some_and(|number| (low..=high).contains(&number)) {
            return Err(invalid(format!(
                "Unable to submit request because it has a {name} value of {value} but the supported range is from {low} (inclusive) to {high} (inclusive)."
            )));
        }
    }
    let tokens = &config["maxOutputTokens"];
    let cap = s.max_tokens_cap.unwrap_or(u64::MAX);
    if !tokens.is_null() && !tokens.as_u64().is_some_and(|tokens| tokens > 0 && tokens <= cap) {
        return Err(invalid(format!(
            "Unable to submit request because it has a maxOutputTokens value of {tokens} but the supported range is from 1 (inclusive) to {} (exclusive).",
            cap.saturating_add(1)
        )));
    }
    if list(&config["stopSequences"], path)?.len() > 5 {
        return Err(invalid("The number of stop sequences must be at most 5."));
    }
    if config["responseSchema"].is_object() && config["responseJsonSchema"].is_object() {
        return Err(invalid("Only one of response_schema and response_json_schema may be set."));
    }
    if config["responseMimeType"] == "application/json" && functions && !s.format_with_tools {
        return Err(invalid("Function calling with a response mime type: 'application/json' is unsupported"));
    }
    if config["responseSchema"].is_object() {
        schema(&config["responseSchema"], &format!("{path}.response_schema"))?;
    }
    json_schema(&config["responseJsonSchema"], &format!("{path}.response_json_schema"))?;
    thinking(&config["thinkingConfig"], s)
}

fn thinking(config: &Value, s: &Strictness) -> Check {
    if config.is_null() {
        return Ok(());
    }
    object(config, &["includeThoughts", "thinkingBudget", "thinkingLevel"], "generation_config.thinking_config")?;
    let (budget, level) = (&config["thinkingBudget"], &config["thinkingLevel"]);
    match (budget.is_null(), level.is_null()) {
        (false, false) => Err(invalid("You can only set only one of thinking budget and thinking level.")),
        (true, false) if !s.levels => Err(invalid("Thinking level is not supported for this model.")),
        (true, false) => match level.as_str() {
            Some("MINIMAL" | "LOW" | "MEDIUM" | "HIGH" | "XHIGH") => Ok(()),
            _ => Err(invalid(format!("Invalid value at 'generation_config.thinking_config.thinking_level', {level}"))),
        },
        (false, true) if !budget.as_i64().is_some_and(|tokens| (-1..=32_768).contains(&tokens)) => {
            Err(invalid(format!("The thinking budget {budget} is invalid. Please choose a value between 0 and 32768.")))
        }
        _ => Ok(()),
    }
}

/// True if there are functions.
fn tools(tools: &Value, s: &Strictness) -> Check<bool> {
    let mut names: Vec<&Value> = Vec::new();
    let mut own = false;
    for (i, tool) in list(tools, "tools")?.iter().enumerate() {
        let fields = object(tool, TOOL, &format!("tools[{i}]"))?;
        if s.vertex && fields.len() != 1 {
            return Err(invalid(format!(
                "tools[{i}].tool_type: required one_of 'tool_type' must have one initialized field"
            )));
        }
        own |= fields.keys().any(|key| key != "functionDeclarations");
        for (j, declaration) in list(&tool["functionDeclarations"], "function_declarations")?.iter().enumerate() {
            let path = format!("tools[{i}].function_declarations[{j}]");
            object(declaration, DECLARATION, &path)?;
            name(&declaration["name"], &path)?;
            if names.contains(&&declaration["name"]) {
                return Err(invalid(format!("Duplicate function declaration found: {}", declaration["name"])));
            }
            names.push(&declaration["name"]);
            let parameters = &declaration["parameters"];
            if !parameters.is_null() && !declaration["parametersJsonSchema"].is_null() {
                return Err(invalid(format!("{path}: only one of parameters and parameters_json_schema may be set")));
            }
            if !parameters.is_null() {
                schema(parameters, &format!("{path}.parameters"))?;
                if parameters["properties"].as_object().is_none_or(Map::is_empty) {
                    return Err(invalid(format!("{path}.parameters.properties: should be non-empty for OBJECT type")));
                }
            }
            json_schema(&declaration["parametersJsonSchema"], &format!("{path}.parameters_json_schema"))?;
        }
    }
    if own && !names.is_empty() {
        return Err(invalid("Tool use with function calling is unsupported"));
    }
    Ok(!names.is_empty())
}

pub(super) fn name(value: &Value, path: &str) -> Check {
    let starts = |text: &str| text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | ':' | '-');
    match value.as_str() {
        Some(text) if starts(text) && text.len() <= 64 && text.chars().all(legal) => Ok(()),
        _ => Err(invalid(format!(
            "{path}.name: Invalid function name. Must start with a letter or an underscore. Must be alphameric (a-z, A-Z, 0-9), underscores (_), dots (.), colons (:), or dashes (-), with a maximum length of 64."
        ))),
    }
}

fn choice(config: &Value, tools: &Value) -> Check {
    if config.is_null() {
        return Ok(());
    }
    object(config, &["functionCallingConfig", "retrievalConfig"], "tool_config")?;
    let calling = &config["functionCallingConfig"];
    object(calling, &["mode", "allowedFunctionNames"], "tool_config.function_calling_config")?;
    let mode = calling["mode"].as_str().unwrap_or("");
    if !matches!(mode, "AUTO" | "ANY" | "NONE" | "VALIDATED") {
        return Err(invalid(format!("Invalid value at 'tool_config.function_calling_config.mode', \"{mode}\"")));
    }
    let allowed = list(&calling["allowedFunctionNames"], "allowed_function_names")?;
    if !allowed.is_empty() && !matches!(mode, "ANY" | "VALIDATED") {
        return Err(invalid(
            "Allowed function names can only be set when the function calling mode is ANY or VALIDATED.",
        ));
    }
    let declared = |name: &Value| {
        let all = tools.as_array().into_iter().flatten();
        all.flat_map(|tool| tool["functionDeclarations"].as_array().into_iter().flatten()).any(|d| d["name"] == *name)
    };
    match allowed.iter().find(|name| !declared(name)) {
        Some(name) => Err(invalid(format!("Function name {name} in allowed_function_names is not declared."))),
        None => Ok(()),
    }
}

fn schema(value: &Value, path: &str) -> Check {
    let fields = object(value, SCHEMA, path)?;
    if !value["type"].is_null() && !value["type"].is_string() {
        return Err(invalid(format!(
            "Invalid JSON payload received. Unknown name \"type\" at '{path}': Proto field is not repeating, cannot start list."
        )));
    }
    if value["enum"].as_array().is_some_and(|all| all.iter().any(|one| !one.is_string())) {
        return Err(invalid(format!("Invalid value at '{path}.enum[0]' (TYPE_STRING)")));
    }
    if value["type"] == "string" && !matches!(value["format"].as_str(), None | Some("enum" | "date-time")) {
        return Err(invalid(format!("{path}: only 'enum' and 'date-time' are supported for STRING type")));
    }
    let properties = value["properties"].as_object();
    let known = |name: &Value| properties.is_some_and(|all| name.as_str().is_some_and(|name| all.contains_key(name)));
    if let Some(name) = value["required"].as_array().into_iter().flatten().find(|name| !known(name)) {
        return Err(invalid(format!("{path}.required: property {name} is not defined")));
    }
    for (name, property) in properties.into_iter().flatten() {
        schema(property, &format!("{path}.properties[{name}]"))?;
    }
    if fields.contains_key("items") {
        schema(&value["items"], &format!("{path}.items"))?;
    }
    value["anyOf"].as_array().into_iter().flatten().try_for_each(|branch| schema(branch, &format!("{path}.any_of")))
}

/// Keywords of properties' names are none.
fn json_schema(value: &Value, path: &str) -> Check {
    let Value::Object(fields) = value else { return Ok(()) };
    for (key, below) in fields {
        if NOT_IN_JSON_SCHEMA.contains(&key.as_str()) {
            return Err(invalid(format!("{path}: the keyword \"{key}\" is not supported in JSON schemas")));
        }
        match (key.as_str(), below) {
            ("properties" | "$defs", Value::Object(named)) => {
                named.values().try_for_each(|schema| json_schema(schema, path))?;
            }
            ("enum" | "default" | "required" | "examples", _) => {}
            (_, Value::Array(list)) => list.iter().try_for_each(|schema| json_schema(schema, path))?,
            (_, schema) => json_schema(schema, path)?,
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
