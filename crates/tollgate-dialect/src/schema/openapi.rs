//! Google's schemas, which follow OpenAPI 3.0, as JSON Schema.
//!
//! <https://ai.google.dev/api/caching#Schema>, 2026-11: types in capitals, `nullable`, numbers of 64 bits in strings.

use std::sync::LazyLock;

use memchr::memmem::Finder;
use serde_json::{Map, Value, json};

use super::{Place, place};
use crate::json::{Json, MAX_DEPTH};

/// What shows that a schema is Google's.
const SIGNS: [&str; 17] = [
    "\"STRING\"",
    "\"NUMBER\"",
    "\"INTEGER\"",
    "\"BOOLEAN\"",
    "\"ARRAY\"",
    "\"OBJECT\"",
    "\"NULL\"",
    "\"TYPE_UNSPECIFIED\"",
    "\"nullable\"",
    "\"propertyOrdering\"",
    "\"property_ordering\"",
    // Those of [`COUNTS`], as texts.
    "\"minItems\":\"",
    "\"maxItems\":\"",
    "\"minLength\":\"",
    "\"maxLength\":\"",
    "\"minProperties\":\"",
    "\"maxProperties\":\"",
];

/// Made once: for a schema of usual size that takes longer than looking for them.
static FINDERS: LazyLock<[Finder<'static>; SIGNS.len()]> = LazyLock::new(|| SIGNS.map(Finder::new));

const COUNTS: [&str; 6] = ["minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"];

/// A schema that has nothing of Google's keeps its bytes.
pub fn to_json_schema<'s>(schema: Json<'s>) -> Json<'s> {
    if !FINDERS.iter().any(|sign| sign.find(schema.get().as_bytes()).is_some()) {
        return schema;
    }
    Json::of(&walk(schema.to_value(), 0))
}

fn walk(schema: Value, depth: usize) -> Value {
    let Value::Object(mut map) = schema else { return schema };
    if depth > MAX_DEPTH {
        return json!({"type": "object"});
    }
    convert(&mut map);
    for (keyword, value) in &mut map {
        let taken = value.take();
        *value = match (place(keyword), taken) {
            (Place::Schema, Value::Array(list)) => list.into_iter().map(|item| walk(item, depth + 1)).collect(),
            (Place::Schema, one) => walk(one, depth + 1),
            (Place::Named, Value::Object(named)) => {
                Value::Object(named.into_iter().map(|(name, item)| (name, walk(item, depth + 1))).collect())
            }
            (_, data) => data,
        };
    }
    Value::Object(map)
}

fn convert(map: &mut Map<String, Value>) {
    for keyword in ["propertyOrdering", "property_ordering"] {
        map.shift_remove(keyword);
    }
    match map.get_mut("type") {
        Some(Value::String(kind)) if kind == "TYPE_UNSPECIFIED" => _ = map.shift_remove("type"),
        Some(Value::String(kind)) => *kind = kind.to_ascii_lowercase(),
        Some(Value::Array(kinds)) => {
            for kind in kinds.iter_mut() {
                if let Value::String(kind) = kind {
                    *kind = kind.to_ascii_lowercase();
                }
            }
        }
        _ => {}
    }
    for count in COUNTS {
        if let Some(Value::String(digits)) = map.get(count)
            && let Ok(number) = digits.parse::<u64>()
        {
            map.insert(count.into(), json!(number));
        }
    }
    if map.shift_remove("nullable") != Some(Value::Bool(true)) {
        return;
    }
    match map.get_mut("type") {
        Some(Value::String(kind)) if kind != "null" => {
            let kind = std::mem::take(kind);
            map.insert("type".into(), json!([kind, "null"]));
        }
        _ => {}
    }
    if let Some(Value::Array(branches)) = map.get_mut("anyOf") {
        branches.push(json!({"type": "null"}));
    }
    if let Some(Value::Array(values)) = map.get_mut("enum")
        && !values.contains(&Value::Null)
    {
        values.push(Value::Null);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn converted(schema: &str) -> String {
        to_json_schema(Json::parse(schema).expect("test schema")).get().to_string()
    }

    #[test]
    fn googles_types_and_nullable_become_json_schema() {
        assert_eq!(
            converted(
                r#"{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true,"enum":["A"]},"n":{"type":"ARRAY","items":{"type":"INTEGER"},"minItems":"1"},"u":{"anyOf":[{"type":"STRING"}],"nullable":true}},"propertyOrdering":["type","n"],"required":["type"]}"#
            ),
            r#"{"type":"object","properties":{"type":{"type":["string","null"],"enum":["A",null]},"n":{"type":"array","items":{"type":"integer"},"minItems":1},"u":{"anyOf":[{"type":"string"},{"type":"null"}]}},"required":["type"]}"#
        );
    }

    #[test]
    fn a_json_schema_keeps_its_bytes() {
        let schema = r#"{ "type":"object", "properties":{"a":{"type":["string","null"]}},"$defs":{} }"#;
        assert_eq!(converted(schema), schema);
    }
}
