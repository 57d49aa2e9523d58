use super::*;
use crate::AnswerHead;

fn read(body: &str) -> Result<Vec<Event<'static>>, AnswerError> {
    let mut events = Vec::new();
    decode(body.as_bytes(), &Quirks::default(), &mut |event| events.push(event.into_owned()))?;
    Ok(events)
}

#[test]
fn an_answer_of_nothing_is_empty() {
    assert_eq!(read(""), Err(AnswerError::Empty));
    assert_eq!(read(r#"{"choices":[]}"#), Err(AnswerError::Empty));
}

#[test]
fn an_error_inside_a_200_is_an_error() {
    let upstream = |body: &str| match read(body) {
        Err(AnswerError::Upstream(e)) => (e.status, e.kind, e.message.clone()),
        other => panic!("{other:?}"),
    };
    assert_eq!(
        upstream(
            r#"{"error":{"code":429,"message":"Provider returned error","metadata":{"provider_name":"Acme","raw":"{\"error\":{\"message\":\"slow down please\"}}"}},"user_id":"u"}"#
        ),
        (429, ErrorKind::RateLimited, "Provider returned error (Acme): slow down please".into())
    );
    assert_eq!(
        upstream(r#"{"id":"x","choices":null,"base_resp":{"status_code":1002,"status_msg":"rate limit"}}"#),
        (429, ErrorKind::RateLimited, "rate limit".into())
    );
}

#[test]
fn an_anthropic_answer_is_named_as_one() {
    let body = r#"{"id":"msg_1","type":"message","role":"assistant","content":[{"type":"text","text":"x"}],"usage":{"input_tokens":1}}"#;
    assert!(matches!(read(body), Err(AnswerError::Malformed(text)) if text.contains("Anthropic's Messages format")));
}

#[test]
fn an_empty_answer_and_calls_without_arguments_collect_to_valid_bodies() {
    let collect = |events: &[Event<'_>]| {
        let mut collector = Collector::new(AnswerHead { id: "1".into(), estimated_input: 9, ..AnswerHead::default() });
        events.iter().for_each(|e| collector.push(e));
        serde_json::from_slice::<serde_json::Value>(&collector.finish()).expect("JSON")
    };
    let empty = collect(&[]);
    assert_eq!(empty["choices"][0]["message"]["content"], "");
    assert_eq!(empty["usage"]["prompt_tokens"], 9);
    let call = collect(&[Event::ToolStart { slot: 0, id: Text::plain("a"), name: Text::plain("f") }]);
    assert_eq!(call["choices"][0]["message"]["content"], serde_json::Value::Null);
    assert_eq!(call["choices"][0]["message"]["tool_calls"][0]["function"]["arguments"], "{}");
}

#[test]
fn errors_are_written_in_openais_envelope() {
    let text = |kind, param: Option<&str>| {
        let mut error = PublicError::new(400, kind, "no \"x\"");
        error.param = param.map(Into::into);
        String::from_utf8(encode_error(&error)).expect("UTF-8")
    };
    assert_eq!(
        text(ErrorKind::InvalidRequest, Some("messages[0]")),
        r#"{"error":{"message":"no \"x\"","type":"invalid_request_error","param":"messages[0]","code":null}}"#
    );
    assert_eq!(
        text(ErrorKind::ContextOverflow, None),
        r#"{"error":{"message":"no \"x\"","type":"invalid_request_error","param":null,"code":"context_length_exceeded"}}"#
    );
    for (kind, code) in [
        (ErrorKind::Authentication, "invalid_api_key"),
        (ErrorKind::NotFound, "model_not_found"),
        (ErrorKind::RateLimited, "rate_limit_exceeded"),
        (ErrorKind::Billing, "insufficient_quota"),
        (ErrorKind::Overloaded, "server_is_overloaded"),
    ] {
        assert!(text(kind, None).ends_with(&format!("\"code\":\"{code}\"}}}}")), "{kind:?}");
    }
    let mut out = Vec::new();
    crate::openai_chat::stream::encode_error(&PublicError::new(500, ErrorKind::Api, "x"), &mut out);
    assert_eq!(
        out,
        b"data: {\"error\":{\"message\":\"x\",\"type\":\"server_error\",\"param\":null,\"code\":null}}\n\n"
    );
}
