//! S10, S11: names that no route has, configs that change, failures that keep their words.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_sim::{Sim, SimConfig, Step};

use crate::stage::{BOTH, Client, MASTER_KEY, PROVIDER_KEY, Upstream, config, has, merged};
use crate::support::http::{Answer, post};
use crate::support::{Gateway, isolated};

const NAMES: [&str; 3] = ["kimi-k2.5", "deepseek-v4-pro", "glm-5"];

async fn gateway(sim: &Sim, names: &[&str], more: Value) -> Gateway {
    let models: Vec<Value> =
        names.iter().map(|name| Upstream::Chat.entry(sim, name, json!({"model": format!("openai/{name}")}))).collect();
    Gateway::start(&merged(config(&models), more).to_string(), &[]).await
}

async fn ask(gateway: &Gateway, client: Client, model: &str) -> Answer {
    let body = client.hello(json!({"model": model}));
    post(&gateway.url(client.path()), &[("x-api-key", MASTER_KEY)], &body).await
}

#[test]
fn s10_an_unknown_model_is_a_404_that_names_the_nearest() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default()).await;
        let gateway = gateway(&sim, &NAMES, json!({})).await;
        for client in BOTH {
            for (typo, meant) in [("kimi-k2.4", "kimi-k2.5"), ("deepseek-v4pro", "deepseek-v4-pro"), ("GLM-5", "glm-5")]
            {
                let answer = ask(&gateway, client, typo).await;
                assert_eq!(answer.status, 404, "{}", answer.text());
                let (kind, message) = client.error(&answer);
                if client == Client::Messages {
                    assert_eq!(kind, "not_found_error");
                } else {
                    assert_eq!(answer.json()["error"]["code"], "model_not_found");
                }
                has(&message, typo);
                has(&message, meant);
                assert_eq!(answer.header("x-should-retry"), Some("false"));
            }
            let answer = ask(&gateway, client, "something-else-altogether").await;
            assert_eq!(answer.status, 404);
            has(&client.error(&answer).1, "model_list");
        }
        assert_eq!(sim.requests().len(), 0);
    });
}

/// Asks until the status is this one.
async fn until(gateway: &Gateway, model: &str, status: u16) {
    let asking = async {
        while ask(gateway, Client::Messages, model).await.status != status {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let done = tokio::time::timeout(Duration::from_secs(20), asking).await;
    assert!(done.is_ok(), "{model} never became {status}:\n{}", gateway.log());
}

#[test]
fn s10_a_changed_config_is_taken_up_without_a_restart_and_a_broken_one_is_not() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default()).await;
        let gateway = gateway(&sim, &["old"], json!({})).await;
        let pid = gateway.pid();
        assert_eq!(ask(&gateway, Client::Messages, "new").await.status, 404);
        let entry = |name: &str| Upstream::Chat.entry(&sim, name, json!({}));
        std::fs::write(gateway.config_file(), config(&[entry("new")]).to_string()).unwrap();
        until(&gateway, "new", 200).await;
        assert_eq!(ask(&gateway, Client::Messages, "old").await.status, 404);

        let broken = config(&[entry("newest"), json!({"model_name": "x", "litellm_params": {}})]).to_string();
        std::fs::write(gateway.config_file(), &broken).unwrap();
        let log = gateway.logged("the one before stays in force").await;
        has(&log, "model_list[1].litellm_params");
        assert_eq!(ask(&gateway, Client::Messages, "new").await.status, 200);
        assert_eq!(ask(&gateway, Client::Messages, "newest").await.status, 404);

        std::fs::write(gateway.config_file(), config(&[entry("newest")]).to_string()).unwrap();
        until(&gateway, "newest", 200).await;
        assert_eq!(gateway.pid(), pid);
        assert!(!gateway.log().contains(PROVIDER_KEY));
    });
}

#[test]
fn s10_keys_and_rules_change_with_the_config_as_well() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default()).await;
        let gateway = gateway(&sim, &["m"], json!({})).await;
        let body = Client::Chat.hello(json!({}));
        let with =
            async |key: &str| post(&gateway.url("/v1/chat/completions"), &[("api-key", key)], &body).await.status;
        assert_eq!(with(MASTER_KEY).await, 200);
        let rules = json!({"rewrite": [{"set": {"seed": 7}}]});
        let changed = json!({"general_settings": {"master_key": "sk-the-next"}, "tollgate_settings": rules});
        let config = merged(config(&[Upstream::Chat.entry(&sim, "m", json!({}))]), changed);
        std::fs::write(gateway.config_file(), config.to_string()).unwrap();
        let changed = async {
            while with("sk-the-next").await != 200 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), changed).await.expect("the next key is taken");
        assert_eq!(sim.requests().last().unwrap().json()["seed"], 7);
        assert_eq!(with(MASTER_KEY).await, 401);
    });
}

