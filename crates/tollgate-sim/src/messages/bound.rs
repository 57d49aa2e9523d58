//! Thoughts that are bound to what came before them (platform.claude.com, preserved thinking, 2026-09): a signature holds for the
//! system prompt, the tools and all earlier messages, and for no other conversation.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::{Value, json};

use super::{Strictness, invalid};
use crate::refusal::Check;
use crate::script::{Answer, Part};

/// The answer with signatures for this very conversation, where the model makes such.
pub(crate) fn signed(body: &Value, answer: Answer, s: &Strictness) -> Answer {
    if !s.binds_thoughts {
        return answer;
    }
    let bind = |part| match part {
        Part::Thinking(text) => {
            let signature = signature(&text, body, messages(body));
            Part::Block(json!({"type": "thinking", "thinking": text, "signature": signature}))
        }
        part => part,
    };
    Answer { parts: answer.parts.into_iter().map(bind).collect(), ..answer }
}

pub(super) fn check(body: &Value, s: &Strictness) -> Check {
    let messages = if s.binds_thoughts { messages(body) } else { &[] };
    for (i, message) in messages.iter().enumerate() {
        let blocks = message["content"].as_array().map_or(&[][..], Vec::as_slice);
        for (j, block) in blocks.iter().enumerate().filter(|(_, block)| block["type"] == "thinking") {
            let text = block["thinking"].as_str().unwrap_or_default();
            if block["signature"] != signature(text, body, &messages[..i]) {
                return Err(invalid(format!(
                    "messages.{i}.content.{j}: Invalid `signature` in `thinking` block. The block is bound to a different conversation. Remove the block, or set `thinking.block_binding.prefix_mismatch_behavior` to \"drop_block\"."
                )));
            }
        }
    }
    Ok(())
}

fn messages(body: &Value) -> &[Value] {
    body["messages"].as_array().map_or(&[], Vec::as_slice)
}

fn signature(text: &str, body: &Value, before: &[Value]) -> String {
    let mut hasher = DefaultHasher::new();
    text.hash(&mut hasher);
    for part in [&body["system"], &body["tools"]].into_iter().chain(before) {
        without_marks(part).to_string().hash(&mut hasher);
    }
    format!("EqQBbound{:016x}==", hasher.finish())
}

/// Marks move along with a conversation.
fn without_marks(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let kept = fields.iter().filter(|(key, _)| *key != "cache_control");
            Value::Object(kept.map(|(key, value)| (key.clone(), without_marks(value))).collect())
        }
        Value::Array(values) => values.iter().map(without_marks).collect(),
        value => value.clone(),
    }
}
