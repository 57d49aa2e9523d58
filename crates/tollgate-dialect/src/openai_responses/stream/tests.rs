use proptest::prelude::*;

use super::*;
use crate::AnswerHead;
use crate::answer::{Context, Shaper};
use crate::error::{AnswerError, ErrorKind, PublicError};
use crate::event::{Event, StopReason, ThinkingState};
use crate::frame::sse::{Piece, SseReader};
use crate::json::{Json, Text};
use crate::openai_responses::response::Collector;
use crate::sealed::Seal;
use crate::usage::Usage;

fn seal() -> Seal {
    Seal::new(b"a secret of the tests")
}

fn head() -> AnswerHead {
    AnswerHead { id: "ours".into(), model: "asked".into(), family: "acme".into(), created: 9, ..AnswerHead::default() }
}

/// All events of the bytes, fed in pieces of `size`.
fn read(bytes: &[u8], size: usize) -> Result<Vec<Event<'static>>, AnswerError> {
    let mut reader = SseReader::default();
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    let mut take = |decoder: &mut Decoder, piece: Piece<'_>| match piece {
        Piece::Frame(frame) => decoder.push(&frame, &mut |event| events.push(event.into_owned())),
        Piece::KeepAlive(_) => Ok(()),
    };
    for chunk in bytes.chunks(size.max(1)) {
        reader.feed(chunk);
        while let Some(piece) = reader.next() {
            take(&mut decoder, piece.expect("small frames"))?;
        }
    }
    while let Some(piece) = reader.finish() {
        take(&mut decoder, piece.expect("small frames"))?;
    }
    decoder.finish(&mut |event| events.push(event))?;
    Ok(events)
}

fn written(events: &[Event<'_>]) -> Vec<u8> {
    let mut encoder = Encoder::new(head(), seal());
    let mut out = Vec::new();
    events.iter().for_each(|event| encoder.push(event, &mut out));
    encoder.finish(&mut out);
    out
}

fn frames(bytes: &[u8]) -> Vec<serde_json::Value> {
    let text = std::str::from_utf8(bytes).expect("UTF-8");
    let frame = |frame: &str| {
        let (event, data) = frame.split_once("\ndata: ").expect("two lines");
        let data: serde_json::Value = serde_json::from_str(data).unwrap_or_else(|e| panic!("{e}: {data}"));
        assert_eq!(event.strip_prefix("event: "), data["type"].as_str());
        data
    };
    text.split_terminator("\n\n").map(frame).collect()
}

fn text(text: &str) -> Event<'static> {
    Event::Text(Text::plain(text))
}

fn call(slot: u32, id: &str, input: &str) -> [Event<'static>; 3] {
    [
        Event::ToolStart { slot, id: Text::plain(id), name: Text::literal("f") },
        Event::ToolInput { slot, json: Text::plain(input) },
        Event::ToolEnd { slot },
    ]
}

fn finish(reason: StopReason) -> Event<'static> {
    Event::Finish { reason, stop_sequence: None }
}

