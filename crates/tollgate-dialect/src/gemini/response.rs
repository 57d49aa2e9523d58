//! Answers in one piece, errors, and the answer of a token count.

mod collect;

pub use super::errors::{decode_error, encode_error, is_plain_error, status_of};
pub use collect::Collector;

pub(super) use collect::{Piece, write_candidates, write_head};

use super::stream::Decoder;
use crate::error::AnswerError;
use crate::event::Event;
use crate::json::Writer;

/// A whole answer is read as a stream of one piece, and the array form of a stream as a stream of its items, so that all give the same
/// events.
pub fn decode<'a>(body: &'a [u8], emit: &mut dyn FnMut(Event<'a>)) -> Result<(), AnswerError> {
    let body = body.trim_ascii();
    if body.is_empty() {
        return Err(AnswerError::Empty);
    }
    Decoder::default().whole(body, emit)
}

/// The answer of `countTokens`.
pub fn encode_count(tokens: u64) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.open_object().key("totalTokens").number(tokens).close_object();
    writer.out
}

#[cfg(test)]
mod tests;
