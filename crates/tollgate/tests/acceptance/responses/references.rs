//! What a request refers to: items of earlier answers, and things that only a provider keeps. Words: OpenAI's API (2026-11).

use http::Method;
use serde_json::{Value, json};
use tollgate_sim::{Answer as Said, Match, Provider, Step};

use super::{RESPONSES, ask, hello, sim};
use crate::stage::{Client, MASTER_KEY, Stage, has};
use crate::support::http::{Answer, post, send};
use crate::support::isolated;

const UPSTREAMS: [(Provider, &str); 2] = [(Provider::Chat, "chat"), (Provider::Responses, "responses")];

async fn start(provider: Provider, mode: &str, steps: impl IntoIterator<Item = Step>) -> Stage {
    let params = json!({"api_mode": mode, "reasoning": "effort", "num_retries": 0});
    Stage::chat(sim(&[provider]).steps(steps), params).await
}

async fn get(stage: &Stage, path: &str) -> Answer {
    send(Method::GET, &stage.gateway.url(&format!("{RESPONSES}/{path}")), &[("x-api-key", MASTER_KEY)], "").await
}

fn reference(item: &Value) -> Value {
    json!({"type": "item_reference", "id": item["id"]})
}

/// As Vercel's AI SDK goes on by default: every item of the answers before by its id.
fn goes_on(first: &Value) -> Value {
    let items = first["output"].as_array().expect("items").iter().map(reference);
    let result = json!({"type": "function_call_output", "call_id": "call_1", "output": "the-file"});
    json!([json!({"role": "user", "content": "go"})].into_iter().chain(items).chain([result]).collect::<Vec<_>>())
}

#[test]
fn items_of_an_answer_are_found_by_their_ids_with_any_upstream_also_after_a_restart() {
    for (provider, mode) in UPSTREAMS {
        isolated(move || async move {
            let call = Said::thinking("Look first.").and_tool("call_1", "Read", &json!({"path": "a"}));
            let called = Step::answer(call).when(Match { has_tool_result: Some(false), ..Match::default() });
            let mut stage = start(provider, mode, [called.always(), Step::text("Found.").always()]).await;
            let asked = hello(json!({"input": "go", "include": ["reasoning.encrypted_content"]}));
            let first = ask(&stage, &asked).await.json();
            let body = hello(json!({"input": goes_on(&first), "store": false}));
            for restarts in 0..2 {
                let answer = ask(&stage, &body).await;
                assert_eq!(answer.status, 200, "{mode} {restarts}: {}\n{}", answer.text(), stage.gateway.log());
                has(&answer.text(), "Found.");
                stage.nothing_was_refused();
                let sent = stage.last().to_string();
                assert!(!sent.contains("item_reference"), "{sent}");
                let places: Vec<usize> =
                    ["\"go\"", "call_1", "the-file"].iter().filter_map(|part| sent.find(part)).collect();
                assert!(places.len() == 3 && places.is_sorted(), "{sent}");
                stage.gateway.restart().await;
            }
        });
    }
}

#[test]
fn what_was_referred_to_is_a_part_of_the_turn_that_is_kept() {
    isolated(|| async {
        let stage =
            start(Provider::Chat, "chat", [Step::text("first words"), Step::text("second"), Step::text("third")]).await;
        let first = ask(&stage, &hello(json!({}))).await.json();
        let items = json!([reference(&first["output"][0]), {"role": "user", "content": "more"}]);
        let second = ask(&stage, &hello(json!({"input": items}))).await.json();
        let listed = get(&stage, &format!("{}/input_items?order=asc", second["id"].as_str().unwrap())).await.json();
        assert_eq!(listed["data"][0]["content"][0]["text"], "first words");
        let by_list =
            json!({"input": [reference(&listed["data"][1]), {"role": "user", "content": "again"}], "store": false});
        assert_eq!(ask(&stage, &hello(by_list)).await.status, 200);
        has(&stage.last().to_string(), "more");
    });
}

#[test]
fn an_item_that_is_not_there_or_is_anothers_is_named_as_openai_names_it() {
    isolated(|| async {
        let stage = start(Provider::Chat, "chat", [Step::text("a canary").always()]).await;
        let first = ask(&stage, &hello(json!({}))).await.json();
        let own = reference(&first["output"][0]);
        let headers = [("x-api-key", MASTER_KEY)];
        let other = post(&stage.gateway.url("/key/generate"), &headers, &json!({})).await.json();
        let other = other["key"].as_str().expect("a key");
        let asking = |item: &Value| hello(json!({"input": [item, {"role": "user", "content": "and?"}]}));
        let stolen = post(&stage.gateway.url(RESPONSES), &[("x-api-key", other)], &asking(&own)).await;
        let unknown = ask(&stage, &asking(&json!({"type": "item_reference", "id": "msg_none"}))).await;
        send(
            Method::DELETE,
            &stage.gateway.url(&format!("{RESPONSES}/{}", first["id"].as_str().unwrap())),
            &headers,
            "",
        )
        .await;
        let deleted = ask(&stage, &asking(&own)).await;
        for (answer, id) in
            [(stolen, own["id"].as_str().unwrap()), (unknown, "msg_none"), (deleted, own["id"].as_str().unwrap())]
        {
            assert_eq!((answer.status.as_u16(), &answer.json()["error"]["param"]), (404, &json!("input")));
            let (kind, message) = Client::Chat.error(&answer);
            assert_eq!(kind, "invalid_request_error");
            has(&message, &format!("Item with id '{id}' not found."));
            assert!(!answer.text().contains("canary"));
        }
        assert_eq!(stage.sent().len(), 1);
    });
}

