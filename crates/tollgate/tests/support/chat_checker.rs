//! A strict reader of chat completion streams that the gateway writes itself, and a lenient one for those it only passes on.

use serde_json::Value;

#[derive(Clone, Debug, Default, PartialEq)]
pub struct Seen {
    pub text: String,
    pub reasoning: String,
    pub refusal: String,
    /// Id, name and arguments.
    pub calls: Vec<(String, String, String)>,
    pub finish: Option<String>,
    pub usage: Option<Value>,
    pub error: Option<Value>,
    /// `[DONE]` was seen.
    pub done: bool,
}

impl Seen {
    pub fn failed(&self) -> &Value {
        assert!(!self.done, "a failed answer looks complete: {self:?}");
        self.error.as_ref().unwrap_or_else(|| panic!("no error: {self:?}"))
    }
}

/// A stream of the model `m` that our own encoder wrote.
pub fn strict(body: &[u8]) -> Seen {
    strict_of("m", body)
}

pub fn strict_of(model: &str, body: &[u8]) -> Seen {
    let all = std::str::from_utf8(body).expect("UTF-8");
    let frames = all.strip_suffix("\n\n").unwrap_or_else(|| panic!("no blank line at the end of {all:?}"));
    let mut seen = Seen::default();
    let mut id = None;
    for frame in frames.split("\n\n").filter(|frame| !frame.starts_with(':')) {
        assert!(!seen.done && seen.error.is_none(), "something after the end: {frame:?}");
        assert!(!frame.contains('\n'), "more than one line: {frame:?}");
        let data = frame.strip_prefix("data: ").unwrap_or_else(|| panic!("no data line: {frame:?}"));
        if data == "[DONE]" {
            assert!(seen.finish.is_some(), "[DONE] without a finish reason: {all}");
            seen.done = true;
            continue;
        }
        let chunk: Value = serde_json::from_str(data).unwrap_or_else(|error| panic!("{error}: {data:?}"));
        if chunk.get("error").is_some() {
            seen.error = Some(chunk["error"].clone());
            continue;
        }
        assert_eq!(chunk["object"], "chat.completion.chunk", "{chunk}");
        assert_eq!(chunk["model"], model, "{chunk}");
        assert!(chunk["id"].is_string() && chunk["created"].is_u64(), "{chunk}");
        let first = id.is_none();
        assert_eq!(*id.get_or_insert_with(|| chunk["id"].clone()), chunk["id"], "one answer has one id");
        if chunk["usage"].is_object() {
            seen.usage = Some(chunk["usage"].clone());
        }
        let choices = chunk["choices"].as_array().unwrap_or_else(|| panic!("no choices: {chunk}"));
        let Some(choice) = choices.first() else { continue };
        assert!(seen.finish.is_none(), "more after the finish reason: {chunk}");
        assert_eq!(choice["delta"]["role"] == "assistant", first, "the role comes in the first chunk: {chunk}");
        strict_calls(&seen, &choice["delta"]);
        add(&mut seen, choice);
    }
    seen
}

/// A call begins with id, type and name; what follows is arguments of the call that began last.
fn strict_calls(seen: &Seen, delta: &Value) {
    for call in delta["tool_calls"].as_array().into_iter().flatten() {
        let index = call["index"].as_u64().unwrap_or_else(|| panic!("no index: {call}"));
        assert!(call["function"]["arguments"].is_string(), "{call}");
        if index == seen.calls.len() as u64 {
            assert!(call["id"].as_str().is_some_and(|id| !id.is_empty()), "{call}");
            assert!(call["function"]["name"].as_str().is_some_and(|name| !name.is_empty()), "{call}");
            assert_eq!(call["type"], "function", "{call}");
        } else {
            assert_eq!(index + 1, seen.calls.len() as u64, "calls interleave: {call}");
            assert!(call.get("id").is_none() && call["function"].get("name").is_none(), "{call}");
        }
    }
}

/// A stream of the upstream's own frames, read as clients do who are used to much.
pub fn lenient(body: &[u8]) -> Seen {
    let all = String::from_utf8(body.to_vec()).expect("UTF-8").replace("\r\n", "\n");
    let mut seen = Seen::default();
    for frame in all.split("\n\n") {
        let lines = frame.lines().filter_map(|line| line.strip_prefix("data:"));
        let data = lines.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n");
        if data == "[DONE]" {
            seen.done = true;
            continue;
        }
        let Ok(chunk) = serde_json::from_str::<Value>(&data) else { continue };
        assert!(!seen.done && seen.error.is_none(), "something after the end: {chunk}");
        if chunk["error"].is_object() {
            seen.error = Some(chunk["error"].clone());
        }
        if let Some(choice) = chunk["choices"].get(0) {
            add(&mut seen, choice);
        }
    }
    seen
}

fn add(seen: &mut Seen, choice: &Value) {
    let delta = if choice["delta"].is_object() { &choice["delta"] } else { &choice["message"] };
    for part in delta["content"].as_array().into_iter().flatten() {
        seen.text.push_str(part["text"].as_str().unwrap_or_default());
    }
    for (to, field) in
        [(&mut seen.text, "content"), (&mut seen.reasoning, "reasoning_content"), (&mut seen.refusal, "refusal")]
    {
        to.push_str(delta[field].as_str().unwrap_or_default());
    }
    for call in delta["tool_calls"].as_array().into_iter().flatten() {
        let part = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let new = call["index"].as_u64().is_none_or(|index| index == seen.calls.len() as u64);
        if new {
            seen.calls.push((part(&call["id"]), part(&call["function"]["name"]), String::new()));
        }
        if let Some(last) = seen.calls.last_mut() {
            last.2.push_str(&part(&call["function"]["arguments"]));
        }
    }
    if let Some(reason) = choice["finish_reason"].as_str().filter(|reason| !reason.is_empty()) {
        seen.finish = Some(reason.to_owned());
    }
}
