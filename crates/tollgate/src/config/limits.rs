//! Limits of the whole gateway, and what happens to limits while Redis is away.

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
    let window = section.text("budget_duration");
    let Some(max_nanos) = section.dollars("max_budget") else { return };
    let window = match window.as_deref().map(Window::from_duration) {
        None => Window::Total,
        Some(Ok(window)) => window,
        Some(Err(error)) => {
            let at = section.entry("budget_duration").map_or(section.at, |entry| entry.node.at);
            let hint = "write 1d, 7d, 30d, 1mo, or a number with s, m, h or d";
            section.cx.error(at, &section.path_of("budget_duration"), error.to_string(), hint);
            return;
        }
    };
    // LiteLLM's documentation has `max_budget: 0` for none.
    limits.budget = (max_nanos > 0).then_some(Budget { max_nanos, window });
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
