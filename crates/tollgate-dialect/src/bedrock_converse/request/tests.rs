use serde_json::{Value, json};

use crate::Dialect;
use crate::bedrock_converse::testing::{asking, claude, encoded, from, of, seal, target, value};
use crate::json::{Json, Text};
use crate::quirks::{ConverseQuirks, Maker, Quirks, Replay, ThinkingType, ToolChoiceForms};
use crate::sealed::SealedState;

mod constraints;
mod state;

fn good(body: &Value, quirks: &Quirks) -> (Value, Vec<String>) {
    encoded(body, quirks).unwrap_or_else(|error| panic!("{error}"))
}

fn tool(name: &str) -> Value {
    json!({"name": name, "description": "d", "input_schema": {"type": "object", "properties": {"x": {"type": "integer"}}}})
}

/// A call and its result.
fn called() -> Value {
    json!([
        {"role": "user", "content": "go"},
        {"role": "assistant", "content": [{"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": 1}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "done"}]}
    ])
}

#[test]
fn an_ordinary_request_has_the_form_of_the_api_reference() {
    let (body, changes) = good(
        &json!({
            "model": "m", "max_tokens": 100, "temperature": 0.7, "stop_sequences": ["END"],
            "system": [{"type": "text", "text": "be kind"}],
            "messages": [
                {"role": "user", "content": [
                    {"type": "text", "text": "look"},
                    {"type": "image", "source": {"type": "base64", "media_type": "image/jpg", "data": "QUJD"}}]},
                {"role": "assistant", "content": [
                    {"type": "text", "text": "I see"},
                    {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"x": 1}}]},
                {"role": "user", "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "is_error": true, "content": [
                        {"type": "text", "text": "no"},
                        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": "QUJD"}}]},
                    {"type": "text", "text": "go on"}]}
            ],
            "tools": [tool("f")], "tool_choice": {"type": "tool", "name": "f"}
        }),
        &claude(),
    );
    assert_eq!(
        body,
        json!({
            "inferenceConfig": {"maxTokens": 100, "temperature": 0.7, "stopSequences": ["END"]},
            "additionalModelResponseFieldPaths": ["/stop_sequence"],
            "toolConfig": {
                "tools": [{"toolSpec": {"name": "f", "description": "d",
                    "inputSchema": {"json": {"type": "object", "properties": {"x": {"type": "integer"}}}}}}],
                "toolChoice": {"tool": {"name": "f"}}
            },
            "system": [{"text": "be kind"}],
            "messages": [
                {"role": "user", "content": [
                    {"text": "look"}, {"image": {"format": "jpeg", "source": {"bytes": "QUJD"}}}]},
                {"role": "assistant", "content": [
                    {"text": "I see"}, {"toolUse": {"toolUseId": "toolu_1", "name": "f", "input": {"x": 1}}}]},
                {"role": "user", "content": [
                    {"toolResult": {"toolUseId": "toolu_1", "status": "error", "content": [
                        {"text": "no"}, {"image": {"format": "png", "source": {"bytes": "QUJD"}}}]}},
                    {"text": "go on"}]}
            ]
        })
    );
    assert_eq!(changes, Vec::<String>::new());
}

#[test]
fn a_cache_point_stands_behind_the_block_that_it_closes() {
    let mark = json!({"type": "ephemeral"});
    let long = json!({"type": "ephemeral", "ttl": "1h"});
    let mut marked = tool("f");
    marked["cache_control"] = long.clone();
    let request = asking(json!({
        "system": [{"type": "text", "text": "a", "cache_control": mark}, {"type": "text", "text": "b"}],
        "tools": [marked],
        "messages": [{"role": "user", "content": [
            {"type": "text", "text": "x", "cache_control": mark}, {"type": "text", "text": "y"}]}]
    }));
    let short = json!({"cachePoint": {"type": "default"}});
    let hour = json!({"cachePoint": {"type": "default", "ttl": "1h"}});
    let (body, _) = good(&request, &claude());
    assert_eq!(body["system"], json!([{"text": "a"}, short, {"text": "b"}]));
    assert_eq!(body["toolConfig"]["tools"][1], hour);
    assert_eq!(body["messages"][0]["content"], json!([{"text": "x"}, short, {"text": "y"}]));

    let mut without_ttl = claude();
    without_ttl.messages.refuses.push("cache_control.ttl".into());
    assert_eq!(good(&request, &without_ttl).0["toolConfig"]["tools"][1], short);

    let (body, _) = good(&request, &of(Maker::Other));
    assert!(!body.to_string().contains("cachePoint"), "{body}");
}

