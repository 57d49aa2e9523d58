use serde_json::{Value, json};

use super::TURN;
use crate::anthropic_messages::request::{decode, encode};
use crate::anthropic_messages::testing::{genuine, seal, target, value};
use crate::error::Unsupported;
use crate::json::{Json, Text};
use crate::quirks::{MessagesQuirks, Quirks, Replay, ThinkingType};
use crate::request::{
    Effort, Media, MediaKind, Message, OutputFormat, Part, Reasoning, ReasoningMode, Request, Role, Source, TextPart,
    Thinking, Tool, ToolCall, ToolChoice, ToolInput, ToolKind, ToolResult,
};
use crate::sealed::SealedState;
use crate::{Encoded, Target};

// ---- a chat client's request, as its decoder gives it

fn text(text: &str) -> Part<'static> {
    Part::Text(TextPart { text: Text::plain(text), cache: None })
}

fn user(words: &str) -> Message<'static> {
    Message { role: Role::User, parts: vec![text(words)] }
}

fn assistant(parts: Vec<Part<'static>>) -> Message<'static> {
    Message { role: Role::Assistant, parts }
}

fn system(words: &str) -> Message<'static> {
    Message { role: Role::System, parts: vec![text(words)] }
}

fn call(id: &str, arguments: &str) -> Part<'static> {
    Part::ToolCall(ToolCall {
        id: Text::plain(id),
        name: Text::literal("Bash"),
        input: ToolInput::Arguments(Text::plain(arguments)),
        namespace: None,
        state: None,
        cache: None,
    })
}

fn result(id: &str, words: &str) -> Message<'static> {
    let content = if words.is_empty() { vec![] } else { vec![text(words)] };
    let result = ToolResult { id: Text::plain(id), content, is_error: false, cache: None };
    Message { role: Role::User, parts: vec![Part::ToolResult(result)] }
}

fn thought(words: &str, signature: Option<&str>) -> Part<'static> {
    Part::Thinking(Thinking { text: Text::plain(words), signature: signature.map(Text::plain), redacted: false })
}

