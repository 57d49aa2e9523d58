use super::*;
use crate::openai_chat;

#[test]
fn codes_of_an_answer_that_failed_are_understood() {
    for (code, kind, temporary) in [
        ("server_error", ErrorKind::Api, true),
        ("rate_limit_exceeded", ErrorKind::RateLimited, true),
        ("invalid_prompt", ErrorKind::InvalidRequest, false),
        ("context_length_exceeded", ErrorKind::ContextOverflow, false),
        ("insufficient_quota", ErrorKind::Billing, false),
        ("bio_policy", ErrorKind::ContentPolicy, false),
        ("invalid_encrypted_content", ErrorKind::InvalidRequest, false),
    ] {
        let body = format!(
            r#"{{"id":"resp_1","object":"response","status":"failed","output":[],"error":{{"code":"{code}","message":"words"}}}}"#
        );
        let Err(AnswerError::Upstream(error)) = decode(body.as_bytes(), &mut |_| {}) else {
            panic!("{code}: no error")
        };
        assert_eq!((error.kind, error.temporary, &*error.message), (kind, temporary, "words"), "{code}");
    }
}

#[test]
fn the_codes_that_we_write_are_read_as_the_same_kind() {
    for kind in [ErrorKind::ContextOverflow, ErrorKind::Billing, ErrorKind::RateLimited, ErrorKind::Overloaded] {
        let (code, message) = failure(&PublicError::new(400, kind, "words"));
        let body = format!(r#"{{"error":{{"code":"{code}","message":"{message}"}}}}"#);
        let AnswerError::Upstream(error) = openai_chat::response::in_answer(body.as_bytes()) else { panic!("{code}") };
        assert_eq!(error.kind, kind);
    }
}

#[test]
fn what_is_no_answer_is_named() {
    let reads = |body: &str| decode(body.as_bytes(), &mut |_| {}).map_err(|e| e.to_string());
    assert_eq!(reads(" "), Err("the upstream sent an empty answer".into()));
    for body in ["<html>", "[]", "{}", r#"{"output":{}}"#, r#"{"output":null,"status":"completed"}"#] {
        assert!(reads(body).is_err_and(|e| e.starts_with("the upstream's answer cannot be read")), "{body}");
    }
    assert_eq!(reads(r#"{"error":{"message":"no"}}"#), Err("no".into()));
    assert_eq!(reads(r#"{"error":"no"}"#), Err("no".into()));
    assert_eq!(reads(r#"{"output":[],"error":{}}"#), Ok(()));
}

/// What an answer comes to: its texts, and why it ended.
fn ended(status: &str, details: &str, content: &str) -> (String, Option<crate::event::StopReason>) {
    let body = format!(
        r#"{{"id":"resp_1","object":"response","status":"{status}","incomplete_details":{details},"output":[{{"type":"message","role":"assistant","content":{content}}}]}}"#
    );
    let (mut texts, mut reason) = (String::new(), None);
    decode(body.as_bytes(), &mut |event| match event {
        Event::Text(text) => texts.push_str(&text.decode()),
        Event::Finish { reason: why, .. } => reason = Some(why),
        _ => {}
    })
    .expect("an answer");
    (texts, reason)
}

#[test]
fn an_incomplete_answer_never_looks_whole() {
    use crate::event::StopReason::{EndTurn, MaxTokens, Refusal};
    for (details, reason) in [
        (r#"{"reason":"max_output_tokens"}"#, MaxTokens),
        (r#"{"reason":"content_filter"}"#, Refusal),
        (r#"{"reason":"steered"}"#, EndTurn),
        (r#"{"reason":"of_tomorrow"}"#, MaxTokens),
        (r#"{"reason":null}"#, MaxTokens),
        ("null", MaxTokens),
    ] {
        assert_eq!(ended("incomplete", details, "[]").1, Some(reason), "{details}");
    }
}

#[test]
fn a_text_without_parts_is_read() {
    assert_eq!(ended("completed", "null", r#""Hello""#).0, "Hello");
}
