//! Where vendors put the words of an error.

use serde_json::Value;

use crate::page;

/// Longer texts are cut: a whole web page helps nobody.
const MAX_MESSAGE: usize = 4000;

/// What an error body says, before it is understood.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Found {
    pub message: String,
    pub code: Option<String>,
    /// The `type` field.
    pub kind: Option<String>,
    pub param: Option<String>,
    /// A status named in the body.
    pub status: Option<u16>,
    /// Further words that tell kinds apart but are no message: where a limit comes from, for example.
    pub hints: String,
    /// Tokens sent and allowed, where they have fields of their own (llama.cpp).
    pub tokens: Option<(u64, u64)>,
}

pub fn find(status: u16, body: &[u8]) -> Found {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    let mut found = match serde_json::from_str::<Value>(text) {
        Ok(value) => from_json(&value),
        Err(_) => Found { message: from_text(text), ..Found::default() },
    };
    if found.message.trim().is_empty() {
        found.message = match (&found.code, text.is_empty()) {
            (Some(code), _) => code.clone(),
            (None, true) => format!("The upstream answered {status} without a body"),
            (None, false) => text.to_string(),
        };
    }
    if let Some((cut, _)) = found.message.char_indices().nth(MAX_MESSAGE) {
        found.message.truncate(cut);
        found.message.push('…');
    }
    found
}

fn from_text(text: &str) -> String {
    if !text.starts_with('<') {
        return text.to_string();
    }
    match page::words(text).as_str() {
        "" => "The upstream answered with a web page".into(),
        words => format!("The upstream answered with a web page: {words}"),
    }
}

fn from_json(value: &Value) -> Found {
    match value {
        Value::String(text) => Found { message: text.clone(), ..Found::default() },
        // Google's stream of one error.
        Value::Array(list) => list.first().map(from_json).unwrap_or_default(),
        Value::Object(_) => from_object(value),
        _ => Found::default(),
    }
}

fn from_object(value: &Value) -> Found {
    let mut found = match value.get("error") {
        Some(Value::String(text)) => {
            let mut found = fields(value);
            // `{code, error}` (xAI) and `{error, error_type}` (TGI): `error` holds the words.
            if found.message.is_empty() {
                found.message = text.clone();
            }
            found.kind = found.kind.or_else(|| string(value.get("error_type")));
            found
        }
        Some(inner @ Value::Object(_)) => fields(inner),
        Some(Value::Array(list)) => list.first().map(from_json).unwrap_or_default(),
        _ => fields(value),
    };
    if let Some(base) = value.get("base_resp") {
        found.message = string(base.get("status_msg")).unwrap_or(found.message);
        found.code = string(base.get("status_code")).map(|code| format!("minimax_{code}")).or(found.code);
    }
    found
}

fn fields(value: &Value) -> Found {
    let message = match value.get("message") {
        // Mistral's validation errors stand inside the message.
        Some(Value::Object(inner)) => inner.get("detail").map(detail),
        other => string(other),
    };
    let message = message
        .or_else(|| value.get("detail").map(detail))
        .or_else(|| string(value.get("msg")))
        .or_else(|| string(value.get("title")));
    let number = |name: &str| value.get(name).and_then(Value::as_u64);
    let mut found = Found {
        message: message.unwrap_or_default(),
        code: string(value.get("code")),
        kind: string(value.get("type")).filter(|t| t != "error"),
        param: string(value.get("param")),
        status: number("status").or_else(|| number("status_code")).and_then(|s| u16::try_from(s).ok()),
        hints: String::new(),
        tokens: number("n_prompt_tokens").zip(number("n_ctx")),
    };
    if let Some(metadata) = value.get("metadata") {
        add_metadata(&mut found, metadata);
    }
    // Azure's reason behind the code, under either name.
    let inner = value.get("innererror").or_else(|| value.get("inner_error"));
    if let Some(code) = inner.and_then(|inner| string(inner.get("code"))) {
        found.hints.push_str(&code);
    }
    found
}

/// OpenRouter's: the provider behind it, its own words, and whose limit it was.
fn add_metadata(found: &mut Found, metadata: &Value) {
    if let Some(source) = string(metadata.get("limit_source")) {
        found.hints.push_str(&source);
    }
    let Some(raw) = string(metadata.get("raw")) else { return };
    let words = serde_json::from_str(&raw).map_or(raw, |inner| from_json(&inner).message);
    if words.is_empty() || found.message.contains(&words) {
        return;
    }
    match string(metadata.get("provider_name")) {
        Some(provider) => found.message.push_str(&format!(" ({provider}): {words}")),
        None => found.message.push_str(&format!(": {words}")),
    }
}

/// FastAPI's `detail`: a string, or a list of `{loc, msg}`.
fn detail(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(list) => list.iter().map(one_detail).collect::<Vec<_>>().join("; "),
        Value::Object(map) => string(map.get("message")).unwrap_or_else(|| value.to_string()),
        other => other.to_string(),
    }
}

fn one_detail(value: &Value) -> String {
    let Some(message) = string(value.get("msg")) else { return detail(value) };
    let place: Vec<String> = value
        .get("loc")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|part| string(Some(part)))
        .collect();
    if place.is_empty() { message } else { format!("{}: {message}", place.join(".")) }
}

/// A string, or a number as one; `None` for everything else and for nothing.
fn string(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}
