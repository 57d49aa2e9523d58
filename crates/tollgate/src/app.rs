//! What all requests share.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock};
use std::time::SystemTime;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use arc_swap::ArcSwap;
use tollgate_dialect::quirks::Quirks;
use tollgate_dialect::sealed::Seal;
use tollgate_policy::access::{Grants, Scope, ScopeKind};
use tollgate_policy::authorise::AccessGroups;
use tollgate_policy::budget::Pot;
use tollgate_policy::health::{Health, Standing};
use tollgate_policy::limit::Claims;
use tollgate_policy::price::Price;
use tollgate_policy::repair::Fact;
use tollgate_policy::retry::RetryBudget;
use tollgate_store::affinity::Affinity;
use tollgate_store::learned::LearnedFacts;
use tollgate_store::limiter::{self, Limiter};
use tollgate_store::recall::Recall;
use tollgate_store::records::Records;
use tollgate_store::shared::SharedRests;

use crate::answers::Answers;
use crate::bounds;
use crate::capture::Captures;
use crate::config::model::{Config, Deployment};
use crate::credentials::{self, Credential};
use crate::gate::{Door, Gate, SharedHealth};
use crate::health::Check;
use crate::kept::Kept;
use crate::rests;
use crate::sign_in::KeySets;
use crate::store::Store;
use crate::tokens::Calibration;
use crate::upstream::Client;

pub struct App {
    live: ArcSwap<Live>,
    pub client: Client,
    pub recall: Recall,
    pub records: Records,
    pub affinity: Affinity,
    pub captures: Captures,
    pub kept: Kept,
    pub shared_rests: SharedRests,
    pub limiter: Limiter,
    /// What tokens of identity providers are checked with.
    pub key_sets: KeySets,
    /// What clients may ask for again.
    pub answers: Answers,
    /// Set when the gateway serves; other commands have none.
    store: OnceLock<Store>,
    learned: LearnedFacts,
    lasting: Mutex<Lasting>,
    pub totals: Totals,
    clock: Clock,
}

/// The time since the process began.
#[derive(Clone, Copy)]
pub struct Clock(Instant);

impl Clock {
    pub fn start() -> Clock {
        Clock(Instant::now())
    }

