//! A request as it was: what the client sent, what went up and what came back, without secrets. It can be sent again.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::record::{Attempt, Record};

/// The form that this version writes.
pub const VERSION: u32 = 1;

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Capture {
    /// The form of the file, counted from 1.
    pub version: u32,
    /// What happened. Its attempts are with their exchanges.
    pub record: Record,
    /// What was taken out, and what stands in its place.
    pub notes: Vec<String>,
    /// The client's headers, as far as they matter.
    pub headers: Vec<(String, String)>,
    /// What the client sent.
    pub body: Body,
    pub exchanges: Vec<Exchange>,
}

/// One attempt: what went up and what came back.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Exchange {
    pub attempt: Attempt,
    /// The upstream's.
    pub dialect: String,
    pub body: Body,
    /// `None`: no head of an answer came.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Answer {
    pub status: u16,
    pub headers: Vec<(String, String)>,
    /// The bytes as they came; what is no UTF-8 in them is marked as such.
    pub raw: String,
    /// Bytes after these that were too many to keep.
    #[serde(skip_serializing_if = "is_zero")]
    pub left_out_bytes: u64,
    /// The connection broke.
    #[serde(skip_serializing_if = "is_false")]
    pub broke_off: bool,
}

/// A body, byte for byte. In the file it stands as the JSON that it is, or as text if it is none.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Body(Option<Box<RawValue>>);

impl Body {
    pub fn new(text: &str) -> Body {
        let json = RawValue::from_string(text.to_string()).ok().filter(|json| !json.get().starts_with('"'));
        Body(json.or_else(|| serde_json::value::to_raw_value(text).ok()))
    }

    pub fn text(&self) -> Cow<'_, str> {
        let json = self.0.as_ref().map_or("", |json| json.get());
        if json.starts_with('"') {
            return serde_json::from_str::<String>(json).map_or(Cow::Borrowed(json), Cow::Owned);
        }
        Cow::Borrowed(json)
    }
}

fn is_zero(count: &u64) -> bool {
    *count == 0
}

fn is_false(value: &bool) -> bool {
    !*value
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_body_comes_back_byte_for_byte_and_json_stands_as_json_in_the_file() {
        let json = r#"{"b":1.50,  "a":"\u00e9","b":1e400}"#;
        for text in [json, "no JSON: {", "\"a text\""] {
            let capture = Capture { body: Body::new(text), ..Capture::default() };
            let file = serde_json::to_string_pretty(&capture).unwrap();
            let again: Capture = serde_json::from_str(&file).unwrap();
            assert_eq!(again.body.text(), text);
            assert_eq!(file.contains(json), text == json);
        }
    }
}
