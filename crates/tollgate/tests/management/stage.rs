//! A gateway with a database before one simulated provider.

use http::Method;
use serde_json::{Value, json};
use tollgate_sim::{Answer as Said, Sim, SimConfig, Step, Usage};

use crate::postgres;
use crate::support::http::{Answer, send};
use crate::support::stage::{MASTER_KEY, Upstream, config, merged};
use crate::support::{Gateway, isolated};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Store {
    Sqlite,
    Postgres,
}

pub struct Stage {
    pub sim: Sim,
    pub gateway: Gateway,
}

/// A dollar for each token of input and output.
pub const PRICES: [(&str, f64); 2] = [("input_cost_per_token", 1.0), ("output_cost_per_token", 1.0)];

/// Runs the test on each database.
pub fn on_both<F, Fut>(test: F)
where
    F: Fn(Stage) -> Fut + Send + 'static,
    Fut: Future<Output = ()>,
{
    isolated(move || async move {
        for store in [Store::Sqlite, Store::Postgres] {
            test(Stage::start(store).await).await;
        }
    });
}

impl Stage {
    pub async fn start(store: Store) -> Stage {
        Stage::with(store, json!({})).await
    }

    /// Routes `m` and `other`, whose answers take 10 tokens in and 5 out. `more`: further blocks of the config.
    pub async fn with(store: Store, more: Value) -> Stage {
        let usage = Usage::Exact(json!({"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}));
        let sim = SimConfig::default().step(Step::answer(Said::text("yes").usage(usage)).always());
        let sim = Sim::start(sim.key(crate::support::stage::PROVIDER_KEY)).await;
        let price = Value::Object(PRICES.iter().map(|(name, price)| (name.to_string(), json!(price))).collect());
        let models = ["m", "other"].map(|name| Upstream::Chat.entry(&sim, name, price.clone()));
        let general = match store {
            Store::Sqlite => json!({"master_key": MASTER_KEY}),
            Store::Postgres => json!({"master_key": MASTER_KEY, "database_url": postgres::new_database()}),
        };
        let general = merged(general, more["general_settings"].clone());
        let more = merged(more, json!({"general_settings": general}));
        let config = config(&models);
        let gateway = Gateway::start(&merged(config, more).to_string(), &[]).await;
        Stage { sim, gateway }
    }

    /// `request`: a method and a path.
    pub async fn call(&self, key: &str, request: &str, body: &Value) -> Answer {
        let (method, path) = request.split_once(' ').expect("a method and a path");
        let method: Method = method.parse().expect("a method");
        let bearer = format!("Bearer {key}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/json")];
        let body = if body.is_null() { String::new() } else { body.to_string() };
        send(method, &self.gateway.url(path), &headers, body).await
    }

    pub async fn admin(&self, request: &str, body: Value) -> Value {
        self.ok(MASTER_KEY, request, body).await
    }

    /// The same of a call that succeeds.
    pub async fn ok(&self, key: &str, request: &str, body: Value) -> Value {
        let answer = self.call(key, request, &body).await;
        assert_eq!(answer.status, 200, "{request}: {}", answer.text());
        answer.json()
    }

    /// Asks the model for something small.
    pub async fn chat(&self, key: &str, model: &str) -> Answer {
        let body = json!({"model": model, "max_tokens": 20, "messages": [{"role": "user", "content": "hello"}]});
        self.call(key, "POST /v1/chat/completions", &body).await
    }

    /// A new key with these fields.
    pub async fn key(&self, fields: Value) -> String {
        let made = self.admin("POST /key/generate", fields).await;
        made["key"].as_str().expect("a key").to_string()
    }
}
