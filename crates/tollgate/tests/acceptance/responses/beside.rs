//! What stands beside `POST /v1/responses`: the count of a request's tokens, and the compaction of a conversation. Forms: OpenAI's API reference
//! and SDK 3.52.0 (`input_token_count_response.py`, `compacted_response.py`), its guide on compaction (2026-11).

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tollgate_sim::{Answer as Said, Match, Part, Provider, Step, Usage};
use tollgate_store::database::Database;
use tollgate_store::usage;

use super::{ask, hello, sim};
use crate::stage::{Client, MASTER_KEY, Stage, Upstream, changes, has, has_change};
use crate::support::http::{Answer, post, send};
use crate::support::isolated;

const COUNT: &str = "/v1/responses/input_tokens";
const COMPACT: &str = "/v1/responses/compact";

async fn at(stage: &Stage, path: &str, body: &Value) -> Answer {
    post(&stage.gateway.url(path), &[("x-api-key", MASTER_KEY)], body).await
}

async fn by_responses(steps: impl IntoIterator<Item = Step>) -> Stage {
    let prices =
        json!({"api_mode": "responses", "num_retries": 0, "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6});
    Stage::chat(sim(&[Provider::Responses]).steps(steps), prices).await
}

fn count_of(answer: &Answer) -> u64 {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let body = answer.json();
    assert_eq!((&body["object"], body.as_object().unwrap().len()), (&json!("response.input_tokens"), 2), "{body}");
    body["input_tokens"].as_u64().expect("a whole number")
}

fn missing(path: &str) -> Step {
    let words = json!({"error": {"message": format!("Invalid URL (POST {path})"), "type": "invalid_request_error"}});
    Step::json(404, &words).when(Match { path: Some(path.to_owned()), ..Match::default() }).always()
}

#[test]
fn an_upstream_that_counts_is_asked_and_its_count_is_told() {
    isolated(|| async {
        let stage = by_responses([]).await;
        let body = json!({"model": "m", "input": "hello", "instructions": "Be brief."});
        let answer = at(&stage, COUNT, &body).await;
        // The simulated provider has a token for four bytes of `null"Be brief.""hello"`: 4 + 11 + 7.
        assert_eq!(count_of(&answer), 5);
        assert_eq!(changes(&answer), Vec::<String>::new());
        let sent = stage.sent();
        assert_eq!((sent.len(), sent[0].path.as_str()), (1, COUNT));
        assert_eq!(stage.last(), json!({"model": "x", "input": "hello", "instructions": "Be brief."}));
        let id = answer.header("request-id").expect("an id");
        let url = stage.gateway.url(&format!("/tollgate/requests/{id}"));
        let record = send(Method::GET, &url, &[("x-api-key", MASTER_KEY)], "").await.json();
        assert_eq!((&record["outcome"], &record["path"]), (&json!("answered"), &json!(COUNT)), "{record}");
        assert_eq!(record["attempts"].as_array().map(Vec::len), Some(1), "{record}");
        stage.nothing_was_refused();
    });
}

#[test]
fn other_upstreams_are_counted_for_by_the_gateway_and_not_asked() {
    isolated(|| async {
        for (provider, upstream) in [(Provider::Chat, Upstream::Chat), (Provider::Messages, Upstream::Messages)] {
            let stage = Stage::start(sim(&[provider]), upstream, json!({}), json!({})).await;
            for path in [COUNT, "/responses/input_tokens", "/openai/v1/responses/input_tokens"] {
                let answer = at(&stage, path, &json!({"model": "m", "input": "hello world"})).await;
                // Two tokens of text (tiktoken's README), three around the message and three for the beginning of the answer.
                assert_eq!(count_of(&answer), 8);
                has_change(&answer, "estimated:input_tokens");
            }
            assert_eq!(stage.sent().len(), 0);
        }
    });
}

#[test]
fn the_turns_that_a_request_goes_on_from_are_counted_with_it() {
    isolated(|| async {
        for (provider, mode) in [(Provider::Chat, "chat"), (Provider::Responses, "responses")] {
            let stage = Stage::chat(sim(&[provider]), json!({"api_mode": mode})).await;
            let first = ask(&stage, &hello(json!({"input": "a long question ".repeat(100)}))).await.json();
            let alone = count_of(&at(&stage, COUNT, &json!({"model": "m", "input": "and now?"})).await);
            let more = json!({"model": "m", "previous_response_id": first["id"]});
            let before = count_of(&at(&stage, COUNT, &more).await);
            let with = json!({"model": "m", "previous_response_id": first["id"], "input": "and now?"});
            let whole = count_of(&at(&stage, COUNT, &with).await);
            assert!(before > 250 && whole > before && alone < 30, "{mode}: {alone} {before} {whole}");
            stage.nothing_was_refused();
        }
    });
}

#[test]
fn an_upstream_without_a_counter_is_asked_once_and_stays_in_use() {
    isolated(|| async {
        let stage = by_responses([missing(COUNT)]).await;
        for asked in [1, 1] {
            let answer = at(&stage, COUNT, &json!({"model": "m", "input": "hello world"})).await;
            assert_eq!(count_of(&answer), 8);
            has_change(&answer, "estimated:input_tokens");
            assert_eq!(stage.sent().len(), asked);
        }
        assert_eq!(ask(&stage, &hello(json!({}))).await.status, 200, "it does not rest");
    });
}

#[test]
fn counting_and_compacting_need_a_key_that_may_call_the_model() {
    isolated(|| async {
        let stage = by_responses([]).await;
        let headers = [("x-api-key", MASTER_KEY)];
        let made = post(&stage.gateway.url("/key/generate"), &headers, &json!({"models": ["other"]})).await.json();
        let may = post(&stage.gateway.url("/key/generate"), &headers, &json!({"models": ["m"]})).await.json();
        let not_there =
            post(&stage.gateway.url("/key/generate"), &headers, &json!({"allowed_routes": ["/chat/completions"]}))
                .await
                .json();
        for path in [COUNT, COMPACT] {
            for (key, status) in [
                ("sk-wrong", 401),
                (made["key"].as_str().unwrap(), 403),
                (not_there["key"].as_str().unwrap(), 403),
                (may["key"].as_str().unwrap(), 200),
            ] {
                let answer =
                    post(&stage.gateway.url(path), &[("x-api-key", key)], &json!({"model": "m", "input": "hi"})).await;
                assert_eq!(answer.status, status, "{path}: {}", answer.text());
            }
        }
        assert_eq!(stage.sent().len(), 2);
    });
}

fn conversation() -> Value {
    json!([{"role": "user", "content": "go"},
        {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "I went.", "annotations": []}]}])
}

