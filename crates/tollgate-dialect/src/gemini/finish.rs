//! Why an answer ended, in Google's words.

use crate::event::StopReason;

/// Google's reasons, sorted by meaning; unknown ones are an ordinary end, because the answer itself is there.
/// ai.google.dev/api/generate-content, `FinishReason`, 2026-11.
const REASONS: [(&[&str], StopReason); 3] = [
    (&["MAX_TOKENS", "CONTINUATION"], StopReason::MaxTokens),
    (
        &[
            "SAFETY",
            "RECITATION",
            "LANGUAGE",
            "BLOCKLIST",
            "PROHIBITED_CONTENT",
            "SPII",
            "IMAGE_SAFETY",
            "IMAGE_PROHIBITED_CONTENT",
            "IMAGE_RECITATION",
            "IMAGE_OTHER",
            "ESCALATION",
            "MODEL_ARMOR",
            "JAILBREAK",
        ],
        StopReason::Refusal,
    ),
    (
        &[
            "OTHER",
            "MALFORMED_FUNCTION_CALL",
            "UNEXPECTED_TOOL_CALL",
            "TOO_MANY_TOOL_CALLS",
            "MISSING_THOUGHT_SIGNATURE",
            "MALFORMED_RESPONSE",
            "NO_IMAGE",
        ],
        StopReason::Failed,
    ),
];

pub fn decode(word: &str) -> StopReason {
    REASONS.iter().find(|(words, _)| words.contains(&word)).map_or(StopReason::EndTurn, |(_, reason)| *reason)
}

/// Calls of functions end with `STOP`, too.
pub fn encode(reason: StopReason) -> &'static str {
    match reason {
        StopReason::EndTurn
        | StopReason::ToolUse
        | StopReason::StopSequence
        | StopReason::PauseTurn
        | StopReason::Compaction => "STOP",
        StopReason::MaxTokens | StopReason::ContextWindow => "MAX_TOKENS",
        StopReason::Refusal => "SAFETY",
        StopReason::Failed => "OTHER",
    }
}
