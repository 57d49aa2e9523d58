//! JSON that is passed on, not looked at.
//!
//! A conversation is scanned once and written once. A string keeps the escapes it came with ([`Text`]) and a value its own
//! bytes ([`Json`]): copying is faster than unescaping, key order and long numbers survive, and so does a lone surrogate
//! (`"cut \ud83d here"`), which truncated tool output does contain and no Rust string can hold.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde_json::value::RawValue;

use crate::scan::plain_until;

/// The inside of a JSON string token: escaped, without its quotes. Two of them can be joined by joining their bytes.
#[derive(Clone, PartialEq, Eq, Hash, Default)]
pub struct Text<'a>(Cow<'a, str>);

impl<'a> Text<'a> {
    pub const EMPTY: Text<'static> = Text(Cow::Borrowed(""));

    /// Escapes what JSON must have escaped.
    pub fn plain(text: &str) -> Text<'static> {
        let mut token = serde_json::to_string(text).expect("a string is always JSON");
        token.pop();
        token.remove(0);
        Text(Cow::Owned(token))
    }

    /// For literals of ours that need no escape.
    pub const fn literal(text: &'static str) -> Text<'static> {
        Text(Cow::Borrowed(text))
    }

    /// The escaped form, as it stands between the quotes.
    pub fn escaped(&self) -> &str {
        &self.0
    }

    /// The text itself. A lone surrogate becomes U+FFFD, so use this to look, not to pass on.
    pub fn decode(&self) -> Cow<'_, str> {
        if !self.0.contains('\\') {
            return Cow::Borrowed(&self.0);
        }
        match serde_json::from_str(&format!("\"{}\"", self.0)) {
            Ok(text) => Cow::Owned(text),
            Err(_) => Cow::Owned(decode_lossy(&self.0)),
        }
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// True for nothing but white space, which several vendors refuse as a text block.
    pub fn is_blank(&self) -> bool {
        self.0.is_empty() || self.decode().trim().is_empty()
    }

    pub fn push(&mut self, more: &Text<'_>) {
        self.0.to_mut().push_str(&more.0);
    }

    pub fn join<'t>(pieces: impl IntoIterator<Item = &'t Text<'t>>, separator: &Text<'_>) -> Text<'static> {
        let mut joined = String::new();
        for (i, piece) in pieces.into_iter().enumerate() {
            if i > 0 {
                joined.push_str(&separator.0);
            }
            joined.push_str(&piece.0);
        }
        Text(Cow::Owned(joined))
    }

    pub fn borrowed(&self) -> Text<'_> {
        Text(Cow::Borrowed(&self.0))
    }

    pub fn into_owned(self) -> Text<'static> {
        Text(Cow::Owned(self.0.into_owned()))
    }

    /// A piece of the escaped form. The range must not cut an escape.
    pub fn slice(&self, range: Range<usize>) -> Text<'_> {
        Text(Cow::Borrowed(&self.0[range]))
    }

    /// The inside of a string token; `None` for any other value.
    pub fn of_token(token: &'a str) -> Option<Text<'a>> {
        let inside = token.strip_prefix('"')?.strip_suffix('"')?;
        Some(Text(Cow::Borrowed(inside)))
    }

    /// The inside of a string that was found to be JSON.
    pub(crate) fn checked(inside: &'a str) -> Text<'a> {
        Text(Cow::Borrowed(inside))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Text<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&'de RawValue>::deserialize(deserializer)?;
        Text::of_token(raw.get()).ok_or_else(|| D::Error::custom("expected a string"))
    }
}

impl fmt::Debug for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"{}\"", self.0)
    }
}

fn decode_lossy(escaped: &str) -> String {
    let mut out = String::with_capacity(escaped.len());
    let mut units: Vec<u16> = Vec::new();
    let mut chars = escaped.chars();
    let flush = |units: &mut Vec<u16>, out: &mut String| {
        out.extend(char::decode_utf16(units.drain(..)).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)));
    };
    while let Some(c) = chars.next() {
        if c != '\\' {
            flush(&mut units, &mut out);
            out.push(c);
            continue;
        }
        match chars.next() {
            Some('u') => {
                let hex: String = chars.by_ref().take(4).collect();
                units.push(u16::from_str_radix(&hex, 16).unwrap_or(0xFFFD));
            }
            other => {
                flush(&mut units, &mut out);
                out.push(match other {
                    Some('n') => '\n',
                    Some('t') => '\t',
                    Some('r') => '\r',
                    Some('b') => '\u{8}',
                    Some('f') => '\u{c}',
                    Some(c) => c,
                    None => char::REPLACEMENT_CHARACTER,
                });
            }
        }
    }
    flush(&mut units, &mut out);
    out
}

