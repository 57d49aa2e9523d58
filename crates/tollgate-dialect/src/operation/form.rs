//! Bodies of `multipart/form-data` (RFC 7578): fields are read, and one is replaced; all other bytes stay as they are.

use std::ops::Range;

use memchr::memmem;

use crate::error::Invalid;
use crate::json::Writer;

/// A form cut into its parts.
#[derive(Debug)]
pub struct Form<'a> {
    body: &'a [u8],
    /// With its two dashes.
    delimiter: Vec<u8>,
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    name: String,
    is_file: bool,
    content: Range<usize>,
}

/// The fields that decide what becomes of a request.
const DECIDING: [&str; 4] = ["model", "stream", "n", "user"];

impl<'a> Form<'a> {
    /// Whether a `content-type` says that the body is a form.
    pub fn is_meant(content_type: &str) -> bool {
        content_type.trim_start().to_ascii_lowercase().starts_with("multipart/form-data")
    }

    pub fn parse(content_type: &str, body: &'a [u8]) -> Result<Form<'a>, Invalid> {
        let boundary = parameter(content_type, "boundary").filter(|boundary| !boundary.is_empty());
        let boundary = boundary.ok_or_else(|| Invalid::new("", "The content-type of the form names no boundary."))?;
        let delimiter = format!("--{boundary}").into_bytes();
        let mut form = Form { body, delimiter, parts: Vec::new() };
        form.cut().ok_or_else(|| Invalid::new("", "The request body is no complete multipart/form-data."))?;
        Ok(form)
    }

    fn cut(&mut self) -> Option<()> {
        let body = self.body;
        let between = [b"\r\n", &self.delimiter[..]].concat();
        let mut at = if body.starts_with(&self.delimiter) { 0 } else { memmem::find(body, &between)? + 2 };
        loop {
            at += self.delimiter.len();
            if body[at..].starts_with(b"--") {
                return Some(());
            }
            let head = at + memmem::find(&body[at..], b"\r\n")? + 2;
            let (head_end, begin) = if body[head..].starts_with(b"\r\n") {
                (head, head + 2)
            } else {
                let end = head + memmem::find(&body[head..], b"\r\n\r\n")?;
                (end, end + 4)
            };
            // The line break before the delimiter is its own; an empty part may share it with its head's.
            let end = begin - 2 + memmem::find(&body[begin - 2..], &between)?;
            let content = begin..end.max(begin);
            let heads = String::from_utf8_lossy(&body[head..head_end]);
            let disposition = heads.split("\r\n").find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.trim().eq_ignore_ascii_case("content-disposition").then_some(value)
            });
            if let Some(name) = disposition.and_then(|value| parameter(value, "name")) {
                let is_file = disposition.is_some_and(|value| {
                    parameter(value, "filename").is_some() || parameter(value, "filename*").is_some()
                });
                self.parts.push(Part { name, is_file, content });
            }
            at = end + 2;
        }
    }

    /// The value of a field that is no file.
    pub fn text(&self, name: &str) -> Option<&'a str> {
        let part = self.parts.iter().rev().find(|part| part.name == name && !part.is_file)?;
        std::str::from_utf8(&self.body[part.content.clone()]).ok()
    }

    /// The deciding fields as the JSON object that other clients would send.
    pub fn as_json(&self) -> Vec<u8> {
        let mut w = Writer::default();
        w.open_object();
        for name in DECIDING {
            match self.text(name).map(str::trim) {
                Some(value @ ("true" | "false")) if name == "stream" => w.key(name).bool(value == "true"),
                Some(value) if name == "n" && value.parse::<u64>().is_ok() => w.key(name).raw(value),
                Some(value) if matches!(name, "model" | "user") => w.key(name).str(value),
                _ => &mut w,
            };
        }
        w.close_object();
        w.out
    }

    /// The body with this value for a field, in front where it has none such.
    pub fn with(&self, name: &str, value: &str) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.body.len() + value.len() + 256);
        let mut done = 0;
        for part in self.parts.iter().filter(|part| part.name == name && !part.is_file) {
            out.extend_from_slice(&self.body[done..part.content.start]);
            out.extend_from_slice(value.as_bytes());
            done = part.content.end;
        }
        if done == 0 {
            out.extend_from_slice(&self.delimiter);
            out.extend_from_slice(format!("\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n").as_bytes());
            out.extend_from_slice(value.as_bytes());
            out.extend_from_slice(b"\r\n");
        }
        out.extend_from_slice(&self.body[done..]);
        out
    }
}

