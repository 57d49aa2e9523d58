//! Errors of upstreams to the canonical form, and the canonical form to a client.

use crate::anthropic_messages::wire::{Members, Raw, text_of, word, word_of};
use crate::error::{ErrorKind, PublicError, UpstreamError};
use crate::json::Writer;
use crate::scan::items;
use crate::{overflow, page, scope};

/// Anthropic's error types with the status that each has when it is not inside a stream (platform.claude.com, "Errors",
/// 2026-08).
const TYPES: [(&str, u16, ErrorKind); 11] = [
    ("invalid_request_error", 400, ErrorKind::InvalidRequest),
    ("authentication_error", 401, ErrorKind::Authentication),
    ("billing_error", 402, ErrorKind::Billing),
    ("permission_error", 403, ErrorKind::Permission),
    ("not_found_error", 404, ErrorKind::NotFound),
    ("conflict_error", 409, ErrorKind::Api),
    ("request_too_large", 413, ErrorKind::TooLarge),
    ("rate_limit_error", 429, ErrorKind::RateLimited),
    ("api_error", 500, ErrorKind::Api),
    ("timeout_error", 504, ErrorKind::Timeout),
    ("overloaded_error", 529, ErrorKind::Overloaded),
];

/// What tells kinds apart that share a type: found in the code or, lower-cased, in the message. The only such table of this
/// dialect.
const SIGNS: [(&str, ErrorKind); 21] = [
    ("prompt is too long", ErrorKind::ContextOverflow),
    ("exceed context limit", ErrorKind::ContextOverflow),
    ("input is too long", ErrorKind::ContextOverflow),
    ("prompt_too_long", ErrorKind::ContextOverflow),
    ("maximum context length", ErrorKind::ContextOverflow),
    ("context_length_exceeded", ErrorKind::ContextOverflow),
    ("context window exceed", ErrorKind::ContextOverflow),
    ("exceeds the context window", ErrorKind::ContextOverflow),
    ("exceeds the available context size", ErrorKind::ContextOverflow),
    ("exceed_context_size_error", ErrorKind::ContextOverflow),
    ("longer than the maximum model length", ErrorKind::ContextOverflow),
    ("longer than the model's context length", ErrorKind::ContextOverflow),
    ("exceeded model token limit", ErrorKind::ContextOverflow),
    ("larger context length", ErrorKind::ContextOverflow),
    ("credit balance is too low", ErrorKind::Billing),
    ("insufficient balance", ErrorKind::Billing),
    ("spend_limit_reached", ErrorKind::Billing),
    ("content filtering policy", ErrorKind::ContentPolicy),
    ("invalid x-api-key", ErrorKind::Authentication),
    ("invalid api key", ErrorKind::Authentication),
    ("incorrect api key", ErrorKind::Authentication),
];

/// Longer error texts are pages, not messages.
const LONGEST_MESSAGE: usize = 4000;

/// Reads an upstream's error answer.
pub fn decode_error(status: u16, body: &[u8]) -> UpstreamError {
    let text = String::from_utf8_lossy(body);
    let text = text.trim();
    // Google wraps the error of a stream in a list.
    let first = items(text).and_then(|all| all.first().copied());
    match Members::parse(first.map_or(text, Raw::get)) {
        Some(members) => of_members(Some(status), &members, text),
        None => build(Some(status), None, None, &bare_message(status, text)),
    }
}

/// An error that stands where an answer or an event was due.
pub fn error_in_answer(json: &str) -> Option<UpstreamError> {
    let members = Members::parse(json)?;
    let error = members.get("error").filter(|e| !e.is_null());
    if word(members.get("type")) != "error" && error.is_none() {
        return None;
    }
    Some(of_members(None, &members, json))
}

/// `{error: {type, message, details: {error_code}}}`, and what layers send in its place: `{error: "…"}`, `{message}`,
/// `{detail}`.
fn of_members(status: Option<u16>, outer: &Members<'_>, whole: &str) -> UpstreamError {
    let inner = outer.get("error").and_then(|e| Members::parse(e.get()));
    let fields = inner.as_ref().unwrap_or(outer);
    let message = fields.get("message").or(fields.get("detail")).or(outer.get("error"));
    let message = match text_of(message) {
        Some(text) if !text.is_blank() => text.decode().into_owned(),
        _ => bare_message(status.unwrap_or(500), whole),
    };
    let details = fields.get("details").and_then(|d| Members::parse(d.get()));
    let code = details.and_then(|d| code_of(d.get("error_code"))).or_else(|| code_of(fields.get("code")));
    let kind = code_of(fields.get("type")).filter(|kind| kind != "error");
    build(status, kind, code, &message)
}

/// A string, or a number as some layers have it.
fn code_of(raw: Option<Raw<'_>>) -> Option<String> {
    let raw = raw.filter(|r| !r.is_null())?;
    word_of(Some(raw)).map(|w| w.into_owned()).or_else(|| raw.json().as_count().map(|n| n.to_string()))
}

