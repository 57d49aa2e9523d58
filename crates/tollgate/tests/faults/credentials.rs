//! One provider, two credentials: which failures are a model's, which the credential's, which the provider's.

use http::Method;
use serde_json::{Value, json};
use tollgate_sim::{Rule, Sim, SimConfig, Step};

use crate::support::http::{post, send};
use crate::support::stage::{Client, MASTER_KEY, Upstream, config, has, merged};
use crate::support::{Gateway, isolated};

const KEYS: [&str; 2] = ["sk-first-canary-77d1", "sk-second-canary-40aa"];

/// Routes `a`, `b` and `c`, each a model of the same provider, asked with the first credential (`1a`, …), then the second.
struct Provider {
    sim: Sim,
    gateway: Gateway,
}

impl Provider {
    async fn start(sim: SimConfig, keys: &[&str]) -> Provider {
        let sim = Sim::start(sim).await;
        let mut models = Vec::new();
        for (n, key) in (1..).zip(keys) {
            for model in ["a", "b", "c"] {
                let params = json!({"model": format!("openai/{model}"), "api_key": key, "num_retries": 0, "order": n});
                let mut entry = Upstream::Chat.entry(&sim, model, params);
                entry["model_info"] = json!({"id": format!("{n}{model}")});
                models.push(entry);
            }
        }
        let mut config = merged(config(&models), json!({"router_settings": {"cooldown_time": 60}}));
        // `/health` tells what is known and asks nobody.
        let checks = json!({"background_health_checks": true, "health_check_interval": 86_400});
        config["general_settings"] = merged(config["general_settings"].clone(), checks);
        Provider { sim, gateway: Gateway::start(&config.to_string(), &[]).await }
    }

    /// Asks for these models, one after the other: who answered, `-` for nobody.
    async fn ask(&self, models: &str) -> String {
        let mut answered = Vec::new();
        for model in models.chars() {
            let body = Client::Chat.hello(json!({"model": model.to_string()}));
            let answer = post(&self.gateway.url(Client::Chat.path()), &[("x-api-key", MASTER_KEY)], &body).await;
            let id = answer.header("x-tollgate-deployment").filter(|_| answer.status == 200);
            answered.push(id.unwrap_or("-").to_string());
        }
        answered.join(" ")
    }

    /// The models that were asked for with a credential, counted from 1.
    fn asked_with(&self, n: usize) -> String {
        let key = format!("Bearer {}", KEYS[n - 1]);
        let requests = self.sim.requests().into_iter().filter(|r| r.header("authorization") == Some(&key));
        requests.map(|request| request.json()["model"].as_str().unwrap().to_string()).collect()
    }

    async fn get(&self, path: &str) -> Value {
        send(Method::GET, &self.gateway.url(path), &[("x-api-key", MASTER_KEY)], "").await.json()
    }

    /// Why a deployment rests, as `/health` says.
    async fn rests(&self, id: &str) -> Value {
        let health = self.get(&format!("/health?model_id={id}")).await;
        let found = ["healthy_endpoints", "unhealthy_endpoints"].into_iter().find_map(|list| health[list].get(0));
        found.unwrap_or_else(|| panic!("{health}"))["state"]["resting"]["reason"].clone()
    }
}

/// Refuses these models with the first credential.
fn first(status: u16, words: &str, models: &'static str) -> Rule {
    let key = format!("Bearer {}", KEYS[0]);
    Rule::new(status, words, move |body, headers| headers["authorization"] == key && asks_for(body, models))
}

/// Refuses these models with any credential.
fn any(status: u16, models: &'static str) -> Rule {
    Rule::new(status, "broken", move |body, _| asks_for(body, models))
}

fn asks_for(body: &Value, models: &str) -> bool {
    body["model"].as_str().is_some_and(|model| models.contains(model))
}

