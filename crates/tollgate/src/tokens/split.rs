//! The words and signs into which the vocabulary's pattern cuts a text before it is encoded. No token crosses such a border.
//!
//! The pattern of o200k_base (OpenAI's tiktoken, `tiktoken_ext/openai_public.py`, read 2026-11), alternatives in order:
//!
//! ```text
//! [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! [^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?
//! \p{N}{1,3}
//!  ?[^\s\p{L}\p{N}]+[\r\n/]*
//! \s*[\r\n]+
//! \s+(?!\S)
//! \s+
//! ```
//!
//! It is followed by hand because a regular expression took most of the time of a count, on some texts ten times as much.
//! Each piece is scanned at most twice, so the time is linear in the text.

use super::classes::{self, Class};

/// Where the piece that begins at `start` ends. There is a character at `start`.
#[inline]
pub(super) fn end(text: &str, start: usize) -> usize {
    let Some((class, len)) = classes::at(text, start) else { return text.len() };
    let next = start + len;
    match class {
        Class::Upper | Class::Lower | Class::Caseless => word(text, start).unwrap_or(next),
        Class::Number => digits(text, next),
        Class::Newline => blank(text, start),
        Class::Space => match word(text, next) {
            Some(end) => end,
            None if text.as_bytes()[start] == b' ' && is_sign(text, next) => signs(text, next),
            None => blank(text, start),
        },
        Class::Sign => word(text, next).unwrap_or_else(|| signs(text, start)),
        Class::Mark => after_mark(text, next),
    }
}

/// The two alternatives for words, without the character that may lead.
#[inline]
fn word(text: &str, start: usize) -> Option<usize> {
    let letters = match heads(text, start) {
        // Only one that ends in lower case can be longer.
        Heads { end, .. } if let Some((Class::Lower, len)) = classes::at(text, end) => tails(text, end + len),
        Heads { tail: Some(tail), .. } => tail,
        Heads { end, .. } if end > start => end,
        Heads { .. } => return None,
    };
    Some(contraction(text, letters))
}

/// What can stand before the lower case letters of a word.
struct Heads {
    end: usize,
    /// After the last one that may also stand among these.
    tail: Option<usize>,
}

#[inline]
fn heads(text: &str, start: usize) -> Heads {
    let mut heads = Heads { end: start, tail: None };
    loop {
        match classes::at(text, heads.end) {
            Some((Class::Upper, len)) => heads.end += len,
            Some((Class::Caseless | Class::Mark, len)) => {
                heads.end += len;
                heads.tail = Some(heads.end);
            }
            _ => return heads,
        }
    }
}

#[inline]
fn tails(text: &str, mut at: usize) -> usize {
    loop {
        at = classes::end_of_lower(text, at);
        match classes::at(text, at) {
            Some((Class::Lower | Class::Caseless | Class::Mark, len)) => at += len,
            _ => return at,
        }
    }
}

/// A mark leads a word or, where none that ends in lower case follows, is one itself.
#[cold]
fn after_mark(text: &str, next: usize) -> usize {
    let heads = heads(text, next);
    let letters = match classes::at(text, heads.end) {
        Some((Class::Lower, len)) => tails(text, heads.end + len),
        _ => heads.tail.unwrap_or(next),
    };
    contraction(text, letters)
}

#[inline]
fn contraction(text: &str, at: usize) -> usize {
    let rest = &text.as_bytes()[at..];
    if rest.first() != Some(&b'\'') {
        return at;
    }
    let lower = |index: usize| rest.get(index).map(u8::to_ascii_lowercase);
    match (lower(1), lower(2)) {
        (Some(b's' | b't' | b'm' | b'd'), _) => at + 2,
        (Some(b'r' | b'v'), Some(b'e')) | (Some(b'l'), Some(b'l')) => at + 3,
        _ => at,
    }
}

/// At most three, of which the first was seen.
#[inline]
fn digits(text: &str, mut at: usize) -> usize {
    for _ in 1..3 {
        match classes::at(text, at) {
            Some((Class::Number, len)) => at += len,
            _ => break,
        }
    }
    at
}

