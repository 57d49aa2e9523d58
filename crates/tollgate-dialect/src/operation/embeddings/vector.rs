//! A vector as JSON numbers, and as bytes.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The array without white space; an error for anything but a list of numbers.
pub fn compact(array: &str) -> Result<String, String> {
    let is_part =
        |byte: u8| byte.is_ascii_digit() || matches!(byte, b'[' | b']' | b',' | b'.' | b'-' | b'+' | b'e' | b'E');
    let compact: String = array.split_ascii_whitespace().collect();
    match compact.starts_with('[') && compact.bytes().all(is_part) {
        true => Ok(compact),
        false => Err("an embedding of the upstream is no list of numbers".into()),
    }
}

/// OpenAI's `encoding_format: base64`: floats of 32 bits, the lowest byte first.
pub fn base64(array: &str) -> Result<String, String> {
    let compact = compact(array)?;
    let numbers = compact.trim_start_matches('[').trim_end_matches(']').split(',').filter(|number| !number.is_empty());
    let mut bytes = Vec::with_capacity(compact.len());
    for number in numbers {
        let number: f32 = number.parse().map_err(|_| format!("an embedding of the upstream holds {number}"))?;
        bytes.extend_from_slice(&number.to_le_bytes());
    }
    Ok(STANDARD.encode(bytes))
}