#[test]
fn a_compaction_passes_as_it_is_and_is_paid_for() {
    isolated(|| async {
        let usage = json!({"input_tokens": 100, "output_tokens": 7, "total_tokens": 107,
            "input_tokens_details": {"cached_tokens": 0}, "output_tokens_details": {"reasoning_tokens": 0}});
        let compacts = Match { path: Some(COMPACT.to_owned()), ..Match::default() };
        let step = Step::answer(Said::text("").usage(Usage::Exact(usage.clone()))).when(compacts);
        let stage = by_responses([step]).await;
        let body = json!({"model": "m", "instructions": "Be brief.", "input": conversation()});
        let answer = at(&stage, COMPACT, &body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let compacted = answer.json();
        assert_eq!((&compacted["object"], &compacted["usage"]), (&json!("response.compaction"), &usage));
        let (user, rest) = (&compacted["output"][0], &compacted["output"][1]);
        assert_eq!((&user["content"][0]["text"], &rest["type"]), (&json!("go"), &json!("compaction")));
        assert_eq!(stage.sent()[0].path, COMPACT);
        assert_eq!(stage.last(), json!({"model": "x", "instructions": "Be brief.", "input": conversation()}));
        // 100 × $1/M + 7 × $2/M
        assert_eq!(answer.header("x-litellm-response-cost"), Some("0.000114"));
        let database = Database::sqlite(&stage.gateway.data_dir().join("tollgate.db")).await.expect("its tables");
        let mut rows = Vec::new();
        for _ in 0..500 {
            rows = usage::row(&database, answer.header("request-id").unwrap()).await.unwrap();
            if !rows.is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        let row = serde_json::to_value(&rows[0]).unwrap();
        assert_eq!((&row["model"], &row["cost_nanos"]), (&json!("m"), &json!(114_000)));

        let mut items = compacted["output"].as_array().expect("items").clone();
        items.push(json!({"role": "user", "content": "and now?"}));
        assert_eq!(ask(&stage, &hello(json!({"input": items}))).await.status, 200);
        assert_eq!(stage.last()["input"], json!(items), "its maker gets it back");
        stage.nothing_was_refused();
    });
}

#[test]
fn a_compaction_of_what_is_kept_has_the_turns_before_it() {
    isolated(|| async {
        let stage = by_responses([]).await;
        let first = ask(&stage, &hello(json!({}))).await.json();
        let answer = at(&stage, COMPACT, &json!({"model": "m", "previous_response_id": first["id"]})).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let sent = stage.last();
        assert_eq!(sent.get("previous_response_id"), None);
        assert_eq!((&sent["input"][0]["content"], &sent["input"][1]["role"]), (&json!("hello"), &json!("assistant")));
    });
}

#[test]
fn where_no_provider_compacts_the_client_is_told_what_to_do() {
    isolated(|| async {
        let stage = Stage::chat(sim(&[Provider::Chat]), json!({})).await;
        let answer = at(&stage, COMPACT, &json!({"model": "m", "input": conversation()})).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]["param"]), (400, &json!("model")));
        for part in ["/v1/responses/compact", "litellm_params.api_mode", "Codex"] {
            has(&Client::Chat.error(&answer).1, part);
        }
        let trigger = json!([{"role": "user", "content": "go"}, {"type": "compaction_trigger"}]);
        let answer = ask(&stage, &hello(json!({"input": trigger}))).await;
        assert_eq!((answer.status.as_u16(), &answer.json()["error"]["param"]), (400, &json!("input[1].type")));
        assert_eq!(stage.sent().len(), 0);
    });
}

