//! The blocks beside `model_list:`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use tollgate_policy::route::Alias;
use tollgate_store::shared::Address;

use super::capture;
use super::context::{Context, Resolved};
use super::deployment::Defaults;
use super::known::{GENERAL_SETTINGS, LITELLM_SETTINGS, ROUTER_SETTINGS, TOLLGATE_SETTINGS};
use super::limits;
use super::model::{CatchAll, FairQueue, HealthChecks, MidStream, Settings};
use super::pass_through;
use super::problem::Pos;
use super::redis;
use super::retention;
use super::rewrite;
use super::routing::{self, Routing};
use super::secret::Secret;
use super::section::Section;
use super::sign_in;
use super::vertex;
use super::yaml::{Map, Value};
use crate::http::percent_encode;
use crate::kept::KeptRules;

/// As LiteLLM's router does when nothing is said.
const NUM_RETRIES: u32 = 2;

/// LiteLLM's documentation uses it in every example.
const WELL_KNOWN_MASTER_KEY: &str = "sk-1234";

/// A name with the place where it is used, for checks once all routes are known.
#[derive(Debug)]
pub struct Mention {
    pub name: String,
    pub at: Pos,
    pub path: String,
    /// A name that leads nowhere is an error; else it is only worth a warning.
    pub binding: bool,
}

#[derive(Debug, Default)]
pub struct Read {
    pub defaults: Defaults,
    pub aliases: Vec<Alias>,
    pub master_key: Option<Secret>,
    pub database: Option<Secret>,
    pub settings: Settings,
    pub routing: Routing,
    pub redis: Option<Address>,
    /// Names of routes that must exist.
    pub mentions: Vec<Mention>,
}

/// Reads `environment_variables:` into the context, before anything refers to them.
pub fn environment(cx: &Context<'_>, root: &Section<'_, '_>) {
    let Some(section) = root.section("environment_variables") else { return };
    let mut own = BTreeMap::new();
    for entry in &section.map.entries {
        let path = section.path_of(&entry.key);
        match cx.resolve(&entry.node) {
            Resolved::Text(text) => {
                own.insert(entry.key.clone(), Secret::new(text));
            }
            Resolved::Missing(name) => cx.missing_variable(entry.node.at, &path, &name),
            Resolved::Structure => section.wrong(&entry.node, &entry.key, "text"),
        }
    }
    cx.set_own_environment(own);
}

pub fn read(cx: &Context<'_>, root: &Section<'_, '_>) -> Read {
    let mut read = Read::default();
    credentials(root, &mut read.defaults);
    litellm(root, &mut read);
    router(root, &mut read);
    read.redis = read.redis.take().or_else(|| redis::of_environment(cx, root.at));
    general(cx, root, &mut read);
    tollgate(root, &mut read);
    read
}

fn credentials(root: &Section<'_, '_>, defaults: &mut Defaults) {
    for (index, node) in root.list("credential_list").iter().enumerate() {
        let path = format!("credential_list[{index}]");
        let Some(item) = Section::of(root.cx, node, &path) else { continue };
        let (name, values) = (item.text("credential_name"), item.section("credential_values"));
        item.take("credential_info");
        match (name, values) {
            (Some(name), Some(values)) => {
                defaults.credentials.insert(name, values.map);
            }
            _ => root.cx.error(
                node.at,
                &path,
                "needs `credential_name` and `credential_values`",
                "see docs/config.md, credentials",
            ),
        }
    }
}

fn litellm(root: &Section<'_, '_>, read: &mut Read) {
    let defaults = &mut read.defaults;
    defaults.num_retries = NUM_RETRIES;
    let Some(section) = root.section("litellm_settings") else { return };
    defaults.drop_params = section.bool("drop_params").unwrap_or(false);
    defaults.entra = section.bool("enable_azure_ad_token_refresh").unwrap_or(false);
    defaults.vertex =
        vertex::Defaults { project: section.text("vertex_project"), location: section.text("vertex_location") };
    defaults.timeout = section.seconds("request_timeout");
    defaults.num_retries = section.small_count("num_retries").unwrap_or(NUM_RETRIES);
    if let Some(aliases) = section.section("model_alias_map") {
        read_aliases(&aliases, read);
    }
    read.settings.end_user_budget = section.text("max_end_user_budget_id");
    limits::read_budget(&section, &mut read.settings.limits);
    read.settings.tag_budgets = limits::named_budgets(&section, "tag_budget_config");
    routing::read_shared(&section, &mut read.routing, &mut read.mentions);
    section.finish(&LITELLM_SETTINGS);
}

