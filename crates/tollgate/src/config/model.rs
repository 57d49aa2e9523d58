//! What a configuration comes down to: the only form in which the rest of the gateway sees it. No value is looked up in the
//! environment or a file after this.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderName, HeaderValue, Uri};
use jiff::tz::TimeZone;
use tollgate_dialect::json::Json;
use tollgate_dialect::operation::Host;
use tollgate_dialect::quirks::{Api, Quirks};
use tollgate_dialect::{Dialect, in_path};
use tollgate_policy::access;
use tollgate_policy::authorise::AccessGroups;
use tollgate_policy::glob::Glob;
use tollgate_policy::health::Limits;
use tollgate_policy::price::Price;
/// Routes for `claude-*` names that no route has.
pub use tollgate_policy::route::CatchAll;
use tollgate_policy::route::RouteTable;
use tollgate_store::limiter::WithoutRedis;
use tollgate_store::shared::Address;

use super::bedrock;
use super::deployment::Defaults;
use super::identity::Identity;
use super::pass_through::PassThrough;
use super::rewrite::RewriteRule;
use super::routing::Routing;
use super::secret::Secret;
use super::sign_in::SignIn;
use super::vertex;
use crate::kept::KeptRules;

#[derive(Clone, Debug)]
pub struct Config {
    pub deployments: Vec<Deployment>,
    /// So many of them are of the files; those after them were added while the gateway ran.
    pub own: usize,
    /// What holds for deployments that do not say otherwise.
    pub defaults: Arc<Defaults>,
    /// Client-visible names to indexes of `deployments`.
    pub routes: RouteTable,
    pub master_key: Option<Secret>,
    /// `general_settings.database_url`: PostgreSQL; `None`: a file of our own.
    pub database: Option<Secret>,
    /// What stored credentials are sealed with, if not with the master key: `TOLLGATE_SALT_KEY` or `LITELLM_SALT_KEY`.
    pub salt_key: Option<Secret>,
    /// `model_info.access_groups`, by group.
    pub access_groups: AccessGroups,
    pub settings: Settings,
    pub routing: Routing,
    /// Where replicas share what they know of deployments.
    pub redis: Option<Address>,
    /// `environment_variables:` of the file; read by the resolver before the process environment.
    pub environment: BTreeMap<String, Secret>,
}