#[test]
fn a_server_without_compaction_stays_in_use() {
    isolated(|| async {
        let stage = by_responses([missing(COMPACT)]).await;
        let answer = at(&stage, COMPACT, &json!({"model": "m", "input": conversation()})).await;
        assert_eq!(answer.status, 404, "{}", answer.text());
        has(&Client::Chat.error(&answer).1, "Invalid URL (POST /v1/responses/compact)");
        assert_eq!(ask(&stage, &hello(json!({}))).await.status, 200, "it does not rest");
    });
}

#[test]
fn a_session_that_openai_compacted_goes_on_with_another_provider() {
    isolated(|| async {
        for stream in [true, false] {
            let stage = Stage::chat(sim(&[Provider::Chat]), json!({})).await;
            let items = json!([{"role": "user", "content": "go"},
                {"type": "compaction", "id": "cmp_1", "encrypted_content": "gAAA"}, {"role": "user", "content": "and now?"}]);
            let answer = ask(&stage, &hello(json!({"input": items, "stream": stream}))).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            has_change(&answer, "dropped:compaction");
            let sent = stage.last()["messages"].to_string();
            has(&sent, "was compacted by another provider");
            assert!(!sent.contains("gAAA"), "{sent}");
        }
    });
}

#[test]
fn a_trigger_of_codex_and_its_answer_pass_to_and_from_openai() {
    isolated(|| async {
        let compaction = json!({"id": "cmp_9", "type": "compaction", "encrypted_content": "gAAA"});
        for stream in [true, false] {
            let stage =
                by_responses([Step::answer(Said { parts: vec![Part::Block(compaction.clone())], ..Said::default() })])
                    .await;
            let items = json!([{"role": "user", "content": "go"}, {"type": "compaction_trigger"}]);
            let answer = ask(&stage, &hello(json!({"input": items, "stream": stream, "store": false}))).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(stage.last()["input"], items);
            has(&answer.text(), r#""encrypted_content":"gAAA""#);
        }
    });
}
