//! Tool calling in two turns: parallel calls, results with images, forced choices.

use serde_json::{Value, json};
use tollgate_sim::{Answer, Match, Step};

use crate::desk::{CHAT, CLAUDE, Desk, Sdk, ask, good};
use crate::support::isolated;

/// One pixel.
const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

fn schema() -> Value {
    json!({"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]})
}

/// Two calls at once, then, once the results are there, a text.
async fn weather_desk() -> Desk {
    let calls = Answer::text("I will look.")
        .and_tool("call_a", "weather", &json!({"city": "Zürich \"old\" town"}))
        .and_tool("call_b", "weather", &json!({"city": "Oslo"}));
    let there = |there| Match { has_tool_result: Some(there), ..Match::default() };
    Desk::script([
        Step::answer(calls).when(there(false)).always(),
        Step::text("Sunny in both.").when(there(true)).always(),
    ])
    .await
}

#[test]
fn parallel_calls_of_the_anthropic_sdk_and_their_results_go_through_both_upstreams() {
    isolated(|| async {
        let desk = weather_desk().await;
        let tools = json!([{"name": "weather", "description": "Of a city.", "input_schema": schema()}]);
        let results = json!([
            {"type": "tool_result", "tool_use_id": "call_a", "content": [{"type": "text", "text": "see"},
                {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}}]},
            {"type": "tool_result", "tool_use_id": "call_b", "content": "no such city", "is_error": true},
            {"type": "text", "text": "So?"}]);
        for model in [CHAT, CLAUDE] {
            for (nth, how) in ["create", "stream"].into_iter().enumerate() {
                let first = json!({"model": model, "max_tokens": 100, "tools": tools, "messages": ask("weather?")});
                let second = json!({"model": model, "max_tokens": 100, "tools": tools, "messages": [
                    {"role": "user", "content": "weather?"}, {"role": "assistant", "content": {"$content": 0}},
                    {"role": "user", "content": results}]});
                let told =
                    desk.calls(Sdk::Anthropic, json!([{"do": how, "args": first}, {"do": how, "args": second}])).await;
                let message = &good(&told[0])["message"];
                assert_eq!(message["stop_reason"], "tool_use", "{model} {how}");
                let call = |block: &Value| json!([block["type"], block["id"], block["name"], block["input"]]);
                assert_eq!(message["content"][0]["text"], "I will look.");
                assert_eq!(
                    call(&message["content"][1]),
                    json!(["tool_use", "call_a", "weather", {"city": "Zürich \"old\" town"}]),
                    "{model} {how}"
                );
                assert_eq!(call(&message["content"][2]), json!(["tool_use", "call_b", "weather", {"city": "Oslo"}]));
                assert_eq!(good(&told[1])["message"]["content"][0]["text"], "Sunny in both.", "{model} {how}");
                let sent = desk.sent();
                let second = &sent[if model == CHAT { 0 } else { 4 } + 2 * nth + 1];
                if model == CHAT {
                    chat_turns(second);
                } else {
                    assert_eq!(second["messages"][2]["content"], results);
                }
            }
        }
    });
}

/// The second turn as a chat server wants it: the calls, their results in order, then what else the user sent.
fn chat_turns(body: &Value) {
    let messages = body["messages"].as_array().expect("messages");
    let roles: Vec<&str> = messages.iter().filter_map(|message| message["role"].as_str()).collect();
    assert_eq!(roles, ["user", "assistant", "tool", "tool", "user"], "{body:#}");
    let calls = messages[1]["tool_calls"].as_array().expect("calls");
    let arguments: Value =
        serde_json::from_str(calls[0]["function"]["arguments"].as_str().unwrap_or_default()).expect("JSON");
    assert_eq!(arguments, json!({"city": "Zürich \"old\" town"}));
    assert_eq!((&messages[2]["tool_call_id"], &messages[3]["tool_call_id"]), (&json!("call_a"), &json!("call_b")));
    assert!(messages[2].to_string().contains("see"), "{:#}", messages[2]);
    let failed = messages[3].to_string();
    assert!(failed.contains("Error") && failed.contains("no such city"), "is_error is told in words: {failed}");
    let rest = messages[4].to_string();
    assert!(rest.contains(&format!("data:image/png;base64,{PNG}")), "the image follows the results: {rest}");
    assert!(rest.contains("call_a") && rest.contains("So?"), "{rest}");
}

#[test]
fn parallel_calls_of_the_openai_sdk_and_their_results_go_through_both_upstreams() {
    isolated(|| async {
        let desk = weather_desk().await;
        let tools = json!([{"type": "function", "function": {"name": "weather", "description": "Of a city.", "parameters": schema()}}]);
        for model in [CHAT, CLAUDE] {
            for (nth, how) in ["create", "stream"].into_iter().enumerate() {
                let first = json!({"model": model, "max_tokens": 100, "tools": tools, "messages": ask("weather?")});
                let second = json!({"model": model, "max_tokens": 100, "tools": tools, "messages": [
                    {"role": "user", "content": "weather?"}, {"$message": 0},
                    {"role": "tool", "tool_call_id": "call_a", "content": "sun"},
                    {"role": "tool", "tool_call_id": "call_b", "content": "sun too"}]});
                let told =
                    desk.calls(Sdk::OpenAi, json!([{"do": how, "args": first}, {"do": how, "args": second}])).await;
                let choice = &good(&told[0])["answer"]["choices"][0];
                assert_eq!(choice["finish_reason"], "tool_calls", "{model} {how}");
                let calls = &choice["message"]["tool_calls"];
                assert_eq!((&calls[0]["id"], &calls[1]["id"]), (&json!("call_a"), &json!("call_b")), "{model} {how}");
                let arguments: Value =
                    serde_json::from_str(calls[0]["function"]["arguments"].as_str().unwrap_or_default()).expect("JSON");
                assert_eq!(arguments, json!({"city": "Zürich \"old\" town"}), "{model} {how}");
                assert_eq!(good(&told[1])["answer"]["choices"][0]["message"]["content"], "Sunny in both.");
                let sent = desk.sent();
                let body = &sent[if model == CHAT { 0 } else { 4 } + 2 * nth + 1];
                if model == CLAUDE {
                    let turns = body["messages"].as_array().expect("messages");
                    assert_eq!(turns.len(), 3, "{body:#}");
                    assert_eq!(turns[1]["content"][2]["input"], json!({"city": "Oslo"}));
                    let results = turns[2]["content"].as_array().expect("blocks");
                    let ids: Vec<&Value> = results.iter().map(|block| &block["tool_use_id"]).collect();
                    assert_eq!(ids, ["call_a", "call_b"], "both results in one message: {body:#}");
                }
            }
        }
    });
}

#[test]
fn the_choice_of_a_tool_is_said_in_the_words_of_the_upstream() {
    isolated(|| async {
        let desk = Desk::script([]).await;
        let tools = json!([{"name": "look", "input_schema": {"type": "object"}}]);
        let choices = [
            (json!({"type": "any"}), json!("required")),
            (json!({"type": "auto"}), json!("auto")),
            (json!({"type": "none"}), json!("none")),
            (json!({"type": "tool", "name": "look"}), json!({"type": "function", "function": {"name": "look"}})),
        ];
        let call = |choice: &Value| {
            json!({"do": "create", "args": {"model": CHAT, "max_tokens": 9, "tools": tools,
            "tool_choice": choice, "messages": ask("x")}})
        };
        let calls: Vec<Value> = choices.iter().map(|(messages, _)| call(messages)).collect();
        let single = call(&json!({"type": "auto", "disable_parallel_tool_use": true}));
        let told = desk.calls(Sdk::Anthropic, calls.into_iter().chain([single]).collect()).await;
        told.iter().for_each(|told| {
            good(told);
        });
        let sent = desk.sent();
        for ((_, chat), body) in choices.iter().zip(&sent) {
            assert_eq!(&body["tool_choice"], chat);
        }
        assert_eq!(sent[4]["parallel_tool_calls"], false);

        let tools = json!([{"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}]);
        let call = |choice: &Value| {
            json!({"do": "create", "args": {"model": CLAUDE, "max_tokens": 9, "tools": tools,
            "tool_choice": choice, "messages": ask("x")}})
        };
        let calls: Vec<Value> = choices.iter().map(|(_, chat)| call(chat)).collect();
        desk.calls(Sdk::OpenAi, calls.into()).await.iter().for_each(|told| {
            good(told);
        });
        for ((messages, _), body) in choices.iter().zip(&desk.sent()[5..]) {
            // `auto` is what Anthropic does without the field.
            if messages["type"] != "auto" || !body["tool_choice"].is_null() {
                assert_eq!(&body["tool_choice"], messages);
            }
        }
    });
}
