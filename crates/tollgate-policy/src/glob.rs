//! Patterns in which `*` stands for any text, the empty text included. Nothing else is special.

#[cfg(test)]
mod tests;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Glob {
    /// What stands between the stars: one piece more than there are stars.
    pieces: Vec<String>,
}

impl Glob {
    pub fn new(pattern: &str) -> Glob {
        Glob { pieces: pattern.split('*').map(str::to_string).collect() }
    }

    /// The text that each star stood for. Stars take as little as they can, the last one the rest.
    pub fn capture<'t>(&self, text: &'t str) -> Option<Vec<&'t str>> {
        let [first, middle @ .., last] = self.pieces.as_slice() else {
            return (self.pieces.first().map(String::as_str) == Some(text)).then(Vec::new);
        };
        let mut rest = text.strip_prefix(first.as_str())?.strip_suffix(last.as_str())?;
        let mut captured = Vec::with_capacity(middle.len() + 1);
        for piece in middle {
            let (before, after) = rest.split_once(piece.as_str())?;
            captured.push(before);
            rest = after;
        }
        captured.push(rest);
        Some(captured)
    }

    pub fn matches(&self, text: &str) -> bool {
        self.capture(text).is_some()
    }

    /// More literal text is more specific; between equals, fewer stars.
    pub fn specificity(&self) -> (usize, std::cmp::Reverse<usize>) {
        (self.pieces.iter().map(String::len).sum(), std::cmp::Reverse(self.pieces.len()))
    }

    /// `*` alone.
    pub fn matches_all(&self) -> bool {
        self.pieces.len() == 2 && self.pieces.iter().all(String::is_empty)
    }
}
