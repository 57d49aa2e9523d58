//! The request bodies: the same bytes in every run.

mod novel;

pub use novel::Novel;
use serde_json::{Value, json};

/// About this many bytes of English-like text.
fn text(bytes: usize) -> String {
    const WORDS: [&str; 12] = [
        "handler",
        "reads",
        "a",
        "request",
        "body,",
        "checks",
        "the",
        "limits.\n",
        "retry",
        "buffer",
        "\"token\"",
        "usage",
    ];
    let mut out = String::with_capacity(bytes + 10);
    let mut state = bytes;
    while out.len() < bytes {
        state = state.wrapping_mul(1_103_515_245).wrapping_add(12_345) & 0x7fff_ffff;
        out += WORDS[(state >> 8) % WORDS.len()];
        out.push(' ');
    }
    out
}

pub fn small_chat() -> String {
    json!({"model": "mock", "temperature": 0.7, "max_tokens": 512, "messages":
        [{"role": "system", "content": text(420)}, {"role": "user", "content": text(420)}]})
    .to_string()
}

fn messages() -> Value {
    json!({"model": "mock", "temperature": 0.7, "max_tokens": 512, "system": text(420),
        "messages": [{"role": "user", "content": text(420)}]})
}

pub fn small_messages() -> String {
    messages().to_string()
}

pub fn stream_messages() -> String {
    let mut body = messages();
    body["stream"] = json!(true);
    body.to_string()
}

/// A coding agent's request of about 120 KB: 20 KB of system text, 40 tools, 14 calls with their results.
pub fn large_messages() -> String {
    let field = |kind: &str| json!({"type": kind, "description": text(80)});
    let tool = |i: usize| {
        let inner = json!({"type": "object", "properties": {"name": field("string"), "count": field("integer")}, "required": ["name"]});
        json!({"name": format!("mcp__server{}__tool_{i}", i % 5), "description": text(300), "input_schema": {"type": "object",
            "properties": {"file_path": field("string"), "options": inner, "all": {"type": "array", "items": {"type": "string"}}},
            "required": ["file_path"], "additionalProperties": false}})
    };
    let mut conversation = vec![json!({"role": "user", "content": [{"type": "text", "text": text(4000)}]})];
    for i in 0..14 {
        let id = format!("toolu_{i:022}");
        conversation.push(json!({"role": "assistant", "content": [{"type": "text", "text": text(120)},
            {"type": "tool_use", "id": id, "name": "mcp__server0__tool_0", "input": {"file_path": format!("/srv/app/src/mod_{i}.rs")}}]}));
        conversation.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": id,
            "content": [{"type": "text", "text": text(3400)}]}]}));
    }
    json!({"model": "mock", "max_tokens": 32000, "tools": (0..40).map(tool).collect::<Vec<_>>(), "system":
        [{"type": "text", "text": "You are a coding agent."}, {"type": "text", "text": text(20_000), "cache_control": {"type": "ephemeral"}}],
        "messages": conversation})
    .to_string()
}

pub fn count_tokens(text: &str) -> String {
    json!({"model": "mock", "messages": [{"role": "user", "content": text}]}).to_string()
}

#[cfg(test)]
mod tests;