fn answer() -> Vec<Event<'static>> {
    let state = Json::literal(r#"{"encrypted_content":"gAAA"}"#);
    let mut events = vec![
        Event::Thinking(Text::plain("h")),
        Event::Thinking(Text::plain("m é")),
        Event::ThinkingState(ThinkingState::Details(state)),
        text("Hel\"lo"),
        text("\n🦀"),
    ];
    events.extend(call(0, "call_1", r#"{"a":"b\n"}"#));
    events.extend(call(1, "call_2", "{}"));
    let usage = Usage { input: Some(3), cache_read: Some(2), output: Some(1), reasoning: Some(1), ..Usage::default() };
    events.extend([Event::Usage(usage), finish(StopReason::ToolUse)]);
    events
}

/// What a client sees of an answer, as one line. Calls are told apart by their order.
fn told(events: &[Event<'_>]) -> String {
    let mut line = String::new();
    for event in events {
        match event {
            Event::Text(t) | Event::Thinking(t) | Event::Refusal(t) => line.push_str(&t.decode()),
            Event::ToolStart { id, name, .. } => line.push_str(&format!("<{} {} ", id.decode(), name.decode())),
            Event::ToolInput { json, .. } => line.push_str(&json.decode()),
            Event::ToolEnd { .. } => line.push('>'),
            Event::ThinkingState(ThinkingState::Details(d)) => {
                line.push_str(&format!("[{}]", d.to_value()["encrypted_content"]));
            }
            Event::Usage(usage) => line.push_str(&format!("{usage:?}")),
            Event::Finish { reason, .. } => line.push_str(&format!("{reason:?}")),
            _ => {}
        }
    }
    line
}

#[test]
fn what_we_write_we_can_read_whatever_the_pieces() {
    let events = answer();
    let bytes = written(&events);
    // Only the client's side knows that a call was made: here it is an ordinary end.
    let expected = told(&events).replace("ToolUse", "EndTurn");
    for size in 1..200 {
        assert_eq!(told(&read(&bytes, size).expect("whole")), expected, "{size}");
    }
}

#[test]
fn a_stream_that_is_cut_at_any_byte_is_never_complete() {
    let bytes = written(&answer());
    let first = memchr::memmem::find(&bytes, b"\n\n").expect("a frame");
    let terminal = memchr::memmem::find(&bytes, b"event: response.completed").expect("an end");
    for n in 0..bytes.len() {
        let result = read(&bytes[..n], usize::MAX);
        // Within the last event it cannot be read, or was not seen; only its last line feeds may be missing.
        let whole = n >= bytes.len() - "\n\n".len();
        assert_eq!(result.is_ok(), whole, "{n}");
        if n <= terminal && !matches!(result, Err(AnswerError::Malformed(_))) {
            let expected = if n < first { AnswerError::Empty } else { AnswerError::Cut };
            assert_eq!(result, Err(expected), "{n}");
        }
    }
}

#[test]
fn the_last_event_holds_the_answer_that_a_body_would() {
    let events = answer();
    let mut collector = Collector::new(head(), seal());
    events.iter().for_each(|event| collector.push(event));
    let body: serde_json::Value = serde_json::from_slice(&collector.finish()).expect("JSON");
    let last = frames(&written(&events)).pop().expect("frames");
    assert_eq!(last["response"], body);
    assert_eq!(body["output"].as_array().map(Vec::len), Some(4));
}

#[test]
fn numbers_have_no_gaps_and_every_item_is_added_and_done() {
    let frames = frames(&written(&answer()));
    for (i, frame) in frames.iter().enumerate() {
        assert_eq!(frame["sequence_number"], i);
    }
    let of = |kind: &str| -> Vec<String> {
        frames.iter().filter(|f| f["type"] == kind).map(|f| f["item"]["id"].to_string()).collect()
    };
    let added = of("response.output_item.added");
    assert_eq!(added, of("response.output_item.done"));
    assert_eq!(added, [r#""rs_ours_0""#, r#""msg_ours_1""#, r#""fc_ours_2""#, r#""fc_ours_3""#]);
    assert_eq!(frames[0]["type"], "response.created");
    assert_eq!(frames.last().map(|f| f["type"].clone()), Some("response.completed".into()));
}

#[test]
fn a_silence_is_bridged_by_an_event_once_the_answer_is_open() {
    let mut encoder = Encoder::new(head(), seal());
    let mut out = Vec::new();
    encoder.ping(&mut out);
    assert_eq!(out, b": ping\n\n");
    out.clear();
    encoder.open(&mut out);
    encoder.open(&mut out);
    encoder.ping(&mut out);
    let kinds: Vec<_> = frames(&out).iter().map(|f| f["type"].as_str().map(String::from)).collect();
    assert_eq!(
        kinds.iter().flatten().collect::<Vec<_>>(),
        ["response.created", "response.in_progress", "response.in_progress"]
    );
}

#[test]
fn a_failure_goes_on_counting_and_keeps_what_was_done() {
    let mut encoder = Encoder::new(head(), seal());
    let mut out = Vec::new();
    encoder.push(&text("Hel"), &mut out);
    call(0, "c", "{}").iter().for_each(|event| encoder.push(event, &mut out));
    encoder.fail(&PublicError::new(503, ErrorKind::Overloaded, "busy"), "req_1", &mut out);
    let frames = frames(&out);
    let last = frames.last().expect("frames");
    assert_eq!(last["type"], "response.failed");
    assert_eq!(last["sequence_number"], frames.len() - 1);
    assert_eq!(last["response"]["id"], "resp_ours");
    assert_eq!(last["response"]["error"]["code"], "server_is_overloaded");
    assert_eq!(last["response"]["output"].as_array().map(Vec::len), Some(2));
}

#[test]
fn an_upstreams_long_id_makes_no_long_ids_of_items() {
    let id = format!("resp_{}", "a".repeat(80));
    let start = Event::Start { id: Some(Text::plain(&id)), model: None, usage: Usage::default() };
    let frames = frames(&written(&[start, text("x"), finish(StopReason::EndTurn)]));
    assert_eq!(frames[0]["response"]["id"], id);
    assert_eq!(frames[2]["item"]["id"], "msg_ours_0");
}

/// OpenAI looks up a reasoning item without encrypted content by its id (404 `Item with id … not found`).
#[test]
fn thoughts_without_state_have_an_envelope_so_that_openai_is_never_asked_for_them() {
    let frames = frames(&written(&[Event::Thinking(Text::plain("hm")), text("x"), finish(StopReason::EndTurn)]));
    let done = frames.iter().find(|frame| frame["type"] == "response.output_item.done").expect("an item");
    assert_eq!(done["item"]["type"], "reasoning");
    let content = done["item"]["encrypted_content"].as_str().expect("an envelope");
    assert!(crate::sealed::is_ours(&Text::plain(content)), "{content}");
}

fn any_event() -> impl Strategy<Value = Event<'static>> {
    let slot = 0u32..3;
    prop_oneof![
        "[ab\"\\\\é]{0,3}".prop_map(|s| text(&s)),
        "[ab]{0,2}".prop_map(|s| Event::Thinking(Text::plain(&s))),
        Just(Event::ThinkingState(ThinkingState::Details(Json::literal(r#"{"encrypted_content":"e"}"#)))),
        (slot.clone(), "[a-c]", "[fg]").prop_map(|(slot, id, name)| Event::ToolStart {
            slot,
            id: Text::plain(&id),
            name: Text::plain(&name)
        }),
        (slot.clone(), "[{}\"n]{0,4}").prop_map(|(slot, json)| Event::ToolInput { slot, json: Text::plain(&json) }),
        slot.prop_map(|slot| Event::ToolEnd { slot }),
    ]
}

proptest! {
    #[test]
    fn every_answer_that_was_put_in_order_is_read_again(events in prop::collection::vec(any_event(), 0..24), size in 1usize..64) {
        let mut shaper = Shaper::new(Context::default());
        let mut shaped = Vec::new();
        let mut broken = false;
        for event in events.into_iter().chain([finish(StopReason::EndTurn)]) {
            broken |= shaper.push(event, &mut |event| shaped.push(event.into_owned())).is_err();
        }
        broken |= shaper.finish(&mut |event| shaped.push(event.into_owned())).is_err();
        prop_assume!(!broken);
        let bytes = written(&shaped);
        frames(&bytes);
        let again = read(&bytes, size).expect("what we write we can read");
        // The usage is told even where it is unknown, thoughts without state have our envelope, and a call is no reason here.
        let added = |event: &Event<'_>| match event {
            Event::Usage(_) => true,
            Event::ThinkingState(ThinkingState::Details(details)) => details.get().contains("tg1."),
            _ => false,
        };
        let again: Vec<_> = again.into_iter().filter(|event| !added(event)).collect();
        prop_assert_eq!(told(&again), told(&shaped).replace("ToolUse", "EndTurn"));
    }

    #[test]
    fn any_bytes_are_an_answer_or_an_error(bytes in prop::collection::vec(prop::num::u8::ANY, 0..300), cut in 0usize..4000, at in 0usize..4000) {
        let _ = read(&bytes, 7);
        let mut whole = written(&answer());
        let at = at % whole.len();
        whole[at] = bytes.first().copied().unwrap_or(b'x');
        whole.truncate(whole.len() - cut % whole.len());
        let _ = read(&whole, 11);
    }
}

#[test]
fn the_last_event_says_how_the_answer_ended_and_not_its_name() {
    let stream = |response: &str| {
        let delta = r#"data: {"type":"response.output_text.delta","output_index":0,"delta":"Hel"}"#;
        format!("{delta}\n\ndata: {{\"type\":\"response.completed\",\"response\":{response}}}\n\n")
    };
    let reason = |response: &str| {
        let events = read(stream(response).as_bytes(), 64).expect("an answer");
        events.into_iter().find_map(|event| if let Event::Finish { reason, .. } = event { Some(reason) } else { None })
    };
    let incomplete = r#"{"id":"r","status":"incomplete","incomplete_details":{"reason":"max_output_tokens"}}"#;
    assert_eq!(reason(incomplete), Some(StopReason::MaxTokens));
    assert_eq!(reason(r#"{"id":"r","status":"completed"}"#), Some(StopReason::EndTurn));
    assert_eq!(reason(r#"{"id":"r"}"#), Some(StopReason::EndTurn));
    // Without an error of its own, and before its event goes on to a client.
    for response in [r#"{"id":"r","status":"failed"}"#, r#"{"id":"r","status":"cancelled","error":null}"#] {
        let failed = read(stream(response).as_bytes(), 64);
        assert!(matches!(failed, Err(AnswerError::Upstream(_))), "{failed:?}");
    }
}
