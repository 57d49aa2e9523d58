use serde_json::{Value, json};
use tollgate_dialect::event::ThinkingState;
use tollgate_dialect::sealed::is_ours;
use tollgate_dialect::{Dialect, decode_request};

use super::*;

const CALLER: Tenant = Tenant { id: 7 };

fn parties() -> Parties<'static> {
    Parties { caller: CALLER, end_user: None, route: "m", upstream_model: "x" }
}

fn signed(words: &str, signature: &str) -> answer::Thought {
    let state = Some(ThinkingState::Signature(Text::plain(signature)));
    answer::Thought::Told { text: Text::plain(words), state }
}

fn plain(words: &str) -> answer::Thought {
    answer::Thought::Told { text: Text::plain(words), state: None }
}

fn led(id: &str, thoughts: Vec<answer::Thought>, before_text: usize) -> LedCall {
    LedCall { id: id.to_string(), thoughts, before_text }
}

/// A chat client that asked, and sends back an answer with these calls, and the results.
fn chat(first: &str, content: Value, words: Option<&str>, calls: &[&str]) -> Value {
    let call = |id: &&str| json!({"id": id, "type": "function", "function": {"name": "f", "arguments": "{}"}});
    let mut message = json!({"role": "assistant", "content": content,
        "tool_calls": calls.iter().map(call).collect::<Vec<_>>()});
    if let Some(words) = words {
        message["reasoning_content"] = json!(words);
    }
    let mut messages = vec![json!({"role": "user", "content": first}), message];
    messages.extend(calls.iter().map(|id| json!({"role": "tool", "tool_call_id": id, "content": "ok"})));
    let tool = json!({"type": "function", "function": {"name": "f", "parameters": {"type": "object"}}});
    json!({"model": "m", "tools": [tool], "messages": messages})
}

fn shown(part: &Part<'_>) -> String {
    match part {
        Part::Thinking(t) => {
            let signature = match &t.signature {
                None => "-".into(),
                Some(signature) if is_ours(signature) => "envelope".into(),
                Some(signature) => signature.decode(),
            };
            format!("{} {} {signature}", if t.redacted { "redacted" } else { "thinking" }, t.text.decode())
        }
        Part::ToolCall(call) => call.id.decode().into_owned(),
        _ => "text".to_string(),
    }
}

/// The parts of every assistant message after restoring, and whether the client is told.
fn restored(body: &Value, parties: &Parties<'_>, recall: &Recall, takes: TakesBack) -> (Vec<Vec<String>>, bool) {
    let body = body.to_string();
    let mut request = decode_request(Dialect::Chat, body.as_bytes()).unwrap();
    let conversation = Conversation::of(&request, parties).expect("there are tools");
    let told = thoughts(&mut request, &conversation, recall, takes);
    let assistant = request.messages.iter().filter(|m| m.role == Role::Assistant);
    (assistant.map(|m| m.parts.iter().map(shown).collect()).collect(), told)
}

/// What a conversation that began with `body` remembers.
fn remembering(body: &Value, parties: &Parties<'_>, calls: &[LedCall]) -> Recall {
    let (recall, body) = (Recall::default(), body.to_string());
    let request = decode_request(Dialect::Chat, body.as_bytes()).unwrap();
    let conversation = Conversation::of(&request, parties).expect("there are tools");
    conversation.remember(&recall, calls, &Seal::new(b"s"), "anthropic");
    recall
}

/// One message, restored for a target that checks signatures.
fn one(body: &Value, calls: &[LedCall]) -> (Vec<String>, bool) {
    let recall = remembering(body, &parties(), calls);
    let (mut messages, told) = restored(body, &parties(), &recall, TakesBack::Signed);
    (messages.remove(0), told)
}

#[test]
fn one_block_before_two_calls_stands_before_both() {
    let body = chat("hi", Value::Null, None, &["a", "b"]);
    let (parts, told) = one(&body, &[led("a", vec![signed("hm", "S")], 1)]);
    assert_eq!(parts, ["thinking hm S", "a", "b"]);
    assert!(told);
}

#[test]
fn redacted_thoughts_and_those_without_words_come_back_in_their_order() {
    let body = chat("hi", Value::Null, None, &["a"]);
    let thoughts = vec![signed("", "S1"), answer::Thought::Redacted(Text::literal("R")), signed("so", "S2")];
    let (parts, _) = one(&body, &[led("a", thoughts, 3)]);
    assert_eq!(parts, ["thinking  S1", "redacted  R", "thinking so S2", "a"]);
}

#[test]
fn thoughts_stand_where_they_stood_around_text_and_calls() {
    let body = chat("hi", json!("I look."), None, &["a", "b"]);
    let calls = [led("a", vec![signed("one", "S1"), signed("two", "S2")], 1), led("b", vec![signed("three", "S3")], 0)];
    let (parts, _) = one(&body, &calls);
    assert_eq!(parts, ["thinking one S1", "text", "thinking two S2", "a", "thinking three S3", "b"]);
    // The client took the first call out: behind another one there is no place for what led to the text.
    let (parts, told) = one(&chat("hi", json!("I look."), None, &["x", "a"]), &calls);
    assert_eq!((parts, told), (vec!["text".to_string(), "x".into(), "a".into()], false));
}

