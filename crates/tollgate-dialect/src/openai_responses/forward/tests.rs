use super::*;
use crate::quirks::Quirks;
use crate::sealed::{Seal, SealedState};

fn quirks(json: &str) -> Quirks {
    serde_json::from_str(json).expect("quirks")
}

fn seal() -> Seal {
    Seal::new(b"a secret of these tests")
}

struct Setting {
    quirks: Quirks,
    drop_params: bool,
    max: Option<u64>,
    stream: bool,
}

fn setting(json: &str) -> Setting {
    Setting { quirks: quirks(json), drop_params: false, max: None, stream: false }
}

fn run(body: &str, setting: &Setting) -> Result<(String, String), String> {
    let seal = seal();
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
    let body = "{ \"input\": [ {\"role\":\"developer\", \"content\" : \"a \\ud83d\"},{\"type\":\"reasoning\",\"id\":\"rs_1\",\"encrypted_content\":\"gAAA\"} ],\n \"model\" : \"asked\", \"store\":true, \"previous_response_id\":\"resp_1\", \"tools\":[{\"type\":\"namespace\",\"name\":\"n\"}], \"unknown\": {\"z\":1, \"a\":1.50}, \"temperature\":0.10, \"stream\" : false }";
    assert_edit(body, &setting("{}"), &body.replace("\"asked\"", "\"up\""), "");
    assert_edit(r#"{"input":"x"}"#, &setting("{}"), r#"{"model":"up","input":"x"}"#, "");
}

#[test]
fn s05_output_tokens_are_clamped_and_a_stream_is_forced_or_taken_away() {
    let clamp = Setting { max: Some(100), ..setting("{}") };
    let body = r#"{"model":"m","max_output_tokens": 500}"#;
    assert_edit(body, &clamp, r#"{"model":"up","max_output_tokens": 100}"#, "clamped:max_output_tokens");
    // Too few are for the upstream to refuse, in its own words.
    let body = r#"{"model":"m","max_output_tokens":1}"#;
    assert_edit(body, &clamp, &body.replace("\"m\"", "\"up\""), "");
    let forced = Setting { stream: true, ..setting("{}") };
    assert_edit(r#"{"model":"m","stream":false}"#, &forced, r#"{"model":"up","stream":true}"#, "");
    assert_edit(r#"{"model":"m"}"#, &forced, r#"{"stream":true,"model":"up"}"#, "");
    let body = r#"{"model":"m","stream":true,"stream_options":{"include_obfuscation":false}}"#;
    assert_edit(body, &setting("{}"), r#"{"model":"up","stream":false}"#, "");
}

#[test]
fn s06_refused_parameters_are_dropped_or_named() {
    let body = r#"{"model":"m","top_logprobs":3,"user":"u"}"#;
    let mut setting = setting(r#"{"refuses":["top_logprobs","user"]}"#);
    let error = run(body, &setting).expect_err("refused");
    assert!(error.starts_with("top_logprobs: not supported by acme/up."), "{error}");
    setting.drop_params = true;
    assert_edit(body, &setting, r#"{"model":"up"}"#, "dropped:top_logprobs,dropped:user");
}

#[test]
fn an_effort_goes_to_the_nearest_that_is_known() {
    let known = setting(r#"{"reasoning":"effort","efforts":["low","high"]}"#);
    let body = r#"{"model":"m","reasoning":{"summary":"auto","effort":"xhigh"}}"#;
    assert_edit(body, &known, r#"{"model":"up","reasoning":{"summary":"auto","effort":"high"}}"#, "");
    assert_edit(body, &setting("{}"), &body.replace("\"m\"", "\"up\""), "");
}

#[test]
fn s17_a_forced_choice_is_softened_only_where_it_is_refused() {
    let body = r#"{"model":"m","tools":[],"tool_choice":{"type":"function","name":"f"}}"#;
    assert_edit(body, &setting("{}"), &body.replace("\"m\"", "\"up\""), "");
    let soft = r#"{"model":"up","tools":[],"tool_choice":"auto"}"#;
    assert_edit(body, &setting(r#"{"tool_choice":"auto_none"}"#), soft, "softened:tool_choice");
    let word = r#"{"model":"up","tools":[],"tool_choice":"required"}"#;
    assert_edit(body, &setting(r#"{"tool_choice":"words"}"#), word, "softened:tool_choice");
}

fn envelope(family: &str, details: &'static str) -> String {
    let state = SealedState { family: family.into(), details: Some(Json::literal(details)) };
    seal().seal(&state).escaped().to_string()
}

#[test]
fn reasoning_whose_state_is_an_envelope_goes_to_its_maker_alone() {
    let own = envelope("acme", r#"{"id":"rs_9","encrypted_content":"gAAA"}"#);
    let other = envelope("other", r#"{"encrypted_content":"gAAA"}"#);
    let signature = envelope("acme", r#"{"signature":"Eq"}"#);
    let item =
        |content: &str| format!(r#"{{"type":"reasoning","id":"rs_1","summary":[],"encrypted_content":"{content}"}}"#);
    let user = r#"{"role":"user","content":"x"}"#;
    let body = |items: &[&str]| format!(r#"{{"model":"up","input":[{}]}}"#, items.join(" , "));
    let (own, other, signature, native) = (item(&own), item(&other), item(&signature), item("gAAA"));
    let plain = setting("{}");
    assert_edit(&body(&[user, &own, user]), &plain, &body(&[user, &native, user]), "");
    assert_edit(&body(&[&other, user, &signature, &other]), &plain, &body(&[user]), "dropped:reasoning");
    assert_edit(&body(&[&other]), &plain, &body(&[]), "dropped:reasoning");
    let refused = setting(r#"{"messages":{"earlier_thoughts":false}}"#);
    assert_edit(&body(&[user, &native, &own, user]), &refused, &body(&[user, user]), "dropped:reasoning");
    // In what somebody says it is only text.
    let said = r#"{"role":"user","content":"tg1.abc"}"#;
    assert_edit(&body(&[said, &native]), &plain, &body(&[said, &native]), "");
}

proptest::proptest! {
    #[test]
    fn forwarding_never_panics_and_always_gives_json(at in 0usize..400, byte in proptest::num::u8::ANY, cut in 0usize..400) {
        let mut bytes = br#"{"model":"m","max_output_tokens":5,"input":[{"type":"reasoning","encrypted_content":"tg1.x"},{"role":"user","content":"a"}],"stream":true,"stream_options":{},"reasoning":{"effort":"max"},"temperature":2,"tools":[],"tool_choice":"required","seed":1}"#.to_vec();
        let at = at % bytes.len();
        bytes[at] = byte;
        bytes.truncate(bytes.len() - cut % bytes.len());
        let quirks = quirks(r#"{"reasoning":"effort","efforts":["low"],"tool_choice":"auto_none","max_temperature":1.0,"refuses":["seed"]}"#);
        let seal = seal();
        let target = Target { model: "up", label: "a/up", quirks: &quirks, drop_params: true, max_output_tokens: Some(1), stream: true, seal: &seal };
        if let Ok(encoded) = request(&bytes, &target) {
            proptest::prop_assert!(serde_json::from_slice::<&RawValue>(&encoded.body).is_ok(), "{}", String::from_utf8_lossy(&encoded.body));
        }
    }
}
