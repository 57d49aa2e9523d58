//! S02, S03, S04: which URL is called, how often, and that nothing but the body decides.

use serde_json::{Value, json};
use tollgate_sim::{Answer, Sim, SimConfig, Step};

use crate::stage::{BOTH, Client, MASTER_KEY, PROVIDER_KEY, Stage, Upstream, config, has};
use crate::support::http::post;
use crate::support::{Gateway, isolated};

fn read_tool() -> Value {
    json!([{"name": "Read", "description": "Reads", "input_schema":
        {"type": "object", "properties": {"path": {"type": "string"}}}}])
}

#[test]
fn s02_a_tool_call_and_its_result_go_to_chat_completions_only() {
    isolated(|| async {
        for stream in [false, true] {
            let steps = [
                Step::answer(Answer::text("I read.").and_tool("call_1", "Read", &json!({"path": "a.txt"}))),
                Step::text("It says hi."),
            ];
            let stage = Stage::chat(SimConfig::default().steps(steps), json!({})).await;
            let first = Client::Messages.hello(json!({"tools": read_tool(), "stream": stream}));
            let one = stage.ask(Client::Messages, &first).await;
            assert_eq!(one.status, 200, "{}", one.text());
            has(&one.text(), "\"tool_use\"");
            has(&one.text(), "call_1");
            let second = Client::Messages.hello(json!({"tools": read_tool(), "stream": stream, "messages": [
                {"role": "user", "content": "hello"},
                {"role": "assistant", "content": [{"type": "text", "text": "I read."},
                    {"type": "tool_use", "id": "call_1", "name": "Read", "input": {"path": "a.txt"}}]},
                {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": "hi"}]}]}));
            let two = stage.ask(Client::Messages, &second).await;
            assert_eq!(two.status, 200, "{}", two.text());
            has(&two.text(), "end_turn");

            let paths: Vec<String> = stage.sent().into_iter().map(|request| request.path).collect();
            assert_eq!(paths, ["/v1/chat/completions"; 2]);
            stage.nothing_was_refused();
            let last = stage.last();
            assert_eq!(last["messages"][1]["tool_calls"][0]["function"]["arguments"], r#"{"path":"a.txt"}"#);
            assert_eq!(last["messages"][2], json!({"role": "tool", "tool_call_id": "call_1", "content": "hi"}));
        }
    });
}

#[test]
fn s02_a_400_of_the_upstream_reaches_the_client_with_its_words_after_one_request() {
    isolated(|| async {
        let words = "Die Anfrage passt mir nicht (code 77)";
        for client in BOTH {
            for stream in [false, true] {
                let refusal = json!({"error": {"message": words, "type": "invalid_request_error", "code": null}});
                let sim = SimConfig::default().step(Step::json(400, &refusal).always());
                let stage = Stage::chat(sim, json!({"num_retries": 3})).await;
                let answer = stage.ask(client, &client.hello(json!({"stream": stream}))).await;
                assert_eq!(answer.status, 400);
                let (kind, message) = client.error(&answer);
                assert_eq!(kind, "invalid_request_error");
                has(&message, words);
                assert_eq!(answer.header("x-tollgate-upstream-status"), Some("400"));
                assert_eq!(answer.header("x-should-retry"), Some("false"));
                assert_eq!(stage.sent().len(), 1, "{client:?} stream={stream}");
            }
        }
    });
}

#[test]
fn s02_a_request_at_fault_goes_to_one_deployment_and_a_failing_deployment_makes_way_for_the_next() {
    isolated(|| async {
        let rows =
            [(400, 400, 1), (413, 413, 1), (401, 200, 2), (404, 200, 2), (429, 200, 2), (500, 200, 2), (503, 200, 2)];
        for client in BOTH {
            for (refusal, status, requests) in rows {
                let body = json!({"error": {"message": "words", "type": "some_error"}});
                let sim = Sim::start(SimConfig::default().step(Step::json(refusal, &body))).await;
                let first = Upstream::Chat.entry(&sim, "m", json!({"order": 1}));
                let second = Upstream::Chat.entry(&sim, "m", json!({"order": 2, "model": "openai/spare"}));
                let gateway = Gateway::start(&config(&[second, first]).to_string(), &[]).await;
                let url = gateway.url(client.path());
                let answer = post(&url, &[("x-api-key", MASTER_KEY)], &client.hello(json!({}))).await;
                assert_eq!(answer.status, status, "{refusal}: {}", answer.text());
                let models: Vec<Value> = sim.requests().iter().map(|request| request.json()["model"].clone()).collect();
                assert_eq!(models, [json!("x"), json!("spare")][..requests], "{refusal}");
                assert_eq!(answer.header("x-tollgate-attempts"), Some(requests.to_string().as_str()));
            }
        }
    });
}

#[test]
fn s03_openai_deployments_are_never_sent_to_responses() {
    isolated(|| async {
        // What OpenAI's own newest models would want Responses for: tools, reasoning, a wished form of answer.
        let wishes = json!({"thinking": {"type": "adaptive"}, "tools": read_tool(),
            "output_config": {"effort": "high", "format": {"type": "json_schema", "schema": {"type": "object", "properties": {}}}}});
        for model in ["openai/x", "openai/gpt-5.6", "openai/gpt-6-sol", "openai/o3", "hosted_vllm/x"] {
            for mode in [json!({}), json!({"api_mode": "auto"}), json!({"api_mode": "chat"})] {
                let params = crate::stage::merged(json!({"model": model}), mode);
                let stage = Stage::chat(SimConfig::default(), params).await;
                let answer = stage.ask(Client::Messages, &Client::Messages.hello(wishes.clone())).await;
                assert_eq!(answer.status, 200, "{model}: {}", answer.text());
                let paths: Vec<String> = stage.sent().into_iter().map(|request| request.path).collect();
                assert_eq!(paths, ["/v1/chat/completions"], "{model}");
            }
        }
    });
}

#[test]
fn s03_a_missing_chat_endpoint_is_told_and_not_sought_elsewhere() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default().key(PROVIDER_KEY)).await;
        let entry = json!({"model_name": "m", "litellm_params":
            {"model": "openai/x", "api_base": sim.base_url(), "api_key": PROVIDER_KEY}});
        sim.replace_script([Step::http(404, "text/plain", "404 page not found").always()]);
        let gateway = Gateway::start(&config(&[entry]).to_string(), &[]).await;
        let url = gateway.url("/v1/messages");
        let answer = post(&url, &[("x-api-key", MASTER_KEY)], &Client::Messages.hello(json!({}))).await;
        assert_eq!(answer.status, 404);
        assert_eq!(Client::Messages.error(&answer).0, "not_found_error");
        has(&answer.text(), "404 page not found");
        let paths: Vec<String> = sim.requests().into_iter().map(|request| request.path).collect();
        assert_eq!(paths, ["/chat/completions"]);
    });
}

#[test]
fn s04_query_strings_change_nothing_upstream() {
    isolated(|| async {
        for upstream in [Upstream::Chat, Upstream::Messages] {
            let stage = Stage::start(SimConfig::default(), upstream, json!({}), json!({})).await;
            for client in BOTH {
                let body = client.hello(json!({"stream": true}));
                let from = stage.sent().len();
                for query in ["", "?beta=true", "?beta=false&x=1", "?api-version=2024-10-21", "/?beta=true"] {
                    let url = format!("{}{query}", stage.gateway.url(client.path()));
                    let answer = post(&url, &[("x-api-key", MASTER_KEY)], &body).await;
                    assert_eq!(answer.status, 200, "{query}: {}", answer.text());
                }
                let sent = stage.sent().split_off(from);
                assert_eq!(sent.len(), 5);
                for request in &sent {
                    assert_eq!(request.body, sent[0].body);
                    assert_eq!((&request.path, &request.query), (&sent[0].path, &None));
                }
            }
        }
    });
}
