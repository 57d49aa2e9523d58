//! What messages and tool results hold.

use std::collections::HashSet;

use serde_json::Value;

use super::validate::{cache_point, constrained, list, object, one_of};
use super::{Strictness, invalid};
use crate::messages::signature;
use crate::refusal::Check;

const BLOCK: &[&str] = &["text", "image", "document", "toolUse", "toolResult", "cachePoint", "reasoningContent"];
const IN_RESULT: &[&str] = &["text", "json", "image", "document"];
const DOCUMENTS: [&str; 9] = ["pdf", "csv", "doc", "docx", "xls", "xlsx", "html", "txt", "md"];

/// What must not come twice in a request.
#[derive(Default)]
pub(super) struct Seen {
    calls: HashSet<String>,
    documents: HashSet<String>,
}

pub(super) fn check(content: &[Value], message: usize, assistant: bool, seen: &mut Seen, s: &Strictness) -> Check {
    for (j, block) in content.iter().enumerate() {
        let path = format!("/messages/{message}/content/{j}");
        let (kind, value) = one_of(block, BLOCK, &path)?;
        match kind {
            "text" => text(value, &format!("messages.{message}.content.{j}"))?,
            "cachePoint" if j > 0 => cache_point(value, &path, s)?,
            "cachePoint" => return Err(invalid(format!("{path}: a cache point closes the block before it"))),
            "image" if !assistant => image(value, &path, s)?,
            "document" if !assistant => document(value, &path, seen)?,
            "toolResult" if !assistant => result(value, message, j, seen, s)?,
            "toolUse" if assistant => call(value, &path, seen)?,
            "reasoningContent" if assistant => thought(value, &path, s)?,
            kind => return Err(invalid(format!("{path}: the role of this message cannot have a block of {kind}"))),
        }
    }
    let has = |kind: &str| content.iter().any(|block| block.get(kind).is_some());
    if has("document") && !has("text") {
        return Err(invalid(format!(
            "The content at messages.{message} has a document: include a ContentBlock with a text field as well."
        )));
    }
    Ok(())
}

fn text(value: &Value, place: &str) -> Check {
    match value.as_str() {
        Some(text) if !text.trim().is_empty() => Ok(()),
        _ => Err(invalid(format!(
            "The text field in the ContentBlock object at {place} is blank. Add text to the text field, and try again."
        ))),
    }
}

fn bytes(source: &Value, path: &str) -> Check {
    object(source, &["bytes"], path)?;
    let legal = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=');
    match source["bytes"].as_str() {
        Some(data) if !data.is_empty() && data.chars().all(legal) => Ok(()),
        _ => Err(invalid(format!("{path}: the bytes are no base64"))),
    }
}

fn image(value: &Value, path: &str, s: &Strictness) -> Check {
    if !s.images {
        return Err(invalid(
            "This model doesn't support the image content block that you provided. Remove the image content block and try again.",
        ));
    }
    object(value, &["format", "source"], path)?;
    if !matches!(value["format"].as_str(), Some("png" | "jpeg" | "gif" | "webp")) {
        return Err(invalid(format!("{path}/image/format: {} is not a valid enum value", value["format"])));
    }
    bytes(&value["source"], path)
}

fn document(value: &Value, path: &str, seen: &mut Seen) -> Check {
    object(value, &["format", "name", "source", "context", "citations"], path)?;
    if !value["format"].as_str().is_some_and(|format| DOCUMENTS.contains(&format)) {
        return Err(invalid(format!("{path}/document/format: {} is not a valid enum value", value["format"])));
    }
    let name = value["name"].as_str().unwrap_or_default();
    let legal = |c: char| c.is_ascii_alphanumeric() || c.is_whitespace() || "-()[]".contains(c);
    if name.is_empty() || name.len() > 200 || !name.chars().all(legal) || name.contains("  ") {
        return Err(invalid(
            "The document file name can only contain alphanumeric characters, whitespace characters, hyphens, parentheses, and square brackets. The name can't contain more than one consecutive whitespace character.",
        ));
    }
    if !seen.documents.insert(name.to_owned()) {
        return Err(invalid(
            "The request has more than one document of the same name. Use unique names and try again.",
        ));
    }
    bytes(&value["source"], path)
}

fn call(value: &Value, path: &str, seen: &mut Seen) -> Check {
    object(value, &["toolUseId", "name", "input"], path)?;
    constrained(&value["toolUseId"], "toolUseId", 64, "_.:-")?;
    constrained(&value["name"], "name", 64, "_-")?;
    if !value["input"].is_object() {
        return Err(invalid(format!("{path}/toolUse/input: expected type: JSONObject")));
    }
    match seen.calls.insert(value["toolUseId"].to_string()) {
        true => Ok(()),
        false => Err(invalid(format!("The toolUse blocks have the same id twice: {}", value["toolUseId"]))),
    }
}

fn result(value: &Value, message: usize, index: usize, seen: &mut Seen, s: &Strictness) -> Check {
    let path = format!("/messages/{message}/content/{index}");
    object(value, &["toolUseId", "content", "status"], &path)?;
    constrained(&value["toolUseId"], "toolUseId", 64, "_.:-")?;
    if !matches!(value["status"].as_str(), None | Some("success" | "error")) {
        return Err(invalid(format!("{path}/toolResult/status: {} is not a valid enum value", value["status"])));
    }
    let content = list(&value["content"], &path)?;
    if content.is_empty() {
        return Err(invalid(format!("{path}/toolResult/content: at least one block is needed")));
    }
    for (k, block) in content.iter().enumerate() {
        match one_of(block, IN_RESULT, &path)? {
            ("text", value) => text(value, &format!("messages.{message}.content.{index}.toolResult.content.{k}"))?,
            ("image", value) => image(value, &path, s)?,
            ("document", value) => document(value, &path, seen)?,
            _ => {}
        }
    }
    Ok(())
}

fn thought(value: &Value, path: &str, s: &Strictness) -> Check {
    let (kind, value) = one_of(value, &["reasoningText", "redactedContent"], path)?;
    if kind == "redactedContent" {
        return Ok(());
    }
    object(value, &["text", "signature"], path)?;
    let own = signature(value["text"].as_str().unwrap_or_default());
    match value["signature"].as_str() {
        Some(given) if s.claude && given == own => Ok(()),
        _ if !s.claude => Ok(()),
        _ => Err(invalid(
            "The model returned the following errors: messages.1.content.0: Invalid `signature` in `thinking` block",
        )),
    }
}
