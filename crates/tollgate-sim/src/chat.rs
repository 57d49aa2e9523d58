//! An OpenAI-compatible chat provider. Words of refusals: OpenAI's API and SDK 3.52.0, and the compatible vendors named
//! at each flag (2026-11-21).

mod answer;
mod conversation;
mod validate;

pub(crate) use answer::{frames, whole};
pub(crate) use validate::check;

use http::HeaderMap;
use serde_json::{Value, json};

use crate::refusal::{Check, Refusal};

/// What this server refuses beyond what every strict server refuses. The default is the strict form of OpenAI.
#[derive(Debug, Clone, Default)]
pub struct Strictness {
    pub words: Words,
    /// Field names taken although OpenAI has none such, at the top level or in messages, parts and tools
    /// (`thinking`, `reasoning_content`, `cache_control`, …).
    pub accepts: Vec<String>,
    /// Top-level fields refused as unsupported by the model.
    pub refuses: Vec<String>,
    /// Fireworks and kin: a larger `max_tokens` needs `stream: true`.
    pub stream_only_above: Option<u64>,
    pub max_tokens_cap: Option<u64>,
    /// OpenAI's reasoning models: `max_tokens` is an unsupported parameter.
    pub requires_max_completion_tokens: bool,
    /// Contents must be strings (text models of DeepSeek, Moonshot, SambaNova).
    pub text_only: bool,
    /// The content of tool messages must be a string (DeepInfra).
    pub tool_text_only: bool,
    /// DeepSeek's thinking mode: assistant messages with tool calls need `reasoning_content`.
    pub requires_reasoning_content: bool,
    /// Mistral: tool call ids are nine letters or digits.
    pub nine_char_ids: bool,
    /// Two messages of one role in a row are refused (Perplexity, templates of local servers).
    pub alternating: bool,
    /// System messages only at the start (templates of local servers).
    pub leading_system_only: bool,
    /// Tool messages must not be empty.
    pub refuses_empty_tool_content: bool,
    /// Moonshot: no forced tool choice while thinking.
    pub refuses_forced_tool: bool,
    /// Tokens of prompt and answer together.
    pub context_window: Option<u64>,
    /// Nothing is validated.
    pub off: bool,
}

/// How an unknown field and the stream-only rule are worded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Words {
    #[default]
    OpenAi,
    /// Fireworks and other servers built on pydantic.
    Pydantic,
}

impl Strictness {
    /// Accepts these extra field names too.
    #[must_use]
    pub fn accepting(mut self, names: &[&str]) -> Self {
        self.accepts.extend(names.iter().map(|name| (*name).to_owned()));
        self
    }

    /// Refuses these top-level fields.
    #[must_use]
    pub fn refusing(mut self, names: &[&str]) -> Self {
        self.refuses.extend(names.iter().map(|name| (*name).to_owned()));
        self
    }
}

pub(crate) fn parse(bytes: &[u8]) -> Check<Value> {
    match serde_json::from_slice(bytes) {
        Ok(body @ Value::Object(_)) => Ok(body),
        _ => Err(Refusal::chat(400, "We could not parse the JSON body of your request.", None, None)),
    }
}

pub(crate) fn check_key(headers: &HeaderMap, key: Option<&str>) -> Check {
    let Some(key) = key else { return Ok(()) };
    let sent = headers.get("authorization").and_then(|value| value.to_str().ok());
    let message = match sent.and_then(|value| value.strip_prefix("Bearer ")) {
        Some(sent) if sent == key => return Ok(()),
        Some(_) => "Incorrect API key provided.",
        None => {
            "You didn't provide an API key. You need to provide your API key in an Authorization header using Bearer auth."
        }
    };
    Err(Refusal::chat(401, message, None, Some("invalid_api_key")))
}

pub(crate) fn models(ids: &[String]) -> Value {
    let model = |id: &String| json!({"id": id, "object": "model", "created": 1_700_000_000, "owned_by": "sim"});
    json!({"object": "list", "data": ids.iter().map(model).collect::<Vec<_>>()})
}