#[test]
fn a_mark_inside_a_result_closes_the_result() {
    let mut messages = called();
    messages[2]["content"][0]["content"] =
        json!([{"type": "text", "text": "done", "cache_control": {"type": "ephemeral"}}]);
    let (body, _) = good(&asking(json!({"messages": messages, "tools": [tool("f")]})), &claude());
    assert_eq!(
        body["messages"][2]["content"],
        json!([{"toolResult": {"toolUseId": "toolu_1", "content": [{"text": "done"}]}}, {"cachePoint": {"type": "default"}}])
    );
}

#[test]
fn the_choice_among_tools_is_said_dropped_or_softened() {
    let asked = |choice: Value, quirks: &Quirks| {
        let (body, changes) = good(&asking(json!({"tools": [tool("f")], "tool_choice": choice})), quirks);
        (body["toolConfig"]["toolChoice"].clone(), body["system"][0]["text"].clone(), changes)
    };
    let none = || (Value::Null, Value::Null, Vec::new());
    assert_eq!(asked(json!({"type": "auto"}), &claude()), none());
    assert_eq!(asked(json!({"type": "any"}), &claude()).0, json!({"any": {}}));
    let only_auto = Quirks { tool_choice: ToolChoiceForms::AutoNone, ..claude() };
    let (choice, told, changes) = asked(json!({"type": "any"}), &only_auto);
    assert_eq!((choice, changes), (Value::Null, vec!["softened:tool_choice".to_string()]));
    assert_eq!(told, "You must call a tool in this answer.");
    // No tool may be called and none was: then there are none.
    let (body, changes) = good(&asking(json!({"tools": [tool("f")], "tool_choice": {"type": "none"}})), &claude());
    assert_eq!((&body["toolConfig"], changes), (&Value::Null, Vec::new()));
    // With calls in the conversation they must stay.
    let request = asking(json!({"messages": called(), "tools": [tool("f")], "tool_choice": {"type": "none"}}));
    let (body, changes) = good(&request, &claude());
    assert_eq!(body["toolConfig"]["tools"][0]["toolSpec"]["name"], "f");
    assert_eq!(body["toolConfig"]["toolChoice"], Value::Null);
    assert_eq!(body["system"][0]["text"], "Do not call any tool in this answer.");
    assert_eq!(changes, ["softened:tool_choice"]);
}

#[test]
fn claude_is_not_forced_to_a_tool_while_it_thinks_on_a_budget() {
    let request = asking(json!({"max_tokens": 9000, "thinking": {"type": "enabled", "budget_tokens": 2048},
        "tools": [tool("f")], "tool_choice": {"type": "any"}}));
    let (body, changes) = good(&request, &claude());
    assert_eq!(body["toolConfig"]["toolChoice"], Value::Null);
    assert_eq!(changes, ["softened:tool_choice"]);
}

#[test]
fn claude_that_thinks_as_much_as_it_likes_is_forced_where_it_takes_that() {
    let request = asking(json!({"max_tokens": 9000, "thinking": {"type": "adaptive"},
        "tools": [tool("f")], "tool_choice": {"type": "any"}}));
    let (body, changes) = good(&request, &claude());
    assert_eq!(body["additionalModelRequestFields"]["thinking"]["type"], "adaptive");
    assert_eq!((&body["toolConfig"]["toolChoice"], changes), (&json!({"any": {}}), Vec::new()));
    let refuses = Quirks { forced_tool_while_thinking: false, ..claude() };
    let (body, changes) = good(&request, &refuses);
    assert_eq!(body["toolConfig"]["toolChoice"], Value::Null);
    assert_eq!(changes, ["softened:tool_choice"]);
}

