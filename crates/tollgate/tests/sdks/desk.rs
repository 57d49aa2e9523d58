//! The set-up that all tests share: one simulator for both dialects, one gateway, and an SDK in a process of its own.

use serde_json::{Value, json};
use tollgate_sim::{Recorded, Sim, SimConfig, Step};

use crate::support::{Gateway, Session};

/// The gateway's key.
pub const KEY: &str = "sk-gateway";
/// What the upstreams want.
const UPSTREAM_KEY: &str = "sk-upstream";

/// Routes: `gpt` and `thinker` have a chat upstream, `claude-sonnet-5` has Anthropic.
pub const CHAT: &str = "gpt";
pub const THINKER: &str = "thinker";
pub const CLAUDE: &str = "claude-sonnet-5";

/// A SDK with its script.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sdk {
    Anthropic,
    OpenAi,
}

pub struct Desk {
    pub sim: Sim,
    pub gateway: Gateway,
}

impl Desk {
    pub async fn new(sim: SimConfig) -> Desk {
        Self::with_settings(sim, "").await
    }

    /// `more`: further `litellm_params` of every deployment, as `, key: value`.
    pub async fn with_settings(sim: SimConfig, more: &str) -> Desk {
        let sim = Sim::start(sim.key(UPSTREAM_KEY)).await;
        let url = sim.base_url();
        let upstream = format!("api_key: {UPSTREAM_KEY}{more}");
        let config = format!(
            "model_list:
  - model_name: {CHAT}
    litellm_params: {{model: openai/gpt-4.1, api_base: {url}/v1, {upstream}}}
    model_info: {{supports_pdf_input: true}}
  - model_name: {THINKER}
    litellm_params: {{model: deepseek/deepseek-reasoner, api_base: {url}/v1, {upstream}}}
  - model_name: {CLAUDE}
    litellm_params: {{model: anthropic/claude-sonnet-4-6, api_base: {url}, {upstream}}}
general_settings: {{master_key: {KEY}}}
litellm_settings: {{num_retries: 0}}
"
        );
        Desk { gateway: Gateway::start(&config, &[]).await, sim }
    }

    pub async fn script(steps: impl IntoIterator<Item = Step>) -> Desk {
        Self::new(SimConfig::default().steps(steps)).await
    }

    /// Makes the calls and gives what each came to.
    pub async fn calls(&self, sdk: Sdk, calls: Value) -> Vec<Value> {
        let session = Session::new();
        session.write("calls.json", calls.to_string());
        let script = match sdk {
            Sdk::Anthropic => include_str!("anthropic_calls.py"),
            Sdk::OpenAi => include_str!("openai_calls.py"),
        };
        let run = session.python(script, &[("BASE_URL", &self.gateway.url("")), ("KEY", KEY)]).await;
        assert_eq!(run.code, Some(0), "{run:?}\n{}", self.gateway.log());
        let told: Vec<Value> = serde_json::from_str(&run.stdout).unwrap_or_else(|error| panic!("{error}: {run:?}"));
        assert_eq!(Some(told.len()), calls.as_array().map(Vec::len), "one answer for each call");
        told
    }

    /// The bodies of the model calls that reached the simulator. None of them was refused.
    pub fn sent(&self) -> Vec<Value> {
        let all = self.sim.requests();
        let refused: Vec<_> = all.iter().filter_map(|request| request.refused.clone()).collect();
        assert_eq!(refused, Vec::<String>::new(), "the strict server takes what the gateway sends");
        all.iter().map(Recorded::json).collect()
    }

    /// How many requests with this text reached the simulator.
    pub fn count_of(&self, text: &str) -> usize {
        let holds = |request: &Recorded| String::from_utf8_lossy(&request.body).contains(text);
        self.sim.requests().iter().filter(|request| holds(request)).count()
    }
}

/// A user's question, as both SDKs take it.
pub fn ask(text: &str) -> Value {
    json!([{"role": "user", "content": text}])
}

/// An error where none is due is shown whole.
pub fn good(told: &Value) -> &Value {
    assert!(told["error"].is_null(), "{told:#}");
    told
}
