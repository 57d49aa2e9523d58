//! A pasted text in a form in which only its letters and digits count.
//!
//! Terminals wrap lines in the middle of words, JSON puts backslashes before quotes, logs add colours, web pages entities and
//! curly quotes. So everything but letters and digits is left out, and remembered as a border between words.

use memchr::memmem::Finder;

/// Texts longer than this are read up to here: bytes.
const LONGEST: usize = 256 * 1024;

#[derive(Debug)]
pub struct Text {
    letters: String,
    /// For each byte of `letters`, and for their end: a word may begin or end in front of it.
    borders: Vec<bool>,
}

impl Text {
    pub fn new(pasted: &str) -> Text {
        let end = pasted.floor_char_boundary(LONGEST);
        let plain = without_colours(&without_entities(&without_escapes(&pasted[..end])));
        let mut text =
            Text { letters: String::with_capacity(plain.len()), borders: Vec::with_capacity(plain.len() + 1) };
        let mut last: Option<char> = None;
        for c in plain.chars() {
            if !c.is_alphanumeric() {
                last = None;
                continue;
            }
            let border = last.is_none_or(|last| is_border(last, c));
            for lower in c.to_lowercase() {
                text.borders.push(border);
                text.letters.push(lower);
                text.borders.resize(text.letters.len(), false);
            }
            last = Some(c);
        }
        text.borders.push(true);
        text
    }

    pub fn letters(&self) -> &str {
        &self.letters
    }

    /// The ends of `word` where it begins within `reach` bytes behind `from` and stands between borders.
    pub fn find<'a>(&'a self, word: &'a Finder<'_>, from: usize, reach: usize) -> impl Iterator<Item = usize> + 'a {
        let length = word.needle().len();
        let end = from.saturating_add(reach).saturating_add(length).min(self.letters.len());
        word.find_iter(&self.letters.as_bytes()[from.min(end)..end])
            .map(move |at| (from + at, from + at + length))
            .filter(|(start, end)| self.borders[*start] && self.borders[*end])
            .map(|(_, end)| end)
    }

    /// The ends of a number that begins within `reach` bytes behind `from`: it may hold separators, or stand in front of another.
    pub fn numbers(&self, from: usize, reach: usize) -> impl Iterator<Item = usize> {
        let starts = from..=from.saturating_add(reach).min(self.letters.len());
        starts.filter(|start| self.borders[*start]).flat_map(|start| {
            let digits = self.letters.as_bytes()[start..].iter().take_while(|b| b.is_ascii_digit()).count();
            (start + 1..=start + digits).filter(|end| self.borders[*end])
        })
    }
}

/// Scripts without spaces have a border at every character; a unit may follow its number.
fn is_border(last: char, c: char) -> bool {
    !last.is_ascii() || !c.is_ascii() || last.is_ascii_digit() != c.is_ascii_digit()
}

/// Resolves `\n`, `\"`, `\u001b` and the like, also when they were escaped more than once.
fn without_escapes(pasted: &str) -> String {
    let mut out = String::with_capacity(pasted.len());
    let mut rest = pasted;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        rest = rest[at..].trim_start_matches('\\');
        let (c, length) = match rest.as_bytes() {
            [b'n' | b'r' | b't', ..] => (' ', 1),
            [b'u', ..] => code(rest, 1, 4, 16),
            [b'x', ..] => code(rest, 1, 2, 16),
            [b'0', b'3', b'3', ..] => ('\u{1b}', 3),
            _ => (' ', 0),
        };
        out.push(c);
        rest = &rest[length..];
    }
    out + rest
}

/// The character that `digits` digits behind `lead` bytes stand for, and the length of it all; a space where they are none.
fn code(text: &str, lead: usize, digits: usize, radix: u32) -> (char, usize) {
    let number = text.get(lead..lead + digits).and_then(|digits| u32::from_str_radix(digits, radix).ok());
    match number {
        Some(number) => (char::from_u32(number).unwrap_or(' '), lead + digits),
        None => (' ', 0),
    }
}

fn without_entities(text: &str) -> String {
    const NAMES: [&str; 7] = ["quot", "apos", "amp", "lt", "gt", "nbsp", "hellip"];
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let end = rest.bytes().take(8).position(|b| b == b';').unwrap_or(0);
        let name = &rest[..end];
        // Which character it is does not matter: none of them is a letter.
        if NAMES.contains(&name) || name.starts_with('#') {
            rest = &rest[end + 1..];
        }
        out.push(' ');
    }
    out + rest
}

/// Takes out terminal sequences, also where the escape character itself got lost on the way.
fn without_colours(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('[') {
        let escaped = rest[..at].ends_with('\u{1b}');
        out.push_str(&rest[..at]);
        rest = &rest[at + 1..];
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit() || matches!(c, ';' | '?')).len();
        let ends = rest.as_bytes().get(digits).is_some_and(|b| *b == b'm' || escaped && b.is_ascii_alphabetic());
        if ends && (digits > 0 || escaped) {
            rest = &rest[digits + 1..];
            continue;
        }
        out.push(' ');
    }
    out + rest
}
