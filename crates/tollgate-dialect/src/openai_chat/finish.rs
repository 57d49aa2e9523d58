//! Why an answer ended, in every vendor's words and in OpenAI's.

use crate::event::StopReason;

/// Sorted by meaning. Unknown words count as an ordinary end: the answer itself is there.
const WORDS: [(&[&str], StopReason); 5] = [
    (&["stop", "eos", "eos_token", "end_turn", "complete", "stop_sequence"], StopReason::EndTurn),
    (&["length", "max_tokens", "model_length", "max_output_tokens"], StopReason::MaxTokens),
    (&["tool_calls", "tool_call", "tool_use", "function_call"], StopReason::ToolUse),
    (
        &[
            "content_filter",
            "content_filtered",
            "sensitive",
            "refusal",
            "safety",
            "blocklist",
            "prohibited_content",
            "spii",
            "recitation",
            "guardrail_intervened",
        ],
        StopReason::Refusal,
    ),
    (
        &[
            "error",
            "network_error",
            "insufficient_system_resource",
            "error_toxic",
            "abort",
            "aborted",
            "cancelled",
            "failed",
            "malformed_function_call",
        ],
        StopReason::Failed,
    ),
];

pub fn decode(word: &str) -> StopReason {
    let word = word.to_ascii_lowercase().replace('-', "_");
    WORDS.iter().find(|(words, _)| words.contains(&word.as_str())).map_or(StopReason::EndTurn, |(_, reason)| *reason)
}

pub fn encode(reason: StopReason) -> &'static str {
    match reason {
        StopReason::EndTurn | StopReason::StopSequence | StopReason::PauseTurn | StopReason::Compaction => "stop",
        StopReason::ToolUse => "tool_calls",
        StopReason::MaxTokens | StopReason::ContextWindow => "length",
        StopReason::Refusal => "content_filter",
        StopReason::Failed => "error",
    }
}
