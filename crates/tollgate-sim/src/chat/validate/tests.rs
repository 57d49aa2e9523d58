use serde_json::{Value, json};

use super::*;

fn strict() -> Strictness {
    Strictness::default()
}

fn tool(name: &str) -> Value {
    json!({"type": "function", "function": {"name": name, "description": "x",
        "parameters": {"$schema": "http://json-schema.org/draft-07/schema#", "type": "object", "properties": {}}}})
}

fn call(id: &str) -> Value {
    json!({"id": id, "type": "function", "function": {"name": "Read", "arguments": "{\"file_path\":\"a\"}"}})
}

fn result(id: &str) -> Value {
    json!({"role": "tool", "tool_call_id": id, "content": "ok"})
}

/// A request with these messages.
fn saying(messages: Value) -> Value {
    json!({"model": "m", "messages": messages})
}

/// A one-message request with this field beside.
fn with(name: &str, value: Value) -> Value {
    let mut body = saying(json!([{"role": "user", "content": "hi"}]));
    body["tools"] = json!([tool("Read")]);
    body[name] = value;
    body
}

#[track_caller]
fn refuses(body: &Value, s: &Strictness, words: &str) {
    let refusal = check(body, s).expect_err("must be refused");
    assert_eq!(refusal.status, 400);
    assert!(refusal.message.contains(words), "{}", refusal.message);
}

#[track_caller]
fn accepts(body: &Value, s: &Strictness) {
    assert_eq!(check(body, s), Ok(()));
}

/// What Claude Code's second turn looks like after a correct translation.
fn agent_conversation() -> Value {
    json!({
        "model": "kimi-k2.5", "max_tokens": 32000, "stream": true, "stream_options": {"include_usage": true},
        "tools": [tool("Read"), tool("mcp__srv__echo")], "tool_choice": "auto", "parallel_tool_calls": true,
        "reasoning_effort": "high",
        "messages": [
            {"role": "system", "content": "You are a coding agent."},
            {"role": "user", "content": [{"type": "text", "text": "reminder"}, {"type": "text", "text": "go"},
                {"type": "image_url", "image_url": {"url": "data:image/png;base64,iVBORw0K"}}]},
            {"role": "assistant", "content": null, "tool_calls": [call("toolu_1"), call("functions.Read:1")]},
            result("toolu_1"), {"role": "tool", "tool_call_id": "functions.Read:1", "content": ""},
            {"role": "user", "content": "and now?"},
            {"role": "assistant", "content": "", "tool_calls": [call("call_3")]},
            {"role": "tool", "tool_call_id": "call_3", "content": [{"type": "text", "text": "ok"}]},
        ],
    })
}

#[test]
fn a_translated_agent_conversation_passes() {
    accepts(&agent_conversation(), &strict());
    accepts(&agent_conversation(), &Strictness { alternating: true, leading_system_only: true, ..strict() });
}

#[test]
fn fields_of_other_dialects_are_refused() {
    for name in ["thinking", "context_management", "metadata", "top_k", "system", "output_config"] {
        refuses(&with(name, json!({})), &strict(), &format!("Unrecognized request argument supplied: {name}"));
        let pydantic = Strictness { words: Words::Pydantic, ..strict() };
        refuses(&with(name, json!({})), &pydantic, &format!("Extra inputs are not permitted, field: '{name}'"));
        accepts(&with(name, json!({})), &strict().accepting(&[name]));
    }
}

#[test]
fn cache_control_is_refused_everywhere() {
    let control = json!({"type": "ephemeral"});
    let part = json!({"type": "text", "text": "x", "cache_control": control});
    refuses(&saying(json!([{"role": "user", "content": [part]}])), &strict(), "'messages[0].content[0].cache_control'");
    let message = json!({"role": "user", "content": "x", "cache_control": control});
    refuses(&saying(json!([message])), &strict(), "'messages[0].cache_control'");
    let mut marked = tool("Read");
    marked["cache_control"] = control.clone();
    refuses(&with("tools", json!([marked])), &strict(), "'tools[0].cache_control'");
    let mut marked = tool("Read");
    marked["function"]["cache_control"] = control;
    refuses(&with("tools", json!([marked])), &strict(), "'tools[0].function.cache_control'");
}

