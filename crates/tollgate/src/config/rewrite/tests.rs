use super::super::context::Context;
use super::super::yaml::{self, Value};
use super::*;

fn rules(text: &str) -> Vec<RewriteRule> {
    let cx = Context::new(&|_| None);
    let node = yaml::parse(text, 0).expect("is YAML");
    let Value::List(items) = node.value else { panic!("a list") };
    let rules = read(&cx, &items, "rewrite");
    let (problems, _) = cx.finish();
    assert!(problems.is_empty(), "{problems:?}");
    rules
}

fn after(text: &str, body: &str) -> (String, Vec<String>) {
    let (body, changes) = apply(&rules(text), body.as_bytes(), "gpt-5", "claude-cli/2.1").expect("changes");
    (String::from_utf8(body).expect("is text"), changes.iter().map(Change::to_string).collect())
}

fn unchanged(text: &str, body: &str) -> bool {
    apply(&rules(text), body.as_bytes(), "gpt-5", "claude-cli/2.1").is_none()
}

/// What the hook does that people write in Python: cap the tokens, force a stream, drop keys.
#[test]
fn s07_rules_do_what_the_python_hook_did() {
    let (body, changes) = after(
        "- match: {model: 'gpt-*'}\n  cap: {max_tokens: 4096}\n  set: {stream: true}\n  drop: [thinking, metadata.user_id]\n",
        r#"{"model":"gpt-5","max_tokens":32000,"thinking":{"type":"adaptive"},"metadata":{"user_id":"u","a":1},"messages":[{"b":1}]}"#,
    );
    assert_eq!(body, r#"{"model":"gpt-5","max_tokens":4096,"metadata":{"a":1},"messages":[{"b":1}],"stream":true}"#);
    assert_eq!(changes, ["dropped:thinking", "dropped:metadata.user_id", "rewritten:stream", "clamped:max_tokens"]);
}

#[test]
fn what_no_rule_touches_keeps_its_order_and_bytes() {
    let messages = r#"[ {"role" : "user", "content": "\ud83d \u00e9 é"}, 1.50, 12345678901234567890123 ]"#;
    let (body, _) = after("- set: {z: 1}", &format!(r#"{{"b":2,"messages":{messages},"a":1e5}}"#));
    assert_eq!(body, format!(r#"{{"b":2,"messages":{messages},"a":1e5,"z":1}}"#));
}

#[test]
fn a_cap_only_lowers_numbers() {
    let rule = "- cap: {max_tokens: 4096, temperature: 1.0}";
    assert!(unchanged(rule, r#"{"max_tokens":4096}"#));
    assert!(unchanged(rule, r#"{"max_tokens":"many","temperature":null}"#));
    assert!(unchanged(rule, "{}"));
    assert_eq!(after(rule, r#"{"temperature":1.5,"max_tokens":4097}"#).0, r#"{"temperature":1.0,"max_tokens":4096}"#);
}

#[test]
fn a_default_only_fills_a_gap() {
    let rule = "- default: {temperature: 0.2, metadata.team: blue}";
    assert_eq!(after(rule, r#"{"temperature":null}"#).0, r#"{"temperature":null,"metadata":{"team":"blue"}}"#);
    assert!(unchanged(rule, r#"{"temperature":1,"metadata":{"team":"red"}}"#));
    assert!(unchanged("- default: {a.b: 1}", r#"{"a":"text"}"#), "what is no object is left alone");
}

#[test]
fn a_rename_stays_in_its_place() {
    let rule = "- rename: {max_tokens: max_completion_tokens, a.x: y}";
    assert_eq!(
        after(rule, r#"{"max_tokens":5,"a":{"x":1,"z":2}}"#).0,
        r#"{"max_completion_tokens":5,"a":{"y":1,"z":2}}"#
    );
    assert_eq!(after(rule, r#"{"max_tokens":5,"max_completion_tokens":6}"#).0, r#"{"max_completion_tokens":6}"#);
}

#[test]
fn a_set_that_changes_nothing_is_no_change() {
    assert!(unchanged("- set: {stream: true}", r#"{"stream":true}"#));
}

#[test]
fn a_key_given_twice_cannot_slip_past() {
    assert_eq!(after("- cap: {n: 1}", r#"{"n":5,"n":7}"#).0, r#"{"n":1,"n":1}"#);
    assert_eq!(after("- drop: [n]", r#"{"n":5,"\u006e":7}"#).0, "{}");
}

#[test]
fn rules_apply_where_model_and_client_match() {
    let all = rules(
        "- {match: {model: 'kimi-*'}, set: {a: 1}}\n- {match: {client: 'claude-cli/*'}, set: {b: 1}}\n- {set: {c: 1}}\n",
    );
    let of = |model: &str, client: &str| {
        apply(&all, b"{}", model, client).map(|(body, _)| String::from_utf8(body).expect("is text"))
    };
    assert_eq!(of("kimi-k3", "curl").as_deref(), Some(r#"{"a":1,"c":1}"#));
    assert_eq!(of("glm-5", "claude-cli/2.1.329").as_deref(), Some(r#"{"b":1,"c":1}"#));
    assert_eq!(apply(&all[..2], b"{}", "glm-5", "curl"), None);
}

#[test]
fn later_rules_see_what_earlier_ones_left() {
    assert_eq!(after("- {set: {n: 10}}\n- {cap: {n: 5}}\n", "{}").0, r#"{"n":5}"#);
}

#[test]
fn a_body_that_is_no_object_is_left_to_the_decoder() {
    for body in ["", "[1]", "{", "{\"a\":}", "null"] {
        assert!(unchanged("- set: {a: 1}", body), "{body}");
    }
}
