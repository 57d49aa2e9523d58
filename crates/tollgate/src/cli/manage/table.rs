//! Rows as people read them.

use serde_json::Value;

use super::Resource;

/// A table with the resource's columns.
pub fn rows(resource: &Resource, rows: &[Value]) -> String {
    if rows.is_empty() {
        return format!("no {}s\n", resource.word);
    }
    let heads: Vec<String> = resource.columns.iter().map(|(head, _)| head.to_string()).collect();
    let cells = rows.iter().map(|row| resource.columns.iter().map(|(_, field)| cell(&row[*field])).collect::<Vec<_>>());
    let lines: Vec<Vec<String>> = std::iter::once(heads).chain(cells).collect();
    let width = |column: usize| lines.iter().map(|line| line[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..resource.columns.len()).map(width).collect();
    let line = |cells: &Vec<String>| {
        let padded: Vec<String> = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    lines.iter().map(line).collect()
}

/// The fields that say something, one a line.
pub fn one(row: &Value) -> String {
    let Some(fields) = row.as_object() else { return format!("{row}\n") };
    let width = fields.keys().map(|name| name.chars().count()).max().unwrap_or(0);
    let said = fields.iter().filter(|(_, value)| !says_nothing(value));
    said.map(|(name, value)| format!("{name:width$}  {}\n", cell(value))).collect()
}

/// What was made: of a key the key itself, which is never shown again.
pub fn made(resource: &Resource, row: &Value) -> String {
    let id = row.get(resource.id).filter(|id| !id.is_null());
    let key = row.get("key").and_then(Value::as_str);
    match (resource.word, id, key) {
        ("key", _, Some(key)) => format!("{key}\n"),
        (word, Some(id), Some(key)) => format!("{word} {}\nkey {key}\n", cell(id)),
        (word, Some(id), None) => format!("{word} {}\n", cell(id)),
        _ => one(row),
    }
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => "-".to_string(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

fn says_nothing(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}
