use proptest::prelude::*;
use serde_json::{Value, json};

use super::TURN;
use crate::anthropic_messages::request::{decode, decode_count};
use crate::request::{
    CacheMark, Effort, MediaKind, OutputFormat, Part, Reasoning, ReasoningMode, Request, Role, Source, ToolChoice,
    ToolInput, ToolKind,
};

/// A request with these blocks as the only message, and no more than it must have.
fn with_blocks(role: &str, blocks: Value) -> String {
    json!({"model":"m","max_tokens":1,"messages":[{"role":role,"content":blocks}]}).to_string()
}

/// A minimal request with `fields` over it.
fn with(fields: Value) -> String {
    let mut body = json!({"model":"m","max_tokens":1,"messages":[{"role":"user","content":"hi"}]});
    for (key, value) in fields.as_object().unwrap() {
        body[key] = value.clone();
    }
    body.to_string()
}

fn refused(body: &str) -> (Option<String>, String) {
    let invalid = decode(body.as_bytes()).unwrap_err();
    (invalid.param, invalid.message)
}

#[test]
fn a_turn_of_claude_code_is_read_whole() {
    let request = decode(TURN.as_bytes()).unwrap();
    assert_eq!(request.model.escaped(), "kimi-k2.5");
    assert_eq!(request.system.len(), 2);
    assert_eq!(request.system[0].text.escaped(), "x-anthropic-billing-header: cc_version=2");
    assert_eq!(request.system[1].cache, Some(CacheMark::Short));
    assert_eq!((request.max_tokens, request.stream), (Some(32000), true));
    assert_eq!(request.temperature.as_ref().unwrap().get(), "0.70", "a number stays its token");
    assert_eq!(request.user.as_ref().unwrap().decode(), r#"{"device_id":"d"}"#);
    assert_eq!(request.stop[0].escaped(), "END");
    assert_eq!(
        request.tool_choice.as_ref().map(|c| matches!(c, ToolChoice::Named(n) if n.escaped() == "Bash")),
        Some(true)
    );
    assert_eq!(request.parallel_tool_calls, Some(false));
    let reasoning = Reasoning { mode: ReasoningMode::Adaptive, effort: Some(Effort::Xhigh), visible: Some(true) };
    assert_eq!(request.reasoning, Some(reasoning));
    let Some(OutputFormat::JsonSchema { schema, strict: Some(true), .. }) = &request.output_format else { panic!() };
    assert_eq!(schema.get(), r#"{"type":"object"}"#);
    let extra: Vec<_> = request.extra.iter().map(|(k, v)| (k.escaped(), v.get())).collect();
    let edits = r#"{"edits":[{"type":"clear_thinking_20251015","keep":"all"}]}"#;
    assert_eq!(extra, [("context_management", edits), ("brand_new_field", "[1, 2]")]);

    let roles: Vec<_> = request.messages.iter().map(|m| m.role).collect();
    assert_eq!(roles, [Role::User, Role::System, Role::Assistant, Role::User, Role::System]);
    let Part::Text(text) = &request.messages[0].parts[1] else { panic!() };
    assert_eq!(text.text.escaped(), r"List the files \ud83d here", "a lone surrogate survives");
    let Part::Text(rules) = &request.messages[1].parts[0] else { panic!() };
    assert_eq!((rules.text.escaped(), rules.cache), ("Rules", Some(CacheMark::Short)));
    let Part::Thinking(thinking) = &request.messages[2].parts[0] else { panic!() };
    assert_eq!((thinking.text.escaped(), thinking.signature.as_ref().unwrap().escaped()), ("I should look.", "EqQB"));
    let Part::ToolCall(call) = &request.messages[2].parts[2] else { panic!() };
    let ToolInput::Object(input) = &call.input else { panic!() };
    assert_eq!(
        (call.id.escaped(), call.name.escaped(), input.get()),
        ("toolu_01", "Bash", r#"{"command":"ls","n":1.50}"#)
    );
    let Part::ToolResult(first) = &request.messages[3].parts[0] else { panic!() };
    assert!(matches!(&first.content[..], [Part::Text(t)] if t.text.escaped() == r"a.rs\nb.rs") && !first.is_error);
    let Part::ToolResult(second) = &request.messages[3].parts[1] else { panic!() };
    assert!(second.is_error);
    let [Part::Text(_), Part::Media(image), Part::ToolReference { name }] = &second.content[..] else { panic!() };
    assert_eq!((image.kind, name.escaped()), (MediaKind::Image, "WebSearch"));
    let Part::Text(last) = &request.messages[3].parts[2] else { panic!() };
    assert_eq!(last.cache, Some(CacheMark::Long));
    let Part::Text(later) = &request.messages[4].parts[0] else { panic!() };
    assert_eq!(later.text.escaped(), "Later rules");
}

#[test]
fn tools_are_told_apart_and_the_placeholder_is_none() {
    let request = decode(TURN.as_bytes()).unwrap();
    let kind = |i: usize| match &request.tools[i].kind {
        ToolKind::Function { schema } => ("function", schema.as_ref().map(|s| s.get().to_string())),
        ToolKind::Client { kind, fields } => ("client", Some(format!("{} {}", kind.escaped(), fields.get()))),
        ToolKind::Server { kind, fields } => ("server", Some(format!("{} {}", kind.escaped(), fields.get()))),
        ToolKind::Custom { .. } => ("custom", None),
    };
    let names: Vec<_> = request.tools.iter().map(|t| (t.name.escaped(), t.deferred)).collect();
    let expected = [
        ("Bash", false),
        ("WebSearch", true),
        ("web_search", false),
        ("str_replace_based_edit_tool", false),
        ("docs", false),
    ];
    assert_eq!(names, expected);
    let schema = r#"{"$schema":"s","type":"object","properties":{"command":{"type":"string"}}}"#;
    assert_eq!(kind(0), ("function", Some(schema.to_string())));
    let search = r#"web_search_20250305 {"type":"web_search_20250305","name":"web_search","max_uses":8}"#;
    assert_eq!(kind(2), ("server", Some(search.to_string())));
    let editor = r#"text_editor_20250728 {"type":"text_editor_20250728","name":"str_replace_based_edit_tool"}"#;
    assert_eq!(kind(3), ("client", Some(editor.to_string())));
    assert_eq!(kind(4).0, "server");
    for (kind, client) in [
        ("bash_20250124", true),
        ("memory_20250818", true),
        ("computer_toolset_20260801", true),
        ("advisor_20260301", false),
    ] {
        let body =
            with(json!({"tools":[{"type":kind}, {"type":"custom","name":"t","input_schema":{"type":"object"}}]}));
        let request = decode(body.as_bytes()).unwrap();
        assert_eq!(matches!(request.tools[0].kind, ToolKind::Client { .. }), client, "{kind}");
        assert_eq!(request.tools[0].name.escaped(), kind, "a nameless tool goes by its type");
        assert!(matches!(request.tools[1].kind, ToolKind::Function { .. }));
    }
}

#[test]
fn every_kind_of_block_has_its_part() {
    let body = with_blocks(
        "user",
        json!([
            {"type":"image","source":{"type":"url","url":"https://a/b.png"}},
            {"type":"image","source":{"type":"file","file_id":"file_1"}},
            {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"JVBERi0"},"title":"T","context":"C"},
            {"type":"document","source":{"type":"text","media_type":"text/plain","data":"plain"}},
            {"type":"document","source":{"type":"content","content":[{"type":"text","text":"x"},{"type":"image","source":{"type":"url","url":"u"}}]}},
            {"type":"document","source":{"type":"content","content":"y"}},
            {"type":"search_result","source":"s","title":"t","content":[{"type":"text","text":"hit"}]},
            {"type":"redacted_thinking","data":"R"},
            {"type":"web_search_tool_result","tool_use_id":"srv","content":[]},
            {"type":"container_upload","file_id":"f"},
            {"type":"weird_block","x":1},
            {"type":"tool_result","tool_use_id":"a"},
            {"type":"tool_result","tool_use_id":"b","content":null},
            {"type":"tool_result","tool_use_id":"c","content":[
                {"type":"document","source":{"type":"base64","media_type":"application/pdf","data":"J"}},
                {"type":"search_result","source":"s","title":"t","content":[]}]},
        ]),
    );
    let request = decode(body.as_bytes()).unwrap();
    let parts = &request.messages[0].parts;
    assert_eq!(parts.len(), 14);
    let media = |i: usize| match &parts[i] {
        Part::Media(media) => media,
        other => panic!("{other:?}"),
    };
    assert!(matches!(&media(0).source, Source::Url(u) if u.escaped() == "https://a/b.png"));
    assert!(matches!(&media(1).source, Source::File(f) if f.escaped() == "file_1"));
    assert!(
        matches!(&media(2).source, Source::Base64 { media_type, data } if media_type.escaped() == "application/pdf" && data.escaped() == "JVBERi0")
    );
    assert_eq!((media(2).name.as_ref().unwrap().escaped(), media(2).context.as_ref().unwrap().escaped()), ("T", "C"));
    assert!(matches!(&media(3).source, Source::Text(t) if t.escaped() == "plain"));
    assert!(matches!(&media(4).source, Source::Blocks(b) if matches!(&b[..], [Part::Text(_), Part::Media(_)])));
    assert!(
        matches!(&media(5).source, Source::Blocks(b) if matches!(&b[..], [Part::Text(t)] if t.text.escaped() == "y"))
    );
    assert!(
        matches!(&parts[6], Part::SearchResult { title, source, content, .. } if title.escaped() == "t" && source.escaped() == "s" && content.len() == 1)
    );
    assert!(matches!(&parts[7], Part::Thinking(t) if t.redacted && t.signature.as_ref().unwrap().escaped() == "R"));
    assert!(
        matches!(&parts[8], Part::Server { kind, fields } if kind.escaped() == "web_search_tool_result" && fields.get().contains("\"srv\""))
    );
    assert!(matches!(&parts[9], Part::Server { kind, .. } if kind.escaped() == "container_upload"));
    assert!(matches!(&parts[10], Part::Unknown { kind } if kind.escaped() == "weird_block"));
    assert!(matches!(&parts[11], Part::ToolResult(r) if r.content.is_empty()));
    assert!(matches!(&parts[12], Part::ToolResult(r) if r.content.is_empty()));
    assert!(
        matches!(&parts[13], Part::ToolResult(r) if matches!(&r.content[..], [Part::Media(_), Part::SearchResult { .. }]))
    );
}

#[test]
fn thinking_takes_every_form() {
    let of = |fields: Value| {
        let body = with(fields);
        let request: Request<'_> = decode(body.as_bytes()).unwrap();
        request.reasoning
    };
    let some = |mode, effort, visible| Some(Reasoning { mode, effort, visible });
    assert_eq!(of(json!({})), None);
    assert_eq!(of(json!({"thinking":null})), None);
    assert_eq!(of(json!({"thinking":{"type":"adaptive"}})), some(ReasoningMode::Adaptive, None, None));
    assert_eq!(
        of(json!({"thinking":{"type":"adaptive","display":"omitted"}})),
        some(ReasoningMode::Adaptive, None, Some(false))
    );
    assert_eq!(
        of(json!({"thinking":{"type":"enabled","budget_tokens":2048}})),
        some(ReasoningMode::Budget(2048), None, None)
    );
    assert_eq!(of(json!({"thinking":{"type":"disabled"}})), some(ReasoningMode::Off, None, None));
    assert_eq!(of(json!({"thinking":{"type":"between_tools"}})), some(ReasoningMode::BetweenTools, None, None));
    assert_eq!(of(json!({"thinking":{"type":"of_tomorrow"}})), some(ReasoningMode::Adaptive, None, None));
    assert_eq!(of(json!({"output_config":{"effort":"max"}})), some(ReasoningMode::Adaptive, Some(Effort::Max), None));
}

#[test]
fn the_older_output_format_is_understood() {
    let body = with(json!({"output_format":{"type":"json_schema","schema":{"type":"object"}}}));
    assert!(matches!(decode(body.as_bytes()).unwrap().output_format, Some(OutputFormat::JsonSchema { .. })));
}

#[test]
fn zero_tokens_stay_zero_and_a_count_needs_none() {
    assert_eq!(decode(with(json!({"max_tokens":0})).as_bytes()).unwrap().max_tokens, Some(0));
    assert_eq!(decode(with(json!({"max_tokens":8192.0})).as_bytes()).unwrap().max_tokens, Some(8192));
    let body = br#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#;
    assert_eq!(decode_count(body).unwrap().max_tokens, None);
    assert_eq!(refused(std::str::from_utf8(body).unwrap()).1, "max_tokens: Field required");
}

#[test]
fn a_wrong_body_is_refused_with_the_place_in_anthropics_words() {
    let hi = json!([{"role":"user","content":"hi"}]);
    for (body, expected) in [
        (json!({"max_tokens":1,"messages":hi}).to_string(), "model: Field required"),
        (json!({"model":null,"max_tokens":1,"messages":hi}).to_string(), "model: Field required"),
        (json!({"model":"m","max_tokens":1}).to_string(), "messages: Field required"),
        (json!({"model":"m","messages":hi}).to_string(), "max_tokens: Field required"),
        (with(json!({"model":5})), "model: Input should be a valid string"),
        (with(json!({"messages":[]})), "messages: at least one message is required"),
        (with(json!({"messages":{}})), "messages: Input should be a valid list"),
        (with(json!({"messages":[1]})), "messages.0: Input should be an object"),
        (
            with(json!({"messages":[{"role":"tool","content":"x"}]})),
            "messages.0.role: Input should be 'user', 'assistant' or 'system'",
        ),
        (with(json!({"messages":[{"content":"x"}]})), "messages.0.role: Field required"),
        (with(json!({"messages":[{"role":"user"}]})), "messages.0.content: Field required"),
        (
            with(json!({"messages":[{"role":"user","content":5}]})),
            "messages.0.content: Input should be a valid string or a list of content blocks",
        ),
        (with(json!({"max_tokens":"many"})), "max_tokens: Input should be a valid integer"),
        (with(json!({"max_tokens":1.5})), "max_tokens: Input should be a valid integer"),
        (with(json!({"max_tokens":-1})), "max_tokens: Input should be greater than or equal to 0"),
        (with(json!({"stream":"yes"})), "stream: Input should be a valid boolean"),
        (with(json!({"temperature":"hot"})), "temperature: Input should be a valid number"),
        (with(json!({"stop_sequences":"x"})), "stop_sequences: Input should be a valid list"),
        (with(json!({"stop_sequences":["x",1]})), "stop_sequences.1: Input should be a valid string"),
        (with(json!({"system":5})), "system: Input should be a valid string or a list of text blocks"),
        (with(json!({"system":[{"type":"image"}]})), "system.0.type: Input should be 'text'"),
        (with(json!({"system":[{"type":"text"}]})), "system.0.text: Field required"),
        (with(json!({"tools":[{}]})), "tools.0.name: Field required"),
        (with(json!({"tools":["x"]})), "tools.0: Input should be an object"),
        (with(json!({"tools":[{"name":"t","input_schema":[]}]})), "tools.0.input_schema: Input should be an object"),
        (
            with(json!({"tool_choice":{"type":"some"}})),
            "tool_choice.type: Input should be 'auto', 'any', 'tool' or 'none'",
        ),
        (with(json!({"tool_choice":{"type":"tool"}})), "tool_choice.tool.name: Field required"),
        (with(json!({"thinking":{"type":"enabled"}})), "thinking.enabled.budget_tokens: Field required"),
        (with(json!({"thinking":true})), "thinking: Input should be an object"),
        (
            with(json!({"output_config":{"effort":"huge"}})),
            "output_config.effort: Input should be 'low', 'medium', 'high', 'xhigh' or 'max'",
        ),
        (
            with(json!({"output_config":{"format":{"type":"xml"}}})),
            "output_config.format.type: Input should be 'json_schema'",
        ),
        (with_blocks("user", json!([{"text":"x"}])), "messages.0.content.0.type: Field required"),
        (with_blocks("user", json!([{"type":"text"}])), "messages.0.content.0.text: Field required"),
        (
            with_blocks("user", json!([{"type":"text","text":1}])),
            "messages.0.content.0.text: Input should be a valid string",
        ),
        (
            with_blocks("user", json!([{"type":"text","text":"x"}, 5])),
            "messages.0.content.1: Input should be an object",
        ),
        (
            with_blocks("assistant", json!([{"type":"tool_use","id":"a","name":"b"}])),
            "messages.0.content.0.input: Field required",
        ),
        (
            with_blocks("assistant", json!([{"type":"tool_use","id":"a","name":"b","input":"{}"}])),
            "messages.0.content.0.input: Input should be an object",
        ),
        (with_blocks("user", json!([{"type":"tool_result"}])), "messages.0.content.0.tool_use_id: Field required"),
        (
            with_blocks("user", json!([{"type":"tool_result","tool_use_id":"a","content":[{"type":"text"}]}])),
            "messages.0.content.0.content.0.text: Field required",
        ),
        (with_blocks("user", json!([{"type":"image"}])), "messages.0.content.0.source: Field required"),
        (
            with_blocks("user", json!([{"type":"image","source":{"type":"ftp"}}])),
            "messages.0.content.0.source: Input tag 'ftp' found using 'type' does not match any of the expected tags",
        ),
    ] {
        let (param, message) = refused(&body);
        assert_eq!(message, expected, "{body}");
        assert_eq!(param.as_deref(), expected.split_once(": ").map(|(place, _)| place));
    }
}

#[test]
fn no_cut_of_a_body_is_taken_for_a_request() {
    for n in 0..TURN.trim_end().len() {
        assert!(decode(&TURN.as_bytes()[..n]).is_err(), "{n}");
    }
}

#[test]
fn bodies_that_are_no_objects_are_refused() {
    for body in [&b""[..], b"[]", b"null", b"\xff\xfe", b"{\"model\":\"\xc3\"}"] {
        assert!(decode(body).is_err());
    }
}

#[test]
fn nesting_without_end_does_not_overflow_the_stack() {
    let mut block = String::from(r#"{"type":"text","text":"x"}"#);
    for _ in 0..20_000 {
        block = format!(r#"{{"type":"tool_result","tool_use_id":"a","content":[{block}]}}"#);
    }
    let body = format!(r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":[{block}]}}]}}"#);
    _ = decode(body.as_bytes());
}

proptest! {
    #[test]
    fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..400)) {
        _ = decode(&body);
    }

    #[test]
    fn no_changed_byte_panics(at in 0..TURN.len(), byte in any::<u8>()) {
        let mut body = TURN.as_bytes().to_vec();
        body[at] = byte;
        _ = decode(&body);
    }
}
