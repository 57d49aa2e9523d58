//! Typed access to a map of the configuration. What was never asked for is reported at the end.

use std::cell::RefCell;
use std::time::Duration;

use tollgate_dialect::json::Json;
use tollgate_policy::price;

use super::context::{Context, Resolved};
use super::known::Keys;
use super::problem::Pos;
use super::yaml::{Entry, Map, Node, Value};

pub struct Section<'c, 'e> {
    pub cx: &'c Context<'e>,
    pub map: Map,
    pub path: String,
    pub at: Pos,
    taken: RefCell<Vec<String>>,
}

impl<'c, 'e> Section<'c, 'e> {
    /// `None` and a problem if the node is no map. An empty value is an empty map.
    pub fn of(cx: &'c Context<'e>, node: &Node, path: &str) -> Option<Section<'c, 'e>> {
        let map = match &node.value {
            Value::Map(map) => map.clone(),
            Value::Null => Map::default(),
            other => {
                cx.error(
                    node.at,
                    path,
                    format!("must be a map, but is {}", other.kind()),
                    "write `key: value` lines below it",
                );
                return None;
            }
        };
        Some(Section { cx, map, path: path.to_string(), at: node.at, taken: RefCell::default() })
    }

    pub fn path_of(&self, key: &str) -> String {
        if self.path.is_empty() { key.to_string() } else { format!("{}.{key}", self.path) }
    }

    /// The value, if there is one that is not null; from now on the key counts as used.
    pub fn take(&self, key: &str) -> Option<&Node> {
        self.taken.borrow_mut().push(key.to_string());
        self.map.get(key).filter(|node| node.value != Value::Null)
    }

    pub fn entry(&self, key: &str) -> Option<&Entry> {
        self.map.entries.iter().find(|entry| entry.key == key)
    }

    pub fn section(&self, key: &str) -> Option<Section<'c, 'e>> {
        Section::of(self.cx, self.take(key)?, &self.path_of(key))
    }

    /// The items of a list; none if there is no such key.
    pub fn list(&self, key: &str) -> Vec<Node> {
        match self.take(key) {
            None => Vec::new(),
            Some(Node { value: Value::List(items), .. }) => items.clone(),
            Some(node) => {
                self.wrong(node, key, "a list");
                Vec::new()
            }
        }
    }

    pub fn wrong(&self, node: &Node, key: &str, wanted: &str) {
        self.cx.error(
            node.at,
            &self.path_of(key),
            format!("must be {wanted}, but is {}", node.value.kind()),
            format!("write {wanted}"),
        );
    }

    /// A scalar as text, with variables followed. A missing variable is a warning.
    pub fn text(&self, key: &str) -> Option<String> {
        let node = self.take(key)?;
        match self.cx.resolve(node) {
            Resolved::Text(text) => Some(text),
            Resolved::Missing(name) => {
                self.cx.missing_variable(node.at, &self.path_of(key), &name);
                None
            }
            Resolved::Structure => {
                self.wrong(node, key, "text");
                None
            }
        }
    }

    fn parsed<T>(&self, key: &str, wanted: &str, parse: impl Fn(&str) -> Option<T>) -> Option<T> {
        let node = self.take(key)?;
        let text = self.text(key)?;
        let value = parse(text.trim());
        if value.is_none() {
            self.cx.error(node.at, &self.path_of(key), format!("must be {wanted}"), format!("write {wanted}"));
        }
        value
    }

    pub fn bool(&self, key: &str) -> Option<bool> {
        self.parsed(key, "true or false", |text| match text.to_lowercase().as_str() {
            "true" | "1" | "yes" | "on" => Some(true),
            "false" | "0" | "no" | "off" => Some(false),
            _ => None,
        })
    }

    pub fn count(&self, key: &str) -> Option<u64> {
        self.parsed(key, "a whole number of 0 or more", |text| {
            text.parse().ok().or_else(|| text.strip_suffix(".0")?.parse().ok())
        })
    }

    pub fn small_count(&self, key: &str) -> Option<u32> {
        self.parsed(key, "a whole number of 0 or more", |text| text.parse().ok())
    }

    pub fn seconds(&self, key: &str) -> Option<Duration> {
        self.parsed(key, "a number of seconds above 0", |text| {
            let seconds: f64 = text.parse().ok()?;
            (seconds > 0.0).then(|| Duration::try_from_secs_f64(seconds).ok()).flatten()
        })
    }

    /// Like [`Section::seconds`], none at all included.
    pub fn span(&self, key: &str) -> Option<Duration> {
        self.parsed(key, "a number of seconds, 0 or more", |text| Duration::try_from_secs_f64(text.parse().ok()?).ok())
    }

    /// Femto-dollars per token, image, second or other unit.
    pub fn price(&self, key: &str) -> Option<u64> {
        self.parsed(key, "a price in dollars per token, such as 0.000003", |text| price::per_token(text).ok())
    }

    /// Nano-dollars.
    pub fn dollars(&self, key: &str) -> Option<u64> {
        self.parsed(key, "an amount in dollars, such as 100 or 0.5", |text| price::nanos(text).ok())
    }

    /// One of some words.
    pub fn choice<T: Copy>(&self, key: &str, choices: &[(&str, T)]) -> Option<T> {
        let words: Vec<&str> = choices.iter().map(|(word, _)| *word).collect();
        let wanted = format!("one of {}", words.join(", "));
        self.parsed(key, &wanted, |text| choices.iter().find(|(word, _)| *word == text).map(|(_, value)| *value))
    }

    pub fn json(&self, entry: &Entry) -> Json<'static> {
        json(self.cx, &entry.node, &self.path_of(&entry.key))
    }

    /// The entries that were not asked for.
    pub fn rest(&self) -> Vec<Entry> {
        let taken = self.taken.borrow();
        self.map.entries.iter().filter(|entry| !taken.contains(&entry.key)).cloned().collect()
    }

    /// Reports what was not asked for.
    pub fn finish(&self, keys: &Keys) {
        for entry in self.rest() {
            let path = self.path_of(&entry.key);
            if keys.contains(&entry.key) {
                self.cx.not_implemented(keys, &entry, &path);
            } else {
                self.cx.unknown_key(keys, &entry, &path);
            }
        }
    }
}

/// A value as JSON, with variables followed and the digits of numbers kept.
pub fn json(cx: &Context<'_>, node: &Node, path: &str) -> Json<'static> {
    let mut out = String::new();
    write_json(cx, node, path, &mut out);
    Json::parse(&out).map(Json::into_owned).unwrap_or(Json::NULL)
}

fn write_json(cx: &Context<'_>, node: &Node, path: &str, out: &mut String) {
    match &node.value {
        Value::Null => out.push_str("null"),
        Value::Bool(value) => out.push_str(if *value { "true" } else { "false" }),
        Value::Number(digits) => out.push_str(digits),
        Value::Text(_) => match cx.resolve(node) {
            Resolved::Text(text) => out.push_str(&quoted(&text)),
            Resolved::Missing(name) => {
                cx.missing_variable(node.at, path, &name);
                out.push_str("null");
            }
            Resolved::Structure => {}
        },
        Value::List(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_json(cx, item, path, out);
            }
            out.push(']');
        }
        Value::Map(map) => {
            out.push('{');
            for (i, entry) in map.entries.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                out.push_str(&quoted(&entry.key));
                out.push(':');
                write_json(cx, &entry.node, path, out);
            }
            out.push('}');
        }
    }
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string is always JSON")
}