/// Any JSON value, as its own bytes.
#[derive(Clone, PartialEq, Eq)]
pub struct Json<'a>(Cow<'a, str>);

impl<'a> Json<'a> {
    pub const NULL: Json<'static> = Json(Cow::Borrowed("null"));
    pub const EMPTY_OBJECT: Json<'static> = Json(Cow::Borrowed("{}"));

    pub fn of(value: &serde_json::Value) -> Json<'static> {
        Json(Cow::Owned(value.to_string()))
    }

    /// For literals of ours.
    pub const fn literal(json: &'static str) -> Json<'static> {
        Json(Cow::Borrowed(json))
    }

    /// One value that was found to be JSON.
    pub(crate) fn checked(token: &'a str) -> Json<'a> {
        Json(Cow::Borrowed(token))
    }

    /// Checks that `text` is one JSON value.
    pub fn parse(text: &'a str) -> Result<Json<'a>, serde_json::Error> {
        serde_json::from_str(text)
    }

    pub fn get(&self) -> &str {
        &self.0
    }

    pub fn is_null(&self) -> bool {
        &*self.0 == "null"
    }

    pub fn is_object(&self) -> bool {
        self.0.starts_with('{')
    }

    pub fn is_array(&self) -> bool {
        self.0.starts_with('[')
    }

    pub fn as_text(&self) -> Option<Text<'_>> {
        Text::of_token(&self.0)
    }

    pub fn as_bool(&self) -> Option<bool> {
        match &*self.0 {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// A number, or a number in a string (some providers quote theirs). Floats are rounded; negatives are `None`.
    pub fn as_count(&self) -> Option<u64> {
        let digits = self.0.trim_matches('"').trim();
        digits.parse().ok().or_else(|| {
            let float: f64 = digits.parse().ok()?;
            (float.is_finite() && float >= 0.0).then_some(float.round() as u64)
        })
    }

    pub fn as_f64(&self) -> Option<f64> {
        self.0.parse().ok()
    }

    /// Parsed in full; for small values such as schemas.
    pub fn to_value(&self) -> serde_json::Value {
        serde_json::from_str(&self.0).unwrap_or(serde_json::Value::Null)
    }

    pub fn borrowed(&self) -> Json<'_> {
        Json(Cow::Borrowed(&self.0))
    }

    pub fn into_owned(self) -> Json<'static> {
        Json(Cow::Owned(self.0.into_owned()))
    }
}

impl<'a> From<&'a RawValue> for Json<'a> {
    fn from(raw: &'a RawValue) -> Self {
        Json(Cow::Borrowed(raw.get()))
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Json<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Json(Cow::Borrowed(<&'de RawValue>::deserialize(deserializer)?.get())))
    }
}

impl fmt::Debug for Json<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Writes JSON front to back. Commas come by themselves: one is due unless something was just opened.
#[derive(Default)]
pub struct Writer {
    pub out: Vec<u8>,
}

impl Writer {
    pub fn with_capacity(bytes: usize) -> Writer {
        Writer { out: Vec::with_capacity(bytes) }
    }

    fn separate(&mut self) {
        if !matches!(self.out.last(), None | Some(b'{' | b'[' | b':' | b',' | b' ' | b'\n')) {
            self.out.push(b',');
        }
    }

    pub fn open_object(&mut self) -> &mut Self {
        self.separate();
        self.out.push(b'{');
        self
    }

    pub fn close_object(&mut self) -> &mut Self {
        self.out.push(b'}');
        self
    }

    pub fn open_array(&mut self) -> &mut Self {
        self.separate();
        self.out.push(b'[');
        self
    }

    pub fn close_array(&mut self) -> &mut Self {
        self.out.push(b']');
        self
    }

    /// `name` must need no escape: field names of the wire formats do not.
    pub fn key(&mut self, name: &str) -> &mut Self {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(name.as_bytes());
        self.out.extend_from_slice(b"\":");
        self
    }

    pub fn text(&mut self, text: &Text<'_>) -> &mut Self {
        self.separate();
        self.out.push(b'"');
        self.out.extend_from_slice(text.escaped().as_bytes());
        self.out.push(b'"');
        self
    }

    /// A Rust string, escaped here.
    pub fn str(&mut self, text: &str) -> &mut Self {
        self.text(&Text::plain(text))
    }

    pub fn json(&mut self, json: &Json<'_>) -> &mut Self {
        self.raw(json.get())
    }

    /// `json` must be one whole JSON value.
    pub fn raw(&mut self, json: &str) -> &mut Self {
        self.separate();
        self.out.extend_from_slice(json.as_bytes());
        self
    }

    /// The value as a JSON string that holds JSON, as chat's `arguments` does.
    pub fn json_in_string(&mut self, json: &Json<'_>) -> &mut Self {
        self.str(json.get())
    }

    pub fn number(&mut self, number: u64) -> &mut Self {
        self.raw(&number.to_string())
    }

    pub fn bool(&mut self, value: bool) -> &mut Self {
        self.raw(if value { "true" } else { "false" })
    }

    pub fn null(&mut self) -> &mut Self {
        self.raw("null")
    }
}

/// Deeper nesting than this is refused before anything else looks at a body: raw values have no limit of their own, and
/// code that later walks a schema or a tool input must not be able to overflow its stack.
pub const MAX_DEPTH: usize = 128;

/// Why a body was not cut into members.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Uncut {
    /// It opens more than [`MAX_DEPTH`] brackets at once.
    TooDeep,
    /// It is no JSON object.
    NoObject,
}

/// The top-level members of an object, each a name (escaped, without quotes) and a value. One pass without recursion; what is
/// inside the values is not checked to be JSON.
pub fn members(body: &str) -> Result<Vec<(&str, &str)>, Uncut> {
    let bytes = body.as_bytes();
    let mut members = Vec::with_capacity(16);
    let mut at = skip_space(bytes, 0);
    if bytes.get(at) != Some(&b'{') {
        return Err(Uncut::NoObject);
    }
    at = skip_space(bytes, at + 1);
    if bytes.get(at) == Some(&b'}') {
        return if skip_space(bytes, at + 1) == bytes.len() { Ok(members) } else { Err(Uncut::NoObject) };
    }
    loop {
        if bytes.get(at) != Some(&b'"') {
            return Err(Uncut::NoObject);
        }
        let name = at + 1;
        at = skip_string(bytes, name).ok_or(Uncut::NoObject)?;
        let name = &body[name..at - 1];
        at = skip_space(bytes, at);
        if bytes.get(at) != Some(&b':') {
            return Err(Uncut::NoObject);
        }
        let value = skip_space(bytes, at + 1);
        at = skip_value(bytes, value)?;
        members.push((name, &body[value..at]));
        at = skip_space(bytes, at);
        match bytes.get(at) {
            Some(b',') => at = skip_space(bytes, at + 1),
            Some(b'}') if skip_space(bytes, at + 1) == bytes.len() => return Ok(members),
            _ => return Err(Uncut::NoObject),
        }
    }
}

fn skip_space(bytes: &[u8], mut at: usize) -> usize {
    while matches!(bytes.get(at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
        at += 1;
    }
    at
}

/// Where the value that begins at `at` ends.
fn skip_value(bytes: &[u8], mut at: usize) -> Result<usize, Uncut> {
    let begin = at;
    let mut depth = 1usize;
    while let Some(byte) = bytes.get(at) {
        match byte {
            b'"' => {
                at = skip_string(bytes, at + 1).ok_or(Uncut::NoObject)?;
                if depth == 1 {
                    return Ok(at);
                }
                continue;
            }
            b'{' | b'[' => {
                depth += 1;
                if depth > MAX_DEPTH {
                    return Err(Uncut::TooDeep);
                }
            }
            b'}' | b']' | b',' | b' ' | b'\n' | b'\r' | b'\t' if depth == 1 => {
                return if at > begin { Ok(at) } else { Err(Uncut::NoObject) };
            }
            b'}' | b']' => {
                depth -= 1;
                if depth == 1 {
                    return Ok(at + 1);
                }
            }
            _ => {}
        }
        at += 1;
    }
    Err(Uncut::NoObject)
}

/// Where the string whose first character is at `at` ends, behind its quote.
fn skip_string(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        at = plain_until(bytes, at);
        match bytes.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' if at + 2 <= bytes.len() => at += 2,
            b'\\' => return None,
            _ => at += 1,
        }
    }
}

#[cfg(test)]
mod tests;
