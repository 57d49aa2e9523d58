use serde_json::json;

use super::*;

fn request() -> Value {
    json!({"model": "m", "stream": true, "stream_options": {"include_usage": true}, "messages": [{"role": "user", "content": "x"}]})
}

/// The chunks of a stream, which must end with its marker.
fn chunks(answer: Answer) -> Vec<Value> {
    let mut frames: Vec<Frame> = frames(&request(), answer, &PromptCache::default()).collect();
    assert_eq!(frames.pop().unwrap().data, "[DONE]");
    frames.iter().map(|frame| serde_json::from_str(&frame.data).unwrap()).collect()
}

/// The deltas of tool calls.
fn calls(answer: Answer) -> Vec<Value> {
    let deltas = chunks(answer).into_iter().map(|chunk| chunk["choices"][0]["delta"]["tool_calls"][0].clone());
    deltas.filter(|delta| !delta.is_null()).collect()
}

fn two_calls() -> Answer {
    Answer { piece_chars: 4, ..Answer::tool("c1", "A", &json!({"x": 1})).and_tool("c2", "B", &json!({"y": 2})) }
}

#[test]
fn a_text_comes_as_role_pieces_finish_and_usage() {
    let chunks = chunks(Answer { piece_chars: 3, ..Answer::text("hällo") });
    let deltas: Vec<&Value> = chunks.iter().map(|chunk| &chunk["choices"][0]["delta"]).collect();
    assert_eq!(deltas[0], &json!({"role": "assistant", "content": ""}));
    assert_eq!(deltas[1..3], [&json!({"content": "häl"}), &json!({"content": "lo"})]);
    assert_eq!(chunks[3]["choices"][0]["finish_reason"], "stop");
    assert_eq!(chunks[4]["choices"], json!([]));
    assert_eq!(chunks[4]["usage"]["completion_tokens"], 2, "six bytes of text");
    assert!(chunks[..4].iter().all(|chunk| chunk["usage"].is_null()));
}

