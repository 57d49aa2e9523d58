//! Whose thoughts go back.

use super::*;

fn thinking(signature: &str) -> Value {
    json!({"type": "thinking", "thinking": "hm", "signature": signature})
}

/// A conversation with these blocks before its one call.
fn after(blocks: &[Value]) -> Value {
    let mut messages = called();
    let content = messages[1]["content"].as_array_mut().expect("a list");
    content.splice(0..0, blocks.iter().cloned());
    asking(json!({"messages": messages, "tools": [tool("f")]}))
}

fn sealed(family: &str, details: &'static str) -> Text<'static> {
    let details = (!details.is_empty()).then(|| Json::literal(details));
    seal().seal(&SealedState { family: family.into(), details })
}

fn first(body: &Value) -> Value {
    body["messages"][1]["content"][0].clone()
}

#[test]
fn claudes_thoughts_go_back_signed_as_they_came() {
    let (body, changes) =
        good(&after(&[thinking("Eq+/="), json!({"type": "redacted_thinking", "data": "Em"})]), &claude());
    assert_eq!(
        body["messages"][1]["content"].as_array().expect("a list")[..2],
        [
            json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "Eq+/="}}}),
            json!({"reasoningContent": {"redactedContent": "Em"}})
        ]
    );
    assert_eq!(changes, Vec::<String>::new());
}

#[test]
fn claudes_thoughts_that_a_responses_client_kept_are_opened_at_the_same_provider_only() {
    let own = sealed("bedrock", r#"{"signature":"Eq+/="}"#);
    let (body, _) = good(&after(&[thinking(own.escaped())]), &claude());
    assert_eq!(first(&body), json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "Eq+/="}}}));
    let other = sealed("anthropic", r#"{"signature":"Eq+/="}"#);
    let (body, changes) = good(&after(&[thinking(other.escaped())]), &claude());
    assert!(first(&body).get("toolUse").is_some(), "{body}");
    assert_eq!(changes, ["dropped:thinking"]);
}

/// Claude checks every signature against all that comes before it.
#[test]
fn one_foreign_thought_spoils_all_others_for_claude() {
    let foreign = sealed("gemini", r#"{"google":{"thought_signature":"S"}}"#);
    for spoilt in [foreign.escaped(), ""] {
        let (body, changes) = good(&after(&[thinking("Eq+/="), thinking(spoilt)]), &claude());
        assert!(!body.to_string().contains("reasoningContent"), "{body}");
        assert_eq!(changes, ["dropped:thinking"]);
    }
}

#[test]
fn thoughts_go_to_no_model_that_did_not_ask_for_them_back() {
    let own = sealed("bedrock", r#"{"bedrock":{"maker":"amazon","signature":"S"}}"#);
    let (body, changes) = good(&after(&[thinking(own.escaped())]), &of(Maker::Amazon));
    assert!(first(&body).get("toolUse").is_some(), "{body}");
    assert_eq!(changes, ["dropped:thinking"]);
}

#[test]
fn another_makers_model_has_its_own_state_back_and_nobody_elses() {
    let quirks = Quirks { replay: Replay::Always, ..of(Maker::Amazon) };
    let signed = sealed("bedrock", r#"{"bedrock":{"maker":"amazon","signature":"S"}}"#);
    let redacted = sealed("bedrock", r#"{"bedrock":{"maker":"amazon","redacted":"R"}}"#);
    let plain = sealed("bedrock", "");
    let rows = [
        (signed, json!({"reasoningContent": {"reasoningText": {"text": "hm", "signature": "S"}}})),
        (redacted, json!({"reasoningContent": {"redactedContent": "R"}})),
        (plain, json!({"reasoningContent": {"reasoningText": {"text": "hm"}}})),
    ];
    for (signature, expected) in rows {
        let (body, changes) = good(&after(&[thinking(signature.escaped())]), &quirks);
        assert_eq!((first(&body), changes), (expected, Vec::new()));
    }
    let others = [
        sealed("bedrock", r#"{"bedrock":{"maker":"openai","signature":"S"}}"#),
        sealed("gemini", r#"{"bedrock":{"maker":"amazon","signature":"S"}}"#),
        sealed("bedrock", r#"{"google":{"thought_signature":"S"}}"#),
        Text::literal("Eq+/="),
    ];
    for signature in others {
        let (body, changes) = good(&after(&[thinking(signature.escaped())]), &quirks);
        assert!(first(&body).get("toolUse").is_some(), "{body}");
        assert_eq!(changes, ["dropped:thinking"]);
    }
}

/// "Expected `thinking` or `redacted_thinking`, but found `tool_use`" (Anthropic, until 4.6).
#[test]
fn a_budget_pauses_in_a_tool_loop_that_began_without_thoughts() {
    let mut request = after(&[]);
    request["max_tokens"] = json!(9000);
    request["thinking"] = json!({"type": "enabled", "budget_tokens": 2048});
    let (body, changes) = good(&request, &claude());
    assert_eq!(body["additionalModelRequestFields"], Value::Null);
    assert_eq!(changes, ["softened:thinking"]);
}