#[test]
fn words_that_the_client_kept_get_their_signatures_back() {
    let body = chat("hi", Value::Null, Some("hm"), &["a"]);
    let (parts, told) = one(&body, &[led("a", vec![signed("hm", "S")], 1)]);
    assert_eq!((parts, told), (vec!["thinking hm S".to_string(), "a".into()], true));
    // Words are all there was: the client lost nothing.
    let recall = remembering(&body, &parties(), &[led("a", vec![plain("hm")], 1)]);
    let (parts, told) = restored(&body, &parties(), &recall, TakesBack::Words);
    assert_eq!((parts, told), (vec![vec!["thinking hm envelope".to_string(), "a".into()]], false));
}

#[test]
fn words_alone_go_only_where_words_are_wanted() {
    let body = chat("hi", Value::Null, None, &["a"]);
    let recall = remembering(&body, &parties(), &[led("a", vec![plain("hm")], 1)]);
    assert_eq!(restored(&body, &parties(), &recall, TakesBack::Signed), (vec![vec!["a".to_string()]], false));
    let words = vec![vec!["thinking hm envelope".to_string(), "a".into()]];
    assert_eq!(restored(&body, &parties(), &recall, TakesBack::Words), (words, true));
}

#[test]
fn what_the_client_kept_itself_is_left_alone() {
    let body = json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"},
        {"role": "assistant", "content": [{"type": "thinking", "thinking": "its own", "signature": "OWN"},
            {"type": "tool_use", "id": "a", "name": "f", "input": {}}]}]})
    .to_string();
    let mut request = decode_request(Dialect::Messages, body.as_bytes()).unwrap();
    let conversation = Conversation::of(&request, &parties()).expect("there is a call");
    let recall = Recall::default();
    conversation.remember(&recall, &[led("a", vec![signed("hm", "S")], 1)], &Seal::new(b"s"), "anthropic");
    assert!(!thoughts(&mut request, &conversation, &recall, TakesBack::Signed));
    assert_eq!(request.messages[1].parts.iter().map(shown).collect::<Vec<_>>(), ["thinking its own OWN", "a"]);
}

/// Call ids repeat: Kimi's begin with `functions.Bash:0` in every conversation.
#[test]
fn nobody_gets_the_thoughts_of_another_conversation_caller_customer_or_model() {
    let body = chat("hi", Value::Null, None, &["a"]);
    let here = Parties { end_user: Some("anna"), route: "vendor/*", ..parties() };
    let recall = remembering(&body, &here, &[led("a", vec![signed("hm", "S")], 1)]);
    let finds = |body: &Value, parties: &Parties<'_>| restored(body, parties, &recall, TakesBack::Signed).1;
    assert!(finds(&body, &here));
    assert!(!finds(&body, &Parties { caller: Tenant { id: 8 }, ..here }), "another caller");
    assert!(!finds(&body, &Parties { end_user: Some("bert"), ..here }), "another customer");
    assert!(!finds(&body, &Parties { end_user: None, ..here }), "nobody's customer");
    assert!(!finds(&body, &Parties { route: "other/*", ..here }), "another route");
    assert!(!finds(&body, &Parties { upstream_model: "y", ..here }), "another model of the route");
    assert!(!finds(&chat("ho", Value::Null, None, &["a"]), &here), "another conversation, or its beginning was edited");
    assert!(!finds(&chat("hi", Value::Null, None, &["b"]), &here), "another call");
}

#[test]
fn a_route_of_one_name_is_one_model_whatever_its_deployments_call_it() {
    let body = chat("hi", Value::Null, None, &["a"]);
    let recall = remembering(&body, &parties(), &[led("a", vec![signed("hm", "S")], 1)]);
    let elsewhere = Parties { upstream_model: "us.x", ..parties() };
    assert!(restored(&body, &elsewhere, &recall, TakesBack::Signed).1);
}

/// Invariant 7: what was restored once stays, and what is lost leaves the rest as it was.
#[test]
fn later_turns_repeat_what_earlier_ones_were_given() {
    let mut body = chat("hi", Value::Null, Some("hm"), &["a"]);
    let calls = [led("a", vec![signed("hm", "S1")], 1), led("b", vec![signed("so", "S2")], 1)];
    let recall = remembering(&body, &parties(), &calls);
    let (first, _) = restored(&body, &parties(), &recall, TakesBack::Signed);
    let more = chat("hi", Value::Null, None, &["b"])["messages"].as_array().unwrap()[1..].to_vec();
    body["messages"].as_array_mut().unwrap().extend(more);
    let (second, _) = restored(&body, &parties(), &recall, TakesBack::Signed);
    assert_eq!(second[..1], first);
    assert_eq!(second[1], ["thinking so S2", "b"]);
    let text = body.to_string();
    let request = decode_request(Dialect::Chat, text.as_bytes()).unwrap();
    Conversation::of(&request, &parties()).unwrap().forget(&recall, &request);
    let (third, told) = restored(&body, &parties(), &recall, TakesBack::Signed);
    assert_eq!((third, told), (vec![vec!["thinking hm -".to_string(), "a".into()], vec!["b".into()]], false));
}

#[test]
fn a_conversation_without_tools_is_none() {
    let body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]}).to_string();
    let request = decode_request(Dialect::Chat, body.as_bytes()).unwrap();
    assert!(Conversation::of(&request, &parties()).is_none());
}
