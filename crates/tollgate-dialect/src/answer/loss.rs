//! What of an answer has no place in the client's dialect.

use crate::Dialect;
use crate::error::Change;
use crate::event::{Event, StopReason};
use crate::json::Json;
use crate::usage::Usage;

/// Watches an answer on its way to a client of another dialect. What the upstream never says is no loss of ours.
#[derive(Debug)]
pub struct Losses {
    client: Dialect,
    usage: Usage,
    changes: Vec<Change>,
}

impl Losses {
    pub fn new(client: Dialect) -> Losses {
        Losses { client, usage: Usage::default(), changes: Vec::new() }
    }

    /// Takes note of an event as it goes to the client.
    pub fn note(&mut self, event: &Event<'_>) {
        let messages = self.client == Dialect::Messages;
        match event {
            Event::Start { usage, .. } | Event::Usage(usage) => self.usage.update(usage),
            Event::Redacted(_) if self.client == Dialect::Chat => self.dropped("redacted_thinking"),
            Event::Server(block) if !messages => self.dropped(&kind(block)),
            Event::Citation(citation) if !messages && citation.url.is_none() => self.dropped("citations"),
            Event::Finish { reason: StopReason::StopSequence, .. } if !messages => self.dropped("stop_sequence"),
            Event::Finish { reason: StopReason::PauseTurn, .. } if !messages => self.dropped("pause_turn"),
            // Every client's dialect has a place for these. State of thoughts goes where thoughts are kept.
            Event::Text(_)
            | Event::Thinking(_)
            | Event::ThinkingState(_)
            | Event::Redacted(_)
            | Event::ToolStart { .. }
            | Event::ToolInput { .. }
            | Event::ToolEnd { .. }
            | Event::Freeform { .. }
            | Event::Refusal(_)
            | Event::Server(_)
            | Event::Citation(_)
            | Event::Finish { .. } => {}
        }
    }

    /// What was lost, once the answer is whole.
    pub fn take(&mut self) -> Vec<Change> {
        if self.client == Dialect::Gemini && self.usage.cache_write.is_some_and(|tokens| tokens > 0) {
            self.dropped("usage.cache_write");
        }
        std::mem::take(&mut self.changes)
    }

    fn dropped(&mut self, field: &str) {
        let change = Change::dropped(field);
        if !self.changes.contains(&change) {
            self.changes.push(change);
        }
    }
}

/// What a provider's own tool made.
fn kind(block: &Json<'_>) -> String {
    block.to_value()["type"].as_str().unwrap_or("server_tool").to_owned()
}