fn router(root: &Section<'_, '_>, read: &mut Read) {
    let Some(section) = root.section("router_settings") else { return };
    let defaults = &mut read.defaults;
    defaults.timeout = section.seconds("timeout").or(defaults.timeout);
    defaults.stream_timeout = section.seconds("stream_timeout");
    defaults.num_retries =
        section.small_count("num_retries").or(section.small_count("max_retries")).unwrap_or(defaults.num_retries);
    defaults.max_parallel = section.small_count("default_max_parallel_requests");
    defaults.params = section.section("default_litellm_params").map(|params| params.map).unwrap_or_default();
    if let Some(aliases) = section.section("model_group_alias") {
        read_aliases(&aliases, read);
    }
    routing::read_router(&section, &mut read.routing, &mut read.mentions);
    if section.bool("enable_mid_stream_fallback_continuation").unwrap_or(false) {
        read.settings.mid_stream = MidStream::Continue;
    }
    read.settings.provider_budgets = limits::named_budgets(&section, "provider_budget_config");
    read.redis = redis::of_router(&section);
    section.finish(&ROUTER_SETTINGS);
}

/// `alias: route` or `alias: {model: route, hidden: true}`.
fn read_aliases(section: &Section<'_, '_>, read: &mut Read) {
    for entry in &section.map.entries {
        let path = section.path_of(&entry.key);
        let (target, hidden) = match &entry.node.value {
            Value::Map(_) => {
                let Some(detail) = Section::of(section.cx, &entry.node, &path) else { continue };
                (detail.text("model"), detail.bool("hidden").unwrap_or(false))
            }
            _ => (section.text(&entry.key), false),
        };
        let Some(target) = target else {
            section.cx.error(
                entry.node.at,
                &path,
                "names no route",
                "write `alias: ROUTE` or `alias: {model: ROUTE, hidden: true}`",
            );
            continue;
        };
        read.mentions.push(Mention { name: target.clone(), at: entry.node.at, path, binding: true });
        read.aliases.push(Alias { name: entry.key.clone(), target, hidden });
    }
}

fn general(cx: &Context<'_>, root: &Section<'_, '_>, read: &mut Read) {
    let section = root.section("general_settings");
    if let Some(section) = &section {
        read.master_key = master_key(section);
        read.database = database(cx, section);
        section.take("dangerously_permit_weak_or_unset_master_key");
        read.settings.max_request_bytes =
            section.count("max_request_size_mb").and_then(|mb| usize::try_from(mb).ok()?.checked_mul(1 << 20));
        read.settings.checks = health_checks(section);
        read.settings.sign_in = sign_in::read(section).map(Arc::new);
        read.settings.addresses = sign_in::texts(section, "allowed_ips");
        read.settings.routes = sign_in::texts(section, "allowed_routes");
        read.settings.retention = retention::read(section);
        read.settings.pass_through = pass_through::read(section);
        limits::read_general(section, &mut read.settings.limits, &mut read.settings.limits_without_redis);
        section.finish(&GENERAL_SETTINGS);
    }
    if read.master_key.is_none() {
        read.master_key = master_key_of_environment(cx);
    }
    if read.database.is_none() {
        read.database = database_of_environment(cx, root.at);
    }
}

fn database(cx: &Context<'_>, section: &Section<'_, '_>) -> Option<Secret> {
    let at = section.entry("database_url").map_or(section.at, |entry| entry.node.at);
    let url = section.text("database_url").filter(|url| !url.trim().is_empty())?;
    postgres_url(cx, &url, at, &section.path_of("database_url"))
}

