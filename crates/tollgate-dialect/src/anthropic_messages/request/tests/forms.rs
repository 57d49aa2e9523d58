use serde_json::json;

use crate::anthropic_messages::request::control::{Control, Form, budget_for, choose};
use crate::anthropic_messages::request::{arguments_of, schema};
use crate::json::Json;
use crate::quirks::{MessagesQuirks, Quirks, ThinkingType};
use crate::request::{Effort, Reasoning, ReasoningMode};

fn chosen(mode: ReasoningMode, effort: Option<Effort>, forms: &[ThinkingType], max_tokens: u64) -> Control {
    let messages = MessagesQuirks { thinking: forms.to_vec(), ..MessagesQuirks::default() };
    let efforts = vec![Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh, Effort::Max];
    let quirks = Quirks { messages, efforts, ..Quirks::default() };
    choose(&Reasoning { mode, effort, visible: None }, &quirks, max_tokens)
}

#[test]
fn thinking_takes_the_nearest_form_that_the_model_has() {
    use ReasoningMode as M;
    use ThinkingType::{Adaptive, BetweenTools, Disabled, Enabled};
    let old: &[ThinkingType] = &[Enabled, Disabled];
    let new: &[ThinkingType] = &[Adaptive, Disabled];
    let newest: &[ThinkingType] = &[Adaptive, BetweenTools];
    let always: &[ThinkingType] = &[Adaptive];
    for (mode, effort, forms, form, expected_effort) in [
        (M::Adaptive, Some(Effort::High), new, Some(Form::Adaptive), Some(Effort::High)),
        (M::Adaptive, Some(Effort::Minimal), new, Some(Form::Adaptive), Some(Effort::Low)),
        (M::Adaptive, Some(Effort::None), new, Some(Form::Disabled), None),
        (M::Adaptive, None, old, Some(Form::Enabled(31_999)), None),
        (M::Adaptive, Some(Effort::Low), old, Some(Form::Enabled(2048)), Some(Effort::Low)),
        (M::Budget(5000), None, old, Some(Form::Enabled(5000)), None),
        (M::Budget(10), None, old, Some(Form::Enabled(1024)), None),
        (M::Budget(5000), None, new, Some(Form::Adaptive), Some(Effort::Medium)),
        (M::Off, None, old, Some(Form::Disabled), None),
        (M::Off, None, newest, Some(Form::BetweenTools), None),
        (M::Off, None, always, None, Some(Effort::Low)),
        (M::BetweenTools, None, old, Some(Form::Disabled), None),
        (M::BetweenTools, None, newest, Some(Form::BetweenTools), None),
        (M::Budget(5000), Some(Effort::Max), &[], None, Some(Effort::Max)),
    ] {
        assert_eq!(
            chosen(mode, effort, forms, 64_000),
            Control { form, effort: expected_effort },
            "{mode:?} {effort:?} {forms:?}"
        );
    }
}

#[test]
fn a_budget_stays_below_max_tokens_or_there_is_none() {
    for (wanted, max_tokens, expected) in [
        (31_999, 32_000, Some(31_999)),
        (31_999, 8000, Some(7999)),
        (31_999, 1025, Some(1024)),
        (31_999, 1024, None),
        (500, 4000, Some(1024)),
        (60_000, 64_000, Some(60_000)),
        (2000, 0, None),
    ] {
        assert_eq!(budget_for(wanted, max_tokens), expected, "{wanted} of {max_tokens}");
    }
}

#[test]
fn efforts_go_to_the_nearest_that_is_known() {
    let quirks = Quirks { efforts: vec![Effort::Minimal, Effort::Low, Effort::High], ..Quirks::default() };
    for (wanted, expected) in
        [(Effort::Minimal, Effort::Low), (Effort::Max, Effort::High), (Effort::High, Effort::High)]
    {
        let reasoning = Reasoning { effort: Some(wanted), ..Reasoning::default() };
        assert_eq!(choose(&reasoning, &quirks, 9000).effort, Some(expected));
    }
    let mute = Quirks { messages: MessagesQuirks { effort: false, ..MessagesQuirks::default() }, ..Quirks::default() };
    let reasoning = Reasoning { effort: Some(Effort::High), ..Reasoning::default() };
    assert_eq!(choose(&reasoning, &mute, 9000).effort, None);
}

#[test]
fn arguments_become_an_object() {
    for (arguments, expected) in [
        ("", "{}"),
        (" null ", "{}"),
        (r#""""#, "{}"),
        (r#"{"a": 1.0}"#, r#"{"a": 1.0}"#),
        ("[1]", r#"{"value":[1]}"#),
        ("7", r#"{"value":7}"#),
        (r#""{\"a\":1}""#, r#"{"a":1}"#),
        (r#""text""#, r#"{"value":"text"}"#),
        (r#"{"a":"#, r#"{"_raw":"{\"a\":"}"#),
        ("{} {}", r#"{"_raw":"{} {}"}"#),
    ] {
        assert_eq!(arguments_of(arguments), expected, "{arguments}");
    }
}

#[test]
fn an_output_schema_has_only_what_the_service_compiles() {
    let given = Json::literal(
        r##"{"$schema":"s","type":"object","properties":{"n":{"type":"integer","minimum":0},"s":{"type":"string","format":"color","pattern":"x"},"d":{"type":"string","format":"date"},"l":{"type":"array","minItems":3,"maxItems":9,"items":{"type":["object","null"],"properties":{}}},"u":{"oneOf":[{"$ref":"#/$defs/x"},{"type":"null"}]}},"$defs":{"x":{"type":"object"}},"required":["n"]}"##,
    );
    let expected = json!({"type":"object","additionalProperties":false,"required":["n"],"properties":{
        "n":{"type":"integer"},"s":{"type":"string"},"d":{"type":"string","format":"date"},
        "l":{"type":"array","minItems":1,"items":{"type":["object","null"],"properties":{},"additionalProperties":false}},
        "u":{"anyOf":[{"$ref":"#/$defs/x"},{"type":"null"}]}},
        "$defs":{"x":{"type":"object","additionalProperties":false}}});
    assert_eq!(serde_json::from_str::<serde_json::Value>(&schema::output_schema(&given)).unwrap(), expected);
}
