//! What a captured answer says.

use tollgate_dialect::answer::{Context, Shaper};
use tollgate_dialect::event::{Event, StopReason};
use tollgate_dialect::frame::sse::{Piece, SseReader};
use tollgate_dialect::quirks::Quirks;
use tollgate_dialect::{Dialect, StreamDecoder, decode_response};
use tollgate_store::capture::Exchange;

#[cfg(test)]
mod tests;

#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Said {
    pub text: String,
    pub thinking: String,
    pub tools: Vec<Call>,
    /// `None`: it came to no end.
    pub stop: Option<&'static str>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Call {
    pub name: String,
    pub input: String,
}

impl Said {
    /// Read as the gateway reads it, as far as it goes.
    pub fn of(exchange: &Exchange, quirks: &Quirks) -> Said {
        let mut said = Said::default();
        let Some(answer) = exchange.answer.as_ref().filter(|answer| (200..300).contains(&answer.status)) else {
            return said;
        };
        let dialect = Dialect::of_name(&exchange.dialect).unwrap_or(Dialect::Chat);
        let mut shaper = Shaper::new(Context::default());
        let whole = if answer.raw.trim_start().starts_with(['{', '[']) {
            // What comes before an error is still an answer.
            decode_response(dialect, answer.raw.as_bytes(), quirks, &mut |event| {
                let _ = shaper.push(event, &mut |event| said.hear(&event));
            })
            .is_ok()
        } else {
            stream(&answer.raw, StreamDecoder::new(dialect, quirks), &mut |event| {
                let _ = shaper.push(event, &mut |event| said.hear(&event));
            })
        };
        if whole {
            let _ = shaper.finish(&mut |event| said.hear(&event));
        }
        said
    }

    fn hear(&mut self, event: &Event<'_>) {
        match event {
            Event::Text(text) | Event::Refusal(text) => self.text.push_str(&text.decode()),
            Event::Thinking(text) => self.thinking.push_str(&text.decode()),
            Event::ToolStart { name, .. } => {
                self.tools.push(Call { name: name.decode().into_owned(), input: String::new() });
            }
            Event::ToolInput { json, .. } => {
                if let Some(call) = self.tools.last_mut() {
                    call.input.push_str(&json.decode());
                }
            }
            Event::Finish { reason, .. } => self.stop = Some(word(*reason)),
            _ => {}
        }
    }
}

/// True if the stream came to its end.
fn stream(raw: &str, mut decoder: StreamDecoder, emit: &mut dyn FnMut(Event<'_>)) -> bool {
    let mut reader = SseReader::default();
    reader.feed(raw.as_bytes());
    while let Some(piece) = reader.finish() {
        match piece {
            Ok(Piece::Frame(frame)) if decoder.push(&frame, &mut |event| emit(event)).is_ok() => {}
            Ok(Piece::KeepAlive(_)) => {}
            _ => return false,
        }
    }
    decoder.finish(&mut |event| emit(event)).is_ok()
}

fn word(reason: StopReason) -> &'static str {
    match reason {
        StopReason::EndTurn => "end_turn",
        StopReason::ToolUse => "tool_use",
        StopReason::MaxTokens => "max_tokens",
        StopReason::ContextWindow => "context_window",
        StopReason::StopSequence => "stop_sequence",
        StopReason::Refusal => "refusal",
        StopReason::PauseTurn => "pause_turn",
        StopReason::Compaction => "compaction",
        StopReason::Failed => "failed",
    }
}