    pub fn now_ms(&self) -> u64 {
        u64::try_from(self.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// One configuration in force, with what was learned about its deployments. Requests keep the one they began with.
pub struct Live {
    pub config: Config,
    pub seal: Seal,
    pub abilities: Vec<Abilities>,
    pub credentials: Vec<Credential>,
    /// Names in grants that stand for several models.
    pub groups: ArcSwap<AccessGroups>,
    /// What holds for all callers together.
    pub gateway: Scope,
    /// Places for health checks.
    pub checks: Semaphore,
}

/// What a deployment can do, as far as known now: registry and config, overridden by what was learned.
pub struct Abilities {
    /// By the provider's name for the model: one, but for a deployment behind a wildcard.
    known: Mutex<HashMap<String, Arc<Known>>>,
    pub calibration: Arc<Calibration>,
    health: SharedHealth,
    /// Position among [`Live::credentials`].
    pub credential: usize,
    /// The route's.
    pub gate: Arc<Gate>,
    pub check: Arc<Check>,
    /// The deployment's name among replicas.
    pub shared_name: String,
    /// Its own limits.
    pub claims: Claims,
    /// Its own budgets, and its provider's.
    pub pots: Vec<Pot>,
    /// The route's.
    retries: Arc<Mutex<RetryBudget>>,
    /// The upstream said that it counts no tokens, since the configuration is in force.
    no_counter: AtomicBool,
}

/// What is kept over a change of the configuration.
#[derive(Default)]
struct Lasting {
    /// By deployment.
    calibrations: HashMap<String, Arc<Calibration>>,
    healths: HashMap<String, SharedHealth>,
    checks: HashMap<String, Arc<Check>>,
    credentials: credentials::Lasting,
    /// By route.
    gates: HashMap<String, Arc<Gate>>,
    retries: HashMap<String, Arc<Mutex<RetryBudget>>>,
}

impl Lasting {
    /// How the deployment stands, with the limits that it has from now on.
    fn standing(&mut self, config: &Config, deployment: &Deployment) -> SharedHealth {
        let standing = self.healths.entry(deployment.id.clone()).or_default().clone();
        lock(&standing).limit(bounds::soft(config, deployment));
        standing
    }
}

/// Models behind one wildcard of which is remembered what they can do.
const MAX_MODELS: usize = 1000;

#[derive(Clone)]
pub struct Known {
    pub quirks: Quirks,
    pub max_output_tokens: Option<u64>,
    /// Tokens of prompt and answer together.
    pub context_window: Option<u64>,
    pub price: Option<Price>,
}

impl Known {
    /// What registry and configuration say, without what was learned.
    pub fn configured(deployment: &Deployment, model: &str) -> Known {
        if deployment.model.contains('*') {
            let capabilities = deployment.capabilities_for(model);
            Known {
                quirks: capabilities.quirks,
                max_output_tokens: capabilities.max_output_tokens,
                context_window: capabilities.context_window,
                price: capabilities.price,
            }
        } else {
            Known {
                quirks: deployment.quirks.clone(),
                max_output_tokens: deployment.max_output_tokens,
                context_window: deployment.context_window,
                price: deployment.price,
            }
        }
    }
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
        let learned = match &data_dir {
            Some(dir) => {
                std::fs::create_dir_all(dir)?;
                LearnedFacts::open(dir.join("learned.json"))?
            }
            None => LearnedFacts::in_memory(),
        };
        let (records, captures) = (Records::open(data_dir.as_deref())?, Captures::new(data_dir.as_deref()));
        Ok(App::with(config, learned, records, captures))
    }

    /// For a replay: what was learned so far is known and nothing is kept, but each capture goes to the receiver.
    pub fn for_replay(config: Config, learned: LearnedFacts, captures: Captures) -> std::io::Result<App> {
        Ok(App::with(config, learned, Records::open(None)?, captures))
    }

    fn with(config: Config, learned: LearnedFacts, records: Records, captures: Captures) -> App {
        let mut lasting = Lasting::default();
        let affinity = Affinity::new(config.routing.affinity.unwrap_or_default());
        let limiter = Limiter::new(limits(&config));
        let clock = Clock::start();
        let live = Live::new(config, &mut lasting, clock);
        App {
            live: ArcSwap::from_pointee(live),
            client: Client::new(),
            recall: Recall::default(),
            records,
            affinity,
            captures,
            kept: Kept::default(),
            shared_rests: SharedRests::default(),
            limiter,
            key_sets: KeySets::default(),
            answers: Answers::default(),
            store: OnceLock::new(),
            learned,
            lasting: Mutex::new(lasting),
            totals: Totals::default(),
            clock,
        }
    }

    /// Keys, money and usage, where there is a database.
    pub fn store(&self) -> Option<&Store> {
        self.store.get()
    }

    /// The database is open. Once in the life of an App.
    pub fn set_store(&self, store: Store) {
        let _ = self.store.set(store);
        self.remodel();
    }

    /// Access groups are those of the configuration and of the database.
    pub fn regroup(&self) {
        if let Some(store) = self.store() {
            let live = self.live();
            live.groups.store(Arc::new(store.groups(&live.config.access_groups)));
        }
    }

    pub fn live(&self) -> Arc<Live> {
        self.live.load_full()
    }

    /// Puts a new configuration in force. Requests under way finish with the old one.
    pub fn reload(&self, config: Config) {
        self.put(config, &mut lock(&self.lasting));
    }

    /// Models were added, changed or taken away while the gateway runs.
    pub fn remodel(&self) {
        // Held from reading to writing, so that a file that is read again meanwhile is not undone.
        let mut lasting = lock(&self.lasting);
        self.put(self.live().config.clone(), &mut lasting);
    }

    fn put(&self, config: Config, lasting: &mut Lasting) {
        let config = match self.store() {
            Some(store) => store.with_models(config),
            None => config,
        };
        self.limiter.configure(limits(&config));
        self.live.store(Arc::new(Live::new(config, lasting, self.clock)));
        self.regroup();
    }

    /// Milliseconds since the process began, for what policies remember.
    pub fn now_ms(&self) -> u64 {
        self.clock.now_ms()
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
        let mut known = Known::configured(deployment, model);
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

impl Abilities {
    pub fn health(&self) -> MutexGuard<'_, Health> {
        lock(&self.health)
    }

    pub fn retries(&self) -> MutexGuard<'_, RetryBudget> {
        lock(&self.retries)
    }

    pub fn lacks_counter(&self) -> bool {
        self.no_counter.load(Ordering::Relaxed)
    }

    pub fn has_no_counter(&self) {
        self.no_counter.store(true, Ordering::Relaxed);
    }

    pub fn standing(&self) -> &SharedHealth {
        &self.health
    }

    /// The deployment, for a request that knows it by this index and is expected to need so many tokens.
    pub fn door(&self, index: usize, tokens: u64) -> Door {
        let limited = (!self.claims.is_empty()).then_some(tokens);
        Door { index, standing: self.health.clone(), limited }
    }
}

fn limits(config: &Config) -> limiter::Settings {
    let (address, without_redis) = (config.redis.clone(), config.settings.limits_without_redis);
    limiter::Settings { address, without_redis, ..limiter::Settings::default() }
}

/// A deployment whose id stays may come to serve another model.
fn learned_under(deployment: &Deployment, model: &str) -> String {
    format!("{} {model}", deployment.id)
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(|e| e.into_inner())
}

impl Live {
    fn new(config: Config, lasting: &mut Lasting, clock: Clock) -> Live {
        let secret = config.master_key.as_ref().map_or("tollgate", |key| key.expose());
        let (credentials, of_deployments) = credentials::of(&config.deployments, &mut lasting.credentials);
        let deployments = config.deployments.iter().zip(of_deployments);
        let abilities = deployments.map(|(deployment, credential)| Abilities {
            known: Mutex::default(),
            calibration: lasting.calibrations.entry(deployment.id.clone()).or_default().clone(),
            health: lasting.standing(&config, deployment),
            credential,
            gate: lasting.gates.entry(deployment.group.clone()).or_insert_with(|| Arc::new(Gate::new(clock))).clone(),
            check: lasting.checks.entry(deployment.id.clone()).or_default().clone(),
            shared_name: rests::shared_name(deployment),
            claims: bounds::claims(&config, deployment),
            pots: bounds::pots(&config, deployment),
            retries: lasting.retries.entry(deployment.group.clone()).or_default().clone(),
            no_counter: AtomicBool::new(false),
        });
        Live {
            seal: Seal::new(secret.as_bytes()),
            abilities: abilities.collect(),
            credentials,
            groups: ArcSwap::from_pointee(config.access_groups.clone()),
            gateway: Scope {
                kind: ScopeKind::Gateway,
                id: String::new(),
                grants: Grants {
                    addresses: config.settings.addresses.clone(),
                    routes: config.settings.routes.clone(),
                    ..Grants::default()
                },
                limits: config.settings.limits.clone(),
            },
            checks: Semaphore::new(config.settings.checks.concurrency),
            config,
        }
    }

    pub fn credential_of(&self, index: usize) -> &Credential {
        &self.credentials[self.abilities[index].credential]
    }

    /// How a deployment stands for a request with so many tokens, with what its credential adds.
    pub fn standing(&self, index: usize, now_ms: u64, tokens: u64) -> Standing {
        let own = {
            let health = self.abilities[index].health();
            Standing { at_limit: health.closed(now_ms, tokens).is_some(), ..health.standing(now_ms) }
        };
        own.with_credential(self.credential_of(index).health().rest(now_ms))
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
