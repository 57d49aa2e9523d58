//! A gateway before one simulated provider, and clients of both dialects.

use serde_json::{Value, json};
use tollgate_sim::{Recorded, Sim, SimConfig};

use super::Gateway;
use super::http::{Answer, post};

/// The gateway's key, and the provider's. No answer and no log may hold either.
pub const MASTER_KEY: &str = "sk-gateway-canary-51c0";
pub const PROVIDER_KEY: &str = "sk-provider-canary-9e27";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    Messages,
    Chat,
}

pub const BOTH: [Client; 2] = [Client::Messages, Client::Chat];

impl Client {
    pub fn path(self) -> &'static str {
        match self {
            Client::Messages => "/v1/messages",
            Client::Chat => "/v1/chat/completions",
        }
    }

    /// A small request in this dialect for the model `m`, with further fields.
    pub fn hello(self, more: Value) -> Value {
        let body = json!({"model": "m", "max_tokens": 100, "messages": [{"role": "user", "content": "hello"}]});
        merged(body, more)
    }

    /// `(type, message)` of an error in this dialect; all else that the dialect prescribes is checked.
    #[track_caller]
    pub fn error(self, answer: &Answer) -> (String, String) {
        let body = answer.json();
        let id = answer.header("request-id").expect("a request id");
        assert_eq!(answer.header("x-request-id"), Some(id));
        if self == Client::Messages {
            assert_eq!(body["type"], "error", "{body}");
            assert_eq!(body["request_id"], id, "{body}");
        } else {
            assert!(body.get("type").is_none(), "{body}");
        }
        let text = |key: &str| body["error"][key].as_str().unwrap_or_else(|| panic!("no {key} in {body}")).to_owned();
        (text("type"), text("message"))
    }

    /// The text of a whole answer in this dialect.
    #[track_caller]
    pub fn text(self, answer: &Answer) -> String {
        assert_eq!(answer.status, 200, "{}", answer.text());
        let body = answer.json();
        let text = match self {
            Client::Messages => &body["content"][0]["text"],
            Client::Chat => &body["choices"][0]["message"]["content"],
        };
        text.as_str().unwrap_or_else(|| panic!("no text in {body}")).to_owned()
    }
}

/// The fields of both objects, those of `more` first where both have one.
pub fn merged(mut body: Value, more: Value) -> Value {
    if let (Value::Object(body), Value::Object(more)) = (&mut body, more) {
        body.extend(more);
    }
    body
}

/// What a provider is called in a config, and how its address is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upstream {
    /// `openai/x` with an `api_base`.
    Chat,
    /// `anthropic/claude-sonnet-4-6` with an `api_base`.
    Messages,
}

impl Upstream {
    /// The dialect of its own.
    pub fn speaks(self) -> Client {
        match self {
            Upstream::Chat => Client::Chat,
            Upstream::Messages => Client::Messages,
        }
    }

    /// Its own name for the model.
    pub fn model(self) -> &'static str {
        match self {
            Upstream::Chat => "x",
            Upstream::Messages => "claude-sonnet-4-6",
        }
    }

    /// An entry of `model_list`; JSON is YAML too.
    pub fn entry(self, sim: &Sim, name: &str, params: Value) -> Value {
        let own = match self {
            Upstream::Chat => json!({"model": "openai/x", "api_base": format!("{}/v1", sim.base_url())}),
            Upstream::Messages => json!({"model": "anthropic/claude-sonnet-4-6", "api_base": sim.base_url()}),
        };
        let own = merged(own, json!({"api_key": PROVIDER_KEY}));
        json!({"model_name": name, "litellm_params": merged(own, params)})
    }
}

pub struct Stage {
    pub sim: Sim,
    pub gateway: Gateway,
}

impl Stage {
    /// One route `m` to an OpenAI-compatible provider, with these further `litellm_params`.
    pub async fn chat(sim: SimConfig, params: Value) -> Self {
        Self::start(sim, Upstream::Chat, params, json!({})).await
    }

    /// `more` are further blocks of the config.
    pub async fn start(sim: SimConfig, upstream: Upstream, params: Value, more: Value) -> Self {
        let sim = Sim::start(sim.key(PROVIDER_KEY)).await;
        let config = merged(config(&[upstream.entry(&sim, "m", params)]), more);
        let gateway = Gateway::start(&config.to_string(), &[]).await;
        Self { sim, gateway }
    }

    pub async fn ask(&self, client: Client, body: &Value) -> Answer {
        post(&self.gateway.url(client.path()), &[("x-api-key", MASTER_KEY)], body).await
    }

    /// The requests that reached the provider.
    pub fn sent(&self) -> Vec<Recorded> {
        self.sim.requests()
    }

    /// The body of the last of them.
    #[track_caller]
    pub fn last(&self) -> Value {
        self.sent().last().expect("a request reached the provider").json()
    }

    /// The provider found nothing to refuse.
    #[track_caller]
    pub fn nothing_was_refused(&self) {
        let refused: Vec<String> = self.sent().into_iter().filter_map(|request| request.refused).collect();
        assert_eq!(refused, Vec::<String>::new());
    }
}

/// A config with these models and a master key.
pub fn config(models: &[Value]) -> Value {
    json!({"model_list": models, "general_settings": {"master_key": MASTER_KEY}})
}

#[track_caller]
pub fn has(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in: {text}");
}

/// The names in `x-tollgate-changes`.
pub fn changes(answer: &Answer) -> Vec<String> {
    answer.header("x-tollgate-changes").map(|list| list.split(',').map(str::to_owned).collect()).unwrap_or_default()
}

#[track_caller]
pub fn has_change(answer: &Answer, change: &str) {
    assert!(changes(answer).iter().any(|c| c == change), "{change} is not in {:?}", changes(answer));
}
