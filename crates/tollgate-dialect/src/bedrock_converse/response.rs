//! Answers in one piece.

use crate::error::AnswerError;
use crate::event::Event;
use crate::json::Text;
use crate::quirks::Maker;
use crate::scan::Raw;
use crate::usage::Usage;

use super::errors::decode_error;
use super::stream::{no_answer, redacted, signed};
use super::wire::{Answer, Block, Citations, Reasoning, ReasoningText, ToolUse, each, some_text};
use super::{stop, usage};

/// Takes events; shortens the signatures.
type Emit<'e, 'a> = &'e mut dyn FnMut(Event<'a>);

pub fn decode<'a>(body: &'a [u8], maker: Maker, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
    let text = std::str::from_utf8(body).map_err(|_| AnswerError::Malformed("it is not UTF-8".into()))?.trim();
    if text.is_empty() {
        return Err(AnswerError::Empty);
    }
    let answer = Answer::parse(text).map_err(|_| no_answer(text))?;
    let Some(message) = answer.output.and_then(|output| output.message) else {
        let error = decode_error(200, "", body);
        // Without a name of AWS's it is anybody's JSON.
        return Err(if error.code.is_some() { AnswerError::Upstream(Box::new(error)) } else { no_answer(text) });
    };
    let reason = stop::decode(answer.stop_reason.map_or("", Raw::word))?;
    emit(Event::Start { id: None, model: None, usage: Usage::default() });
    for (slot, one) in (0..).zip(each(message.content, Block::parse)) {
        block(one, slot, maker, emit)?;
    }
    if let Some(usage) = answer.usage.and_then(usage::decode) {
        emit(Event::Usage(usage));
    }
    let stop_sequence = answer.additional.and_then(|fields| some_text(fields.stop_sequence));
    emit(Event::Finish { reason, stop_sequence });
    Ok(())
}

fn block<'a>(block: Block<'a>, slot: u32, maker: Maker, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
    if let Some(text) = some_text(block.text) {
        emit(Event::Text(text));
    }
    if let Some(call) = block.tool_use.and_then(|raw| ToolUse::parse(raw.get()).ok()) {
        self::call(call, slot, emit)?;
    }
    if let Some(reasoning) = block.reasoning_content.and_then(|raw| Reasoning::parse(raw.get()).ok()) {
        let said = reasoning.reasoning_text.and_then(|raw| ReasoningText::parse(raw.get()).ok()).unwrap_or_default();
        if let Some(text) = some_text(said.text) {
            emit(Event::Thinking(text));
        }
        if let Some(signature) = some_text(said.signature) {
            signed(maker, signature, emit);
        }
        if let Some(data) = some_text(reasoning.redacted_content) {
            redacted(maker, data, emit);
        }
    }
    if let Some(cited) = block.citations_content.and_then(|raw| Citations::parse(raw.get()).ok()) {
        for text in each(cited.content, Block::parse).into_iter().filter_map(|piece| some_text(piece.text)) {
            emit(Event::Text(text));
        }
    }
    let media = [("an image", block.image), ("a video", block.video), ("audio", block.audio)];
    for (what, _) in media.into_iter().filter(|(_, raw)| raw.is_some()) {
        emit(Event::Text(Text::plain(&format!("[the model made {what}, which cannot be passed on]"))));
    }
    Ok(())
}

fn call<'a>(call: ToolUse<'a>, slot: u32, emit: Emit<'_, 'a>) -> Result<(), AnswerError> {
    // What the service runs itself is no call of the client's tools.
    if call.kind.is_some_and(|kind| kind.word() == "server_tool_use") {
        return Ok(());
    }
    let Some(name) = some_text(call.name) else {
        return Err(AnswerError::Malformed("a tool call has no name".into()));
    };
    emit(Event::ToolStart { slot, id: some_text(call.tool_use_id).unwrap_or_default(), name });
    if let Some(input) = call.input {
        emit(Event::ToolInput { slot, json: Text::plain(input.get()) });
    }
    emit(Event::ToolEnd { slot });
    Ok(())
}

#[cfg(test)]
mod tests;
