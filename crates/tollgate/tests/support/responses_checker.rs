//! Reads a Responses stream as a strict client does: every number in its order, every item added, filled, told whole and done.

use serde_json::{Value, json};

/// What a stream said.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// Items as their `output_item.done` tells them.
    pub items: Vec<Value>,
    /// The response of the last event.
    pub response: Value,
    /// The type of the last event.
    pub last: String,
    pub pings: usize,
}

impl Seen {
    /// The stream ended as an answer.
    #[track_caller]
    pub fn complete(&self) -> &Self {
        assert_eq!(self.last, "response.completed", "{self:?}");
        assert_eq!(self.response["status"], "completed");
        assert_eq!(self.response["output"], json!(self.items), "the last event holds the whole answer");
        self
    }

    /// The error of a stream that failed.
    #[track_caller]
    pub fn failed(&self) -> &Value {
        assert_eq!(self.last, "response.failed", "{self:?}");
        assert_eq!(self.response["status"], "failed");
        &self.response["error"]
    }
}

/// The item that is being filled.
struct Filling {
    added: Value,
    told: String,
    done: Option<String>,
}

/// A stream that the gateway wrote.
#[track_caller]
pub fn stream(body: &[u8]) -> Seen {
    read(body, true)
}

/// A stream of an upstream's own bytes, which may end with an error of the gateway's: that one is numbered anew.
#[track_caller]
pub fn passed_on(body: &[u8]) -> Seen {
    read(body, false)
}

#[track_caller]
fn read(body: &[u8], ours: bool) -> Seen {
    let all = std::str::from_utf8(body).expect("UTF-8");
    let mut seen = Seen::default();
    let mut open: Option<Filling> = None;
    let mut number = 0;
    let frames = all.strip_suffix("\n\n").unwrap_or_else(|| panic!("no blank line at the end of {all:?}"));
    for frame in frames.split("\n\n") {
        if frame.starts_with(':') {
            seen.pings += 1;
            continue;
        }
        let ended = ["response.completed", "response.incomplete", "response.failed"].contains(&seen.last.as_str());
        assert!(!ended, "something after the end: {frame}");
        let (event, data) = frame.split_once("\ndata: ").unwrap_or_else(|| panic!("not two lines: {frame:?}"));
        let data: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data:?}"));
        assert_eq!(event.strip_prefix("event: "), data["type"].as_str(), "{frame}");
        let failed = data["type"] == "response.failed";
        assert!(data["sequence_number"] == number || (failed && !ours), "{frame}");
        number += 1;
        seen.last = data["type"].as_str().unwrap_or_default().to_owned();
        step(&mut seen, &mut open, &data);
    }
    seen
}

fn step(seen: &mut Seen, open: &mut Option<Filling>, data: &Value) {
    let kind = data["type"].as_str().unwrap_or_default();
    let text = |key: &str| data[key].as_str().unwrap_or_else(|| panic!("no {key} in {data}")).to_owned();
    match kind {
        "response.created" | "response.in_progress" => {
            assert_eq!(data["response"]["status"], "in_progress", "{data}");
        }
        "response.output_item.added" => {
            assert!(open.is_none(), "items interleave: {data}");
            assert_eq!(data["output_index"], seen.items.len(), "{data}");
            *open = Some(Filling { added: data["item"].clone(), told: String::new(), done: None });
        }
        "response.output_item.done" => {
            let filled = open.take().unwrap_or_else(|| panic!("no open item: {data}"));
            let item = &data["item"];
            assert_eq!((&item["id"], &item["type"]), (&filled.added["id"], &filled.added["type"]), "{data}");
            let whole = ["arguments", "input"].into_iter().find_map(|key| item[key].as_str());
            let whole = whole.map(str::to_owned).unwrap_or_else(|| joined(item));
            if !filled.told.is_empty() {
                assert_eq!(filled.told, whole, "{data}");
                assert_eq!(filled.done.as_deref(), Some(whole.as_str()), "{data}");
            }
            seen.items.push(item.clone());
        }
        "response.completed" | "response.incomplete" | "response.failed" => {
            assert!(kind == "response.failed" || open.is_none(), "an item is open at the end: {data}");
            seen.response = data["response"].clone();
        }
        _ => {
            let open = open.as_mut().unwrap_or_else(|| panic!("no open item: {data}"));
            assert_eq!(data["item_id"], open.added["id"], "{data}");
            assert_eq!(data["output_index"], seen.items.len(), "{data}");
            if kind.ends_with(".delta") {
                open.told.push_str(&text("delta"));
            } else if kind.ends_with("_arguments.done") {
                open.done = Some(text("arguments"));
            } else if kind.ends_with("_input.done") {
                open.done = Some(text("input"));
            } else if kind.ends_with("_text.done") {
                open.done.get_or_insert_default().push_str(&text("text"));
            } else if kind.ends_with("refusal.done") {
                open.done.get_or_insert_default().push_str(&text("refusal"));
            } else {
                assert!(kind.contains("_part."), "an unknown event: {data}");
            }
        }
    }
}

/// The texts of a message, refusals too, or of a summary.
fn joined(item: &Value) -> String {
    let parts = item["content"].as_array().or(item["summary"].as_array());
    parts.into_iter().flatten().filter_map(|part| part["text"].as_str().or(part["refusal"].as_str())).collect()
}
