use serde_json::{Value, json};

use super::*;
use crate::quirks::Quirks;
use crate::request::{Part, Role, Source};
use crate::sealed::Seal;
use crate::{Encoded, Target};

const SECRET: &[u8] = b"a secret of these tests";

/// `{"request": …, "quirks": …}`, the request as a Messages client sends it.
fn encode_with(case: &Value) -> Result<Encoded, crate::error::Unsupported> {
    let quirks: Quirks =
        serde_json::from_value(case.get("quirks").cloned().unwrap_or_else(|| json!({}))).expect("quirks");
    let seal = Seal::new(SECRET);
    let target = Target {
        model: "up",
        label: "acme/up",
        quirks: &quirks,
        drop_params: case["drop_params"] == true,
        max_output_tokens: case["max_output_tokens"].as_u64(),
        stream: case["stream"] == true,
        seal: &seal,
    };
    let wire = case["request"].to_string();
    encode(
        &crate::decode_count_request(crate::Dialect::Messages, wire.as_bytes()).expect("a Messages request"),
        &target,
    )
}

fn body(case: &Value) -> String {
    String::from_utf8(encode_with(case).expect("encodes").body).expect("UTF-8")
}

#[test]
fn seed_may_have_another_name() {
    let case = json!({"quirks":{"seed_field":"random_seed"},"request":{"model":"m","seed":7,"n":1,"service_tier":"flex",
        "messages":[{"role":"user","content":"hi"}]}});
    let expected =
        r#"{"model":"up","random_seed":7,"n":1,"service_tier":"flex","messages":[{"role":"user","content":"hi"}]}"#;
    assert_eq!(body(&case), expected);
}

/// The body up to the end of its last message.
fn prefix(body: &str) -> &str {
    body.strip_suffix("]}").expect("messages come last")
}

