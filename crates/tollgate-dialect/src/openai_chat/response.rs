//! One-piece answers and errors.

mod collector;

pub use collector::Collector;

use serde::Deserialize;

use crate::error::{AnswerError, ErrorKind, PublicError, UpstreamError};
use crate::event::{Event, ThinkingState};
use crate::gemini::signature;
use crate::json::{Json, Text, Writer};
use crate::quirks::Quirks;

use super::errors;
use super::stream::Decoder;

/// A whole answer is read as a stream of one chunk, so that both give the same events.
pub fn decode<'a>(body: &'a [u8], quirks: &Quirks, emit: &mut dyn FnMut(Event<'a>)) -> Result<(), AnswerError> {
    let body = body.trim_ascii();
    if body.is_empty() {
        return Err(AnswerError::Empty);
    }
    Decoder::new(quirks).whole(body, emit)
}

/// The error that stands where an answer was due.
pub fn in_answer(body: &[u8]) -> AnswerError {
    errors::in_answer(body)
}

pub fn decode_error(status: u16, body: &[u8]) -> UpstreamError {
    errors::decode(status, body)
}

/// See [`crate::is_plain_error`].
pub fn is_plain_error(body: &[u8], kind: ErrorKind) -> bool {
    #[derive(Deserialize)]
    struct Body<'a> {
        #[serde(borrow)]
        error: Fields<'a>,
    }
    #[derive(Deserialize)]
    struct Fields<'a> {
        #[serde(borrow, rename = "message")]
        _message: Text<'a>,
        #[serde(borrow)]
        code: Option<Json<'a>>,
    }
    let Ok(Body { error }) = serde_json::from_slice::<Body<'_>>(body) else { return false };
    let code = error.code.as_ref().and_then(Json::as_text);
    kind != ErrorKind::ContextOverflow || code.is_some_and(|code| code.escaped() == "context_length_exceeded")
}

pub fn encode_error(error: &PublicError) -> Vec<u8> {
    error_object(error)
}

/// `{"error": {message, type, param, code}}`.
pub(super) fn error_object(error: &PublicError) -> Vec<u8> {
    let (kind, code) = names(error.kind);
    let mut writer = Writer::with_capacity(error.message.len() + 128);
    writer.open_object().key("error").open_object();
    writer.key("message").str(&error.message).key("type").str(kind).key("param");
    match &error.param {
        Some(param) => writer.str(param),
        None => writer.null(),
    };
    writer.key("code");
    match code {
        Some(code) => writer.str(code),
        None => writer.null(),
    };
    writer.close_object().close_object();
    writer.out
}

/// OpenAI's `type` and `code` of an error.
fn names(kind: ErrorKind) -> (&'static str, Option<&'static str>) {
    match kind {
        ErrorKind::InvalidRequest => ("invalid_request_error", None),
        ErrorKind::ContextOverflow => ("invalid_request_error", Some("context_length_exceeded")),
        ErrorKind::ContentPolicy => ("invalid_request_error", Some("content_filter")),
        ErrorKind::Authentication => ("invalid_request_error", Some("invalid_api_key")),
        ErrorKind::Billing => ("insufficient_quota", Some("insufficient_quota")),
        ErrorKind::Permission => ("permission_error", Some("permission_denied")),
        ErrorKind::NotFound => ("invalid_request_error", Some("model_not_found")),
        ErrorKind::TooLarge => ("invalid_request_error", Some("request_too_large")),
        ErrorKind::RateLimited => ("rate_limit_error", Some("rate_limit_exceeded")),
        ErrorKind::Overloaded => ("server_error", Some("server_is_overloaded")),
        ErrorKind::Timeout => ("timeout_error", Some("timeout")),
        ErrorKind::Api => ("server_error", None),
    }
}

/// The upstream's id where it has chat's form, else ours.
pub(super) fn chat_id(ours: &str, upstream: Option<&Text<'_>>) -> String {
    const FORM: &str = "chatcmpl-";
    match upstream {
        Some(id) if id.escaped().starts_with(FORM) => id.decode().into_owned(),
        _ if ours.starts_with(FORM) => ours.to_string(),
        _ => format!("{FORM}{ours}"),
    }
}

/// Of all makers' state only Google's has a place in chat (ai.google.dev/gemini-api/docs/openai, 2026-11).
pub(super) fn google_signature(state: &ThinkingState<'_>) -> Option<Text<'static>> {
    let ThinkingState::Details(details) = state else { return None };
    signature::google(details).map(|(signature, _)| signature.into_owned())
}

/// The member of a call that holds it.
pub(super) fn extra_content(signature: &Text<'_>) -> String {
    format!(r#","extra_content":{{"google":{{"thought_signature":"{}"}}}}"#, signature.escaped())
}

#[cfg(test)]
mod tests;
