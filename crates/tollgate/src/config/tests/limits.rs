use tollgate_policy::access::{Budget, Rates};
use tollgate_policy::window::Window;
use tollgate_store::limiter::WithoutRedis;

use super::*;

const MODEL: &str =
    "model_list:\n  - {model_name: a, litellm_params: {model: openai/a, api_base: http://h/v1, api_key: k}}\n";

fn good(more: &str) -> Config {
    let (config, problems) = Files::new(&format!("{MODEL}{more}")).good();
    assert_eq!(problems, [""; 0]);
    config
}

#[test]
fn limits_of_the_whole_gateway_are_read_with_those_of_models() {
    let config = good(
        "tollgate_settings:\n  limits:\n    rpm_limit: 600\n    tpd_limit: 1000000\n    models:\n      kimi-*: {itpm_limit: 10, otpm_limit: 20, max_parallel_requests: 3}\n",
    );
    let limits = &config.settings.limits;
    let own = Rates { requests_per_minute: Some(600), tokens_per_day: Some(1_000_000), ..Rates::default() };
    assert_eq!(limits.rates, own);
    let of_model = Rates {
        input_tokens_per_minute: Some(10),
        output_tokens_per_minute: Some(20),
        parallel_requests: Some(3),
        ..Rates::default()
    };
    assert_eq!(limits.model_rates, [("kimi-*".to_string(), of_model)].into());
    assert_eq!(good("").settings.limits.rates, Rates::default());
}

#[test]
fn litellms_keys_for_limits_have_their_meaning_and_ours_go_before() {
    let parallel = |more: &str| good(more).settings.limits.rates.parallel_requests;
    let litellm = "general_settings: {global_max_parallel_requests: 9}\n";
    assert_eq!(parallel(litellm), Some(9));
    assert_eq!(parallel(&format!("{litellm}tollgate_settings: {{limits: {{rpm_limit: 5}}}}\n")), Some(9));
    assert_eq!(parallel(&format!("{litellm}tollgate_settings: {{limits: {{max_parallel_requests: 5}}}}\n")), Some(5));
    let without_redis = |more: &str| good(more).settings.limits_without_redis;
    let closed = "general_settings: {fail_closed_rate_limit_enforcement: true}\n";
    assert_eq!(without_redis(""), WithoutRedis::Local);
    assert_eq!(without_redis(closed), WithoutRedis::Refuse);
    assert_eq!(without_redis("tollgate_settings: {limits_without_redis: refuse}\n"), WithoutRedis::Refuse);
    assert_eq!(
        without_redis(&format!("{closed}tollgate_settings: {{limits_without_redis: local}}\n")),
        WithoutRedis::Local
    );
}

#[test]
fn what_is_no_limit_is_an_error_with_its_place() {
    for (more, expected) in [
        (
            "limits_without_redis: maybe",
            "config.yaml:3:43: tollgate_settings.limits_without_redis: must be one of local, refuse",
        ),
        ("limits: {rpm: 5}", "config.yaml:3:30: tollgate_settings.limits.rpm: is no limit"),
        (
            "limits: {rpm_limit: many}",
            "config.yaml:3:41: tollgate_settings.limits.rpm_limit: must be a whole number of 0 or more",
        ),
        ("limits: {models: {a: {x: 1}}}", "config.yaml:3:43: tollgate_settings.limits.models.a.x: is no limit"),
    ] {
        let bad = Files::new(&format!("{MODEL}tollgate_settings: {{{more}}}\n")).bad();
        assert_eq!(bad.len(), 1, "{bad:?}");
        assert!(bad[0].starts_with(expected), "{bad:?}");
    }
}

/// A deployment with these further lines in its `litellm_params` and `model_info`.
fn one(params: &str, info: &str, more: &str) -> (Config, Vec<String>) {
    let model = format!(
        "model_list:\n  - model_name: a\n    litellm_params: {{model: openai/a, api_base: http://h/v1, api_key: k{params}}}\n    model_info: {{{info}}}\n{more}"
    );
    Files::new(&model).good()
}

#[test]
fn rates_of_a_deployment_stand_in_either_block_and_hold_where_the_check_is_asked_for() {
    let (config, problems) = one(", rpm: 60, tpd: 5, itpm: 0", "rpm: 7, tpm: 1000, otpm: 9", "");
    assert_eq!(problems, [""; 0]);
    let expected = Rates {
        requests_per_minute: Some(60),
        tokens_per_minute: Some(1000),
        output_tokens_per_minute: Some(9),
        tokens_per_day: Some(5),
        ..Rates::default()
    };
    assert_eq!((config.deployments[0].bounds.rates, config.routing.enforces_rates), (expected, false));
    let checks = |list: &str| {
        let (config, problems) = one("", "", &format!("router_settings: {{optional_pre_call_checks: [{list}]}}\n"));
        (config.routing.enforces_rates, problems)
    };
    assert_eq!(checks("prompt_caching, session_affinity"), (false, vec![]));
    assert_eq!(checks("router_budget_limiting, enforce_model_rate_limits"), (true, vec![]));
    let (enforces, problems) = checks("enforce_model_rate_limit");
    assert!(!enforces && problems.len() == 1, "{problems:?}");
    let expected =
        "config.yaml:5:46: warning: router_settings.optional_pre_call_checks: is no known check and has no effect";
    assert!(problems[0].starts_with(expected), "{problems:?}");
    assert!(problems[0].contains("did you mean `enforce_model_rate_limits`?"), "{problems:?}");
}

#[test]
fn budgets_of_deployments_providers_and_tags_have_both_of_litellms_names() {
    let prices = ", input_cost_per_token: 0.000001, output_cost_per_token: 0.000002";
    let more = "router_settings: {provider_budget_config: {openai: {budget_limit: 0.5, time_period: 1d}, gemini: {max_budget: 2}}}
litellm_settings: {tag_budget_config: {bot: {max_budget: 3, budget_duration: 30d}}}
";
    let (config, problems) = one(&format!("{prices}, max_budget: 10, budget_duration: 7d"), "", more);
    assert_eq!(problems, [""; 0]);
    let dollars = |dollars: u64, window| Budget { max_nanos: dollars * 1_000_000_000, window };
    assert_eq!(config.deployments[0].bounds.budget, Some(dollars(10, Window::Week)));
    assert_eq!((&*config.deployments[0].provider, &*config.deployments[0].written_provider), ("openai_like", "openai"));
    let providers = &config.settings.provider_budgets;
    assert_eq!(providers["openai"], Budget { max_nanos: 500_000_000, window: Window::Day });
    assert_eq!(providers["gemini"], dollars(2, Window::Total));
    assert_eq!(config.settings.tag_budgets["bot"], dollars(3, Window::Month));
}

#[test]
fn a_budget_that_nothing_is_spent_of_is_told_and_one_without_an_amount_refused() {
    let (_, problems) = one(", max_budget: 10", "", "");
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("litellm_params.max_budget: is never spent, as no price is known"), "{problems:?}");
    for (budget, expected) in [
        ("{time_period: 1d}", "router_settings.provider_budget_config.openai: names no amount"),
        ("{budget_limit: 1, time_period: soon}", "router_settings.provider_budget_config.openai.time_period: "),
    ] {
        let more = format!("router_settings: {{provider_budget_config: {{openai: {budget}}}}}\n");
        let bad = Files::new(&format!("{MODEL}{more}")).bad();
        assert!(bad.len() == 1 && bad[0].contains(expected), "{bad:?}");
    }
}
