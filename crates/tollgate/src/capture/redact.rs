//! Takes secrets out of texts, whatever holds them.

use std::borrow::Cow;
use std::ops::Range;

use memchr::memmem;

use super::keys;

pub const REDACTED: &str = "[redacted]";

/// Servers without keys are given words such as `none` or `ollama` for one. A secret is longer, or holds a digit.
const LEAST: usize = 8;
const LEAST_WITH_DIGIT: usize = 4;

/// Whether a credential is one, and no word that would take the upstream's words apart.
pub fn is_secret(text: &str) -> bool {
    text.len() >= LEAST || text.len() >= LEAST_WITH_DIGIT && text.bytes().any(|b| b.is_ascii_digit())
}

pub struct Redactor {
    secrets: Vec<String>,
}

impl Redactor {
    /// `secrets`: what must go although it looks like nothing.
    pub fn new(secrets: impl IntoIterator<Item = String>) -> Redactor {
        let mut secrets: Vec<String> = secrets.into_iter().filter(|text| is_secret(text)).collect();
        secrets.sort();
        secrets.dedup();
        Redactor { secrets }
    }

    /// Where secrets stand, in order and without overlap.
    pub fn find(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = keys::find(text);
        for secret in &self.secrets {
            found.extend(memmem::find_iter(text.as_bytes(), secret).map(|at| at..at + secret.len()));
        }
        found.sort_by_key(|range| (range.start, range.end));
        let mut disjoint: Vec<Range<usize>> = Vec::with_capacity(found.len());
        for range in found {
            match disjoint.last_mut() {
                Some(last) if range.start < last.end => last.end = last.end.max(range.end),
                _ => disjoint.push(range),
            }
        }
        disjoint
    }

    pub fn text<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let found = self.find(text);
        if found.is_empty() {
            return Cow::Borrowed(text);
        }
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for range in found {
            out.push_str(&text[done..range.start]);
            out.push_str(REDACTED);
            done = range.end;
        }
        out.push_str(&text[done..]);
        Cow::Owned(out)
    }

    /// The same for every string of a JSON text, names included; all other bytes stay.
    pub fn json(&self, json: &str) -> String {
        replace_strings(json, |text| match self.text(text) {
            Cow::Owned(redacted) => Some(redacted),
            Cow::Borrowed(_) => None,
        })
    }
}

/// Replaces strings of a JSON text by others. `new` gets them without escapes; where it gives nothing, the bytes stay.
pub fn replace_strings(json: &str, new: impl Fn(&str) -> Option<String>) -> String {
    let mut out = String::with_capacity(json.len());
    let mut rest = json;
    while let Some(open) = memchr::memchr(b'"', rest.as_bytes()) {
        out.push_str(&rest[..open]);
        let token = &rest[open..=open + end_of_string(&rest[open..])];
        rest = &rest[open + token.len()..];
        let text = match token.contains('\\') {
            true => serde_json::from_str::<String>(token).ok().map(Cow::Owned),
            false => token.get(1..token.len() - 1).map(Cow::Borrowed),
        };
        match text.and_then(|text| new(&text)) {
            Some(text) => out.push_str(&serde_json::Value::String(text).to_string()),
            None => out.push_str(token),
        }
    }
    out.push_str(rest);
    out
}

/// The place of the quote that ends a string, or the last byte of a text that has none.
fn end_of_string(text: &str) -> usize {
    let bytes = text.as_bytes();
    let mut at = 1;
    while let Some(next) = memchr::memchr2(b'"', b'\\', bytes.get(at..).unwrap_or_default()) {
        if bytes[at + next] == b'"' {
            return at + next;
        }
        at += next + 2;
    }
    text.len() - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor() -> Redactor {
        Redactor::new(["provider-canary".to_string(), "no-ke".into(), "none".into(), "a1b2".into()])
    }

    #[test]
    fn secrets_go_and_words_that_stand_for_no_key_stay() {
        let text = "none, no-ke, a1b2 and (provider-canary) sk-abcdefghijklmnop1";
        assert_eq!(redactor().text(text), "none, no-ke, [redacted] and ([redacted]) [redacted]");
        assert!(matches!(redactor().text("nothing"), Cow::Borrowed(_)));
    }

    #[test]
    fn secrets_that_overlap_go_as_one() {
        let redactor = Redactor::new(["abcdefgh".to_string(), "efghijkl".into(), "efgh0".into()]);
        assert_eq!(redactor.text("<abcdefghijkl>"), "<[redacted]>");
    }

    #[test]
    fn strings_of_json_are_read_without_their_escapes_and_other_bytes_stay() {
        let json =
            r#"{ "a":1.50,"provider-canary":["provider\u002dcanary", "x\"provider-canary\\", "\u00e9"] , "b":1e400 }"#;
        let expected = r#"{ "a":1.50,"[redacted]":["[redacted]", "x\"[redacted]\\", "\u00e9"] , "b":1e400 }"#;
        assert_eq!(redactor().json(json), expected);
    }

    #[test]
    fn text_that_is_no_json_is_no_danger() {
        for text in ["\"", "{\"a\\", "\"\\\"", "", "\"é", "é\"provider-canary"] {
            assert_eq!(redactor().json(text).len(), text.len(), "{text}");
        }
    }
}