#[test]
fn values_out_of_range_are_refused() {
    refuses(&with("temperature", json!(2.5)), &strict(), "Expected a value <= 2, but got 2.5 instead.");
    refuses(&with("temperature", json!(-1)), &strict(), "Expected a value >= 0");
    refuses(&with("top_p", json!("1")), &strict(), "Invalid type for 'top_p'");
    refuses(&with("stop", json!(["a", "b", "c", "d", "e"])), &strict(), "maximum length 4");
    refuses(&with("stop", json!([1])), &strict(), "Invalid type for 'stop'");
    refuses(&with("reasoning_effort", json!({"effort": "low"})), &strict(), "Invalid value");
    refuses(&with("max_tokens", json!(0)), &strict(), "integer below minimum value");
    refuses(&with("stream", json!("yes")), &strict(), "expected a boolean");
    refuses(
        &with("stream_options", json!({"include_usage": true})),
        &strict(),
        "only allowed when 'stream' is enabled",
    );
    refuses(&with("response_format", json!({"type": "json"})), &strict(), "Supported values are: 'json_object'");
    refuses(
        &with("response_format", json!({"type": "json_schema", "json_schema": {"name": "x"}})),
        &strict(),
        "Missing required",
    );
    refuses(&with("model", json!(null)), &strict(), "model parameter");
}

#[test]
fn both_output_limits_at_once_are_refused() {
    let mut body = with("max_tokens", json!(5));
    body["max_completion_tokens"] = json!(5);
    refuses(&body, &strict(), "at the same time");
}

#[test]
fn the_vendors_rules_about_output_limits_hold() {
    let body = with("max_tokens", json!(8192));
    let stream_only = Strictness { stream_only_above: Some(4096), ..strict() };
    refuses(&body, &stream_only, "max_tokens > 4096 must have stream = true");
    let fireworks = Strictness { words: Words::Pydantic, ..stream_only.clone() };
    refuses(&body, &fireworks, "Requests with max_tokens > 4096 must have stream=true");
    let mut streamed = body.clone();
    streamed["stream"] = json!(true);
    accepts(&streamed, &stream_only);
    accepts(&with("max_tokens", json!(4096)), &stream_only);

    let capped = Strictness { max_tokens_cap: Some(4096), ..strict() };
    refuses(&body, &capped, "max_tokens is too large: 8192. This model supports at most 4096 completion tokens");
    let modern = Strictness { requires_max_completion_tokens: true, ..strict() };
    refuses(&body, &modern, "Use 'max_completion_tokens' instead.");
    accepts(&with("max_completion_tokens", json!(8192)), &modern);
    refuses(
        &with("temperature", json!(1)),
        &strict().refusing(&["temperature"]),
        "Unsupported parameter: 'temperature'",
    );
}

#[test]
fn tools_must_be_well_formed() {
    let many: Vec<Value> = (0..129).map(|i| tool(&format!("t{i}"))).collect();
    refuses(&with("tools", json!(many)), &strict(), "maximum length 128");
    refuses(&with("tools", json!([])), &strict(), "empty array");
    refuses(&with("tools", json!([tool("a"), tool("a")])), &strict(), "duplicate function name");
    refuses(&with("tools", json!([tool("a.b")])), &strict(), "does not match pattern");
    refuses(&with("tools", json!([tool(&"a".repeat(65))])), &strict(), "with length 65");
    refuses(&with("tools", json!([{"name": "a", "input_schema": {}}])), &strict(), "Supported values are: 'function'");
    for schema in [json!({}), json!({"type": "array"}), json!({"type": "object"}), json!("x")] {
        let mut odd = tool("a");
        odd["function"]["parameters"] = schema;
        refuses(&with("tools", json!([odd])), &strict(), "Invalid schema for function \"a\"");
    }
}

