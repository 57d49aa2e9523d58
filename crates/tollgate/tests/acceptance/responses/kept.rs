//! Answers that a client refers to: `previous_response_id`, and `/v1/responses/{id}`.

use http::Method;
use serde_json::{Value, json};
use tollgate_sim::{Answer as Said, Provider, SimConfig, Step};

use super::{RESPONSES, ask, hello, schema, sim};
use crate::stage::{MASTER_KEY, Stage, config, has, merged};
use crate::support::http::{Answer, post, send};
use crate::support::{Gateway, isolated, responses_checker};

/// Both upstreams, by chat with translation and by Responses with the client's own bytes.
const UPSTREAMS: [(Provider, &str); 2] = [(Provider::Chat, "chat"), (Provider::Responses, "responses")];

async fn at(gateway: &Gateway, method: Method, path: &str, key: &str) -> Answer {
    send(method, &gateway.url(&format!("{RESPONSES}/{path}")), &[("x-api-key", key)], "").await
}

fn response_of(answer: &Answer, stream: bool) -> Value {
    assert_eq!(answer.status, 200, "{}", answer.text());
    if stream { responses_checker::passed_on(&answer.body).complete().response.clone() } else { answer.json() }
}

fn tool() -> Value {
    json!([{"type": "function", "name": "Read", "parameters": schema(), "strict": false}])
}

#[test]
fn a_conversation_goes_on_from_an_answer_with_any_upstream() {
    for (provider, mode) in UPSTREAMS {
        for stream in [true, false] {
            isolated(move || async move {
                let call = Said::thinking("Look first.").and_tool("call_1", "Read", &json!({"path": "a"}));
                let steps = [Step::answer(call), Step::text("Found."), Step::text("Bye.")];
                let params = json!({"api_mode": mode, "reasoning": "effort"});
                let stage = Stage::chat(sim(&[provider]).steps(steps), params).await;
                let body = |more: Value| hello(merged(json!({"stream": stream, "tools": tool()}), more));
                let first = response_of(&ask(&stage, &body(json!({"instructions": "Be brief."}))).await, stream);
                let result = json!([{"type": "function_call_output", "call_id": "call_1", "output": "text"}]);
                let more = json!({"previous_response_id": first["id"], "input": result});
                let second = response_of(&ask(&stage, &body(more)).await, stream);
                let more = json!({"previous_response_id": second["id"], "input": "thanks"});
                let third = response_of(&ask(&stage, &body(more)).await, stream);
                stage.nothing_was_refused();
                let last = stage.last();
                assert_eq!(last.get("previous_response_id"), None);
                assert!(!last.to_string().contains("Be brief."), "instructions are those of their own request");
                let turns = if mode == "chat" { &last["messages"] } else { &last["input"] };
                let text = turns.to_string();
                let order = ["hello", "call_1", "text", "Found.", "thanks"];
                let places: Vec<usize> = order.iter().map(|part| text.find(part).unwrap_or(usize::MAX)).collect();
                assert!(places.is_sorted() && places[4] != usize::MAX, "{places:?} {text}");
                has(&third.to_string(), "Bye.");
            });
        }
    }
}

#[test]
fn an_answer_can_be_read_again_after_a_restart_and_is_gone_when_it_is_deleted() {
    isolated(|| async {
        let mut stage = Stage::chat(sim(&[Provider::Chat]).step(Step::text("kept words").always()), json!({})).await;
        let first = ask(&stage, &hello(json!({}))).await.json();
        let id = first["id"].as_str().expect("an id").to_string();
        assert_eq!(at(&stage.gateway, Method::GET, &id, MASTER_KEY).await.json(), first);
        let items = at(&stage.gateway, Method::GET, &format!("{id}/input_items"), MASTER_KEY).await.json();
        assert_eq!(items["data"][0]["content"], "hello");
        let cancelled = at(&stage.gateway, Method::POST, &format!("{id}/cancel"), MASTER_KEY).await;
        assert_eq!(cancelled.status, 400, "{}", cancelled.text());
        stage.gateway.restart().await;
        assert_eq!(at(&stage.gateway, Method::GET, &id, MASTER_KEY).await.json(), first);
        let gone = at(&stage.gateway, Method::DELETE, &id, MASTER_KEY).await.json();
        assert_eq!(gone, json!({"id": id, "object": "response", "deleted": true}));
        for method in [Method::GET, Method::DELETE] {
            let answer = at(&stage.gateway, method, &id, MASTER_KEY).await;
            assert_eq!(answer.status, 404, "{}", answer.text());
            has(answer.json()["error"]["message"].as_str().unwrap(), &format!("Response with id '{id}' not found"));
        }
    });
}

