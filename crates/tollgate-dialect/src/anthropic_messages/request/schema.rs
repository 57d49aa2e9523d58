//! Schemas of structured output in the form that Anthropic takes.

use serde_json::{Value, json};

use crate::json::Json;

/// What `output_config.format` does not take (platform.claude.com, "Structured outputs", 2026-08).
const REFUSED_IN_FORMAT: [&str; 16] = [
    "$schema",
    "$id",
    "$comment",
    "minimum",
    "maximum",
    "exclusiveMinimum",
    "exclusiveMaximum",
    "multipleOf",
    "minLength",
    "maxLength",
    "maxItems",
    "uniqueItems",
    "pattern",
    "minProperties",
    "maxProperties",
    "patternProperties",
];
const FORMATS: [&str; 10] =
    ["date-time", "time", "date", "duration", "email", "hostname", "uri", "ipv4", "ipv6", "uuid"];

/// A schema for structured output: every object closed, and only keywords that the service compiles.
pub fn output_schema(schema: &Json<'_>) -> String {
    let mut value = schema.to_value();
    close(&mut value);
    value.to_string()
}

fn close(schema: &mut Value) {
    let Value::Object(map) = schema else { return };
    map.retain(|key, _| !REFUSED_IN_FORMAT.contains(&key.as_str()));
    if let Some(alternatives) = map.remove("oneOf") {
        map.insert("anyOf".into(), alternatives);
    }
    if map.get("format").and_then(Value::as_str).is_some_and(|f| !FORMATS.contains(&f)) {
        map.remove("format");
    }
    if map.get("minItems").and_then(Value::as_u64).is_some_and(|n| n > 1) {
        map.insert("minItems".into(), json!(1));
    }
    let is_object = match map.get("type") {
        Some(Value::String(kind)) => kind == "object",
        Some(Value::Array(kinds)) => kinds.iter().any(|k| k == "object"),
        _ => map.contains_key("properties"),
    };
    if is_object {
        map.insert("additionalProperties".into(), json!(false));
    }
    for key in ["properties", "$defs", "definitions"] {
        if let Some(Value::Object(named)) = map.get_mut(key) {
            named.values_mut().for_each(close);
        }
    }
    for key in ["anyOf", "allOf", "prefixItems"] {
        if let Some(Value::Array(list)) = map.get_mut(key) {
            list.iter_mut().for_each(close);
        }
    }
    if let Some(items) = map.get_mut("items") {
        close(items);
    }
}
