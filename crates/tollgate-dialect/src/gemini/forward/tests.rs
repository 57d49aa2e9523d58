use proptest::prelude::*;

use super::*;
use crate::gemini::testing::{seal, target, value};
use crate::quirks::{GeminiQuirks, Quirks};

fn forwarded(quirks: &Quirks, body: &str) -> (String, Vec<String>) {
    let seal = seal();
    let encoded = request(body.as_bytes(), &target(quirks, &seal)).expect("forwards");
    serde_json::from_slice::<&serde_json::value::RawValue>(&encoded.body).expect("JSON");
    (String::from_utf8(encoded.body).expect("UTF-8"), encoded.changes.iter().map(ToString::to_string).collect())
}

#[test]
fn what_needs_no_edit_keeps_its_bytes() {
    let body = r#" { "contents" : [{"role":"user","parts":[{"text":"caf\u00e9 \ud83d"}]}, {"role":"model","parts":[{"functionCall":{"id":"a","name":"f","args":{ }},"thoughtSignature":"CikB"}]}] ,"safetySettings":[],"unknown":1.0}"#;
    let quirks = Quirks { thought_signatures: true, ..Quirks::default() };
    assert_eq!(forwarded(&quirks, body), (body.to_string(), vec![]));
}

#[test]
fn more_tokens_than_the_model_gives_are_cut() {
    let seal = seal();
    let quirks = Quirks::default();
    let limited = Target { max_output_tokens: Some(100), ..target(&quirks, &seal) };
    for (body, expected) in [
        (
            r#"{"generationConfig":{"maxOutputTokens":900,"topK":1}}"#,
            r#"{"generationConfig":{"maxOutputTokens":100,"topK":1}}"#,
        ),
        (r#"{"generation_config":{"max_output_tokens":"900"}}"#, r#"{"generation_config":{"max_output_tokens":100}}"#),
    ] {
        let encoded = request(body.as_bytes(), &limited).expect("forwards");
        assert_eq!(String::from_utf8(encoded.body).expect("UTF-8"), expected);
        assert_eq!(encoded.changes, [Change::new(ChangeKind::Clamped, "maxOutputTokens")]);
    }
}

#[test]
fn a_lost_signature_is_replaced_by_googles_word_on_the_first_call_of_a_turn() {
    let quirks = Quirks { thought_signatures: true, ..Quirks::default() };
    let call = r#"{"functionCall":{"name":"f","args":{}}}"#;
    let marked = r#"{"thoughtSignature":"skip_thought_signature_validator","functionCall":{"name":"f","args":{}}}"#;
    let body = |first: &str, second: &str| {
        format!(
            r#"{{"contents":[{{"role":"model","parts":[{{"text":"x"}},{first},{call}]}},{{"role":"user","parts":[]}},{{"parts":[{second}],"role":"model"}}]}}"#
        )
    };
    assert_eq!(
        forwarded(&quirks, &body(call, call)),
        (body(marked, marked), vec!["repaired:thoughtSignature".to_string()])
    );
    assert_eq!(forwarded(&Quirks::default(), &body(call, call)).0, body(call, call));
}

#[test]
fn a_result_that_a_resumed_session_has_twice_goes_once() {
    let result = |id: &str, text: &str| {
        format!(r#"{{"functionResponse":{{"id":"{id}","name":"f","response":{{"o":"{text}"}}}}}}"#)
    };
    let (a, b) = (result("a", "1"), result("b", "2"));
    let image = r#"{"inlineData":{"mimeType":"image/png","data":"AA=="}}"#;
    let turn = |parts: &[&str]| format!(r#"{{"role":"user","parts":[{}]}}"#, parts.join(","));
    let call = r#"{"role":"model","parts":[{"functionCall":{"id":"a","name":"f"},"thoughtSignature":"CikB"}]}"#;
    let body = |first: &str, second: &str| format!(r#"{{"contents":[{first},{call},{second}]}}"#);
    // The same id in another turn is the result of another call.
    let sent = body(&turn(&[&a, &b, &a, image, &b]), &turn(&[&a]));
    let expected = body(&turn(&[&a, &b, image]), &turn(&[&a]));
    for quirks in [Quirks::default(), Quirks { thought_signatures: true, ..Quirks::default() }] {
        assert_eq!(forwarded(&quirks, &sent), (expected.clone(), vec!["repaired:functionResponse".to_string()]));
    }
    let unnamed = r#"{"functionResponse":{"name":"f","response":{}}}"#;
    let body = body(&turn(&[unnamed, unnamed]), &turn(&[&b]));
    assert_eq!(forwarded(&Quirks::default(), &body), (body, vec![]), "without ids nothing tells them apart");
}

#[test]
fn another_makers_thoughts_never_reach_google() {
    let quirks = Quirks { thought_signatures: true, ..Quirks::default() };
    let carried = format!("{CARRIED}W10=");
    let body = |on_text: &str, on_call: &str| {
        format!(
            r#"{{"contents":[{{"role":"model","parts":[{{"text":"x"{on_text}}},{{"functionCall":{{"name":"f"}}{on_call}}}]}}]}}"#
        )
    };
    let theirs = format!(r#","thoughtSignature":"{carried}""#);
    let word = r#","thoughtSignature":"skip_thought_signature_validator""#;
    assert_eq!(
        forwarded(&quirks, &body(&theirs, &theirs)),
        (body("", word), vec!["dropped:thoughtSignature".into(), "repaired:thoughtSignature".into()])
    );
    assert_eq!(forwarded(&Quirks::default(), &body(&theirs, &theirs)).0, body("", ""));
}

#[test]
fn another_endpoints_signatures_are_replaced_where_one_is_due_and_else_left_out() {
    let gemini = GeminiQuirks { foreign_signatures: true, ..GeminiQuirks::default() };
    let quirks = Quirks { thought_signatures: true, gemini, ..Quirks::default() };
    let body = |first: &str, others: &str| {
        format!(
            r#"{{"contents":[{{"role":"model","parts":[{{"text":"x"{others}}},{{"functionCall":{{"name":"f","args":{{}}}},"thoughtSignature":"{first}"}},{{"functionCall":{{"name":"g","args":{{}}}}{others}}}]}}]}}"#
        )
    };
    let (out, changes) = forwarded(&quirks, &body("CikB", r#","thoughtSignature":"CikC""#));
    assert_eq!(out, body("skip_thought_signature_validator", ""));
    assert_eq!(changes, ["dropped:thoughtSignature", "repaired:thoughtSignature"]);
}

#[test]
fn each_kind_of_tools_gets_an_entry_of_its_own_where_only_one_is_taken() {
    let gemini = GeminiQuirks { one_kind_per_tool: true, ..GeminiQuirks::default() };
    let quirks = Quirks { gemini, ..Quirks::default() };
    let body = r#"{"tools": [ {"functionDeclarations":[{"name":"f"}], "google_search" : {}} ,{"codeExecution":{ }}]}"#;
    let split = r#"{"tools": [ {"functionDeclarations":[{"name":"f"}]},{"google_search":{}} ,{"codeExecution":{ }}]}"#;
    assert_eq!(forwarded(&quirks, body), (split.to_string(), vec!["rewritten:tools".to_string()]));
    assert_eq!(forwarded(&Quirks::default(), body), (body.to_string(), vec![]));
}

#[test]
fn arguments_of_calls_are_not_asked_for_in_pieces() {
    let body =
        r#"{"contents":[],"toolConfig":{"functionCallingConfig":{"mode":"AUTO","streamFunctionCallArguments":true}}}"#;
    let whole = r#"{"contents":[],"toolConfig":{"functionCallingConfig":{"mode":"AUTO"}}}"#;
    let changes = vec!["dropped:streamFunctionCallArguments".to_string()];
    assert_eq!(forwarded(&Quirks::default(), body), (whole.to_string(), changes.clone()));
    let snake = body.replace("toolConfig", "tool_config").replace("functionCallingConfig", "function_calling_config");
    let snake = snake.replace("streamFunctionCallArguments", "stream_function_call_arguments");
    assert_eq!(forwarded(&Quirks::default(), &snake).1, changes);
}

#[test]
fn an_end_mark_of_other_dialects_stays_here() {
    let of = |data: &str| frame(&Frame { event: "", data: data.as_bytes(), raw: data.as_bytes() });
    assert!(matches!(of("[DONE]"), Forwarded::Drop));
    assert!(matches!(of(r#"{"candidates":[]}"#), Forwarded::AsIs));
}

#[test]
fn older_models_get_no_ids_and_no_levels() {
    let gemini = GeminiQuirks { ids: false, thinking: GeminiThinking::Budget, ..GeminiQuirks::default() };
    let quirks = Quirks { gemini, ..Quirks::default() };
    let body = r#"{"contents":[{"role":"model","parts":[{"functionCall":{"id":"a","name":"f"}}]},{"role":"user","parts":[{"functionResponse":{"name":"f","id":"a"}}]}],"generationConfig":{"thinkingConfig":{"thinkingLevel":"LOW","includeThoughts":true}}}"#;
    let expected = r#"{"contents":[{"role":"model","parts":[{"functionCall":{"name":"f"}}]},{"role":"user","parts":[{"functionResponse":{"name":"f"}}]}],"generationConfig":{"thinkingConfig":{"thinkingBudget":2048,"includeThoughts":true}}}"#;
    assert_eq!(
        forwarded(&quirks, body),
        (expected.into(), vec!["rewritten:thinkingConfig".into(), "dropped:id".into()])
    );
}

#[test]
fn refused_parameters_are_dropped_or_named() {
    let quirks = Quirks { refuses: vec!["topK".into(), "safetySettings".into()], ..Quirks::default() };
    let seal = seal();
    let body = br#"{"safetySettings":[],"model":"models/x","contents":[],"generationConfig":{"topK":1,"topP":1}}"#;
    let refused = request(body, &target(&quirks, &seal)).expect_err("is refused");
    assert!(refused.to_string().starts_with("safetySettings: not supported by gemini/gemini-up"), "{refused}");
    let dropping = Target { drop_params: true, ..target(&quirks, &seal) };
    let encoded = request(body, &dropping).expect("forwards");
    assert_eq!(String::from_utf8(encoded.body).expect("UTF-8"), r#"{"contents":[],"generationConfig":{"topP":1}}"#);
}

proptest! {
    #[test]
    fn forwarding_never_panics_and_always_gives_json(at in 0usize..300, byte in any::<u8>()) {
        let body = format!(r#"{{"contents":[{{"role":"model","parts":[{{"functionCall":{{"id":"a","name":"f"}}}},{{"text":"x","thoughtSignature":"{CARRIED}"}}]}}],"generationConfig":{{"maxOutputTokens":9,"thinkingConfig":{{"thinkingBudget":1}}}},"model":"x"}}"#);
        let mut bytes = body.into_bytes();
        let at = at % bytes.len();
        bytes[at] = byte;
        let gemini = GeminiQuirks { ids: false, thinking: GeminiThinking::None, ..GeminiQuirks::default() };
        let quirks = Quirks { thought_signatures: true, gemini, ..Quirks::default() };
        let seal = seal();
        if let Ok(encoded) = request(&bytes, &Target { max_output_tokens: Some(5), ..target(&quirks, &seal) }) {
            value(&encoded.body);
        }
    }
}
