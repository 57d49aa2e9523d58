//! Stop sequences that the upstream does not take, found in its text by us.

use std::ops::Range;

use crate::json::Text;

/// The characters of an escaped text with the place of each. A lone surrogate is a U+FFFD.
pub(super) fn characters(escaped: &str) -> impl Iterator<Item = (Range<usize>, char)> + '_ {
    let mut at = 0;
    std::iter::from_fn(move || {
        let rest = &escaped[at..];
        let first = rest.chars().next()?;
        let (length, c) = if first == '\\' { escape(rest) } else { (first.len_utf8(), first) };
        let place = at..at + length;
        at += length;
        Some((place, c))
    })
}

/// Length and meaning of the escape that `rest` begins with.
fn escape(rest: &str) -> (usize, char) {
    let short = match rest.as_bytes().get(1) {
        Some(b'u') => return unicode_escape(rest),
        Some(b'n') => '\n',
        Some(b't') => '\t',
        Some(b'r') => '\r',
        Some(b'b') => '\u{8}',
        Some(b'f') => '\u{c}',
        Some(other) if other.is_ascii() => char::from(*other),
        _ => return (1, '\\'),
    };
    (2, short)
}

fn unicode_escape(rest: &str) -> (usize, char) {
    let unit = |text: &str| text.strip_prefix("\\u")?.get(..4).and_then(|hex| u16::from_str_radix(hex, 16).ok());
    let Some(first) = unit(rest) else { return (2, char::REPLACEMENT_CHARACTER) };
    let second = unit(&rest[6..]);
    match char::decode_utf16([Some(first), second].into_iter().flatten()).next() {
        Some(Ok(c)) => (6 * c.len_utf16(), c),
        _ => (6, char::REPLACEMENT_CHARACTER),
    }
}

/// Looks for stop sequences across the borders of text deltas.
#[derive(Debug)]
pub(super) struct StopFinder {
    sequences: Vec<Vec<char>>,
    /// Text that may be the beginning of a stop sequence.
    held: Text<'static>,
}

impl StopFinder {
    pub(super) fn new(sequences: &[String]) -> StopFinder {
        let sequences = sequences.iter().filter(|s| !s.is_empty()).map(|s| s.chars().collect()).collect();
        StopFinder { sequences, held: Text::EMPTY }
    }

    pub(super) fn is_idle(&self) -> bool {
        self.sequences.is_empty()
    }

    /// Takes the next piece of text: gives what can be passed on, and the stop sequence if one is complete now.
    ///
    /// The sequence that ends first wins, as in the upstream's own sampling loop; of several that end at once, the longest.
    pub(super) fn push(&mut self, more: &Text<'_>) -> (Text<'static>, Option<String>) {
        self.held.push(more);
        let text = std::mem::take(&mut self.held);
        let (places, chars): (Vec<_>, Vec<_>) = characters(text.escaped()).unzip();
        let offset = |index: usize| places.get(index).map_or(text.escaped().len(), |place: &Range<usize>| place.start);

        for end in 1..=chars.len() {
            let matched = self.sequences.iter().filter(|s| chars[..end].ends_with(s)).max_by_key(|s| s.len());
            if let Some(sequence) = matched {
                let before = text.slice(0..offset(end - sequence.len())).into_owned();
                return (before, Some(sequence.iter().collect()));
            }
        }
        let longest = self.sequences.iter().map(Vec::len).max().unwrap_or(0);
        let hold = (chars.len().saturating_sub(longest)..chars.len())
            .find(|&from| self.sequences.iter().any(|s| s.starts_with(&chars[from..])))
            .unwrap_or(chars.len());
        self.held = text.slice(offset(hold)..text.escaped().len()).into_owned();
        (text.slice(0..offset(hold)).into_owned(), None)
    }

    /// The text block is over: what was held is plain text after all.
    pub(super) fn flush(&mut self) -> Text<'static> {
        std::mem::take(&mut self.held)
    }
}