#[test]
fn what_must_not_be_stored_is_not_and_nobody_reads_anothers() {
    isolated(|| async {
        let stage = Stage::chat(sim(&[Provider::Chat]).step(Step::text("a canary").always()), json!({})).await;
        let keys = [(); 2].map(|()| json!({}));
        let mut made = Vec::new();
        for body in keys {
            let headers = [("x-api-key", MASTER_KEY)];
            let answer = post(&stage.gateway.url("/key/generate"), &headers, &body).await;
            made.push(answer.json()["key"].as_str().expect("a key").to_string());
        }
        let ask_as = |key: String, more: Value| {
            let url = stage.gateway.url(RESPONSES);
            async move { post(&url, &[("x-api-key", &key)], &hello(more)).await.json() }
        };
        let off = ask_as(made[0].clone(), json!({"store": false})).await;
        let off = off["id"].as_str().expect("an id");
        assert_eq!(at(&stage.gateway, Method::GET, off, &made[0]).await.status, 404);
        let own = ask_as(made[0].clone(), json!({})).await;
        let id = own["id"].as_str().expect("an id");
        assert_eq!(at(&stage.gateway, Method::GET, id, &made[0]).await.json(), own);
        assert_eq!(at(&stage.gateway, Method::GET, id, MASTER_KEY).await.status, 200);
        for method in [Method::GET, Method::DELETE] {
            assert_eq!(at(&stage.gateway, method, id, &made[1]).await.status, 404);
        }
        let stolen = ask_as(made[1].clone(), json!({"previous_response_id": id})).await;
        assert_eq!(stolen["error"]["param"], "previous_response_id", "{stolen}");
    });
}

#[test]
fn a_conversation_whose_beginning_is_gone_is_refused_by_the_name_of_the_setting() {
    isolated(|| async {
        let stage = Stage::chat(sim(&[Provider::Chat]).step(Step::text("yes").always()), json!({})).await;
        let first = ask(&stage, &hello(json!({}))).await.json();
        let more = json!({"previous_response_id": first["id"]});
        let second = ask(&stage, &hello(more)).await.json();
        at(&stage.gateway, Method::DELETE, first["id"].as_str().unwrap(), MASTER_KEY).await;
        let third = ask(&stage, &hello(json!({"previous_response_id": second["id"]}))).await;
        assert_eq!((third.status.as_u16(), &third.json()["error"]["param"]), (400, &json!("previous_response_id")));
        has(&third.text(), "tollgate_settings.responses");
    });
}

#[test]
fn nothing_is_kept_where_the_configuration_says_so() {
    isolated(|| async {
        let sim = tollgate_sim::Sim::start(SimConfig::default().key(crate::stage::PROVIDER_KEY)).await;
        let mut config = config(&[crate::stage::Upstream::Chat.entry(&sim, "m", json!({}))]);
        config["tollgate_settings"] = json!({"responses": {"keep_days": 0}});
        let gateway = Gateway::start(&config.to_string(), &[]).await;
        let answer = post(&gateway.url(RESPONSES), &[("x-api-key", MASTER_KEY)], &hello(json!({}))).await.json();
        assert_eq!(at(&gateway, Method::GET, answer["id"].as_str().unwrap(), MASTER_KEY).await.status, 404);
    });
}
