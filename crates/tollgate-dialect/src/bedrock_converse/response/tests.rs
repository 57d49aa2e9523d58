use crate::bedrock_converse::testing::told;
use crate::error::{AnswerError, ErrorKind};
use crate::event::Event;
use crate::quirks::Maker;
use crate::usage::Usage;

use super::*;

fn read(body: &str, maker: Maker) -> Result<Vec<Event<'_>>, AnswerError> {
    let mut events = Vec::new();
    decode(body.as_bytes(), maker, &mut |event| events.push(event))?;
    Ok(events)
}

/// As the API reference shows an answer.
const WHOLE: &str = r#"{"output":{"message":{"role":"assistant","content":[{"reasoningContent":{"reasoningText":{"text":"hm","signature":"Eq+/="}}},{"reasoningContent":{"redactedContent":"Em=="}},{"text":"Hi\n"},{"toolUse":{"toolUseId":"tooluse_1","name":"f","input":{"x":1}}}]}},"stopReason":"tool_use","usage":{"inputTokens":40,"outputTokens":10,"totalTokens":110,"cacheReadInputTokens":50,"cacheWriteInputTokens":10,"cacheDetails":[{"ttl":"1h","inputTokens":6},{"ttl":"5m","inputTokens":4}]},"metrics":{"latencyMs":7}}"#;

#[test]
fn a_whole_answer_gives_thoughts_text_calls_usage_and_finish() {
    let events = read(WHOLE, Maker::Anthropic).expect("good");
    assert_eq!(told(&events), "(hm)<Eq+/=>#Em==#Hi\n[tooluse_1=f{\"x\":1}]|ToolUse");
    let usage = events.iter().find_map(|event| if let Event::Usage(usage) = event { Some(*usage) } else { None });
    let expected = Usage {
        input: Some(40),
        cache_read: Some(50),
        cache_write: Some(10),
        cache_write_long: Some(6),
        output: Some(10),
        ..Usage::default()
    };
    assert_eq!(usage, Some(expected));
}

#[test]
fn another_makers_state_is_named_and_an_unknown_makers_dropped() {
    let amazons = told(&read(WHOLE, Maker::Amazon).expect("good"));
    assert!(amazons.starts_with(
        r#"(hm)<{"bedrock":{"maker":"amazon","signature":"Eq+/="}}><{"bedrock":{"maker":"amazon","redacted":"Em=="}}>Hi"#
    ));
    assert!(told(&read(WHOLE, Maker::Other).expect("good")).starts_with("(hm)Hi"));
}

#[test]
fn every_stop_reason_has_its_meaning_and_a_spoilt_answer_is_an_error() {
    let rows = [
        ("end_turn", "EndTurn"),
        ("max_tokens", "MaxTokens"),
        ("stop_sequence", "StopSequence"),
        ("model_context_window_exceeded", "ContextWindow"),
        ("guardrail_intervened", "Refusal"),
        ("content_filtered", "Refusal"),
        ("something_new", "EndTurn"),
    ];
    for (word, meaning) in rows {
        let body = format!(r#"{{"output":{{"message":{{"content":[{{"text":"a"}}]}}}},"stopReason":"{word}"}}"#);
        assert_eq!(told(&read(&body, Maker::Other).expect("good")), format!("a|{meaning}"));
    }
    for word in ["malformed_model_output", "malformed_tool_use"] {
        let body = format!(r#"{{"output":{{"message":{{"content":[]}}}},"stopReason":"{word}"}}"#);
        let Err(AnswerError::Upstream(error)) = read(&body, Maker::Other) else { panic!("{word}") };
        assert_eq!((error.kind, error.temporary), (ErrorKind::Api, true));
    }
}

#[test]
fn what_the_service_runs_itself_is_no_call_and_cited_text_is_text() {
    let body = r#"{"output":{"message":{"content":[{"toolUse":{"toolUseId":"a","name":"nova_grounding","type":"server_tool_use","input":{}}},{"toolResult":{"toolUseId":"a","content":[]}},{"citationsContent":{"content":[{"text":"so "},{"text":"it is"}],"citations":[{"title":"t"}]}},{"image":{"format":"png"}}]}},"stopReason":"end_turn"}"#;
    let expected = "so it is[the model made an image, which cannot be passed on]|EndTurn";
    assert_eq!(told(&read(body, Maker::Amazon).expect("good")), expected);
}

#[test]
fn what_is_no_answer_is_told_apart() {
    for body in ["<html>", "{", "{}", "[]", r#"{"choices":[]}"#, r#"{"output":{}}"#] {
        assert!(matches!(read(body, Maker::Other), Err(AnswerError::Malformed(_))), "{body}");
    }
    assert_eq!(read(" ", Maker::Other), Err(AnswerError::Empty));
    let error = r#"{"__type":"ThrottlingException","message":"slow"}"#;
    let Err(AnswerError::Upstream(error)) = read(error, Maker::Other) else { panic!("an error") };
    assert_eq!((error.status, error.kind), (429, ErrorKind::RateLimited));
}
