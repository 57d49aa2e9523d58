//! Answers in one piece, and errors.

mod collect;
mod errors;

pub use collect::Collector;
pub use errors::{decode_error, encode_error, is_plain_error};

pub(super) use collect::{message_id, stop_reason_name};
pub(crate) use collect::{plain_signature, signature_of};
pub(super) use errors::{error_in_answer, write_error};

use crate::error::AnswerError;
use crate::event::{Event, StopReason, ThinkingState};
use crate::json::Text;
use crate::usage::Usage;

use super::wire::{Content, Members, Raw, WireAnswer, WireBlock, parse, text_of, usage_of, word};
use crate::scan::{Bad, items};

/// Reads a one-piece answer of status 200.
pub fn decode<'a>(body: &'a [u8], emit: &mut dyn FnMut(Event<'a>)) -> Result<(), AnswerError> {
    let body = std::str::from_utf8(body).map_err(|_| AnswerError::Malformed("it is not UTF-8".into()))?;
    if body.trim().is_empty() {
        return Err(AnswerError::Empty);
    }
    if let Some(error) = error_in_answer(body) {
        return Err(AnswerError::Upstream(Box::new(error)));
    }
    let malformed = |bad: Bad| AnswerError::Malformed(bad.to_string());
    let answer = parse(body, WireAnswer::read).map_err(malformed)?;
    let content = answer.content.filter(|c| c.is_array());
    let Some(content) = content else {
        return Err(AnswerError::Malformed("it has no content".into()));
    };
    let Ok(Content::Blocks(blocks)) = parse(content.get(), |c| Content::read(c, 0)) else {
        return Err(AnswerError::Malformed("its content is no list".into()));
    };
    if blocks.iter().any(|block| !block.whole.is_object()) {
        return Err(AnswerError::Malformed("a content block is no object".into()));
    }

    let usage = usage_of(answer.usage);
    emit(Event::Start { id: text_of(answer.id), model: text_of(answer.model), usage });
    let mut called = false;
    for (slot, block) in (0u32..).zip(&blocks) {
        called |= block.kind() == "tool_use";
        block_events(slot, block, emit);
    }
    if usage != Usage::default() {
        emit(Event::Usage(usage));
    }
    if let Some(text) = explanation(answer.stop_details) {
        emit(Event::Refusal(text));
    }
    let reason = stop_reason(answer.stop_reason).unwrap_or(ended(called));
    emit(Event::Finish { reason, stop_sequence: text_of(answer.stop_sequence) });
    Ok(())
}

fn block_events<'a>(slot: u32, block: &WireBlock<'a>, emit: &mut dyn FnMut(Event<'a>)) {
    match block.kind() {
        "text" => {
            if let Some(text) = text_of(block.text).filter(|t| !t.is_empty()) {
                emit(Event::Text(text));
            }
            let citations = block.citations.and_then(|c| items(c.get())).unwrap_or_default();
            citations.into_iter().for_each(|c| emit(Event::Citation(c.json())));
        }
        "thinking" => {
            if let Some(text) = text_of(block.thinking).filter(|t| !t.is_empty()) {
                emit(Event::Thinking(text));
            }
            if let Some(signature) = text_of(block.signature).filter(|s| !s.is_empty()) {
                emit(Event::ThinkingState(ThinkingState::Signature(signature)));
            }
        }
        "redacted_thinking" => emit(Event::Redacted(text_of(block.data).unwrap_or_default())),
        "tool_use" => {
            emit(Event::ToolStart {
                slot,
                id: text_of(block.id).unwrap_or_default(),
                name: text_of(block.name).unwrap_or_default(),
            });
            if let Some(input) = block.input.and_then(input_text) {
                emit(Event::ToolInput { slot, json: input });
            }
            emit(Event::ToolEnd { slot });
        }
        _ => emit(Event::Server(block.whole.json())),
    }
}

/// The input that a block has in itself, as a piece of `ToolInput`: `None` where there is none yet. Some layers send a string
/// that holds JSON in place of an object.
pub(super) fn input_text(input: Raw<'_>) -> Option<Text<'static>> {
    let json = input.get();
    match Text::of_token(json) {
        Some(text) if text.is_empty() => None,
        Some(text) => Some(text.into_owned()),
        None if json == "null" || Members::parse(json).is_some_and(|m| m.0.is_empty()) => None,
        None => Some(Text::plain(json)),
    }
}

/// Unknown reasons count as an ordinary end, as clients take them.
pub(super) fn stop_reason(raw: Option<Raw<'_>>) -> Option<StopReason> {
    Some(match word(Some(raw?)) {
        "tool_use" => StopReason::ToolUse,
        "max_tokens" => StopReason::MaxTokens,
        "model_context_window_exceeded" => StopReason::ContextWindow,
        "stop_sequence" => StopReason::StopSequence,
        "refusal" => StopReason::Refusal,
        "pause_turn" => StopReason::PauseTurn,
        "compaction" => StopReason::Compaction,
        _ => StopReason::EndTurn,
    })
}

/// The reason of an answer that ended without one.
pub(super) fn ended(called: bool) -> StopReason {
    if called { StopReason::ToolUse } else { StopReason::EndTurn }
}

/// What the service says about a refusal.
pub(super) fn explanation(details: Option<Raw<'_>>) -> Option<Text<'_>> {
    text_of(Members::parse(details?.get())?.get("explanation")).filter(|t| !t.is_empty())
}

#[cfg(test)]
mod tests;
