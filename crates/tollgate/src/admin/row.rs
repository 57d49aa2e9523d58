//! What the rows of all resources have in common.

use serde_json::{Map, Value, json};
use tollgate_store::entity::{Extra, Stamps};

use super::time;

/// A row begun: the fields of `json!({…})`.
pub fn begin(fields: Value) -> Map<String, Value> {
    match fields {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// LiteLLM's word for a provider of the registry.
pub fn provider(name: &str) -> &str {
    // What is only compatible with it is `openai` with an `api_base` there.
    if name == "openai_like" { "openai" } else { name }
}

pub fn stamps(row: &mut Map<String, Value>, stamps: &Stamps) {
    row.insert("created_at".into(), time::iso_or_null((stamps.created_at_ms > 0).then_some(stamps.created_at_ms)));
    row.insert("created_by".into(), json!(stamps.created_by));
    row.insert("updated_at".into(), time::iso_or_null((stamps.updated_at_ms > 0).then_some(stamps.updated_at_ms)));
    row.insert("updated_by".into(), json!(stamps.updated_by));
}

/// The fields that are only kept, and of those that clients look for the empty ones.
pub fn extra(row: &mut Map<String, Value>, extra: &Extra, usual: &[(&str, Value)]) {
    for (name, value) in extra {
        row.entry(name.clone()).or_insert_with(|| value.clone());
    }
    for (name, value) in usual {
        row.entry(*name).or_insert_with(|| value.clone());
    }
}
