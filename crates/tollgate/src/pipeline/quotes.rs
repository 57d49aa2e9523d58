//! What a client said stays out of logs, records and what others are told, also where an upstream's error quotes it: of the error's words
//! those are left out that stand in a text of the request.

use std::collections::HashSet;

use tollgate_policy::failover::Failure;

#[cfg(test)]
mod tests;

/// A shorter piece that is in both is chance.
const LEAST: usize = 24;
/// Values that nobody wrote as a text, and that people need to understand an error.
const NAMES: [&[u8]; 8] = [b"model", b"name", b"id", b"type", b"role", b"user", b"tool_use_id", b"tool_call_id"];
const LEFT_OUT: &str = "[from the request]";

/// The words without what they quote. `body`: the client's.
pub fn left_out(words: &str, body: &[u8]) -> String {
    let asked: HashSet<u64> = hashes(words.as_bytes()).map(|(_, hash)| hash).collect();
    if asked.is_empty() {
        return words.to_string();
    }
    let in_texts = texts(body).flat_map(hashes).map(|(_, hash)| hash);
    let quoted: HashSet<u64> = in_texts.filter(|hash| asked.contains(hash)).collect();
    if quoted.is_empty() {
        return words.to_string();
    }
    let mut ends: Vec<usize> = vec![0; words.len()];
    for (start, hash) in hashes(words.as_bytes()) {
        if quoted.contains(&hash) {
            ends[start] = start + LEAST;
        }
    }
    let mut out = String::with_capacity(words.len());
    let (mut until, mut left) = (0, false);
    for (at, character) in words.char_indices() {
        let own = ends[at..at + character.len_utf8()].iter().max().copied().unwrap_or(0);
        until = until.max(own);
        match (at < until, left) {
            (true, false) => out.push_str(LEFT_OUT),
            (true, true) => {}
            (false, _) => out.push(character),
        }
        left = at < until;
    }
    out
}

/// The same of the words of a failure.
pub fn left_out_of(failure: &Failure, body: &[u8]) -> Failure {
    match failure.clone() {
        Failure::Refused(mut error) => {
            error.message = left_out(&error.message, body);
            Failure::Refused(error)
        }
        Failure::Broken(words) => Failure::Broken(left_out(&words, body)),
        other => other,
    }
}

/// Of every piece of [`LEAST`] bytes: where it begins, and a hash that the next one's is made of.
fn hashes(text: &[u8]) -> impl Iterator<Item = (usize, u64)> {
    const BASE: u64 = 0x0000_0100_0000_01b3;
    let leaving = (0..LEAST).fold(1u64, |power, _| power.wrapping_mul(BASE));
    let mut hash = 0u64;
    text.iter().enumerate().filter_map(move |(end, byte)| {
        hash = hash.wrapping_mul(BASE).wrapping_add(u64::from(*byte) + 1);
        if end >= LEAST {
            hash = hash.wrapping_sub(leaving.wrapping_mul(u64::from(text[end - LEAST]) + 1));
        }
        (end + 1 >= LEAST).then(|| (end + 1 - LEAST, hash))
    })
}

/// The texts that are values in JSON, as they are written; what is no JSON to its end is read as far as it goes.
fn texts(body: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = body;
    let mut key: &[u8] = b"";
    std::iter::from_fn(move || {
        loop {
            let start = memchr::memchr(b'"', rest)? + 1;
            let length = length(&rest[start..]);
            let text = &rest[start..start + length];
            rest = rest.get(start + length + 1..).unwrap_or_default();
            if rest.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b':') {
                key = text;
            } else if text.len() >= LEAST && !NAMES.contains(&key) {
                return Some(text);
            }
        }
    })
}

/// Up to the quotation mark that ends it.
fn length(text: &[u8]) -> usize {
    let mut at = 0;
    while let Some(found) = memchr::memchr2(b'"', b'\\', &text[at..]) {
        at += found;
        if text[at] == b'"' {
            return at;
        }
        at = (at + 2).min(text.len());
    }
    text.len()
}
