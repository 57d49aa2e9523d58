use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::anthropic_messages::response::{self, Collector};
use crate::anthropic_messages::testing::{cut, frames, head, joined, seal, value};
use crate::citation::Citation;
use crate::error::{AnswerError, ErrorKind, PublicError};
use crate::event::{Event, StopReason, ThinkingState};
use crate::frame::sse::Frame;
use crate::json::{Json, Text};
use crate::sealed::{Opened, SealedState};
use crate::usage::Usage;

const STREAM: &str = include_str!("../../../fixtures/anthropic_messages/streams/thinking_and_tool.sse");
const ANSWER: &str = include_str!("../../../fixtures/anthropic_messages/answers/thinking_and_tool.json");

fn decode(stream: &str) -> (Vec<Event<'static>>, Result<(), AnswerError>) {
    decode_frames(&cut(stream))
}

fn decode_frames(frames: &[Frame<'_>]) -> (Vec<Event<'static>>, Result<(), AnswerError>) {
    let mut decoder = Decoder::default();
    let mut events = Vec::new();
    for frame in frames {
        if let Err(error) = decoder.push(frame, &mut |e| events.push(e.into_owned())) {
            return (events, Err(error));
        }
    }
    let end = decoder.finish(&mut |e| events.push(e));
    (events, end)
}

fn unnamed(data: &[Value]) -> String {
    data.iter().map(|d| format!("data: {d}\n\n")).collect()
}

fn encode(events: &[Event<'_>]) -> Vec<u8> {
    let mut encoder = Encoder::new(head(), seal());
    let mut out = Vec::new();
    for event in events {
        encoder.push(event, &mut out);
    }
    encoder.finish(&mut out);
    out
}

fn text(text: &'static str) -> Text<'static> {
    Text::literal(text)
}

fn done(reason: StopReason) -> Event<'static> {
    Event::Finish { reason, stop_sequence: None }
}

fn collect(events: &[Event<'_>]) -> Value {
    let mut collector = Collector::new(head(), seal());
    events.iter().for_each(|e| collector.push(e));
    value(&collector.finish())
}

// ---- decoding

#[test]
fn a_stream_gives_its_events_in_order() {
    let (events, end) = decode(STREAM);
    assert_eq!(end, Ok(()));
    let start = Usage {
        input: Some(10),
        cache_read: Some(500),
        cache_write: Some(30),
        cache_write_long: Some(20),
        output: Some(2),
        ..Usage::default()
    };
    let last = Usage { output: Some(90), reasoning: Some(40), web_searches: Some(1), ..Usage::default() };
    let expected = vec![
        Event::Start { id: Some(text("msg_01")), model: Some(text("claude-x")), usage: start },
        Event::Thinking(text(r"Let me\nsee.")),
        Event::ThinkingState(ThinkingState::Signature(text("EqQB+/="))),
        Event::Redacted(text("ENCRYPTED")),
        Event::Text(text(r#"Here \"it\" is."#)),
        Event::Citation(Citation {
            cited: Some(text("x")),
            own: Some(Json::literal(r#"{"type": "char_location", "cited_text": "x"}"#)),
            ..Citation::default()
        }),
        Event::Server(Json::literal(
            r#"{"type":"server_tool_use","id":"srvtoolu_1","name":"web_search","input":{"query": "rust"}}"#,
        )),
        Event::Server(Json::literal(
            r#"{"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [{"type": "web_search_result", "url": "https://a.b", "encrypted_content": "E"}]}"#,
        )),
        Event::ToolStart { slot: 5, id: text("toolu_1"), name: text("Bash") },
        Event::ToolInput { slot: 5, json: text(r#"{\"command\": \"ls \\\"x\\\"\"}"#) },
        Event::ToolEnd { slot: 5 },
        Event::Usage(last),
        done(StopReason::ToolUse),
    ];
    assert_eq!(joined(events), expected);
}

#[test]
fn folding_a_stream_gives_the_one_piece_answer() {
    let (events, end) = decode(STREAM);
    assert_eq!(end, Ok(()));
    let mut whole = Vec::new();
    response::decode(ANSWER.as_bytes(), &mut |e| whole.push(e.into_owned())).unwrap();
    assert_eq!(collect(&events), collect(&whole));
}

#[test]
fn what_the_encoder_writes_the_decoder_reads() {
    let (events, _) = decode(STREAM);
    let again = encode(&events);
    let (decoded, end) = decode(std::str::from_utf8(&again).unwrap());
    assert_eq!(end, Ok(()));
    assert_eq!(collect(&decoded), collect(&events));
}

#[test]
fn a_cut_before_the_end_is_an_error_at_every_frame() {
    let frames = cut(STREAM);
    let delta = frames.iter().position(|f| f.event == "message_delta").unwrap();
    for n in 0..frames.len() {
        let (events, end) = decode_frames(&frames[..n]);
        let finished = events.iter().any(|e| matches!(e, Event::Finish { .. }));
        if n == 0 {
            assert_eq!(end, Err(AnswerError::Empty));
        } else if n <= delta {
            assert_eq!(end, Err(AnswerError::Cut), "after {n} frames");
            assert!(!finished, "after {n} frames");
        } else {
            assert_eq!(end, Ok(()), "the stop reason is an end");
            assert!(finished);
        }
    }
}

#[test]
fn pings_alone_are_an_empty_answer() {
    let (events, end) = decode("event: ping\ndata: {\"type\":\"ping\"}\n\n: comment\n\n");
    assert_eq!((events, end), (vec![], Err(AnswerError::Empty)));
}

#[test]
fn a_message_stop_without_a_reason_is_an_end() {
    let stream = unnamed(&[
        json!({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"b","input":{}}}),
        json!({"type":"message_stop"}),
    ]);
    let (events, end) = decode(&stream);
    assert_eq!(end, Ok(()));
    assert_eq!(events.last(), Some(&done(StopReason::ToolUse)));
}

#[test]
fn an_event_after_the_end_is_ignored() {
    let stream = format!(
        "{STREAM}event: error\ndata: {{\"type\":\"error\",\"error\":{{\"type\":\"api_error\",\"message\":\"late\"}}}}\n\n"
    );
    assert_eq!(decode(&stream).1, Ok(()));
}

#[test]
fn loose_layers_are_understood() {
    let whole_input = json!({"type":"content_block_start","index":1,
        "content_block":{"type":"tool_use","id":"c1","name":"Read","input":{"path":"a"}}});
    let stream = unnamed(&[
        json!({"type":"message_start","message":{"id":"x","role":"assistant","usage":null}}),
        json!({"type":"content_block_start","index":0,"content_block":{"type":"text","text":"Hi"}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":""}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"sparkle_delta","glitter":1}}),
        json!({"type":"brand_new_event","x":1}),
        // No stop of the text, no pieces of the input.
        whole_input,
        json!({"type":"message_delta","delta":{"stop_reason":"tool_use"}}),
    ]);
    let (events, end) = decode(&stream);
    assert_eq!(end, Ok(()));
    let expected = vec![
        Event::Start { id: Some(text("x")), model: None, usage: Usage::default() },
        Event::Text(text("Hi")),
        Event::ToolStart { slot: 1, id: text("c1"), name: text("Read") },
        Event::ToolInput { slot: 1, json: text(r#"{\"path\":\"a\"}"#) },
        Event::ToolEnd { slot: 1 },
        done(StopReason::ToolUse),
    ];
    assert_eq!(events, expected);
}

#[test]
fn pieces_replace_an_input_given_at_the_start() {
    let stream = unnamed(&[
        json!({"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"a","name":"b","input":{"x":1}}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"input_json_delta","partial_json":"{\"x\":2}"}}),
        json!({"type":"content_block_stop","index":0}),
        json!({"type":"message_stop"}),
    ]);
    let (events, _) = decode(&stream);
    let inputs: Vec<_> = events.iter().filter(|e| matches!(e, Event::ToolInput { .. })).collect();
    assert_eq!(inputs, [&Event::ToolInput { slot: 0, json: text(r#"{\"x\":2}"#) }]);
}

#[test]
fn omitted_thinking_still_has_its_signature() {
    let stream = unnamed(&[
        json!({"type":"content_block_start","index":0,"content_block":{"type":"thinking","thinking":"","signature":""}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"EqQ"}}),
        json!({"type":"content_block_stop","index":0}),
        json!({"type":"message_stop"}),
    ]);
    let (events, _) = decode(&stream);
    assert_eq!(events[0], Event::ThinkingState(ThinkingState::Signature(text("EqQ"))));
    assert_eq!(collect(&events)["content"], json!([{"type":"thinking","thinking":"","signature":"EqQ"}]));
}

#[test]
fn a_compaction_block_is_put_together() {
    let stream = unnamed(&[
        json!({"type":"content_block_start","index":0,"content_block":{"type":"compaction","content":null}}),
        json!({"type":"content_block_delta","index":0,"delta":{"type":"compaction_delta","content":"sum","encrypted_content":"E"}}),
        json!({"type":"content_block_stop","index":0}),
        json!({"type":"message_delta","delta":{"stop_reason":"compaction"},"usage":{"output_tokens":3}}),
        json!({"type":"message_stop"}),
    ]);
    let (events, _) = decode(&stream);
    assert_eq!(
        events[0],
        Event::Server(Json::literal(r#"{"type":"compaction","content":"sum","encrypted_content":"E"}"#))
    );
    assert_eq!(events.last(), Some(&done(StopReason::Compaction)));
}

#[test]
fn an_error_event_is_the_upstreams_error() {
    for (kind, status, expected) in [
        ("overloaded_error", 529, ErrorKind::Overloaded),
        ("rate_limit_error", 429, ErrorKind::RateLimited),
        ("api_error", 500, ErrorKind::Api),
        ("invalid_request_error", 400, ErrorKind::InvalidRequest),
        ("of_tomorrow", 500, ErrorKind::Api),
    ] {
        let stream =
            format!("event: error\ndata: {}\n\n", json!({"type":"error","error":{"type":kind,"message":"words"}}));
        let Err(AnswerError::Upstream(error)) = decode(&stream).1 else { panic!("{kind}") };
        assert_eq!((error.status, error.kind, &*error.message), (status, expected, "words"));
    }
}

#[test]
fn an_error_in_chats_form_is_an_error_too() {
    let stream = unnamed(&[json!({"error":{"message":"No endpoints","code":404}})]);
    let Err(AnswerError::Upstream(error)) = decode(&stream).1 else { panic!() };
    assert_eq!((&*error.message, error.code.as_deref()), ("No endpoints", Some("404")));
}

#[test]
fn the_words_of_a_refusal_reach_the_client() {
    let stream = unnamed(&[
        json!({"type":"message_start","message":{"id":"x"}}),
        json!({"type":"message_delta","delta":{"stop_reason":"refusal","stop_details":{"type":"refusal","explanation":"No."}}}),
    ]);
    let (events, _) = decode(&stream);
    assert_eq!(events[1..], [Event::Refusal(text("No.")), done(StopReason::Refusal)]);
}

#[test]
fn bytes_that_are_no_json_are_malformed() {
    let frame = Frame { event: "message_start", data: b"{\"type\":", raw: b"" };
    assert!(matches!(decode_frames(&[frame]).1, Err(AnswerError::Malformed(_))));
    let frame = Frame { event: "message_start", data: b"\xff", raw: b"" };
    assert!(matches!(decode_frames(&[frame]).1, Err(AnswerError::Malformed(_))));
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(data in proptest::collection::vec(any::<u8>(), 0..200), event in "[a-z_]{0,20}") {
        let mut decoder = Decoder::default();
        let frame = Frame { event: &event, data: &data, raw: b"" };
        _ = decoder.push(&frame, &mut |_| {});
        _ = decoder.finish(&mut |_| {});
    }

    #[test]
    fn no_order_of_frames_makes_the_decoder_panic(order in proptest::collection::vec(0usize..25, 0..40)) {
        let frames = cut(STREAM);
        let picked: Vec<_> = order.iter().map(|&i| frames[i % frames.len()]).collect();
        _ = decode_frames(&picked);
    }

    #[test]
    fn what_is_written_is_in_order_whatever_the_events(order in proptest::collection::vec(0usize..13, 0..40)) {
        let (events, _) = decode(STREAM);
        let picked: Vec<_> = order.iter().map(|&i| events[i % events.len()].clone()).collect();
        check_order(&frames(&encode(&picked)));
    }
}

/// What strict SDKs insist on.
fn check_order(frames: &[(String, Value)]) {
    let mut open: Option<u64> = None;
    let mut next = 0;
    for (i, (event, data)) in frames.iter().enumerate() {
        assert_eq!(data["type"], json!(event));
        match event.as_str() {
            "message_start" => assert_eq!(i, 0),
            "content_block_start" => {
                assert_eq!(open, None);
                assert_eq!(data["index"], json!(next));
                open = Some(next);
                next += 1;
            }
            "content_block_delta" => assert_eq!(data["index"].as_u64(), open),
            "content_block_stop" => {
                assert_eq!(data["index"].as_u64(), open.take());
            }
            "message_delta" | "message_stop" | "error" => assert_eq!(open, None),
            other => panic!("{other}"),
        }
    }
    assert_eq!(frames[0].0, "message_start");
    assert!(matches!(frames.last().unwrap().0.as_str(), "message_stop" | "error"));
}

// ---- encoding

#[test]
fn a_stream_is_written_as_anthropic_writes_it() {
    let events = [
        Event::Start { id: Some(text("chatcmpl-1")), model: Some(text("k2")), usage: Usage::default() },
        Event::Text(text(r"Hello \ud83d\ude00")),
        Event::Text(text("")),
        Event::Text(text("!")),
        Event::ToolStart { slot: 0, id: text("call_1"), name: text("Bash") },
        Event::ToolInput { slot: 0, json: text(r#"{\"command\":"#) },
        Event::ToolInput { slot: 0, json: text(r#"\"ls\"}"#) },
        Event::Usage(Usage { input: Some(12), cache_read: Some(4), output: Some(9), ..Usage::default() }),
        done(StopReason::ToolUse),
    ];
    let expected = r#"event: message_start
data: {"type":"message_start","message":{"id":"msg_ours","type":"message","role":"assistant","model":"kimi-k2","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":77,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}}

event: content_block_start
data: {"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hello \ud83d\ude00"}}

event: content_block_delta
data: {"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"!"}}

event: content_block_stop
data: {"type":"content_block_stop","index":0}

event: content_block_start
data: {"type":"content_block_start","index":1,"content_block":{"type":"tool_use","id":"call_1","name":"Bash","input":{}}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"{\"command\":"}}

event: content_block_delta
data: {"type":"content_block_delta","index":1,"delta":{"type":"input_json_delta","partial_json":"\"ls\"}"}}

event: content_block_stop
data: {"type":"content_block_stop","index":1}

event: message_delta
data: {"type":"message_delta","delta":{"stop_reason":"tool_use","stop_sequence":null},"usage":{"input_tokens":12,"cache_creation_input_tokens":0,"cache_read_input_tokens":4,"output_tokens":9}}

event: message_stop
data: {"type":"message_stop"}

"#;
    assert_eq!(String::from_utf8(encode(&events)).unwrap(), expected);
}

#[test]
fn the_answer_is_opened_once() {
    let mut encoder = Encoder::new(head(), seal());
    let mut out = Vec::new();
    encoder.open(&mut out);
    encoder.open(&mut out);
    encoder.ping(&mut out);
    let late =
        Event::Start { id: Some(text("msg_up")), model: None, usage: Usage { input: Some(5), ..Usage::default() } };
    encoder.push(&late, &mut out);
    encoder.push(&done(StopReason::EndTurn), &mut out);
    encoder.finish(&mut out);
    encoder.finish(&mut out);
    let frames = frames(&out);
    let names: Vec<_> = frames.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(names, ["message_start", "ping", "message_delta", "message_stop"]);
    assert_eq!(frames[0].1["message"]["usage"]["input_tokens"], json!(77));
    assert_eq!(frames[2].1["usage"]["input_tokens"], json!(5), "what the upstream says comes later");
}

#[test]
fn the_upstreams_own_input_count_opens_the_answer_where_it_is_known() {
    let usage = Usage { input: Some(5), cache_read: Some(6), ..Usage::default() };
    let out = encode(&[Event::Start { id: Some(text("msg_up")), model: None, usage }, done(StopReason::EndTurn)]);
    let message = &frames(&out)[0].1["message"];
    assert_eq!(message["id"], "msg_up");
    assert_eq!(message["usage"]["input_tokens"], json!(5));
    assert_eq!(message["usage"]["cache_read_input_tokens"], json!(6));
}

#[test]
fn thinking_without_a_signature_gets_a_sealed_one() {
    let frames = frames(&encode(&[Event::Thinking(text("hm")), Event::Text(text("x")), done(StopReason::EndTurn)]));
    let names: Vec<_> =
        frames[1..5].iter().map(|(_, d)| d["delta"]["type"].as_str().or(d["type"].as_str()).unwrap()).collect();
    assert_eq!(names, ["content_block_start", "thinking_delta", "signature_delta", "content_block_stop"]);
    let signature = Text::plain(frames[3].1["delta"]["signature"].as_str().unwrap());
    let state = SealedState { family: "moonshot".into(), details: None };
    assert_eq!(seal().open(&signature), Opened::Ours(state));
}

#[test]
fn a_providers_state_is_sealed_and_anthropics_is_not() {
    let details = Json::literal(r#"[{"type":"reasoning.encrypted","data":"x"}]"#);
    let events = [
        Event::Thinking(text("a")),
        Event::ThinkingState(ThinkingState::Details(details.clone())),
        Event::Thinking(text("b")),
        Event::ThinkingState(ThinkingState::Signature(text("EqQ=="))),
        done(StopReason::EndTurn),
    ];
    let frames = frames(&encode(&events));
    let signatures: Vec<_> =
        frames.iter().filter_map(|(_, d)| d["delta"]["signature"].as_str().map(Text::plain)).collect();
    assert_eq!(signatures.len(), 2);
    assert_eq!(
        seal().open(&signatures[0]),
        Opened::Ours(SealedState { family: "moonshot".into(), details: Some(details) })
    );
    assert_eq!(signatures[1], text("EqQ=="));
    check_order(&frames);
}

#[test]
fn a_call_without_input_has_an_empty_object() {
    let events = [
        Event::ToolStart { slot: 0, id: text("a"), name: text("b") },
        Event::ToolEnd { slot: 0 },
        done(StopReason::ToolUse),
    ];
    let frames = frames(&encode(&events));
    assert_eq!(frames[2].1["delta"], json!({"type":"input_json_delta","partial_json":"{}"}));
    check_order(&frames);
}

#[test]
fn the_stop_reason_agrees_with_what_the_answer_has() {
    let call = || Event::ToolStart { slot: 0, id: text("a"), name: text("b") };
    for (called, reason, expected) in [
        (false, StopReason::EndTurn, "end_turn"),
        (true, StopReason::EndTurn, "tool_use"),
        (false, StopReason::ToolUse, "end_turn"),
        (true, StopReason::ToolUse, "tool_use"),
        (true, StopReason::MaxTokens, "max_tokens"),
        (false, StopReason::ContextWindow, "model_context_window_exceeded"),
        (false, StopReason::StopSequence, "stop_sequence"),
        (false, StopReason::Refusal, "refusal"),
        (false, StopReason::PauseTurn, "pause_turn"),
        (false, StopReason::Compaction, "compaction"),
    ] {
        let mut events = if called { vec![call()] } else { vec![] };
        events.push(Event::Finish { reason, stop_sequence: Some(text("END")) });
        let frames = frames(&encode(&events));
        let delta = &frames[frames.len() - 2].1["delta"];
        assert_eq!(delta, &json!({"stop_reason": expected, "stop_sequence": "END"}));
        assert_eq!(collect(&events)["stop_reason"], expected);
    }
}

#[test]
fn a_failed_answer_ends_in_an_error_and_not_in_a_stop() {
    for events in [vec![Event::Text(text("x")), done(StopReason::Failed)], vec![Event::Text(text("x"))]] {
        let frames = frames(&encode(&events));
        assert_eq!(frames.last().unwrap().1["error"]["type"], "api_error");
        assert!(frames.iter().all(|(name, _)| name != "message_stop"));
    }
}

#[test]
fn the_full_usage_ends_the_stream() {
    let usage = Usage {
        input: Some(1),
        cache_read: Some(2),
        cache_write: Some(30),
        cache_write_long: Some(20),
        output: Some(5),
        reasoning: Some(4),
        web_searches: Some(3),
        estimated: false,
    };
    let frames = frames(&encode(&[Event::Usage(usage), done(StopReason::EndTurn)]));
    let expected = json!({
        "input_tokens": 1, "cache_creation_input_tokens": 30, "cache_read_input_tokens": 2,
        "cache_creation": {"ephemeral_5m_input_tokens": 10, "ephemeral_1h_input_tokens": 20},
        "output_tokens": 5, "output_tokens_details": {"thinking_tokens": 4}, "server_tool_use": {"web_search_requests": 3}
    });
    assert_eq!(frames[1].1["usage"], expected);
}

#[test]
fn s09_usage_is_integers_even_if_the_upstream_never_said() {
    let frames = frames(&encode(&[Event::Text(text("x")), done(StopReason::EndTurn)]));
    for usage in [&frames[0].1["message"]["usage"], &frames[frames.len() - 2].1["usage"]] {
        for field in ["input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"] {
            assert!(usage[field].is_u64(), "{field} of {usage}");
        }
        assert_eq!(usage["input_tokens"], json!(77));
    }
}

#[test]
fn a_pretty_printed_block_stays_on_one_line() {
    let block = Json::literal("{\n \"type\": \"web_search_tool_result\",\r\n \"content\": []\n}");
    let citation = Citation { own: Some(Json::literal("{\n}")), ..Citation::default() };
    let out = encode(&[Event::Server(block), Event::Citation(citation), done(StopReason::EndTurn)]);
    check_order(&frames(&out));
}

#[test]
fn an_error_is_a_frame_of_its_own() {
    let mut out = b"event: ping\ndata: {\"type\":\"ping\"}\n\n".to_vec();
    encode_error(&PublicError::new(529, ErrorKind::Overloaded, "full \"up\""), "req_1", &mut out);
    let frames = frames(&out);
    assert_eq!(frames[1].0, "error");
    let expected =
        json!({"type":"error","error":{"type":"overloaded_error","message":"full \"up\""},"request_id":"req_1"});
    assert_eq!(frames[1].1, expected);
}
