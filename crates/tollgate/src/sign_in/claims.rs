//! What a claim says.

use serde_json::{Map, Value};

pub type Claims = Map<String, Value>;

/// A name that is longer is none.
const LONGEST: usize = 200;

/// The claim of this name; where there is none, within objects, by the names between its dots.
pub fn find<'c>(claims: &'c Claims, field: &str) -> Option<&'c Value> {
    if let Some(value) = claims.get(field) {
        return Some(value);
    }
    // Names such as Keycloak's clients may have dots of their own.
    field.match_indices('.').find_map(|(at, _)| find(claims.get(&field[..at])?.as_object()?, &field[at + 1..]))
}

/// One name: a text, a number, or the first of a list.
pub fn name(claims: &Claims, field: Option<&String>) -> Option<String> {
    names(claims, field).into_iter().next()
}

/// A list of names, or one.
pub fn names(claims: &Claims, field: Option<&String>) -> Vec<String> {
    let found = field.and_then(|field| find(claims, field));
    let one = |value: &Value| match value {
        Value::String(text) => Some(text.trim().to_string()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let all: Vec<String> = match found {
        Some(Value::Array(items)) => items.iter().filter_map(one).collect(),
        Some(value) => one(value).into_iter().collect(),
        None => Vec::new(),
    };
    all.into_iter().filter(|name| !name.is_empty() && name.chars().count() <= LONGEST).collect()
}

/// Words: a list of them, or a text with spaces between.
pub fn words(claims: &Claims, field: &str) -> Vec<String> {
    match find(claims, field) {
        Some(Value::String(text)) => text.split_whitespace().map(str::to_string).collect(),
        Some(Value::Array(items)) => items.iter().filter_map(|item| item.as_str().map(str::to_string)).collect(),
        _ => Vec::new(),
    }
}