#[derive(Clone, Debug)]
pub struct Deployment {
    /// `model_info.id`, or a stable hash of the parameters.
    pub id: String,
    /// The route it belongs to: `model_name`.
    pub group: String,
    /// The provider's row in the registry.
    pub provider: String,
    /// The provider that `model` names. By its address it may be another one: `openai/x` is spoken by many.
    pub written_provider: String,
    /// The provider's name for the model. With a wildcard in it (`*`), the matched text is put there.
    pub model: String,
    pub dialect: Dialect,
    /// `api_mode` leaves open by which of OpenAI's two APIs the model is called. `dialect` is chat then.
    pub either_api: bool,
    /// The provider is known to have the Responses API.
    pub has_responses: bool,
    /// With neither path of the dialect nor trailing slash.
    pub base_url: Uri,
    /// The credential's header, value included. `None`: the provider takes none.
    pub credential: Option<(HeaderName, Secret)>,
    /// In place of a `credential`: who signs in, and how.
    pub identity: Option<Identity>,
    pub paths: Paths,
    /// The configuration names a key that is not there, of a provider that may work without one.
    pub credential_missing: bool,
    /// Further headers, from the registry, `headers:` and `extra_headers:`.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Provider row, overlaid by the model's row, overlaid by the config.
    pub quirks: Quirks,
    /// What the configuration alone says about capabilities; see [`Deployment::capabilities_for`].
    pub overlay: toml::Table,
    pub max_output_tokens: Option<u64>,
    /// Tokens of prompt and answer together, where known.
    pub context_window: Option<u64>,
    pub force_stream: ForceStream,
    pub drop_params: bool,
    /// `additional_drop_params`: always dropped.
    pub drop_always: Vec<String>,
    /// OpenAI parameters given in `litellm_params`: defaults, the request wins.
    pub defaults: Vec<(String, Json<'static>)>,
    /// `extra_body` and unknown keys of `litellm_params`: set on the upstream body.
    pub extra_body: Vec<(String, Json<'static>)>,
    pub timeouts: Timeouts,
    pub num_retries: u32,
    pub weight: Option<u32>,
    /// Its part of the route's traffic: its weight, else its limit of requests or tokens.
    pub share: u32,
    pub limits: Limits,
    /// Its own rates, in force where `enforce_model_rate_limits` is set, and its own budget.
    pub bounds: access::Limits,
    /// `cooldown_time`, where it has one of its own.
    pub cooldown: Option<Duration>,
    pub tags: Vec<String>,
    /// Groups whose members may call its route.
    pub access_groups: Vec<String>,
    /// Lower goes first. Without one a deployment comes after all that have one.
    pub order: u32,
    pub price: Option<Price>,
    pub check: CheckRules,
}

/// In bytes.
const SHORTEST_SECRET: usize = 8;

impl Deployment {
    /// What is spoken to it for a client of this dialect, by what is known of it.
    pub fn dialect_for(&self, client: Dialect, quirks: &Quirks) -> Dialect {
        match quirks.api.filter(|_| self.either_api) {
            Some(Api::Responses) => Dialect::Responses,
            Some(Api::Chat) => Dialect::Chat,
            // The client's own words go on where they can.
            None if self.either_api && self.has_responses && client == Dialect::Responses => Dialect::Responses,
            None => self.dialect,
        }
    }

    /// The model that a health check asks for; `None`: a wildcard stands for no model in particular,
    /// and a model that does not converse cannot be asked.
    pub fn checked_model(&self) -> Option<&str> {
        let model = self.check.model.as_deref().unwrap_or(&self.model);
        (self.check.possible && !model.contains('*')).then_some(model)
    }

    /// Where a call of a model goes.
    pub fn address(&self, dialect: Dialect, model: &str, stream: bool) -> String {
        match self.paths {
            Paths::OfPublisher => self.url(&vertex::path(dialect, model, stream)),
            Paths::OfModel if dialect == Dialect::Messages => self.url(&bedrock::path(model, stream)),
            Paths::Plain | Paths::OfDeployment(_) | Paths::OfModel => self.url(&dialect.path_for(model, stream)),
        }
    }

    /// Whose API it has, as far as endpoints go that are no conversation.
    pub fn host(&self) -> Option<Host> {
        match (self.dialect, &self.paths) {
            // Whoever has OpenAI's Responses has its other endpoints.
            (Dialect::Chat | Dialect::Responses, _) => Some(Host::OpenAi),
            (Dialect::Gemini, Paths::OfPublisher) => Some(Host::Vertex),
            (Dialect::Gemini, _) => Some(Host::Gemini),
            (Dialect::Converse | Dialect::Messages, Paths::OfModel) => Some(Host::Bedrock),
            (Dialect::Converse | Dialect::Messages, _) => None,
        }
    }

    /// Where a method of a model is called: `embedContent`, or a path of OpenAI's.
    pub fn address_of_method(&self, model: &str, method: &str) -> String {
        match (self.dialect, &self.paths) {
            (Dialect::Chat | Dialect::Responses, _) => self.url(method),
            (_, Paths::OfPublisher) => self.url(&vertex::path_of_method(model, method)),
            (_, Paths::OfModel) => self.url(&bedrock::path_of_method(model, method)),
            _ => self.url(&format!("{}/{}:{method}", Dialect::Gemini.path(), in_path(model))),
        }
    }

    /// The address of a path such as [`Dialect::path_for`], with a query that `api_base` may have.
    pub fn url(&self, path: &str) -> String {
        let whole = self.base_url.to_string();
        let (base, query) = whole.split_once('?').map_or((whole.as_str(), None), |(base, query)| (base, Some(query)));
        let mut url = base.trim_end_matches('/').to_string();
        if let Paths::OfDeployment(name) = &self.paths
            && OF_DEPLOYMENT.contains(&path)
        {
            url.push_str("/deployments/");
            url.push_str(name);
        }
        url.push_str(path);
        let join = if path.contains('?') { '&' } else { '?' };
        query.map_or(url.clone(), |query| format!("{url}{join}{query}"))
    }

    /// What must not be shown although an upstream quotes it: the key, and what the configuration puts into headers and into
    /// the address. Texts shorter than [`SHORTEST_SECRET`], such as the `none` that local servers take for a key, are no secrets, and taking them
    /// out would spoil messages.
    pub fn secrets(&self) -> impl Iterator<Item = &str> {
        let key = self.credential.as_ref().map(|(_, secret)| secret.expose());
        let headers = self.headers.iter().filter(|(_, value)| value.is_sensitive());
        let headers = headers.filter_map(|(_, value)| value.to_str().ok());
        let query = self.base_url.query().unwrap_or("").split('&').filter_map(|pair| pair.split_once('='));
        let others = headers.chain(query.map(|(_, value)| value));
        let identity = self.identity.iter().flat_map(Identity::secrets);
        let bare =
            key.into_iter().chain(identity).chain(others).map(|text| text.strip_prefix("Bearer ").unwrap_or(text));
        bare.filter(|secret| secret.len() >= SHORTEST_SECRET)
    }

    /// For messages to people: the address without user names, passwords and queries.
    pub fn shown_url(&self) -> String {
        let host = self.base_url.authority().map_or("", |a| a.as_str().rsplit('@').next().unwrap_or_default());
        format!(
            "{}://{host}{}",
            self.base_url.scheme_str().unwrap_or("https"),
            self.base_url.path().trim_end_matches('/')
        )
    }
}

/// How the paths of a provider's API follow its address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Paths {
    #[default]
    Plain,
    /// Azure's classic API: those of [`OF_DEPLOYMENT`] stand below the deployment of this name.
    OfDeployment(String),
    /// Bedrock: the model stands in the path.
    OfModel,
    /// Vertex AI: the model's publisher and the model stand in the path.
    OfPublisher,
}

/// The other paths of the classic API stand beside the deployments (openai-python 3.52.0, `lib/azure.py`).
const OF_DEPLOYMENT: [&str; 8] = [
    "/chat/completions",
    "/completions",
    "/embeddings",
    "/audio/transcriptions",
    "/audio/translations",
    "/audio/speech",
    "/images/generations",
    "/images/edits",
];

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ForceStream {
    /// Streams where the provider insists.
    #[default]
    Auto,
    Always,
    Never,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until the first byte of the answer: `timeout`, or `stream_timeout` for a stream. A one-piece answer has to end within it.
    pub first_byte: Duration,
    pub first_byte_stream: Duration,
    /// `stream_timeout` is given.
    pub of_streams: bool,
    /// Between two pieces of a stream: `stream_timeout`, else `timeout` where that is shorter than the standard.
    pub idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Timeouts {
            first_byte: Duration::from_secs(600),
            first_byte_stream: Duration::from_secs(600),
            of_streams: false,
            idle: Duration::from_secs(300),
        }
    }
}