fn conversation() -> Vec<Value> {
    vec![
        json!({"role":"user","content":[{"type":"text","text":"reminder"},{"type":"text","text":"do it"}]}),
        json!({"role":"system","content":[{"type":"text","text":"long instructions","cache_control":{"type":"ephemeral"}}]}),
        json!({"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"EqABC"},{"type":"text","text":"Reading."},
            {"type":"tool_use","id":"t1","name":"Read","input":{"file":"a"}},{"type":"tool_use","id":"t2","name":"Read","input":{"file":"b"}}]}),
        json!({"role":"user","content":[{"type":"tool_result","tool_use_id":"t2","content":"bee"},
            {"type":"tool_result","tool_use_id":"t1","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}]}]}),
        json!({"role":"assistant","content":[{"type":"thinking","thinking":"only thoughts","signature":""}]}),
        json!({"role":"user","content":"go on"}),
        json!({"role":"assistant","content":[{"type":"text","text":"Done."}]}),
        json!({"role":"user","content":[{"type":"tool_result","tool_use_id":"gone","content":"late"},{"type":"text","text":"next"}]}),
        json!({"role":"system","content":"a reminder"}),
        json!({"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"Bash","input":{}}]}),
        json!({"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","is_error":true}]}),
    ]
}

fn quirk_sets() -> Vec<Value> {
    vec![
        json!({}),
        json!({"mid_system":"in_place","empty_content":"empty_string","tool_ids":"nine_alnum"}),
        json!({"replay":"tool_calls","reasoning_filler":" ","string_content":true,"images":false}),
        json!({"replay":"always","reasoning_field":"think_tags","media_in_tool_result":true}),
        json!({"replay":"always","reasoning_field":"content_part","system_role":"developer"}),
        json!({"replay":"always","reasoning_field":"reasoning_details","strict_alternation":true,"prefill":false}),
        json!({"cache_control":true}),
    ]
}

/// Turn by turn, as a client sends them: a request always ends with what the user's side said.
#[test]
fn s13_each_turn_begins_with_the_bytes_of_the_turn_before() {
    let all = conversation();
    let ends: Vec<usize> = (1..=all.len()).filter(|n| *n == all.len() || all[*n]["role"] == "assistant").collect();
    for quirks in quirk_sets() {
        let turns: Vec<String> = ends
            .iter()
            .filter(|n| all[**n - 1]["role"] != "assistant")
            .map(|n| body(&json!({"quirks":quirks,"request":{"model":"m","system":"s","messages":all[..*n]}})))
            .collect();
        assert!(turns.len() >= 5);
        for pair in turns.windows(2) {
            assert!(pair[1].starts_with(prefix(&pair[0])), "{quirks}\n{}\n{}", pair[0], pair[1]);
        }
    }
}

#[test]
fn s13_a_rotating_attribution_line_changes_no_byte() {
    let with = |line: &str| {
        body(
            &json!({"request":{"model":"m","system":[{"type":"text","text":line},{"type":"text","text":"You are an agent."}],
            "messages":[{"role":"user","content":"hi"}]}}),
        )
    };
    let first = with("x-anthropic-billing-header: cc_version=2.1.329.a; cch=11111;");
    assert_eq!(first, with("x-anthropic-billing-header: cc_version=2.1.329.b; cch=22222;"));
    assert_eq!(
        first,
        r#"{"model":"up","messages":[{"role":"system","content":"You are an agent."},{"role":"user","content":"hi"}]}"#
    );
}

#[test]
fn s13_a_moved_cache_mark_and_a_block_that_became_a_string_change_no_byte() {
    let marked = json!({"request":{"model":"m","system":[{"type":"text","text":"s","cache_control":{"type":"ephemeral"}}],"messages":[
        {"role":"user","content":[{"type":"text","text":"a","cache_control":{"type":"ephemeral"}}]}]}});
    let plain = json!({"request":{"model":"m","system":"s","messages":[{"role":"user","content":"a"}]}});
    assert_eq!(body(&marked), body(&plain));
}

/// The body without its marks, byte by byte the same otherwise.
fn without_marks(body: &str) -> String {
    body.replace(r#","cache_control":{"type":"ephemeral","ttl":"1h"}"#, "")
        .replace(r#","cache_control":{"type":"ephemeral"}"#, "")
        .replace(r#","prompt_cache_breakpoint":{"mode":"explicit","ttl":"12h"}"#, "")
        .replace(r#","prompt_cache_breakpoint":{"mode":"explicit","ttl":"30m"}"#, "")
}

fn count_marks(body: &str) -> usize {
    [r#","cache_control":{"#, r#","prompt_cache_breakpoint":{"#].iter().map(|mark| body.matches(mark).count()).sum()
}

/// Sets of quirks under which marks are kept.
fn keeping_sets() -> Vec<Value> {
    vec![
        json!({"cache_control":true}),
        json!({"cache_control":true,"mid_system":"in_place","media_in_tool_result":true}),
        json!({"cache_control":true,"replay":"always","reasoning_field":"think_tags","empty_result":"(no output)"}),
        json!({"cache_control":true,"replay":"tool_calls","reasoning_filler":" ","images":false}),
        json!({"cache_breakpoints":true,"system_role":"developer"}),
    ]
}

/// A lone text in every place where one can stand.
#[test]
fn s13_a_text_is_written_alike_with_and_without_its_cache_mark() {
    let turn = |mark: Value| {
        let text = |text: &str| {
            let mut block = json!({"type":"text","text":text});
            if !mark.is_null() {
                block["cache_control"] = mark.clone();
            }
            json!([block])
        };
        let mut result = json!({"type":"tool_result","tool_use_id":"t1","content":"found"});
        let mut empty = json!({"type":"tool_result","tool_use_id":"t2"});
        if !mark.is_null() {
            result["cache_control"] = mark.clone();
            empty["cache_control"] = mark.clone();
        }
        json!({"model":"m","system":text("s"),"messages":[
            {"role":"user","content":text("u")},
            {"role":"system","content":text("later")},
            {"role":"assistant","content":text("a")},
            {"role":"assistant","content":[text("b")[0], {"type":"tool_use","id":"t1","name":"T","input":{}},
                {"type":"tool_use","id":"t2","name":"T","input":{}},{"type":"tool_use","id":"t3","name":"T","input":{}}]},
            {"role":"user","content":[result, empty, {"type":"tool_result","tool_use_id":"t3","content":text("inside")}]},
        ]})
    };
    for quirks in keeping_sets() {
        let marked = body(&json!({"quirks":quirks,"request":turn(json!({"type":"ephemeral"}))}));
        let plain = body(&json!({"quirks":quirks,"request":turn(Value::Null)}));
        assert_eq!(count_marks(&marked), 7 + usize::from(quirks["empty_result"].is_string()), "{marked}");
        assert_eq!(without_marks(&marked), plain);
    }
}

#[test]
fn s13_where_marks_are_kept_every_text_is_a_part_and_nothing_is_still_a_string() {
    let request = json!({"model":"m","system":"s","messages":[
        {"role":"user","content":"u"},
        {"role":"assistant","content":[{"type":"text","text":"a"},{"type":"tool_use","id":"t1","name":"T","input":{}},{"type":"tool_use","id":"t2","name":"T","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":[{"type":"text","text":"one"},{"type":"text","text":"two","cache_control":{"type":"ephemeral"}}]},
            {"type":"tool_result","tool_use_id":"t2","content":"","cache_control":{"type":"ephemeral"}}]},
    ]});
    let calls = r#""tool_calls":[{"id":"t1","type":"function","function":{"name":"T","arguments":"{}"}},{"id":"t2","type":"function","function":{"name":"T","arguments":"{}"}}]"#;
    let parts = format!(
        concat!(
            r#"{{"model":"up","messages":[{{"role":"system","content":[{{"type":"text","text":"s"}}]}},"#,
            r#"{{"role":"user","content":[{{"type":"text","text":"u"}}]}},"#,
            r#"{{"role":"assistant","content":[{{"type":"text","text":"a"}}],{calls}}},"#,
            r#"{{"role":"tool","tool_call_id":"t1","content":[{{"type":"text","text":"one\n\ntwo","cache_control":{{"type":"ephemeral"}}}}]}},"#,
            r#"{{"role":"tool","tool_call_id":"t2","content":""}}]}}"#
        ),
        calls = calls
    );
    assert_eq!(body(&json!({"quirks":{"cache_control":true},"request":request})), parts);
    let strings = format!(
        concat!(
            r#"{{"model":"up","messages":[{{"role":"system","content":"s"}},{{"role":"user","content":"u"}},"#,
            r#"{{"role":"assistant","content":"a",{calls}}},"#,
            r#"{{"role":"tool","tool_call_id":"t1","content":"one\n\ntwo"}},{{"role":"tool","tool_call_id":"t2","content":""}}]}}"#
        ),
        calls = calls
    );
    assert_eq!(body(&json!({"request":request})), strings);
    // A server that takes only strings gets them, and then has no place for marks.
    assert_eq!(body(&json!({"quirks":{"cache_control":true,"string_content":true},"request":request})), strings);
}

/// As Claude Code does: the mark is on the last block of what the user's side said last.
#[test]
fn s13_marks_that_move_on_are_all_that_differs_between_turns() {
    let all = conversation();
    let ends: Vec<usize> = (1..=all.len()).filter(|n| *n == all.len() || all[*n]["role"] == "assistant").collect();
    for quirks in keeping_sets() {
        let turns: Vec<String> = ends
            .iter()
            .filter(|n| all[**n - 1]["role"] != "assistant")
            .map(|n| {
                let mut messages = all[..*n].to_vec();
                let last = messages.last_mut().expect("a message");
                match last["content"].as_array_mut() {
                    Some(blocks) => blocks.last_mut().expect("a block")["cache_control"] = json!({"type":"ephemeral"}),
                    None => last["content"] = json!([{"type":"text","text":last["content"],"cache_control":{"type":"ephemeral","ttl":"1h"}}]),
                }
                body(&json!({"quirks":quirks,"request":{"model":"m","system":"s","messages":messages}}))
            })
            .collect();
        assert!(turns.iter().filter(|turn| count_marks(turn) > 0).count() >= 5, "{turns:?}");
        let bare: Vec<String> = turns.iter().map(|turn| without_marks(turn)).collect();
        for pair in bare.windows(2) {
            assert!(pair[1].starts_with(prefix(&pair[0])), "{quirks}\n{}\n{}", pair[0], pair[1]);
        }
    }
}

/// The rules of OpenAI's own server about the order of messages.
fn assert_valid_order(body: &str) {
    let body: Value = serde_json::from_str(body).expect("JSON");
    let mut open: Vec<String> = Vec::new();
    let mut last = String::new();
    for message in body["messages"].as_array().expect("messages") {
        let role = message["role"].as_str().expect("a role");
        if role == "tool" {
            assert_eq!(open.remove(0), message["tool_call_id"].as_str().expect("an id"), "{body}");
        } else {
            assert!(open.is_empty(), "calls without results: {body}");
            assert!(!(role == "user" && last == "user"), "two user messages: {body}");
        }
        open.extend(
            message["tool_calls"]
                .as_array()
                .into_iter()
                .flatten()
                .map(|c| c["id"].as_str().expect("an id").to_string()),
        );
        last = role.to_string();
    }
    assert!(open.is_empty(), "calls without results: {body}");
}

proptest::proptest! {
    /// Whatever a client sends in whatever order.
    #[test]
    fn s02_every_mixture_of_messages_becomes_a_sequence_that_a_strict_server_takes(picks in proptest::collection::vec(0usize..9, 1..14)) {
        let kinds = [
            json!({"role":"user","content":"u"}),
            json!({"role":"user","content":""}),
            json!({"role":"system","content":"s"}),
            json!({"role":"assistant","content":"a"}),
            json!({"role":"assistant","content":[]}),
            json!({"role":"assistant","content":[{"type":"tool_use","id":"x","name":"T","input":{}},{"type":"tool_use","id":"y","name":"T","input":{}}]}),
            json!({"role":"user","content":[{"type":"tool_result","tool_use_id":"y","content":"1"},{"type":"tool_result","tool_use_id":"x","content":"2"},{"type":"text","text":"t"}]}),
            json!({"role":"user","content":[{"type":"text","text":"t"},{"type":"tool_result","tool_use_id":"x","content":"3"},{"type":"tool_result","tool_use_id":"x","content":"4"}]}),
            json!({"role":"user","content":[{"type":"tool_result","tool_use_id":"z"}]}),
        ];
        let messages: Vec<Value> = picks.iter().map(|i| kinds[*i].clone()).collect();
        for quirks in quirk_sets() {
            assert_valid_order(&body(&json!({"quirks":quirks,"request":{"model":"m","messages":messages}})));
        }
    }

    #[test]
    fn arguments_say_the_same_json_without_its_white_space(keys in proptest::collection::vec("\\PC{0,6}", 0..4), text in "\\PC{0,12}") {
        let value: Value = json!({"k": keys, "t": text, "n": {"a": [1.5, null, {"q\"\\": "\n\t"}]}});
        let pretty = serde_json::to_string_pretty(&value).expect("JSON");
        let mut out = vec![b'"'];
        arguments::write(&mut out, &pretty);
        out.push(b'"');
        let inner: String = serde_json::from_slice(&out).expect("a JSON string");
        assert_eq!(inner, value.to_string());
    }

    #[test]
    fn decoding_never_panics_on_any_bytes(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn decoding_never_panics_on_mangled_requests(cut in 0usize..400, at in 0usize..400, byte in proptest::num::u8::ANY) {
        let mut bytes = FULL.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(bytes.len() - cut % bytes.len());
        let _ = decode(&bytes);
    }
}

#[test]
fn excess_stop_sequences_are_left_to_us() {
    let stops: Vec<Text<'_>> = ["a", "b", "c"].map(Text::plain).into();
    let quirks = |max_stop, refuses: &[&str]| Quirks {
        max_stop,
        refuses: refuses.iter().map(ToString::to_string).collect(),
        ..Quirks::default()
    };
    assert_eq!(excess_stops(&stops, &quirks(Some(2), &[])), &stops[2..]);
    assert_eq!(excess_stops(&stops, &quirks(None, &[])), &[]);
    assert_eq!(excess_stops(&stops, &quirks(Some(4), &["stop"])), &stops[..]);
}

const FULL: &str = r#"{"model":"gpt","messages":[
  {"role":"developer","content":"Be brief."},
  {"role":"user","name":"u","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}}]},
  {"role":"assistant","content":null,"reasoning_content":"hm","tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"c2","type":"custom","custom":{"name":"g","input":"free"}}]},
  {"role":"tool","tool_call_id":"c1","content":"one"},
  {"role":"tool","tool_call_id":"c2","content":[{"type":"text","text":"two"}]},
  {"role":"user","content":"and?"},
  {"role":"system","content":"later"}],
  "max_tokens":5,"max_completion_tokens":7,"stop":"END","stream":true,"stream_options":{"include_usage":true},"seed":1,"n":1,
  "reasoning_effort":"high","tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false,
  "tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object"}}}],
  "response_format":{"type":"json_schema","json_schema":{"name":"o","schema":{"type":"object"}}}}"#;

#[test]
fn a_chat_request_is_read_whole() {
    let request = decode(FULL.as_bytes()).expect("decodes");
    assert_eq!(request.model.escaped(), "gpt");
    assert_eq!(request.system[0].text.escaped(), "Be brief.");
    assert_eq!(request.max_tokens, Some(7));
    assert_eq!(request.stop, vec![Text::plain("END")]);
    assert!(request.stream && request.stream_usage);
    assert_eq!(request.parallel_tool_calls, Some(false));
    let extra: Vec<&str> = request.extra.iter().map(|(name, _)| name.escaped()).collect();
    assert_eq!(extra, ["seed", "n"]);
    let roles: Vec<Role> = request.messages.iter().map(|m| m.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User, Role::System]);
    assert!(
        matches!(&request.messages[0].parts[1], Part::Media(m) if matches!(&m.source, Source::Base64 { media_type, .. } if media_type.escaped() == "image/png"))
    );
    assert!(matches!(&request.messages[1].parts[..], [Part::Thinking(_), Part::ToolCall(_), Part::ToolCall(_)]));
    assert!(matches!(&request.messages[2].parts[..], [Part::ToolResult(_), Part::ToolResult(_), Part::Text(_)]));
}

#[test]
fn what_cannot_be_understood_is_named() {
    let message = |body: &str| decode(body.as_bytes()).expect_err("invalid").message;
    let wrap = |message: &str| format!(r#"{{"model":"m","messages":[{{"role":"user","content":"x"}},{message}]}}"#);
    assert_eq!(message(r#"{"messages":[]}"#), "model: a model is required");
    assert_eq!(message(r#"{"model":"m"}"#), "messages: messages are required");
    assert_eq!(message(r#"{"model":"m","messages":[],"stop":5}"#), "stop: expected a string or a list of strings");
    assert_eq!(
        message(r#"{"model":"m","messages":[],"functions":[]}"#),
        "functions: `functions` is no longer supported; use `tools` and `tool_choice`"
    );
    assert_eq!(
        message(&wrap(r#"{"role":"tool","content":"x"}"#)),
        "messages[1].tool_call_id: a tool_call_id is required"
    );
    assert_eq!(
        message(&wrap(r#"{"role":"user","content":[{"type":"text"}]}"#)),
        "messages[1].content[0].text: `text` is required"
    );
    assert_eq!(
        message(&wrap(r#"{"role":"owner","content":"x"}"#)),
        "messages[1].role: unknown role `owner`; expected one of system, developer, user, assistant, tool"
    );
    assert!(message("{\"model\":").starts_with("The request body is not valid JSON for this endpoint"));
}

/// Chat to canonical to chat: what chat can say survives.
#[test]
fn a_decoded_chat_request_encodes_to_what_it_said() {
    let request = decode(FULL.as_bytes()).expect("decodes");
    let quirks = Quirks { mid_system: crate::quirks::MidSystem::InPlace, ..Quirks::default() };
    let seal = Seal::new(SECRET);
    let target = Target {
        model: "up",
        label: "acme/up",
        quirks: &quirks,
        drop_params: true,
        max_output_tokens: None,
        stream: true,
        seal: &seal,
    };
    let body = String::from_utf8(encode(&request, &target).expect("encodes").body).expect("UTF-8");
    let expected = concat!(
        r#"{"model":"up","max_tokens":7,"stop":["END"],"seed":1,"n":1,"stream":true,"stream_options":{"include_usage":true},"#,
        r#""response_format":{"type":"json_schema","json_schema":{"name":"o","schema":{"type":"object","properties":{}},"strict":false}},"#,
        r#""tools":[{"type":"function","function":{"name":"f","parameters":{"type":"object","properties":{}}}}],"#,
        r#""tool_choice":{"type":"function","function":{"name":"f"}},"parallel_tool_calls":false,"messages":["#,
        r#"{"role":"system","content":"Be brief."},"#,
        r#"{"role":"user","content":[{"type":"text","text":"look"},{"type":"image_url","image_url":{"url":"data:image/png;base64,AA==","detail":"low"}}]},"#,
        r#"{"role":"assistant","content":null,"tool_calls":[{"id":"c1","type":"function","function":{"name":"f","arguments":"{\"a\":1}"}},{"id":"c2","type":"function","function":{"name":"g","arguments":"{\"input\":\"free\"}"}}]},"#,
        r#"{"role":"tool","tool_call_id":"c1","content":"one"},{"role":"tool","tool_call_id":"c2","content":"two"},"#,
        r#"{"role":"user","content":"and?"},{"role":"system","content":"later"}]}"#
    );
    assert_eq!(body, expected);
}

/// A lone surrogate is no Rust string; it must pass all the same.
#[test]
fn a_lone_surrogate_and_a_long_number_pass_unchanged() {
    let wire = r#"{"model":"m","messages":[{"role":"user","content":"cut \ud83d here"}],"temperature":0.10000000000000000000001}"#;
    let request = decode(wire.as_bytes()).expect("decodes");
    let quirks = Quirks::default();
    let seal = Seal::new(SECRET);
    let target = Target {
        model: "up",
        label: "a/up",
        quirks: &quirks,
        drop_params: false,
        max_output_tokens: None,
        stream: false,
        seal: &seal,
    };
    let body = String::from_utf8(encode(&request, &target).expect("encodes").body).expect("UTF-8");
    assert_eq!(
        body,
        r#"{"model":"up","temperature":0.10000000000000000000001,"messages":[{"role":"user","content":"cut \ud83d here"}]}"#
    );
}