#[test]
fn tools_that_are_gone_have_a_stand_in() {
    let (body, changes) = good(&asking(json!({"messages": called()})), &claude());
    assert_eq!(body["toolConfig"]["tools"].as_array().map(Vec::len), Some(1));
    assert_eq!(changes, ["rewritten:tools"]);
}

#[test]
fn claudes_own_parameters_go_into_the_additional_fields() {
    let request = asking(json!({"max_tokens": 9000, "top_k": 5, "anthropic_beta":
        ["context-1m-2025-08-07", "interleaved-thinking-2025-05-14", "claude-code-20250219"]}));
    let (body, changes) = good(&request, &claude());
    assert_eq!(body["additionalModelRequestFields"], json!({"anthropic_beta": ["context-1m-2025-08-07"], "top_k": 5}));
    assert_eq!(changes, ["dropped:anthropic-beta"]);

    let request = asking(json!({"max_tokens": 9000, "temperature": 0.5, "top_k": 5,
        "thinking": {"type": "enabled", "budget_tokens": 2048}}));
    let (body, changes) = good(&request, &claude());
    assert_eq!(body["additionalModelRequestFields"], json!({"thinking": {"type": "enabled", "budget_tokens": 2048}}));
    assert_eq!(body["inferenceConfig"], json!({"maxTokens": 9000}));
    assert_eq!(changes, ["dropped:temperature", "dropped:top_k"]);

    let mut adaptive = claude();
    adaptive.messages.thinking = vec![ThinkingType::Adaptive];
    let request = asking(json!({"thinking": {"type": "adaptive"}, "output_config": {"effort": "high"}}));
    let (body, _) = good(&request, &adaptive);
    assert_eq!(body["additionalModelRequestFields"], json!({"thinking": {"type": "adaptive"}}));
    assert_eq!(body["outputConfig"], json!({"effort": "high"}));
}

#[test]
fn a_computer_is_anthropics_own_tool_under_its_beta() {
    let computer =
        json!({"type": "computer_20251124", "name": "computer", "display_width_px": 800, "display_height_px": 600});
    let request = asking(json!({"tools": [computer, {"type": "bash_20250124", "name": "bash"}]}));
    let (body, changes) = good(&request, &claude());
    assert_eq!(
        body["additionalModelRequestFields"],
        json!({"anthropic_beta": ["computer-use-2025-11-24"], "tools": [computer]})
    );
    assert_eq!(body["toolConfig"]["tools"][0]["toolSpec"]["name"], "bash");
    assert_eq!(changes, Vec::<String>::new());
    let error = encoded(&asking(json!({"tools": [computer]})), &of(Maker::Other)).expect_err("no such tool");
    assert!(error.contains("computer"), "{error}");
}

#[test]
fn other_makers_are_told_in_their_own_words_how_much_to_think() {
    let asked = |effort: &str, maker: Maker| {
        let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "reasoning_effort": effort, "top_k": 5});
        let (body, changes) = from(Dialect::Chat, &body, &of(maker)).expect("good");
        (body["additionalModelRequestFields"].clone(), changes)
    };
    let topk = json!({"topK": 5});
    assert_eq!(
        asked("xhigh", Maker::Amazon),
        (
            json!({"inferenceConfig": topk, "reasoningConfig": {"type": "enabled", "maxReasoningEffort": "high"}}),
            vec!["clamped:effort".to_string()]
        )
    );
    assert_eq!(
        asked("none", Maker::Amazon).0,
        json!({"inferenceConfig": topk, "reasoningConfig": {"type": "disabled"}})
    );
    let no_top_k = || "dropped:top_k".to_string();
    assert_eq!(asked("low", Maker::Openai), (json!({"reasoning_effort": "low"}), vec![no_top_k()]));
    assert_eq!(asked("low", Maker::Other), (Value::Null, vec!["dropped:thinking".to_string(), no_top_k()]));
}