/// How a deployment is checked, from its `model_info`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckRules {
    /// Not with `disable_background_health_check`.
    pub in_background: bool,
    /// `mode` is one of conversation.
    pub possible: bool,
    /// `health_check_model`, as the provider calls it.
    pub model: Option<String>,
    /// `health_check_timeout`: for the whole check.
    pub timeout: Duration,
}

impl Default for CheckRules {
    fn default() -> Self {
        // LiteLLM 1.109.1: HEALTH_CHECK_TIMEOUT_SECONDS 60.
        CheckRules { in_background: true, possible: true, model: None, timeout: Duration::from_secs(60) }
    }
}

/// How deployments are checked, from `general_settings`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HealthChecks {
    /// `background_health_checks`.
    pub background: bool,
    /// `health_check_interval`: between two checks of a deployment, more or less.
    pub interval: Duration,
    /// `health_check_concurrency`: checks at once.
    pub concurrency: usize,
    /// `health_check_details`: `/health` shows addresses and what is left of the provider's limits.
    pub details: bool,
}

impl Default for HealthChecks {
    fn default() -> Self {
        HealthChecks { background: false, interval: Duration::from_secs(300), concurrency: 8, details: true }
    }
}

/// How many may wait for a route's deployments, and how long: `tollgate_settings.fair_queue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FairQueue {
    pub max_waiting: usize,
    pub max_wait: Duration,
}

