//! One-piece answers and errors. Errors have the same form as chat's, and are told apart by the same table.

mod collector;

pub use collector::Collector;

use crate::error::{AnswerError, ErrorKind, PublicError};
use crate::event::Event;

use super::stream::Decoder;

/// A whole answer is read by the decoder of streams, so that both give the same events.
pub fn decode<'a>(body: &'a [u8], emit: &mut dyn FnMut(Event<'a>)) -> Result<(), AnswerError> {
    let body = body.trim_ascii();
    if body.is_empty() {
        return Err(AnswerError::Empty);
    }
    Decoder::default().whole(body, emit)
}

/// The answer to a count (`openai/types/responses/input_token_count_response.py` of SDK 3.52.0, 2026-11).
pub fn encode_count(tokens: u64) -> Vec<u8> {
    format!(r#"{{"object":"response.input_tokens","input_tokens":{tokens}}}"#).into_bytes()
}

/// `code` and `message` of an answer that failed: the codes are those that Codex 0.169 and the API's own list know.
pub(super) fn failure(error: &PublicError) -> (&'static str, String) {
    let code = match error.kind {
        ErrorKind::ContextOverflow => "context_length_exceeded",
        ErrorKind::InvalidRequest | ErrorKind::ContentPolicy | ErrorKind::TooLarge | ErrorKind::NotFound => {
            "invalid_prompt"
        }
        ErrorKind::Billing => "insufficient_quota",
        ErrorKind::RateLimited => "rate_limit_exceeded",
        ErrorKind::Overloaded => "server_is_overloaded",
        ErrorKind::Authentication | ErrorKind::Permission | ErrorKind::Timeout | ErrorKind::Api => "server_error",
    };
    let mut message = error.message.clone();
    // Clients read the waiting time from the words: a stream has no header for it.
    if let (ErrorKind::RateLimited, Some(wait)) = (error.kind, error.retry_after)
        && !message.contains("try again in")
    {
        message.push_str(&format!(" Please try again in {}s.", wait.as_secs_f64().ceil()));
    }
    (code, message)
}

#[cfg(test)]
mod tests;
