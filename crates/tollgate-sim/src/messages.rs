//! An Anthropic provider (Messages API, state of 2026-11-21; words of refusals from platform.claude.com and from answers
//! of the API as quoted by its clients).

mod answer;
mod blocks;
mod bound;
mod conversation;
mod validate;

use std::hash::{DefaultHasher, Hash, Hasher};

pub(crate) use answer::{frames, tokens, whole};
pub(crate) use bound::signed;
pub(crate) use validate::{check, check_headers};

use serde_json::{Value, json};

use crate::refusal::{Check, Refusal};

/// What this server refuses beyond what Anthropic always refuses. The default is a Claude 5 model that takes both
/// kinds of thinking.
#[derive(Debug, Clone)]
pub struct Strictness {
    /// The accepted values of `thinking.type`.
    pub thinking_types: Vec<String>,
    /// Thinking blocks must carry a signature issued by [`signature`].
    pub checks_signatures: bool,
    /// Models of 5.1 and 5.5: a signature holds only for the conversation that its thoughts were had in.
    pub binds_thoughts: bool,
    /// Claude 4.6 and later: no assistant message at the end.
    pub refuses_prefill: bool,
    /// Models after Opus 4.6: no `temperature`, `top_p`, `top_k`.
    pub refuses_sampling: bool,
    /// Opus, Sonnet and Fable from 5.1 or 5.5: no forced tool choice.
    pub refuses_forced_tool: bool,
    /// Models before Opus 4.8: no `system` role among the messages.
    pub refuses_system_messages: bool,
    pub max_tokens_cap: u64,
    /// Tokens of the prompt.
    pub context_window: Option<u64>,
    /// Values of `anthropic-beta` taken beside the documented ones.
    pub betas: Vec<String>,
    /// Nothing is validated.
    pub off: bool,
}

impl Default for Strictness {
    fn default() -> Self {
        Self {
            thinking_types: ["adaptive", "enabled", "disabled", "between_tools"].map(str::to_owned).into(),
            checks_signatures: true,
            binds_thoughts: false,
            refuses_prefill: false,
            refuses_sampling: false,
            refuses_forced_tool: false,
            refuses_system_messages: false,
            max_tokens_cap: 128_000,
            context_window: None,
            betas: Vec::new(),
            off: false,
        }
    }
}

/// The signature that this provider puts on a thinking text, and asks back with it.
pub fn signature(thinking: &str) -> String {
    let mut hasher = DefaultHasher::new();
    "tollgate-sim".hash(&mut hasher);
    thinking.hash(&mut hasher);
    format!("EqQBsim{:016x}==", hasher.finish())
}

fn invalid(message: impl Into<String>) -> Refusal {
    Refusal::messages(400, "invalid_request_error", message)
}

pub(crate) fn parse(bytes: &[u8]) -> Check<Value> {
    const LARGEST: usize = 32 * 1024 * 1024;
    if bytes.len() > LARGEST {
        let message = "Request exceeds the maximum allowed number of bytes.";
        return Err(Refusal::messages(413, "request_too_large", message));
    }
    match serde_json::from_slice(bytes) {
        Ok(body @ Value::Object(_)) => Ok(body),
        Ok(_) => Err(invalid("Input should be a valid dictionary")),
        Err(error) => Err(invalid(format!("The request body is not valid JSON: {error}"))),
    }
}

pub(crate) fn models(ids: &[String]) -> Value {
    let model =
        |id: &String| json!({"id": id, "type": "model", "display_name": id, "created_at": "2026-01-01T00:00:00Z"});
    json!({"data": ids.iter().map(model).collect::<Vec<_>>(), "first_id": ids.first(), "last_id": ids.last(), "has_more": false})
}
