//! The fields of a request, by name and place.

use serde_json::{Map, Value};

use super::{Strictness, conversation, invalid};
use crate::refusal::Check;

const REQUEST: &[&str] = &[
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    "guardrailConfig",
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "promptVariables",
    "requestMetadata",
    "performanceConfig",
    "serviceTier",
    "outputConfig",
];

/// What Claude takes in `additionalModelRequestFields`.
const CLAUDES: &[&str] = &["thinking", "top_k", "anthropic_beta", "tools", "tool_choice", "output_config"];

/// Betas of this surface, without their dates.
const BETAS: [&str; 7] = [
    "computer-use",
    "context-1m",
    "effort",
    "fine-grained-tool-streaming",
    "thinking-binding-controls",
    "thinking-display-updates",
    "structured-outputs",
];

pub(super) fn known(object: &Map<String, Value>, names: &[&str], path: &str) -> Check {
    match object.keys().find(|key| !names.contains(&key.as_str())) {
        Some(key) => Err(invalid(format!(
            "Malformed input request: #{path}: extraneous key [{key}] is not permitted, please reformat your input and try again."
        ))),
        None => Ok(()),
    }
}

/// An object with nothing but these fields.
pub(super) fn object<'v>(value: &'v Value, names: &[&str], path: &str) -> Check<&'v Map<String, Value>> {
    let Some(object) = value.as_object() else {
        return Err(invalid(format!("Malformed input request: #{path}: expected type: JSONObject, found: {value}")));
    };
    known(object, names, path)?;
    Ok(object)
}

/// A member of a union: exactly one of the fields.
pub(super) fn one_of<'v>(value: &'v Value, names: &[&str], path: &str) -> Check<(&'v str, &'v Value)> {
    let fields = object(value, names, path)?;
    let mut members = fields.iter();
    match (members.next(), members.next()) {
        (Some((kind, value)), None) => Ok((kind.as_str(), value)),
        _ => Err(invalid(format!(
            "The value at #{path} is a union: exactly one of its members must be set, and {} are.",
            fields.len()
        ))),
    }
}

pub(super) fn list<'v>(value: &'v Value, path: &str) -> Check<&'v [Value]> {
    match value {
        Value::Null => Ok(&[]),
        Value::Array(list) => Ok(list),
        _ => Err(invalid(format!("Malformed input request: #{path}: expected type: JSONArray"))),
    }
}

/// A string in this pattern.
pub(super) fn constrained(value: &Value, path: &str, most: usize, legal: &str) -> Check {
    let fits = |c: char| c.is_ascii_alphanumeric() || legal.contains(c);
    match value.as_str() {
        Some(text) if !text.is_empty() && text.len() <= most && text.chars().all(fits) => Ok(()),
        _ => Err(invalid(format!(
            "1 validation error detected: Value {value} at '{path}' failed to satisfy constraint: Member must satisfy regular expression pattern: [a-zA-Z0-9{legal}]+ and have length less than or equal to {most}"
        ))),
    }
}

pub(crate) fn check(body: &Value, s: &Strictness) -> Check {
    if s.off {
        return Ok(());
    }
    object(body, REQUEST, "")?;
    inference(&body["inferenceConfig"], s)?;
    native(&body["additionalModelRequestFields"], s)?;
    output(&body["outputConfig"], s)?;
    beside(body)?;
    tools(&body["toolConfig"], s)?;
    system(&body["system"], s)?;
    conversation::check(body, s)
}

