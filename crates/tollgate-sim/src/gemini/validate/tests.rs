use serde_json::json;

use super::*;
use crate::gemini::call_signature;

fn refused(body: &Value) -> Option<String> {
    check(body, &Strictness::default()).err().map(|refusal| refusal.message)
}

fn with(more: Value) -> Value {
    let mut body = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}

/// The words with which a body is refused contain these.
#[track_caller]
fn refuses(body: &Value, words: &str) {
    let said = refused(body).unwrap_or_else(|| panic!("taken: {body}"));
    assert!(said.contains(words), "{said}");
}

#[test]
fn unknown_fields_are_named_with_their_place() {
    assert_eq!(refused(&with(json!({}))), None);
    refuses(&with(json!({"temperature": 1})), "Unknown name \"temperature\": Cannot find field.");
    refuses(&with(json!({"generationConfig": {"topZ": 1}})), "Unknown name \"topZ\" at 'generation_config'");
    let snake = json!({"contents": [{"role": "user", "parts": [{"inline_data": {"mime_type": "image/png", "data": "AA=="}}]}],
        "generation_config": {"thinking_config": {"include_thoughts": true}},
        "tools": [{"function_declarations": [{"name": "f", "parameters": {"type": "OBJECT", "properties": {"a_b": {"type": "STRING", "max_length": "3"}}}}]}]});
    let body = crate::gemini::parse(snake.to_string().as_bytes()).expect("JSON");
    assert_eq!(body["tools"][0]["functionDeclarations"][0]["parameters"]["properties"]["a_b"]["type"], "STRING");
    assert_eq!(refused(&body), None);
    refuses(&json!({"contents": [{"role": "user", "content": "x"}]}), "Unknown name \"content\" at 'contents[0]'");
}

#[test]
fn schemas_have_only_the_keywords_of_their_kind() {
    let tool = |declaration: Value| with(json!({"tools": [{"functionDeclarations": [declaration]}]}));
    let schema = |schema: Value| tool(json!({"name": "f", "parameters": schema}));
    assert_eq!(refused(&schema(json!({"type": "object", "properties": {"a": {"type": "string"}}}))), None);
    for (key, value) in [("additionalProperties", json!(false)), ("const", json!(1)), ("$schema", json!("x"))] {
        let mut bad = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        bad[key] = value.clone();
        refuses(&schema(bad), &format!("Unknown name \"{key}\" at 'tools[0].function_declarations[0].parameters'"));
    }
    refuses(&schema(json!({"type": ["object", "null"]})), "Proto field is not repeating");
    refuses(&schema(json!({"type": "object", "properties": {}})), "should be non-empty for OBJECT type");
    let json_schema = |schema: Value| tool(json!({"name": "f", "parametersJsonSchema": schema}));
    assert_eq!(
        refused(&json_schema(
            json!({"type": "object", "properties": {"const": {"type": ["string", "null"]}}, "additionalProperties": false})
        )),
        None
    );
    refuses(&json_schema(json!({"properties": {"a": {"const": 1}}})), "\"const\" is not supported");
    refuses(&tool(json!({"name": "2f"})), "Invalid function name");
}

#[test]
fn a_choice_among_functions_names_declared_ones() {
    let choice = |calling: Value| {
        with(
            json!({"tools": [{"functionDeclarations": [{"name": "f"}]}], "toolConfig": {"functionCallingConfig": calling}}),
        )
    };
    assert_eq!(refused(&choice(json!({"mode": "ANY", "allowedFunctionNames": ["f"]}))), None);
    refuses(&choice(json!({"mode": "ANY", "allowedFunctionNames": ["g"]})), "is not declared");
    refuses(&choice(json!({"mode": "AUTO", "allowedFunctionNames": ["f"]})), "only be set when");
    refuses(&choice(json!({"mode": "any"})), "Invalid value");
}

fn turn(parts: &[Value], results: &[Value]) -> Value {
    json!({"contents": [{"role": "user", "parts": [{"text": "go"}]}, {"role": "model", "parts": parts}, {"role": "user", "parts": results}]})
}

