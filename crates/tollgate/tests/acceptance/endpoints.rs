//! The endpoints of OpenAI's API that are no conversation.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tollgate_policy::access::{Budget, Limits};
use tollgate_policy::window::Window;
use tollgate_sim::{Ending, Faults, Match, Piece, Reply, Step};
use tollgate_store::access::Author;
use tollgate_store::database::Database;
use tollgate_store::entity::VirtualKey;
use tollgate_store::usage;

use crate::fleet::{Fleet, ship};
use crate::stage::{Client, MASTER_KEY, Upstream, has, has_change, merged};
use crate::support::http::{Answer, send};
use crate::support::isolated;

const JSON: &str = "application/json";
const FORM: &str = "multipart/form-data; boundary=bOuNd";
const KEY: &str = "sk-virtual-canary-7711";

/// One endpoint, asked with the route `m`.
struct Call {
    path: &'static str,
    kind: &'static str,
    body: Vec<u8>,
}

fn of_json(path: &'static str, more: Value) -> Call {
    Call { path, kind: JSON, body: merged(json!({"model": "m"}), more).to_string().into() }
}

/// A file whose bytes are no text, and look like a field's.
fn of_form(path: &'static str, file: &str, more: &[(&str, &str)]) -> Call {
    let mut body = Vec::new();
    let mut part = |disposition: String, content: &[u8]| {
        body.extend(format!("--bOuNd\r\nContent-Disposition: form-data; {disposition}\r\n\r\n").as_bytes());
        body.extend([content, b"\r\n"].concat());
    };
    part(format!("name=\"{file}\"; filename=\"f.png\""), b"\x89PNG\r\n\xff\x00name=\"model\"\r\n");
    part("name=\"model\"".into(), b"m");
    for (name, value) in more {
        part(format!("name=\"{name}\""), value.as_bytes());
    }
    body.extend(b"--bOuNd--\r\n");
    Call { path, kind: FORM, body }
}

fn embeddings() -> Call {
    of_json("/v1/embeddings", json!({"input": "hello", "dimensions": 2}))
}

fn image() -> Call {
    of_json("/v1/images/generations", json!({"prompt": "a gate", "size": "1024x1024"}))
}

fn speech() -> Call {
    of_json("/v1/audio/speech", json!({"input": "hello", "voice": "alloy"}))
}

/// With what the simulated provider's answer costs at the prices below, in nano-dollars.
fn calls() -> Vec<(Call, u64)> {
    vec![
        // 4 × $1/M + 3 × $2/M
        (of_json("/v1/completions", json!({"prompt": "once", "max_tokens": 5})), 10_000),
        // 8 × $1/M
        (embeddings(), 8_000),
        // 10 × $1/M + 1056 × $2/M + $0.04
        (image(), 10_000 + 2_112_000 + 40_000_000),
        (of_form("/v1/images/edits", "image", &[("prompt", "größer")]), 10_000 + 2_112_000 + 40_000_000),
        (of_json("/v1/moderations", json!({"input": "hello"})), 0),
        // 15 × $1/M + $0.002
        (of_json("/v1/rerank", json!({"query": "q", "documents": ["a", "b"]})), 15_000 + 2_000_000),
        // 3 s × $0.0001
        (of_form("/v1/audio/transcriptions", "file", &[("language", "de")]), 300_000),
        // 5 × $0.000015
        (speech(), 75_000),
    ]
}

fn prices() -> Value {
    json!({
        "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6, "output_cost_per_image": 0.04, "input_cost_per_query": 0.002,
        "input_cost_per_second": 0.0001, "input_cost_per_character": 0.000_015,
    })
}

fn broken() -> Step {
    Step::json(500, &json!({"error": {"message": "no luck", "type": "server_error"}}))
}

async fn fleet(steps: Vec<Step>) -> Fleet {
    let ships = steps.into_iter().map(|step| ship("m", step).with(prices())).collect();
    Fleet::start(ships, json!({"general_settings": {"master_key": MASTER_KEY}})).await
}

async fn ask_as(fleet: &Fleet, key: &str, call: &Call) -> Answer {
    let headers = [("authorization", &*format!("Bearer {key}")), ("content-type", call.kind)];
    send(Method::POST, &fleet.gateway.url(call.path), &headers, call.body.clone()).await
}

