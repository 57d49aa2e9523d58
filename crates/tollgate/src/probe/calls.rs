//! The calls, each for one ability. All are tiny: a few words in, a few words out.

use serde_json::{Map, Value, json};
use tollgate_dialect::Dialect;

use super::ask::Shown;

/// Enough for a word, and for the thoughts that some models cannot leave out.
const SMALL: u64 = 64;
/// Above the limits from which some servers insist on a stream.
const LARGE: u64 = 8192;
/// Above what any model gives: the refusal names the most.
const HUGE: u64 = 1_000_000;

/// A picture of one white point.
const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mP8/5+hHgAHggJ/PchI7wAAAABJRU5ErkJggg==";

pub struct Call {
    pub ability: &'static str,
    pub body: Map<String, Value>,
    /// Nothing but the beginning of the answer is waited for.
    pub begins_only: bool,
    /// What the answer shows about the ability, or why it shows nothing.
    pub shows: fn(&Shown) -> Result<String, String>,
}

/// How many there are for each deployment of this dialect.
pub fn count(dialect: Dialect) -> usize {
    calls(dialect).len()
}

pub fn calls(dialect: Dialect) -> Vec<Call> {
    match dialect {
        // Others are asked in chat's words, by translation.
        Dialect::Chat | Dialect::Responses | Dialect::Gemini | Dialect::Converse => chat(),
        Dialect::Messages => messages(),
    }
}

fn call(ability: &'static str, more: Value, shows: fn(&Shown) -> Result<String, String>) -> Call {
    let mut body = json!({
        "model": "probe", "max_tokens": SMALL, "messages": [{"role": "user", "content": "Answer with the word: ok"}],
    });
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    let body = match body {
        Value::Object(body) => body,
        _ => Map::new(),
    };
    Call { ability, body, begins_only: false, shows }
}

fn answered(shown: &Shown) -> Result<String, String> {
    let text: String = shown.text.trim().chars().take(40).collect();
    Ok(if text.is_empty() { "answered".into() } else { format!("answered {text:?}") })
}

fn counted(shown: &Shown) -> Result<String, String> {
    match shown.usage.output {
        Some(output) => Ok(format!("usage: {} in, {output} out", shown.usage.total_input())),
        None => Err("streamed, but no usage came; it is counted here".into()),
    }
}

fn called(shown: &Shown) -> Result<String, String> {
    if shown.tool { Ok("called the tool".into()) } else { Err("taken, but no tool was called".into()) }
}

fn thought(shown: &Shown) -> Result<String, String> {
    match shown.dropped.first() {
        Some(dropped) => Err(format!("not asked for: {dropped}, see `reasoning` in the configuration")),
        None if shown.thoughts => Ok("thoughts came".into()),
        None => Err("taken, but no thoughts came".into()),
    }
}

fn first_and_last(last: Value) -> Value {
    json!([
        {"role": "user", "content": "Answer with the word: ok"},
        {"role": "assistant", "content": "ok"},
        {"role": "user", "content": "Once more"},
        last,
    ])
}

fn chat() -> Vec<Call> {
    let tools = json!([{"type": "function", "function": {
        "name": "note", "description": "Notes a word", "parameters": {
            "type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"], "additionalProperties": false}}}]);
    let format = json!({"type": "json_schema", "json_schema": {"name": "answer", "strict": true, "schema": {
        "type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"], "additionalProperties": false}}});
    let picture = json!([{"role": "user", "content": [
        {"type": "text", "text": "Answer with the word: ok"},
        {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PICTURE}")}}]}]);
    let developer = json!([
        {"role": "developer", "content": "Be brief."}, {"role": "user", "content": "Answer with the word: ok"}]);
    let named = json!({"type": "function", "function": {"name": "note"}});
    vec![
        call("answer", json!({}), answered),
        call("stream with usage", json!({"stream": true, "stream_options": {"include_usage": true}}), counted),
        Call { begins_only: true, ..call("largest answer", json!({"max_tokens": HUGE, "stream": true}), answered) },
        call("large answer in one piece", json!({"max_tokens": LARGE}), answered),
        call("tools", json!({"tools": tools, "tool_choice": "auto"}), answered),
        call("forced tool", json!({"tools": tools, "tool_choice": named}), called),
        call(
            "prefill",
            json!({"messages": [
            {"role": "user", "content": "Answer with the word: ok"}, {"role": "assistant", "content": "The word is"}]}),
            answered,
        ),
        call(
            "later system message",
            json!({"messages": first_and_last(json!({"role": "system", "content": "Be brief."}))}),
            answered,
        ),
        call("developer role", json!({"messages": developer}), answered),
        call("thinking", json!({"reasoning_effort": "low"}), thought),
        call("images", json!({"messages": picture}), answered),
        call("answer by schema", json!({"response_format": format}), answered),
    ]
}

fn messages() -> Vec<Call> {
    let tools = json!([{"type": "custom", "name": "note", "description": "Notes a word", "input_schema": {
        "type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"], "additionalProperties": false},
        "cache_control": {"type": "ephemeral"}}]);
    let format = json!({"format": {"type": "json_schema", "schema": {
        "type": "object", "properties": {"word": {"type": "string"}}, "required": ["word"], "additionalProperties": false}}});
    let picture = json!([{"role": "user", "content": [
        {"type": "text", "text": "Answer with the word: ok"},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PICTURE}}]}]);
    vec![
        call("answer", json!({}), answered),
        call("stream with usage", json!({"stream": true}), counted),
        Call { begins_only: true, ..call("largest answer", json!({"max_tokens": HUGE, "stream": true}), answered) },
        call("large answer in one piece", json!({"max_tokens": LARGE}), answered),
        call("tools", json!({"tools": tools, "tool_choice": {"type": "auto"}}), answered),
        call("forced tool", json!({"tools": tools, "tool_choice": {"type": "any"}}), called),
        call(
            "prefill",
            json!({"messages": [
            {"role": "user", "content": "Answer with the word: ok"}, {"role": "assistant", "content": "The word is"}]}),
            answered,
        ),
        call(
            "later system message",
            json!({"messages": first_and_last(json!({"role": "system", "content": "Be brief."}))}),
            answered,
        ),
        call(
            "thinking",
            json!({"max_tokens": 2048, "thinking": {"type": "adaptive"}, "output_config": {"effort": "low"}}),
            thought,
        ),
        call(
            "thinking on a budget",
            json!({"max_tokens": 2048, "thinking": {"type": "enabled", "budget_tokens": 1024}}),
            thought,
        ),
        call("images", json!({"messages": picture}), answered),
        call("answer by schema", json!({"output_config": format}), answered),
    ]
}
