//! A JSON value as the inside of a JSON string, as `arguments` has it.

use memchr::memchr2;

/// Writes `json` without its insignificant white space and escaped once more, without quotes around it.
pub fn write(out: &mut Vec<u8>, json: &str) {
    let mut rest = json.as_bytes();
    while let Some(at) = rest.iter().position(|b| matches!(b, b'"' | b' ' | b'\n' | b'\r' | b'\t')) {
        out.extend_from_slice(&rest[..at]);
        let quote = rest[at] == b'"';
        rest = &rest[at + 1..];
        if quote {
            out.extend_from_slice(b"\\\"");
            rest = string(out, rest);
        }
    }
    out.extend_from_slice(rest);
}

/// Copies a string token up to and with its closing quote; gives what follows it.
fn string<'j>(out: &mut Vec<u8>, mut rest: &'j [u8]) -> &'j [u8] {
    while let Some(at) = memchr2(b'"', b'\\', rest) {
        out.extend_from_slice(&rest[..at]);
        if rest[at] == b'"' {
            out.extend_from_slice(b"\\\"");
            return &rest[at + 1..];
        }
        // A backslash and what it escapes: both may need an escape of their own.
        out.extend_from_slice(b"\\\\");
        match rest.get(at + 1) {
            Some(b'"' | b'\\') => out.extend_from_slice(&[b'\\', rest[at + 1]]),
            Some(&other) => out.push(other),
            None => {}
        }
        rest = rest.get(at + 2..).unwrap_or(&[]);
    }
    out.extend_from_slice(rest);
    &[]
}
