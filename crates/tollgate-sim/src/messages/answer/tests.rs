use serde_json::json;

use super::*;

fn request() -> Value {
    json!({"model": "m", "max_tokens": 10, "stream": true, "messages": [{"role": "user", "content": "x"}]})
}

fn events(answer: Answer) -> Vec<Value> {
    let frames = frames(&request(), answer, &PromptCache::default());
    frames
        .map(|frame| {
            let event: Value = serde_json::from_str(&frame.data).unwrap();
            assert_eq!(frame.event, event["type"].as_str(), "the name of the frame is the type of the event");
            event
        })
        .collect()
}

#[test]
fn a_stream_has_the_documented_order() {
    let answer =
        Answer { piece_chars: 64, ..Answer::thinking("hm").and_text("hi").and_tool("t1", "A", &json!({"x": 1})) };
    let events = events(answer);
    let types: Vec<&str> = events.iter().map(|event| event["type"].as_str().unwrap()).collect();
    let block = ["content_block_start", "content_block_delta", "content_block_stop"];
    let expected: Vec<&str> = [
        "message_start",
        "ping",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
    ]
    .into_iter()
    .chain(block)
    .chain(block)
    .chain(["message_delta", "message_stop"])
    .collect();
    assert_eq!(types, expected);
    assert_eq!(events[4]["delta"], json!({"type": "signature_delta", "signature": signature("hm")}));
    assert_eq!(events[9]["content_block"], json!({"type": "tool_use", "id": "t1", "name": "A", "input": {}}));
    assert_eq!(events[10]["delta"], json!({"type": "input_json_delta", "partial_json": "{\"x\":1}"}));
    assert_eq!(events[12]["delta"]["stop_reason"], "tool_use");
}

#[test]
fn usage_comes_in_every_odd_form() {
    let both = |usage| {
        let events = events(Answer::text("hello").usage(usage));
        let delta = events.iter().find(|event| event["type"] == "message_delta").unwrap();
        (events[0]["message"].get("usage").cloned(), delta.get("usage").cloned())
    };
    assert_eq!(both(Usage::Missing), (None, None));
    assert_eq!(both(Usage::Null), (Some(Value::Null), Some(Value::Null)));
    assert_eq!(both(Usage::Empty), (Some(json!({})), Some(json!({}))));
    assert_eq!(both(Usage::Strings).1.unwrap()["output_tokens"], "2");
    assert_eq!(both(Usage::Normal).1.unwrap()["output_tokens"], 2);
}

#[test]
fn what_was_marked_for_the_cache_is_read_from_it_the_next_time() {
    let prompts = PromptCache::default();
    let mut body = request();
    body["system"] = json!([{"type": "text", "text": "x".repeat(375), "cache_control": {"type": "ephemeral"}}]);
    let usage = |body: &Value| whole(body, &Answer::text("x"), &prompts)["usage"].clone();
    // A block of 400 bytes and one of 26: 106 tokens, of which 100 stand before the breakpoint.
    let first = usage(&body);
    assert_eq!(
        (&first["input_tokens"], &first["cache_creation_input_tokens"], &first["cache_read_input_tokens"]),
        (&json!(6), &json!(100), &json!(0))
    );
    let second = usage(&body);
    assert_eq!(
        (&second["input_tokens"], &second["cache_creation_input_tokens"], &second["cache_read_input_tokens"]),
        (&json!(6), &json!(0), &json!(100))
    );
}

#[test]
fn a_whole_message_holds_its_blocks() {
    let answer = Answer::thinking("hm").and_tool("t1", "A", &json!({"x": 1}));
    let message = whole(&request(), &answer, &PromptCache::default());
    assert_eq!(
        message["content"],
        json!([{"type": "thinking", "thinking": "hm", "signature": signature("hm")},
        {"type": "tool_use", "id": "t1", "name": "A", "input": {"x": 1}}])
    );
    assert_eq!(message["stop_reason"], "tool_use");
}
