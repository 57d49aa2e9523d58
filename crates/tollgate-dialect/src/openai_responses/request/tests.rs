use serde_json::{Value, json};

use super::*;
use crate::quirks::Quirks;
use crate::sealed::{Seal, SealedState};
use crate::{Dialect, Target, decode_request};

fn body_for(from: Dialect, quirks: &Value, request: &Value) -> String {
    let quirks: Quirks = serde_json::from_value(quirks.clone()).expect("quirks");
    let seal = Seal::new(b"a secret of these tests");
    let target = Target {
        model: "up",
        label: "acme/up",
        quirks: &quirks,
        drop_params: false,
        max_output_tokens: None,
        stream: false,
        seal: &seal,
    };
    let bytes = request.to_string();
    let request = decode_request(from, bytes.as_bytes()).expect("decodes");
    String::from_utf8(encode(&request, &target).expect("encodes").body).expect("UTF-8")
}

fn signature() -> String {
    let details = crate::json::Json::literal(r#"{"id":"rs_1","encrypted_content":"gAAA"}"#);
    let state = SealedState { family: "acme".into(), details: Some(details) };
    Seal::new(b"a secret of these tests").seal(&state).escaped().to_string()
}

fn quirk_sets() -> [Value; 3] {
    [
        json!({}),
        json!({"reasoning":"effort","mid_system":"in_place","cache_breakpoints":true,"replay":"always"}),
        json!({"prefill":false,"empty_result":"(none)","tool_ids":{"at_most":4}}),
    ]
}

#[test]
fn s13_each_turn_begins_with_the_bytes_of_the_turn_before() {
    let thought = json!({"type":"thinking","thinking":"hm","signature":signature()});
    let call = |id: &str| json!({"type":"tool_use","id":id,"name":"f","input":{"a":1}});
    let result = |id: &str| json!({"type":"tool_result","tool_use_id":id,"content":"r"});
    let all = [
        json!({"role":"user","content":"one"}),
        json!({"role":"assistant","content":[thought, {"type":"text","text":"t"}, call("call_1"), call("call_2")]}),
        json!({"role":"user","content":[result("call_2"), result("call_1")]}),
        json!({"role":"assistant","content":[thought, call("call_3")]}),
        json!({"role":"user","content":[result("call_3"), {"type":"text","text":"two"}]}),
        json!({"role":"system","content":"s"}),
        json!({"role":"assistant","content":"done"}),
        json!({"role":"user","content":"three"}),
    ];
    for quirks in quirk_sets() {
        let turn = |n: usize| {
            let request = json!({"model":"m","max_tokens":99,"system":"sys","messages":all[..n],"tools":[{"name":"f","input_schema":{"type":"object"}}]});
            body_for(Dialect::Messages, &quirks, &request)
        };
        let turns: Vec<String> = [1, 3, 6, 8].into_iter().map(turn).collect();
        for pair in turns.windows(2) {
            let prefix = pair[0].strip_suffix("]}").expect("the input is last");
            assert!(pair[1].starts_with(prefix), "{quirks}\n{}\n{}", pair[0], pair[1]);
        }
    }
}

/// What OpenAI refuses a conversation for.
fn assert_accepted(body: &str) {
    let body: Value = serde_json::from_str(body).expect("JSON");
    let items = body["input"].as_array().expect("items");
    let mut open: Vec<&Value> = Vec::new();
    for (i, item) in items.iter().enumerate() {
        let kind = item["type"].as_str().unwrap_or("");
        let by_assistant = item["role"] == "assistant" || matches!(kind, "reasoning" | "function_call");
        if by_assistant && items[..i].last().is_some_and(|before| before["type"] == "function_call_output") {
            assert!(open.is_empty(), "calls are answered before the next turn: {body}");
        }
        match kind {
            "function_call" => open.push(&item["call_id"]),
            "function_call_output" => {
                let at = open.iter().position(|id| **id == item["call_id"]);
                open.remove(at.unwrap_or_else(|| panic!("an output without its call: {body}")));
            }
            "reasoning" => {
                let next = items.get(i + 1).unwrap_or_else(|| panic!("reasoning that led to nothing: {body}"));
                assert!(next["role"] == "assistant" || next["type"] == "function_call" || next["type"] == "reasoning");
            }
            "message" => assert_ne!(item["content"], json!([])),
            other => panic!("{other}"),
        }
    }
    assert!(open.is_empty(), "every call is answered: {body}");
}

proptest::proptest! {
    /// Whatever a client sends in whatever order.
    #[test]
    fn s02_every_mixture_of_messages_becomes_items_that_a_strict_server_takes(picks in proptest::collection::vec(0usize..11, 1..14)) {
        let thought = json!({"type":"thinking","thinking":"hm","signature":signature()});
        let kinds = [
            json!({"role":"user","content":"u"}),
            json!({"role":"user","content":""}),
            json!({"role":"system","content":"s"}),
            json!({"role":"assistant","content":"a"}),
            json!({"role":"assistant","content":[]}),
            json!({"role":"assistant","content":[thought]}),
            json!({"role":"assistant","content":[thought, {"type":"text","text":""}]}),
            json!({"role":"assistant","content":[thought, {"type":"tool_use","id":"x","name":"T","input":{}},{"type":"tool_use","id":"y","name":"T","input":{}}]}),
            json!({"role":"user","content":[{"type":"tool_result","tool_use_id":"y","content":"1"},{"type":"tool_result","tool_use_id":"x","content":"2"},{"type":"text","text":"t"}]}),
            json!({"role":"user","content":[{"type":"text","text":"t"},{"type":"tool_result","tool_use_id":"x","content":"3"},{"type":"tool_result","tool_use_id":"x","content":"4"}]}),
            json!({"role":"user","content":[{"type":"tool_result","tool_use_id":"z"}]}),
        ];
        let messages: Vec<Value> = picks.iter().map(|i| kinds[*i].clone()).collect();
        for quirks in quirk_sets() {
            let body = body_for(Dialect::Messages, &quirks, &json!({"model":"m","max_tokens":99,"messages":messages}));
            assert_accepted(&body);
            decode(body.as_bytes()).expect("what we write we can read");
        }
    }

    #[test]
    fn what_is_written_for_any_client_can_be_read(cut in 0usize..900, at in 0usize..900, byte in proptest::num::u8::ANY) {
        for (from, whole) in [(Dialect::Responses, FULL), (Dialect::Chat, CHAT), (Dialect::Messages, MESSAGES)] {
            let mut bytes = whole.as_bytes().to_vec();
            let at = at % bytes.len();
            bytes[at] = byte;
            bytes.truncate(bytes.len() - if cut % 2 == 0 { 0 } else { cut % bytes.len() });
            let Ok(request) = decode_request(from, &bytes) else { continue };
            let (quirks, seal) = (Quirks::default(), Seal::new(b"a secret of these tests"));
            let target = Target { model: "up", label: "a/up", quirks: &quirks, drop_params: true, max_output_tokens: None, stream: true, seal: &seal };
            for to in Dialect::CLIENTS {
                if let Ok(encoded) = crate::encode_request(to, &request, &target) {
                    let text = String::from_utf8_lossy(&encoded.body).into_owned();
                    proptest::prop_assert!(decode_request(to, &encoded.body).is_ok(), "{to:?} {text}");
                }
            }
        }
    }

    #[test]
    fn decoding_never_panics_on_any_bytes(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200)) {
        let _ = decode(&bytes);
    }

    #[test]
    fn decoding_never_panics_on_mangled_requests(cut in 0usize..900, at in 0usize..900, byte in proptest::num::u8::ANY) {
        let mut bytes = FULL.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(bytes.len() - cut % bytes.len());
        let _ = decode(&bytes);
    }
}