async fn ask(fleet: &Fleet, call: &Call) -> Answer {
    ask_as(fleet, MASTER_KEY, call).await
}

async fn database(fleet: &Fleet) -> Database {
    Database::sqlite(&fleet.gateway.data_dir().join("tollgate.db")).await.expect("the gateway has made its tables")
}

fn replaced(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let at = bytes.windows(from.len()).position(|window| window == from).expect("it is there");
    [&bytes[..at], to, &bytes[at + from.len()..]].concat()
}

#[test]
fn each_endpoint_goes_to_the_next_deployment_with_the_models_name_alone_changed_and_is_in_the_ledger() {
    isolated(|| async {
        let fleet = fleet(vec![broken(), Step::text("")]).await;
        let database = database(&fleet).await;
        for (nth, (call, cost)) in calls().into_iter().enumerate() {
            let unversioned = Call { path: call.path.strip_prefix("/v1").unwrap(), ..call };
            let answer = ask(&fleet, &unversioned).await;
            assert_eq!(answer.status, 200, "{}: {}", unversioned.path, answer.text());
            assert_eq!(answer.header("x-tollgate-deployment"), Some("d1"), "{}", unversioned.path);
            let sent = fleet.sent(1).into_iter().nth(nth).unwrap();
            assert_eq!((sent.path.as_str(), sent.refused), (&*format!("/v1{}", unversioned.path), None));
            let expected = match unversioned.kind {
                JSON => replaced(&unversioned.body, b"\"model\":\"m\"", b"\"model\":\"x\""),
                _ => replaced(&unversioned.body, b"\"model\"\r\n\r\nm\r\n", b"\"model\"\r\n\r\nx\r\n"),
            };
            assert_eq!(sent.body, expected, "{}", unversioned.path);
            let id = answer.header("request-id").unwrap().to_owned();
            let mut rows = Vec::new();
            for _ in 0..500 {
                rows = usage::row(&database, &id).await.unwrap();
                if !rows.is_empty() {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
            let row = serde_json::to_value(&rows[0]).unwrap();
            assert_eq!((&row["model"], &row["cost_nanos"]), (&json!("m"), &json!(cost)), "{}", unversioned.path);
        }
    });
}

#[test]
fn sound_comes_back_byte_for_byte_with_its_type_and_length() {
    isolated(|| async {
        let fleet = fleet(vec![Step::text("")]).await;
        let answer = ask(&fleet, &speech()).await;
        assert_eq!(&answer.body[..], b"ID3\x04\xff\xfb{sound}\x00");
        assert_eq!((answer.header("content-type"), answer.header("content-length")), (Some("audio/mpeg"), Some("14")));
        assert_eq!(answer.header("x-litellm-response-cost"), Some("0.000075"));
    });
}

#[test]
fn sound_that_breaks_off_never_looks_complete_whether_or_not_its_length_was_told() {
    isolated(|| async {
        let pieces = || vec![Piece::text("ID3 sound"), Piece::text(" and more")];
        let untold = Step::new(Reply::Raw { content_type: "audio/mpeg".into(), pieces: pieces() });
        for (step, whole) in [(Step::text(""), 14), (untold, 18)] {
            let fleet = fleet(vec![step.clone()]).await;
            assert_eq!(ask(&fleet, &speech()).await.body.len(), whole);
            let cut = Faults { cut_after: Some((1, Ending::Close)), ..Faults::default() };
            fleet.sims[0].replace_script([step.faults(cut)]);
            let call = speech();
            let headers = [("x-api-key", MASTER_KEY), ("content-type", JSON)];
            let url = fleet.gateway.url(call.path);
            let answer = crate::support::http::try_send(Method::POST, &url, &headers, call.body).await;
            assert!(answer.is_err(), "{answer:?}");
        }
    });
}

#[test]
fn every_endpoint_needs_a_key_and_tells_errors_as_openai_does() {
    isolated(|| async {
        let fleet = fleet(vec![broken()]).await;
        for (call, _) in calls() {
            let answer = ask_as(&fleet, "sk-wrong", &call).await;
            assert_eq!(answer.status, 401, "{}", call.path);
            Client::Chat.error(&answer);
        }
        assert_eq!(fleet.counts(), [0]);
        let failed = ask(&fleet, &embeddings()).await;
        assert_eq!((failed.status.as_u16(), failed.header("x-tollgate-upstream-status")), (500, Some("500")));
        has(&Client::Chat.error(&failed).1, "no luck");
        let unknown = ask(&fleet, &of_json("/v1/embeddings", json!({"model": "other", "input": "a"}))).await;
        assert_eq!(unknown.status, 404, "{}", unknown.text());
    });
}

#[test]
fn a_budget_that_cannot_pay_for_it_refuses_it() {
    isolated(|| async {
        let fleet = fleet(vec![Step::text("")]).await;
        let limits =
            Limits { budget: Some(Budget { max_nanos: 30_000_000, window: Window::Total }), ..Limits::default() };
        let key = VirtualKey { hash: VirtualKey::hash_of(KEY), limits, ..VirtualKey::default() };
        database(&fleet).await.create(key, &Author::default(), 1).await.unwrap();
        let image = ask_as(&fleet, KEY, &image()).await;
        assert_eq!(image.status, 402, "{}", image.text());
        assert_eq!(ask_as(&fleet, KEY, &embeddings()).await.status, 200);
        assert_eq!(fleet.counts(), [1]);
    });
}

fn of_image(usage: Value) -> Step {
    Step::json(200, &json!({"created": 1, "data": [{"b64_json": "aGk="}], "usage": usage}))
}

#[test]
fn s33_an_image_with_fractional_counts_is_returned_with_whole_ones_and_paid_for_exactly() {
    isolated(|| async {
        let usage = json!({"input_tokens": 12.5, "output_tokens": 1056.25, "total_tokens": 1068.75,
                           "input_tokens_details": {"text_tokens": 12.5, "image_tokens": 0}});
        let fleet = fleet(vec![of_image(usage)]).await;
        let answer = ask(&fleet, &image()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body = answer.json();
        assert_eq!(body["data"][0]["b64_json"], "aGk=");
        let expected = json!({"input_tokens": 13, "output_tokens": 1056, "total_tokens": 1069,
                              "input_tokens_details": {"text_tokens": 13, "image_tokens": 0}});
        assert_eq!(body["usage"], expected);
        // 12.5 × $1/M + 1056.25 × $2/M + $0.04 = $0.0000125 + $0.0021125 + $0.04
        assert_eq!(answer.header("x-litellm-response-cost"), Some("0.042125"));
    });
}

#[test]
fn s33_a_usage_that_cannot_be_read_never_fails_a_finished_answer() {
    isolated(|| async {
        for usage in
            [json!(null), json!("none"), json!([1.5]), json!({"input_tokens": {"a": []}, "output_tokens": "?"})]
        {
            let fleet = fleet(vec![of_image(usage.clone())]).await;
            let answer = ask(&fleet, &image()).await;
            assert_eq!(answer.status, 200, "{usage}: {}", answer.text());
            assert_eq!(answer.json()["usage"], usage);
            assert_eq!(answer.header("x-litellm-response-cost"), Some("0.04"), "the image itself");
        }
    });
}

#[test]
fn an_embedding_without_a_usage_is_paid_for_by_our_own_count() {
    isolated(|| async {
        let silent = Step::json(200, &json!({"object": "list", "data": [], "model": "x"}));
        let fleet = fleet(vec![silent]).await;
        let answer = ask(&fleet, &embeddings()).await;
        has_change(&answer, "estimated:usage");
        assert_ne!(answer.header("x-litellm-response-cost"), Some("0"));
    });
}

#[test]
fn streams_pass_as_they_are_but_for_fractional_counts() {
    isolated(|| async {
        let fleet = fleet(vec![Step::text("")]).await;
        let asked = merged(json!({"prompt": "once"}), json!({"stream": true}));
        let text = ask(&fleet, &of_json("/v1/completions", asked.clone())).await.text();
        has(&text, r#""text":"and so""#);
        assert!(text.ends_with("data: [DONE]\n\n"), "{text}");
        let text = ask(&fleet, &of_json("/v1/images/generations", asked)).await.text();
        has(&text, "event: image_generation.completed\ndata: {");
        // 10.5 and 1066.5
        has(&text, r#""usage":{"input_tokens":11,"output_tokens":1056,"total_tokens":1067}"#);
        let heard = of_form("/v1/audio/transcriptions", "file", &[("stream", "true")]);
        has(&ask(&fleet, &heard).await.text(), "event: transcript.text.done");
        // Models that do not stream answer in one piece all the same.
        fleet.sims[0].replace_script([Step::http(200, "text/plain", "hello")]);
        let answer = ask(&fleet, &heard).await;
        assert_eq!((answer.text().as_str(), answer.header("content-type")), ("hello", Some("text/plain")));
    });
}

#[test]
fn a_stream_that_breaks_off_never_looks_complete_and_one_that_has_not_begun_fails_over() {
    isolated(|| async {
        let cut = |after| Faults { cut_after: Some((after, Ending::Clean)), ..Faults::default() };
        let asked = || of_json("/v1/completions", json!({"prompt": "once", "stream": true}));
        let broken_off = fleet(vec![Step::text("").faults(cut(1)), Step::text("")]).await;
        let text = ask(&broken_off, &asked()).await.text();
        has(&text, r#""error""#);
        assert!(!text.contains("[DONE]"), "{text}");
        let not_begun = fleet(vec![Step::text("").faults(cut(0)), Step::text("")]).await;
        let answer = ask(&not_begun, &asked()).await;
        assert_eq!(answer.header("x-tollgate-deployment"), Some("d1"));
        assert!(answer.text().ends_with("data: [DONE]\n\n"), "{}", answer.text());
    });
}

#[test]
fn a_deployment_without_such_an_endpoint_is_passed_over_and_a_route_of_them_says_why() {
    isolated(|| async {
        let ships = vec![
            ship("m", Step::text("")).speaks(Upstream::Messages),
            ship("m", Step::text("")),
            ship("claude", Step::text("")).speaks(Upstream::Messages),
        ];
        let fleet = Fleet::start(ships, json!({})).await;
        let answer = ask(&fleet, &embeddings()).await;
        assert_eq!(answer.header("x-tollgate-deployment"), Some("d1"), "{}", answer.text());
        let refused = ask(&fleet, &of_json("/v1/embeddings", json!({"model": "claude", "input": "a"}))).await;
        assert_eq!(refused.status, 400, "{}", refused.text());
        has(&Client::Chat.error(&refused).1, "/v1/embeddings needs an OpenAI-compatible provider");
        assert_eq!(fleet.counts(), [0, 1, 0]);
    });
}

#[test]
fn the_model_may_stand_in_the_path_and_moderations_have_one_of_their_own() {
    isolated(|| async {
        let ships = vec![ship("m", Step::text("")), ship("omni-moderation-latest", Step::text(""))];
        let fleet = Fleet::start(ships, json!({})).await;
        for path in ["/openai/deployments/m/embeddings", "/engines/m/embeddings"] {
            let call = Call { path, kind: JSON, body: json!({"input": "a"}).to_string().into() };
            let answer = ask(&fleet, &call).await;
            assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        }
        assert_eq!(fleet.sent(0)[0].json(), json!({"input": "a", "model": "x"}));
        let call = Call { path: "/v1/moderations", kind: JSON, body: json!({"input": "a"}).to_string().into() };
        assert_eq!(ask(&fleet, &call).await.header("x-tollgate-deployment"), Some("d1"));
    });
}

#[test]
fn the_configurations_rules_and_parameters_hold_for_json_bodies() {
    isolated(|| async {
        let params = json!({"extra_body": {"encoding_format": "float"}, "additional_drop_params": ["user"]});
        let rule = json!({"match": {"model": "m"}, "set": {"dimensions": 3}});
        let step = Step::text("").when(Match { model: Some("x".into()), ..Match::default() });
        let fleet =
            Fleet::start(vec![ship("m", step).with(params)], json!({"tollgate_settings": {"rewrite": [rule]}})).await;
        let answer = ask(&fleet, &of_json("/v1/embeddings", json!({"input": "a", "user": "u"}))).await;
        has_change(&answer, "dropped:user");
        let expected = json!({"encoding_format": "float", "model": "x", "input": "a", "dimensions": 3});
        assert_eq!(fleet.sent(0)[0].json(), expected);
    });
}
