//! All that takes part: database, Redis, provider, gateways, and the callers' keys.

use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tollgate_sim::{Answer, Faults, Match, Sim, SimConfig, Step, Usage};

use super::Plan;
use super::callers::{self, Scope};
use super::client;
use super::gateway::Gateway;
use super::postgres::Postgres;
use super::redis::Redis;

pub const MASTER_KEY: &str = "sk-chaos-master";
const PROVIDER_KEY: &str = "sk-chaos-provider";
pub const GATEWAYS: usize = 3;

/// Nano-dollars for a token.
const INPUT_NANOS: u64 = 1_000;
const OUTPUT_NANOS: u64 = 5_000;
/// What every request allows; more than any answer has, so that none costs more than was held for it.
pub const MAX_TOKENS: u64 = 24;

/// A model whose answers take so many tokens.
pub struct Model {
    pub name: &'static str,
    pub input: u64,
    pub output: u64,
    pace: Duration,
}

pub const QUICK: usize = 0;
pub const SLOW: usize = 1;
pub const MODELS: [Model; 2] = [
    Model { name: "quick", input: 20, output: 10, pace: Duration::from_millis(8) },
    Model { name: "slow", input: 30, output: 16, pace: Duration::from_millis(60) },
];

impl Model {
    pub const fn cost_nanos(&self) -> u64 {
        self.input * INPUT_NANOS + self.output * OUTPUT_NANOS
    }

    /// As a stream, and in one piece that takes about as long.
    fn steps(&self) -> [Step; 2] {
        let usage = json!({"prompt_tokens": self.input, "completion_tokens": self.output,
            "total_tokens": self.input + self.output});
        let said = Answer { piece_chars: 4, ..Answer::text("one two three four five six seven") };
        let answer = || Step::answer(said.clone().usage(Usage::Exact(usage.clone()))).always();
        let when = |stream| Match { model: Some(self.upstream()), stream: Some(stream), ..Match::default() };
        let whole = Faults { before_headers: self.pace * 10, ..Faults::default() };
        let paced = Faults { pace: self.pace, ..Faults::default() };
        // A body in one piece may say `stream: false` or nothing.
        let not_streamed = Match { model: Some(self.upstream()), ..Match::default() };
        [answer().when(when(true)).faults(paced), answer().when(not_streamed).faults(whole)]
    }

    fn upstream(&self) -> String {
        format!("sim-{}", self.name)
    }

    fn entry(&self, sim: &Sim) -> Value {
        json!({"model_name": self.name,
            "litellm_params": {"model": format!("openai/{}", self.upstream()), "api_base": format!("{}/v1", sim.base_url()),
                "api_key": PROVIDER_KEY, "num_retries": 0, "input_cost_per_token": INPUT_NANOS as f64 / 1e9,
                "output_cost_per_token": OUTPUT_NANOS as f64 / 1e9},
            "model_info": {"id": self.name}})
    }
}

pub struct Stage {
    pub postgres: Arc<Mutex<Postgres>>,
    /// Of the database.
    pub database: String,
    _redis: Redis,
    pub sim: Sim,
    pub gateways: Vec<Gateway>,
    pub scopes: Vec<Scope>,
    dir: TempDir,
}

impl Stage {
    pub async fn set(plan: &Plan) -> Result<Stage, String> {
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let postgres = tokio::task::spawn_blocking(Postgres::start).await.map_err(|error| error.to_string())?;
        let (database, postgres) = (postgres.url(), Arc::new(Mutex::new(postgres)));
        let redis = Redis::start().await;
        let steps = MODELS.iter().flat_map(Model::steps);
        let sim = Sim::start(SimConfig::default().key(PROVIDER_KEY).steps(steps)).await;
        let config = json!({
            "model_list": MODELS.iter().map(|model| model.entry(&sim)).collect::<Vec<_>>(),
            "general_settings": {"master_key": MASTER_KEY, "database_url": database},
            // What a replica is not sure of it does not admit, so that limits hold exactly, however slow the machine is.
            "tollgate_settings": {"limits_without_redis": "refuse"},
        });
        let mut gateways = Vec::new();
        for number in 0..GATEWAYS {
            let home = dir.path().join(format!("gateway-{number}"));
            std::fs::create_dir(&home).map_err(|error| error.to_string())?;
            std::fs::write(home.join("config.yaml"), config.to_string()).map_err(|error| error.to_string())?;
            gateways.push(Gateway::start(&plan.binary, &home, &redis.url()).await?);
        }
        let scopes = callers::scopes(plan.requests as u64);
        let mut stage = Stage { postgres, database, _redis: redis, sim, gateways, scopes, dir };
        stage.make_callers().await?;
        Ok(stage)
    }

    async fn make_callers(&mut self) -> Result<(), String> {
        let address = self.gateways[0].address();
        for scope in &mut self.scopes {
            let (path, body) = scope.wish();
            let made = client::manage(address, path, &body).await?;
            scope.made(&made);
        }
        Ok(())
    }

    /// The folder stays when all this is gone.
    pub fn keep(self) -> PathBuf {
        self.dir.keep()
    }
}
