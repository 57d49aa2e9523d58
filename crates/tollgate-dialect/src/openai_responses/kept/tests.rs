use std::collections::{HashMap, HashSet};

use serde_json::{Value, json};

use super::*;

fn parsed(bytes: &[u8]) -> Value {
    serde_json::from_slice(bytes).expect("JSON")
}

#[test]
fn the_turns_before_stand_before_the_input_and_the_reference_is_gone() {
    let body =
        r#"{"model":"m","previous_response_id":"resp_2","instructions":"be brief","input":"and now?","x\u0041":1.50}"#;
    let first = Turn {
        input: r#"[{"role":"user","content":"one"}]"#,
        output: r#"[{"id":"rs_1","type":"reasoning","summary":[],"encrypted_content":"gAAA","status":"completed"},{"id":"fc_1","type":"function_call","call_id":"c1","name":"f","arguments":"{}","status":"completed"}]"#,
    };
    let second = Turn {
        input: r#"[{"type":"function_call_output","call_id":"c1","output":"two"}]"#,
        output: r#"[{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"three","annotations":[]}]}]"#,
    };
    let whole = with_turns(body, &[first, second]).unwrap();
    assert_eq!(
        parsed(&whole),
        json!({
            "model": "m",
            "instructions": "be brief",
            "xA": 1.5,
            "input": [
                {"role": "user", "content": "one"},
                {"id": "rs_1", "type": "reasoning", "summary": [], "encrypted_content": "gAAA"},
                {"type": "function_call", "call_id": "c1", "name": "f", "arguments": "{}"},
                {"type": "function_call_output", "call_id": "c1", "output": "two"},
                {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "three", "annotations": []}]},
                {"role": "user", "content": "and now?"},
            ],
        })
    );
    assert!(String::from_utf8(whole).unwrap().contains(r#""x\u0041":1.50"#), "what is not touched keeps its spelling");
}

#[test]
fn reasoning_that_nobody_can_read_again_stays_behind() {
    let output = r#"[{"type":"reasoning","id":"rs_1","summary":[]},{"type":"reasoning","id":"rs_2","summary":[],"encrypted_content":null}]"#;
    let whole = with_turns(r#"{"input":[]}"#, &[Turn { input: "[ ]", output }]).unwrap();
    assert_eq!(parsed(&whole), json!({"input": []}));
}

#[test]
fn a_text_as_input_is_a_message_of_the_user() {
    assert_eq!(input(r#"{"input":"a \"b\""}"#).unwrap(), r#"[{"role":"user","content":"a \"b\""}]"#);
    assert_eq!(input(r#"{"input": [1, 2]}"#).unwrap(), "[1, 2]");
    assert_eq!((input(r#"{"input":7}"#), input(r#"{"model":"m"}"#), input("x")), (None, None, None));
}

#[test]
fn the_answer_is_in_the_last_event_and_in_no_other() {
    let response = r#"{"id":"resp_1","object":"response","output":[{"type":"message"}],"status":"completed"}"#;
    for kind in ["completed", "incomplete", "failed"] {
        let data = format!(r#"{{"sequence_number":9,"response":{response},"type":"response.{kind}"}}"#);
        let answer = answer_of_event(&data).unwrap();
        assert_eq!((answer.id, answer.output, answer.response), ("resp_1", r#"[{"type":"message"}]"#, response));
    }
    for kind in ["created", "in_progress", "output_text.delta"] {
        assert_eq!(answer_of_event(&format!(r#"{{"type":"response.{kind}","response":{response}}}"#)), None);
    }
    assert_eq!(answer(response).unwrap().id, "resp_1");
    for odd in [r#"{"id":"resp_1"}"#, r#"{"id":"../x","output":[]}"#, r#"{"id":7,"output":[]}"#, "[]", "data"] {
        assert_eq!(answer(odd), None, "{odd}");
    }
}

#[test]
fn the_items_of_an_input_are_listed_with_ids() {
    let input = r#"[{"role":"user","content":"one"},{"id":"msg_7","role":"user","content":"two"}]"#;
    let newest_first = parsed(&item_list(input, "resp_1", false));
    let (own, given) = ("item_resp_1_0", "msg_7");
    assert_eq!(
        newest_first,
        json!({
            "object": "list",
            "data": [{"id": given, "role": "user", "content": "two"}, {"id": own, "role": "user", "content": "one"}],
            "first_id": given,
            "last_id": own,
            "has_more": false,
        })
    );
    assert_eq!(parsed(&item_list(input, "resp_1", true))["first_id"], own);
    assert_eq!(parsed(&item_list("[]", "resp_1", true))["last_id"], Value::Null);
}

const KEPT: Turn<'_> = Turn {
    input: r#"[{"role":"user","content":"hi"},{"type":"message","id":"msg_u","role":"user","content":"again"}]"#,
    output: r#"[{"id":"rs_1","type":"reasoning","summary":[]},{"id":"msg_1","type":"message","role":"assistant","status":"completed","content":[{"type":"output_text","text":"yes","annotations":[]}]}]"#,
};

#[test]
fn an_item_is_found_in_the_answer_and_in_its_input_and_stands_as_a_request_has_it() {
    let answered = item("msg_1").unwrap();
    assert_eq!(
        parsed(answered.as_bytes()),
        json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "yes", "annotations": []}]})
    );
    assert_eq!(item("msg_u").unwrap(), r#"{"type":"message","id":"msg_u","role":"user","content":"again"}"#);
    assert_eq!(item("item_resp_1_0").unwrap(), r#"{"role":"user","content":"hi"}"#, "as its list of items names it");
    assert_eq!(item("rs_1").unwrap(), "", "reasoning that nobody can read again");
    assert_eq!((item("msg_2"), item("item_resp_1_1"), item("item_resp_2_0")), (None, None, None));
    assert_eq!((home("item_resp_1_0"), home("msg_1")), (Some("resp_1"), None));
    assert_eq!(ids(KEPT.output).collect::<Vec<_>>(), ["rs_1", "msg_1"]);
}

fn item(id: &str) -> Option<String> {
    let mut found = HashMap::new();
    find(KEPT, "resp_1", &HashSet::from([id]), &mut found);
    assert!(found.keys().all(|found| found == id));
    found.remove(id)
}

#[test]
fn what_is_found_stands_in_place_of_its_reference_and_what_is_not_stays() {
    let body = r#"{"model":"m","input":[{"type":"item_reference","id":"rs_1"},{"id":"msg_1","type":"item_reference"},{"type":"item_reference","id":"fc_9"},{"role":"user","content":"say \"item_reference\""},{"type":"item_reference","id":"msg_1"}],"store":true}"#;
    assert_eq!(references(body), ["rs_1", "msg_1", "fc_9"]);
    let mut found = HashMap::new();
    find(KEPT, "resp_1", &HashSet::from(["rs_1", "msg_1"]), &mut found);
    assert_eq!(with_items(body, &found, 100), None, "references must not make a request grow without end");
    let whole = with_items(body, &found, 10_000).unwrap();
    let said = json!({"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "yes", "annotations": []}]});
    let expected = json!({"model": "m", "store": true, "input": [said, {"type": "item_reference", "id": "fc_9"},
        {"role": "user", "content": "say \"item_reference\""}, said]});
    assert_eq!(parsed(&whole), expected);
    for none in [r#"{"input":"item_reference"}"#, r#"{"input":[{"type":"item_reference"}]}"#, "x"] {
        assert_eq!(references(none), Vec::<String>::new(), "{none}");
    }
}

#[test]
fn a_request_leans_on_what_the_provider_alone_has() {
    assert!(leans(r#"{"input":"a","conversation":"conv_1"}"#) && leans(r#"{"prompt":{"id":"pmpt_1"}}"#));
    assert!(!leans(r#"{"input":"conversation","prompt":null}"#));
}