#[test]
fn tool_choice_must_name_a_tool() {
    for choice in [json!("any"), json!({"type": "auto"}), json!({"type": "tool", "name": "Read"})] {
        refuses(&with("tool_choice", choice), &strict(), "Invalid value");
    }
    let named = |name: &str| json!({"type": "function", "function": {"name": name}});
    refuses(&with("tool_choice", named("Other")), &strict(), "not one of the 'tools'");
    accepts(&with("tool_choice", named("Read")), &strict());
    let thinks = Strictness { refuses_forced_tool: true, ..strict() };
    refuses(
        &with("tool_choice", json!("required")),
        &thinks,
        "tool_choice 'required' is incompatible with thinking enabled",
    );
    refuses(&with("tool_choice", named("Read")), &thinks, "tool_choice 'specified'");
    accepts(&with("tool_choice", json!("auto")), &thinks);
    let mut bare = saying(json!([{"role": "user", "content": "x"}]));
    bare["tool_choice"] = json!("auto");
    refuses(&bare, &strict(), "only allowed when 'tools' are specified");
}

#[test]
fn contents_must_have_a_form_that_the_role_takes() {
    let one = |message: Value| saying(json!([message]));
    refuses(&saying(json!([])), &strict(), "Invalid 'messages': empty array");
    refuses(&one(json!({"role": "human", "content": "x"})), &strict(), "Supported values are: 'system'");
    refuses(&one(json!({"role": "user", "content": ""})), &strict(), "must not be empty");
    refuses(&one(json!({"role": "user", "content": null})), &strict(), "got null");
    refuses(&one(json!({"role": "user", "content": []})), &strict(), "empty array");
    refuses(&one(json!({"role": "user", "content": {"text": "x"}})), &strict(), "string or array of objects");
    refuses(&one(json!({"role": "user", "content": [{"type": "text", "text": ""}]})), &strict(), "must not be empty");
    refuses(
        &one(json!({"role": "user", "content": [{"type": "tool_result"}]})),
        &strict(),
        "Invalid value: 'tool_result'",
    );
    refuses(&one(json!({"role": "assistant", "content": null})), &strict(), "got null");
    refuses(
        &one(json!({"role": "assistant", "content": "x", "reasoning_content": "y"})),
        &strict(),
        "Unknown parameter",
    );
    let image = |url: &str| json!({"type": "image_url", "image_url": {"url": url}});
    refuses(
        &one(json!({"role": "system", "content": [image("https://x/y.png")]})),
        &strict(),
        "only allowed for messages with role 'user'",
    );
    refuses(
        &one(json!({"role": "user", "content": [image("data:image/png;base64,***")]})),
        &strict(),
        "Invalid base64",
    );
    refuses(
        &one(json!({"role": "user", "content": [image("data:application/pdf;base64,AAAA")]})),
        &strict(),
        "Invalid MIME type",
    );
    refuses(&one(json!({"role": "user", "content": [image("nonsense")]})), &strict(), "Expected a valid URL");
    let text_only = Strictness { text_only: true, ..strict() };
    refuses(
        &one(json!({"role": "user", "content": [{"type": "text", "text": "x"}]})),
        &text_only,
        "invalid type: sequence, expected a string",
    );
}

#[test]
fn each_call_has_its_result_directly_after() {
    let asks = |calls: Value| json!({"role": "assistant", "content": null, "tool_calls": calls});
    let user = json!({"role": "user", "content": "x"});
    let missing = "The following tool_call_ids did not have response messages: b";
    refuses(&saying(json!([user, asks(json!([call("a"), call("b")])), result("a")])), &strict(), missing);
    refuses(&saying(json!([user, asks(json!([call("b")])), user, result("b")])), &strict(), missing);
    refuses(&saying(json!([user, result("a")])), &strict(), "must be a response to a preceeding message");
    refuses(&saying(json!([user, asks(json!([call("a")])), result("a"), result("a")])), &strict(), "'a' not found");
    refuses(&saying(json!([user, asks(json!([call("a"), call("a")])), result("a")])), &strict(), "Duplicate value");
    refuses(&saying(json!([user, asks(json!([]))])), &strict(), "empty array");
    let picture = json!({"role": "tool", "tool_call_id": "a", "content": [{"type": "image_url", "image_url": {"url": "https://x"}}]});
    refuses(&saying(json!([user, asks(json!([call("a")])), picture])), &strict(), "this message with role 'tool'");
    let empty = json!({"role": "tool", "tool_call_id": "a", "content": ""});
    let picky = Strictness { refuses_empty_tool_content: true, ..strict() };
    refuses(&saying(json!([user, asks(json!([call("a")])), empty])), &picky, "must not be empty");
}