/// A parameter of a header's value, `form-data; name="model"`.
fn parameter(header: &str, wanted: &str) -> Option<String> {
    let mut quoted = false;
    let mut escaped = false;
    let split = |c: char| {
        let cuts = c == ';' && !quoted;
        quoted ^= c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        cuts
    };
    header.split(split).skip(1).find_map(|parameter| {
        let (name, value) = parameter.split_once('=')?;
        let value = value.trim();
        let bare = value.strip_prefix('"').and_then(|value| value.strip_suffix('"')).unwrap_or(value);
        name.trim().eq_ignore_ascii_case(wanted).then(|| bare.replace("\\\"", "\""))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=\"xYz\"";

    /// A file whose bytes look like a field, and are no text.
    const FILE: &[u8] = b"\x00\xff\r\n--xY\r\nname=\"model\"\r\n\r\n--";

    fn form(parts: &[(&str, &[u8])]) -> Vec<u8> {
        let mut out = Vec::new();
        for (disposition, content) in parts {
            let head = format!("--xYz\r\nContent-Disposition: form-data; {disposition}\r\n\r\n");
            out.extend([head.as_bytes(), content, b"\r\n"].concat());
        }
        out.extend_from_slice(b"--xYz--\r\n");
        out
    }

    #[test]
    fn a_field_is_replaced_and_every_other_byte_stays() {
        let with = |model: &[u8]| {
            form(&[
                ("name=\"file\"; filename=\"a; name=model.png\"", FILE),
                ("name=model", model),
                ("name=\"prompt\"", "größer".as_bytes()),
            ])
        };
        let body = with(b"mine");
        let parsed = Form::parse(TYPE, &body).unwrap();
        assert_eq!((parsed.text("model"), parsed.text("prompt")), (Some("mine"), Some("größer")));
        assert_eq!(parsed.text("file"), None);
        assert_eq!(parsed.with("model", "theirs"), with(b"theirs"));
    }

    #[test]
    fn a_field_that_is_not_there_stands_in_front() {
        let body = form(&[("name=\"file\"; filename=\"a\"", FILE), ("name=\"empty\"", b"")]);
        let longer = Form::parse(TYPE, &body).unwrap().with("model", "theirs");
        let parsed = Form::parse(TYPE, &longer).unwrap();
        assert_eq!((parsed.text("model"), parsed.text("empty")), (Some("theirs"), Some("")));
        assert!(longer.ends_with(&body));
    }

    #[test]
    fn the_deciding_fields_are_read_as_in_json() {
        let body = form(&[
            ("name=\"model\"", b"m"),
            ("name=\"stream\"", b"true"),
            ("name=\"n\"", b"2"),
            ("name=\"user\"", b"u\"1"),
            ("name=\"prompt\"", b"p"),
        ]);
        let json = Form::parse(TYPE, &body).unwrap().as_json();
        assert_eq!(std::str::from_utf8(&json).unwrap(), r#"{"model":"m","stream":true,"n":2,"user":"u\"1"}"#);
    }

    #[test]
    fn what_is_no_whole_form_is_refused() {
        let body = form(&[("name=\"model\"", b"m")]);
        assert!(Form::parse("multipart/form-data", &body).is_err());
        for cut in 0..body.len() - 4 {
            assert!(Form::parse(TYPE, &body[..cut]).is_err(), "{cut}");
        }
    }
}
