//! A gateway before several simulated providers.

use serde_json::{Value, json};
use tollgate_sim::{Recorded, Sim, SimConfig, Step};

use super::Gateway;
use super::http::{Answer, post};
use super::stage::{Client, MASTER_KEY, PROVIDER_KEY, Upstream, config, merged};

/// One deployment of the fleet: its route, its form, its provider's script.
pub struct Ship {
    pub route: String,
    pub upstream: Upstream,
    pub sim: SimConfig,
    pub params: Value,
    pub info: Value,
}

pub fn ship(route: &str, step: Step) -> Ship {
    Ship {
        route: route.to_owned(),
        upstream: Upstream::Chat,
        sim: SimConfig::default().step(step.always()),
        params: json!({}),
        info: json!({}),
    }
}

impl Ship {
    pub fn with(self, params: Value) -> Ship {
        Ship { params: merged(self.params, params), ..self }
    }

    pub fn info(self, info: Value) -> Ship {
        Ship { info, ..self }
    }

    pub fn speaks(self, upstream: Upstream) -> Ship {
        Ship { upstream, ..self }
    }
}

pub struct Fleet {
    pub sims: Vec<Sim>,
    pub gateway: Gateway,
}

impl Fleet {
    /// `more`: further blocks of the config. Deployments are tried in their order, unless they say otherwise, and not retried.
    pub async fn start(ships: Vec<Ship>, more: Value) -> Fleet {
        let mut sims = Vec::new();
        let mut models = Vec::new();
        for (n, ship) in ships.into_iter().enumerate() {
            let sim = Sim::start(ship.sim.key(PROVIDER_KEY)).await;
            let params = merged(json!({"num_retries": 0, "order": n}), ship.params);
            let mut entry = ship.upstream.entry(&sim, &ship.route, params);
            entry["model_info"] = merged(json!({"id": format!("d{n}")}), ship.info);
            models.push(entry);
            sims.push(sim);
        }
        let gateway = Gateway::start(&merged(config(&models), more).to_string(), &[]).await;
        Fleet { sims, gateway }
    }

    pub async fn ask(&self, client: Client, body: &Value) -> Answer {
        self.ask_with(client, &[], body).await
    }

    pub async fn ask_with(&self, client: Client, headers: &[(&str, &str)], body: &Value) -> Answer {
        let headers: Vec<(&str, &str)> = headers.iter().copied().chain([("x-api-key", MASTER_KEY)]).collect();
        post(&self.gateway.url(client.path()), &headers, body).await
    }

    /// How many requests each provider got.
    pub fn counts(&self) -> Vec<usize> {
        self.sims.iter().map(|sim| sim.requests().len()).collect()
    }

    pub fn sent(&self, n: usize) -> Vec<Recorded> {
        self.sims[n].requests()
    }
}
