use serde_json::{Value, json};

use super::*;
use crate::messages::signature;

fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
    pairs.iter().map(|(name, value)| (http::HeaderName::from_static(name), value.parse().unwrap())).collect()
}

fn version() -> HeaderMap {
    headers(&[("anthropic-version", "2023-06-01")])
}

fn saying(messages: Value) -> Value {
    json!({"model": "claude", "max_tokens": 4096, "messages": messages})
}

fn with(name: &str, value: Value) -> Value {
    let mut body = saying(json!([{"role": "user", "content": "hi"}]));
    body["tools"] = json!([{"name": "Read", "input_schema": {"type": "object"}}]);
    body[name] = value;
    body
}

fn call(id: &str) -> Value {
    json!({"type": "tool_use", "id": id, "name": "Read", "input": {}})
}

fn result(id: &str) -> Value {
    json!({"type": "tool_result", "tool_use_id": id, "content": "ok"})
}

fn user(content: Value) -> Value {
    json!({"role": "user", "content": content})
}

fn assistant(content: Value) -> Value {
    json!({"role": "assistant", "content": content})
}

#[track_caller]
fn refuses_with(body: &Value, s: &Strictness, words: &str) {
    let refusal = check(body, &version(), false, s).expect_err("must be refused");
    assert_eq!(refusal.status, 400);
    assert_eq!(refusal.body["type"], "error");
    assert!(refusal.message.contains(words), "{}", refusal.message);
}

#[track_caller]
fn refuses(body: &Value, words: &str) {
    refuses_with(body, &Strictness::default(), words);
}

#[track_caller]
fn accepts(body: &Value) {
    assert_eq!(check(body, &version(), false, &Strictness::default()), Ok(()));
}

