//! Why an answer ended, in Bedrock's words (botocore 1.44.8, `StopReason`).

use crate::error::{AnswerError, ErrorKind, Scope, UpstreamError};
use crate::event::StopReason;

/// Unknown words are an ordinary end, because the answer itself is there.
///
/// # Errors
/// An answer that the model spoilt: asking again can help.
pub fn decode(word: &str) -> Result<StopReason, AnswerError> {
    Ok(match word {
        "tool_use" => StopReason::ToolUse,
        "max_tokens" => StopReason::MaxTokens,
        "stop_sequence" => StopReason::StopSequence,
        "model_context_window_exceeded" => StopReason::ContextWindow,
        "guardrail_intervened" | "content_filtered" => StopReason::Refusal,
        "malformed_model_output" | "malformed_tool_use" => return Err(spoilt(word)),
        _ => StopReason::EndTurn,
    })
}

fn spoilt(word: &str) -> AnswerError {
    AnswerError::Upstream(Box::new(UpstreamError {
        status: 502,
        kind: ErrorKind::Api,
        message: format!("the upstream ended its answer with stopReason {word}"),
        code: Some(word.to_string()),
        param: None,
        overflow: None,
        retry_after: None,
        scope: Scope::Unsaid,
        temporary: true,
    }))
}
