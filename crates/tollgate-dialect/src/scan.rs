//! One pass over JSON text, without copying.
//!
//! A reader walks down to what it wants and takes everything else as whole tokens. So a conversation is checked and read in
//! one go: text that is only passed on is looked at once, many bytes at a time. What this accepts is JSON (RFC 8259) of at most
//! [`MAX_DEPTH`](crate::json::MAX_DEPTH) levels, and `text` must be all of it.

mod object;

use std::fmt;

use serde_json::value::RawValue;

use crate::json::{Json, MAX_DEPTH, Text};
pub(crate) use object::object;

/// One whole JSON value, as its own bytes.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Raw<'a>(&'a str);

impl<'a> Raw<'a> {
    pub fn get(self) -> &'a str {
        self.0
    }

    pub fn is_null(self) -> bool {
        self.0 == "null"
    }

    pub fn is_object(self) -> bool {
        self.0.starts_with('{')
    }

    pub fn is_array(self) -> bool {
        self.0.starts_with('[')
    }

    pub fn text(self) -> Option<Text<'a>> {
        Text::of_token(self.0)
    }

    /// A word of the format's own, such as a type or a role: it has no escapes. Empty for anything but a string.
    pub fn word(self) -> &'a str {
        self.0.strip_prefix('"').and_then(|rest| rest.strip_suffix('"')).unwrap_or("")
    }

    pub fn json(self) -> Json<'a> {
        Json::checked(self.0)
    }
}

impl<'a> From<&'a RawValue> for Raw<'a> {
    fn from(raw: &'a RawValue) -> Self {
        Raw(raw.get())
    }
}

impl fmt::Debug for Raw<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// The text is not JSON: what was due instead. Small, so that results stay in registers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bad(&'static str);

impl fmt::Display for Bad {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "expected {}", self.0)
    }
}

