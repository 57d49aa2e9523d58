//! From a recognised rejection to what it teaches about the deployment.
//!
//! Vendors say the same few things in many words. [`recognise`] is the one place that reads those words; what it finds is a
//! [`Fact`] that changes how the next body is written. A request is repaired at most once per fact, and the fact is remembered.

use serde::{Deserialize, Serialize};
use tollgate_dialect::error::{ErrorKind, UpstreamError};
use tollgate_dialect::quirks::{Quirks, ReasoningField, Replay, StreamUsage, TokenField, ToolChoiceForms};

/// Something learned about a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// The name of the field that limits the answer.
    TokenField(TokenField),
    /// At most this many output tokens.
    MaxOutputTokens(u64),
    /// More output tokens than this only as a stream.
    NonstreamMaxTokens(u64),
    /// Only streams.
    StreamOnly,
    /// `stream_options` is refused.
    NoUsageOption,
    /// `tool_choice` may only be `auto` or `none`.
    NoForcedTool,
    /// Assistant messages must carry the reasoning that led to them, or something in its place.
    WantsReasoning,
    /// Reasoning inside messages is refused.
    NoReasoning,
    /// A parameter is refused.
    Refuses(String),
}

impl Fact {
    /// The name under which it is shown in `x-tollgate-changes`.
    pub fn label(&self) -> String {
        match self {
            Fact::TokenField(field) => field.name().to_string(),
            Fact::MaxOutputTokens(_) => "max_tokens_cap".into(),
            Fact::NonstreamMaxTokens(_) => "max_tokens_requires_stream".into(),
            Fact::StreamOnly => "requires_stream".into(),
            Fact::NoUsageOption => "stream_options".into(),
            Fact::NoForcedTool => "tool_choice".into(),
            Fact::WantsReasoning | Fact::NoReasoning => "reasoning_content".into(),
            Fact::Refuses(param) => param.clone(),
        }
    }

    pub fn apply(&self, quirks: &mut Quirks, max_output_tokens: &mut Option<u64>) {
        match self {
            Fact::TokenField(field) => quirks.token_field = *field,
            Fact::MaxOutputTokens(cap) => {
                *max_output_tokens = Some(max_output_tokens.map_or(*cap, |known| known.min(*cap)));
            }
            Fact::NonstreamMaxTokens(limit) => quirks.nonstream_max_tokens = Some(*limit),
            Fact::StreamOnly => quirks.stream_only = true,
            Fact::NoUsageOption => quirks.stream_usage = StreamUsage::Silent,
            Fact::NoForcedTool => {
                quirks.tool_choice = ToolChoiceForms::AutoNone;
                quirks.messages.forced_tool = false;
            }
            Fact::WantsReasoning => {
                quirks.replay = Replay::Always;
                quirks.reasoning_field = ReasoningField::ReasoningContent;
                quirks.reasoning_filler.get_or_insert_with(|| " ".into());
            }
            Fact::NoReasoning => {
                quirks.replay = Replay::Never;
                quirks.reasoning_filler = None;
            }
            Fact::Refuses(param) => {
                for list in [&mut quirks.refuses, &mut quirks.messages.refuses] {
                    if !list.contains(param) {
                        list.push(param.clone());
                    }
                }
            }
        }
    }
}

/// What the refused request had.
pub struct Sent<'a> {
    pub body: &'a [u8],
    pub max_tokens: Option<u64>,
    pub stream: bool,
    /// Parameters that carry the caller's meaning may be dropped.
    pub drop_params: bool,
}

impl Sent<'_> {
    fn has(&self, param: &str) -> bool {
        let key = format!("\"{param}\":");
        memmem(self.body, key.as_bytes())
    }
}

/// Parameters whose loss changes nothing that the caller asked for; they are dropped without `drop_params`.
const HINTS: &[&str] = &[
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "parallel_tool_calls",
    "reasoning_effort",
    "reasoning",
    "thinking",
    "enable_thinking",
    "thinking_budget",
    "chat_template_kwargs",
    "reasoning_split",
    "metadata",
    "store",
    "service_tier",
    "context_management",
    "output_config",
    "verbosity",
    "strict",
    "safeguards",
];

/// Without these a request is another request.
const ESSENTIAL: &[&str] = &["model", "messages", "tools", "system", "stream", "max_tokens", "max_completion_tokens"];

/// Ways in which a body says "this parameter is not for me". `{}` is where the name stands.
const REFUSALS: &[(&str, &str)] = &[
    ("unrecognized request argument supplied: ", ""),
    ("unrecognized request arguments supplied: ", ""),
    ("unsupported parameter: ", ""),
    ("unsupported value: ", ""),
    ("extra inputs are not permitted, field: ", ""),
    ("unknown parameter: ", ""),
    ("unknown field ", ""),
    ("unknown field: ", ""),
    ("unexpected field ", ""),
    ("unexpected keyword argument ", ""),
    ("property ", " is unsupported"),
    ("parameter ", " is not supported"),
    ("parameter ", " not supported"),
    ("argument not supported: ", ""),
    ("does not support parameter ", ""),
    ("does not support the parameter ", ""),
    ("does not support parameters: ", ""),
    ("", ": extra inputs are not permitted"),
    ("", " is not supported with this model"),
    ("", " is not supported by this model"),
    ("", " is not supported"),
    ("", " does not support"),
    ("", " is not allowed"),
];

