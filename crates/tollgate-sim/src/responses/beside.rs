//! What stands beside `POST /responses`: the count of a request's tokens, and the compaction of a conversation. Fields and answers:
//! `openai/types/responses` of SDK 3.52.0 (`input_token_count_params.py`, `response_compact_params.py`, `compacted_response.py`; 2026-11).

use serde_json::{Value, json};

use super::validate::{check_tools, missing, object, wrong_type};
use super::{answer, items};
use crate::prompt::PromptCache;
use crate::refusal::{Check, Refusal};
use crate::script::Answer;

#[derive(Clone, Copy)]
pub(crate) enum Beside {
    InputTokens,
    Compact,
}

const COUNTED: &[&str] = &[
    "model",
    "input",
    "instructions",
    "conversation",
    "parallel_tool_calls",
    "personality",
    "previous_response_id",
    "reasoning",
    "text",
    "tool_choice",
    "tools",
    "truncation",
];

const COMPACTED: &[&str] = &[
    "model",
    "input",
    "instructions",
    "image",
    "previous_response_id",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "service_tier",
];

impl Beside {
    pub fn at(path: &str) -> Option<Beside> {
        let found = [("/responses/input_tokens", Beside::InputTokens), ("/responses/compact", Beside::Compact)];
        found.into_iter().find(|(end, _)| path.ends_with(end)).map(|(_, beside)| beside)
    }

    pub fn check(self, body: &Value) -> Check {
        let fields = object(body, if matches!(self, Beside::Compact) { COMPACTED } else { COUNTED }, "")?;
        if !fields.get("model").is_some_and(Value::is_string) {
            return Err(missing("model"));
        }
        if fields.get("instructions").is_some_and(|v| !v.is_string() && !v.is_null()) {
            return Err(wrong_type("instructions", "a string"));
        }
        if let Some(id) = fields.get("previous_response_id").filter(|id| !id.is_null()) {
            let message = format!("Previous response with id {id} not found.");
            let param = Some("previous_response_id");
            return Err(Refusal::chat(400, message, param, Some("previous_response_not_found")));
        }
        check_tools(&body["tools"])?;
        match &body["input"] {
            Value::Null if matches!(self, Beside::InputTokens) => Ok(()),
            input => items::check(input),
        }
    }

    /// The user's messages and, in place of all others, what only this provider can read.
    pub fn answer(self, body: &Value, answer: &Answer, prompts: &PromptCache) -> Value {
        match self {
            Beside::InputTokens => {
                let prompt = format!("{}{}{}", body["tools"], body["instructions"], body["input"]);
                json!({"object": "response.input_tokens", "input_tokens": (prompt.len() as u64 / 4).max(1)})
            }
            Beside::Compact => {
                let of_user = body["input"].as_array().into_iter().flatten().filter(|item| item["role"] == "user");
                let kept = of_user.enumerate().map(|(n, item)| {
                    let content = match &item["content"] {
                        Value::String(text) => json!([{"type": "input_text", "text": text}]),
                        parts => parts.clone(),
                    };
                    json!({"id": format!("msg_sim{n}"), "type": "message", "status": "completed", "role": "user", "content": content})
                });
                let compaction =
                    json!({"id": "cmp_sim0", "type": "compaction", "encrypted_content": super::encrypted("compacted")});
                let output: Vec<Value> = kept.chain([compaction]).collect();
                let usage = answer::usage(body, answer, prompts).unwrap_or_default();
                json!({"id": answer::response_id(body), "object": "response.compaction", "created_at": answer::CREATED,
                    "output": output, "usage": usage})
            }
        }
    }
}