impl Default for FairQueue {
    fn default() -> Self {
        // Half of what SDKs wait for an answer (10 min): it still has time to come.
        FairQueue { max_waiting: 1000, max_wait: Duration::from_secs(300) }
    }
}

/// What follows when a stream breaks after the client has seen part of the answer.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum MidStream {
    /// An error event.
    #[default]
    Error,
    /// Another attempt goes on where the text stopped, if nothing but text was sent.
    Continue,
}

#[derive(Clone, Debug, Default)]
pub struct Settings {
    pub catch_all: CatchAll,
    pub rewrite: Vec<RewriteRule>,
    /// `tollgate_settings.commit_after_ms`.
    pub commit_after: Option<Duration>,
    /// `tollgate_settings.hold_ms` and `hold_events`: the start of a stream is held back until so much time has passed or so many
    /// events have come since its first content.
    pub hold: Duration,
    pub hold_events: usize,
    pub mid_stream: MidStream,
    pub fair_queue: FairQueue,
    /// `general_settings.max_request_size_mb`.
    pub max_request_bytes: Option<usize>,
    pub checks: HealthChecks,
    /// Of the whole gateway, for all callers: `tollgate_settings.limits`, `general_settings.global_max_parallel_requests`.
    pub limits: access::Limits,
    /// `router_settings.provider_budget_config`, by provider.
    pub provider_budgets: BTreeMap<String, access::Budget>,
    /// `litellm_settings.tag_budget_config`, by tag.
    pub tag_budgets: BTreeMap<String, access::Budget>,
    /// `litellm_settings.max_end_user_budget_id`: the named budget of customers who have none.
    pub end_user_budget: Option<String>,
    /// `tollgate_settings.timezone`: whose days and months budgets count in. `None`: UTC.
    pub zone: Option<TimeZone>,
    /// `tollgate_settings.limits_without_redis`, `general_settings.fail_closed_rate_limit_enforcement`.
    pub limits_without_redis: WithoutRedis,
    /// `general_settings.pass_through_endpoints`.
    pub pass_through: Vec<PassThrough>,
    /// `tollgate_settings.responses`.
    pub responses: KeptRules,
    /// `tollgate_settings.capture`; `None`: no body is ever stored.
    pub capture: Option<CaptureRules>,
    pub retention: Retention,
    /// `tollgate_settings.idempotency: false`: answers are not kept for clients that ask again.
    pub forgets_answers: bool,
    /// Tokens of an identity provider are taken in place of keys.
    pub sign_in: Option<Arc<SignIn>>,
    /// `general_settings.allowed_ips` and `allowed_routes`: from where, and for which paths, anybody may call. Empty: all.
    pub addresses: Vec<String>,
    pub routes: Vec<String>,
}

/// What becomes of old rows of the ledger: `general_settings.maximum_spend_logs_retention_period` and `…_interval`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Retention {
    /// `None`: all are kept.
    pub keep: Option<Duration>,
    pub look_every: Duration,
}

impl Default for Retention {
    fn default() -> Self {
        Retention { keep: None, look_every: Duration::from_secs(3_600) }
    }
}

/// Which requests are stored with their bodies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CaptureRules {
    /// Of these models, by the name that the client asks for; empty: of all.
    pub models: Vec<Glob>,
    /// Only those that failed, or of which an attempt failed.
    pub failures_only: bool,
    /// Only those whose client asks for it.
    pub on_request: bool,
    /// What all of them together may take on disk.
    pub max_bytes: u64,
}

impl Default for CaptureRules {
    fn default() -> Self {
        CaptureRules { models: Vec::new(), failures_only: false, on_request: false, max_bytes: 64 << 20 }
    }
}