/// The shape of Claude Code's second turn.
#[test]
fn a_claude_code_conversation_passes() {
    let control = json!({"type": "ephemeral"});
    let body = json!({
        "model": "claude-sonnet-5-5", "max_tokens": 32000, "stream": true,
        "thinking": {"type": "adaptive", "display": "updates"}, "output_config": {"effort": "high"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "metadata": {"user_id": "{\"device_id\":\"x\"}"},
        "system": [{"type": "text", "text": "a"}, {"type": "text", "text": "b", "cache_control": control}],
        "tools": [{"name": "Read", "description": "d", "input_schema": {"$schema": "x", "type": "object", "properties": {}}},
            {"name": "DeferredToolPlaceholder", "description": "d", "input_schema": {"type": "object"}, "defer_loading": true}],
        "messages": [
            user(json!([{"type": "text", "text": "reminder"}, {"type": "text", "text": "go"}])),
            {"role": "system", "content": [{"type": "text", "text": "s", "cache_control": control}]},
            assistant(json!([{"type": "thinking", "thinking": "hm", "signature": signature("hm")}, call("toolu_1"), call("toolu_2")])),
            user(json!([result("toolu_1"), {"type": "tool_result", "tool_use_id": "toolu_2", "is_error": true, "content":
                [{"type": "text", "text": "x"}, {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": "JVBERi0x"}}]},
                {"type": "text", "text": "more", "cache_control": control}])),
        ],
    });
    let sent = headers(&[
        ("anthropic-version", "2023-06-01"),
        ("anthropic-beta", "claude-code-20250219,interleaved-thinking-2025-05-14,context-management-2025-06-27"),
    ]);
    assert_eq!(check(&body, &sent, false, &Strictness::default()), Ok(()));
    let refusal = check(&body, &version(), false, &Strictness::default()).expect_err("its beta is missing");
    assert_eq!(refusal.message, "context_management: Extra inputs are not permitted");
}

#[test]
fn credentials_and_version_are_checked() {
    let s = Strictness::default();
    let check = |pairs: &[(&'static str, &str)]| {
        check_headers(&headers(pairs), Some("k"), &s).map_err(|r| (r.status, r.message))
    };
    let v = ("anthropic-version", "2023-06-01");
    assert_eq!(check(&[v, ("x-api-key", "k")]), Ok(()));
    assert_eq!(check(&[v, ("authorization", "Bearer k")]), Ok(()));
    assert_eq!(check(&[v, ("authorization", "Bearer k"), ("x-api-key", "k")]), Ok(()));
    assert_eq!(check(&[v]).unwrap_err().0, 401);
    assert_eq!(check(&[v, ("x-api-key", "other")]).unwrap_err(), (401, "invalid x-api-key".to_owned()));
    assert_eq!(check(&[v, ("authorization", "Bearer x"), ("x-api-key", "k")]).unwrap_err().0, 401);
    assert_eq!(check(&[("x-api-key", "k")]).unwrap_err(), (400, "anthropic-version: header is required".to_owned()));
    assert!(check(&[("x-api-key", "k"), ("anthropic-version", "1")]).unwrap_err().1.contains("not a valid version"));
}

#[test]
fn an_unknown_beta_is_refused() {
    let check = |beta: &str, s: &Strictness| {
        check_headers(&headers(&[("anthropic-version", "2023-06-01"), ("anthropic-beta", beta)]), None, s)
    };
    let refusal = check("context-1m-2025-08-07, foo-2026-01-01", &Strictness::default()).unwrap_err();
    assert!(refusal.message.starts_with("Unexpected value(s) `foo-2026-01-01` for the `anthropic-beta` header."));
    let s = Strictness { betas: vec!["foo-2026-01-01".to_owned()], ..Strictness::default() };
    assert_eq!(check("context-1m-2025-08-07, foo-2026-01-01", &s), Ok(()));
}

#[test]
fn unknown_and_missing_fields_are_refused() {
    refuses(&with("stream_options", json!({})), "stream_options: Extra inputs are not permitted");
    refuses(&with("metadata", json!({"x": 1})), "metadata.x: Extra inputs are not permitted");
    for name in ["model", "max_tokens", "messages"] {
        let mut body = with("stream", json!(true));
        body.as_object_mut().unwrap().shift_remove(name);
        refuses(&body, &format!("{name}: Field required"));
    }
    let block = json!([{"type": "text", "text": "x", "index": 0}]);
    refuses(&saying(json!([user(block)])), "messages.0.content.0.text.index: Extra inputs are not permitted");
    let message = json!([{"role": "user", "content": "x", "name": "y"}]);
    refuses(&saying(message), "messages.0.name: Extra inputs are not permitted");
}

#[test]
fn counting_needs_no_max_tokens() {
    let body = json!({"model": "m", "messages": [user(json!("x"))]});
    assert_eq!(check(&body, &version(), true, &Strictness::default()), Ok(()));
}

#[test]
fn sampling_is_refused_where_the_model_or_the_version_has_none() {
    let s = Strictness { refuses_sampling: true, ..Strictness::default() };
    refuses_with(&with("temperature", json!(0.5)), &s, "`temperature` is deprecated for this model.");
    refuses_with(&with("top_k", json!(5)), &s, "`top_k` is deprecated");
    assert_eq!(check(&with("temperature", json!(1.0)), &version(), false, &s), Ok(()));
    refuses(&with("temperature", json!(1.5)), "temperature: range: 0..1");
    let new = headers(&[("anthropic-version", "2026-10-21")]);
    let refusal = check(&with("temperature", json!(1.0)), &new, false, &Strictness::default()).unwrap_err();
    assert_eq!(refusal.message, "temperature: Extra inputs are not permitted");
}

#[test]
fn thinking_has_the_forms_of_the_model() {
    let only = |kind: &str| Strictness { thinking_types: vec![kind.to_owned()], ..Strictness::default() };
    let enabled = json!({"type": "enabled", "budget_tokens": 2048});
    refuses_with(
        &with("thinking", enabled.clone()),
        &only("adaptive"),
        "\"thinking.type.enabled\" is not supported for this model.",
    );
    refuses_with(
        &with("thinking", json!({"type": "adaptive"})),
        &only("enabled"),
        "adaptive thinking is not supported on this model",
    );
    refuses(&with("thinking", json!({"type": "on"})), "Input tag 'on'");
    refuses(&with("thinking", json!({"type": "enabled", "budget_tokens": 1000})), "greater than or equal to 1024");
    refuses(&with("thinking", json!({"type": "enabled", "budget_tokens": 4096})), "`max_tokens` must be greater than");
    let mut forced = with("thinking", enabled);
    forced["tool_choice"] = json!({"type": "any"});
    refuses(&forced, "Thinking may not be enabled when tool_choice forces tool use.");
}

#[test]
fn a_thinking_block_needs_the_signature_it_was_given() {
    let turn = |block: Value| {
        saying(json!([user(json!("x")), assistant(json!([block, call("a")])), user(json!([result("a")]))]))
    };
    accepts(&turn(json!({"type": "thinking", "thinking": "hm", "signature": signature("hm")})));
    let words = "messages.1.content.0: Invalid `signature` in `thinking` block";
    refuses(&turn(json!({"type": "thinking", "thinking": "hm", "signature": signature("other")})), words);
    refuses(&turn(json!({"type": "thinking", "thinking": "hm", "signature": ""})), words);
    refuses(&turn(json!({"type": "thinking", "thinking": "hm"})), "thinking.signature: Field required");
}

#[test]
fn calls_and_results_must_match() {
    let asks = assistant(json!([call("a"), call("b")]));
    let go = user(json!("x"));
    let missing = "messages.1: `tool_use` ids were found without `tool_result` blocks immediately after: b. Each `tool_use` block must have a corresponding `tool_result` block in the next message.";
    refuses(&saying(json!([go, asks, user(json!([result("a")]))])), missing);
    refuses(&saying(json!([go, assistant(json!([call("b")]))])), missing);
    let late = user(json!([{"type": "text", "text": "first"}, result("b")]));
    refuses(&saying(json!([go, assistant(json!([call("b")])), late])), missing);
    let split = json!([go, asks, user(json!([result("b")])), user(json!([result("a")]))]);
    accepts(&saying(split));
    refuses(&saying(json!([user(json!([result("a")]))])), "unexpected `tool_use_id` found in `tool_result` blocks: a");
    refuses(
        &saying(json!([go, assistant(json!([call("a"), call("a")])), user(json!([result("a")]))])),
        "ids must be unique",
    );
    refuses(
        &saying(json!([go, assistant(json!([call("a:0")])), user(json!([result("a:0")]))])),
        "tool_use.id: String should match pattern '^[a-zA-Z0-9_-]+$'",
    );
}

#[test]
fn contents_must_not_be_empty_or_unknown() {
    refuses(&saying(json!([])), "at least one message is required");
    refuses(&saying(json!([user(json!(""))])), "non-empty content");
    refuses(&saying(json!([user(json!([]))])), "non-empty content");
    refuses(&saying(json!([user(json!([{"type": "text", "text": ""}]))])), "text content blocks must be non-empty");
    refuses(&saying(json!([user(json!([{"type": "image_url"}]))])), "Input tag 'image_url'");
    refuses(
        &saying(json!([{"role": "tool", "content": "x"}])),
        "messages.0.role: Input should be 'user' or 'assistant'",
    );
    refuses(&saying(json!([assistant(json!("x"))])), "first message must use the \"user\" role");
    let image = |media: &str, data: &str| json!([{"type": "image", "source": {"type": "base64", "media_type": media, "data": data}}]);
    accepts(&saying(json!([user(image("image/png", "iVBORw0K"))])));
    refuses(&saying(json!([user(image("image/bmp", "iVBORw0K"))])), "Input should be 'image/jpeg'");
    refuses(&saying(json!([user(image("image/png", "data:image/png"))])), "invalid base64 data");
    refuses_with(
        &saying(json!([user(json!("x")), {"role": "system", "content": "y"}])),
        &Strictness { refuses_system_messages: true, ..Strictness::default() },
        "messages.1.role: Input should be 'user' or 'assistant'",
    );
}

#[test]
fn a_prefill_is_refused_where_the_model_has_none() {
    let body = saying(json!([user(json!("x")), assistant(json!("The"))]));
    accepts(&body);
    let s = Strictness { refuses_prefill: true, ..Strictness::default() };
    refuses_with(
        &body,
        &s,
        "This model does not support assistant message prefill. The conversation must end with a user message.",
    );
    refuses(&saying(json!([user(json!("x")), assistant(json!("The "))])), "trailing whitespace");
}

#[test]
fn tools_must_be_well_formed() {
    let tool = |name: &str, schema: Value| json!([{"name": name, "input_schema": schema}]);
    refuses(&with("tools", tool("a.b", json!({"type": "object"}))), "tools.0.custom.name: String should match pattern");
    refuses(&with("tools", tool("a", json!({}))), "tools.0.custom.input_schema.type: Field required");
    refuses(&with("tools", tool("a", json!({"type": "array"}))), "Input should be 'object'");
    refuses(
        &with("tools", tool("a", json!({"type": "object", "anyOf": []}))),
        "oneOf, allOf, or anyOf at the top level",
    );
    refuses(&with("tools", json!([{"name": "a"}])), "input_schema: Field required");
    refuses(&with("tools", json!([{"type": "function", "function": {}}])), "Input tag 'function'");
    let same =
        json!([{"name": "a", "input_schema": {"type": "object"}}, {"name": "a", "input_schema": {"type": "object"}}]);
    refuses(&with("tools", same), "Tool names must be unique.");
    accepts(&with("tools", json!([{"type": "web_search_20250305", "name": "web_search", "max_uses": 8}])));
    refuses(&with("tool_choice", json!("auto")), "tool_choice: Input should be an object");
    refuses(&with("tool_choice", json!({"type": "tool", "name": "x"})), "Tool 'x' not found in provided tools");
    let s = Strictness { refuses_forced_tool: true, ..Strictness::default() };
    refuses_with(&with("tool_choice", json!({"type": "any"})), &s, "forced tool use is not supported");
}

#[test]
fn limits_are_those_of_the_model() {
    let block = |text: &str| json!({"type": "text", "text": text, "cache_control": {"type": "ephemeral"}});
    let five: Vec<Value> = ["a", "b", "c", "d", "e"].map(block).into();
    refuses(&with("system", json!(five)), "A maximum of 4 blocks with cache_control may be provided. Found 5.");
    accepts(&with("system", json!(&five[..4])));
    refuses(
        &with("max_tokens", json!(200_000)),
        "max_tokens: 200000 > 128000, which is the maximum allowed number of output tokens for claude",
    );
    let s = Strictness { context_window: Some(100), ..Strictness::default() };
    let long = saying(json!([user(json!("x".repeat(800)))]));
    // 800 letters in a block of 825 bytes are 206 tokens.
    refuses_with(&long, &s, "prompt is too long: 206 tokens > 100 maximum");
    refuses(&with("stop_sequences", json!([" "])), "non-whitespace");
    refuses(&with("output_config", json!({"effort": "huge"})), "output_config.effort");
}

#[test]
fn a_loop_that_is_thought_about_on_a_budget_begins_with_thoughts() {
    let looping = |blocks: Value, thinking: Value| {
        let mut body = with("thinking", thinking);
        body["messages"] = json!([user(json!("hi")), assistant(blocks), user(json!([result("t1")]))]);
        body
    };
    let budget = json!({"type": "enabled", "budget_tokens": 1024});
    let thought = json!({"type": "thinking", "thinking": "hm", "signature": signature("hm")});
    accepts(&looping(json!([thought, call("t1")]), budget.clone()));
    accepts(&looping(json!([{"type": "redacted_thinking", "data": "x"}, call("t1")]), budget.clone()));
    accepts(&looping(json!([call("t1")]), json!({"type": "adaptive"})));
    let words = "Expected `thinking` or `redacted_thinking`, but found `tool_use`";
    refuses(&looping(json!([call("t1")]), budget), words);
}

#[test]
fn a_bound_thought_holds_for_its_own_conversation_alone() {
    use crate::messages::signed;
    use crate::script::{Answer, Part};

    let s = Strictness { binds_thoughts: true, ..Strictness::default() };
    let first = with("system", json!("Be brief."));
    let answer = signed(&first, Answer::thinking("hm"), &s);
    let Part::Block(thought) = answer.parts[0].clone() else { panic!("{answer:?}") };
    let mut next = first.clone();
    next["messages"] =
        json!([first["messages"][0], assistant(json!([thought, call("t1")])), user(json!([result("t1")]))]);
    assert_eq!(check(&next, &version(), false, &s), Ok(()));
    let changes = [("/system", json!("Be long.")), ("/messages/0/content", json!("ho")), ("/tools/0/name", json!("R"))];
    for (place, other) in changes {
        let mut edited = next.clone();
        *edited.pointer_mut(place).unwrap() = other;
        refuses_with(&edited, &s, "The block is bound to a different conversation.");
    }
}
