//! A strict reader of Anthropic streams. It panics at whatever a strict client may refuse.
//!
//! Rules: the Messages streaming page of platform.claude.com, and what Claude Code 2.1.329 was seen to need.

use serde_json::{Value, json};

#[derive(Clone, Debug, PartialEq)]
pub enum Block {
    Text(String),
    /// Its signature is checked to be there, and not kept.
    Thinking(String),
    Tool {
        id: String,
        name: String,
        input: String,
    },
}

pub fn text(text: &str) -> Block {
    Block::Text(text.to_owned())
}

pub fn thinking(text: &str) -> Block {
    Block::Thinking(text.to_owned())
}

pub fn tool(id: &str, name: &str, input: &Value) -> Block {
    Block::Tool { id: id.to_owned(), name: name.to_owned(), input: input.to_string() }
}

/// What an answer said.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    pub blocks: Vec<Block>,
    pub stop_reason: Option<String>,
    pub stop_sequence: Option<String>,
    pub start_usage: Value,
    pub usage: Value,
    /// The `error` object of an error event.
    pub error: Option<Value>,
    /// `message_stop` was seen.
    pub complete: bool,
    pub started: bool,
    pub pings: usize,
}

impl Seen {
    pub fn whole(&self) -> &Self {
        assert!(self.complete, "the answer is not complete: {self:?}");
        self
    }

    pub fn failed(&self) -> &Value {
        assert!(!self.complete, "a failed answer looks complete: {self:?}");
        self.error.as_ref().unwrap_or_else(|| panic!("no error event: {self:?}"))
    }
}

/// A block that is being filled.
struct Filling {
    block: Block,
    signed: bool,
    fed: bool,
}

/// A stream of the model `m`.
pub fn stream(body: &[u8]) -> Seen {
    stream_of("m", body)
}

pub fn stream_of(model: &str, body: &[u8]) -> Seen {
    let all = std::str::from_utf8(body).expect("UTF-8");
    let mut seen = Seen::default();
    let mut open: Option<Filling> = None;
    let frames = all.strip_suffix("\n\n").unwrap_or_else(|| panic!("no blank line at the end of {all:?}"));
    for frame in frames.split("\n\n") {
        assert!(!seen.complete && seen.error.is_none(), "something after the end: {frame:?} in {all}");
        let (event, data) = frame.split_once('\n').unwrap_or_else(|| panic!("not two lines: {frame:?}"));
        let event = event.strip_prefix("event: ").unwrap_or_else(|| panic!("no event line: {frame:?}"));
        let data = data.strip_prefix("data: ").unwrap_or_else(|| panic!("no data line: {frame:?}"));
        let data: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data:?}"));
        assert_eq!(data["type"], event, "{frame:?}");
        if event == "message_start" {
            assert_eq!(data["message"]["model"], model, "{frame:?}");
        }
        step(&mut seen, &mut open, event, &data);
    }
    if seen.complete {
        assert!(open.is_none());
    }
    seen
}

fn step(seen: &mut Seen, open: &mut Option<Filling>, event: &str, data: &Value) {
    match event {
        "ping" => {
            seen.pings += 1;
            return;
        }
        "error" => {
            assert!(data["error"]["type"].is_string() && data["error"]["message"].is_string(), "{data}");
            assert!(data["request_id"].is_string(), "{data}");
            seen.error = Some(data["error"].clone());
            return;
        }
        "message_start" => {
            assert!(!seen.started, "a second message_start");
            seen.started = true;
            start(&data["message"]);
            seen.start_usage = data["message"]["usage"].clone();
            return;
        }
        _ => assert!(seen.started, "{event} before message_start"),
    }
    assert!(seen.stop_reason.is_none() || event == "message_stop", "{event} after message_delta");
    match event {
        "content_block_start" => {
            assert!(open.is_none(), "blocks interleave: {data}");
            assert_eq!(data["index"], seen.blocks.len(), "{data}");
            *open = Some(begin(&data["content_block"]));
        }
        "content_block_delta" => {
            assert_eq!(data["index"], seen.blocks.len(), "{data}");
            feed(open.as_mut().unwrap_or_else(|| panic!("no open block: {data}")), &data["delta"]);
        }
        "content_block_stop" => {
            assert_eq!(data["index"], seen.blocks.len(), "{data}");
            let done = open.take().unwrap_or_else(|| panic!("no open block: {data}"));
            assert!(done.fed, "an empty block: {:?}", done.block);
            assert!(done.signed || !matches!(done.block, Block::Thinking(_)), "thinking without a signature");
            seen.blocks.push(done.block);
        }
        "message_delta" => {
            assert!(open.is_none(), "message_delta inside a block");
            seen.stop_reason = Some(string(&data["delta"]["stop_reason"]));
            seen.stop_sequence = data["delta"]["stop_sequence"].as_str().map(str::to_owned);
            counts(&data["usage"]);
            seen.usage = data["usage"].clone();
        }
        "message_stop" => {
            assert!(seen.stop_reason.is_some(), "message_stop without message_delta");
            seen.complete = true;
        }
        other => panic!("an unknown event: {other}"),
    }
}

