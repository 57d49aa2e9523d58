//! A refusal beside the request that it answers.

use std::cell::OnceCell;

use serde_json::Value;
use tollgate_dialect::error::UpstreamError;
use tollgate_dialect::quirks::may_go;
use tollgate_dialect::request::Effort;

use super::Sent;
use super::words;

/// Without these a request is another request.
const ESSENTIAL: &[&str] = &[
    "model",
    "messages",
    "tools",
    "system",
    "stream",
    "max_tokens",
    "max_completion_tokens",
    "input",
    "instructions",
    "max_output_tokens",
];

pub struct Refusal<'r> {
    /// The upstream's words as [`words::plain`] has them.
    pub words: String,
    pub error: &'r UpstreamError,
    pub sent: &'r Sent<'r>,
    body: OnceCell<Value>,
}

impl<'r> Refusal<'r> {
    pub fn new(error: &'r UpstreamError, sent: &'r Sent<'r>) -> Refusal<'r> {
        Refusal { words: words::plain(&error.message), error, sent, body: OnceCell::new() }
    }

    /// Read only where the words of a row fit.
    fn body(&self) -> &Value {
        self.body.get_or_init(|| serde_json::from_slice(self.sent.body).unwrap_or_default())
    }

    fn messages(&self) -> &[Value] {
        self.body()["messages"].as_array().map_or(&[], Vec::as_slice)
    }

    /// The blocks or parts of all messages, those inside tool results too.
    fn parts(&self) -> impl Iterator<Item = &Value> {
        self.messages().iter().flat_map(parts_of).flat_map(|part| std::iter::once(part).chain(parts_of(part)))
    }

    pub fn has(&self, param: &str) -> bool {
        !self.body()[param].is_null()
    }

    /// A key at any depth.
    pub fn has_anywhere(&self, key: &str) -> bool {
        anywhere(self.body(), &|map| map.contains_key(key))
    }

    /// A parameter that was sent and whose loss is allowed: it only gives a hint, or the policy is to drop.
    pub fn may_lose(&self, param: &str) -> bool {
        let value = &self.body()[param];
        !value.is_null() && !ESSENTIAL.contains(&param) && (self.sent.drop_params || may_go(param, &value.to_string()))
    }

    pub fn temperature(&self) -> Option<f64> {
        self.body()["temperature"].as_f64()
    }

    pub fn stops(&self) -> usize {
        self.body()["stop"].as_array().map_or(0, Vec::len)
    }

    /// The word under `thinking.type`.
    pub fn thinking(&self) -> &str {
        self.body()["thinking"]["type"].as_str().unwrap_or("")
    }

    pub fn effort(&self) -> Option<Effort> {
        let body = self.body();
        let places = [&body["reasoning_effort"], &body["output_config"]["effort"], &body["reasoning"]["effort"]];
        places.into_iter().find_map(Value::as_str).and_then(Effort::of_name)
    }

    /// The word under `response_format.type`.
    pub fn format(&self) -> &str {
        self.body()["response_format"]["type"].as_str().unwrap_or("")
    }

    /// A tool must be called: `required`, or one of that name.
    pub fn forces_tool(&self) -> bool {
        match &self.body()["tool_choice"] {
            Value::String(word) => !matches!(word.as_str(), "auto" | "none"),
            Value::Object(choice) => !matches!(choice.get("type").and_then(Value::as_str), Some("auto" | "none")),
            _ => false,
        }
    }

    pub fn names_tool(&self) -> bool {
        self.body()["tool_choice"].get("function").is_some()
    }

    pub fn calls_tools(&self) -> bool {
        self.parts().any(|p| p["type"] == "tool_use") || self.messages().iter().any(|m| m["tool_calls"].is_array())
    }

    pub fn thoughts(&self) -> bool {
        self.parts().any(|p| p["type"] == "thinking" || p["type"] == "redacted_thinking")
    }

    pub fn ends_with_assistant(&self) -> bool {
        self.messages().last().is_some_and(|m| m["role"] == "assistant")
    }

    pub fn says(&self, role: &str) -> bool {
        self.messages().iter().any(|m| m["role"] == role)
    }

    /// A system message that is not the first.
    pub fn system_in_the_middle(&self) -> bool {
        let mut later = self.messages().iter().skip(1);
        later.any(|m| m["role"] == "system" || m["role"] == "developer")
    }

    pub fn images(&self) -> bool {
        self.parts().any(is_image)
    }

    pub fn images_in_results(&self) -> bool {
        let of_tool = self.messages().iter().filter(|m| m["role"] == "tool").flat_map(parts_of);
        let of_result = self.messages().iter().flat_map(parts_of).flat_map(parts_of);
        of_tool.chain(of_result).any(is_image)
    }

    /// Some content is a list.
    pub fn has_parts(&self) -> bool {
        self.messages().iter().any(|m| m["content"].is_array())
    }

    pub fn null_content(&self) -> bool {
        self.messages().iter().any(|m| m["content"].is_null())
    }

    pub fn empty_content(&self) -> bool {
        let blank = |value: &Value| value.as_str().is_some_and(|text| text.trim().is_empty());
        let empty = |m: &Value| m["content"].is_null() || blank(&m["content"]) || m["content"] == Value::Array(vec![]);
        self.messages().iter().any(empty) || self.parts().any(|p| blank(&p["text"]) || blank(&p["content"]))
    }

    pub fn has_schemas(&self) -> bool {
        self.has("tools") || self.has("response_format") || self.has("output_config")
    }

    /// The keyword of JSON Schema, as the request writes it, that vendors give in any case.
    pub fn schema_keyword(&self, name: &str) -> Option<&'static str> {
        let keyword = KEYWORDS.iter().find(|k| k.eq_ignore_ascii_case(name))?;
        self.has_anywhere(keyword).then_some(*keyword)
    }
}

/// Keywords without which a schema still says what is wanted, if less exactly.
const KEYWORDS: [&str; 33] = [
    "$schema",
    "$id",
    "$comment",
    "$anchor",
    "additionalProperties",
    "const",
    "contains",
    "default",
    "dependentSchemas",
    "deprecated",
    "else",
    "examples",
    "exclusiveMaximum",
    "exclusiveMinimum",
    "format",
    "if",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "not",
    "pattern",
    "patternProperties",
    "prefixItems",
    "propertyNames",
    "then",
    "title",
    "uniqueItems",
];

fn parts_of(value: &Value) -> &[Value] {
    value["content"].as_array().map_or(&[], Vec::as_slice)
}

fn is_image(part: &Value) -> bool {
    part["type"] == "image_url" || part["type"] == "image"
}

fn anywhere(value: &Value, holds: &dyn Fn(&serde_json::Map<String, Value>) -> bool) -> bool {
    match value {
        Value::Object(map) => holds(map) || map.values().any(|v| anywhere(v, holds)),
        Value::Array(list) => list.iter().any(|v| anywhere(v, holds)),
        _ => false,
    }
}