#[test]
fn calls_come_head_first_and_one_after_the_other() {
    let calls = calls(two_calls());
    assert_eq!(
        calls[0],
        json!({"index": 0, "id": "c1", "type": "function", "function": {"name": "A", "arguments": ""}})
    );
    assert_eq!(calls[1], json!({"index": 0, "function": {"arguments": "{\"x\""}}));
    assert_eq!(calls[2], json!({"index": 0, "function": {"arguments": ":1}"}}));
    assert_eq!(calls[3]["id"], "c2");
    assert_eq!(chunks(two_calls()).iter().rev().nth(1).unwrap()["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn deviations_of_tool_calls_are_played() {
    let indexes =
        |form| calls(two_calls().tool_deltas(form)).iter().map(|call| call["index"].clone()).collect::<Vec<_>>();
    assert_eq!(indexes(ToolDeltas::Interleaved), [0, 1, 0, 1, 0, 1].map(Value::from));
    assert_eq!(indexes(ToolDeltas::NoIndex), vec![Value::Null; 6]);
    let ids = |form| calls(two_calls().tool_deltas(form)).iter().map(|call| call["id"].clone()).collect::<Vec<_>>();
    assert_eq!(ids(ToolDeltas::NoId), vec![Value::Null; 6]);
    assert_eq!(ids(ToolDeltas::EmptyId)[0], "");
    assert_eq!(ids(ToolDeltas::Repeated), ["c1", "c1", "c1", "c2", "c2", "c2"].map(Value::from));
    let whole = calls(two_calls().tool_deltas(ToolDeltas::Whole));
    assert_eq!(whole.len(), 2);
    assert_eq!(whole[1]["function"], json!({"name": "B", "arguments": "{\"y\":2}"}));
    let odd = |arguments| Part::Tool(ToolCall { id: "c".to_owned(), name: "A".to_owned(), arguments });
    let object = calls(Answer::default().and(odd(Arguments::Object(json!({"x": 1})))));
    assert_eq!(object[0]["function"]["arguments"], json!({"x": 1}));
    assert!(calls(Answer::default().and(odd(Arguments::Missing)))[0]["function"].get("arguments").is_none());
}

#[test]
fn thinking_comes_in_the_field_of_the_vendor() {
    let answer = |form| Answer { piece_chars: 64, ..Answer::thinking("hm").thinking_as(form) };
    let first = |form| chunks(answer(form))[1]["choices"][0]["delta"].clone();
    assert_eq!(first(Thinking::ReasoningContent), json!({"reasoning_content": "hm"}));
    assert_eq!(first(Thinking::Reasoning), json!({"reasoning": "hm"}));
    assert_eq!(first(Thinking::Details)["reasoning_details"][0]["text"], "hm");
    assert_eq!(first(Thinking::Tags), json!({"content": "<think>hm</think>"}));
}

#[test]
fn usage_comes_in_every_odd_form() {
    let last = |usage| chunks(Answer::text("hello").usage(usage)).pop().unwrap();
    let with_choice = |chunk: &Value| chunk["choices"][0].is_object();
    assert!(with_choice(&last(Usage::Missing)));
    assert!(last(Usage::Null).get("usage").is_some_and(Value::is_null));
    assert_eq!(last(Usage::Empty)["usage"], json!({}));
    assert_eq!(last(Usage::Strings)["usage"]["completion_tokens"], "2");
    assert_eq!(last(Usage::Floats)["usage"]["completion_tokens"], 2.5);
    assert_eq!(last(Usage::TotalOnly)["usage"].as_object().unwrap().len(), 1);
    assert_eq!(last(Usage::Exact(json!(7)))["usage"], 7);
    assert!(with_choice(&last(Usage::OnFinish)) && last(Usage::OnFinish)["usage"].is_object());
    let every = chunks(Answer::text("hello").usage(Usage::EveryChunk));
    assert!(every.iter().all(|chunk| chunk["usage"]["completion_tokens"] == 2));
}

#[test]
fn a_finish_can_be_odd_null_or_missing() {
    let reason = |finish| chunks(Answer::text("x").finish(finish))[2]["choices"][0]["finish_reason"].clone();
    assert_eq!(reason(Finish::Given("eos".to_owned())), "eos");
    assert_eq!(reason(Finish::Null), Value::Null);
    assert_eq!(chunks(Answer::text("x").finish(Finish::Missing)).len(), 3, "role, text, usage");
}

#[test]
fn a_json_answer_holds_text_thinking_and_calls() {
    let answer = Answer::thinking("hm").and_text("hi").and_tool("c1", "A", &json!({"x": 1}));
    let whole = whole(&request(), &answer, &PromptCache::default());
    let expected = json!({"role": "assistant", "content": "hi", "reasoning_content": "hm", "tool_calls":
        [{"id": "c1", "type": "function", "function": {"name": "A", "arguments": "{\"x\":1}"}}]});
    assert_eq!(whole["choices"][0]["message"], expected);
    assert_eq!(whole["choices"][0]["finish_reason"], "tool_calls");
}

#[test]
fn the_next_turn_finds_its_prefix_cached() {
    let prompts = PromptCache::default();
    let cached = |body: &Value| {
        whole(body, &Answer::text("x"), &prompts)["usage"]["prompt_tokens_details"]["cached_tokens"].clone()
    };
    let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "x".repeat(400)}]});
    assert_eq!(cached(&body), 0);
    body["messages"].as_array_mut().unwrap().push(json!({"role": "assistant", "content": "y"}));
    // `null` for the tools, `[`, 27 bytes of frame, 2 of quotes, and 400 letters: 433 bytes.
    assert_eq!(cached(&body), 108);
    body["messages"][0]["content"] = json!("z");
    assert!(cached(&body).as_u64().unwrap() < 20);
}

#[test]
fn huge_arguments_are_valid_json_of_the_given_size() {
    let part = Part::HugeTool { id: "c".to_owned(), name: "Write".to_owned(), bytes: 100_000 };
    let calls = calls(Answer::default().and(part));
    let text: String = calls.iter().filter_map(|call| call["function"]["arguments"].as_str()).collect();
    let value: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(value["content"].as_str().unwrap().len(), 100_000);
}
