//! The cheap path: edits at the root of a schema by copying slices.

use std::borrow::Cow;

use memchr::memmem;

use super::ANNOTATIONS;
use crate::json::members;

/// The schema with root annotations gone and `type` and `properties` in place; `None` if it needs the full walk.
pub fn edit(text: &str) -> Option<Cow<'_, str>> {
    let root = members(text).ok()?;
    let annotated = |key: &str| ANNOTATIONS.contains(&key);
    if root.iter().any(|(key, value)| !annotated(key) && !value.starts_with('"') && annotated_below(value)) {
        return None;
    }
    let has = |name: &str| root.iter().any(|(key, _)| *key == name);
    if ["anyOf", "oneOf", "allOf", "$ref"].into_iter().any(has) {
        return None;
    }
    match root.iter().find(|(key, _)| *key == "type") {
        Some((_, value)) if *value != "\"object\"" => return None,
        _ => {}
    }
    let whole = has("type") && has("properties");
    if whole && !root.iter().any(|(key, _)| annotated(key)) {
        return Some(Cow::Borrowed(text));
    }
    let mut out = String::with_capacity(text.len() + 40);
    out.push('{');
    if !has("type") {
        out.push_str(r#""type":"object","#);
    }
    for (key, value) in root.iter().filter(|(key, _)| !annotated(key)) {
        for piece in ["\"", key, "\":", value, ","] {
            out.push_str(piece);
        }
    }
    if !has("properties") {
        out.push_str(r#""properties":{},"#);
    }
    out.pop();
    out.push('}');
    Some(Cow::Owned(out))
}

/// An annotation may stand somewhere below. It may be a property's name as well: the full walk tells them apart.
fn annotated_below(text: &str) -> bool {
    memmem::find_iter(text.as_bytes(), b"\"$").any(|at| {
        ANNOTATIONS
            .iter()
            .any(|word| text.as_bytes()[at + 1..].strip_prefix(word.as_bytes()).is_some_and(|r| r.starts_with(b"\"")))
    })
}
