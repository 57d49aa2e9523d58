//! YAML to a tree in which everything knows its place. The only user of the YAML parser.
//!
//! Plain scalars mean what they mean to LiteLLM's loader (PyYAML, YAML 1.1): `yes` and `on` are true, `1_000` is a number,
//! `012` is octal. Unlike there a key given twice is an error, and `1e-6` is a number. Numbers keep their digits: a price must
//! not pass through a binary fraction.
//!
//! The parser's own error reports can quote lines of the file, and those may hold keys; only its kinds of errors are used.

use std::collections::HashMap;

use serde_saphyr::granit_parser::{Event, Options, Parser, ScalarStyle, ScanError, Span, StrInput, Tag, options};

use super::problem::Pos;

#[cfg(test)]
mod tests;

#[derive(Clone, Debug, PartialEq)]
pub struct Node {
    pub at: Pos,
    pub value: Value,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Bool(bool),
    /// The digits as a JSON number.
    Number(String),
    Text(String),
    List(Vec<Node>),
    Map(Map),
}

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Map {
    pub entries: Vec<Entry>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    pub key: String,
    /// Of the key.
    pub at: Pos,
    pub node: Node,
}

impl Map {
    pub fn get(&self, key: &str) -> Option<&Node> {
        self.entries.iter().find(|e| e.key == key).map(|e| &e.node)
    }

    /// Takes over what `other` has and `self` lacks.
    pub fn fill_from(&mut self, other: &Map) {
        for entry in &other.entries {
            if self.get(&entry.key).is_none() {
                self.entries.push(entry.clone());
            }
        }
    }
}

impl Value {
    /// For messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "nothing",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "text",
            Value::List(_) => "a list",
            Value::Map(_) => "a map",
        }
    }
}

#[derive(Clone, Debug, PartialEq)]
pub struct YamlError {
    pub at: Pos,
    pub message: String,
    pub hint: Option<String>,
}

/// Aliases can multiply a small file into a huge tree ("billion laughs").
const MAX_NODES: usize = 500_000;
const MAX_DEPTH: usize = 64;

/// Reads one document. An empty file is [`Value::Null`].
pub fn parse(text: &str, file: usize) -> Result<Node, YamlError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut settings: Options = options! {};
    settings.set_emit_comments(false);
    let mut builder = Builder {
        parser: Parser::new_from_str_with_options(text, settings),
        text,
        file,
        anchors: HashMap::new(),
        nodes: 0,
    };
    builder.document()
}

struct Builder<'t> {
    parser: Parser<'t, StrInput<'t>>,
    text: &'t str,
    file: usize,
    anchors: HashMap<usize, Node>,
    nodes: usize,
}

impl<'t> Builder<'t> {
    fn document(&mut self) -> Result<Node, YamlError> {
        let mut root = None;
        loop {
            let (event, at) = self.next()?;
            match event {
                Event::StreamStart | Event::DocumentEnd => {}
                Event::DocumentStart(..) if root.is_some() => {
                    return Err(error(
                        at,
                        "a second document begins here",
                        "a configuration is one document: remove the `---`",
                    ));
                }
                Event::DocumentStart(..) => {
                    let (event, at) = self.next()?;
                    root = Some(self.node(event, at, 0)?);
                }
                Event::StreamEnd => {
                    let start = Pos { file: self.file, line: 1, column: 1 };
                    return Ok(root.unwrap_or(Node { at: start, value: Value::Null }));
                }
                _ => return Err(error(at, "this is not understood here", "see https://yaml.org/spec/1.1")),
            }
        }
    }

    fn next(&mut self) -> Result<(Event<'t>, Pos), YamlError> {
        match self.parser.next_event() {
            Some(Ok((event, span))) => Ok((event, self.pos(&span))),
            Some(Err(scan)) => Err(self.scan_error(&scan)),
            None => Ok((Event::StreamEnd, Pos { file: self.file, line: 1, column: 1 })),
        }
    }

    fn pos(&self, span: &Span) -> Pos {
        Pos { file: self.file, line: span.start.line(), column: span.start.col() + 1 }
    }

    fn scan_error(&self, scan: &ScanError) -> YamlError {
        let mark = scan.marker();
        let at = Pos { file: self.file, line: mark.line(), column: mark.col() + 1 };
        let line = self.text.lines().nth(mark.line().saturating_sub(1)).unwrap_or_default();
        let indent = &line[..line.len() - line.trim_start().len()];
        if let Some(tab) = indent.find('\t') {
            let at = Pos { column: tab + 1, ..at };
            return error(at, "a tab stands in the indentation", "YAML is indented with spaces only");
        }
        let message = format!("this is not valid YAML: {}", scan.kind());
        YamlError {
            at,
            message,
            hint: Some("look at the indentation, colons and quotes of this line and the one before".into()),
        }
    }

    fn node(&mut self, event: Event<'t>, at: Pos, depth: usize) -> Result<Node, YamlError> {
        if depth > MAX_DEPTH {
            return Err(error(at, "this is nested too deeply", "at most 64 levels are read"));
        }
        self.count(1, at)?;
        let (value, anchor) = match event {
            Event::Scalar(text, style, anchor, tag) => (scalar(text.into_owned(), style, tag.as_deref(), at)?, anchor),
            Event::SequenceStart(_, anchor, _) => (Value::List(self.list(depth)?), anchor),
            Event::MappingStart(_, anchor, _) => (Value::Map(self.map(depth)?), anchor),
            Event::Alias(id) => return self.alias(id, at),
            _ => return Err(error(at, "a value is missing here", "write one, or remove the key")),
        };
        let node = Node { at, value };
        if anchor > 0 {
            self.anchors.insert(anchor, node.clone());
        }
        Ok(node)
    }

