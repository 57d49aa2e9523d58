//! The classes of characters that the vocabulary's split pattern tells apart.

use std::collections::HashMap;
use std::sync::LazyLock;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Upper and title case (`\p{Lu}\p{Lt}`).
    Upper,
    /// `\p{Ll}`
    Lower,
    /// Letters without case (`\p{Lm}\p{Lo}`): ideographs, kana, Hangul.
    Caseless,
    /// `\p{M}`: continues a word, and may also lead one.
    Mark,
    /// `\p{N}`
    Number,
    /// `[\r\n]`
    Newline,
    /// The rest of `\s`.
    Space,
    /// Everything else, which is punctuation to the pattern.
    Sign,
}

/// A later one wins; what is in none is a sign.
const PATTERNS: [(&str, Class); 7] = [
    (r"[\p{Lu}\p{Lt}]", Class::Upper),
    (r"\p{Ll}", Class::Lower),
    (r"[\p{Lm}\p{Lo}]", Class::Caseless),
    (r"\p{M}", Class::Mark),
    (r"\p{N}", Class::Number),
    (r"\s", Class::Space),
    (r"[\r\n]", Class::Newline),
];

const PAGE: usize = 256;

/// A class per character in pages, of which equal ones are kept once: 60 KB.
struct Table {
    pages: Vec<u16>,
    classes: Vec<[Class; PAGE]>,
}

static TABLE: LazyLock<Table> = LazyLock::new(Table::new);

const ASCII: [Class; 128] = {
    let mut classes = [Class::Sign; 128];
    let mut byte = 0;
    while byte < 128 {
        classes[byte] = match byte as u8 {
            b'A'..=b'Z' => Class::Upper,
            b'a'..=b'z' => Class::Lower,
            b'0'..=b'9' => Class::Number,
            b'\r' | b'\n' => Class::Newline,
            b' ' | b'\t' | 0x0b | 0x0c => Class::Space,
            _ => Class::Sign,
        };
        byte += 1;
    }
    classes
};

/// The class of the character that begins at this byte, and its length in bytes; `None` at the end.
#[inline]
pub(super) fn at(text: &str, at: usize) -> Option<(Class, usize)> {
    let byte = *text.as_bytes().get(at)?;
    if byte < 128 { Some((ASCII[usize::from(byte)], 1)) } else { beyond_ascii(text, at) }
}

/// The end of the run of `a` to `z` that begins here. Eight bytes at a time: the end of each word, looked for byte by byte, is a
/// surprise to the processor.
#[inline]
pub(super) fn end_of_lower(text: &str, mut at: usize) -> usize {
    let text = text.as_bytes();
    while let Some(bytes) = text[at..].first_chunk() {
        let outside = !lower(u64::from_le_bytes(*bytes)) & HIGH;
        at += (outside.trailing_zeros() / 8) as usize;
        if outside != 0 {
            return at;
        }
    }
    at + text[at..].iter().take_while(|byte| byte.is_ascii_lowercase()).count()
}

const EACH: u64 = 0x0101_0101_0101_0101;
const HIGH: u64 = EACH << 7;

/// Sets the high bit of each of eight bytes that is one of `a` to `z`, and other bits at will.
#[inline]
fn lower(bytes: u64) -> u64 {
    let at_least = |least: u8| (bytes & !HIGH) + EACH * u64::from(128 - least);
    at_least(b'a') & !at_least(b'z' + 1) & !bytes
}

#[cold]
fn beyond_ascii(text: &str, at: usize) -> Option<(Class, usize)> {
    let character = text[at..].chars().next()?;
    Some((TABLE.class(character), character.len_utf8()))
}

impl Table {
    fn new() -> Table {
        let mut all = vec![Class::Sign; char::MAX as usize + 1];
        for (pattern, class) in PATTERNS {
            for range in ranges(pattern) {
                all[range].fill(class);
            }
        }
        let (pages, _) = all.as_chunks::<PAGE>();
        let mut table = Table { pages: Vec::with_capacity(pages.len()), classes: Vec::new() };
        let mut known = HashMap::new();
        for page in pages {
            let index = *known.entry(page.map(|class| class as u8)).or_insert_with(|| {
                table.classes.push(*page);
                (table.classes.len() - 1) as u16
            });
            table.pages.push(index);
        }
        table
    }

    fn class(&self, character: char) -> Class {
        let code = character as usize;
        self.classes[usize::from(self.pages[code / PAGE])][code % PAGE]
    }
}

/// The characters of a pattern by the tables of the `regex` crate, with which the vocabulary's own library splits.
fn ranges(pattern: &str) -> Vec<std::ops::RangeInclusive<usize>> {
    use regex_syntax::hir::{Class, HirKind};
    let parsed = regex_syntax::parse(pattern).expect("the pattern is fixed");
    match parsed.kind() {
        HirKind::Class(Class::Unicode(class)) => {
            class.ranges().iter().map(|range| range.start() as usize..=range.end() as usize).collect()
        }
        _ => unreachable!("the pattern is one class"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ascii_has_the_same_classes_as_the_rest() {
        for byte in 0..128u8 {
            assert_eq!(ASCII[usize::from(byte)], TABLE.class(char::from(byte)), "{byte:#x}");
        }
    }

    #[test]
    fn the_end_of_lower_case_is_found_at_any_byte() {
        for other in (0..128u8).filter(|byte| !byte.is_ascii_lowercase()).map(char::from).chain(['é', '世']) {
            for length in 0..20 {
                for behind in [0, 20] {
                    let text = format!("-{}{other}{}", &"az".repeat(10)[..length], "z".repeat(behind));
                    assert_eq!(end_of_lower(&text, 1), 1 + length, "{text:?}");
                }
            }
        }
        assert_eq!(end_of_lower("word", 0), 4);
    }

    #[test]
    fn characters_have_the_class_of_their_general_category() {
        // Categories by the Unicode Character Database 16.0.
        for (character, class) in [
            ('É', Class::Upper),
            ('ǅ', Class::Upper),
            ('ß', Class::Lower),
            ('世', Class::Caseless),
            ('ー', Class::Caseless),
            ('ª', Class::Caseless),
            ('\u{301}', Class::Mark),
            ('٣', Class::Number),
            ('Ⅷ', Class::Number),
            ('½', Class::Number),
            ('\u{3000}', Class::Space),
            ('\u{2028}', Class::Space),
            ('€', Class::Sign),
            ('🦀', Class::Sign),
            ('\u{200d}', Class::Sign),
            (char::MAX, Class::Sign),
        ] {
            assert_eq!(at(&character.to_string(), 0), Some((class, character.len_utf8())), "{character:?}");
        }
        assert!(TABLE.classes.len() < 300, "{} pages", TABLE.classes.len());
    }
}
