//! What of an answer each client is told as lost: every event before every client's dialect.

use tollgate_dialect::Dialect;
use tollgate_dialect::answer::Losses;
use tollgate_dialect::event::{Event, StopReason};
use tollgate_dialect::json::{Json, Text};
use tollgate_dialect::usage::Usage;

/// By Messages, chat, Responses, Gemini.
type Told = [&'static str; 4];

const NOTHING: Told = [""; 4];
const NOT_ANTHROPIC: fn(&'static str) -> Told = |change| ["", change, change, change];

fn finish(reason: StopReason) -> Event<'static> {
    Event::Finish { reason, stop_sequence: None }
}

#[test]
fn what_a_clients_dialect_cannot_say_of_an_answer_is_told() {
    let usage = Usage { cache_write: Some(7), ..Usage::default() };
    let sequence = Event::Finish { reason: StopReason::StopSequence, stop_sequence: Some(Text::literal("END")) };
    let table: [(Event<'static>, Told); 10] = [
        (Event::Text(Text::literal("x")), NOTHING),
        (Event::Thinking(Text::literal("x")), NOTHING),
        (Event::Refusal(Text::literal("x")), NOTHING),
        (Event::Redacted(Text::literal("x")), ["", "dropped:redacted_thinking", "", ""]),
        (
            Event::Server(Json::literal(r#"{"type":"web_search_tool_result"}"#)),
            NOT_ANTHROPIC("dropped:web_search_tool_result"),
        ),
        (Event::Usage(usage), ["", "", "", "dropped:usage.cache_write"]),
        (sequence, NOT_ANTHROPIC("dropped:stop_sequence")),
        (finish(StopReason::PauseTurn), NOT_ANTHROPIC("dropped:pause_turn")),
        (finish(StopReason::EndTurn), NOTHING),
        (finish(StopReason::MaxTokens), NOTHING),
    ];
    for (event, told) in table {
        for (client, told) in Dialect::CLIENTS.into_iter().zip(told) {
            let mut losses = Losses::new(client);
            losses.note(&event);
            // Once is enough.
            losses.note(&event);
            let changes: Vec<String> = losses.take().iter().map(ToString::to_string).collect();
            assert_eq!(changes.join(","), told, "{event:?} to {client:?}");
        }
    }
}