fn inference(config: &Value, s: &Strictness) -> Check {
    if config.is_null() {
        return Ok(());
    }
    object(config, &["maxTokens", "temperature", "topP", "stopSequences"], "/inferenceConfig")?;
    for name in ["temperature", "topP"] {
        let value = &config[name];
        if !value.is_null() && !value.as_f64().is_some_and(|number| (0.0..=1.0).contains(&number)) {
            return Err(invalid(format!(
                "1 validation error detected: Value '{value}' at 'inferenceConfig.{name}' failed to satisfy constraint: Member must have value less than or equal to 1"
            )));
        }
    }
    if s.claude && !config["temperature"].is_null() && !config["topP"].is_null() {
        return Err(invalid(
            "The model returned the following errors: `temperature` and `top_p` cannot both be specified for this model. Please use only one.",
        ));
    }
    let tokens = &config["maxTokens"];
    if !tokens.is_null() && tokens.as_u64().is_none_or(|tokens| tokens == 0) {
        return Err(invalid(
            "1 validation error detected: Value at 'inferenceConfig.maxTokens' failed to satisfy constraint: Member must have value greater than or equal to 1",
        ));
    }
    if tokens.as_u64().is_some_and(|tokens| tokens > s.max_tokens_cap) {
        let cap = s.max_tokens_cap;
        return Err(invalid(format!(
            "The maximum tokens you requested exceeds the model limit of {cap}. Try again with a maximum tokens value that is lower than {cap}."
        )));
    }
    let blank = |stop: &Value| stop.as_str().is_none_or(|stop| stop.trim().is_empty());
    match list(&config["stopSequences"], "/inferenceConfig/stopSequences")?.iter().any(blank) {
        true => Err(invalid("stop_sequences: each stop sequence must contain non-whitespace")),
        false => Ok(()),
    }
}

fn native(fields: &Value, s: &Strictness) -> Check {
    if fields.is_null() {
        return Ok(());
    }
    object(fields, if s.claude { CLAUDES } else { &[] }, "")?;
    for beta in list(&fields["anthropic_beta"], "/anthropic_beta")? {
        let undated = beta.as_str().unwrap_or_default().trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
        if !BETAS.contains(&undated) {
            return Err(invalid("The model returned the following errors: invalid beta flag"));
        }
    }
    let thinking = &fields["thinking"];
    if thinking["type"] == "enabled" && thinking["budget_tokens"].as_u64().is_none_or(|budget| budget < 1024) {
        return Err(invalid(
            "The model returned the following errors: thinking.enabled.budget_tokens: Input should be greater than or equal to 1024",
        ));
    }
    Ok(())
}

fn output(config: &Value, s: &Strictness) -> Check {
    if config.is_null() {
        return Ok(());
    }
    object(config, &["textFormat", "effort"], "/outputConfig")?;
    let effort = &config["effort"];
    if !effort.is_null() && !matches!(effort.as_str(), Some("low" | "medium" | "high" | "xhigh" | "max")) {
        return Err(invalid(format!("outputConfig.effort: {effort} is not supported")));
    }
    let format = &config["textFormat"];
    if format.is_null() {
        return Ok(());
    }
    if !s.formats {
        return Err(invalid(
            "This model doesn't support the outputConfig.textFormat field. Remove outputConfig.textFormat and try again.",
        ));
    }
    object(format, &["type", "structure"], "/outputConfig/textFormat")?;
    let schema = &format["structure"]["jsonSchema"];
    object(schema, &["schema", "name", "description"], "/outputConfig/textFormat/structure/jsonSchema")?;
    let parsed = schema["schema"].as_str().and_then(|text| serde_json::from_str::<Value>(text).ok());
    match (format["type"].as_str(), parsed) {
        (Some("json_schema"), Some(Value::Object(_))) => Ok(()),
        _ => Err(invalid("outputConfig.textFormat: the schema must be a JSON object in a string")),
    }
}

fn beside(body: &Value) -> Check {
    let tier = &body["serviceTier"];
    if !tier.is_null() {
        object(tier, &["type"], "/serviceTier")?;
        if !matches!(tier["type"].as_str(), Some("priority" | "default" | "flex" | "reserved")) {
            return Err(invalid(format!("serviceTier: {} is not supported", tier["type"])));
        }
    }
    let latency = &body["performanceConfig"]["latency"];
    if !latency.is_null() && !matches!(latency.as_str(), Some("standard" | "optimized")) {
        return Err(invalid(format!("performanceConfig.latency: {latency} is not supported")));
    }
    let Some(metadata) = body["requestMetadata"].as_object() else { return Ok(()) };
    if metadata.is_empty() || metadata.len() > 16 {
        return Err(invalid("requestMetadata: Member must have length between 1 and 16, inclusive"));
    }
    for (key, value) in metadata {
        constrained(&Value::from(key.as_str()), "requestMetadata", 256, " :_@$#=/+,-.")?;
        if value != "" {
            constrained(value, "requestMetadata", 256, " :_@$#=/+,-.")?;
        }
    }
    Ok(())
}

