//! S07: rewrite rules.

use serde_json::{Value, json};
use tollgate_sim::{Answer, ChatStrictness, SimConfig, Step};

use crate::stage::{BOTH, MASTER_KEY, Stage, Upstream, config, has, has_change, merged};
use crate::support::http::post;
use crate::support::{Gateway, isolated};

async fn stage(sim: SimConfig, rules: Value) -> Stage {
    let more = json!({"tollgate_settings": {"rewrite": rules}});
    Stage::start(sim, Upstream::Chat, json!({}), more).await
}

#[test]
fn s07_all_five_verbs_work_for_both_clients_before_translation() {
    isolated(|| async {
        let rules = json!([{
            "rename": {"max_output": "max_tokens"}, "drop": ["temperature", "metadata.user_id"],
            "set": {"top_p": 0.5}, "default": {"stop": ["END"], "stop_sequences": ["END"], "top_p": 0.1},
            "cap": {"max_tokens": 50},
        }]);
        let sim = SimConfig::default().chat(ChatStrictness::default().accepting(&["metadata", "stop_sequences"]));
        let stage = stage(sim, rules).await;
        for client in BOTH {
            let mut body = client.hello(json!({"max_output": 9000, "temperature": 0.9, "metadata": {"user_id": "u1"}}));
            body.as_object_mut().unwrap().remove("max_tokens");
            let answer = stage.ask(client, &body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let sent = stage.last();
            assert_eq!(sent["max_tokens"], 50);
            assert_eq!(sent["top_p"], 0.5);
            assert_eq!(sent["stop"], json!(["END"]));
            assert_eq!(sent.get("temperature"), None);
            assert_eq!(sent.get("user"), None, "the user id was dropped before it was translated");
            for change in ["renamed:max_output", "dropped:temperature", "clamped:max_tokens", "rewritten:top_p"] {
                has_change(&answer, change);
            }
        }
    });
}

#[test]
fn s07_a_rule_holds_for_the_models_and_clients_it_names() {
    isolated(|| async {
        let sim = tollgate_sim::Sim::start(SimConfig::default()).await;
        let models: Vec<Value> =
            ["glm-5", "glm-4.7", "kimi-k2.5"].map(|name| Upstream::Chat.entry(&sim, name, json!({}))).into();
        let rules = json!([
            {"match": {"model": "glm-*"}, "cap": {"max_tokens": 10}},
            {"match": {"client": "claude-cli/*"}, "set": {"temperature": 0.1}},
            {"match": {"model": "kimi-*", "client": "opencode/*"}, "set": {"top_p": 0.2}},
        ]);
        let config = merged(config(&models), json!({"tollgate_settings": {"rewrite": rules}}));
        let gateway = Gateway::start(&config.to_string(), &[]).await;
        for client in BOTH {
            let rows = [
                ("glm-5", "curl/8", 10, Value::Null, Value::Null),
                ("glm-4.7", "claude-cli/2.1.329 (external, cli)", 10, json!(0.1), Value::Null),
                ("kimi-k2.5", "claude-cli/2.1.329 (external, cli)", 100, json!(0.1), Value::Null),
                ("kimi-k2.5", "opencode/1.2", 100, Value::Null, json!(0.2)),
                ("glm-5", "opencode/1.2", 10, Value::Null, Value::Null),
            ];
            for (model, agent, max_tokens, temperature, top_p) in rows {
                let headers = [("authorization", format!("Bearer {MASTER_KEY}")), ("user-agent", agent.to_owned())];
                let headers: Vec<(&str, &str)> = headers.iter().map(|(n, v)| (*n, v.as_str())).collect();
                let answer = post(&gateway.url(client.path()), &headers, &client.hello(json!({"model": model}))).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                let sent = sim.requests().last().unwrap().json();
                let seen = (&sent["max_tokens"], &sent["temperature"], &sent["top_p"]);
                assert_eq!(seen, (&json!(max_tokens), &temperature, &top_p), "{model} {agent}");
            }
        }
    });
}

/// What the seed article's `pre_call_hook` did: cap the tokens, force the stream, drop a key.
#[test]
fn s07_a_rule_that_forces_the_stream_still_gives_one_json_to_who_asked_for_one() {
    isolated(|| async {
        let rules = json!([{"match": {"model": "m"}, "cap": {"max_tokens": 8192}, "set": {"stream": true}, "drop": ["thinking"]}]);
        for client in BOTH {
            let sim = SimConfig::default().step(Step::answer(Answer::text("whole")));
            let stage = stage(sim, rules.clone()).await;
            let answer = stage.ask(client, &client.hello(json!({"max_tokens": 64000}))).await;
            assert_eq!(client.text(&answer), "whole");
            assert_eq!(answer.header("content-type"), Some("application/json"));
            let sent = stage.last();
            assert_eq!((&sent["stream"], &sent["max_tokens"]), (&json!(true), &json!(8192)));
        }
    });
}

#[test]
fn s07_a_rule_may_send_a_request_to_another_route() {
    isolated(|| async {
        let sim = tollgate_sim::Sim::start(SimConfig::default()).await;
        let models = [
            Upstream::Chat.entry(&sim, "big", json!({"model": "openai/big-1"})),
            Upstream::Chat.entry(&sim, "small", json!({"model": "openai/small-1"})),
        ];
        let rules = json!([{"match": {"model": "big"}, "set": {"model": "small"}}]);
        let config = merged(config(&models), json!({"tollgate_settings": {"rewrite": rules}}));
        let gateway = Gateway::start(&config.to_string(), &[]).await;
        for client in BOTH {
            let url = gateway.url(client.path());
            let answer = post(&url, &[("api-key", MASTER_KEY)], &client.hello(json!({"model": "big"}))).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(sim.requests().last().unwrap().json()["model"], "small-1");
        }
    });
}

#[test]
fn s07_rules_are_checked_at_start() {
    isolated(|| async {
        let sim = tollgate_sim::Sim::start(SimConfig::default()).await;
        let rows = [
            (json!([{"match": {"model": "x"}}]), "does nothing"),
            (json!([{"match": {"modell": "x"}, "drop": ["a"]}]), "modell"),
            (json!([{"capp": {"max_tokens": 4}}]), "capp"),
            (json!([{"cap": {"max_tokens": "many"}}]), "must be a number"),
        ];
        for (rules, words) in rows {
            let models = [Upstream::Chat.entry(&sim, "m", json!({}))];
            let config = merged(config(&models), json!({"tollgate_settings": {"rewrite": rules}}));
            let run = crate::cli::serve_file(&config.to_string(), &[]).await;
            assert_eq!(run.code, Some(2), "{run:?}");
            has(&run.stderr, words);
            has(&run.stderr, "tollgate_settings.rewrite[0]");
        }
    });
}