const CHAT: &str = r#"{"model":"m","max_tokens":5,"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:image/png;base64,AA=="}}]},
  {"role":"assistant","tool_calls":[{"id":"c","type":"function","function":{"name":"f","arguments":"{}"}},{"id":"d","type":"custom","custom":{"name":"g","input":"x"}}]},
  {"role":"tool","tool_call_id":"c","content":"r"}],"tools":[{"type":"custom","custom":{"name":"g","format":{"type":"grammar","grammar":{"syntax":"lark"}}}}],
  "response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{"type":"object"}}},"reasoning_effort":"low"}"#;
const MESSAGES: &str = r#"{"model":"m","max_tokens":5,"system":"s","messages":[{"role":"user","content":[{"type":"document","source":{"type":"text","data":"x"}}]},
  {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":"s"},{"type":"server_tool_use","id":"x"},{"type":"tool_use","id":"c","name":"f","input":{}}]},
  {"role":"user","content":[{"type":"tool_result","tool_use_id":"c","content":[{"type":"text","text":"r"}]}]}],
  "tools":[{"name":"f","input_schema":{"type":"object"}},{"type":"web_search_20250305","name":"w"}],"tool_choice":{"type":"tool","name":"f"}}"#;

const FULL: &str = r#"{"model":"gpt","instructions":"Sys","input":[
  {"type":"message","role":"developer","content":[{"type":"input_text","text":"Be brief.","prompt_cache_breakpoint":{"mode":"explicit","ttl":"12h"}}]},
  {"role":"user","content":[{"type":"input_text","text":"look"},{"type":"input_image","image_url":"data:image/png;base64,AA==","detail":"low"},{"type":"input_file","file_data":"AA=="}]},
  {"type":"reasoning","id":"rs_1","summary":[{"type":"summary_text","text":"hm"}],"encrypted_content":"gAAA"},
  {"type":"function_call","call_id":"c1","namespace":"n","name":"f","arguments":"{\"a\":1}"},
  {"type":"custom_tool_call","call_id":"c2","name":"g","input":"free"},
  {"type":"function_call_output","call_id":"c1","output":[{"type":"input_text","text":"one"}]},
  {"type":"custom_tool_call_output","call_id":"c2","output":"two"}],
  "tools":[{"type":"namespace","name":"n","tools":[{"type":"function","name":"f","parameters":{}}]},{"type":"web_search"}],
  "tool_choice":{"type":"function","name":"f","namespace":"n"},"reasoning":{"effort":"high","summary":"auto"},
  "text":{"verbosity":"low","format":{"type":"json_schema","name":"o","schema":{}}},"max_output_tokens":7,"stream":true}"#;

