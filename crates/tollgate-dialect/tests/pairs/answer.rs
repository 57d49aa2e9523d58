//! An answer of one dialect reaches a client of another, as a stream and in one piece, with the same texts, calls and counts.

use proptest::prelude::*;
use serde_json::{Value, json};
use tollgate_dialect::answer::{Context, Losses, Shaper};
use tollgate_dialect::citation::Citation;
use tollgate_dialect::event::{Event, StopReason};
use tollgate_dialect::frame::sse::{Piece, SseReader};
use tollgate_dialect::json::Text;
use tollgate_dialect::quirks::Quirks;
use tollgate_dialect::usage::Usage;
use tollgate_dialect::{AnswerHead, Collector, Dialect, StreamDecoder, StreamEncoder, decode_response};

use crate::{pairs, seal};

fn head() -> AnswerHead {
    AnswerHead {
        id: "ours".into(),
        model: "asked".into(),
        created: 1_700_000_000,
        stream_usage: true,
        family: "acme".into(),
        ..AnswerHead::default()
    }
}

/// Events in order, as they come from an upstream.
fn shaped(events: &[Event<'static>]) -> Vec<Event<'static>> {
    let (mut shaper, mut out) = (Shaper::new(Context::default()), Vec::new());
    for event in events {
        shaper.push(event.clone(), &mut |event| out.push(event.into_owned())).expect("an answer");
    }
    shaper.finish(&mut |event| out.push(event.into_owned())).expect("an answer");
    out
}

fn stream(dialect: Dialect, events: &[Event<'static>]) -> Vec<u8> {
    let (mut encoder, mut out) = (StreamEncoder::new(dialect, head(), seal()), Vec::new());
    events.iter().for_each(|event| encoder.push(event, &mut out));
    encoder.finish(&mut out);
    out
}

fn whole(dialect: Dialect, events: &[Event<'static>]) -> Vec<u8> {
    let mut collector = Collector::new(dialect, head(), seal());
    events.iter().for_each(|event| collector.push(event));
    collector.check().expect("an answer");
    collector.finish()
}

fn read_stream(dialect: Dialect, bytes: &[u8]) -> Vec<Event<'static>> {
    let (mut reader, mut decoder) = (SseReader::default(), StreamDecoder::new(dialect, &Quirks::default()));
    let mut events = Vec::new();
    reader.feed(bytes);
    while let Some(piece) = reader.finish() {
        if let Piece::Frame(frame) = piece.expect("frames") {
            decoder.push(&frame, &mut |event| events.push(event.into_owned())).expect("what we write we can read");
        }
    }
    decoder.finish(&mut |event| events.push(event)).expect("the end is there");
    shaped(&events)
}

fn read_whole(dialect: Dialect, bytes: &[u8]) -> Vec<Event<'static>> {
    let mut events = Vec::new();
    decode_response(dialect, bytes, &Quirks::default(), &mut |event| events.push(event.into_owned()))
        .expect("what we write we can read");
    shaped(&events)
}

/// What a client of this dialect is told as lost.
fn lost(client: Dialect, events: &[Event<'static>]) -> Vec<String> {
    let mut losses = Losses::new(client);
    events.iter().for_each(|event| losses.note(event));
    losses.take().iter().map(ToString::to_string).collect()
}

/// What an answer says, but for what is declared as lost.
#[derive(Debug, PartialEq)]
struct Told {
    pages: Vec<String>,
    text: String,
    thoughts: String,
    calls: Vec<(String, String, Value)>,
    stop: Option<StopReason>,
    input: u64,
    usage: Usage,
}

fn told(events: &[Event<'static>], lost: &[String]) -> Told {
    let is_lost = |what: &str| lost.iter().any(|change| change == &format!("dropped:{what}"));
    let (mut text, mut thoughts, mut stop, mut usage) = (String::new(), String::new(), None, Usage::default());
    let mut calls: Vec<(String, String, String)> = Vec::new();
    let mut pages = Vec::new();
    for event in events {
        match event {
            Event::Text(more) => text += &more.decode(),
            Event::Thinking(more) => thoughts += &more.decode(),
            Event::ToolStart { id, name, .. } => {
                calls.push((id.decode().into_owned(), name.decode().into_owned(), String::new()));
            }
            Event::ToolInput { json, .. } => calls.last_mut().expect("a call").2 += &json.decode(),
            Event::Usage(counts) | Event::Start { usage: counts, .. } => usage.update(counts),
            Event::Citation(Citation { url: Some(url), .. }) => pages.push(url.decode().into_owned()),
            // Calls and limits come before a stop sequence.
            Event::Finish { reason: StopReason::StopSequence, .. } if is_lost("stop_sequence") => {
                stop = Some(StopReason::EndTurn);
            }
            Event::Finish { reason, .. } => stop = Some(*reason),
            _ => {}
        }
    }
    let input = usage.total_input();
    // A count of nothing may be left out.
    for count in [&mut usage.cache_read, &mut usage.cache_write, &mut usage.reasoning] {
        *count = count.filter(|&count| count > 0);
    }
    if is_lost("usage.cache_write") {
        (usage.input, usage.cache_write) = (None, None);
    }
    let parsed = |(id, name, input): (String, String, String)| (id, name, serde_json::from_str(&input).expect("JSON"));
    Told { pages, text, thoughts, calls: calls.into_iter().map(parsed).collect(), stop, input, usage }
}

/// One part of an answer: a call is whole, with its arguments in pieces.
fn part() -> impl Strategy<Value = Vec<Event<'static>>> {
    prop_oneof![
        "[a-z\"\\\\é🦀\n]{1,6}".prop_map(|text| vec![Event::Text(Text::plain(&text))]),
        "[a-z\"é]{1,6}".prop_map(|text| vec![Event::Thinking(Text::plain(&text))]),
        "[a-z]{3}".prop_map(|page| {
            let url = Some(Text::plain(&format!("https://x.test/{page}")));
            vec![Event::Citation(Citation { url, title: Some(Text::plain(&page)), ..Citation::default() })]
        }),
        ("[a-z]{3}", "[a-z\"é]{0,5}", 0usize..9).prop_map(|(name, value, cut)| {
            let arguments = json!({"value": value, "list": [1, null]}).to_string();
            let cut = arguments.floor_char_boundary(cut);
            vec![
                Event::ToolStart { slot: 0, id: Text::EMPTY, name: Text::plain(&name) },
                Event::ToolInput { slot: 0, json: Text::plain(&arguments[..cut]) },
                Event::ToolInput { slot: 0, json: Text::plain(&arguments[cut..]) },
            ]
        }),
    ]
}

prop_compose! {
    fn any_answer()(
        parts in prop::collection::vec(part(), 1..6),
        reason in prop::sample::select(vec![StopReason::EndTurn, StopReason::MaxTokens, StopReason::StopSequence]),
        counts in (1u64..5000, 0u64..5000, 0u64..5000, 1u64..5000, 0u64..5000),
    ) -> Vec<Event<'static>> {
        let (input, read, written, output, reasoning) = counts;
        let mut slot = 0;
        let numbered = |mut event: Event<'static>| {
            match &mut event {
                Event::ToolStart { slot: at, id, .. } => {
                    slot += 1;
                    (*at, *id) = (slot, Text::plain(&format!("call_{slot}")));
                }
                Event::ToolInput { slot: at, .. } => *at = slot,
                _ => {}
            }
            event
        };
        let mut events: Vec<Event<'static>> = parts.into_iter().flatten().map(numbered).collect();
        events.push(Event::Usage(Usage {
            input: Some(input),
            cache_read: Some(read),
            cache_write: Some(written),
            output: Some(output),
            reasoning: Some(reasoning.min(output)),
            ..Usage::default()
        }));
        events.push(Event::Finish { reason, stop_sequence: None });
        events
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    #[test]
    fn texts_calls_and_usage_come_out_as_they_went_in(events in any_answer()) {
        let made = shaped(&events);
        for (client, upstream) in pairs() {
            let mut declared = lost(upstream, &made);
            for came in [read_stream(upstream, &stream(upstream, &made)), read_whole(upstream, &whole(upstream, &made))] {
                declared.extend(lost(client, &came));
                let expected = told(&made, &declared);
                prop_assert_eq!(&told(&read_stream(client, &stream(client, &came)), &declared), &expected, "{:?} {:?}", client, upstream);
                prop_assert_eq!(&told(&read_whole(client, &whole(client, &came)), &declared), &expected, "{:?} {:?}", client, upstream);
            }
        }
    }
}