fn image(source: Source<'static>) -> Part<'static> {
    media(MediaKind::Image, source)
}

fn media(kind: MediaKind, source: Source<'static>) -> Part<'static> {
    Part::Media(Media { kind, source, name: None, context: None, detail: None, cache: None })
}

fn tool(name: &str) -> Tool<'static> {
    Tool {
        name: Text::plain(name),
        description: Some(Text::literal("does")),
        kind: ToolKind::Function { schema: Some(Json::literal(r#"{"type":"object"}"#)) },
        strict: Some(true),
        deferred: false,
        namespace: None,
        cache: None,
    }
}

fn chat(messages: Vec<Message<'static>>) -> Request<'static> {
    Request { model: Text::literal("gpt"), messages, max_tokens: Some(1000), ..Request::default() }
}

fn extra(key: &'static str, value: &'static str) -> Request<'static> {
    Request { extra: vec![(Text::literal(key), Json::literal(value))], ..chat(vec![user("hi")]) }
}

fn changes(encoded: &Encoded) -> Vec<String> {
    encoded.changes.iter().map(ToString::to_string).collect()
}

fn encoded_for(quirks: &Quirks, request: &Request<'_>) -> (Value, Vec<String>) {
    let encoded = encode(request, &target(quirks, &seal())).unwrap();
    (value(&encoded.body), changes(&encoded))
}

fn genuinely(request: &Request<'_>) -> (Value, Vec<String>) {
    encoded_for(&genuine(), request)
}

fn messages(request: &Request<'_>) -> Value {
    genuinely(request).0["messages"].clone()
}

fn only(thinking: &[ThinkingType]) -> Quirks {
    Quirks {
        messages: MessagesQuirks { genuine: true, thinking: thinking.to_vec(), ..MessagesQuirks::default() },
        ..Quirks::default()
    }
}

// ---- the conversation

#[test]
fn a_plain_request_is_written_in_a_fixed_order() {
    let mut request = chat(vec![user("hi")]);
    request.system = vec![TextPart { text: Text::literal("Be brief."), cache: None }];
    request.tools = vec![tool("Bash")];
    request.user = Some(Text::literal("u1"));
    request.stop = vec![Text::literal("END"), Text::literal("  ")];
    let quirks = genuine();
    let seal = seal();
    let target = Target { stream: true, ..target(&quirks, &seal) };
    let encoded = encode(&request, &target).unwrap();
    let expected = concat!(
        r#"{"model":"claude-up","max_tokens":1000,"stream":true,"stop_sequences":["END"],"metadata":{"user_id":"u1"},"#,
        r#""tools":[{"name":"Bash","description":"does","input_schema":{"type":"object","properties":{}}}],"#,
        r#""system":[{"type":"text","text":"Be brief."}],"#,
        r#""messages":[{"role":"user","content":[{"type":"text","text":"hi"}]}]}"#
    );
    assert_eq!(String::from_utf8(encoded.body).unwrap(), expected);
    assert_eq!(encoded.changes.iter().map(ToString::to_string).collect::<Vec<_>>(), ["dropped:stop"]);
}

#[test]
fn of_results_with_one_id_the_last_counts_and_calls_with_one_id_are_told_apart() {
    let twice = chat(vec![user("go"), assistant(vec![call("a", "")]), result("a", "old"), result("a", "new")]);
    assert_eq!(messages(&twice)[2]["content"], json!([{"type":"tool_result","tool_use_id":"a","content":"new"}]));
    let again = chat(vec![
        user("go"),
        assistant(vec![call("a", ""), call("a", "")]),
        result("a", "1"),
        result("a", "2"),
        assistant(vec![call("a", "")]),
        result("a", "3"),
    ]);
    let body = messages(&again);
    let pairs: Vec<_> = [2, 4]
        .into_iter()
        .flat_map(|i| body[i]["content"].as_array().unwrap().clone())
        .map(|r| (r["tool_use_id"].as_str().unwrap().to_string(), r["content"].as_str().unwrap().to_string()))
        .collect();
    let pair = |id: &str, words: &str| (id.to_string(), words.to_string());
    assert_eq!(pairs, [pair("a", "1"), pair("a-again2", "2"), pair("a-again3", "3")]);
    assert_eq!(body[3]["content"][0]["id"], "a-again3");
}

#[test]
fn ids_are_fitted_for_anthropic_in_call_and_result_alike() {
    let request =
        chat(vec![user("go"), assistant(vec![call("functions.Bash:0", "")]), result("functions.Bash:0", "x")]);
    let (body, changes) = genuinely(&request);
    let id = body["messages"][1]["content"][0]["id"].as_str().unwrap();
    assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')), "{id}");
    assert_eq!(body["messages"][2]["content"][0]["tool_use_id"], id);
    assert_eq!(changes, ["rewritten:tool_use.id"]);
    let (body, changes) = encoded_for(&Quirks::default(), &request);
    assert_eq!(body["messages"][1]["content"][0]["id"], "functions.Bash:0", "others take any form");
    assert_eq!(changes, [""; 0]);
}

#[test]
fn tool_names_are_fitted_everywhere_alike() {
    let mut request = chat(vec![user("go")]);
    request.tools = vec![tool("mcp.docs/find")];
    request.tool_choice = Some(ToolChoice::Named(Text::literal("mcp.docs/find")));
    let (body, _) = genuinely(&request);
    let name = body["tools"][0]["name"].as_str().unwrap();
    assert!(name.starts_with("mcp_docs_find_"), "{name}");
    assert_eq!(body["tool_choice"]["name"], name);
}

#[test]
fn a_later_system_message_stays_where_the_model_takes_it_and_else_is_a_reminder() {
    let request = chat(vec![
        system("early"),
        user("a"),
        system("Be quick."),
        assistant(vec![call("t", "")]),
        system("late"),
        result("t", "x"),
    ]);
    let (body, _) = genuinely(&request);
    assert_eq!(body["system"], json!([{"type":"text","text":"early"}]));
    let roles: Vec<_> = body["messages"].as_array().unwrap().iter().map(|m| m["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "system", "assistant", "user", "system"], "nothing may come before a result");
    let mut quirks = genuine();
    quirks.messages.mid_system = false;
    let (body, _) = encoded_for(&quirks, &request);
    assert_eq!(
        body["messages"][0]["content"],
        json!([{"type":"text","text":"a"},{"type":"text","text":"<system-reminder>\nBe quick.\n</system-reminder>"}])
    );
    let last = body["messages"][2]["content"].as_array().unwrap();
    assert_eq!(last[0]["type"], "tool_result");
    assert_eq!(last[1]["text"], "<system-reminder>\nlate\n</system-reminder>");
}

// ---- thoughts

#[test]
fn foreign_thoughts_never_reach_anthropic_and_take_all_others_with_them() {
    let ours = seal().seal(&SealedState { family: "kimi".into(), details: None });
    for foreign in ["", ours.escaped()] {
        let request = with_genuine_and(thought("other", Some(foreign)));
        let encoded = encode(&request, &target(&genuine(), &seal())).unwrap();
        let body = String::from_utf8(encoded.body.clone()).unwrap();
        assert!(!body.contains("genuine") && !body.contains("other") && !body.contains("tg1."), "{body}");
        assert_eq!(changes(&encoded), ["dropped:thinking"]);
    }
}

/// A chat client sends the words of every thought, and only those that led to calls get their signatures back.
#[test]
fn words_without_any_signature_are_left_out_alone() {
    let (body, changes) = genuinely(&with_genuine_and(thought("other", None)));
    let told = json!([{"type":"thinking","thinking":"genuine","signature":"EqQB"}, {"type":"text","text":"b"}]);
    assert_eq!(body["messages"][1]["content"], told);
    assert_eq!(body["messages"][3]["content"], json!([{"type":"text","text":"d"}]));
    assert_eq!(changes, ["dropped:thinking"]);
}

fn with_genuine_and(other: Part<'static>) -> Request<'static> {
    chat(vec![
        user("a"),
        assistant(vec![thought("genuine", Some("EqQB")), text("b")]),
        user("c"),
        assistant(vec![other, text("d")]),
        user("e"),
    ])
}

#[test]
fn anthropics_own_thoughts_go_back_unchanged() {
    let redacted =
        Part::Thinking(Thinking { text: Text::EMPTY, signature: Some(Text::literal("ENC")), redacted: true });
    let request = chat(vec![user("a"), assistant(vec![thought("t", Some("EqQB")), redacted, text("b")]), user("c")]);
    assert_eq!(
        messages(&request)[1]["content"],
        json!([
            {"type":"thinking","thinking":"t","signature":"EqQB"},
            {"type":"redacted_thinking","data":"ENC"},
            {"type":"text","text":"b"}
        ])
    );
}

#[test]
fn s12_other_layers_get_the_text_of_thoughts_without_a_signature() {
    let ours = seal().seal(&SealedState { family: "deepseek".into(), details: None });
    let redacted =
        Part::Thinking(Thinking { text: Text::EMPTY, signature: Some(Text::literal("ENC")), redacted: true });
    let request = chat(vec![
        user("a"),
        assistant(vec![thought("t", Some(ours.escaped())), redacted, call("x", "")]),
        result("x", "1"),
        assistant(vec![call("y", "")]),
        result("y", "2"),
    ]);
    let (body, _) = encoded_for(&Quirks::default(), &request);
    assert_eq!(body["messages"][1]["content"][0], json!({"type":"thinking","thinking":"t","signature":""}));
    assert_eq!(body["messages"][1]["content"].as_array().unwrap().len(), 2);
    let insists = Quirks { replay: Replay::ToolCalls, reasoning_filler: Some(" ".into()), ..Quirks::default() };
    let (body, _) = encoded_for(&insists, &request);
    assert_eq!(body["messages"][3]["content"][0], json!({"type":"thinking","thinking":" ","signature":""}));
}

// ---- media

#[test]
fn what_anthropic_cannot_read_is_refused_with_its_place() {
    let audio = Source::Base64 { media_type: Text::literal("audio/wav"), data: Text::literal("UklG") };
    let zip = Source::Base64 { media_type: Text::literal("application/zip"), data: Text::literal("UEsD") };
    for part in [
        media(MediaKind::Audio, audio.clone()),
        media(MediaKind::Video, audio),
        media(MediaKind::Document, zip),
        image(Source::File(Text::literal("file-1"))),
    ] {
        let request = chat(vec![user("x"), Message { role: Role::User, parts: vec![text("y"), part] }]);
        let error = encode(&request, &target(&genuine(), &seal())).unwrap_err();
        assert_eq!(error.param, "messages.1.content.1");
        assert!(error.message.contains("anthropic/claude-up"), "{}", error.message);
    }
}

#[test]
fn media_of_results_follow_them_where_results_take_none() {
    let png = Source::Base64 { media_type: Text::literal("image/png"), data: Text::literal("QUJD") };
    let with_image = |id: &str| {
        let content = vec![text("shot"), image(png.clone())];
        let result = ToolResult { id: Text::plain(id), content, is_error: true, cache: None };
        Message { role: Role::User, parts: vec![Part::ToolResult(result)] }
    };
    let request = chat(vec![
        user("go"),
        assistant(vec![call("a", ""), call("b", "")]),
        with_image("a"),
        result("b", "x"),
        user("so?"),
    ]);
    let mut quirks = Quirks::default();
    let (body, _) = encoded_for(&quirks, &request);
    assert_eq!(body["messages"][2]["content"][0]["content"][1]["type"], "image");
    quirks.messages.media_in_tool_result = false;
    let (body, _) = encoded_for(&quirks, &request);
    assert_eq!(
        body["messages"][2]["content"],
        json!([
            {"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"shot"},{"type":"text","text":"[image attached below]"}],"is_error":true},
            {"type":"tool_result","tool_use_id":"b","content":"x"},
            {"type":"text","text":"[attachment of the result of tool call a]"},
            {"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJD"}},
            {"type":"text","text":"so?"},
        ])
    );
}

// ---- parameters

#[test]
fn max_tokens_is_always_there_and_never_too_large() {
    let quirks = genuine();
    let seal = seal();
    for (wanted, most, expected, clamped) in [
        (Some(5), None, 5, false),
        (Some(0), Some(4096), 0, false),
        (Some(9000), Some(4096), 4096, true),
        (None, Some(4096), 4096, false),
        (None, None, 8192, false),
    ] {
        let request = Request { max_tokens: wanted, ..chat(vec![user("x")]) };
        let encoded = encode(&request, &Target { max_output_tokens: most, ..target(&quirks, &seal) }).unwrap();
        assert_eq!(value(&encoded.body)["max_tokens"], json!(expected));
        assert_eq!(changes(&encoded), if clamped { vec!["clamped:max_tokens"] } else { vec![] });
    }
}

#[test]
fn sampling_is_clamped_or_dropped() {
    let request = Request {
        temperature: Some(Json::literal("1.7")),
        top_p: Some(Json::literal("0.90")),
        top_k: Some(Json::literal("5")),
        ..chat(vec![user("x")])
    };
    let (body, changes) = encoded_for(&Quirks::default(), &request);
    assert_eq!((&body["temperature"], &body["top_p"], &body["top_k"]), (&json!(1), &json!(0.9), &json!(5)));
    assert_eq!(changes, ["clamped:temperature"]);
    let (body, changes) = genuinely(&request);
    assert_eq!((&body["temperature"], &body["top_p"]), (&json!(1), &Value::Null), "Claude takes one of the two");
    assert_eq!(changes, ["clamped:temperature", "dropped:top_p"]);
    let mut newer = genuine();
    newer.messages.sampling = false;
    let (body, changes) = encoded_for(&newer, &request);
    assert_eq!((&body["temperature"], &body["top_p"], &body["top_k"]), (&Value::Null, &Value::Null, &Value::Null));
    assert_eq!(changes, ["dropped:temperature", "dropped:top_p", "dropped:top_k"]);
}

#[test]
fn s06_what_cannot_be_said_is_dropped_by_policy_or_refused_by_name() {
    let quirks = genuine();
    let seal = seal();
    for (key, json) in [
        ("n", "2"),
        ("logprobs", "true"),
        ("seed", "7"),
        ("logit_bias", r#"{"1":2}"#),
        ("frequency_penalty", "0.5"),
        ("presence_penalty", "-1"),
        ("modalities", r#"["text","audio"]"#),
    ] {
        let request = extra(key, json);
        let Err(Unsupported { param, message }) = encode(&request, &target(&quirks, &seal)) else { panic!("{key}") };
        assert_eq!(param, key);
        assert!(message.starts_with(&format!("{key}: not supported by anthropic/claude-up.")), "{message}");
        let dropping = Target { drop_params: true, ..target(&quirks, &seal) };
        let encoded = encode(&request, &dropping).unwrap();
        assert_eq!(changes(&encoded), [format!("dropped:{key}")]);
        assert!(value(&encoded.body).get(key).is_none());
    }
}

#[test]
fn hints_and_idle_values_are_dropped_in_silence() {
    for (key, json) in [
        ("n", "1"),
        ("logprobs", "false"),
        ("frequency_penalty", "0"),
        ("seed", "null"),
        ("verbosity", r#""low""#),
        ("prompt_cache_key", r#""k""#),
        ("store", "true"),
        ("service_tier", r#""flex""#),
        ("modalities", r#"["text"]"#),
    ] {
        let (body, changes) = genuinely(&extra(key, json));
        assert_eq!((body.get(key), changes), (None, vec![]), "{key}");
    }
    let (body, changes) = genuinely(&extra("who_knows", "1"));
    assert_eq!((body.get("who_knows"), changes), (None, vec!["dropped:who_knows".to_string()]));
    let (body, _) = genuinely(&extra("context_management", r#"{"edits":[]}"#));
    assert_eq!(body["context_management"], json!({"edits":[]}), "what is Anthropic's own goes on");
}

#[test]
fn s17_a_forced_choice_is_softened_only_where_it_is_refused() {
    let with = |choice: ToolChoice<'static>, reasoning: Option<Reasoning>| Request {
        tools: vec![tool("Bash")],
        tool_choice: Some(choice),
        reasoning,
        max_tokens: Some(4000),
        ..chat(vec![user("x")])
    };
    let adaptive = Some(Reasoning { effort: Some(Effort::High), ..Reasoning::default() });
    let named = || ToolChoice::Named(Text::literal("Bash"));
    let (body, changes) = genuinely(&with(named(), adaptive));
    assert_eq!(
        (&body["tool_choice"], changes.len()),
        (&json!({"type":"tool","name":"Bash"}), 0),
        "adaptive thinking takes it"
    );
    let (body, changes) =
        encoded_for(&only(&[ThinkingType::Enabled, ThinkingType::Disabled]), &with(named(), adaptive));
    assert_eq!((&body["tool_choice"], changes), (&json!({"type":"auto"}), vec!["softened:tool_choice".to_string()]));
    let mut newest = genuine();
    newest.messages.forced_tool = false;
    let (body, _) = encoded_for(&newest, &with(ToolChoice::Required, None));
    assert_eq!(body["tool_choice"], json!({"type":"auto"}));
    let (body, changes) = encoded_for(&newest, &with(ToolChoice::None, None));
    assert_eq!((&body["tool_choice"], changes.len()), (&json!({"type":"none"}), 0));
    let (body, _) = genuinely(&with(ToolChoice::Required, None));
    assert_eq!(body["tool_choice"], json!({"type":"any"}));
}

#[test]
fn s08_reasoning_becomes_thinking_and_effort() {
    let request = Request {
        reasoning: Some(Reasoning { effort: Some(Effort::High), ..Reasoning::default() }),
        max_tokens: Some(30_000),
        temperature: Some(Json::literal("0.5")),
        ..chat(vec![user("x")])
    };
    let (body, changes) = genuinely(&request);
    assert_eq!((&body["thinking"], &body["output_config"]), (&json!({"type":"adaptive"}), &json!({"effort":"high"})));
    assert_eq!(changes, ["dropped:temperature"], "Claude refuses one while it thinks");
    let mut old = only(&[ThinkingType::Enabled, ThinkingType::Disabled]);
    old.messages.effort = false;
    let (body, _) = encoded_for(&old, &request);
    assert_eq!(
        (&body["thinking"], body.get("output_config")),
        (&json!({"type":"enabled","budget_tokens":24576}), None)
    );
    let (body, _) = encoded_for(
        &only(&[]),
        &Request { reasoning: Some(Reasoning { mode: ReasoningMode::Off, ..Reasoning::default() }), ..request.clone() },
    );
    assert_eq!((body.get("thinking"), &body["output_config"]), (None, &json!({"effort":"low"})));
    let mut layer = Quirks::default();
    layer.messages.refuses = vec!["thinking".into(), "output_config".into()];
    let (body, _) = encoded_for(&layer, &request);
    assert_eq!((body.get("thinking"), body.get("output_config")), (None, None));
}

#[test]
fn a_tool_loop_without_thoughts_goes_on_without_a_budget() {
    let request = Request {
        reasoning: Some(Reasoning { effort: Some(Effort::High), ..Reasoning::default() }),
        max_tokens: Some(30_000),
        ..chat(vec![user("x"), assistant(vec![call("a", "")]), result("a", "1")])
    };
    let (body, changes) = encoded_for(&only(&[ThinkingType::Enabled]), &request);
    assert_eq!((body.get("thinking"), changes), (None, vec!["softened:thinking".to_string()]));
    let (body, _) = genuinely(&request);
    assert_eq!(body["thinking"], json!({"type":"adaptive"}), "adaptive thinking does not insist");
}

#[test]
fn an_output_schema_is_native_or_told() {
    let format = OutputFormat::JsonSchema {
        name: None,
        description: None,
        schema: Json::literal(r#"{"type":"object","properties":{"a":{"type":"integer","minimum":1}}}"#),
        strict: Some(true),
    };
    let request = Request { output_format: Some(format), ..chat(vec![user("x")]) };
    let (body, changes) = genuinely(&request);
    let schema = json!({"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":false});
    assert_eq!((&body["output_config"]["format"], changes.len()), (&json!({"type":"json_schema","schema":schema}), 0));
    let mut layer = Quirks::default();
    layer.messages.refuses = vec!["output_config".into()];
    let (body, changes) = encoded_for(&layer, &request);
    assert!(body["system"][0]["text"].as_str().unwrap().contains(r#""minimum":1"#));
    assert_eq!((body.get("output_config"), changes), (None, vec!["textualised:response_format".to_string()]));
    let (body, _) = genuinely(&Request { output_format: Some(OutputFormat::JsonObject), ..request });
    assert_eq!(body["system"][0]["text"], "Answer with one JSON object and nothing else.");
}

// ---- the whole

#[test]
fn s13_the_next_turn_begins_with_the_same_bytes() {
    let first = vec![
        user("go"),
        assistant(vec![thought("t", None), call("functions.Bash:0", "{}"), call("x", "")]),
        result("x", "1"),
    ];
    let mut second = first.clone();
    second.extend([assistant(vec![text("done")]), user("more")]);
    for quirks in [genuine(), Quirks::default()] {
        let seal = seal();
        let target = target(&quirks, &seal);
        let bytes = |messages: Vec<Message<'static>>| {
            encode(&Request { tools: vec![tool("Bash")], ..chat(messages) }, &target).unwrap().body
        };
        let (a, b) = (bytes(first.clone()), bytes(second.clone()));
        let shared = a.strip_suffix(b"]}").unwrap();
        assert!(b.starts_with(shared), "{}\n{}", String::from_utf8_lossy(&a), String::from_utf8_lossy(&b));
    }
}

#[test]
fn s13_the_attribution_that_changes_every_turn_reaches_only_anthropic() {
    let line = TextPart { text: Text::literal("x-anthropic-billing-header: cc_version=2"), cache: None };
    let request = Request { system: vec![line], ..chat(vec![user("x")]) };
    assert_eq!(encoded_for(&Quirks::default(), &request).0.get("system"), None);
    assert_eq!(genuinely(&request).0["system"].as_array().unwrap().len(), 1);
}

#[test]
fn a_messages_request_encoded_again_keeps_its_meaning() {
    let request = decode(TURN.as_bytes()).unwrap();
    let mut quirks = genuine();
    quirks.efforts = vec![Effort::Low, Effort::Xhigh];
    let encoded = encode(&request, &target(&quirks, &seal())).unwrap();
    let written = String::from_utf8(encoded.body.clone()).unwrap();
    assert!(written.contains(r"List the files \ud83d here"), "a lone surrogate survives");
    // Only here, because no Rust string can hold one.
    let body = value(written.replace(r"\ud83d", "?").as_bytes());
    let mut expected = value(TURN.replace(r"\ud83d", "?").as_bytes());

    // What the canonical form does not keep, or another rule changes.
    let expect = expected.as_object_mut().unwrap();
    expect.remove("brand_new_field");
    expect.remove("stream");
    expect.remove("temperature");
    expected["model"] = json!("claude-up");
    expected["thinking"]["display"] = json!("summarized");
    expected["output_config"]["format"]["schema"]["additionalProperties"] = json!(false);
    expected["tools"].as_array_mut().unwrap().remove(1);
    expected["tools"][0]["input_schema"].as_object_mut().unwrap().remove("$schema");
    expected["tools"][1]["input_schema"]["properties"] = json!({});
    expected["tools"][1].as_object_mut().unwrap().remove("eager_input_streaming");
    expected["messages"][1].as_object_mut().unwrap().remove("output_config");
    expected["messages"][4]["content"] = json!([{"type":"text","text":"Later rules"}]);
    let fitted = body["messages"][2]["content"][3]["id"].clone();
    expected["messages"][2]["content"][3]["id"] = fitted.clone();
    expected["messages"][3]["content"][1]["tool_use_id"] = fitted;
    assert_eq!(body, expected);
    assert_eq!(changes(&encoded), ["rewritten:tool_use.id", "dropped:temperature", "dropped:brand_new_field"]);
}

#[test]
fn a_tools_schema_is_an_object_at_its_root() {
    for schema in
        ["{}", r#"{"anyOf":[{"type":"object","properties":{"a":{}}},{"type":"object","properties":{"b":{}}}]}"#]
    {
        let kind = ToolKind::Function { schema: Some(Json::literal(schema)) };
        let (body, _) = genuinely(&Request { tools: vec![Tool { kind, ..tool("t") }], ..chat(vec![user("x")]) });
        let written = &body["tools"][0]["input_schema"];
        assert_eq!(written["type"], "object", "{written}");
        assert!(written.get("anyOf").is_none(), "{written}");
    }
}
