//! Answers that a client refers to and that are not there.

use tollgate_dialect::error::{ErrorKind, PublicError};
use tollgate_dialect::kept::not_found;

/// `of`: the answer that was referred to, where this one is a turn before it.
pub fn no_such_response(id: &str, of: Option<&str>) -> PublicError {
    let what = match of {
        None => format!("Response with id '{id}' not found."),
        Some(last) => format!("Previous response with id '{id}', a turn before '{last}', not found."),
    };
    let why = "Answers are kept for the key that got them, unless it asks for store: false, within tollgate_settings.responses \
               ({keep_days, max_mb}); send the whole conversation in `input` instead.";
    PublicError {
        param: of.map(|_| "previous_response_id".to_string()),
        should_retry: Some(false),
        ..PublicError::new(if of.is_some() { 400 } else { 404 }, kind(of), format!("{what} {why}"))
    }
}

fn kind(of: Option<&str>) -> ErrorKind {
    if of.is_some() { ErrorKind::InvalidRequest } else { ErrorKind::NotFound }
}

/// With the status and the words that OpenAI has for it.
pub fn no_such_item(id: &str) -> PublicError {
    PublicError {
        param: Some("input".to_string()),
        should_retry: Some(false),
        ..PublicError::new(404, ErrorKind::InvalidRequest, not_found(id))
    }
}

pub fn not_in_background(id: &str) -> PublicError {
    let message = format!("Response '{id}' was not made in the background, so that there is nothing to cancel.");
    PublicError { should_retry: Some(false), ..PublicError::new(400, ErrorKind::InvalidRequest, message) }
}