/// One case: what fails, what is asked for, who answers, and which models were asked for with the first credential.
type Row = (Rule, &'static str, &'static str, &'static str);

async fn play(rows: Vec<Row>) {
    for (rule, asked, answered, with_first) in rows {
        let what = format!("{rule:?}, {asked}");
        let provider = Provider::start(SimConfig::default().rule(rule), &KEYS).await;
        assert_eq!(provider.ask(asked).await, answered, "{what}");
        assert_eq!(provider.asked_with(1), with_first, "{what}");
    }
}

#[test]
fn s26_a_rate_limit_of_the_account_rests_all_deployments_of_its_credential() {
    isolated(|| async {
        let account = "Your account org-1f3b<ak-2> request reached organization TPD rate limit, current:15, limit:15";
        let model = "Rate limit reached for gpt-4.1 in organization org-1f3b on tokens per min (TPM): Limit 30000";
        play(vec![
            (first(429, account, "a"), "abc", "2a 2b 2c", "a"),
            (first(429, model, "ab"), "abc", "2a 2b 1c", "abc"),
            // Where the words do not say, one model is a model and two are the account.
            (first(429, "slow down", "a"), "aabc", "2a 2a 1b 1c", "abc"),
            (first(429, "slow down", "ab"), "abcab", "2a 2b 2c 2a 2b", "ab"),
        ])
        .await;
    });
}

#[test]
fn a_header_can_say_that_the_limit_is_the_accounts() {
    isolated(|| async {
        let claim = "anthropic-ratelimit-unified-representative-claim";
        for (value, answered) in [("five_hour", "2a 2b"), ("seven_day_opus", "2a 1b")] {
            let limited = Step::json(429, &json!({"error": {"message": "slow down"}})).header(claim, value);
            // Only the first request meets it.
            let provider = Provider::start(SimConfig::default().step(limited), &KEYS).await;
            assert_eq!(provider.ask("ab").await, answered, "{value}");
        }
    });
}

#[test]
fn failures_of_several_models_rest_a_credential_where_another_works_and_those_of_one_its_siblings_never() {
    isolated(|| async {
        play(vec![
            // Each deployment alone has failed twice, which is borne.
            (first(500, "broken", "ab"), "abababc", "2a 2b 2a 2b 2a 2b 2c", "abab"),
            (first(500, "broken", "a"), "aaaaaabc", "2a 2a 2a 2a 2a 2a 1b 1c", "aaaabc"),
            // The second credential fares no better: it is the provider.
            (any(500, "ab"), "abababc", "- - - - - - 1c", "abababc"),
        ])
        .await;
    });
}

#[test]
fn a_403_is_the_models_and_of_two_models_or_in_such_words_the_credentials() {
    isolated(|| async {
        play(vec![
            (first(403, "forbidden", "a"), "aabc", "2a 2a 1b 1c", "aabc"),
            (first(403, "forbidden", "ab"), "abcab", "2a 2b 2c 2a 2b", "ab"),
            (first(403, "Consumer has been suspended.", "a"), "abc", "2a 2b 2c", "a"),
            (first(403, "No access to the model", "ab"), "abc", "2a 2b 1c", "abc"),
        ])
        .await;
    });
}

#[test]
fn a_credential_that_is_the_last_way_to_serve_is_asked_although_it_rests_and_an_answer_ends_the_rest() {
    isolated(|| async {
        let limited = first(429, "Your account is at its limit", "a");
        let provider = Provider::start(SimConfig::default().rule(limited), &KEYS[..1]).await;
        assert_eq!(provider.ask("a").await, "-");
        assert_eq!([provider.rests("1b").await, provider.rests("1c").await], ["account_limited", "account_limited"]);
        assert_eq!(provider.ask("b").await, "1b");
        assert_eq!([provider.rests("1b").await, provider.rests("1c").await], [Value::Null, Value::Null]);
        // The failure itself was the first one's.
        assert_eq!(provider.rests("1a").await, "rate_limited");
    });
}

#[test]
fn s25_why_a_credential_rests_is_told_by_health_log_and_explanation_without_it() {
    isolated(|| async {
        let limited = first(429, &format!("This API key {} is at its limit", KEYS[0]), "a");
        let provider = Provider::start(SimConfig::default().rule(limited), &KEYS).await;
        assert_eq!(provider.ask("a").await, "2a");
        assert_eq!(provider.rests("1b").await, "account_limited");
        assert_eq!(provider.rests("2b").await, Value::Null);
        let log = provider.gateway.logged("credential rests").await;
        let line = log.lines().find(|line| line.contains("credential rests")).unwrap();
        for part in ["1a, 1b, 1c", "account_limited"] {
            has(line, part);
        }
        let body = Client::Chat.hello(json!({"model": "b"}));
        let answer = post(&provider.gateway.url(Client::Chat.path()), &[("x-api-key", MASTER_KEY)], &body).await;
        let id = answer.header("request-id").unwrap();
        let record = provider.get(&format!("/tollgate/requests/{id}")).await;
        let verdicts = record["routes"][0]["candidates"].as_array().unwrap().iter();
        let verdict = verdicts.clone().find(|candidate| candidate["deployment"] == "1b").unwrap();
        assert_eq!(verdict["verdict"], "rests (account_limited): a last resort", "{record}");
        for shown in [provider.gateway.log(), provider.get("/health").await.to_string(), record.to_string()] {
            assert!(!KEYS.iter().any(|key| shown.contains(key)), "{shown}");
        }
    });
}