pub(super) fn cache_point(value: &Value, path: &str, s: &Strictness) -> Check {
    if !s.cache_points {
        return Err(invalid(
            "You invoked an unsupported model or your request did not allow prompt caching. See the documentation for more information.",
        ));
    }
    object(value, &["type", "ttl"], path)?;
    let ttl = matches!(value["ttl"].as_str(), None | Some("5m" | "1h"));
    if value["type"] == "default" && ttl { Ok(()) } else { Err(invalid(format!("{path}: no such cache point"))) }
}

fn system(system: &Value, s: &Strictness) -> Check {
    for (i, block) in list(system, "/system")?.iter().enumerate() {
        let path = format!("/system/{i}");
        match one_of(block, &["text", "cachePoint", "guardContent"], &path)? {
            ("text", text) if text.as_str().is_some_and(|text| !text.trim().is_empty()) => {}
            ("text", _) => {
                return Err(invalid(format!(
                    "The text field in the ContentBlock object at system.{i} is blank. Add text to the text field, and try again."
                )));
            }
            ("cachePoint", point) => cache_point(point, &path, s)?,
            _ => {}
        }
    }
    Ok(())
}

fn tools(config: &Value, s: &Strictness) -> Check {
    if config.is_null() {
        return Ok(());
    }
    object(config, &["tools", "toolChoice"], "/toolConfig")?;
    let tools = list(&config["tools"], "/toolConfig/tools")?;
    let mut names: Vec<&str> = Vec::new();
    for (i, tool) in tools.iter().enumerate() {
        let path = format!("/toolConfig/tools/{i}");
        match one_of(tool, &["toolSpec", "cachePoint"], &path)? {
            ("cachePoint", point) => cache_point(point, &path, s)?,
            (_, spec) => {
                object(spec, &["name", "description", "inputSchema", "strict"], &path)?;
                constrained(&spec["name"], &format!("toolConfig.tools.{i}.member.toolSpec.name"), 64, "_-")?;
                if spec.get("description").is_some_and(|text| text.as_str().is_none_or(str::is_empty)) {
                    return Err(invalid(format!(
                        "toolConfig.tools.{i}.member.toolSpec.description: Member must have length greater than or equal to 1"
                    )));
                }
                let schema = &spec["inputSchema"]["json"];
                if schema["type"] != "object" {
                    return Err(invalid(format!(
                        "The value at toolConfig.tools.{i}.toolSpec.inputSchema.json.type must be one of the following: object."
                    )));
                }
                let name = spec["name"].as_str().unwrap_or_default();
                if names.contains(&name) {
                    return Err(invalid(format!("The tool name {name} is used more than once")));
                }
                names.push(name);
            }
        }
    }
    if names.is_empty() {
        return Err(invalid("toolConfig.tools: Member must have length greater than or equal to 1"));
    }
    choice(&config["toolChoice"], &names, s)
}

fn choice(choice: &Value, names: &[&str], s: &Strictness) -> Check {
    if choice.is_null() {
        return Ok(());
    }
    let (kind, value) = one_of(choice, &["auto", "any", "tool"], "/toolConfig/toolChoice")?;
    if kind != "auto" && !s.forced_tool {
        return Err(invalid(format!(
            "This model doesn't support the toolConfig.toolChoice.{kind} field. Remove toolConfig.toolChoice.{kind} and try again."
        )));
    }
    match value["name"].as_str() {
        Some(name) if kind == "tool" && names.contains(&name) => Ok(()),
        None if kind != "tool" => Ok(()),
        name => Err(invalid(format!("toolChoice: the tool {name:?} is not in the list of tools"))),
    }
}

#[cfg(test)]
mod tests;
