//! Images, documents and sounds in a body: what stands in for them is the smallest of their type, so that the body can still be sent.

use std::collections::HashMap;

use serde_json::Value;

use super::redact::replace_strings;

/// Base64 of this length and less is kept.
const KEPT: usize = 1024;

struct Kind {
    media_type: &'static str,
    /// How its base64 begins.
    begins: &'static str,
    /// Base64 of the smallest that there is: 1x1 pixels, one empty page, two samples.
    smallest: &'static str,
}

const KINDS: [Kind; 6] = [
    Kind {
        media_type: "image/png",
        begins: "iVBORw0KGgo",
        smallest: "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAAAAAA6fptVAAAACklEQVR42mP4DwABAQEAHLCMmQAAAABJRU5ErkJggg==",
    },
    Kind {
        media_type: "image/jpeg",
        begins: "/9j/",
        smallest: "/9j/2wBDAAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQH/wAALCAABAAEBAREA/8QAFAABAAAAAAAAAAAAAAAAAAAAAP/EABQQAQAAAAAAAAAAAAAAAAAAAAD/2gAIAQEAAD8AP//Z",
    },
    Kind { media_type: "image/gif", begins: "R0lGOD", smallest: "R0lGODlhAQABAIAAAP///wAAACwAAAAAAQABAAACAkQBADs=" },
    Kind { media_type: "image/webp", begins: "UklGR", smallest: "UklGRhgAAABXRUJQVlA4TAwAAAAvAAAAAOh///vf/wA=" },
    Kind {
        media_type: "application/pdf",
        begins: "JVBERi0",
        smallest: "JVBERi0xLjQKMSAwIG9iajw8L1R5cGUvQ2F0YWxvZy9QYWdlcyAyIDAgUj4+IGVuZG9iagoyIDAgb2JqPDwvVHlwZS9QYWdlcy9LaWRzWzMgMCBSXS9Db3VudCAxPj4gZW5kb2JqCjMgMCBvYmo8PC9UeXBlL1BhZ2UvUGFyZW50IDIgMCBSL01lZGlhQm94WzAgMCA3MiA3Ml0+PiBlbmRvYmoKeHJlZgowIDQKMDAwMDAwMDAwMCA2NTUzNSBmIAowMDAwMDAwMDA5IDAwMDAwIG4gCjAwMDAwMDAwNTMgMDAwMDAgbiAKMDAwMDAwMDEwMyAwMDAwMCBuIAp0cmFpbGVyPDwvU2l6ZSA0L1Jvb3QgMSAwIFI+PgpzdGFydHhyZWYKMTY1CiUlRU9GCg==",
    },
    Kind {
        media_type: "audio/wav",
        begins: "UklGR",
        smallest: "UklGRiYAAABXQVZFZm10IBAAAAABAAEAQB8AAEAfAAABAAgAZGF0YQIAAACAgA==",
    },
];

/// `redacted` in base64: for types of which nothing small is known.
const UNKNOWN: &str = "cmVkYWN0ZWQ=";

/// What was taken out of a body.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Of each, its type.
    pub types: Vec<String>,
    pub bytes: usize,
}

/// A body without its larger media. All other bytes stay.
pub fn replace(json: &str, removed: &mut Removed) -> Option<String> {
    if json.len() <= KEPT {
        return None;
    }
    let body: Value = serde_json::from_str(json).ok()?;
    let mut instead = HashMap::new();
    find(&body, &mut instead, removed);
    (!instead.is_empty()).then(|| replace_strings(json, |text| instead.get(text).cloned()))
}