#[test]
fn a_schema_for_the_answer_goes_as_a_string_or_in_words() {
    let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": false});
    let format = json!({"type": "json_schema", "json_schema": {"name": "n", "description": "d", "schema": schema}});
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "response_format": format});
    let (up, changes) = from(Dialect::Chat, &body, &claude()).expect("good");
    let definition = &up["outputConfig"]["textFormat"]["structure"]["jsonSchema"];
    assert_eq!(up["outputConfig"]["textFormat"]["type"], "json_schema");
    assert_eq!(value(definition["schema"].as_str().expect("a string").as_bytes()), schema);
    assert_eq!((&definition["name"], &definition["description"]), (&json!("n"), &json!("d")));
    assert_eq!(changes, Vec::<String>::new());
    let plain = Quirks { response_format: crate::quirks::ResponseFormat::None, ..claude() };
    let (up, changes) = from(Dialect::Chat, &body, &plain).expect("good");
    assert_eq!(up["outputConfig"], Value::Null);
    assert!(up["system"][0]["text"].as_str().is_some_and(|text| text.contains("JSON Schema")));
    assert_eq!(changes, ["textualised:response_format"]);
}

#[test]
fn who_asks_and_in_which_tier_stands_beside_the_messages() {
    let request = asking(json!({"metadata": {"user_id": "user_1-a"}, "service_tier": "standard_only"}));
    let (body, changes) = good(&request, &claude());
    assert_eq!(body["requestMetadata"], json!({"user_id": "user_1-a"}));
    assert_eq!(body["serviceTier"], json!({"type": "default"}));
    assert_eq!(changes, Vec::<String>::new());

    let chat = |more: Value| {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        for (name, value) in more.as_object().expect("fields") {
            body[name] = value.clone();
        }
        from(Dialect::Chat, &body, &claude())
    };
    let (body, changes) = chat(json!({"metadata": {"a": "b", "c": "{no}"}, "user": "né", "service_tier": "auto",
        "performanceConfig": {"latency": "optimized"}, "additionalModelRequestFields": {"x": 1}}))
    .expect("good");
    assert_eq!(body["requestMetadata"], json!({"a": "b"}));
    assert_eq!(body["serviceTier"], Value::Null);
    assert_eq!(body["performanceConfig"], json!({"latency": "optimized"}));
    assert_eq!(body["additionalModelRequestFields"], json!({"x": 1}));
    assert_eq!(changes, ["dropped:metadata"]);

    let error = chat(json!({"seed": 7})).expect_err("refused");
    assert!(error.starts_with("seed: not supported by bedrock/"), "{error}");
}

#[test]
fn more_metadata_than_the_service_takes_is_reported() {
    let many: Value = (0..20).map(|n| (format!("k{n:02}"), json!("v"))).collect::<serde_json::Map<_, _>>().into();
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}], "metadata": many, "user": "u"});
    let (up, changes) = from(Dialect::Chat, &body, &claude()).expect("good");
    assert_eq!(up["requestMetadata"].as_object().map(serde_json::Map::len), Some(16));
    assert_eq!(changes, ["dropped:metadata"]);
}

/// The conversation's bytes never change as it grows.
#[test]
fn s13_each_turn_begins_with_the_bytes_of_the_turn_before() {
    let all = json!([
        {"role": "user", "content": [{"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "a"}}]},
        {"role": "assistant", "content": [{"type": "text", "text": "one "}, {"type": "tool_use", "id": "a b", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a b", "content": []}]},
        {"role": "assistant", "content": [{"type": "text", "text": "two"}, {"type": "tool_use", "id": "a b", "name": "f", "input": {}}]},
        {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a b", "content": "x"},
            {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "b"}}]}
    ]);
    let mut before: Option<String> = None;
    for length in [1, 3, 5] {
        let messages: Vec<Value> = all.as_array().expect("a list")[..length].to_vec();
        let bytes = asking(json!({"messages": messages, "tools": [tool("f")]})).to_string();
        let (quirks, seal) = (claude(), seal());
        let request = crate::decode_request(Dialect::Messages, bytes.as_bytes()).expect("good");
        let body = crate::encode_request(Dialect::Converse, &request, &target(&quirks, &seal)).expect("good").body;
        let body = String::from_utf8(body).expect("UTF-8");
        if let Some(before) = before {
            let kept = before.strip_suffix("]}").expect("messages are last");
            assert!(body.starts_with(kept), "{body}\n{kept}");
        }
        before = Some(body);
    }
}