/// Reads a refusal. `None`: nothing that a changed body would cure.
pub fn recognise(error: &UpstreamError, sent: &Sent<'_>) -> Option<Fact> {
    if !matches!(error.status, 400 | 413 | 415 | 422 | 500 | 501) || error.kind == ErrorKind::ContextOverflow {
        return None;
    }
    let words = error.message.to_ascii_lowercase();
    reasoning_fact(&words, sent)
        .or_else(|| stream_fact(&words, sent))
        .or_else(|| token_fact(&words, error, sent))
        .or_else(|| parameter_fact(&words, error, sent))
}

/// DeepSeek: "The `reasoning_content` in the thinking mode must be passed back to the API." Moonshot: "thinking is enabled but
/// reasoning_content is missing in assistant tool call message at index 2".
fn reasoning_fact(words: &str, sent: &Sent<'_>) -> Option<Fact> {
    if !words.contains("reasoning_content") {
        return None;
    }
    if words.contains("passed back") || words.contains("missing") || words.contains("required") {
        return Some(Fact::WantsReasoning);
    }
    let refused =
        ["unknown", "unrecognized", "unexpected", "unsupported", "not permitted", "not supported", "not allowed"];
    (sent.has("reasoning_content") && refused.iter().any(|word| words.contains(word))).then_some(Fact::NoReasoning)
}

const WANTS_STREAM: [&str; 12] = [
    "must have stream",
    "stream=true",
    "stream = true",
    "stream: true",
    "only supports stream",
    "only support stream",
    "stream must be",
    "use streaming",
    "non-streaming",
    "requires stream",
    "streaming is required",
    "enable stream",
];

fn wants_stream(words: &str) -> bool {
    WANTS_STREAM.iter().any(|phrase| words.contains(phrase))
}

fn stream_fact(words: &str, sent: &Sent<'_>) -> Option<Fact> {
    if sent.stream || !wants_stream(words) {
        return None;
    }
    let limit = words.contains("max_tokens").then(|| numbers(words).next()).flatten();
    Some(limit.map_or(Fact::StreamOnly, Fact::NonstreamMaxTokens))
}

fn token_fact(words: &str, error: &UpstreamError, sent: &Sent<'_>) -> Option<Fact> {
    let old = TokenField::MaxTokens;
    let new = TokenField::MaxCompletionTokens;
    let unsupported = words.contains("unsupported")
        || words.contains("not supported")
        || words.contains("not permitted")
        || words.contains("unrecognized")
        || words.contains("unknown")
        || error.code.as_deref() == Some("unsupported_parameter");
    if unsupported
        && sent.has(old.name())
        && (words.contains("max_completion_tokens") || error.param.as_deref() == Some(old.name()))
    {
        return Some(Fact::TokenField(new));
    }
    if unsupported && sent.has(new.name()) && (words.contains(new.name()) || error.param.as_deref() == Some(new.name()))
    {
        return Some(Fact::TokenField(old));
    }
    if wants_stream(words) {
        // It was a stream already: the number in these words is no cap.
        return None;
    }
    let about_tokens = [
        "max_tokens",
        "max_completion_tokens",
        "completion tokens",
        "max_new_tokens",
        "output tokens",
        "maxoutputtokens",
    ]
    .iter()
    .any(|name| words.contains(name));
    let asked = sent.max_tokens?;
    let limit = numbers(words).filter(|n| *n < asked && *n >= 16).max()?;
    about_tokens.then_some(Fact::MaxOutputTokens(limit))
}

fn parameter_fact(words: &str, error: &UpstreamError, sent: &Sent<'_>) -> Option<Fact> {
    if words.contains("tool_choice") && sent.has("tool_choice") {
        return Some(Fact::NoForcedTool);
    }
    if words.contains("stream_options") && sent.has("stream_options") {
        return Some(Fact::NoUsageOption);
    }
    let coded =
        matches!(error.code.as_deref(), Some("unsupported_parameter" | "unsupported_value" | "unknown_parameter"));
    let named = if coded { error.param.as_deref().map(str::to_ascii_lowercase) } else { None };
    let param =
        named.or_else(|| REFUSALS.iter().find_map(|(before, after)| name_between(words, before, after, sent)))?;
    let may_go = HINTS.contains(&param.as_str()) || sent.drop_params;
    (may_go && !ESSENTIAL.contains(&param.as_str()) && sent.has(&param)).then_some(Fact::Refuses(param))
}

/// The name between two phrases, if the request has such a parameter.
fn name_between(words: &str, before: &str, after: &str, sent: &Sent<'_>) -> Option<String> {
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    let quotes: &[char] = &['\'', '"', '`', ' '];
    let name = if before.is_empty() {
        let end = words.find(after)?;
        words[..end].trim_end_matches(quotes).rsplit(|c| !is_name(c)).next()?
    } else {
        let start = words.find(before)? + before.len();
        let rest = words[start..].trim_start_matches(quotes);
        let name = rest.split(|c| !is_name(c)).next()?;
        if !after.is_empty() && !rest[name.len()..].trim_start_matches(quotes).starts_with(after.trim_start()) {
            return None;
        }
        name
    };
    let top = name.split('.').next().unwrap_or(name);
    (!top.is_empty() && sent.has(top)).then(|| top.to_string())
}

/// The whole numbers in a text, thousands separators removed.
fn numbers(words: &str) -> impl Iterator<Item = u64> + '_ {
    words.split(|c: char| !c.is_ascii_digit() && c != ',' && c != '_').filter_map(|run| {
        let digits: String = run.trim_matches(|c| c == ',' || c == '_').chars().filter(char::is_ascii_digit).collect();
        digits.parse().ok()
    })
}

fn memmem(haystack: &[u8], needle: &[u8]) -> bool {
    haystack.windows(needle.len()).any(|w| w == needle)
}

#[cfg(test)]
mod tests;
