use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::anthropic_messages::testing::{head, seal, value};
use crate::error::{ErrorKind, PublicError};
use crate::sealed::{Opened, SealedState};

const ANSWER: &str = include_str!("../../../fixtures/anthropic_messages/answers/thinking_and_tool.json");

fn events(body: &str) -> Result<Vec<Event<'static>>, AnswerError> {
    let mut events = Vec::new();
    decode(body.as_bytes(), &mut |e| events.push(e.into_owned()))?;
    Ok(events)
}

fn collect(events: &[Event<'_>]) -> serde_json::Value {
    let mut collector = Collector::new(head(), seal());
    events.iter().for_each(|e| collector.push(e));
    value(&collector.finish())
}

fn text(text: &'static str) -> Text<'static> {
    Text::literal(text)
}

fn done(reason: StopReason) -> Event<'static> {
    Event::Finish { reason, stop_sequence: None }
}

#[test]
fn an_answer_collected_again_is_the_same_answer() {
    let mut expected = value(ANSWER.as_bytes());
    expected["model"] = json!("kimi-k2");
    assert_eq!(collect(&events(ANSWER).unwrap()), expected);
}

#[test]
fn an_error_in_place_of_an_answer_is_found() {
    let body = r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_1"}"#;
    let Err(AnswerError::Upstream(error)) = events(body) else { panic!() };
    assert_eq!((error.status, error.kind, error.temporary), (529, ErrorKind::Overloaded, true));
    let Err(AnswerError::Upstream(error)) = events(r#"{"error":{"message":"gone","code":404}}"#) else { panic!() };
    assert_eq!(error.message, "gone");
}

#[test]
fn what_is_no_answer_is_an_error() {
    assert_eq!(events("  \n"), Err(AnswerError::Empty));
    for body in ["<html>", "{}", r#"{"content":null}"#, r#"{"choices":[]}"#, "[]", r#"{"content":[5]}"#] {
        assert!(matches!(events(body), Err(AnswerError::Malformed(_))), "{body}");
    }
}

#[test]
fn s09_odd_usage_never_fails_an_answer() {
    for usage in [r#"null"#, "{}", r#"{"input_tokens":"12","output_tokens":3.0}"#, "[]", r#"{"output_tokens":-4}"#, "7"]
    {
        let body = format!(r#"{{"content":[{{"type":"text","text":"x"}}],"stop_reason":"end_turn","usage":{usage}}}"#);
        let collected = collect(&events(&body).unwrap());
        for field in ["input_tokens", "output_tokens", "cache_creation_input_tokens", "cache_read_input_tokens"] {
            assert!(collected["usage"][field].is_u64(), "{usage}: {field}");
        }
    }
    let body = r#"{"content":[],"usage":{"input_tokens":"12","output_tokens":3.0}}"#;
    let Some(Event::Usage(usage)) = events(body).unwrap().into_iter().find(|e| matches!(e, Event::Usage(_))) else {
        panic!()
    };
    assert_eq!((usage.input, usage.output), (Some(12), Some(3)));
}

#[test]
fn absurd_counts_are_not_believed() {
    let body = r#"{"content":[],"usage":{"input_tokens":18446744073709551615,"cache_read_input_tokens":1e300,"output_tokens":2}}"#;
    let usage = &collect(&events(body).unwrap())["usage"];
    assert_eq!((usage["input_tokens"].as_u64(), usage["cache_read_input_tokens"].as_u64()), (Some(77), Some(0)));
}

#[test]
fn tool_input_becomes_an_object() {
    for (pieces, expected) in [
        (vec![], json!({})),
        (vec![""], json!({})),
        (vec!["null"], json!({})),
        (vec![r#"{\"a\":"#, r#"[1,2]}"#], json!({"a":[1,2]})),
        (vec![r#"\"{\\\"a\\\":1}\""#], json!({"a":1})),
        (vec![r#"{\"a\":"#], json!({"_raw":"{\"a\":"})),
        (vec!["[1]"], json!({"value":[1]})),
    ] {
        let mut events = vec![Event::ToolStart { slot: 3, id: text("a"), name: text("b") }];
        events.extend(pieces.into_iter().map(|p| Event::ToolInput { slot: 3, json: text(p) }));
        events.push(done(StopReason::ToolUse));
        assert_eq!(collect(&events)["content"][0]["input"], expected);
    }
}

#[test]
fn number_tokens_in_tool_input_survive() {
    let mut collector = Collector::new(head(), seal());
    collector.push(&Event::ToolStart { slot: 0, id: text("a"), name: text("b") });
    collector.push(&Event::ToolInput { slot: 0, json: text(r#"{\"n\":0.70,\"big\":12345678901234567890123}"#) });
    let body = String::from_utf8(collector.finish()).unwrap();
    assert!(body.contains(r#""input":{"n":0.70,"big":12345678901234567890123}"#), "{body}");
}

#[test]
fn a_collected_answer_has_no_empty_text_and_signed_thoughts() {
    let body = collect(&[
        Event::Start { id: Some(text("chatcmpl-9")), model: Some(text("k2-0905")), usage: Usage::default() },
        Event::Text(text("")),
        Event::Thinking(text("hm")),
        Event::Text(text("a")),
        Event::Text(text("b")),
        done(StopReason::EndTurn),
    ]);
    assert_eq!((&body["id"], &body["model"]), (&json!("msg_ours"), &json!("kimi-k2")));
    assert_eq!(body["content"].as_array().unwrap().len(), 2);
    assert_eq!(body["content"][1], json!({"type":"text","text":"ab"}));
    let signature = Text::plain(body["content"][0]["signature"].as_str().unwrap());
    assert_eq!(seal().open(&signature), Opened::Ours(SealedState { family: "moonshot".into(), details: None }));
}

#[test]
fn parallel_calls_keep_their_inputs_apart() {
    let body = collect(&[
        Event::ToolStart { slot: 0, id: text("a"), name: text("x") },
        Event::ToolStart { slot: 1, id: text("b"), name: text("y") },
        Event::ToolInput { slot: 0, json: text(r#"{\"k\":0}"#) },
        Event::ToolInput { slot: 1, json: text(r#"{\"k\":1}"#) },
        done(StopReason::EndTurn),
    ]);
    assert_eq!((&body["content"][0]["input"], &body["content"][1]["input"]), (&json!({"k":0}), &json!({"k":1})));
    assert_eq!(body["stop_reason"], "tool_use");
}

// ---- errors

#[test]
fn errors_are_told_apart_by_type_and_status() {
    let body = |kind: &str, message: &str| json!({"type":"error","error":{"type":kind,"message":message}}).to_string();
    let table = [
        (400, body("invalid_request_error", "max_tokens: must be positive"), ErrorKind::InvalidRequest, false),
        (
            400,
            body("invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
            ErrorKind::Billing,
            false,
        ),
        (
            400,
            body("invalid_request_error", "prompt is too long: 1 tokens > 0 maximum"),
            ErrorKind::ContextOverflow,
            false,
        ),
        (
            400,
            body("invalid_request_error", "Output blocked by content filtering policy"),
            ErrorKind::ContentPolicy,
            false,
        ),
        (401, body("authentication_error", "invalid x-api-key"), ErrorKind::Authentication, false),
        (402, body("billing_error", "pay"), ErrorKind::Billing, false),
        (403, body("permission_error", "no"), ErrorKind::Permission, false),
        (404, body("not_found_error", "model: claude-0"), ErrorKind::NotFound, false),
        (413, body("request_too_large", "big"), ErrorKind::TooLarge, false),
        (429, body("rate_limit_error", "slow"), ErrorKind::RateLimited, true),
        (500, body("api_error", "Internal server error"), ErrorKind::Api, true),
        (504, body("timeout_error", "late"), ErrorKind::Timeout, true),
        (529, body("overloaded_error", "Overloaded"), ErrorKind::Overloaded, true),
        (503, body("api_error", "cmek"), ErrorKind::Api, true),
        (502, String::new(), ErrorKind::Api, true),
        (503, "no healthy upstream".into(), ErrorKind::Overloaded, true),
        (
            402,
            r#"{"error":{"message":"Insufficient Balance","code":"invalid_request_error"}}"#.into(),
            ErrorKind::Billing,
            false,
        ),
        (422, r#"{"detail":"bad field"}"#.into(), ErrorKind::InvalidRequest, false),
        (404, r#"{"error":"model 'x' not found, try pulling it first"}"#.into(), ErrorKind::NotFound, false),
        (
            400,
            r#"{"error":{"message":"request (9000 tokens) exceeds the available context size (8192 tokens)"}}"#.into(),
            ErrorKind::ContextOverflow,
            false,
        ),
    ];
    for (status, body, kind, temporary) in table {
        let error = decode_error(status, body.as_bytes());
        assert_eq!((error.status, error.kind, error.temporary), (status, kind, temporary), "{body}");
        assert!(!error.message.is_empty());
    }
}

#[test]
fn googles_errors_before_claude_are_read_alone_and_in_a_list() {
    let error = r#"{"error":{"code":429,"message":"Quota exceeded for aiplatform.googleapis.com/online_prediction_input_tokens_per_minute_per_base_model","status":"RESOURCE_EXHAUSTED"}}"#;
    for body in [error.to_string(), format!("[{error}\n]")] {
        let read = decode_error(429, body.as_bytes());
        assert_eq!((read.status, read.kind), (429, ErrorKind::RateLimited), "{body}");
        assert!(read.message.starts_with("Quota exceeded for aiplatform"), "{}", read.message);
    }
}

#[test]
fn a_spend_limit_is_billing_and_stays() {
    let body = json!({"type":"error","error":{"type":"rate_limit_error","message":"You have reached it",
        "details":{"error_code":"enforced_spend_limit_reached"}}});
    let error = decode_error(429, body.to_string().as_bytes());
    assert_eq!((error.kind, error.temporary), (ErrorKind::Billing, false));
    assert_eq!(error.code.as_deref(), Some("enforced_spend_limit_reached"));
}

#[test]
fn the_numbers_of_an_overflow_are_read() {
    for (message, expected) in [
        ("prompt is too long: 210034 tokens > 200000 maximum", Some((210_034, 200_000))),
        ("prompt is too long: 1,210,034 tokens > 1,000,000 maximum", Some((1_210_034, 1_000_000))),
        (
            "input length and `max_tokens` exceed context limit: 190000 + 32000 > 200000, decrease input length",
            Some((222_000, 200_000)),
        ),
        ("prompt is too long", None),
    ] {
        let body = json!({"type":"error","error":{"type":"invalid_request_error","message":message}});
        let error = decode_error(400, body.to_string().as_bytes());
        assert_eq!((error.kind, error.overflow), (ErrorKind::ContextOverflow, expected), "{message}");
    }
}

#[test]
fn the_place_of_a_mistake_is_named() {
    for (message, expected) in [
        ("messages.1.content.0: Invalid `signature` in `thinking` block", Some("messages.1.content.0")),
        ("context_management: Extra inputs are not permitted", Some("context_management")),
        ("Overloaded: try later", None),
        ("this is: no place", None),
    ] {
        let body = json!({"error":{"message":message}}).to_string();
        assert_eq!(decode_error(400, body.as_bytes()).param.as_deref(), expected, "{message}");
    }
}

#[test]
fn web_pages_and_empty_bodies_give_a_short_message() {
    let page = b"<!DOCTYPE html>\n<html><head><TITLE>502 Bad Gateway</TITLE></head><body>long</body></html>";
    let error = decode_error(502, page);
    assert_eq!(error.message, "the upstream answered with status 502 and a web page: 502 Bad Gateway");
    assert_eq!(decode_error(500, b"").message, "the upstream answered with status 500 and an empty body");
    assert_eq!(decode_error(500, "é".repeat(5000).as_bytes()).message.len(), 4000);
    assert_eq!(decode_error(500, b"\xff\xfe").message, "\u{fffd}\u{fffd}");
}

#[test]
fn errors_are_written_in_anthropics_envelope() {
    for (kind, expected) in [
        (ErrorKind::InvalidRequest, "invalid_request_error"),
        (ErrorKind::ContentPolicy, "invalid_request_error"),
        (ErrorKind::Authentication, "authentication_error"),
        (ErrorKind::Billing, "billing_error"),
        (ErrorKind::Permission, "permission_error"),
        (ErrorKind::NotFound, "not_found_error"),
        (ErrorKind::TooLarge, "request_too_large"),
        (ErrorKind::RateLimited, "rate_limit_error"),
        (ErrorKind::Overloaded, "overloaded_error"),
        (ErrorKind::Timeout, "timeout_error"),
        (ErrorKind::Api, "api_error"),
    ] {
        let body = value(&encode_error(&PublicError::new(400, kind, "w\"\n"), "req_7"));
        assert_eq!(body, json!({"type":"error","error":{"type":expected,"message":"w\"\n"},"request_id":"req_7"}));
    }
}

#[test]
fn an_overflow_always_has_the_words_on_which_clients_compact() {
    for (message, expected) in [
        (
            "This model's maximum context length is 8192 tokens",
            "prompt is too long: This model's maximum context length is 8192 tokens",
        ),
        ("prompt is too long: 5 tokens > 4 maximum", "prompt is too long: 5 tokens > 4 maximum"),
        (
            "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
            "input length and `max_tokens` exceed context limit: 1 + 2 > 2",
        ),
    ] {
        let body = value(&encode_error(&PublicError::new(400, ErrorKind::ContextOverflow, message), "r"));
        assert_eq!(body["error"], json!({"type":"invalid_request_error","message":expected}));
    }
}

#[test]
fn no_cut_of_an_answer_or_an_error_panics() {
    for n in 0..ANSWER.len() {
        if let Some(cut) = ANSWER.get(..n) {
            assert!(events(cut).is_err() || cut.trim_end().ends_with('}'), "{n}");
            decode_error(500, cut.as_bytes());
        }
    }
}

proptest! {
    #[test]
    fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        _ = decode(&body, &mut |_| {});
        decode_error(500, &body);
    }
}
