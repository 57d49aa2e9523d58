use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::gemini::testing::{seal, target, value};
use crate::quirks::Quirks;
use crate::request::{Part, Role};

/// The body for a request in chat's or Messages' words.
fn body(dialect: crate::Dialect, request: &Value, quirks: &Quirks) -> String {
    let seal = seal();
    let wire = request.to_string();
    let request = crate::decode_count_request(dialect, wire.as_bytes()).expect("a request");
    let encoded = encode(&request, &target(quirks, &seal)).expect("encodes");
    String::from_utf8(encoded.body).expect("UTF-8")
}

fn conversation() -> Vec<Value> {
    vec![
        json!({"role":"user","content":[{"type":"text","text":"reminder"},{"type":"text","text":"do it"}]}),
        json!({"role":"system","content":"long instructions"}),
        json!({"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"EqABC"},{"type":"text","text":"Reading."},
            {"type":"tool_use","id":"t1","name":"Read","input":{"file":"a"}},{"type":"tool_use","id":"t2","name":"Read","input":{"file":"b"}}]}),
        json!({"role":"user","content":[{"type":"tool_result","tool_use_id":"t2","content":"bee"},
            {"type":"tool_result","tool_use_id":"t1","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"AA=="}}]}]}),
        json!({"role":"assistant","content":[{"type":"thinking","thinking":"only thoughts","signature":""}]}),
        json!({"role":"user","content":"go on"}),
        json!({"role":"assistant","content":[{"type":"text","text":"Done."}]}),
        json!({"role":"user","content":[{"type":"tool_result","tool_use_id":"gone","content":"late"},{"type":"text","text":"next"}]}),
        json!({"role":"assistant","content":[{"type":"tool_use","id":"t1","name":"Bash","input":{}}]}),
        json!({"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":""}]}),
    ]
}

#[test]
fn s13_each_turn_begins_with_the_bytes_of_the_turn_before() {
    let quirks = Quirks { thought_signatures: true, ..Quirks::default() };
    let messages = conversation();
    let mut before: Option<String> = None;
    for n in (0..messages.len()).filter(|n| messages[*n]["role"] == "user").map(|n| n + 1) {
        let request = json!({"model":"m","max_tokens":9,"system":"S","messages":messages[..n]});
        let now = body(crate::Dialect::Messages, &request, &quirks);
        if let Some(before) = before {
            let prefix = before.strip_suffix("]}]}").expect("contents come last");
            assert!(now.starts_with(prefix), "turn of {n}:\n{before}\n{now}");
        }
        before = Some(now);
    }
}

/// As Google insists on it.
fn check_order(contents: &[Value]) {
    let mut calls: Vec<&Value> = Vec::new();
    for (i, content) in contents.iter().enumerate() {
        assert_eq!(content["role"], if i % 2 == 0 { "user" } else { "model" }, "{contents:?}");
        let parts = content["parts"].as_array().expect("parts");
        assert!(!parts.is_empty());
        let of = |kind: &str| -> Vec<&Value> { parts.iter().filter_map(|p| p.get(kind)).collect() };
        let results = of("functionResponse");
        let names = |list: &[&Value]| -> Vec<Value> { list.iter().map(|c| c["name"].clone()).collect() };
        assert_eq!(names(&calls), names(&results), "{contents:?}");
        assert!(parts[..results.len()].iter().all(|p| p.get("functionResponse").is_some()));
        calls = of("functionCall");
        if let Some(first) = parts.iter().find(|p| p.get("functionCall").is_some()) {
            assert!(first.get("thoughtSignature").is_some(), "{contents:?}");
        }
    }
    assert!(calls.is_empty(), "{contents:?}");
}

proptest! {
    #[test]
    fn every_mixture_of_messages_becomes_contents_in_googles_order(order in proptest::collection::vec(0usize..10, 1..14)) {
        let messages: Vec<Value> = order.iter().map(|i| conversation()[*i].clone()).collect();
        let quirks = Quirks { thought_signatures: true, prefill: false, ..Quirks::default() };
        let request = json!({"model":"m","max_tokens":9,"messages":messages});
        let body = body(crate::Dialect::Messages, &request, &quirks);
        check_order(value(body.as_bytes())["contents"].as_array().expect("contents"));
        // What we write we read.
        decode(body.as_bytes()).expect("is read");
    }

    #[test]
    fn no_bytes_make_the_decoder_panic(at in 0usize..600, byte in any::<u8>()) {
        let mut bytes = CLI.as_bytes().to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        let _ = decode(&bytes);
        let _ = decode_count(&bytes);
    }
}

const CLI: &str = r#"{"contents":[{"parts":[{"text":"go"}],"role":"user"},{"role":"model","parts":[{"functionCall":{"name":"f","args":{"a":1}},"thoughtSignature":"eyJ0b2xsZ2F0ZSI6"},{"functionCall":{"name":"g"}},{"functionCall":{"name":"f"}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","response":{"output":"1"},"parts":[{"inlineData":{"mimeType":"image/png","data":"AA=="}}]}},{"functionResponse":{"name":"f","response":{"output":"2"}}},{"functionResponse":{"name":"g","response":{"output":"3"}}},{"functionResponse":{"name":"h","response":{}}}]}],"tools":[{"functionDeclarations":[{"name":"f"}]}],"generationConfig":{"topK":64}}"#;

#[test]
fn calls_without_ids_are_numbered_and_results_find_the_first_open_call_of_their_name() {
    let request = decode(CLI.as_bytes()).expect("reads");
    let ids = |wanted: Role| -> Vec<String> {
        let of = request.messages.iter().filter(|m| m.role == wanted).flat_map(|m| &m.parts);
        of.filter_map(|part| match part {
            Part::ToolCall(call) => Some(call.id.decode().into_owned()),
            Part::ToolResult(result) => Some(result.id.decode().into_owned()),
            _ => None,
        })
        .collect()
    };
    assert_eq!(ids(Role::Assistant), ["call_n1", "call_n2", "call_n3"]);
    assert_eq!(ids(Role::User), ["call_n1", "call_n3", "call_n2", "h"]);
    let Part::ToolResult(first) = &request.messages[2].parts[0] else { panic!("a result") };
    assert!(matches!(first.content[..], [Part::Text(_), Part::Media(_)]));
}

#[test]
fn an_id_that_looks_like_a_number_of_ours_is_not_given_twice() {
    let request = json!({"contents":[
        {"role":"model","parts":[{"functionCall":{"id":"call_n2","name":"f"}},{"functionCall":{"name":"f"}}]}]});
    let wire = request.to_string();
    let request = decode(wire.as_bytes()).expect("reads");
    let Part::ToolCall(second) = &request.messages[0].parts[1] else { panic!("a call") };
    assert_eq!(second.id.escaped(), "call_n2-1");
}

#[test]
fn what_stands_for_a_signature_that_a_client_does_not_have_is_no_state() {
    let state = |signature: &str| {
        let call = json!({"functionCall": {"name": "f"}, "thoughtSignature": signature});
        let wire = json!({"contents": [{"role": "model", "parts": [call]}]}).to_string();
        let request = decode(wire.as_bytes()).expect("reads");
        let Part::ToolCall(call) = &request.messages[0].parts[0] else { panic!("a call") };
        call.state.is_some()
    };
    assert_eq!([state("skip_thought_signature_validator"), state("CikB")], [false, true]);
}

#[test]
fn a_count_may_be_asked_for_in_two_shapes() {
    let contents = r#""contents":[{"parts":[{"text":"hi"}]}]"#;
    for body in
        [format!("{{{contents}}}"), format!(r#"{{"generateContentRequest":{{"model":"models/x",{contents}}}}}"#)]
    {
        assert_eq!(decode_count(body.as_bytes()).expect("reads").messages.len(), 1);
    }
    assert!(decode(br#"{"generateContentRequest":{"contents":[]}}"#).is_err());
}

#[test]
fn a_broken_body_is_refused_with_the_place_in_the_json() {
    let error = decode(br#"{"contents":[}"#).expect_err("is refused");
    assert!(error.message.contains("line 1 column 14"), "{error}");
}
