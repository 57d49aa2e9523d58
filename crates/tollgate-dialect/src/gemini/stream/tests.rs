use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::error::{AnswerError, ErrorKind, PublicError};
use crate::event::{Event, StopReason, ThinkingState};
use crate::frame::sse::{Piece, SseReader};
use crate::gemini::response::{self, Collector};
use crate::gemini::testing::{frame, head, read, seal, told, value};
use crate::json::{Json, Text};
use crate::usage::Usage;

/// As Google streams an answer that thinks, says something and calls twice.
const USUAL: [&str; 6] = [
    r#"{"candidates":[{"content":{"parts":[{"text":"h","thought":true}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":100,"totalTokenCount":100},"modelVersion":"g","responseId":"r1"}"#,
    r#"{"candidates":[{"content":{"parts":[{"text":"Hel\u00e9\n"}],"role":"model"},"index":0}],"usageMetadata":{"promptTokenCount":100,"candidatesTokenCount":1,"totalTokenCount":101},"modelVersion":"g","responseId":"r1"}"#,
    r#"{"candidates":[{"content":{"parts":[{"functionCall":{"id":"a","name":"f","args":{"x":1}},"thoughtSignature":"CikB"},{"functionCall":{"name":"g","args":{}}}],"role":"model"},"index":0}],"responseId":"r1"}"#,
    r#"{"candidates":[{"content":{"parts":[{"text":""}],"role":"model"},"finishReason":"STOP","index":0}],"responseId":"r1"}"#,
    r#"{"usageMetadata":{"promptTokenCount":100,"cachedContentTokenCount":60,"candidatesTokenCount":7,"thoughtsTokenCount":3,"totalTokenCount":110},"responseId":"r1"}"#,
    "",
];

#[test]
fn the_usual_stream_gives_thoughts_text_calls_usage_and_finish_in_this_order() {
    let events = read(&USUAL).expect("a good stream");
    assert_eq!(
        told(&events),
        "(h)Hel\u{e9}\n<{\"google\":{\"thought_signature\":\"CikB\"}}>[a=f{\"x\":1}][=g{}]|EndTurn"
    );
    let usages: Vec<Usage> =
        events.iter().filter_map(|e| if let Event::Usage(u) = e { Some(*u) } else { None }).collect();
    let last =
        Usage { input: Some(40), cache_read: Some(60), output: Some(10), reasoning: Some(3), ..Usage::default() };
    assert_eq!(usages.last(), Some(&last), "usage may come after the finish reason");
}

#[test]
fn a_cut_before_the_finish_reason_is_never_a_complete_answer() {
    for n in 0..USUAL.len() {
        let result = read(&USUAL[..n]);
        match n {
            0 => assert_eq!(result, Err(AnswerError::Empty)),
            1..=3 => assert_eq!(result, Err(AnswerError::Cut), "{n}"),
            _ => assert!(result.is_ok(), "{n}"),
        }
    }
}

#[test]
fn bytes_that_are_cut_anywhere_give_the_same_events() {
    let wire: Vec<u8> =
        USUAL.iter().filter(|p| !p.is_empty()).flat_map(|p| format!("data: {p}\r\n\r\n").into_bytes()).collect();
    let whole = told(&read(&USUAL).expect("good"));
    for cut in 0..=wire.len() {
        let mut reader = SseReader::default();
        let mut decoder = Decoder::default();
        let mut events = Vec::new();
        for chunk in [&wire[..cut], &wire[cut..]] {
            reader.feed(chunk);
            while let Some(Ok(piece)) = reader.next() {
                if let Piece::Frame(frame) = piece {
                    decoder.push(&frame, &mut |e| events.push(e.into_owned())).expect("good");
                }
            }
        }
        decoder.finish(&mut |e| events.push(e)).expect("good");
        assert_eq!(told(&events), whole, "cut at {cut}");
    }
}

#[test]
fn bytes_that_end_early_give_an_error_or_the_whole_answer() {
    let wire: Vec<u8> =
        USUAL.iter().filter(|p| !p.is_empty()).flat_map(|p| format!("data: {p}\n\n").into_bytes()).collect();
    let ends = String::from_utf8_lossy(&wire).find("finishReason").expect("there is one");
    for length in 0..wire.len() {
        let mut reader = SseReader::default();
        let mut decoder = Decoder::default();
        reader.feed(&wire[..length]);
        let mut result = Ok(());
        while let Some(Ok(piece)) = reader.finish() {
            if let Piece::Frame(frame) = piece {
                result = result.and_then(|()| decoder.push(&frame, &mut |_| ()));
            }
        }
        let result = result.and_then(|()| decoder.finish(&mut |_| ()));
        assert!(result.is_err() || length > ends, "an end without a reason at {length}");
    }
}

