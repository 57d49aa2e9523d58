//! A vector as JSON numbers, and as bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::malformed;
use crate::error::AnswerError;

/// The array without white space; an error for anything but a list of numbers.
pub fn compact(array: &str) -> Result<String, AnswerError> {
    let is_part =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'[' | b']' | b',' | b'.' | b'-' | b'+' | b'e' | b'E');
    let compact: String = array.split_ascii_whitespace().collect();
    match compact.starts_with('[') && compact.bytes().all(is_part) {
        true => Ok(compact),
        false => Err(malformed("an embedding is no list of numbers")),
    }
}

/// OpenAI's `encoding_format: base64`: floats of 32 bits, the lowest byte first.
pub fn base64(array: &str) -> Result<String, AnswerError> {
    let compact = compact(array)?;
    let numbers = compact.trim_start_matches('[').trim_end_matches(']').split(',').filter(|number| !number.is_empty());
    let mut bytes = Vec::with_capacity(compact.len());
    for number in numbers {
        let number: f32 = number.parse().map_err(|_| malformed(format!("an embedding holds {number}")))?;
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    Ok(STANDARD.encode(bytes))
}
