//! What all requests share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::SystemTime;

use arc_swap::ArcSwap;
use tollgate_dialect::quirks::Quirks;
use tollgate_dialect::sealed::Seal;
use tollgate_policy::repair::Fact;
use tollgate_store::learned::LearnedFacts;
use tollgate_store::recall::Recall;

use crate::config::model::{Config, Deployment};
use crate::tokens::Calibration;
use crate::upstream::Client;

pub struct App {
    live: ArcSwap<Live>,
    pub client: Client,
    pub recall: Recall,
    learned: LearnedFacts,
    calibrations: Mutex<HashMap<String, Arc<Calibration>>>,
    pub totals: Totals,
}

/// One configuration in force, with what was learned about its deployments. Requests keep the one they began with.
pub struct Live {
    pub config: Config,
    pub seal: Seal,
    pub abilities: Vec<Abilities>,
}

/// What a deployment can do, as far as known now: registry and config, overridden by what was learned.
pub struct Abilities {
    /// By the provider's name for the model: one, but for a deployment behind a wildcard.
    known: Mutex<HashMap<String, Arc<Known>>>,
    pub calibration: Arc<Calibration>,
}

/// Models behind one wildcard of which is remembered what they can do.
const MAX_MODELS: usize = 1000;

#[derive(Clone)]
pub struct Known {
    pub quirks: Quirks,
    pub max_output_tokens: Option<u64>,
}

/// Sums over the life of this process.
#[derive(Default)]
pub struct Totals {
    pub requests: AtomicU64,
    pub cost_nanos: AtomicU64,
    pub input_tokens: AtomicU64,
    pub output_tokens: AtomicU64,
}

impl App {
    /// `data_dir`: where learned facts are kept; `None` keeps them in memory.
    pub fn new(config: Config, data_dir: Option<PathBuf>) -> std::io::Result<App> {
        let learned = match data_dir {
            Some(dir) => {
                std::fs::create_dir_all(&dir)?;
                LearnedFacts::open(dir.join("learned.json"))?
            }
            None => LearnedFacts::in_memory(),
        };
        let calibrations = Mutex::default();
        let live = Live::new(config, &calibrations);
        Ok(App {
            live: ArcSwap::from_pointee(live),
            client: Client::new(),
            recall: Recall::default(),
            learned,
            calibrations,
            totals: Totals::default(),
        })
    }

    pub fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// Puts a new configuration in force. Requests under way finish with the old one.
    pub fn reload(&self, config: Config) {
        self.live.store(Arc::new(Live::new(config, &self.calibrations)));
    }

    /// What a deployment can do with a model.
    pub fn known(&self, live: &Live, index: usize, model: &str) -> Arc<Known> {
        let mut models = lock(&live.abilities[index].known);
        if let Some(known) = models.get(model) {
            return known.clone();
        }
        if models.len() >= MAX_MODELS {
            models.clear();
        }
        let known = Arc::new(self.look_up(&live.config.deployments[index], model));
        models.insert(model.to_string(), known.clone());
        known
    }

    fn look_up(&self, deployment: &Deployment, model: &str) -> Known {
        let mut known = if deployment.model.contains('*') {
            let capabilities = deployment.capabilities_for(model);
            Known { quirks: capabilities.quirks, max_output_tokens: capabilities.max_output_tokens }
        } else {
            Known { quirks: deployment.quirks.clone(), max_output_tokens: deployment.max_output_tokens }
        };
        for learned in self.learned.of(&learned_under(deployment, model), SystemTime::now()) {
            learned.fact.apply(&mut known.quirks, &mut known.max_output_tokens);
        }
        known
    }

    /// Remembers a fact about a deployment, for this and the next processes.
    pub fn learn(&self, live: &Live, index: usize, model: &str, fact: Fact) {
        let deployment = &live.config.deployments[index];
        tracing::info!(deployment = %deployment.id, model, fact = ?fact, "learned from a refusal");
        if let Err(error) = self.learned.learn(&learned_under(deployment, model), fact, SystemTime::now()) {
            tracing::warn!(%error, "a learned fact could not be saved; it holds until the next start");
        }
        lock(&live.abilities[index].known).remove(model);
    }
}

fn learned_under(deployment: &Deployment, model: &str) -> String {
    if deployment.model.contains('*') { format!("{} {model}", deployment.id) } else { deployment.id.clone() }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

impl Live {
    fn new(config: Config, calibrations: &Mutex<HashMap<String, Arc<Calibration>>>) -> Live {
        let secret = config.master_key.as_ref().map_or("tollgate", |key| key.expose());
        let mut calibrations = lock(calibrations);
        let abilities = config.deployments.iter().map(|deployment| Abilities {
            known: Mutex::default(),
            calibration: calibrations.entry(deployment.id.clone()).or_default().clone(),
        });
        Live { seal: Seal::new(secret.as_bytes()), abilities: abilities.collect(), config }
    }
}

impl Totals {
    pub fn add(&self, input_tokens: u64, output_tokens: u64, cost_nanos: u64) {
        self.requests.fetch_add(1, Ordering::Relaxed);
        self.input_tokens.fetch_add(input_tokens, Ordering::Relaxed);
        self.output_tokens.fetch_add(output_tokens, Ordering::Relaxed);
        self.cost_nanos.fetch_add(cost_nanos, Ordering::Relaxed);
    }
}