#[test]
fn a_signature_stays_with_what_it_came_with() {
    let part = |part: &str| format!(r#"{{"candidates":[{{"content":{{"parts":[{part}]}},"finishReason":"STOP"}}]}}"#);
    let state = |more: &str| format!(r#"<{{"google":{{"thought_signature":"S"}}{more}}}>"#);
    let cases = [
        (
            r#"{"text":"t","thought":true,"thoughtSignature":"S"}"#,
            format!("(t){}|EndTurn", state(r#","part":"thought""#)),
        ),
        (r#"{"text":"t","thoughtSignature":"S"}"#, format!("{}t|EndTurn", state(""))),
        (r#"{"text":"","thoughtSignature":"S"}"#, format!("{}|EndTurn", state(""))),
        (
            r#"{"text":"a"},{"function_call":{"name":"f"},"thought_signature":"S"}"#,
            format!("a{}[=f]|EndTurn", state("")),
        ),
        (r#"{"text":"t","thoughtSignature":""}"#, "t|EndTurn".into()),
    ];
    for (parts, expected) in cases {
        assert_eq!(told(&read(&[&part(parts)]).expect("good")), expected, "{parts}");
    }
}

#[test]
fn what_is_no_answer_is_told_apart() {
    let malformed = |piece: &str| matches!(read(&[piece]), Err(AnswerError::Malformed(_)));
    for piece in [
        "<html>",
        "{",
        "[{]",
        "{}",
        r#"{"choices":[]}"#,
        r#"{"candidates":[{"content":{"parts":[{"functionCall":{}}]}}]}"#,
    ] {
        assert!(malformed(piece), "{piece}");
    }
    let overloaded = r#"{"error":{"code":503,"message":"The model is overloaded.","status":"UNAVAILABLE"}}"#;
    let Err(AnswerError::Upstream(error)) = read(&[USUAL[0], overloaded]) else { panic!("an error") };
    assert_eq!((error.status, error.kind, error.temporary), (503, ErrorKind::Overloaded, true));
    assert_eq!(read(&[r#"{"candidates":[]}"#]), Err(AnswerError::Cut));
    assert_eq!(read(&["[]"]), Err(AnswerError::Empty));
}

#[test]
fn garbage_behind_a_finished_answer_does_not_spoil_it() {
    let finished = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}"#;
    for garbage in ["{x", "<html>", "[{]"] {
        assert_eq!(told(&read(&[finished, garbage]).expect("good")), "a|EndTurn");
    }
    let open = r#"{"candidates":[{"content":{"parts":[{"text":"a"}]}}]}"#;
    assert!(matches!(read(&[open, "{x", finished]), Err(AnswerError::Malformed(_))));
}

#[test]
fn only_the_first_candidate_is_read() {
    let two = r#"{"candidates":[{"index":1,"content":{"parts":[{"text":"b"}]},"finishReason":"STOP"},{"index":0,"content":{"parts":[{"text":"a"}]},"finishReason":"STOP"}]}"#;
    assert_eq!(told(&read(&[two]).expect("good")), "a|EndTurn");
}

fn sample() -> Vec<Event<'static>> {
    vec![
        Event::Start { id: Some(Text::plain("up1")), model: None, usage: Usage::default() },
        Event::Thinking(Text::plain("hm")),
        Event::Text(Text::literal("a\\n")),
        Event::ThinkingState(ThinkingState::Details(Json::literal(r#"{"google":{"thought_signature":"S"}}"#))),
        Event::ToolStart { slot: 0, id: Text::plain("t1"), name: Text::plain("f") },
        Event::ToolInput { slot: 0, json: Text::plain("{\"x\"") },
        Event::ToolInput { slot: 0, json: Text::plain(":\n1}") },
        Event::ToolEnd { slot: 0 },
        Event::Usage(Usage { input: Some(30), output: Some(7), reasoning: Some(3), ..Usage::default() }),
        Event::Finish { reason: StopReason::ToolUse, stop_sequence: None },
    ]
}

fn written(json_array: bool, events: &[Event<'_>]) -> String {
    let mut encoder = Encoder::new(crate::AnswerHead { json_array, ..head() }, seal());
    let mut out = Vec::new();
    encoder.open(&mut out);
    encoder.ping(&mut out);
    for event in events {
        encoder.push(event, &mut out);
    }
    encoder.finish(&mut out);
    encoder.finish(&mut out);
    String::from_utf8(out).expect("UTF-8")
}

/// What we write as a server we read as a client.
#[test]
fn our_own_stream_reads_back_as_the_same_events() {
    let text = written(false, &sample());
    let pieces: Vec<&str> = text.split("\n\n").filter_map(|f| f.strip_prefix("data: ")).collect();
    let expected = told(&sample()).replace("ToolUse", "EndTurn").replace('\n', " ").replacen("a ", "a\n", 1);
    assert_eq!(told(&read(&pieces).expect("good")), expected);
}

#[test]
fn the_array_form_is_one_array_of_the_same_pieces() {
    let array = value(written(true, &sample()).as_bytes());
    let stream = written(false, &sample());
    let frames: Vec<_> =
        stream.split("\n\n").filter_map(|f| Some(value(f.strip_prefix("data: ")?.as_bytes()))).collect();
    // White space keeps an array alive, a piece without text a stream.
    assert_eq!(array.as_array().expect("an array")[..], frames[1..]);
    let mut told_by_array = Vec::new();
    response::decode(array.to_string().as_bytes(), &mut |e| told_by_array.push(e.into_owned())).expect("good");
    assert!(told(&told_by_array).ends_with("|EndTurn"));
}

#[test]
fn an_error_ends_either_form() {
    let error = PublicError::new(529, ErrorKind::Overloaded, "busy");
    let object = json!({"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}});
    for (json_array, begun) in [(false, false), (false, true), (true, false), (true, true)] {
        let mut encoder = Encoder::new(crate::AnswerHead { json_array, ..head() }, seal());
        let mut out = Vec::new();
        if begun {
            encoder.push(&Event::Text(Text::plain("x")), &mut out);
        }
        encoder.fail(&error, &mut out);
        let text = String::from_utf8(out).expect("UTF-8");
        let last = if json_array {
            value(text.as_bytes()).as_array().and_then(|list| list.last().cloned()).expect("an item")
        } else {
            value(text.trim_end().rsplit("data: ").next().expect("a frame").as_bytes())
        };
        assert_eq!(last, object);
    }
}

#[test]
fn an_answer_that_failed_or_never_ended_gets_an_error_for_an_end() {
    for reason in [None, Some(StopReason::Failed)] {
        let mut events = vec![Event::Text(Text::plain("x"))];
        events.extend(reason.map(|reason| Event::Finish { reason, stop_sequence: None }));
        let text = written(false, &events);
        assert!(text.contains(r#"{"error":"#) && !text.contains("finishReason"), "{text}");
    }
}

#[test]
fn a_stream_and_a_whole_answer_give_the_same_body() {
    let whole = r#"{"candidates":[{"content":{"parts":[{"text":"hm","thought":true},{"text":"Hi"},{"functionCall":{"id":"a","name":"f","args":{"x":1}},"thoughtSignature":"S"}],"role":"model"},"finishReason":"STOP","index":0}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15},"modelVersion":"g","responseId":"r1"}"#;
    let pieces = [
        r#"{"candidates":[{"content":{"parts":[{"text":"h","thought":true}]}}],"responseId":"r1","modelVersion":"g"}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"m","thought":true},{"text":"H"}]}}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"text":"i"}]}}]}"#,
        r#"{"candidates":[{"content":{"parts":[{"functionCall":{"id":"a","name":"f","args":{"x":1}},"thoughtSignature":"S"}]},"finishReason":"STOP"}],"usageMetadata":{"promptTokenCount":10,"candidatesTokenCount":5,"totalTokenCount":15}}"#,
    ];
    let fold = |events: &[Event<'_>]| {
        let mut collector = Collector::new(head(), seal());
        events.iter().for_each(|e| collector.push(e));
        String::from_utf8(collector.finish()).expect("UTF-8")
    };
    let mut one = Vec::new();
    response::decode(whole.as_bytes(), &mut |e| one.push(e.into_owned())).expect("good");
    let streamed = fold(&read(&pieces).expect("good"));
    assert_eq!(fold(&one), streamed);
    assert_eq!(streamed, whole.replace("\"g\"", "\"asked\""));
}

proptest! {
    #[test]
    fn no_bytes_make_the_decoder_panic(data in proptest::collection::vec(any::<u8>(), 0..200)) {
        let mut decoder = Decoder::default();
        let _ = decoder.push(&frame(&data), &mut |_| ());
        let _ = decoder.finish(&mut |_| ());
    }

    #[test]
    fn no_mangled_piece_makes_the_decoder_panic(which in 0usize..5, at in 0usize..400, byte in any::<u8>()) {
        let mut bytes = USUAL[which].as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        let mut decoder = Decoder::default();
        for _ in 0..2 {
            let _ = decoder.push(&frame(&bytes), &mut |_| ());
        }
        let _ = decoder.finish(&mut |_| ());
    }

    #[test]
    fn what_is_written_is_json_whatever_the_events(order in proptest::collection::vec(0usize..10, 0..30), json_array in any::<bool>()) {
        let events: Vec<Event<'_>> = order.iter().map(|i| sample()[*i].clone()).collect();
        let text = written(json_array, &events);
        if json_array {
            prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}", text);
        } else {
            for line in text.split("\n\n").filter(|l| !l.is_empty()) {
                let data = line.strip_prefix("data: ").expect("data");
                prop_assert!(serde_json::from_str::<serde_json::Value>(data).is_ok(), "{}", data);
            }
        }
    }
}
