use super::*;
use crate::sealed::Seal;

#[derive(Default)]
struct Setting {
    quirks: Quirks,
    drop_params: bool,
    max: Option<u64>,
    stream: bool,
}

fn quirks(json: &str) -> Quirks {
    serde_json::from_str(json).expect("quirks")
}

fn run(body: &str, setting: &Setting) -> Result<(String, String), String> {
    let seal = Seal::new(b"a secret of these tests");
    let target = Target {
        model: "up",
        label: "acme/up",
        quirks: &setting.quirks,
        drop_params: setting.drop_params,
        max_output_tokens: setting.max,
        stream: setting.stream,
        seal: &seal,
    };
    match request(body.as_bytes(), &target) {
        Ok(encoded) => {
            let body = String::from_utf8(encoded.body).expect("UTF-8");
            serde_json::from_str::<&RawValue>(&body).unwrap_or_else(|e| panic!("{e}: {body}"));
            Ok((body, encoded.changes.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")))
        }
        Err(error) => Err(error.to_string()),
    }
}

#[track_caller]
fn assert_edit(body: &str, setting: &Setting, expected: &str, changes: &str) {
    assert_eq!(run(body, setting), Ok((expected.to_string(), changes.to_string())));
}

#[test]
fn s36_everything_but_the_model_keeps_its_bytes() {
    let body = "{ \"messages\": [ {\"role\":\"developer\", \"content\" : \"a \\ud83d\"} ],\n \"model\" : \"asked\", \"unknown\": {\"z\":1, \"a\":1.50}, \"temperature\":0.10 }";
    assert_edit(body, &Setting::default(), &body.replace("\"asked\"", "\"up\""), "");
}

#[test]
fn a_missing_model_is_added() {
    assert_edit(r#"{"messages":[]}"#, &Setting::default(), r#"{"model":"up","messages":[]}"#, "");
    assert_edit("{}", &Setting::default(), r#"{"model":"up"}"#, "");
}

#[test]
fn a_stream_asks_for_usage_and_keeps_other_options() {
    let setting = Setting { stream: true, ..Setting::default() };
    let body = r#"{"model":"m","stream":true,"messages":[]}"#;
    assert_edit(
        body,
        &setting,
        r#"{"stream_options":{"include_usage":true},"model":"up","stream":true,"messages":[]}"#,
        "",
    );
    let body = r#"{"model":"m","stream":true,"stream_options":{"include_obfuscation":false},"messages":[]}"#;
    assert_edit(
        body,
        &setting,
        r#"{"model":"up","stream":true,"stream_options":{"include_obfuscation":false,"include_usage":true},"messages":[]}"#,
        "",
    );
    let silent = Setting { stream: true, quirks: quirks(r#"{"stream_usage":"silent"}"#), ..Setting::default() };
    let body = r#"{"stream_options":{"include_usage":true},"model":"m","stream":true}"#;
    assert_edit(body, &silent, r#"{"model":"up","stream":true}"#, "");
}

#[test]
fn s05_a_stream_is_forced_or_taken_away() {
    let forced = Setting { stream: true, quirks: quirks(r#"{"stream_usage":"silent"}"#), ..Setting::default() };
    assert_edit(r#"{"model":"m","stream":false}"#, &forced, r#"{"model":"up","stream":true}"#, "");
    assert_edit(r#"{"model":"m"}"#, &forced, r#"{"stream":true,"model":"up"}"#, "");
    let body = r#"{"model":"m","stream":true,"stream_options":{"include_usage":true}}"#;
    assert_edit(body, &Setting::default(), r#"{"model":"up","stream":false}"#, "");
}

#[test]
fn s05_max_tokens_is_clamped_and_renamed() {
    let clamp = Setting { max: Some(100), ..Setting::default() };
    assert_edit(
        r#"{"model":"m","max_tokens": 500}"#,
        &clamp,
        r#"{"model":"up","max_tokens": 100}"#,
        "clamped:max_tokens",
    );
    assert_edit(r#"{"model":"m","max_tokens":50}"#, &clamp, r#"{"model":"up","max_tokens":50}"#, "");
    let body = r#"{"max_completion_tokens":500,"model":"m"}"#;
    assert_edit(
        body,
        &clamp,
        r#"{"max_tokens":100,"model":"up"}"#,
        "clamped:max_completion_tokens,renamed:max_completion_tokens",
    );
    let newer = Setting { quirks: quirks(r#"{"token_field":"max_completion_tokens"}"#), ..Setting::default() };
    let body = r#"{"model":"m","max_tokens":5,"max_completion_tokens":7}"#;
    assert_edit(body, &newer, r#"{"model":"up","max_completion_tokens":7}"#, "");
    assert_eq!(run(r#"{"model":"m","max_tokens":"x"}"#, &clamp), Err("max_tokens: expected a whole number".into()));
}

#[test]
fn s06_refused_parameters_are_dropped_or_named() {
    let body = r#"{"logit_bias":{"1":2},"model":"m","seed":1,"user":"u"}"#;
    let mut setting = Setting { quirks: quirks(r#"{"refuses":["logit_bias"]}"#), ..Setting::default() };
    let error = run(body, &setting).expect_err("refused");
    assert!(error.starts_with("logit_bias: not supported by acme/up."), "{error}");
    setting.drop_params = true;
    assert_edit(body, &setting, r#"{"model":"up","seed":1,"user":"u"}"#, "dropped:logit_bias");
    let renamed = Setting { quirks: quirks(r#"{"seed_field":"random_seed","user_field":null}"#), ..Setting::default() };
    assert_edit(body, &renamed, r#"{"random_seed":1,"logit_bias":{"1":2},"model":"up"}"#, "");
}

#[test]
fn s08_thinking_controls_are_mapped_or_dropped_on_the_chat_path_too() {
    let run = |json: &str, body: &str, expected: &str, changes: &str| {
        let setting = Setting { quirks: quirks(json), ..Setting::default() };
        assert_edit(body, &setting, expected, changes);
    };
    let none = "{}";
    run(none, r#"{"model":"m","reasoning_effort":"high"}"#, r#"{"model":"up"}"#, "dropped:reasoning_effort");
    run(none, r#"{"model":"m","thinking":{"type":"adaptive"}}"#, r#"{"model":"up"}"#, "dropped:thinking");
    let effort = r#"{"reasoning":"effort"}"#;
    run(effort, r#"{"model":"m","reasoning_effort":"low"}"#, r#"{"model":"up","reasoning_effort":"low"}"#, "");
    run(effort, r#"{"model":"m","reasoning_effort":"max"}"#, r#"{"reasoning_effort":"high","model":"up"}"#, "");
    run(
        effort,
        r#"{"model":"m","thinking":{"type":"enabled","budget_tokens":9000}}"#,
        r#"{"reasoning_effort":"high","model":"up"}"#,
        "",
    );
    let switch = r#"{"reasoning":"thinking"}"#;
    run(
        switch,
        r#"{"model":"m","thinking":{"type":"disabled"}}"#,
        r#"{"model":"up","thinking":{"type":"disabled"}}"#,
        "",
    );
    run(
        switch,
        r#"{"model":"m","thinking":{"type":"adaptive"}}"#,
        r#"{"thinking":{"type":"enabled"},"model":"up"}"#,
        "",
    );
    run(switch, r#"{"model":"m","reasoning_effort":"none"}"#, r#"{"thinking":{"type":"disabled"},"model":"up"}"#, "");
    let router = r#"{"reasoning":"reasoning"}"#;
    run(router, r#"{"model":"m","reasoning_effort":"low"}"#, r#"{"reasoning":{"effort":"low"},"model":"up"}"#, "");
    run(router, r#"{"model":"m","reasoning":{"effort":"low"}}"#, r#"{"model":"up","reasoning":{"effort":"low"}}"#, "");
}

#[test]
fn sampling_is_clamped_and_kept_from_models_that_think() {
    let clamp = Setting { quirks: quirks(r#"{"max_temperature":1.0}"#), ..Setting::default() };
    assert_edit(
        r#"{"model":"m","temperature":1.7}"#,
        &clamp,
        r#"{"model":"up","temperature":1.0}"#,
        "clamped:temperature",
    );
    let json = r#"{"thinking_refuses_sampling":true,"reasoning":"thinking"}"#;
    let thinks = Setting { quirks: quirks(json), drop_params: true, ..Setting::default() };
    assert_edit(
        r#"{"model":"m","temperature":0.5,"top_p":1}"#,
        &thinks,
        r#"{"model":"up"}"#,
        "dropped:temperature,dropped:top_p",
    );
    let body = r#"{"model":"m","temperature":0.5,"thinking":{"type":"disabled"}}"#;
    assert_edit(body, &thinks, &body.replace("\"m\"", "\"up\""), "");
}

#[test]
fn tool_choices_take_the_targets_form() {
    let body = r#"{"model":"m","tools":[],"tool_choice":"required","parallel_tool_calls":false}"#;
    let any = Setting { quirks: quirks(r#"{"tool_choice":"any"}"#), ..Setting::default() };
    assert_edit(body, &any, r#"{"model":"up","tools":[],"tool_choice":"any","parallel_tool_calls":false}"#, "");
    let json = r#"{"tool_choice":"auto_none","parallel_tool_calls":false}"#;
    let weak = Setting { quirks: quirks(json), ..Setting::default() };
    assert_edit(
        body,
        &weak,
        r#"{"model":"up","tools":[],"tool_choice":"auto"}"#,
        "dropped:parallel_tool_calls,softened:tool_choice",
    );
    let none = Setting { quirks: quirks(r#"{"tools":false}"#), drop_params: true, ..Setting::default() };
    assert_edit(body, &none, r#"{"model":"up"}"#, "dropped:tools");
}

#[test]
fn content_lists_become_strings_only_where_the_target_wants_strings() {
    let body = r#"{"model":"m","messages":[{"role":"user","content":[{"type":"text","text":"a"},{"type":"text","text":"b\n"}]},{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}}]}]}"#;
    assert_edit(body, &Setting::default(), &body.replace("\"m\"", "\"up\""), "");
    let strings = Setting { quirks: quirks(r#"{"string_content":true}"#), ..Setting::default() };
    let expected = r#"{"model":"up","messages":[{"role":"user","content":"a\n\nb\n"},{"role":"user","content":[{"type":"image_url","image_url":{"url":"u"}}]}]}"#;
    assert_edit(body, &strings, expected, "");
}

#[test]
fn s12_thoughts_that_the_client_lost_are_filled_in() {
    let json = r#"{"replay":"tool_calls","reasoning_filler":" "}"#;
    let setting = Setting { quirks: quirks(json), ..Setting::default() };
    let body = r#"{"model":"m","messages":[{"role":"assistant","content":"x"},{"role":"assistant","tool_calls":[{"id":"1"}]},{"role":"assistant","reasoning_content":"hm","tool_calls":[{"id":"2"}]}]}"#;
    let expected = r#"{"model":"up","messages":[{"role":"assistant","content":"x"},{"reasoning_content":" ","role":"assistant","tool_calls":[{"id":"1"}]},{"role":"assistant","reasoning_content":"hm","tool_calls":[{"id":"2"}]}]}"#;
    assert_edit(body, &setting, expected, "");
}

#[test]
fn a_wished_form_that_the_target_lacks_is_said_in_the_system_prompt() {
    let setting = Setting { quirks: quirks(r#"{"response_format":"none"}"#), ..Setting::default() };
    let body = r#"{"model":"m","messages":[{"role":"user","content":"x"}],"response_format":{"type":"json_object"}}"#;
    let expected = r#"{"model":"up","messages":[{"role":"system","content":"Answer with one JSON object and nothing else."},{"role":"user","content":"x"}]}"#;
    assert_edit(body, &setting, expected, "textualised:response_format");
}

#[test]
fn only_the_usage_chunk_that_nobody_asked_for_is_dropped() {
    let of =
        |data: &'static str, asked| frame(&Frame { event: "", data: data.as_bytes(), raw: data.as_bytes() }, asked);
    let usage = r#"{"id":"x","choices":[],"usage":{"prompt_tokens":1}}"#;
    assert_eq!(of(usage, false), Forwarded::Drop);
    assert_eq!(of(usage, true), Forwarded::AsIs);
    assert_eq!(of(r#"{"choices":[{"index":0,"delta":{"content":"\"usage\""}}],"usage":null}"#, false), Forwarded::AsIs);
    assert_eq!(
        of(r#"{"choices":[{"index":0,"delta":{},"finish_reason":"stop"}],"usage":{"prompt_tokens":1}}"#, false),
        Forwarded::AsIs
    );
    assert_eq!(of(r#"{"choices":[],"usage":null,"prompt_filter_results":[]}"#, false), Forwarded::AsIs);
    assert_eq!(of(r#"{"choices":[],"usage":{},"error":{"message":"x"}}"#, false), Forwarded::AsIs);
    assert_eq!(of("[DONE]", false), Forwarded::AsIs);
}

proptest::proptest! {
    #[test]
    fn forwarding_never_panics_and_always_gives_json(at in 0usize..300, byte in proptest::num::u8::ANY, cut in 0usize..300) {
        let mut bytes = br#"{"model":"m","max_tokens":5,"messages":[{"role":"assistant","content":[{"type":"text","text":"a"}],"tool_calls":[{}]}],"stream":true,"stream_options":{},"thinking":{"type":"adaptive"},"temperature":2,"tools":[],"tool_choice":"required","seed":1}"#.to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(bytes.len() - cut % bytes.len());
        let quirks = quirks(r#"{"string_content":true,"replay":"always","reasoning_filler":" ","tool_choice":"any","seed_field":"s","max_temperature":1.0}"#);
        let seal = Seal::new(b"a secret of these tests");
        let target = Target { model: "up", label: "a/up", quirks: &quirks, drop_params: true, max_output_tokens: Some(1), stream: true, seal: &seal };
        if let Ok(encoded) = request(&bytes, &target) {
            proptest::prop_assert!(serde_json::from_slice::<&RawValue>(&encoded.body).is_ok(), "{}", String::from_utf8_lossy(&encoded.body));
        }
    }
}

#[test]
fn a_model_given_twice_is_replaced_twice() {
    assert_edit(r#"{"model":"a","model":"b"}"#, &Setting::default(), r#"{"model":"up","model":"up"}"#, "");
}