    fn alias(&mut self, id: usize, at: Pos) -> Result<Node, YamlError> {
        let Some(node) = self.anchors.get(&id).cloned() else {
            return Err(error(at, "this alias stands inside what it refers to", "an alias cannot contain itself"));
        };
        self.count(size(&node), at)?;
        Ok(node)
    }

    fn count(&mut self, nodes: usize, at: Pos) -> Result<(), YamlError> {
        self.nodes += nodes;
        if self.nodes > MAX_NODES {
            return Err(error(at, "the file is too large with all its aliases", "at most 500,000 values are read"));
        }
        Ok(())
    }

    fn list(&mut self, depth: usize) -> Result<Vec<Node>, YamlError> {
        let mut items = Vec::new();
        loop {
            let (event, at) = self.next()?;
            if matches!(event, Event::SequenceEnd) {
                return Ok(items);
            }
            items.push(self.node(event, at, depth + 1)?);
        }
    }

    fn map(&mut self, depth: usize) -> Result<Map, YamlError> {
        let mut map = Map::default();
        let mut merged = Vec::new();
        loop {
            let (event, at) = self.next()?;
            let key = match event {
                Event::MappingEnd => break,
                Event::Scalar(key, ..) => key.into_owned(),
                _ => return Err(error(at, "a key must be plain text", "write `key: value`")),
            };
            let (event, value_at) = self.next()?;
            let node = self.node(event, value_at, depth + 1)?;
            if key == "<<" {
                merged.push(node);
                continue;
            }
            if let Some(first) = map.entries.iter().find(|e| e.key == key) {
                let message = format!("`{key}` is given twice; the first is in line {}", first.at.line);
                return Err(error(at, &message, "remove one of them"));
            }
            map.entries.push(Entry { key, at, node });
        }
        for node in merged {
            merge(&mut map, node)?;
        }
        Ok(map)
    }
}

/// `<<: *anchor` and `<<: [*one, *two]`: what is there already wins.
fn merge(map: &mut Map, node: Node) -> Result<(), YamlError> {
    match node.value {
        Value::Map(other) => map.fill_from(&other),
        Value::List(items) => {
            for item in items {
                merge(map, item)?;
            }
        }
        _ => {
            return Err(error(
                node.at,
                "only a map can be merged with `<<`",
                "write `<<: *anchor`, with `&anchor` before a map",
            ));
        }
    }
    Ok(())
}

fn size(node: &Node) -> usize {
    1 + match &node.value {
        Value::List(items) => items.iter().map(size).sum(),
        Value::Map(map) => map.entries.iter().map(|e| size(&e.node)).sum(),
        _ => 0,
    }
}

fn error(at: Pos, message: &str, hint: &str) -> YamlError {
    YamlError { at, message: message.to_string(), hint: Some(hint.to_string()) }
}

fn scalar(text: String, style: ScalarStyle, tag: Option<&Tag>, at: Pos) -> Result<Value, YamlError> {
    match tag.map(|tag| tag.core_suffix()) {
        Some(Some("str")) => return Ok(Value::Text(text)),
        Some(Some("int" | "float" | "bool" | "null")) => return Ok(plain(text)),
        Some(Some(_)) => {}
        Some(None) => return Err(error(at, "tags with `!` are not understood", "remove the tag")),
        None => {}
    }
    Ok(if style == ScalarStyle::Plain { plain(text) } else { Value::Text(text) })
}

fn plain(text: String) -> Value {
    match text.as_str() {
        "" | "~" | "null" | "Null" | "NULL" => Value::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" => Value::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" => Value::Bool(false),
        _ => match number(&text) {
            Some(digits) => Value::Number(digits),
            None => Value::Text(text),
        },
    }
}

/// The JSON form of a plain number; `None` for anything else.
fn number(text: &str) -> Option<String> {
    let (sign, digits) = match text.as_bytes().first()? {
        b'-' => ("-", &text[1..]),
        b'+' => ("", &text[1..]),
        _ => ("", text),
    };
    if !digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') {
        return None;
    }
    let digits = digits.replace('_', "");
    let based = |digits: &str, base| u64::from_str_radix(digits, base).ok().map(|n| format!("{sign}{n}"));
    if let Some(hex) = digits.strip_prefix("0x") {
        return based(hex, 16);
    }
    if let Some(binary) = digits.strip_prefix("0b") {
        return based(binary, 2);
    }
    if let Some(octal) = digits.strip_prefix("0o") {
        return based(octal, 8);
    }
    if digits.len() > 1 && digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()) {
        return based(&digits, 8);
    }
    decimal(&digits).map(|digits| format!("{sign}{digits}"))
}

/// `12`, `1.5`, `.5`, `1.`, `1e-6`.
fn decimal(text: &str) -> Option<String> {
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let all_digits = |s: &str| s.bytes().all(|b| b.is_ascii_digit());
    if (whole.is_empty() && fraction.is_empty()) || !all_digits(whole) || !all_digits(fraction) {
        return None;
    }
    let whole = whole.trim_start_matches('0');
    let mut out = if whole.is_empty() { "0".to_string() } else { whole.to_string() };
    if !fraction.is_empty() {
        out.push('.');
        out.push_str(fraction);
    }
    if let Some(exponent) = exponent {
        let digits = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        if digits.is_empty() || !all_digits(digits) {
            return None;
        }
        out.push('e');
        out.push_str(exponent);
    }
    Some(out)
}
