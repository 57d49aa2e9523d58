//! Limits and budgets of the whole gateway, of deployments, providers and tags, and what happens to limits while Redis is away.

use std::collections::BTreeMap;

use tollgate_policy::access::{Budget, Limits, Rates};
use tollgate_policy::window::Window;
use tollgate_store::limiter::WithoutRedis;

use super::section::Section;

const SHAPE: &str = "the limits are rpm_limit, tpm_limit, itpm_limit, otpm_limit, rpd_limit, tpd_limit and max_parallel_requests, and \
                     `models: {NAME: {…}}` has them for a model or for all of a pattern";

/// `general_settings`: LiteLLM's keys.
pub fn read_general(section: &Section<'_, '_>, limits: &mut Limits, without_redis: &mut WithoutRedis) {
    limits.rates.parallel_requests = section.count("global_max_parallel_requests");
    if section.bool("fail_closed_rate_limit_enforcement") == Some(true) {
        *without_redis = WithoutRedis::Refuse;
    }
}

/// `litellm_settings`: what all callers together may spend.
pub fn read_budget(section: &Section<'_, '_>, limits: &mut Limits) {
    // LiteLLM's documentation has `max_budget: 0` for none.
    limits.budget = budget(section, "max_budget", "budget_duration").filter(|budget| budget.max_nanos > 0);
}

/// An amount and its window. 0 is an amount.
pub fn budget(section: &Section<'_, '_>, amount: &str, window: &str) -> Option<Budget> {
    let (max_nanos, duration) = (section.dollars(amount), section.text(window));
    let window = match duration.as_deref().map(Window::from_duration) {
        None => Window::Total,
        Some(Ok(window)) => window,
        Some(Err(error)) => {
            let at = section.entry(window).map_or(section.at, |entry| entry.node.at);
            let hint = "write 1d, 7d, 30d, 1mo, or a number with s, m, h or d";
            section.cx.error(at, &section.path_of(window), error.to_string(), hint);
            return None;
        }
    };
    Some(Budget { max_nanos: max_nanos?, window })
}

/// `{NAME: {max_budget: 100, budget_duration: 1d}}`, or with LiteLLM's older names `budget_limit` and `time_period`.
pub fn named_budgets(section: &Section<'_, '_>, key: &str) -> BTreeMap<String, Budget> {
    let Some(all) = section.section(key) else { return BTreeMap::new() };
    let mut budgets = BTreeMap::new();
    for entry in &all.map.entries {
        let path = all.path_of(&entry.key);
        let Some(one) = Section::of(all.cx, &entry.node, &path) else { continue };
        let older = one.map.get("max_budget").is_none();
        let (amount, window) = if older { ("budget_limit", "time_period") } else { ("max_budget", "budget_duration") };
        match budget(&one, amount, window) {
            Some(budget) => _ = budgets.insert(entry.key.clone(), budget),
            None if one.map.get(amount).is_none() => {
                one.cx.error(entry.at, &path, "names no amount", "write `{max_budget: 100, budget_duration: 1d}`");
            }
            None => {}
        }
        for stray in one.rest() {
            let hint = "write `{max_budget: 100, budget_duration: 1d}`";
            one.cx.warning(stray.at, &one.path_of(&stray.key), "has no effect on a budget", hint);
        }
    }
    budgets
}

/// `litellm_params`, else `model_info`: what bounds a deployment itself. 0 is none, as for `max_parallel_requests`.
pub fn of_deployment(params: &Section<'_, '_>, info: Option<&Section<'_, '_>>) -> Limits {
    let count = |key: &str| {
        let of_info = info.and_then(|info| info.count(key));
        params.count(key).or(of_info).filter(|count| *count > 0)
    };
    let rates = Rates {
        requests_per_minute: count("rpm"),
        tokens_per_minute: count("tpm"),
        input_tokens_per_minute: count("itpm"),
        output_tokens_per_minute: count("otpm"),
        requests_per_day: count("rpd"),
        tokens_per_day: count("tpd"),
        parallel_requests: None,
    };
    Limits { rates, budget: budget(params, "max_budget", "budget_duration"), ..Limits::default() }
}

/// `tollgate_settings`, which goes before.
pub fn read(settings: &Section<'_, '_>, limits: &mut Limits, without_redis: &mut WithoutRedis) {
    let words = [("local", WithoutRedis::Local), ("refuse", WithoutRedis::Refuse)];
    if let Some(word) = settings.choice("limits_without_redis", &words) {
        *without_redis = word;
    }
    let Some(section) = settings.section("limits") else { return };
    let of_models = section.section("models");
    let own = rates(&section);
    let parallel_requests = own.parallel_requests.or(limits.rates.parallel_requests);
    limits.rates = Rates { parallel_requests, ..own };
    for entry in of_models.iter().flat_map(|models| &models.map.entries) {
        let path = format!("{}.models.{}", section.path, entry.key);
        if let Some(model) = Section::of(settings.cx, &entry.node, &path) {
            limits.model_rates.insert(entry.key.clone(), rates(&model));
        }
    }
}

fn rates(section: &Section<'_, '_>) -> Rates {
    let rates = Rates {
        requests_per_minute: section.count("rpm_limit"),
        tokens_per_minute: section.count("tpm_limit"),
        input_tokens_per_minute: section.count("itpm_limit"),
        output_tokens_per_minute: section.count("otpm_limit"),
        requests_per_day: section.count("rpd_limit"),
        tokens_per_day: section.count("tpd_limit"),
        parallel_requests: section.count("max_parallel_requests"),
    };
    for entry in section.rest() {
        section.cx.error(entry.at, &section.path_of(&entry.key), "is no limit", SHAPE);
    }
    rates
}
