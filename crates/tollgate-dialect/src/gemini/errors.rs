//! Errors: `google.rpc.Status` under `error`.
//!
//! <https://ai.google.dev/gemini-api/docs/troubleshooting> and google/rpc/{code,error_details}.proto, 2026-11.

use std::time::Duration;

use serde_json::{Value, json};

use crate::error::{ErrorKind, PublicError, UpstreamError};
use crate::openai_chat::response::decode_error as decode_any;
use crate::{overflow, scope};

const TYPE: &str = "type.googleapis.com/google.rpc.";

/// What clients take for a prompt that does not fit.
const TOO_LONG: &str = "exceeds the maximum number of tokens allowed";

/// Reasons of `ErrorInfo`, and ends of quota ids, that say more than the status does; `bool`: trying again later can help.
const REASONS: [(&str, ErrorKind, bool); 7] = [
    ("API_KEY_INVALID", ErrorKind::Authentication, false),
    ("API_KEY_EXPIRED", ErrorKind::Authentication, false),
    ("BILLING_DISABLED", ErrorKind::Billing, false),
    ("INSUFFICIENT_G1_CREDITS_BALANCE", ErrorKind::Billing, false),
    ("QUOTA_EXHAUSTED", ErrorKind::RateLimited, false),
    ("MODEL_CAPACITY_EXHAUSTED", ErrorKind::Overloaded, true),
    ("MODEL_CAPACITY_EXCEEDED", ErrorKind::Overloaded, true),
];

/// Words that the status alone does not tell.
const WORDS: [(&str, ErrorKind); 4] = [
    ("api key not valid", ErrorKind::Authentication),
    ("api key expired", ErrorKind::Authentication),
    ("user location is not supported", ErrorKind::Permission),
    ("enable billing", ErrorKind::Billing),
];

/// A wait that is longer than this is no passing limit (Gemini CLI, googleQuotaErrors.ts, 2026-08).
const LONGEST_PASSING: Duration = Duration::from_secs(300);

/// An HTTP error answer, or the error inside an answer of status 200.
pub fn decode_error(status: u16, body: &[u8]) -> UpstreamError {
    let mut error = decode_any(status, body);
    let Some(status) = status_object(body) else { return error };
    if let Some(name) = status["status"].as_str() {
        error.code = Some(name.to_string());
    }
    let details = status["details"].as_array().map_or(&[][..], Vec::as_slice);
    let of = |kind: &'static str| {
        details.iter().filter(move |d| d["@type"].as_str().is_some_and(|name| name.ends_with(kind)))
    };
    let delay = of("RetryInfo").find_map(|info| seconds(info["retryDelay"].as_str()?));
    error.retry_after = delay.or(error.retry_after);
    let lower = error.message.to_ascii_lowercase();
    if let Some((_, kind)) = WORDS.iter().find(|(words, _)| lower.contains(words)) {
        (error.kind, error.temporary) = (*kind, false);
    }
    let reason = of("ErrorInfo").find_map(|info| info["reason"].as_str());
    if let Some((name, kind, temporary)) = REASONS.iter().find(|(name, ..)| reason == Some(name)) {
        (error.kind, error.temporary) = (*kind, *temporary);
        error.code = Some((*name).to_string());
    }
    if error.kind == ErrorKind::RateLimited {
        let mut quotas = of("QuotaFailure").filter_map(|failure| failure["violations"].as_array()).flatten();
        let daily = quotas.any(|quota| {
            let id = quota["quotaId"].as_str().unwrap_or("");
            ["PerDay", "Daily"].iter().any(|word| id.contains(word))
        });
        error.temporary &= !daily && error.retry_after.is_none_or(|wait| wait <= LONGEST_PASSING);
    }
    // The quotas in the details name the model that they are for.
    error.scope = scope::of(error.kind, &format!("{}\n{}", error.message, status["details"]));
    error
}

/// The object under `error`; a stream that failed at once is an array of one.
fn status_object(body: &[u8]) -> Option<Value> {
    let mut value: Value = serde_json::from_slice(body).ok()?;
    if let Some(first) = value.get_mut(0) {
        value = first.take();
    }
    value.get_mut("error").map(Value::take).filter(Value::is_object)
}

/// `34.07s`
fn seconds(delay: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(delay.strip_suffix('s')?.parse().ok()?).ok()
}

/// See [`crate::is_plain_error`].
pub fn is_plain_error(body: &[u8], kind: ErrorKind) -> bool {
    let Some(error) = status_object(body) else { return false };
    let Some(message) = error["message"].as_str() else { return false };
    error["status"].is_string() && (kind != ErrorKind::ContextOverflow || message.contains(TOO_LONG))
}

/// The name of the status, and the HTTP status that clients expect with it.
fn name_of(error: &PublicError) -> (&'static str, u16) {
    match error.kind {
        ErrorKind::InvalidRequest | ErrorKind::ContextOverflow | ErrorKind::ContentPolicy | ErrorKind::TooLarge => {
            ("INVALID_ARGUMENT", error.status)
        }
        ErrorKind::Authentication => ("UNAUTHENTICATED", error.status),
        // There is no status for money: the quota that is used up is that of the day.
        ErrorKind::Billing => ("RESOURCE_EXHAUSTED", 429),
        ErrorKind::Permission => ("PERMISSION_DENIED", error.status),
        ErrorKind::NotFound => ("NOT_FOUND", error.status),
        ErrorKind::RateLimited => ("RESOURCE_EXHAUSTED", error.status),
        ErrorKind::Overloaded => ("UNAVAILABLE", 503),
        ErrorKind::Timeout => ("DEADLINE_EXCEEDED", error.status),
        ErrorKind::Api => ("INTERNAL", error.status),
    }
}

/// The HTTP status under which a client of this dialect is told of an error.
pub fn status_of(error: &PublicError) -> u16 {
    name_of(error).1
}

pub fn encode_error(error: &PublicError) -> Vec<u8> {
    let (status, code) = name_of(error);
    let message = match error.kind {
        ErrorKind::ContextOverflow if !error.message.contains(TOO_LONG) => match overflow::numbers(&error.message) {
            Some((sent, allowed)) => {
                format!("The input token count ({sent}) {TOO_LONG} ({allowed}). {}", error.message)
            }
            None => format!("The input token count {TOO_LONG}: {}", error.message),
        },
        _ => error.message.clone(),
    };
    let mut details = Vec::new();
    if error.kind == ErrorKind::Billing {
        let violation = json!({"quotaId": "BudgetPerDay", "description": error.message});
        details.push(json!({"@type": format!("{TYPE}QuotaFailure"), "violations": [violation]}));
    }
    if let Some(wait) = error.retry_after {
        let delay = format!("{}s", (wait.as_secs_f64() * 1000.0).round() / 1000.0);
        details.push(json!({"@type": format!("{TYPE}RetryInfo"), "retryDelay": delay}));
    }
    let mut object = json!({"code": code, "message": message, "status": status});
    if !details.is_empty() {
        object["details"] = Value::Array(details);
    }
    json!({"error": object}).to_string().into_bytes()
}

#[cfg(test)]
mod tests;
