use serde_json::{Value, json};

use super::*;
use crate::prompt::PromptCache;
use crate::script::{Answer, Finish};

fn with(name: &str, value: Value) -> Value {
    let mut body = json!({"model": "m", "store": false, "input": [{"role": "user", "content": "hi"}]});
    body[name] = value;
    body
}

fn user() -> Value {
    json!({"type": "message", "role": "user", "content": [{"type": "input_text", "text": "go"}]})
}

fn reasoning(summary: &str, content: &str) -> Value {
    json!({"type": "reasoning", "id": "rs_1", "summary": [{"type": "summary_text", "text": summary}], "encrypted_content": content})
}

fn call(id: &str) -> Value {
    json!({"type": "function_call", "call_id": id, "name": "f", "arguments": "{}"})
}

fn output(id: &str) -> Value {
    json!({"type": "function_call_output", "call_id": id, "output": "done"})
}

fn refused(body: &Value) -> Option<String> {
    check(body).err().map(|refusal| refusal.message)
}

#[test]
fn a_conversation_as_it_should_be_is_taken() {
    let thought = reasoning("hm", &encrypted("hm"));
    let said = json!({"role": "assistant", "content": [{"type": "output_text", "text": "so"}]});
    let items = json!([user(), thought, said, thought, call("a"), call("b"), output("b"), output("a"), user()]);
    assert_eq!(refused(&with("input", items)), None);
    assert_eq!(refused(&with("input", json!("hi"))), None);
}

#[test]
fn what_openai_refuses_is_refused_in_its_words() {
    let open = json!({"type": "object", "properties": {}});
    let tool = |more: Value| json!([{"type": "function", "name": "f", "parameters": open, "strict": more}]);
    let said = |content: Value| json!([user(), {"role": "assistant", "content": content}]);
    for (name, value, words) in [
        ("messages", json!([]), "Unknown parameter: 'messages'"),
        ("max_tokens", json!(5), "Unknown parameter: 'max_tokens'"),
        ("max_output_tokens", json!(15), "Expected a value >= 16"),
        ("previous_response_id", json!("resp_1"), "not found"),
        ("include", json!(["everything"]), "Invalid value"),
        ("reasoning", json!({"effort": "huge"}), "Invalid value"),
        ("text", json!({"format": {"type": "json_schema", "json_schema": {}}}), "Unknown parameter"),
        ("tools", tool(Value::Null), "additionalProperties"),
        ("tools", json!([{"type": "function", "function": {"name": "f"}}]), "Unknown parameter"),
        ("tool_choice", json!({"type": "function", "name": "g"}), "not found in 'tools'"),
        ("input", json!([]), "at least one item"),
        ("input", said(json!([{"type": "input_text", "text": "x"}])), "Supported values are: 'output_text'"),
        ("input", said(json!([])), "not empty"),
        ("input", json!([user(), call("a")]), "No tool output found for function call a"),
        ("input", json!([user(), output("a")]), "No tool call found"),
        ("input", json!([user(), reasoning("hm", &encrypted("hm"))]), "without its required following item"),
        ("input", json!([reasoning("hm", &encrypted("other")), call("a"), output("a")]), "could not be verified"),
        ("input", json!([{"type": "reasoning", "id": "rs_1", "summary": []}, call("a"), output("a")]), "not persisted"),
        ("input", json!([{"type": "message", "id": "item_1", "role": "user", "content": "x"}]), "begins with 'msg'"),
    ] {
        let found = refused(&with(name, value.clone())).unwrap_or_else(|| panic!("taken: {name} {value}"));
        assert!(found.contains(words), "{name} {value}: {found}");
    }
    assert_eq!(refused(&with("tools", tool(json!(false)))), None);
}

fn events(answer: Answer, body: &Value) -> Vec<Value> {
    let frames = frames(body, answer, &PromptCache::default());
    frames
        .map(|frame| {
            let event: Value = serde_json::from_str(&frame.data).unwrap();
            assert_eq!(frame.event, event["type"].as_str(), "the name of the frame is the type of the event");
            event
        })
        .collect()
}

#[test]
fn a_stream_has_the_documented_order_and_ends_with_the_whole_answer() {
    let answer = || Answer { piece_chars: 64, ..Answer::thinking("hm").and_text("hi").and_tool("t", "f", &json!({})) };
    let body = with("include", json!(["reasoning.encrypted_content"]));
    let events = events(answer(), &body);
    let kinds: Vec<&str> =
        events.iter().filter_map(|event| event["type"].as_str()?.strip_prefix("response.")).collect();
    let expected = [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ];
    assert_eq!(kinds, expected);
    assert!(events.iter().enumerate().all(|(i, event)| event["sequence_number"] == i));
    assert_eq!(events[18]["response"], whole(&body, &answer(), &PromptCache::default()));
    assert_eq!(events[7]["item"]["encrypted_content"], encrypted("hm"));
}

#[test]
fn a_script_cuts_filters_or_leaves_out_the_end() {
    let last = |finish| events(Answer::text("hi").finish(finish), &with("stream", json!(true))).pop().unwrap();
    let cut = last(Finish::Given("length".to_owned()));
    assert_eq!(
        (&cut["type"], &cut["response"]["incomplete_details"]["reason"]),
        (&json!("response.incomplete"), &json!("max_output_tokens"))
    );
    assert_eq!(last(Finish::Missing)["type"], "response.output_item.done");
    // Encrypted reasoning only for those who ask.
    let plain = whole(&with("stream", json!(false)), &Answer::thinking("hm"), &PromptCache::default());
    assert_eq!(plain["output"][0]["encrypted_content"], Value::Null);
}
