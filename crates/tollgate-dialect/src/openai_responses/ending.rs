//! Why an answer ended.

use crate::event::StopReason;
use crate::scan::Raw;

use super::wire::{Incomplete, word};

/// The reason behind a `status` and its `incomplete_details`. `None`: the answer goes on.
pub fn decode(status: &str, incomplete: Option<Raw<'_>>) -> Option<StopReason> {
    match status {
        "in_progress" | "queued" => None,
        "incomplete" => {
            let details = incomplete.and_then(|raw| Incomplete::parse(raw.get()).ok()).unwrap_or_default();
            Some(match word(details.reason) {
                "content_filter" => StopReason::Refusal,
                // Ended from outside, and not too early.
                "max_messages" | "steered" => StopReason::EndTurn,
                // Without a reason, or with one that is not known, it is still no whole answer.
                _ => StopReason::MaxTokens,
            })
        }
        "failed" | "cancelled" => Some(StopReason::Failed),
        _ => Some(StopReason::EndTurn),
    }
}

/// `status`, and the reason where it is `incomplete`. `refused`: the answer says itself that it is a refusal.
pub fn encode(reason: StopReason, refused: bool) -> (&'static str, Option<&'static str>) {
    match reason {
        StopReason::MaxTokens | StopReason::ContextWindow => ("incomplete", Some("max_output_tokens")),
        StopReason::Refusal if !refused => ("incomplete", Some("content_filter")),
        StopReason::Failed => ("failed", None),
        StopReason::EndTurn
        | StopReason::ToolUse
        | StopReason::StopSequence
        | StopReason::Refusal
        | StopReason::PauseTurn
        | StopReason::Compaction => ("completed", None),
    }
}
