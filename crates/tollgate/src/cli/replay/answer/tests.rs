use serde_json::json;
use tollgate_store::capture::Answer;

use super::*;

fn said(status: u16, raw: &str) -> Said {
    let answer = Some(Answer { status, raw: raw.to_string(), ..Answer::default() });
    Said::of(&Exchange { dialect: "chat".into(), answer, ..Exchange::default() }, &Quirks::default())
}

fn chunk(delta: serde_json::Value, finish: Option<&str>) -> String {
    format!("data: {}\n\n", json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}))
}

#[test]
fn a_body_and_a_stream_say_the_same() {
    let call = json!({"id": "c", "type": "function", "function": {"name": "Read", "arguments": "{\"a\":1}"}});
    let mut indexed = call.clone();
    indexed["index"] = json!(0);
    let expected = Said {
        text: "Hi \"there\"".into(),
        thinking: String::new(),
        tools: vec![Call { name: "Read".into(), input: "{\"a\":1}".into() }],
        stop: Some("tool_use"),
    };
    let message = json!({"role": "assistant", "content": "Hi \"there\"", "tool_calls": [call]});
    let body = json!({"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]});
    assert_eq!(said(200, &body.to_string()), expected);
    let stream = [
        chunk(json!({"content": "Hi "}), None),
        chunk(json!({"content": "\"there\""}), None),
        chunk(json!({"tool_calls": [indexed]}), None),
        chunk(json!({}), Some("tool_calls")),
        "data: [DONE]\n\n".into(),
    ];
    assert_eq!(said(200, &stream.concat()), expected);
    let cut = said(200, &stream[..2].concat());
    assert_eq!((cut.text.as_str(), cut.stop), ("Hi \"there\"", None));
    assert_eq!(said(500, &body.to_string()), Said::default());
}