fn start(message: &Value) {
    assert!(string(&message["id"]).starts_with("msg_"), "{message}");
    assert_eq!((&message["type"], &message["role"]), (&json!("message"), &json!("assistant")));
    assert_eq!(message["content"], json!([]));
    assert_eq!((&message["stop_reason"], &message["stop_sequence"]), (&Value::Null, &Value::Null));
    counts(&message["usage"]);
    assert!(message["usage"]["input_tokens"].as_u64() > Some(0), "{message}");
}

/// The four counts that clients add up: integers, whatever the upstream said.
pub fn counts(usage: &Value) {
    for field in ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"] {
        assert!(usage[field].is_u64(), "{field} in {usage}");
    }
}

fn begin(block: &Value) -> Filling {
    let block = match string(&block["type"]).as_str() {
        "text" => {
            assert_eq!(block["text"], "");
            Block::Text(String::new())
        }
        "thinking" => {
            assert_eq!(block["thinking"], "");
            Block::Thinking(String::new())
        }
        "tool_use" => {
            assert_eq!(block["input"], json!({}), "input comes by input_json_delta only");
            let (id, name) = (string(&block["id"]), string(&block["name"]));
            assert!(!id.is_empty() && !name.is_empty(), "{block}");
            Block::Tool { id, name, input: String::new() }
        }
        other => panic!("an unknown block: {other}"),
    };
    Filling { block, signed: false, fed: false }
}

fn feed(open: &mut Filling, delta: &Value) {
    assert!(!open.signed, "thinking goes on after its signature");
    let kind = string(&delta["type"]);
    let (to, more) = match (&mut open.block, kind.as_str()) {
        (Block::Text(text), "text_delta") => (text, &delta["text"]),
        (Block::Thinking(text), "thinking_delta") => (text, &delta["thinking"]),
        (Block::Tool { input, .. }, "input_json_delta") => (input, &delta["partial_json"]),
        (Block::Thinking(_), "signature_delta") => {
            assert!(!string(&delta["signature"]).is_empty());
            (open.signed, open.fed) = (true, true);
            return;
        }
        (block, kind) => panic!("{kind} inside {block:?}"),
    };
    let more = string(more);
    open.fed |= !more.is_empty();
    to.push_str(&more);
}

fn string(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("a string is due, not {value}")).to_owned()
}

/// A message of the model `m` in one piece, read as strictly.
pub fn message(body: &Value) -> Seen {
    message_of("m", body)
}

pub fn message_of(model: &str, body: &Value) -> Seen {
    assert_eq!(
        (&body["type"], &body["role"], &body["model"]),
        (&json!("message"), &json!("assistant"), &json!(model)),
        "{body}"
    );
    assert!(string(&body["id"]).starts_with("msg_"), "{body}");
    counts(&body["usage"]);
    let blocks = body["content"].as_array().unwrap_or_else(|| panic!("{body}")).iter().map(|block| {
        match string(&block["type"]).as_str() {
            "text" => Block::Text(string(&block["text"])),
            "thinking" => {
                assert!(!string(&block["signature"]).is_empty(), "{block}");
                Block::Thinking(string(&block["thinking"]))
            }
            "tool_use" => {
                assert!(block["input"].is_object(), "{block}");
                tool(&string(&block["id"]), &string(&block["name"]), &block["input"])
            }
            other => panic!("an unknown block: {other}"),
        }
    });
    Seen {
        blocks: blocks.collect(),
        stop_reason: Some(string(&body["stop_reason"])),
        stop_sequence: body["stop_sequence"].as_str().map(str::to_owned),
        start_usage: body["usage"].clone(),
        usage: body["usage"].clone(),
        complete: true,
        started: true,
        ..Seen::default()
    }
}
