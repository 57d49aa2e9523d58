//! `<think>…</think>` at the head of the text, whatever the chunk borders cut.
//!
//! Only at the head: further down it is text that somebody wrote about such tags.

use crate::json::Text;

const OPEN: &str = "<think>";
const CLOSE: &str = "</think>";

#[derive(Debug, Default)]
pub struct Tags {
    place: Place,
    /// Escaped text that could be the beginning of a tag.
    held: String,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Place {
    #[default]
    Head,
    /// Directly behind the opening tag: white space is no part of the thoughts.
    Opened,
    Thoughts,
    /// Directly behind the closing tag: white space is no part of the answer.
    Closed,
    Answer,
}

#[derive(Debug, PartialEq)]
pub enum Split<'a> {
    Text(Text<'a>),
    Thinking(Text<'a>),
}

impl Tags {
    pub fn push<'a>(&mut self, text: Text<'a>) -> Vec<Split<'a>> {
        if self.place == Place::Answer {
            return vec![Split::Text(text)];
        }
        self.held.push_str(&plain_brackets(text.escaped()));
        let mut pieces = Vec::new();
        loop {
            match self.place {
                Place::Head => {
                    let blank = blank_prefix(&self.held);
                    let rest = &self.held[blank..];
                    if let Some(after) = rest.strip_prefix(OPEN) {
                        self.held = after.to_string();
                        self.place = Place::Opened;
                    } else if OPEN.starts_with(rest) {
                        return pieces;
                    } else {
                        self.place = Place::Answer;
                    }
                }
                Place::Opened | Place::Closed => {
                    self.held.drain(..blank_prefix(&self.held));
                    // A backslash may be the beginning of an escaped line end.
                    if self.held.is_empty() || self.held == "\\" {
                        return pieces;
                    }
                    self.place = if self.place == Place::Opened { Place::Thoughts } else { Place::Answer };
                }
                Place::Thoughts => match self.held.find(CLOSE) {
                    Some(at) => {
                        if at > 0 {
                            pieces.push(Split::Thinking(escaped(&self.held[..at])));
                        }
                        self.held.drain(..at + CLOSE.len());
                        self.place = Place::Closed;
                    }
                    None => {
                        let keep = (1..CLOSE.len()).rev().find(|n| self.held.ends_with(&CLOSE[..*n])).unwrap_or(0);
                        let ready = self.held.len() - keep;
                        if ready > 0 {
                            pieces.push(Split::Thinking(escaped(&self.held[..ready])));
                            self.held.drain(..ready);
                        }
                        return pieces;
                    }
                },
                Place::Answer => {
                    if !self.held.is_empty() {
                        pieces.push(Split::Text(escaped(&std::mem::take(&mut self.held))));
                    }
                    return pieces;
                }
            }
        }
    }

    /// What was held back when the answer ended.
    pub fn finish(&mut self) -> Option<Split<'static>> {
        let held = escaped(&std::mem::take(&mut self.held));
        match self.place {
            _ if held.is_empty() => None,
            Place::Thoughts => Some(Split::Thinking(held)),
            Place::Head | Place::Answer => Some(Split::Text(held)),
            Place::Opened | Place::Closed => None,
        }
    }
}

/// The length of leading white space, in escaped form.
fn blank_prefix(escaped: &str) -> usize {
    let mut rest = escaped;
    loop {
        let trimmed = [" ", "\\n", "\\r", "\\t"].iter().find_map(|blank| rest.strip_prefix(blank));
        match trimmed {
            Some(after) => rest = after,
            None => return escaped.len() - rest.len(),
        }
    }
}

/// Some servers escape angle brackets.
fn plain_brackets(escaped: &str) -> String {
    if !escaped.contains("\\u003") {
        return escaped.to_string();
    }
    let mut out = String::with_capacity(escaped.len());
    let mut rest = escaped;
    while let Some(at) = rest.find('\\') {
        out.push_str(&rest[..at]);
        let escape = &rest[at..];
        let code = escape.get(..6).unwrap_or("").to_ascii_lowercase();
        let length = match code.as_str() {
            "\\u003c" => {
                out.push('<');
                6
            }
            "\\u003e" => {
                out.push('>');
                6
            }
            _ => {
                // A backslash and the character that it escapes.
                let length = 1 + escape[1..].chars().next().map_or(0, char::len_utf8);
                out.push_str(&escape[..length]);
                length
            }
        };
        rest = &escape[length..];
    }
    out.push_str(rest);
    out
}

fn escaped(text: &str) -> Text<'static> {
    Text::of_token(&format!("\"{text}\"")).unwrap_or_default().into_owned()
}