fn build(status: Option<u16>, vendor_type: Option<String>, code: Option<String>, message: &str) -> UpstreamError {
    let known = TYPES.iter().find(|(name, ..)| vendor_type.as_deref() == Some(name));
    let status = status.filter(|&s| s >= 400).or(known.map(|k| k.1)).unwrap_or(500);
    // Layers give any type to a refused credential; the status is right.
    let by_type = match kind_of_status(status) {
        refused @ (ErrorKind::Authentication | ErrorKind::Permission) => refused,
        by_status => known.map_or(by_status, |k| k.2),
    };
    let haystack =
        format!("{} {} {message}", code.as_deref().unwrap_or(""), vendor_type.as_deref().unwrap_or("")).to_lowercase();
    let sign = SIGNS.iter().find(|(sign, _)| haystack.contains(sign)).map(|s| s.1);
    let kind = match (by_type, sign) {
        (ErrorKind::InvalidRequest | ErrorKind::TooLarge | ErrorKind::Api, Some(kind)) => kind,
        (ErrorKind::RateLimited | ErrorKind::Permission, Some(ErrorKind::Billing)) => ErrorKind::Billing,
        (kind, _) => kind,
    };
    let permanent = matches!(kind, ErrorKind::Billing | ErrorKind::ContextOverflow | ErrorKind::ContentPolicy);
    UpstreamError {
        status,
        kind,
        scope: scope::of(kind, message),
        message: message.to_string(),
        code: code.or(vendor_type),
        param: param_of(message),
        overflow: if kind == ErrorKind::ContextOverflow { overflow_of(message) } else { None },
        retry_after: None,
        temporary: !permanent && is_temporary(status),
    }
}

fn kind_of_status(status: u16) -> ErrorKind {
    match status {
        401 => ErrorKind::Authentication,
        402 => ErrorKind::Billing,
        403 => ErrorKind::Permission,
        404 | 410 => ErrorKind::NotFound,
        408 | 504 | 522 | 524 => ErrorKind::Timeout,
        413 => ErrorKind::TooLarge,
        429 => ErrorKind::RateLimited,
        498 | 503 | 529 => ErrorKind::Overloaded,
        400 | 405..=499 => ErrorKind::InvalidRequest,
        _ => ErrorKind::Api,
    }
}

fn is_temporary(status: u16) -> bool {
    matches!(status, 408 | 409 | 425 | 429 | 498 | 500 | 502 | 503 | 504 | 520..=524 | 529)
}

/// Anthropic names the place before the first colon: `messages.1.content.0: …`.
fn param_of(message: &str) -> Option<String> {
    let (place, _) = message.split_once(": ")?;
    let path = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-');
    let named = place.len() <= 120 && place.chars().all(path) && place.starts_with(|c: char| c.is_ascii_lowercase());
    named.then(|| place.to_string())
}

/// `prompt is too long: N tokens > M maximum`, and ``input length and `max_tokens` exceed context limit: A + B > C``.
/// Layers before other vendors' models use those vendors' words.
fn overflow_of(message: &str) -> Option<(u64, u64)> {
    let Some((sent, allowed)) = message.split_once('>') else { return overflow::numbers(message) };
    let numbers = |text: &str| -> Vec<u64> {
        text.split(|c: char| !c.is_ascii_digit() && c != ',').filter_map(|n| n.replace(',', "").parse().ok()).collect()
    };
    let sent = sent.rsplit_once(": ").map_or(sent, |(_, tail)| tail);
    let sent = numbers(sent).into_iter().reduce(u64::saturating_add)?;
    Some((sent, *numbers(allowed).first()?))
}

/// A message for a body that has none.
fn bare_message(status: u16, body: &str) -> String {
    let lower = body.get(..body.floor_char_boundary(2000)).unwrap_or("").to_ascii_lowercase();
    if body.is_empty() {
        return format!("the upstream answered with status {status} and an empty body");
    }
    if lower.starts_with("<!doctype") || lower.starts_with("<html") {
        return match page::words(body).as_str() {
            "" => format!("the upstream answered with status {status} and a web page"),
            words => format!("the upstream answered with status {status} and a web page: {words}"),
        };
    }
    body[..body.floor_char_boundary(LONGEST_MESSAGE)].to_string()
}

/// See [`crate::is_plain_error`].
pub fn is_plain_error(body: &[u8], kind: ErrorKind) -> bool {
    let members = std::str::from_utf8(body).ok().and_then(Members::parse);
    let Some(members) = members.filter(|m| word(m.get("type")) == "error") else { return false };
    let Some(error) = members.get("error").and_then(|e| Members::parse(e.get())) else { return false };
    let Some(message) = text_of(error.get("message")) else { return false };
    !word(error.get("type")).is_empty() && (kind != ErrorKind::ContextOverflow || compacts(&message.decode()))
}

/// Claude Code compacts the conversation on the first, and lowers `max_tokens` on the second (2.1.329).
fn compacts(message: &str) -> bool {
    ["prompt is too long", "exceed context limit"].iter().any(|words| message.contains(words))
}

/// An error body for a client.
pub fn encode_error(error: &PublicError, request_id: &str) -> Vec<u8> {
    let mut w = Writer::with_capacity(256);
    write_error(&mut w, error, request_id);
    w.out
}

pub fn write_error(w: &mut Writer, error: &PublicError, request_id: &str) {
    let kind = match error.kind {
        ErrorKind::InvalidRequest | ErrorKind::ContextOverflow | ErrorKind::ContentPolicy => "invalid_request_error",
        ErrorKind::Authentication => "authentication_error",
        ErrorKind::Billing => "billing_error",
        ErrorKind::Permission => "permission_error",
        ErrorKind::NotFound => "not_found_error",
        ErrorKind::TooLarge => "request_too_large",
        ErrorKind::RateLimited => "rate_limit_error",
        ErrorKind::Overloaded => "overloaded_error",
        ErrorKind::Timeout => "timeout_error",
        ErrorKind::Api => "api_error",
    };
    w.open_object().key("type").raw(r#""error""#).key("error").open_object();
    w.key("type").str(kind).key("message").str(&message_for_client(error)).close_object();
    w.key("request_id").str(request_id).close_object();
}

/// An overflow in words that Claude Code does not know would end the session.
fn message_for_client(error: &PublicError) -> std::borrow::Cow<'_, str> {
    if error.kind == ErrorKind::ContextOverflow && !compacts(&error.message) {
        format!("prompt is too long: {}", error.message).into()
    } else {
        error.message.as_str().into()
    }
}