#[test]
fn a_request_is_read_whole() {
    use crate::names::{qualified, unqualified};
    use crate::request::{CacheMark, Part, Role, ToolChoice};
    let request = decode(FULL.as_bytes()).expect("decodes");
    assert_eq!(request.system.iter().map(|b| b.text.escaped()).collect::<Vec<_>>(), ["Sys", "Be brief."]);
    assert_eq!(request.system[1].cache, Some(CacheMark::Long));
    assert_eq!((request.max_tokens, request.stream), (Some(7), true));
    let roles: Vec<Role> = request.messages.iter().map(|m| m.role).collect();
    assert_eq!(roles, [Role::User, Role::Assistant, Role::User]);
    let Part::ToolCall(call) = &request.messages[1].parts[1] else { panic!("a call") };
    let (namespace, name) = unqualified(&call.name);
    assert_eq!((namespace.as_ref().map(|n| n.escaped()), name.escaped()), (Some("n"), "f"));
    assert_eq!(request.tool_choice, Some(ToolChoice::Named(call.name.clone())));
    assert_eq!(request.tools[0].name, qualified(namespace.as_ref(), name));
    let Part::Thinking(thinking) = &request.messages[1].parts[0] else { panic!("thoughts") };
    assert!(thinking.signature.as_ref().is_some_and(crate::sealed::is_ours), "nobody else may be sent it");
}

#[test]
fn a_mistake_in_the_json_is_told_with_its_line() {
    let error = decode(b"{\"model\":\"m\",\n\"input\":[}").expect_err("no JSON");
    assert!(error.message.contains("line 2"), "{error}");
}
