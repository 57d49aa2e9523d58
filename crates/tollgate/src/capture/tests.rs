use std::sync::mpsc::channel;

use tollgate_store::record::{Attempt, AttemptFailure};

use super::*;
use crate::app::App;

/// None of them looks like a key.
const SECRETS: [&str; 6] =
    ["master canary", "providercanary", "tenantcanary", "querycanary", "variablecanary", "callerscanary"];

const CONFIG: &str = "
model_list:
  - model_name: m
    litellm_params:
      model: openai/x
      api_base: http://127.0.0.1:9/v1?key=querycanary
      api_key: providercanary
      extra_headers: {x-tenant: tenantcanary}
environment_variables: {SOME_TOKEN: variablecanary, PLACE: production}
general_settings: {master_key: master canary}
tollgate_settings: {capture: true}
";

fn live() -> Arc<Live> {
    let (config, _) = crate::config::from_text("test.yaml", CONFIG, &|_| None).expect("a good configuration");
    App::new(config, None).expect("an app").live()
}

/// A request in which this text is everywhere.
fn taken(live: &Arc<Live>, text: &str, raw: Vec<u8>) -> Taken {
    let failure = AttemptFailure { words: text.to_string(), ..AttemptFailure::default() };
    let attempt = Attempt { url: text.to_string(), failure: Some(failure), ..Attempt::default() };
    let record = Record {
        id: "req_1".into(),
        client: text.to_string(),
        error: Some(text.to_string()),
        attempts: vec![attempt],
        ..Record::default()
    };
    let body = Bytes::from(serde_json::json!({"b": 1, "a": text, text: [text]}).to_string());
    let headers = vec![("user-agent".to_string(), text.to_string())];
    let answer = TakenAnswer { status: 200, headers: headers.clone(), raw, ..TakenAnswer::default() };
    let exchange = TakenExchange { dialect: Dialect::Chat, body: body.clone(), answer: Some(answer) };
    let live = live.clone();
    Taken { live, keys: vec![Secret::new("callerscanary")], headers, body, exchanges: vec![exchange], record }
}

#[test]
fn every_secret_of_the_configuration_goes_from_every_text() {
    let text = SECRETS.join(", ") + " in \"production\"";
    let json = serde_json::json!({"error": {"message": text}}).to_string();
    let (first, second) = text.split_at(20);
    let stream = [first, second].map(|part| format!("data: {}\n\n", serde_json::json!({"text": part}))).concat();
    for raw in [json, stream, format!("<html>{text}</html>"), format!("{{\"cut\": \"{text}")] {
        let capture = without_secrets(taken(&live(), &text, raw.clone().into_bytes())).expect("a capture");
        let whole = serde_json::to_string(&capture).expect("JSON");
        for secret in SECRETS {
            assert!(!whole.contains(secret), "{secret} is in {whole}");
        }
        assert!(whole.matches("[redacted], [redacted]").count() > 9 && whole.contains("production"), "{whole}");
        assert_eq!(capture.notes, ["keys were replaced by [redacted]"]);
        assert_eq!(capture.exchanges[0].attempt.url, capture.record.client);
    }
}

#[test]
fn a_request_without_secrets_is_kept_byte_for_byte() {
    let raw = "data: {\"a\" : 1.50}\r\n\r\n: keep-alive\n\ndata: [DONE]\n\n";
    let taken = taken(&live(), "nothing", raw.into());
    let body = taken.body.clone();
    let capture = without_secrets(taken).expect("a capture");
    assert_eq!(capture.body.text().as_bytes(), body);
    assert_eq!(capture.exchanges[0].body.text().as_bytes(), body);
    let answer = capture.exchanges[0].answer.as_ref().expect("an answer");
    assert_eq!((answer.raw.as_str(), capture.notes.len()), (raw, 0));
}

#[test]
fn what_is_taken_is_handed_over_before_the_end() {
    let (sender, receiver) = channel();
    let captures = Captures::handed_to(sender);
    let live = live();
    for _ in 0..QUEUE {
        captures.take(taken(&live, "nothing", Vec::new()));
    }
    drop(captures);
    assert_eq!(receiver.iter().count(), QUEUE);
}

#[test]
fn too_many_bytes_are_not_taken_and_later_ones_are() {
    let (sender, receiver) = channel();
    let captures = Captures::handed_to(sender);
    let live = live();
    captures.take(taken(&live, "nothing", vec![b' '; QUEUE_BYTES]));
    captures.take(taken(&live, "something", Vec::new()));
    drop(captures);
    let taken: Vec<String> = receiver.iter().map(|capture| capture.record.client).collect();
    assert_eq!(taken, ["something"]);
}