#[test]
fn calls_must_be_well_formed() {
    let with_call = |change: fn(&mut Value)| {
        let mut call = call("a");
        change(&mut call);
        saying(
            json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": null, "tool_calls": [call]}, result("a")]),
        )
    };
    refuses(&with_call(|call| call["function"]["arguments"] = json!({})), &strict(), "expected a string");
    refuses(&with_call(|call| call["function"]["arguments"] = json!("{")), &strict(), "must be a JSON object");
    refuses(&with_call(|call| call["function"]["arguments"] = json!("")), &strict(), "must be a JSON object");
    refuses(&with_call(|call| call["function"]["name"] = json!("a b")), &strict(), "does not match pattern");
    refuses(&with_call(|call| call["type"] = json!("tool_use")), &strict(), "Supported values are: 'function'");
    refuses(&with_call(|call| call["id"] = json!("")), &strict(), "Missing required parameter");
    refuses(&with_call(|call| call["index"] = json!(0)), &strict(), "Unknown parameter");
}

#[test]
fn rules_about_order_hold_where_a_server_has_them() {
    let user = json!({"role": "user", "content": "x"});
    let system = json!({"role": "system", "content": "x"});
    let twice = saying(json!([user, user]));
    accepts(&twice, &strict());
    refuses(&twice, &Strictness { alternating: true, ..strict() }, "should alternate");
    let late = saying(json!([system, user, system]));
    accepts(&late, &strict());
    refuses(&late, &Strictness { leading_system_only: true, ..strict() }, "System message must be at the beginning.");
}

#[test]
fn deepseek_wants_its_reasoning_back() {
    let s = Strictness { requires_reasoning_content: true, ..strict() };
    let turn = |extra: Value| {
        let mut asks = json!({"role": "assistant", "content": null, "tool_calls": [call("a")]});
        asks.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        saying(json!([{"role": "user", "content": "x"}, asks, result("a")]))
    };
    let words = "The `reasoning_content` in the thinking mode must be passed back to the API.";
    refuses(&turn(json!({})), &s, words);
    refuses(&turn(json!({"reasoning_content": null})), &s, words);
    accepts(&turn(json!({"reasoning_content": " "})), &s);
    let mut off = turn(json!({}));
    off["thinking"] = json!({"type": "disabled"});
    accepts(&off, &s.accepting(&["thinking"]));
}

#[test]
fn mistral_wants_ids_of_nine_characters() {
    let s = Strictness { nine_char_ids: true, ..strict() };
    let turn = |id: &str| {
        saying(
            json!([{"role": "user", "content": "x"}, {"role": "assistant", "content": null, "tool_calls": [call(id)]}, result(id)]),
        )
    };
    accepts(&turn("abcDEF123"), &s);
    for id in ["toolu_123", "abcDEF12", "abcDEF1234"] {
        refuses(&turn(id), &s, "must be a-z, A-Z, 0-9, with a length of 9.");
    }
}

#[test]
fn a_prompt_over_the_window_is_refused() {
    let body = saying(json!([{"role": "user", "content": "x".repeat(8000)}]));
    let s = Strictness { context_window: Some(1000), ..strict() };
    refuses(&body, &s, "This model's maximum context length is 1000 tokens.");
    accepts(&body, &Strictness { context_window: Some(3000), ..strict() });
}

#[test]
fn nothing_is_refused_when_validation_is_off() {
    accepts(&json!({"nonsense": 1}), &Strictness { off: true, ..strict() });
}