pub fn database_of_environment(cx: &Context<'_>, at: Pos) -> Option<Secret> {
    match cx.variable("DATABASE_URL") {
        Some(url) => postgres_url(cx, &url, at, "DATABASE_URL"),
        None => database_in_parts(cx).map(Secret::new),
    }
}

/// As LiteLLM's charts give it (1.109.1). The host may have a port.
fn database_in_parts(cx: &Context<'_>) -> Option<String> {
    let part = |name: &str| cx.variable(&format!("DATABASE_{name}")).map(|text| text.trim().to_string());
    let (host, user, name) = (part("HOST")?, part("USERNAME")?, part("NAME")?);
    let password = part("PASSWORD").map(|password| format!(":{}", percent_encode(&password))).unwrap_or_default();
    Some(format!("postgres://{}{password}@{host}/{}", percent_encode(&user), percent_encode(&name)))
}

/// The URL itself is never shown: it holds a password.
fn postgres_url(cx: &Context<'_>, url: &str, at: Pos, path: &str) -> Option<Secret> {
    let url = url.trim();
    if url.starts_with("postgres://") || url.starts_with("postgresql://") {
        return Some(Secret::new(url));
    }
    let hint = "write postgres://USER:PASSWORD@HOST:5432/NAME, or leave it out to use a file in the data directory";
    cx.error(at, path, "is no address of a PostgreSQL database", hint);
    None
}

/// What credentials in the database are sealed with.
pub fn salt_key(cx: &Context<'_>) -> Option<Secret> {
    let key = cx.variable("TOLLGATE_SALT_KEY").or_else(|| cx.variable("LITELLM_SALT_KEY"))?;
    Some(Secret::new(key.trim()))
}

fn health_checks(section: &Section<'_, '_>) -> HealthChecks {
    let standard = HealthChecks::default();
    let at_once = section.small_count("health_check_concurrency").and_then(|n| usize::try_from(n).ok());
    HealthChecks {
        background: section.bool("background_health_checks").unwrap_or(standard.background),
        interval: section.seconds("health_check_interval").unwrap_or(standard.interval),
        concurrency: at_once.filter(|n| *n > 0).unwrap_or(standard.concurrency),
        details: section.bool("health_check_details").unwrap_or(standard.details),
    }
}

pub fn master_key_of_environment(cx: &Context<'_>) -> Option<Secret> {
    let key = cx.variable("TOLLGATE_MASTER_KEY").or_else(|| cx.variable("LITELLM_MASTER_KEY"))?;
    Some(Secret::new(key.trim()))
}

fn master_key(section: &Section<'_, '_>) -> Option<Secret> {
    let cx = section.cx;
    let node = section.take("master_key")?;
    let path = section.path_of("master_key");
    let key = match cx.resolve(node) {
        Resolved::Text(key) if key.trim().is_empty() => return None,
        Resolved::Text(key) => key.trim().to_string(),
        Resolved::Missing(name) => {
            // Starting without a key what was meant to have one would open it to everyone.
            cx.error(
                node.at,
                &path,
                format!("the environment variable {name} is not set"),
                format!("set {name}, or remove `master_key`"),
            );
            return None;
        }
        Resolved::Structure => {
            section.wrong(node, "master_key", "text");
            return None;
        }
    };
    if key == WELL_KNOWN_MASTER_KEY {
        cx.warning(
            node.at,
            &path,
            "this is the example key that everybody knows",
            "write a key of your own, such as the output of `openssl rand -hex 24`",
        );
    }
    Some(Secret::new(key))
}