fn call(name: &str, signature: Option<&str>) -> Value {
    let mut part = json!({"functionCall": {"name": name, "args": {}}});
    if let Some(signature) = signature {
        part["thoughtSignature"] = json!(signature);
    }
    part
}

fn result(name: &str) -> Value {
    json!({"functionResponse": {"name": name, "response": {"output": "x"}}})
}

#[test]
fn the_first_call_of_a_turn_needs_its_own_signature_or_the_word_for_none() {
    let own = call_signature("f", &json!({}));
    for good in [own.as_str(), "skip_thought_signature_validator"] {
        assert_eq!(refused(&turn(&[call("f", Some(good)), call("f", None)], &[result("f"), result("f")])), None);
    }
    let missing = turn(&[call("f", None)], &[result("f")]);
    refuses(&missing, "Function call is missing a thought_signature in functionCall parts.");
    refuses(&turn(&[call("f", Some("made up"))], &[result("f")]), "not valid");
    assert_eq!(check(&missing, &Strictness { signatures: false, ..Strictness::default() }), Ok(()));
    // What was said before the user's last words needs none.
    let mut over = missing;
    over["contents"][2]["parts"] = json!([result("f"), {"text": "next"}]);
    assert_eq!(refused(&over), None);
}

#[test]
fn roles_alternate_and_every_call_is_answered_at_once() {
    let own = call_signature("f", &json!({}));
    let signed = call("f", Some(&own));
    refuses(&turn(std::slice::from_ref(&signed), &[json!({"text": "no"})]), "number of function response parts");
    refuses(&turn(std::slice::from_ref(&signed), &[result("g")]), "match the names");
    refuses(&turn(&[json!({"text": "x"})], &[result("f")]), "immediately after a function call turn");
    let user = json!({"role": "user", "parts": [{"text": "x"}]});
    refuses(&json!({"contents": [user, user]}), "alternate");
    refuses(&json!({"contents": [{"role": "model", "parts": [{"text": "x"}]}]}), "alternate");
    refuses(&json!({"contents": [user, {"role": "model", "parts": [{"text": "x"}]}]}), "end with a user turn");
    refuses(&json!({"contents": []}), "contents is not specified");
    refuses(&json!({"contents": [{"role": "user", "parts": [{"text": ""}]}]}), "must have a text parameter");
}

#[test]
fn older_models_know_neither_ids_nor_levels_nor_json_beside_functions() {
    let older = Strictness::older();
    let said = |body: &Value| check(body, &older).err().map(|r| r.message).unwrap_or_default();
    let mut with_id = call("f", None);
    with_id["functionCall"]["id"] = json!("a");
    assert!(said(&turn(&[with_id], &[result("f")])).contains("Unknown name \"id\""));
    assert!(said(&with(json!({"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW"}}}))).contains("level"));
    let both = json!({"tools": [{"functionDeclarations": [{"name": "f"}]}], "generationConfig": {"responseMimeType": "application/json"}});
    assert!(said(&with(both)).contains("unsupported"));
    refuses(
        &with(json!({"generationConfig": {"thinkingConfig": {"thinkingLevel": "LOW", "thinkingBudget": 1}}})),
        "only one",
    );
}

/// Arguments are a `Struct`, whose fields have no order; Claude Code puts its own first.
#[test]
fn a_signature_fits_its_call_in_any_order_of_the_arguments_and_no_other_call() {
    let signed = |args: Value| crate::call_signature("edit", &args);
    let one = signed(json!({"a": 1, "b": {"c": 2, "d": 3}}));
    assert_eq!(one, signed(json!({"b": {"d": 3, "c": 2}, "a": 1})));
    assert_ne!(one, signed(json!({"a": 1, "b": {"c": 2, "d": 4}})));
    assert_ne!(one, crate::call_signature("write", &json!({"a": 1, "b": {"c": 2, "d": 3}})));
}
