//! `reasoning_details`, put together from pieces so that they can go back unmodified.

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::json::{Json, Text};
use crate::scan::Raw;

/// Elements in the order in which they began. Pieces of one element share `index` and `type`; their texts are joined.
#[derive(Debug, Default)]
pub struct Details {
    elements: Vec<Map<String, Value>>,
}

/// Fields that come in pieces; of any other field the last value counts.
const JOINED: [&str; 3] = ["text", "summary", "data"];

impl Details {
    pub fn add(&mut self, raw: Raw<'_>) {
        let pieces: Vec<Map<String, Value>> = serde_json::from_str(raw.get()).unwrap_or_default();
        for piece in pieces {
            let same = |element: &Map<String, Value>| {
                element.get("index") == piece.get("index") && element.get("type") == piece.get("type")
            };
            // Without an index only the element that came last can go on.
            let found = match piece.get("index") {
                Some(_) => self.elements.iter().rposition(same),
                None => self.elements.len().checked_sub(1).filter(|last| same(&self.elements[*last])),
            };
            match found {
                Some(at) => merge(&mut self.elements[at], piece),
                None => self.elements.push(piece),
            }
        }
    }

    pub fn take(&mut self) -> Option<Json<'static>> {
        if self.elements.is_empty() {
            return None;
        }
        let elements = std::mem::take(&mut self.elements).into_iter().map(Value::Object).collect();
        Some(Json::of(&Value::Array(elements)))
    }
}

fn merge(element: &mut Map<String, Value>, piece: Map<String, Value>) {
    for (key, value) in piece {
        match (element.get_mut(&key), value) {
            (_, Value::Null) => {}
            (Some(Value::String(old)), Value::String(more)) if JOINED.contains(&key.as_str()) => old.push_str(&more),
            (Some(old), value) => *old = value,
            (None, value) => {
                element.insert(key, value);
            }
        }
    }
}

/// The readable part, for providers that send it nowhere else.
pub fn texts<'a>(raw: Raw<'a>, mut emit: impl FnMut(Text<'a>)) {
    #[derive(Deserialize)]
    struct Detail<'a> {
        #[serde(borrow)]
        text: Option<Text<'a>>,
        #[serde(borrow)]
        summary: Option<Text<'a>>,
    }
    let details: Vec<Detail<'a>> = serde_json::from_str(raw.get()).unwrap_or_default();
    details.into_iter().filter_map(|d| d.text.or(d.summary)).filter(|t| !t.is_empty()).for_each(&mut emit);
}
