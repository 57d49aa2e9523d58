use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::Forwarded;
use crate::anthropic_messages::testing::{genuine, seal, target, value};
use crate::frame::sse::Frame;
use crate::quirks::{MessagesQuirks, Quirks};
use crate::request::Effort;
use crate::sealed::SealedState;
use crate::usage::Usage;

const TURN: &str = include_str!("../../../fixtures/anthropic_messages/requests/claude_code_turn.json");

fn changes(encoded: &Encoded) -> Vec<String> {
    encoded.changes.iter().map(ToString::to_string).collect()
}

/// Forwards to a target with these quirks; `stream` as the body has it.
fn forwarded(quirks: &Quirks, body: &str) -> (String, Vec<String>) {
    let seal = seal();
    let stream = body.contains(r#""stream":true"#);
    let encoded = request(body.as_bytes(), &Target { stream, ..target(quirks, &seal) }).unwrap();
    let changes = changes(&encoded);
    (String::from_utf8(encoded.body).unwrap(), changes)
}

fn layer(messages: MessagesQuirks) -> Quirks {
    Quirks { messages, ..Quirks::default() }
}

fn messages(body: &str) -> Value {
    value(body.as_bytes())["messages"].clone()
}

fn body_of(messages: Value) -> String {
    json!({"model":"m","max_tokens":8000,"messages":messages}).to_string()
}

#[test]
fn s36_a_body_that_needs_no_edit_differs_only_in_the_model() {
    let odd = " {\"max_tokens\" : 5 ,\n\t\"zzz\":{\"b\":1,\"a\":1.50},\"model\"  :  \"mine\", \"messages\": [ {\"content\":\"\\ud83d\",\"role\":\"user\"} ] } ";
    for quirks in [genuine(), Quirks::default()] {
        let (out, changes) = forwarded(&quirks, odd);
        assert_eq!(out, odd.replace("\"mine\"", "\"claude-up\""));
        assert_eq!(changes, [""; 0]);
    }
    let (out, changes) = forwarded(&Quirks::default(), TURN);
    let attribution = r#"{"type":"text","text":"x-anthropic-billing-header: cc_version=2"},"#;
    assert!(TURN.contains(attribution));
    assert_eq!((out, changes.len()), (TURN.replace("kimi-k2.5", "claude-up").replace(attribution, ""), 0));
    let same = odd.replace("\"mine\"", "\"claude-up\"");
    assert_eq!(forwarded(&genuine(), &same).0, same);
}

#[test]
fn the_stream_flag_follows_what_goes_up() {
    let quirks = genuine();
    let seal = seal();
    let up = |body: &str, stream: bool| {
        let encoded = request(body.as_bytes(), &Target { stream, ..target(&quirks, &seal) }).unwrap();
        String::from_utf8(encoded.body).unwrap()
    };
    for (body, stream, expected) in [
        (r#"{"model":"claude-up","stream":true}"#, true, r#"{"model":"claude-up","stream":true}"#),
        (r#"{"model":"claude-up","stream":true}"#, false, r#"{"model":"claude-up","stream":false}"#),
        (r#"{"model":"claude-up","stream":false}"#, true, r#"{"model":"claude-up","stream":true}"#),
        (r#"{"model":"claude-up"}"#, true, r#"{"stream":true,"model":"claude-up"}"#),
        (r#"{"model":"claude-up"}"#, false, r#"{"model":"claude-up"}"#),
        ("{}", false, r#"{"model":"claude-up"}"#),
    ] {
        assert_eq!(up(body, stream), expected);
    }
}

#[test]
fn s05_max_tokens_is_clamped_and_a_budget_with_it() {
    let quirks = genuine();
    let seal = seal();
    for (body, most, expected, notes) in [
        (
            r#"{"model":"claude-up","max_tokens": 32000}"#,
            4096,
            r#"{"model":"claude-up","max_tokens": 4096}"#,
            vec!["clamped:max_tokens"],
        ),
        (r#"{"model":"claude-up","max_tokens":4096}"#, 4096, r#"{"model":"claude-up","max_tokens":4096}"#, vec![]),
        (
            r#"{"model":"claude-up","max_tokens":32000,"thinking":{"type":"enabled","budget_tokens":31999}}"#,
            4096,
            r#"{"model":"claude-up","max_tokens":4096,"thinking":{"type":"enabled","budget_tokens":4095}}"#,
            vec!["clamped:max_tokens", "rewritten:thinking"],
        ),
        (
            r#"{"model":"claude-up","max_tokens":32000,"thinking":{"type":"enabled","budget_tokens":31999}}"#,
            1000,
            r#"{"model":"claude-up","max_tokens":1000}"#,
            vec!["clamped:max_tokens", "dropped:thinking"],
        ),
    ] {
        let target = Target { max_output_tokens: Some(most), ..target(&quirks, &seal) };
        let encoded = request(body.as_bytes(), &target).unwrap();
        assert_eq!(
            (std::str::from_utf8(&encoded.body).unwrap(), changes(&encoded)),
            (expected, notes.iter().map(|n| n.to_string()).collect())
        );
    }
}

#[test]
fn thoughts_with_a_seal_or_without_a_signature_never_reach_anthropic() {
    let ours = seal().seal(&SealedState { family: "kimi".into(), details: None });
    for signature in [json!(ours.escaped()), json!("tg1.forged"), json!(""), Value::Null] {
        let body = body_of(json!([
            {"role":"user","content":"a"},
            {"role":"assistant","content":[{"type":"thinking","thinking":"real","signature":"EqQB"},{"type":"text","text":"b"}]},
            {"role":"user","content":"c"},
            {"role":"assistant","content":[{"type":"thinking","thinking":"odd","signature":signature}]},
            {"role":"user","content":"d"},
            {"role":"assistant","content":[{"type":"text","text":"e"},{"type":"redacted_thinking","data":"R"}]},
            {"role":"user","content":"f"},
        ]));
        let (out, changes) = forwarded(&genuine(), &body);
        assert_eq!(changes, ["dropped:thinking"]);
        assert_eq!(
            messages(&out),
            json!([
                {"role":"user","content":"a"},
                {"role":"assistant","content":[{"type":"text","text":"b"}]},
                {"role":"user","content":"c"},
                {"role":"user","content":"d"},
                {"role":"assistant","content":[{"type":"text","text":"e"}]},
                {"role":"user","content":"f"},
            ])
        );
    }
}

#[test]
fn anthropics_own_thoughts_stay_to_the_byte() {
    let body = r#"{"model":"claude-up","messages":[{"role":"assistant","content":[ {"signature":"EqQB","type":"thinking","thinking":""}, {"type":"redacted_thinking","data":"x"} ]}]}"#;
    assert_eq!(forwarded(&genuine(), body), (body.to_string(), vec![]));
}

#[test]
fn a_sealed_signature_goes_to_no_other_provider_either() {
    let ours = seal().seal(&SealedState { family: "kimi".into(), details: None });
    let body = body_of(
        json!([{"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":ours.escaped()}]}]),
    );
    let (out, _) = forwarded(&Quirks::default(), &body);
    assert_eq!(messages(&out)[0]["content"][0], json!({"type":"thinking","thinking":"t","signature":""}));
}

#[test]
fn tool_ids_are_fitted_for_anthropic_alone() {
    let body = body_of(json!([
        {"role":"assistant","content":[{"type":"tool_use","id":"functions.Bash:0","name":"Bash","input":{"id":"functions.Bash:0"}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"functions.Bash:0","content":"x"}]},
    ]));
    let (out, changes) = forwarded(&genuine(), &body);
    let messages = messages(&out);
    let id = messages[0]["content"][0]["id"].as_str().unwrap();
    assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-')), "{id}");
    assert_eq!(messages[1]["content"][0]["tool_use_id"], id);
    assert_eq!(messages[0]["content"][0]["input"]["id"], "functions.Bash:0", "what is no id stays");
    assert_eq!(changes, ["rewritten:tool_use.id"]);
    assert_eq!(forwarded(&Quirks::default(), &body).0, body.replace("\"m\"", "\"claude-up\""));
}

#[test]
fn s17_a_forced_choice_is_softened_only_where_it_is_refused() {
    let body = |choice: Value, thinking: Value| {
        json!({"model":"m","max_tokens":8000,"thinking":thinking,"tool_choice":choice}).to_string()
    };
    let forced = json!({"type":"tool","name":"Bash","disable_parallel_tool_use":true});
    let soft = json!({"type":"auto","disable_parallel_tool_use":true});
    let newest = layer(MessagesQuirks { genuine: true, forced_tool: false, ..MessagesQuirks::default() });
    let budget = json!({"type":"enabled","budget_tokens":2000});
    for (quirks, choice, thinking, expected) in [
        (&genuine(), &forced, json!({"type":"adaptive"}), &forced),
        (&genuine(), &forced, budget.clone(), &soft),
        (&newest, &forced, json!({"type":"adaptive"}), &soft),
        (&newest, &json!({"type":"any"}), json!({"type":"adaptive"}), &json!({"type":"auto"})),
        (&newest, &json!({"type":"none"}), json!({"type":"adaptive"}), &json!({"type":"none"})),
    ] {
        let (out, changes) = forwarded(quirks, &body(choice.clone(), thinking));
        assert_eq!(&value(out.as_bytes())["tool_choice"], expected);
        assert_eq!(changes.contains(&"softened:tool_choice".to_string()), choice != expected);
    }
}

#[test]
fn s08_thinking_takes_a_form_that_the_model_has() {
    use ThinkingType::{Adaptive, BetweenTools, Disabled, Enabled};
    for (forms, thinking, expected) in [
        (
            vec![Enabled, Disabled],
            json!({"type":"adaptive","display":"updates"}),
            Some(json!({"type":"enabled","budget_tokens":7999})),
        ),
        (
            vec![Enabled, Disabled],
            json!({"type":"adaptive","display":"omitted"}),
            Some(json!({"type":"enabled","budget_tokens":7999,"display":"omitted"})),
        ),
        (vec![Adaptive], json!({"type":"enabled","budget_tokens":3000}), Some(json!({"type":"adaptive"}))),
        (vec![Adaptive], json!({"type":"disabled"}), None),
        (vec![Adaptive, BetweenTools], json!({"type":"disabled"}), Some(json!({"type":"between_tools"}))),
        (vec![Adaptive, Disabled], json!({"type":"between_tools"}), Some(json!({"type":"disabled"}))),
        (vec![], json!({"type":"adaptive"}), None),
        (vec![Adaptive], json!({"type":"of_tomorrow","x":1}), Some(json!({"type":"of_tomorrow","x":1}))),
    ] {
        let quirks = layer(MessagesQuirks { genuine: true, thinking: forms, ..MessagesQuirks::default() });
        let body = json!({"model":"m","max_tokens":8000,"thinking":thinking.clone()}).to_string();
        let (out, changes) = forwarded(&quirks, &body);
        assert_eq!(value(out.as_bytes()).get("thinking"), expected.as_ref(), "{thinking}");
        let note = match &expected {
            None => vec!["dropped:thinking".to_string()],
            Some(same) if *same == thinking => vec![],
            Some(_) => vec!["rewritten:thinking".to_string()],
        };
        assert_eq!(changes, note);
    }
    let layer = layer(MessagesQuirks { thinking: vec![Enabled, Disabled], ..MessagesQuirks::default() });
    let body = json!({"model":"m","max_tokens":8000,"thinking":{"type":"adaptive","display":"omitted"}}).to_string();
    let out = forwarded(&layer, &body).0;
    assert_eq!(
        value(out.as_bytes())["thinking"],
        json!({"type":"enabled","budget_tokens":7999}),
        "only Anthropic knows display"
    );
}

#[test]
fn a_tool_loop_that_lost_its_thoughts_goes_on_without_a_budget() {
    let body = json!({"model":"m","max_tokens":8000,"thinking":{"type":"enabled","budget_tokens":2000},"messages":[
        {"role":"user","content":"a"},
        {"role":"assistant","content":[{"type":"thinking","thinking":"t","signature":""},{"type":"tool_use","id":"x","name":"B","input":{}}]},
        {"role":"user","content":[{"type":"tool_result","tool_use_id":"x","content":"1"}]},
    ]});
    let (out, changes) = forwarded(&genuine(), &body.to_string());
    assert_eq!(value(out.as_bytes()).get("thinking"), None);
    assert_eq!(changes, ["dropped:thinking"]);
    let mut signed = body;
    signed["messages"][1]["content"][0]["signature"] = json!("EqQB");
    let (out, _) = forwarded(&genuine(), &signed.to_string());
    assert_eq!(value(out.as_bytes())["thinking"]["type"], "enabled");
}

#[test]
fn refused_keys_go_wherever_they_stand() {
    let quirks = layer(MessagesQuirks {
        sampling: false,
        effort: false,
        refuses: vec!["context_management".into(), "first".into(), "output_config.format".into()],
        refuses_in_tools: vec!["type".into(), "defer_loading".into()],
        ..MessagesQuirks::default()
    });
    let body = r#"{"first":1, "model":"claude-up", "temperature":1, "top_k":5, "tools":[{"type":"custom","name":"a"},{"name":"b","defer_loading":true},{"type":"web_search_20250305","name":"w"}], "output_config":{"effort":"low","task":1,"format":{}}, "context_management":{}}"#;
    let (out, changes) = forwarded(&quirks, body);
    assert_eq!(
        out,
        r#"{"model":"claude-up", "tools":[{"name":"a"},{"name":"b"},{"type":"web_search_20250305","name":"w"}], "output_config":{"task":1}}"#
    );
    assert_eq!(
        changes,
        [
            "dropped:temperature",
            "dropped:top_k",
            "dropped:context_management",
            "dropped:first",
            "dropped:output_config.effort",
            "dropped:output_config.format",
            "dropped:tools.type",
            "dropped:tools.defer_loading"
        ]
    );
    let (out, _) = forwarded(&quirks, r#"{"model":"claude-up","output_config":{"effort":"low"}}"#);
    assert_eq!(out, r#"{"model":"claude-up"}"#, "nothing empty is left");
    let body = body_of(json!([{"role":"system","content":"x","output_config":{"effort":"low"}}]));
    assert_eq!(messages(&forwarded(&quirks, &body).0), json!([{"role":"system","content":"x"}]));
}

#[test]
fn system_messages_become_the_users_where_there_is_no_such_role() {
    let quirks = layer(MessagesQuirks { mid_system: false, ..MessagesQuirks::default() });
    let folded = |given: Value| {
        let (out, changes) = forwarded(&quirks, &body_of(given));
        assert_eq!(changes, ["rewritten:messages.system"]);
        messages(&out)
    };
    let note = |words: &str| json!({"type":"text","text":format!("<system-reminder>\n{words}\n</system-reminder>")});
    let said = |words: &str| json!({"type":"text","text":words});
    assert_eq!(
        folded(json!([
            {"role":"user","content":"hi"},
            {"role":"system","content":"one","output_config":{"effort":"high"}},
            {"role":"system","content":[{"type":"text","text":"two","cache_control":{"type":"ephemeral"}}]},
            {"role":"assistant","content":"ok"}
        ])),
        json!([
            {"role":"user","content":[said("hi"), note("one"),
                {"type":"text","text":"<system-reminder>\ntwo\n</system-reminder>","cache_control":{"type":"ephemeral"}}]},
            {"role":"assistant","content":"ok"}
        ])
    );
    let result = json!({"type":"tool_result","tool_use_id":"a","content":"r"});
    assert_eq!(
        folded(json!([
            {"role":"user","content":"hi"},
            {"role":"assistant","content":[{"type":"tool_use","id":"a","name":"b","input":{}}]},
            {"role":"system","content":"before"},
            {"role":"user","content":[result, said("x")]},
            {"role":"system","content":"after"}
        ]))[2],
        json!({"role":"user","content":[result, note("before"), said("x"), note("after")]})
    );
    assert_eq!(
        folded(
            json!([{"role":"assistant","content":"a"},{"role":"system","content":"b"},{"role":"user","content":"c"},{"role":"system","content":"d"}])
        ),
        json!([{"role":"assistant","content":"a"},{"role":"user","content":[note("b"), said("c"), note("d")]}])
    );
    assert_eq!(
        folded(
            json!([{"role":"assistant","content":"a"},{"role":"system","content":"b"},{"role":"system","content":"c"}])
        ),
        json!([{"role":"assistant","content":"a"},{"role":"user","content":[note("b"), note("c")]}])
    );
    assert_eq!(
        folded(json!([{"role":"user","content":[]},{"role":"system","content":"b"},{"role":"system","content":" "}])),
        json!([{"role":"user","content":[note("b")]}])
    );
    assert_eq!(
        folded(
            json!([{"role":"assistant","content":"q"},{"role":"system","content":"b"},{"role":"user","content":[result]},{"role":"system","content":"c"}])
        ),
        json!([{"role":"assistant","content":"q"},{"role":"user","content":[result, note("b"), note("c")]}])
    );
}

#[test]
fn media_leave_results_where_results_take_none() {
    let quirks = layer(MessagesQuirks { media_in_tool_result: false, ..MessagesQuirks::default() });
    let image = json!({"type":"image","source":{"type":"base64","media_type":"image/png","data":"QUJD"}});
    let given = json!([
        {"role":"user","content":[
            {"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"t"}, image]},
            {"type":"tool_result","tool_use_id":"b","content":"x"},
            {"type":"text","text":"so?"}]},
    ]);
    let (out, _) = forwarded(&quirks, &body_of(given));
    assert_eq!(
        messages(&out)[0]["content"],
        json!([
            {"type":"tool_result","tool_use_id":"a","content":[{"type":"text","text":"t"},{"type":"text","text":"[image attached below]"}]},
            {"type":"tool_result","tool_use_id":"b","content":"x"},
            {"type":"text","text":"[attachment of the result of tool call a]"},
            image,
            {"type":"text","text":"so?"},
        ])
    );
}

#[test]
fn s13_the_next_turn_begins_with_the_same_bytes() {
    let quirks = layer(MessagesQuirks { genuine: true, mid_system: false, ..MessagesQuirks::default() });
    let turn: Value = value(TURN.replace(r"\ud83d", "?").as_bytes());
    let mut next = turn.clone();
    let more = [json!({"role":"assistant","content":"ok"}), json!({"role":"user","content":"more"})];
    next["messages"].as_array_mut().unwrap().extend(more);
    let start = |body: &Value| {
        let (out, _) = forwarded(&quirks, &body.to_string());
        let at = out.find(r#""messages":"#).unwrap();
        let list = serde_json::to_string(&messages(&out)).unwrap();
        (out[..at].to_string(), list.strip_suffix(']').unwrap().to_string())
    };
    let (a, b) = (start(&turn), start(&next));
    assert_eq!(a.0, b.0);
    assert!(b.1.starts_with(&a.1));
}

#[test]
fn s13_the_attribution_that_changes_every_turn_reaches_only_anthropic() {
    let line = |n: u8| json!({"type":"text","text":format!("x-anthropic-billing-header: cc_version={n}")});
    let body =
        |n: u8| json!({"model":"m","max_tokens":1,"system":[line(n), {"type":"text","text":"Be good."}]}).to_string();
    assert_eq!(forwarded(&Quirks::default(), &body(1)), forwarded(&Quirks::default(), &body(2)));
    assert!(forwarded(&genuine(), &body(1)).0.contains("cc_version=1"));
    let alone = json!({"model":"m","max_tokens":1,"system":[line(1)]}).to_string();
    assert_eq!(value(forwarded(&Quirks::default(), &alone).0.as_bytes()).get("system"), None);
}

#[test]
fn edits_that_meet_do_not_disturb_each_other() {
    let quirks = layer(MessagesQuirks {
        refuses: vec!["first".into(), "tools".into()],
        refuses_in_tools: vec!["type".into()],
        ..MessagesQuirks::default()
    });
    let seal = seal();
    let target = Target { stream: true, ..target(&quirks, &seal) };
    let body = br#"{"first":1,"tools":[{"type":"custom","name":"a"}],"model":"m"}"#;
    let encoded = request(body, &target).unwrap();
    assert_eq!(std::str::from_utf8(&encoded.body).unwrap(), r#"{"stream":true,"model":"claude-up"}"#);
}

#[test]
fn what_is_no_object_is_refused() {
    let quirks = genuine();
    let seal = seal();
    for body in [&b""[..], b"[]", b"{", b"\xff", b"{\"a\":1"] {
        assert!(matches!(request(body, &target(&quirks, &seal)), Err(ForwardError::Invalid(_))));
    }
}

#[test]
fn s15_a_refused_prefill_is_followed_by_the_user() {
    let quirks = layer(MessagesQuirks { prefill: false, ..MessagesQuirks::default() });
    let prefilled = json!([{"role":"user","content":"hi"},{"role":"assistant","content":"So"}]);
    let (out, changes) = forwarded(&quirks, &body_of(prefilled));
    assert_eq!(
        messages(&out),
        json!([{"role":"user","content":"hi"},{"role":"assistant","content":"So"},{"role":"user","content":"Continue."}])
    );
    assert_eq!(changes, ["rewritten:prefill"]);
    let ends_well = body_of(json!([{"role":"user","content":"hi"}]));
    assert_eq!(forwarded(&quirks, &ends_well).0, ends_well.replace(r#""m""#, r#""claude-up""#));
}

#[test]
fn empty_texts_go_where_they_are_refused() {
    let quirks = layer(MessagesQuirks { empty_text: false, ..MessagesQuirks::default() });
    let body = body_of(json!([
        {"role":"user","content":[{"type":"text","text":""},{"type":"text","text":"hi"}]},
        {"role":"assistant","content":[{"type":"text","text":" \n"},{"type":"text","text":""}]},
        {"role":"user","content":""}]));
    let (out, changes) = forwarded(&quirks, &body);
    assert_eq!(
        messages(&out),
        json!([
            {"role":"user","content":[{"type":"text","text":"hi"}]},
            {"role":"assistant","content":[{"type":"text","text":"(empty)"}]},
            {"role":"user","content":"(empty)"}])
    );
    assert_eq!(changes, ["dropped:empty_text"]);
}

#[test]
fn cache_marks_lose_what_is_refused_and_nothing_else() {
    let mark = json!({"type":"ephemeral","ttl":"1h","scope":"global"});
    let block = |mark: Value| json!({"type":"text","text":"hi","cache_control":mark});
    let body = |mark: &Value| {
        json!({"model":"claude-up","max_tokens":8,"system":[block(mark.clone())],
            "tools":[{"name":"f","input_schema":{},"cache_control":mark}],
            "messages":[{"role":"user","content":[block(mark.clone()),
                {"type":"tool_result","tool_use_id":"t","content":[block(mark.clone())]}]}]})
    };
    let refusing = |names: &[&str]| {
        let refuses = names.iter().map(|name| (*name).to_string()).collect();
        layer(MessagesQuirks { refuses, ..MessagesQuirks::default() })
    };
    let (out, changes) = forwarded(&refusing(&["cache_control.scope"]), &body(&mark).to_string());
    assert_eq!(value(out.as_bytes()), body(&json!({"type":"ephemeral","ttl":"1h"})));
    assert_eq!(changes, ["dropped:cache_control.scope"]);
    let (out, _) = forwarded(&refusing(&["cache_control"]), &body(&mark).to_string());
    assert!(!out.contains("cache_control"), "{out}");
    assert_eq!(value(out.as_bytes())["messages"][0]["content"][1]["content"][0]["text"], "hi");
}

#[test]
fn thoughts_stay_here_where_they_cannot_be_read() {
    let quirks = Quirks { messages: MessagesQuirks { earlier_thoughts: false, ..genuine().messages }, ..genuine() };
    let body = body_of(json!([
        {"role":"user","content":"hi"},
        {"role":"assistant","content":[{"type":"thinking","thinking":"hm","signature":"EqAB"},{"type":"text","text":"ho"}]},
        {"role":"user","content":"on"}]));
    let (out, changes) = forwarded(&quirks, &body);
    assert_eq!(messages(&out)[1], json!({"role":"assistant","content":[{"type":"text","text":"ho"}]}));
    assert_eq!(changes, ["dropped:thinking"]);
    assert!(forwarded(&genuine(), &body).0.contains("EqAB"));
}

#[test]
fn an_effort_that_is_not_taken_goes_to_the_nearest() {
    let efforts = vec![Effort::Low, Effort::Medium, Effort::High];
    let quirks = layer(MessagesQuirks { efforts, ..MessagesQuirks::default() });
    for (asked, sent) in [("max", "high"), ("xhigh", "high"), ("low", "low")] {
        let body = json!({"model":"m","max_tokens":8,"output_config":{"effort":asked},"messages":[]}).to_string();
        let (out, _) = forwarded(&quirks, &body);
        assert_eq!(value(out.as_bytes())["output_config"], json!({"effort":sent}));
    }
}

#[test]
fn schemas_are_cleaned_only_where_that_was_learned() {
    let body = json!({"model":"claude-up","max_tokens":8,"messages":[],
        "tools":[{"name":"f","input_schema":{"anyOf":[{"properties":{"a":{"type":"string","format":"uri"}}}]}}]});
    assert_eq!(forwarded(&layer(MessagesQuirks::default()), &body.to_string()).0, body.to_string());
    let mut quirks = layer(MessagesQuirks { clean_schemas: true, ..MessagesQuirks::default() });
    quirks.schema_drops = vec!["format".into()];
    let (out, _) = forwarded(&quirks, &body.to_string());
    assert_eq!(
        value(out.as_bytes())["tools"][0]["input_schema"],
        json!({"properties":{"a":{"type":"string"}},"type":"object"})
    );
}

fn worst() -> Quirks {
    layer(MessagesQuirks {
        genuine: true,
        host: crate::hosted::Host::Vertex,
        thinking: vec![ThinkingType::Enabled],
        effort: false,
        forced_tool: false,
        sampling: false,
        prefill: false,
        mid_system: false,
        refuses: vec![
            "context_management".into(),
            "metadata".into(),
            "cache_control".into(),
            "thinking.display".into(),
        ],
        refuses_in_tools: vec!["type".into(), "defer_loading".into()],
        betas: false,
        media_in_tool_result: false,
        efforts: vec![Effort::Low],
        earlier_thoughts: false,
        loop_needs_thoughts: true,
        refused_betas: vec!["context-1m-2025-08-07".into()],
        empty_text: false,
        clean_schemas: true,
        reencode: true,
    })
}

proptest! {
    #[test]
    fn no_bytes_panic(body in proptest::collection::vec(any::<u8>(), 0..300)) {
        _ = request(&body, &target(&worst(), &seal()));
        _ = response(&body, &Usage::default());
        _ = frame(&Frame { event: "message_start", data: &body, raw: b"" }, &Usage::default);
    }

    #[test]
    fn an_edited_body_is_still_json(at in 0..TURN.len(), byte in any::<u8>()) {
        let mut body = TURN.as_bytes().to_vec();
        body[at] = byte;
        if let Ok(encoded) = request(&body, &target(&worst(), &seal())) {
            let checked: Result<&serde_json::value::RawValue, _> = serde_json::from_slice(&encoded.body);
            prop_assert!(checked.is_ok(), "{}", String::from_utf8_lossy(&encoded.body));
        }
    }
}

// ---- answers

fn passed(event: &str, data: &str) -> Option<String> {
    passed_knowing(event, data, Usage::default())
}

fn passed_knowing(event: &str, data: &str, known: Usage) -> Option<String> {
    match frame(&Frame { event, data: data.as_bytes(), raw: b"raw" }, &|| known) {
        Forwarded::AsIs => None,
        Forwarded::Replace(bytes) => Some(String::from_utf8(bytes).unwrap()),
        Forwarded::Drop => panic!("nothing is dropped"),
    }
}

#[test]
fn sound_frames_pass_as_they_are() {
    for (event, data) in [
        (
            "message_start",
            r#"{"type":"message_start","message":{"usage":{"input_tokens":1,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}}"#,
        ),
        ("message_delta", r#"{"type":"message_delta","delta":{},"usage":{"output_tokens":15}}"#),
        ("content_block_delta", "not looked at"),
        ("ping", r#"{"type":"ping"}"#),
        ("message_start", "no json"),
        ("", ""),
        ("", "[DONE]"),
    ] {
        assert_eq!(passed(event, data), None, "{data}");
    }
}

#[test]
fn s09_usage_that_cannot_be_added_up_is_replaced_by_integers() {
    for (usage, expected) in [
        (
            "null",
            json!({"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0}),
        ),
        ("{}", json!({"input_tokens":0,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":0})),
        (
            r#"{"input_tokens":"12","output_tokens":3.0,"service_tier":"x"}"#,
            json!({"input_tokens":12,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":3,"service_tier":"x"}),
        ),
        (
            r#"{"prompt_tokens":9,"completion_tokens":4,"cache_read_input_tokens":null}"#,
            json!({"input_tokens":9,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":4,"prompt_tokens":9,"completion_tokens":4}),
        ),
    ] {
        let start = format!(r#"{{"type":"message_start","message":{{"id":"x","usage":{usage}}}}}"#);
        let out = passed("message_start", &start).unwrap();
        let data = out.strip_prefix("event: message_start\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
        assert_eq!(value(data.as_bytes()), json!({"type":"message_start","message":{"id":"x","usage":expected}}));
        let delta = format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}},"usage":{usage}}}"#);
        let out = passed("message_delta", &delta).unwrap();
        let data = out.strip_prefix("event: message_delta\ndata: ").unwrap().strip_suffix("\n\n").unwrap();
        assert_eq!(value(data.as_bytes())["usage"], expected);
        let whole = format!(r#" {{"type":"message","content":[],"usage":{usage}}} "#);
        assert_eq!(value(&response(whole.as_bytes(), &Usage::default()).unwrap())["usage"], expected);
    }
}

#[test]
fn s09_usage_that_is_missing_is_put_in() {
    let out = passed("message_delta", r#"{"type":"message_delta","delta":{}}"#).unwrap();
    assert!(out.contains(r#"{"usage":{"input_tokens":0,"#), "{out}");
    let out = passed("message_start", r#"{"type":"message_start","message":{}}"#).unwrap();
    assert!(out.contains(r#""message":{"usage":{"input_tokens":0,"#), "{out}");
    assert!(response(br#"{"content":[],"id":"x"}"#, &Usage::default()).is_some());
    assert_eq!(response(br#"{"type":"error","error":{}}"#, &Usage::default()), None);
    assert_eq!(response(br#"{"content":[],"usage":{"input_tokens":1,"cache_creation_input_tokens":0,"cache_read_input_tokens":0,"output_tokens":1}}"#, &Usage::default()), None);
    assert_eq!(response(b"<html>", &Usage::default()), None);
}

/// A client adds nothing up: the counts of the last usage are those of the whole answer.
#[test]
fn s09_what_is_known_stands_in_for_counts_that_are_missing() {
    let known = Usage { input: Some(70), cache_read: Some(30), output: Some(5), ..Usage::default() };
    let usage = |input: u64, output: u64| json!({"input_tokens":input,"cache_creation_input_tokens":0,"cache_read_input_tokens":30,"output_tokens":output});
    for (given, expected) in [
        ("null", usage(70, 5)),
        (r#"{"output_tokens":"7"}"#, usage(70, 7)),
        (r#"{"output_tokens":-3}"#, usage(70, 5)),
        (r#"{"input_tokens":71.0}"#, usage(71, 5)),
    ] {
        let delta = format!(r#"{{"type":"message_delta","delta":{{"stop_reason":"end_turn"}},"usage":{given}}}"#);
        let out = passed_knowing("message_delta", &delta, known).unwrap();
        let data = out.strip_prefix("event: message_delta\ndata: ").unwrap().trim();
        assert_eq!(value(data.as_bytes())["usage"], expected, "{given}");
        let whole = format!(r#"{{"type":"message","content":[],"usage":{given}}}"#);
        assert_eq!(value(&response(whole.as_bytes(), &known).unwrap())["usage"], expected, "{given}");
    }
}

#[test]
fn a_frame_without_its_name_gets_one() {
    let out = passed("", "{\"type\":\"content_block_stop\",\n\"index\":0}").unwrap();
    assert_eq!(out, "event: content_block_stop\ndata: {\"type\":\"content_block_stop\", \"index\":0}\n\n");
}

/// Found by fuzzing: two members added to an object without any, and to one that loses the ones it has.
#[test]
fn members_added_to_an_object_that_is_or_becomes_empty_are_parted_by_commas_only() {
    let quirks = layer(MessagesQuirks { refuses: vec!["zzz".into()], ..MessagesQuirks::default() });
    let seal = seal();
    for body in ["{} ", "{\n}", r#"{"zzz":1}"#, r#"{ "zzz" : 1 , "zzz" : [2] }"#] {
        let encoded = request(body.as_bytes(), &Target { stream: true, ..target(&quirks, &seal) }).unwrap();
        let out = value(&encoded.body);
        assert_eq!((&out["model"], &out["stream"]), (&json!("claude-up"), &json!(true)), "{body}");
    }
}