#[test]
fn s10_a_failure_of_the_upstream_keeps_its_words_and_names_the_deployment() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default()).await;
        let body = json!({"error": {"message": "shard 7 of the model fell over", "type": "server_error"}});
        sim.push(Step::json(500, &body).always());
        let gateway = gateway(&sim, &["kimi-k2.5"], json!({"litellm_settings": {"num_retries": 0}})).await;
        for client in BOTH {
            let answer = ask(&gateway, client, "kimi-k2.5").await;
            assert_eq!(answer.status, 500);
            has(&answer.text(), "shard 7 of the model fell over");
            match client {
                Client::Messages => has(&client.error(&answer).1, "kimi-k2.5"),
                // The provider speaks the client's dialect: its error goes on as it is, and the headers name the rest.
                Client::Chat => assert_eq!(answer.json(), body),
            }
            assert_eq!(answer.header("x-tollgate-upstream-status"), Some("500"));
            assert_eq!(answer.header("x-litellm-model-group"), Some("kimi-k2.5"));
            assert!(answer.header("x-tollgate-deployment").is_some());
        }
    });
}

#[test]
fn s11_claude_names_go_to_the_route_of_their_tier() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default()).await;
        let tiers = json!({"haiku": "glm-5", "opus": "deepseek-v4-pro", "default": "kimi-k2.5"});
        let gateway = gateway(&sim, &NAMES, json!({"tollgate_settings": {"catch_all": tiers}})).await;
        let rows = [
            ("claude-haiku-4-5-20251001", "glm-5"),
            ("claude-3-5-haiku-latest", "glm-5"),
            ("claude-opus-5-5", "deepseek-v4-pro"),
            ("claude-opus-4-1-20250805[1m]", "deepseek-v4-pro"),
            ("claude-sonnet-5", "kimi-k2.5"),
            ("claude-fable-5-1", "kimi-k2.5"),
            ("anthropic/claude-haiku-5-5", "glm-5"),
        ];
        for client in BOTH {
            for (asked, served) in rows {
                let answer = ask(&gateway, client, asked).await;
                assert_eq!(answer.status, 200, "{asked}: {}", answer.text());
                assert_eq!(sim.requests().last().unwrap().json()["model"], served, "{asked}");
                if client == Client::Messages {
                    assert_eq!(answer.json()["model"], asked, "the client hears the name that it said");
                }
            }
            // The rule is for Claude's names only.
            assert_eq!(ask(&gateway, client, "gpt-5.6").await.status, 404);
        }
    });
}

#[test]
fn s11_a_configured_claude_is_not_caught() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default()).await;
        let tiers = json!({"default": "kimi-k2.5"});
        let names = ["kimi-k2.5", "claude-haiku-4-5-20251001"];
        let gateway = gateway(&sim, &names, json!({"tollgate_settings": {"catch_all": tiers}})).await;
        ask(&gateway, Client::Messages, "claude-haiku-4-5-20251001").await;
        assert_eq!(sim.requests().last().unwrap().json()["model"], "claude-haiku-4-5-20251001");
    });
}

#[test]
fn s11_without_the_rule_the_error_names_the_rule_and_the_variables() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default()).await;
        let gateway = gateway(&sim, &NAMES, json!({})).await;
        for client in BOTH {
            let answer = ask(&gateway, client, "claude-haiku-4-5-20251001").await;
            assert_eq!(answer.status, 404);
            let message = client.error(&answer).1;
            for part in ["claude-haiku-4-5-20251001", "tollgate_settings.catch_all", "ANTHROPIC_DEFAULT_HAIKU_MODEL"] {
                has(&message, part);
            }
            has(&gateway.logged(answer.header("request-id").unwrap()).await, "claude-haiku-4-5-20251001");
        }
    });
}

#[test]
fn s11_a_tier_that_leads_nowhere_is_a_config_error() {
    isolated(|| async {
        let sim = Sim::start(SimConfig::default()).await;
        let tiers = json!({"tollgate_settings": {"catch_all": {"haiku": "kimi-k2.6"}}});
        let config = merged(config(&[Upstream::Chat.entry(&sim, "kimi-k2.5", json!({}))]), tiers);
        let run = crate::cli::serve_file(&config.to_string(), &[]).await;
        assert_eq!(run.code, Some(2), "{run:?}");
        has(&run.stderr, "tollgate_settings.catch_all.haiku");
        has(&run.stderr, "kimi-k2.5");
    });
}
