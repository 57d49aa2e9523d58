//! How deployments are chosen, how failures are met: `router_settings:` and the same keys in `litellm_settings:`.

use std::collections::HashMap;
use std::time::Duration;

use tollgate_policy::balance::Strategy;
use tollgate_policy::failover::{Class, Trouble};
use tollgate_policy::fallback::Fallbacks;
use tollgate_policy::health::RestRules;
use tollgate_policy::nearest::nearest;
use tollgate_policy::retry::RetryPolicy;

use super::section::Section;
use super::settings::Mention;
use super::yaml::{Node, Value};

/// As LiteLLM's `deployment_affinity_ttl_seconds`.
const AFFINITY_FOR: Duration = Duration::from_secs(3600);

#[derive(Clone, Debug)]
pub struct Routing {
    pub strategy: Strategy,
    pub retries: RetryPolicy,
    /// `model_group_retry_policy`.
    pub retries_of_group: HashMap<String, RetryPolicy>,
    /// `retry_after`: the shortest pause before a retry.
    pub shortest_pause: Duration,
    pub rests: RestRules,
    pub fallbacks: Fallbacks,
    /// `enforce_model_rate_limits`: the rates of deployments hold, and do not only decide who is asked first.
    pub enforces_rates: bool,
    /// Tags of requests decide; `true`: one tag in common is enough.
    pub tags: Option<bool>,
    /// A conversation stays with its deployment for this long after its last answer; `None`: it does not.
    pub affinity: Option<Duration>,
}

impl Default for Routing {
    fn default() -> Self {
        Routing {
            strategy: Strategy::default(),
            retries: RetryPolicy::default(),
            retries_of_group: HashMap::new(),
            shortest_pause: Duration::ZERO,
            rests: RestRules::default(),
            fallbacks: Fallbacks::default(),
            enforces_rates: false,
            tags: None,
            affinity: Some(AFFINITY_FOR),
        }
    }
}

impl Routing {
    pub fn retries_of(&self, group: &str) -> &RetryPolicy {
        self.retries_of_group.get(group).unwrap_or(&self.retries)
    }
}

/// Keys that both blocks have; the router's are read last and go before.
pub fn read_shared(section: &Section<'_, '_>, routing: &mut Routing, mentions: &mut Vec<Mention>) {
    let rests = &mut routing.rests;
    if let Some(fails) = section.small_count("allowed_fails") {
        rests.allowed_fails = fails;
    }
    if let Some(time) = section.span("cooldown_time") {
        rests.cooldown = time;
    }
    let lists = [
        ("fallbacks", Trouble::General),
        ("context_window_fallbacks", Trouble::ContextWindow),
        ("content_policy_fallbacks", Trouble::ContentPolicy),
    ];
    for (key, trouble) in lists {
        read_fallbacks(section, key, trouble, &mut routing.fallbacks, mentions);
    }
    let path = section.path_of("default_fallbacks");
    let default: Vec<String> =
        section.list("default_fallbacks").iter().filter_map(|node| target(section, node, &path, mentions)).collect();
    routing.fallbacks.add_default(default);
}

pub fn read_router(section: &Section<'_, '_>, routing: &mut Routing, mentions: &mut Vec<Mention>) {
    read_shared(section, routing, mentions);
    if let Some(strategy) = section.choice("routing_strategy", &Strategy::NAMES) {
        routing.strategy = strategy;
    }
    if let Some(most) = section.count("max_fallbacks") {
        routing.fallbacks.max = usize::try_from(most).unwrap_or(usize::MAX);
    }
    if let Some(pause) = section.span("retry_after") {
        routing.shortest_pause = pause;
    }
    if section.bool("disable_cooldowns").unwrap_or(false) {
        routing.rests.disabled = true;
    }
    if section.bool("enable_tag_filtering").unwrap_or(false) {
        routing.tags = Some(true);
    }
    if section.bool("tag_filtering_match_any") == Some(false) && routing.tags.is_some() {
        routing.tags = Some(false);
    }
    if let Some(time) = section.seconds("deployment_affinity_ttl_seconds") {
        routing.affinity = Some(time);
    }
    // Always so here: prompts that cannot fit are not sent, a failover keeps to the shares, conversations stay where they are,
    // and what a health check finds counts like what a request finds.
    section.bool("enable_health_check_routing");
    section.bool("enable_pre_call_checks");
    section.bool("enable_weighted_failover");
    routing.enforces_rates = reads_checks(section);
    if let Some(policy) = section.section("retry_policy") {
        routing.retries = retry_policy(&policy);
    }
    if let Some(groups) = section.section("model_group_retry_policy") {
        for entry in &groups.map.entries {
            if let Some(policy) = groups.section(&entry.key) {
                routing.retries_of_group.insert(entry.key.clone(), retry_policy(&policy));
            }
        }
    }
    if let Some(policy) = section.section("allowed_fails_policy") {
        routing.rests.allowed_fails_by_class = by_class(&policy, "AllowedFails");
        rest_of_policy(&policy, "AllowedFails");
    }
}

