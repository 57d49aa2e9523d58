//! Upstream errors in every shape, to one kind.

mod shape;
mod table;

use crate::error::{AnswerError, ErrorKind, UpstreamError};
use crate::{overflow, scope};

pub use shape::Found;

/// An HTTP error answer, or the error inside an answer of status 200.
pub fn decode(status: u16, body: &[u8]) -> UpstreamError {
    classify(status, shape::find(status, body))
}

/// The error that stands where an answer was due.
pub fn in_answer(body: &[u8]) -> AnswerError {
    AnswerError::Upstream(Box::new(decode(200, body)))
}

fn classify(http: u16, found: Found) -> UpstreamError {
    // Inside a 200 the error names its status itself, if at all.
    let named = found.code.as_deref().and_then(|c| c.parse().ok()).filter(|s| (400..600).contains(s));
    let status = if http >= 400 { Some(http) } else { found.status.or(named) };
    let row = table::find(status, &found);
    let overflow = match found.tokens {
        _ if row.kind != ErrorKind::ContextOverflow => None,
        Some((sent, allowed)) => Some((sent, allowed)).filter(|_| sent > allowed),
        None => overflow::numbers(&found.message),
    };
    UpstreamError {
        status: status.unwrap_or(table::usual_status(row.kind)),
        kind: row.kind,
        scope: scope::of(row.kind, &format!("{}\n{}", found.message, found.hints)),
        retry_after: table::waiting_time(&found.message),
        message: found.message,
        code: found.code.or(found.kind),
        param: found.param,
        overflow,
        temporary: row.temporary,
    }
}

#[cfg(test)]
mod tests;
