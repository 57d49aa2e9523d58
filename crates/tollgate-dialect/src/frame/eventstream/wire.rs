//! Messages as AWS writes them, for tests.

use super::crc32;

/// A header with a string.
pub fn string(name: &str, value: &str) -> Vec<u8> {
    let mut header = vec![name.len() as u8];
    header.extend_from_slice(name.as_bytes());
    header.push(7);
    header.extend_from_slice(&(value.len() as u16).to_be_bytes());
    header.extend_from_slice(value.as_bytes());
    header
}

pub fn message(headers: &[u8], payload: &[u8]) -> Vec<u8> {
    let mut out = ((16 + headers.len() + payload.len()) as u32).to_be_bytes().to_vec();
    out.extend_from_slice(&(headers.len() as u32).to_be_bytes());
    out.extend_from_slice(&crc32::of(&out).to_be_bytes());
    out.extend_from_slice(headers);
    out.extend_from_slice(payload);
    out.extend_from_slice(&crc32::of(&out).to_be_bytes());
    out
}

pub fn event(name: &str, payload: &str) -> Vec<u8> {
    let headers = [string(":event-type", name), string(":message-type", "event")].concat();
    message(&headers, payload.as_bytes())
}

pub fn exception(name: &str, payload: &str) -> Vec<u8> {
    let headers = [string(":exception-type", name), string(":message-type", "exception")].concat();
    message(&headers, payload.as_bytes())
}