/// LiteLLM's list of checks (1.109.1, `OptionalPreCallChecks`). True if one of them is that of the deployments' rates; what the others are for is always
/// done here, or not at all.
fn reads_checks(section: &Section<'_, '_>) -> bool {
    const KEY: &str = "optional_pre_call_checks";
    const ENFORCE: &str = "enforce_model_rate_limits";
    const OTHERS: [&str; 7] = [
        "prompt_caching",
        "router_budget_limiting",
        "responses_api_deployment_check",
        "deployment_affinity",
        "session_affinity",
        "forward_client_headers_by_model_group",
        "encrypted_content_affinity",
    ];
    let mut enforces = false;
    for node in section.list(KEY) {
        match text(section, &node) {
            Some(name) if name == ENFORCE => enforces = true,
            Some(name) if OTHERS.contains(&name.as_str()) => {}
            named => {
                let known = OTHERS.into_iter().chain([ENFORCE]);
                let near = nearest(named.as_deref().unwrap_or_default(), known, 1).first().copied().unwrap_or(ENFORCE);
                let hint = format!("did you mean `{near}`?");
                section.cx.warning(node.at, &section.path_of(KEY), "is no known check and has no effect", hint);
            }
        }
    }
    enforces
}

fn retry_policy(policy: &Section<'_, '_>) -> RetryPolicy {
    let mut by_class = by_class(policy, "Retries");
    if let Some(at) = by_class.iter().position(|(class, retries)| *class == Class::BadRequest && *retries > 0) {
        by_class.remove(at);
        let key = "BadRequestErrorRetries";
        let at = policy.entry(key).map_or(policy.at, |entry| entry.at);
        let hint = "take it out; what a refusal teaches is repaired and sent once more by itself";
        policy.cx.warning(at, &policy.path_of(key), "a request that is itself at fault is never sent again", hint);
    }
    let default = policy.small_count("DefaultRetries");
    rest_of_policy(policy, "Retries");
    RetryPolicy { default, by_class }
}

fn by_class(policy: &Section<'_, '_>, end: &str) -> Vec<(Class, u32)> {
    let of = |class: Class| Some((class, policy.small_count(&format!("{}{end}", class.key()))?));
    Class::ALL.into_iter().filter_map(of).collect()
}

fn rest_of_policy(policy: &Section<'_, '_>, end: &str) {
    for entry in policy.rest() {
        let known = Class::ALL.map(|class| format!("{}{end}", class.key())).join(", ");
        policy.cx.warning(
            entry.at,
            &policy.path_of(&entry.key),
            "is no class of failures",
            format!("the classes are {known}"),
        );
    }
}

/// `fallbacks: [{route: [other, …]}, …]`; a map in place of the list is understood too.
fn read_fallbacks(
    section: &Section<'_, '_>,
    key: &str,
    trouble: Trouble,
    fallbacks: &mut Fallbacks,
    mentions: &mut Vec<Mention>,
) {
    let path = section.path_of(key);
    let items: Vec<Node> = match section.take(key) {
        None => return,
        Some(node) => match &node.value {
            Value::List(items) => items.clone(),
            _ => vec![node.clone()],
        },
    };
    for (index, item) in items.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let Value::Map(map) = &item.value else {
            section.cx.error(
                item.at,
                &path,
                format!("must be a map from a route to its fallbacks, but is {}", item.value.kind()),
                format!("write `- ROUTE: [OTHER]`, or `{}` for every route", "default_fallbacks: [OTHER]"),
            );
            continue;
        };
        for entry in &map.entries {
            let path = format!("{path}.{}", entry.key);
            let named = match &entry.node.value {
                Value::List(items) => items.clone(),
                _ => vec![entry.node.clone()],
            };
            let targets: Vec<String> = named.iter().filter_map(|node| target(section, node, &path, mentions)).collect();
            if !entry.key.contains('*') {
                mentions.push(Mention { name: entry.key.clone(), at: entry.at, path: path.clone(), binding: false });
            }
            fallbacks.add(trouble, &entry.key, targets);
        }
    }
}

/// A route's name, or a map with `model`.
fn target(section: &Section<'_, '_>, node: &Node, path: &str, mentions: &mut Vec<Mention>) -> Option<String> {
    let name = match &node.value {
        Value::Map(map) => map.get("model").and_then(|model| text(section, model)),
        _ => text(section, node),
    };
    match &name {
        Some(name) => {
            mentions.push(Mention { name: name.clone(), at: node.at, path: path.to_string(), binding: true });
        }
        None => section.cx.error(node.at, path, "names no route", "write the `model_name` of an entry of `model_list`"),
    }
    name
}

fn text(section: &Section<'_, '_>, node: &Node) -> Option<String> {
    match section.cx.resolve(node) {
        super::context::Resolved::Text(text) if !text.trim().is_empty() => Some(text),
        _ => None,
    }
}
