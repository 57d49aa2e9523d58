//! JSON Schemas as a provider takes them.
//!
//! A schema that needs no change keeps its bytes. The usual change, dropping `$schema` at the root as every tool of Claude
//! Code has it, is made without parsing what lies below.

use std::borrow::Cow;

use memchr::memmem;
use serde_json::{Map, Value};

use crate::json::{Json, MAX_DEPTH};
use crate::quirks::SchemaForm;

mod forms;
mod openapi;
mod root;

pub use openapi::to_json_schema;

/// What a tool without a schema has.
pub const EMPTY: Json<'static> = Json::literal(r#"{"type":"object","properties":{}}"#);

/// Whether a cleaned schema still says all that `before` said. It may say more: an answer that follows it follows `before`.
pub fn keeps(before: &Json<'_>, after: &str) -> bool {
    before.get() == after || serde_json::from_str(after).is_ok_and(|after| is_within(&before.to_value(), &after, 0))
}

fn is_within(before: &Value, after: &Value, depth: usize) -> bool {
    match (before, after) {
        _ if depth > MAX_DEPTH => false,
        (Value::Object(before), Value::Object(after)) => {
            let said = before.iter().filter(|(key, _)| !ANNOTATIONS.contains(&key.as_str()));
            said.into_iter().all(|(key, value)| after.get(key).is_some_and(|after| is_within(value, after, depth + 1)))
        }
        (Value::Array(before), Value::Array(after)) => {
            before.len() == after.len() && before.iter().zip(after).all(|(b, a)| is_within(b, a, depth + 1))
        }
        // Google writes the names of types in capitals.
        (Value::String(before), Value::String(after)) => before.eq_ignore_ascii_case(after),
        (before, after) => before == after,
    }
}

/// Annotations that several validators refuse and no model needs.
const ANNOTATIONS: [&str; 3] = ["$schema", "$id", "$comment"];

/// Keywords that make a form's own walk necessary, as they stand in JSON text.
fn suspects(form: SchemaForm) -> &'static [&'static str] {
    match form {
        SchemaForm::Plain => &[],
        SchemaForm::Mistral => &["\"additionalProperties\"", "\"strict\""],
        SchemaForm::Moonshot => &["\"anyOf\"", "\"items\""],
        SchemaForm::Gemini => &["\""],
        SchemaForm::GeminiJson => &["\"const\""],
        SchemaForm::LlamaCpp => &["\"pattern\""],
    }
}

/// The parameters of a tool, cleaned for a provider, without the keywords that it refuses. The result is always an object
/// schema.
pub fn clean<'s>(schema: &'s Json<'_>, form: SchemaForm, drops: &[String]) -> Json<'s> {
    let text = schema.get();
    let has = |word: &str| memmem::find(text.as_bytes(), word.as_bytes()).is_some();
    let suspicious =
        suspects(form).iter().any(|word| has(word)) || drops.iter().any(|word| has(&format!("\"{word}\"")));
    if !suspicious && let Some(edited) = root::edit(text) {
        return match edited {
            Cow::Borrowed(_) => schema.borrowed(),
            Cow::Owned(text) => match Json::parse(&text) {
                Ok(json) => json.into_owned(),
                Err(_) => EMPTY,
            },
        };
    }
    Json::of(&forms::clean(schema.to_value(), form, drops))
}

/// The same for the schema of an answer: no root is made up for it.
pub fn clean_answer<'s>(schema: &'s Json<'_>, form: SchemaForm, drops: &[String]) -> Json<'s> {
    if schema.is_object() { clean(schema, form, drops) } else { schema.borrowed() }
}

/// True if OpenAI's strict mode takes the schema: every object closed, every property required.
pub fn is_strict(schema: &Json<'_>) -> bool {
    strict_below(&schema.to_value(), 0)
}

fn strict_below(schema: &Value, depth: usize) -> bool {
    let Value::Object(map) = schema else { return true };
    if depth > MAX_DEPTH {
        return false;
    }
    if let Some(properties) = map.get("properties").and_then(Value::as_object) {
        let required: Vec<&str> =
            map.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect();
        if properties.keys().any(|name| !required.contains(&name.as_str())) {
            return false;
        }
    }
    let is_object = map.get("type").is_some_and(|t| t == "object") || map.contains_key("properties");
    if is_object && map.get("additionalProperties") != Some(&Value::Bool(false)) {
        return false;
    }
    children(map).all(|child| strict_below(child, depth + 1))
}

/// The schemas directly below a schema, whatever keyword holds them.
fn children(map: &Map<String, Value>) -> impl Iterator<Item = &Value> {
    map.iter().flat_map(|(key, value)| -> Box<dyn Iterator<Item = &Value>> {
        match (place(key), value) {
            (Place::Schema, Value::Array(list)) => Box::new(list.iter()),
            (Place::Schema, value) => Box::new(std::iter::once(value)),
            (Place::Named, Value::Object(named)) => Box::new(named.values()),
            _ => Box::new(std::iter::empty()),
        }
    })
}

/// What stands under a keyword.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    /// One schema or a list of them.
    Schema,
    /// Schemas by names of the author's choice: the names are no keywords.
    Named,
    /// Data, never to be touched: `enum`, `const`, `default`, `required` …
    Data,
}

fn place(keyword: &str) -> Place {
    match keyword {
        "items"
        | "prefixItems"
        | "additionalItems"
        | "contains"
        | "additionalProperties"
        | "propertyNames"
        | "not"
        | "if"
        | "then"
        | "else"
        | "anyOf"
        | "oneOf"
        | "allOf"
        | "unevaluatedItems"
        | "unevaluatedProperties" => Place::Schema,
        "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" => Place::Named,
        _ => Place::Data,
    }
}

#[cfg(test)]
mod tests;