fn tollgate(root: &Section<'_, '_>, read: &mut Read) {
    let Some(section) = root.section("tollgate_settings") else { return };
    if let Some(tiers) = section.section("catch_all") {
        let mut of = |key: &str| {
            let name = tiers.text(key)?;
            let at = tiers.entry(key).map_or(tiers.at, |entry| entry.node.at);
            read.mentions.push(Mention { name: name.clone(), at, path: tiers.path_of(key), binding: true });
            Some(name)
        };
        read.settings.catch_all =
            CatchAll { haiku: of("haiku"), sonnet: of("sonnet"), opus: of("opus"), default: of("default") };
        for entry in tiers.rest() {
            root.cx.unknown_part(&["haiku", "sonnet", "opus", "default"], &entry, &tiers.path_of(&entry.key));
        }
    }
    read.settings.commit_after = section.count("commit_after_ms").map(Duration::from_millis);
    if let Some(ms) = section.count("hold_ms") {
        read.settings.hold = Duration::from_millis(ms);
    }
    if let Some(events) = section.count("hold_events") {
        read.settings.hold_events = usize::try_from(events).unwrap_or(usize::MAX);
    }
    let words = [("error", MidStream::Error), ("continue", MidStream::Continue)];
    if let Some(mid_stream) = section.choice("mid_stream", &words) {
        read.settings.mid_stream = mid_stream;
    }
    if let Some(time) = section.seconds("model_gone_s") {
        read.routing.rests.gone_for = time;
    }
    read.settings.zone = zone(&section);
    read.settings.forgets_answers = section.bool("idempotency") == Some(false);
    if section.bool("session_affinity") == Some(false) {
        read.routing.affinity = None;
    }
    if let Some(queue) = section.section("fair_queue") {
        read.settings.fair_queue = fair_queue(&queue);
    }
    if let Some(kept) = section.section("responses") {
        read.settings.responses = kept_rules(&kept);
    }
    let rules = section.list("rewrite");
    read.settings.rewrite = rewrite::read(root.cx, &rules, &section.path_of("rewrite"));
    read.settings.capture = capture::read(&section);
    limits::read(&section, &mut read.settings.limits, &mut read.settings.limits_without_redis);
    section.finish(&TOLLGATE_SETTINGS);
}

fn fair_queue(section: &Section<'_, '_>) -> FairQueue {
    let standard = FairQueue::default();
    let most = section.count("max_waiting").map(|most| usize::try_from(most).unwrap_or(usize::MAX));
    let queue = FairQueue {
        max_waiting: most.unwrap_or(standard.max_waiting),
        max_wait: section.seconds("max_wait_s").unwrap_or(standard.max_wait),
    };
    for entry in section.rest() {
        section.cx.unknown_part(&["max_waiting", "max_wait_s"], &entry, &section.path_of(&entry.key));
    }
    queue
}

fn kept_rules(section: &Section<'_, '_>) -> KeptRules {
    let standard = KeptRules::default();
    let days = |days: u64| Duration::from_secs(days.saturating_mul(24 * 60 * 60));
    let rules = KeptRules {
        time: section.count("keep_days").map_or(standard.time, days),
        max_bytes: section.count("max_mb").map_or(standard.max_bytes, |mb| mb.saturating_mul(1 << 20)),
    };
    for entry in section.rest() {
        section.cx.unknown_part(&["keep_days", "max_mb"], &entry, &section.path_of(&entry.key));
    }
    rules
}

fn zone(section: &Section<'_, '_>) -> Option<TimeZone> {
    let at = section.entry("timezone").map_or(section.at, |entry| entry.node.at);
    let name = section.text("timezone")?;
    let zone = TimeZone::get(name.trim());
    let unknown = |_| {
        let hint = "write a name of the IANA database, such as `Europe/Berlin` or `UTC`";
        section.cx.error(at, &section.path_of("timezone"), format!("`{name}` is no time zone"), hint);
    };
    zone.map_err(unknown).ok()
}

/// Blocks that are known but have no effect yet, and keys that are no blocks.
pub fn finish(root: &Section<'_, '_>) {
    root.take("include");
    root.take("model_list");
    let empty = |map: &Map| map.entries.is_empty();
    for entry in root.rest() {
        let nothing = match &entry.node.value {
            Value::Null => true,
            Value::List(items) => items.is_empty(),
            Value::Map(map) => empty(map),
            _ => false,
        };
        if !nothing || !super::known::TOP_LEVEL.contains(&entry.key) {
            let path = entry.key.clone();
            if super::known::TOP_LEVEL.contains(&entry.key) {
                root.cx.not_implemented(&super::known::TOP_LEVEL, &entry, &path);
            } else {
                root.cx.unknown_key(&super::known::TOP_LEVEL, &entry, &path);
            }
        }
    }
}