#[test]
fn an_item_that_only_the_provider_has_is_asked_of_it_and_its_no_rests_nobody() {
    isolated(|| async {
        let stage = start(Provider::Responses, "responses", []).await;
        let asking = |id: &str| {
            hello(json!({"input": [{"type": "item_reference", "id": id}, {"role": "user", "content": "and?"}]}))
        };
        for (id, status) in [("msg_none", 404), ("msg_there1", 200)] {
            let answer = ask(&stage, &asking(id)).await;
            assert_eq!(answer.status, status, "{}", answer.text());
            assert_eq!(stage.last()["input"][0], json!({"type": "item_reference", "id": id}));
        }
    });
}

#[test]
fn references_do_not_make_a_request_larger_than_it_may_be() {
    isolated(|| async {
        let more = json!({"general_settings": {"master_key": MASTER_KEY, "max_request_size_mb": 1}});
        let long = "x".repeat(400_000);
        let sim = sim(&[Provider::Chat]).step(Step::text(&long).always());
        let stage = Stage::start(sim, crate::stage::Upstream::Chat, json!({}), more).await;
        let first = ask(&stage, &hello(json!({}))).await.json();
        let item = reference(&first["output"][0]);
        let twice =
            ask(&stage, &hello(json!({"input": [item, item, {"role": "user", "content": "and?"}], "store": false})))
                .await;
        assert_eq!(twice.status, 200, "{}", twice.text());
        let often = ask(&stage, &hello(json!({"input": vec![item; 3], "store": false}))).await;
        assert_eq!(often.status, 413, "{}", often.text());
    });
}

#[test]
fn what_only_a_provider_keeps_passes_to_one_that_speaks_responses_and_is_named_elsewhere() {
    isolated(|| async {
        let fields =
            [("conversation", json!("conv_1")), ("prompt", json!({"id": "pmpt_1", "variables": {"city": "Oslo"}}))];
        let there = start(Provider::Responses, "responses", []).await;
        let elsewhere = start(Provider::Chat, "chat", []).await;
        for (field, value) in fields {
            let body = hello(json!({field: value}));
            let answer = ask(&there, &body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(there.last()[field], value);
            // What it is a part of only the provider knows, so that it is asked to go on.
            let next = ask(&there, &hello(json!({"previous_response_id": answer.json()["id"]}))).await;
            assert_eq!(there.last()["previous_response_id"], answer.json()["id"], "{}", next.text());
            assert_eq!(get(&there, answer.json()["id"].as_str().unwrap()).await.json(), answer.json());
            let refused = ask(&elsewhere, &body).await;
            assert_eq!((refused.status.as_u16(), &refused.json()["error"]["param"]), (400, &json!(field)));
            has(&Client::Chat.error(&refused).1, "`input`");
        }
        let first = ask(&elsewhere, &hello(json!({}))).await.json();
        let both = hello(json!({"previous_response_id": first["id"], "conversation": "conv_1"}));
        let refused = ask(&elsewhere, &both).await;
        assert_eq!((refused.status.as_u16(), &refused.json()["error"]["param"]), (400, &json!("previous_response_id")));
    });
}

#[test]
fn what_cannot_be_metered_or_streamed_again_is_refused_by_its_name() {
    isolated(|| async {
        for (provider, mode) in UPSTREAMS {
            let stage = start(provider, mode, []).await;
            for stream in [true, false] {
                let answer = ask(&stage, &hello(json!({"background": true, "stream": stream}))).await;
                assert_eq!((answer.status.as_u16(), &answer.json()["error"]["param"]), (400, &json!("background")));
                has(&Client::Chat.error(&answer).1, "`stream: true`");
            }
            assert_eq!(stage.sent().len(), 0);
            let kept = ask(&stage, &hello(json!({"background": false}))).await.json();
            let id = kept["id"].as_str().expect("an id");
            for query in ["stream=true", "stream=true&starting_after=3"] {
                let answer = get(&stage, &format!("{id}?{query}")).await;
                assert_eq!((answer.status.as_u16(), &answer.json()["error"]["param"]), (400, &json!("stream")));
            }
            assert_eq!(get(&stage, &format!("{id}?stream=false&include_obfuscation=true")).await.json(), kept);
        }
    });
}
