use serde_json::json;

use super::*;

fn said(body: Value, s: &Strictness) -> String {
    check(&body, s).err().map_or_else(String::new, |refusal| refusal.message)
}

fn user(content: Value) -> Value {
    json!({"role": "user", "content": content})
}

fn assistant(content: Value) -> Value {
    json!({"role": "assistant", "content": content})
}

fn call(id: &str) -> Value {
    json!({"toolUse": {"toolUseId": id, "name": "f", "input": {}}})
}

fn result(id: &str) -> Value {
    json!({"toolResult": {"toolUseId": id, "content": [{"text": "x"}]}})
}

fn tools() -> Value {
    json!({"tools": [{"toolSpec": {"name": "f", "inputSchema": {"json": {"type": "object"}}}}]})
}

#[test]
fn a_good_conversation_is_taken() {
    let body = json!({
        "system": [{"text": "s"}, {"cachePoint": {"type": "default", "ttl": "1h"}}],
        "inferenceConfig": {"maxTokens": 5, "temperature": 1, "stopSequences": ["a"]},
        "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 1024}, "anthropic_beta": ["context-1m-2025-08-07"]},
        "requestMetadata": {"user_id": "a b"}, "serviceTier": {"type": "flex"}, "toolConfig": tools(),
        "messages": [user(json!([{"text": "hi"}, {"image": {"format": "png", "source": {"bytes": "QUJD"}}}])),
            assistant(json!([{"text": "so"}, call("a"), call("b.c:d")])), user(json!([result("b.c:d"), result("a"), {"text": "go"}]))]});
    assert_eq!(said(body, &Strictness::default()), "");
}

/// The words of the reference, one for each rule.
#[test]
fn what_the_service_refuses_is_refused_in_its_words() {
    let hi = || user(json!([{"text": "hi"}]));
    let rows = [
        (json!({"messages": [hi()], "extra": 1}), "extraneous key [extra] is not permitted"),
        (json!({"messages": []}), "A conversation must start with a user message."),
        (json!({"messages": [assistant(json!([{"text": "a"}]))]}), "A conversation must start with a user message."),
        (json!({"messages": [hi(), hi()]}), "A conversation must alternate"),
        (
            json!({"messages": [user(json!([{"text": "a"}, {"text": " \n"}]))]}),
            "The text field in the ContentBlock object at messages.0.content.1 is blank. Add text to the text field, and try again.",
        ),
        (json!({"messages": [user(json!([]))]}), "is empty"),
        (
            json!({"messages": [hi(), assistant(json!([call("a"), call("b")])), user(json!([result("a")]))], "toolConfig": tools()}),
            "Expected toolResult blocks at messages.2.content for the following Ids: b",
        ),
        (
            json!({"messages": [hi(), assistant(json!([{"text": "a"}])), user(json!([result("a")]))], "toolConfig": tools()}),
            "The number of toolResult blocks at messages.2.content exceeds the number of toolUse blocks of previous turn.",
        ),
        (
            json!({"messages": [hi(), assistant(json!([call("a")])), user(json!([result("a")]))]}),
            "The toolConfig field must be defined when using toolUse and toolResult content blocks.",
        ),
        (json!({"messages": [hi(), assistant(json!([{"text": "so "}]))]}), "trailing whitespace"),
        (json!({"messages": [hi(), assistant(json!([call(&"a".repeat(65))]))]}), "failed to satisfy constraint"),
        (json!({"messages": [hi(), assistant(json!([call("a b")]))]}), "failed to satisfy constraint"),
        (json!({"messages": [hi()], "toolConfig": {"tools": []}}), "length greater than or equal to 1"),
        (json!({"messages": [hi()], "inferenceConfig": {"temperature": 1.5}}), "less than or equal to 1"),
        (json!({"messages": [hi()], "inferenceConfig": {"maxTokens": 99_999}}), "exceeds the model limit of 64000"),
        (
            json!({"messages": [hi()], "additionalModelRequestFields": {"anthropic_beta": ["claude-code-20250219"]}}),
            "invalid beta flag",
        ),
        (
            json!({"messages": [hi()], "additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 5}}}),
            "greater than or equal to 1024",
        ),
        (
            json!({"messages": [user(json!([{"document": {"format": "pdf", "name": "a", "source": {"bytes": "QUJD"}}}]))]}),
            "include a ContentBlock with a text field",
        ),
        (
            json!({"messages": [user(json!([{"text": "a"}, {"document": {"format": "pdf", "name": "a.pdf", "source": {"bytes": "QUJD"}}}]))]}),
            "The document file name can only contain",
        ),
        (
            json!({"messages": [hi(), assistant(json!([{"reasoningContent": {"reasoningText": {"text": "a", "signature": "b"}}}])), hi()]}),
            "Invalid `signature` in `thinking` block",
        ),
        (json!({"messages": [hi()], "requestMetadata": {"a": "{"}}), "failed to satisfy constraint"),
        (json!({"messages": [user(json!([{"cachePoint": {"type": "default"}}, {"text": "a"}]))]}), "closes the block"),
    ];
    for (body, words) in rows {
        let refused = said(body.clone(), &Strictness::default());
        assert!(refused.contains(words), "{body}: {refused:?} for {words:?}");
    }
}

#[test]
fn a_plain_model_refuses_what_claude_takes() {
    let choice = |kind: &str| {
        let mut tools = tools();
        tools["toolChoice"] = json!({kind: {"name": "f"}});
        json!({"messages": [user(json!([{"text": "a"}]))], "toolConfig": tools})
    };
    let beside = json!({"toolConfig": tools(), "messages": [user(json!([{"text": "a"}])), assistant(json!([call("a")])),
        user(json!([result("a"), {"text": "b"}]))]});
    let rows = [
        (choice("tool"), "doesn't support the toolConfig.toolChoice.tool field"),
        (beside, "conversation blocks and tool result blocks cannot be provided in the same turn"),
        (
            json!({"messages": [user(json!([{"text": "a"}, {"cachePoint": {"type": "default"}}]))]}),
            "did not allow prompt caching",
        ),
        (
            json!({"messages": [user(json!([{"image": {"format": "png", "source": {"bytes": "QUJD"}}}]))]}),
            "doesn't support the image content block",
        ),
        (
            json!({"messages": [user(json!([{"text": "a"}]))], "additionalModelRequestFields": {"top_k": 5}}),
            "extraneous key [top_k] is not permitted",
        ),
    ];
    for (body, words) in rows {
        assert_eq!(said(body.clone(), &Strictness::default()), "", "{body}");
        let refused = said(body, &Strictness::plain());
        assert!(refused.contains(words), "{refused:?} for {words:?}");
    }
}