fn find(value: &Value, instead: &mut HashMap<String, String>, removed: &mut Removed) {
    match value {
        Value::Object(members) => {
            let text = |name: &str| members.get(name).and_then(Value::as_str);
            let declared = text("media_type").or(text("mime_type")).map(str::to_string);
            let declared = declared.or_else(|| text("format").map(|format| format!("audio/{format}")));
            for (name, member) in members {
                let declared = declared.as_deref().filter(|_| name == "data");
                match member.as_str() {
                    Some(text) => note(text, declared, instead, removed),
                    None => find(member, instead, removed),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| find(item, instead, removed)),
        Value::String(text) => note(text, None, instead, removed),
        _ => {}
    }
}

fn note(text: &str, declared: Option<&str>, instead: &mut HashMap<String, String>, removed: &mut Removed) {
    if let Some((media_type, placeholder)) = placeholder(text, declared) {
        removed.types.push(media_type);
        removed.bytes += text.len();
        instead.insert(text.to_string(), placeholder);
    }
}

/// What stands in for a text that holds media, and the media's type. What the bytes are goes before what they are said to be.
pub fn placeholder(text: &str, declared: Option<&str>) -> Option<(String, String)> {
    if text.len() <= KEPT {
        return None;
    }
    let url = text.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    let (prefix, declared, data) = match url {
        Some((media_type, data)) => (&text[..text.len() - data.len()], Some(media_type), data),
        None => ("", declared, text),
    };
    let said = |kind: &&Kind| declared.is_some_and(|declared| declared.eq_ignore_ascii_case(kind.media_type));
    let is = |kind: &&Kind| data.starts_with(kind.begins);
    let kind = KINDS.iter().find(|kind| is(kind) && said(kind)).or_else(|| KINDS.iter().find(is));
    let kind = kind.filter(|_| declared.is_some() || is_base64(data)).or_else(|| KINDS.iter().find(said));
    let media_type = match (kind, declared) {
        (None, None) => return None,
        (Some(kind), _) => kind.media_type.to_string(),
        (None, Some(declared)) => declared.chars().take(60).collect(),
    };
    Some((media_type, format!("{prefix}{}", kind.map_or(UNKNOWN, |kind| kind.smallest))))
}

fn is_base64(text: &str) -> bool {
    text.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='))
}

impl Removed {
    /// For people; `None`: nothing was removed.
    pub fn note(&self) -> Option<String> {
        let mut types = self.types.clone();
        types.sort();
        types.dedup();
        let unknown = types.iter().any(|name| KINDS.iter().all(|kind| kind.media_type != name));
        let but = if unknown { "; some are of types without a smallest, which no model will read" } else { "" };
        (!types.is_empty()).then(|| {
            let (count, size) = (self.types.len(), self.bytes / 1024);
            format!(
                "{count} media ({}; {size} KB in base64) were replaced by the smallest of their type{but}",
                types.join(", ")
            )
        })
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine as _;
    use base64::engine::general_purpose::STANDARD;
    use serde_json::json;

    use super::*;

    fn large(begins: &str) -> String {
        format!("{begins}{}", "A".repeat(2000))
    }

    #[test]
    fn every_placeholder_is_what_it_says() {
        for kind in &KINDS {
            let bytes = STANDARD.decode(kind.smallest).unwrap();
            assert!(kind.smallest.starts_with(kind.begins) && kind.smallest.len() <= KEPT, "{}", kind.media_type);
            if kind.media_type.starts_with("image/") {
                let size = imagesize::blob_size(&bytes).unwrap();
                assert_eq!((size.width, size.height), (1, 1), "{}", kind.media_type);
                let subtype = kind.media_type.trim_start_matches("image/");
                let found = format!("{:?}", imagesize::image_type(&bytes).unwrap()).to_lowercase();
                assert_eq!(found, subtype);
            }
        }
    }

    #[test]
    fn media_of_both_dialects_become_the_smallest_of_their_type() {
        let png = KINDS[0].smallest;
        let pdf = KINDS[4].smallest;
        let small = "iVBORw0KGgoAAAA";
        let body = json!({"messages": [
            {"source": {"type": "base64", "media_type": "image/png", "data": large("iVBORw0KGgo")}},
            {"image_url": {"url": format!("data:image/png;base64,{}", large("iVBORw0KGgo"))}},
            {"file": {"file_data": format!("data:application/pdf;base64,{}", large("JVBERi0"))}},
            {"source": {"media_type": "image/png", "data": small}},
            {"input_audio": {"format": "wav", "data": large("UklGR")}},
            {"text": "x".repeat(3000)},
        ]});
        let mut removed = Removed::default();
        let replaced: Value = serde_json::from_str(&replace(&body.to_string(), &mut removed).unwrap()).unwrap();
        let expected = json!({"messages": [
            {"source": {"type": "base64", "media_type": "image/png", "data": png}},
            {"image_url": {"url": format!("data:image/png;base64,{png}")}},
            {"file": {"file_data": format!("data:application/pdf;base64,{pdf}")}},
            {"source": {"media_type": "image/png", "data": small}},
            {"input_audio": {"format": "wav", "data": KINDS[5].smallest}},
            {"text": "x".repeat(3000)},
        ]});
        assert_eq!(replaced, expected);
        assert_eq!(removed.types, ["image/png", "image/png", "application/pdf", "audio/wav"]);
    }

    #[test]
    fn bytes_go_before_what_they_are_said_to_be_and_the_unknown_is_taken_out_too() {
        let of = |data: &str, said: Option<&str>| placeholder(data, said).map(|(kind, text)| (kind, text.len()));
        assert_eq!(of(&large("/9j/"), Some("image/png")), Some(("image/jpeg".into(), KINDS[1].smallest.len())));
        assert_eq!(of(&large("AAAA"), Some("image/png")), Some(("image/png".into(), KINDS[0].smallest.len())));
        assert_eq!(of(&large("AAAA"), Some("image/heic")), Some(("image/heic".into(), UNKNOWN.len())));
    }

    #[test]
    fn state_of_thinking_is_no_media() {
        let body = json!({"signature": large("EqoBCkgIARAB"), "data": large("gAAAAA")}).to_string();
        assert_eq!(replace(&body, &mut Removed::default()), None);
    }
}