/// A place in JSON text. Every method leaves it behind what it read.
pub struct Cursor<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Cursor<'a> {
    pub fn new(text: &'a str) -> Self {
        Cursor { text, at: 0 }
    }

    /// The first byte of the next token, which tells its type; 0 at the end.
    #[inline]
    pub fn peek(&mut self) -> u8 {
        match self.text.as_bytes().get(self.at) {
            Some(&byte) if byte > b' ' => byte,
            _ => self.peek_further(),
        }
    }

    fn peek_further(&mut self) -> u8 {
        let bytes = self.text.as_bytes();
        while let Some(b' ' | b'\n' | b'\r' | b'\t') = bytes.get(self.at) {
            self.at += 1;
        }
        bytes.get(self.at).copied().unwrap_or(0)
    }

    /// Nothing may follow but white space.
    pub fn end(&mut self) -> Result<(), Bad> {
        self.peek();
        if self.at == self.text.len() { Ok(()) } else { Err(Bad("the end")) }
    }

    /// Any value, checked and passed over.
    pub fn value(&mut self) -> Result<Raw<'a>, Bad> {
        let first = self.peek();
        let start = self.at;
        match first {
            b'"' => self.pass_string()?,
            b'{' | b'[' => self.nested()?,
            _ => self.scalar(first)?,
        }
        Ok(Raw(&self.text[start..self.at]))
    }

    /// The value, and `None` for `null`.
    pub fn present(&mut self) -> Result<Option<Raw<'a>>, Bad> {
        Ok(Some(self.value()?).filter(|raw| !raw.is_null()))
    }

    /// What `read` makes of the value, and `None` for `null`.
    pub fn unless_null<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Bad>) -> Result<Option<T>, Bad> {
        if self.peek() == b'n' {
            return self.scalar(b'n').map(|()| None);
        }
        read(self).map(Some)
    }

    /// Calls `each` for every member of the object; it must read the value.
    pub fn members<E: From<Bad>>(
        &mut self,
        mut each: impl FnMut(&mut Self, Text<'a>) -> Result<(), E>,
    ) -> Result<(), E> {
        if self.peek() != b'{' {
            return Err(Bad("an object").into());
        }
        self.at += 1;
        if self.peek() == b'}' {
            self.at += 1;
            return Ok(());
        }
        loop {
            let key = self.key()?;
            each(self, key)?;
            match self.peek() {
                b',' => self.at += 1,
                b'}' => break,
                _ => return Err(Bad("`,` or `}`").into()),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// Calls `each` for every item of the array; it must read the item.
    pub fn items<E: From<Bad>>(&mut self, mut each: impl FnMut(&mut Self) -> Result<(), E>) -> Result<(), E> {
        if self.peek() != b'[' {
            return Err(Bad("an array").into());
        }
        self.at += 1;
        if self.peek() == b']' {
            self.at += 1;
            return Ok(());
        }
        loop {
            each(self)?;
            match self.peek() {
                b',' => self.at += 1,
                b']' => break,
                _ => return Err(Bad("`,` or `]`").into()),
            }
        }
        self.at += 1;
        Ok(())
    }

    /// What `read` passes over, as one token.
    pub fn whole<T>(&mut self, read: impl FnOnce(&mut Self) -> Result<T, Bad>) -> Result<(T, Raw<'a>), Bad> {
        self.peek();
        let start = self.at;
        let found = read(self)?;
        Ok((found, Raw(&self.text[start..self.at])))
    }

    fn key(&mut self) -> Result<Text<'a>, Bad> {
        self.peek();
        let start = self.at + 1;
        let end = self.pass_key()?;
        Ok(Text::checked(&self.text[start..end]))
    }

    /// Returns where the key's text ends.
    #[inline]
    fn pass_key(&mut self) -> Result<usize, Bad> {
        if self.peek() != b'"' {
            return Err(Bad("a key"));
        }
        self.pass_string()?;
        let end = self.at - 1;
        if self.peek() != b':' {
            return Err(Bad("`:`"));
        }
        self.at += 1;
        Ok(end)
    }

    /// An object or an array, without recursion.
    fn nested(&mut self) -> Result<(), Bad> {
        // One bit for each open bracket, the innermost lowest: set for an object.
        let mut objects: u128 = 0;
        let mut depth = 0;
        loop {
            let first = self.peek();
            match first {
                b'{' | b'[' => {
                    self.at += 1;
                    let object = first == b'{';
                    if self.peek() == (if object { b'}' } else { b']' }) {
                        self.at += 1;
                    } else {
                        if depth == MAX_DEPTH {
                            return Err(Bad("no deeper nesting"));
                        }
                        depth += 1;
                        objects = objects << 1 | u128::from(object);
                        if object {
                            self.pass_key()?;
                        }
                        continue;
                    }
                }
                b'"' => self.pass_string()?,
                _ => self.scalar(first)?,
            }
            loop {
                if depth == 0 {
                    return Ok(());
                }
                let object = objects & 1 == 1;
                match (self.peek(), object) {
                    (b',', _) => {
                        self.at += 1;
                        if object {
                            self.pass_key()?;
                        }
                        break;
                    }
                    (b'}', true) | (b']', false) => {
                        self.at += 1;
                        depth -= 1;
                        objects >>= 1;
                    }
                    _ => return Err(Bad("`,` or the closing bracket")),
                }
            }
        }
    }

    /// The string that begins here.
    fn pass_string(&mut self) -> Result<(), Bad> {
        let bytes = self.text.as_bytes();
        let mut at = self.at + 1;
        loop {
            at = plain_until(bytes, at);
            match bytes.get(at) {
                Some(b'"') => {
                    self.at = at + 1;
                    return Ok(());
                }
                Some(b'\\') => at = escape_end(bytes, at + 1)?,
                Some(_) => return Err(Bad("no control character in a string")),
                None => return Err(Bad("the end of the string")),
            }
        }
    }

    fn scalar(&mut self, first: u8) -> Result<(), Bad> {
        let rest = &self.text.as_bytes()[self.at..];
        let length = match first {
            b't' if rest.starts_with(b"true") => 4,
            b'f' if rest.starts_with(b"false") => 5,
            b'n' if rest.starts_with(b"null") => 4,
            b'-' | b'0'..=b'9' => number(rest).unwrap_or(0),
            _ => 0,
        };
        if length == 0 {
            return Err(Bad("a value"));
        }
        self.at += length;
        Ok(())
    }
}

/// Where the escape ends whose letter is at `at`.
#[inline]
fn escape_end(bytes: &[u8], at: usize) -> Result<usize, Bad> {
    match bytes.get(at) {
        Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => Ok(at + 1),
        Some(b'u') => match bytes.get(at + 1..at + 5) {
            Some(hex) if hex.iter().all(u8::is_ascii_hexdigit) => Ok(at + 5),
            _ => Err(Bad("four hexadecimal digits")),
        },
        _ => Err(Bad("an escape")),
    }
}

/// The length of the number at the head of `bytes`.
fn number(bytes: &[u8]) -> Option<usize> {
    let digits = |from: usize| bytes[from..].iter().take_while(|b| b.is_ascii_digit()).count();
    let some = |count: usize| Some(count).filter(|&n| n > 0);
    let mut at = usize::from(bytes.first() == Some(&b'-'));
    at += if bytes.get(at) == Some(&b'0') { 1 } else { some(digits(at))? };
    if bytes.get(at) == Some(&b'.') {
        at += 1 + some(digits(at + 1))?;
    }
    if let Some(b'e' | b'E') = bytes.get(at) {
        at += 1 + usize::from(matches!(bytes.get(at + 1), Some(b'+' | b'-')));
        at += some(digits(at))?;
    }
    Some(at)
}

/// Where the next quote, backslash or control character is, from `at` on. Most strings are short keys and words, most bytes
/// are in long texts: the first words are looked at here, the rest by a search that has a start-up cost.
#[inline]
pub fn plain_until(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = u64::MAX / 255;
    for _ in 0..4 {
        let Some(chunk) = bytes.get(at..).and_then(|rest| rest.first_chunk::<8>()) else { break };
        let word = u64::from_le_bytes(*chunk);
        // With one bit turned, the quote comes next after the control characters. A byte from which more is taken than it has gets
        // its high bit; above the lowest one of these, bits may be wrong.
        let below = (word ^ (ONES * 0x02)).wrapping_sub(ONES * 0x21);
        let backslash = (word ^ (ONES * u64::from(b'\\'))).wrapping_sub(ONES);
        let found = (below | backslash) & !word & (ONES * 0x80);
        if found != 0 {
            return at + (found.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    long_plain_until(bytes, at)
}

fn long_plain_until(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    let plain = &rest[..memchr::memchr2(b'"', b'\\', rest).unwrap_or(rest.len())];
    let is_control = |b: u8| b < 0x20;
    // Without an early exit this is done many bytes at a time.
    if plain.iter().fold(false, |any, &b| any | is_control(b)) {
        return at + plain.iter().position(|&b| is_control(b)).unwrap_or(plain.len());
    }
    at + plain.len()
}

/// The items of an array; `None` for any other text.
pub fn items(json: &str) -> Option<Vec<Raw<'_>>> {
    let mut cursor = Cursor::new(json);
    let mut items = Vec::new();
    cursor
        .items(|c| {
            items.push(c.value()?);
            Ok::<(), Bad>(())
        })
        .ok()?;
    cursor.end().ok()?;
    Some(items)
}

#[cfg(test)]
mod tests;