fn is_sign(text: &str, at: usize) -> bool {
    matches!(classes::at(text, at), Some((Class::Sign, _)))
}

#[inline]
fn signs(text: &str, mut at: usize) -> usize {
    while let Some((Class::Sign | Class::Mark, len)) = classes::at(text, at) {
        at += len;
    }
    let rest = text.as_bytes()[at..].iter();
    at + rest.take_while(|byte| matches!(byte, b'\r' | b'\n' | b'/')).count()
}

/// White space: up to its last line break, or all of it but the last character, which leads the word after it.
#[inline]
fn blank(text: &str, start: usize) -> usize {
    let (mut at, mut last, mut line) = (start, start, None);
    loop {
        match classes::at(text, at) {
            Some((Class::Space, len)) => (last, at) = (at, at + len),
            Some((Class::Newline, len)) => {
                at += len;
                line = Some(at);
            }
            Some(_) if last > start => return line.unwrap_or(last),
            _ => return line.unwrap_or(at),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<&str> {
        let mut pieces = Vec::new();
        let mut start = 0;
        while start < text.len() {
            let end = end(text, start);
            pieces.push(&text[start..end]);
            start = end;
        }
        pieces
    }

    /// Split by hand, following the pattern.
    #[test]
    fn each_alternative_of_the_pattern_makes_its_pieces() {
        for (text, expected) in [
            // Words: one character may lead, case decides where they end.
            ("Hello world", &["Hello", " world"][..]),
            ("getHTTPResponse", &["get", "HTTPResponse"]),
            ("aB ABc ABC", &["a", "B", " ABc", " ABC"]),
            ("(x) \"y\" _z .w", &["(x", ")", " \"", "y", "\"", " _", "z", " .", "w"]),
            ("\tindented\u{a0}wide\u{3000}字", &["\tindented", "\u{a0}wide", "\u{3000}字"]),
            ("it's WE'LL y'all've o'clock", &["it's", " WE'LL", " y", "'all've", " o", "'clock"]),
            // Letters without case are both: the word ends at the last of them unless lower case follows.
            ("ABC世DE", &["ABC世", "DE"]),
            ("ABC世DEf", &["ABC世DEf"]),
            ("世a界B", &["世a界", "B"]),
            // Marks belong to words, and lead one.
            ("e\u{301}te\u{301}", &["e\u{301}te\u{301}"]),
            ("!\u{301}x !!\u{301}x", &["!\u{301}x", " !!\u{301}", "x"]),
            ("\u{301}AB", &["\u{301}", "AB"]),
            ("\u{301}Ab", &["\u{301}Ab"]),
            ("\u{301}\u{301}AB", &["\u{301}\u{301}", "AB"]),
            // Numbers have no leading space.
            ("12345 6", &["123", "45", " ", "6"]),
            ("x٣٣٣٣½", &["x", "٣٣٣", "٣½"]),
            // Signs take a space before and line breaks and slashes behind.
            ("a != b;\n\n/// c", &["a", " !=", " b", ";\n\n///", " c"]),
            ("};\r\n\r\n}", &["};\r\n\r\n", "}"]),
            ("🦀\u{200d}🦀 🦀", &["🦀\u{200d}🦀", " 🦀"]),
            // White space: up to the last line break; without one, the last character is left for what follows.
            ("a\n\n  b", &["a", "\n\n", " ", " b"]),
            ("a \n \r\n\t x", &["a", " \n \r\n", "\t", " x"]),
            ("a   ", &["a", "   "]),
            ("1   2", &["1", "  ", " ", "2"]),
            ("1\t\t.", &["1", "\t", "\t", "."]),
            ("1  .", &["1", " ", " ."]),
            ("1 \u{2003}\u{2003}2", &["1", " \u{2003}", "\u{2003}", "2"]),
            ("\n", &["\n"]),
        ] {
            assert_eq!(pieces(text), expected, "{text:?}");
        }
    }

    #[test]
    fn pieces_are_the_whole_text() {
        let all: String = (0..=0x3_0000).filter_map(char::from_u32).collect();
        assert_eq!(pieces(&all).concat(), all);
    }
}
