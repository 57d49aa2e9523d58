use std::time::Duration;

use tollgate_policy::balance::Strategy;
use tollgate_policy::failover::{Class, Trouble};

use super::*;
use crate::config::model::MidStream;

const THREE: &str = "model_list:
  - {model_name: a, litellm_params: {model: openai/a, api_base: http://h/v1, api_key: k}}
  - {model_name: b, litellm_params: {model: openai/b, api_base: http://h/v1, api_key: k}}
  - {model_name: \"v-*\", litellm_params: {model: \"openai/*\", api_base: http://h/v1, api_key: k}}
";

fn config(more: &str) -> (Config, Vec<String>) {
    Files::new(&format!("{THREE}{more}")).good()
}

#[test]
fn litellms_router_settings_are_taken_over() {
    let (config, problems) = config(
        "router_settings:
  routing_strategy: latency-based-routing
  allowed_fails: 1
  allowed_fails_policy: {RateLimitErrorAllowedFails: 7}
  cooldown_time: 30
  retry_policy: {TimeoutErrorRetries: 0, DefaultRetries: 4}
  model_group_retry_policy: {b: {RateLimitErrorRetries: 9}}
  retry_after: 2
  max_fallbacks: 3
  enable_tag_filtering: true
  tag_filtering_match_any: false
  deployment_affinity_ttl_seconds: 60
  enable_pre_call_checks: true
  enable_mid_stream_fallback_continuation: true
",
    );
    assert_eq!(problems, [""; 0]);
    let routing = &config.routing;
    assert_eq!(routing.strategy, Strategy::Latency);
    assert_eq!(routing.rests.allowed_fails, 1);
    assert_eq!(routing.rests.allowed_fails_by_class, [(Class::RateLimit, 7)]);
    assert_eq!(routing.rests.cooldown, Duration::from_secs(30));
    assert_eq!(routing.retries_of("a").retries(Class::Timeout, 2), 0);
    assert_eq!(routing.retries_of("a").retries(Class::RateLimit, 2), 4);
    assert_eq!(routing.retries_of("b").retries(Class::RateLimit, 2), 9);
    assert_eq!(routing.retries_of("b").retries(Class::Timeout, 2), 2);
    assert_eq!(routing.shortest_pause, Duration::from_secs(2));
    assert_eq!(routing.fallbacks.max, 3);
    assert_eq!(routing.tags, Some(false));
    assert_eq!(routing.affinity, Some(Duration::from_secs(60)));
    assert_eq!(config.settings.mid_stream, MidStream::Continue);
}

#[test]
fn what_litellm_has_no_key_for_is_in_our_own_block() {
    let (config, problems) = config(
        "tollgate_settings: {hold_ms: 250, hold_events: 3, mid_stream: continue, model_gone_s: 60, session_affinity: false}\n",
    );
    assert_eq!(problems, [""; 0]);
    assert_eq!((config.settings.hold, config.settings.hold_events), (Duration::from_millis(250), 3));
    assert_eq!(config.settings.mid_stream, MidStream::Continue);
    assert_eq!(config.routing.rests.gone_for, Duration::from_secs(60));
    assert_eq!(config.routing.affinity, None);
}

#[test]
fn s32_fallbacks_are_read_in_every_form_and_from_both_blocks() {
    let (config, problems) = config(
        "litellm_settings:
  fallbacks: [{a: [b]}]
  default_fallbacks: [b]
  context_window_fallbacks: [{a: [v-large]}]
router_settings:
  model_group_alias: {other: a}
  fallbacks: [{other: [b, v-x]}, {\"v-*\": a}, {b: [{model: a}]}]
  content_policy_fallbacks: {b: [a]}
",
    );
    assert_eq!(problems, [""; 0]);
    let of = |trouble, names: &[&str]| config.routing.fallbacks.of(trouble, names).to_vec();
    assert_eq!(of(Trouble::General, &["a"]), ["b"]);
    assert_eq!(of(Trouble::General, &["other", "a"]), ["b", "v-x"]);
    assert_eq!(of(Trouble::General, &["v-1", "v-*"]), ["a"]);
    assert_eq!(of(Trouble::General, &["b"]), ["a"]);
    assert_eq!(of(Trouble::General, &["nobody"]), ["b"]);
    assert_eq!(of(Trouble::ContextWindow, &["a"]), ["v-large"]);
    assert_eq!(of(Trouble::ContentPolicy, &["b"]), ["a"]);
}

#[test]
fn s32_an_unknown_fallback_is_an_error_with_its_place() {
    let problems = Files::new(&format!("{THREE}router_settings:\n  fallbacks: [{{a: [bb]}}]\n")).bad();
    assert_eq!(
        problems,
        ["config.yaml:6:20: router_settings.fallbacks[0].a: leads to no route\n    hint: did you mean b?"]
    );
    let problems = Files::new(&format!("{THREE}litellm_settings:\n  default_fallbacks: [gpt-9]\n")).bad();
    assert!(
        problems[0].starts_with("config.yaml:6:23: litellm_settings.default_fallbacks: leads to no route"),
        "{problems:?}"
    );
    let problems = Files::new(&format!("{THREE}router_settings:\n  fallbacks: [b]\n")).bad();
    assert!(problems[0].contains("must be a map from a route to its fallbacks, but is text"), "{problems:?}");
}

#[test]
fn fallbacks_of_a_name_that_nobody_has_are_worth_a_warning() {
    let (_, problems) = config("router_settings:\n  fallbacks: [{aa: [b]}]\n");
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("is the name of no route, so nothing comes of it"), "{problems:?}");
}

#[test]
fn a_refused_request_is_not_sent_again_whatever_the_policy_says() {
    let (config, problems) =
        config("router_settings:\n  retry_policy: {BadRequestErrorRetries: 3, NoSuchRetries: 1}\n");
    assert_eq!(config.routing.retries_of("a").retries(Class::BadRequest, 0), 0);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(
        problems[0].contains("never sent again") && problems[1].contains("is no class of failures"),
        "{problems:?}"
    );
}

#[test]
fn shares_come_from_weights_else_from_request_limits_else_from_token_limits() {
    let shares = |params: [&str; 2]| -> Vec<u32> {
        let entry = |more: &str| {
            format!(
                "  - {{model_name: a, litellm_params: {{model: openai/a, api_base: http://h/v1, api_key: k{more}}}}}\n"
            )
        };
        let (config, _) = Files::new(&format!("model_list:\n{}{}", entry(params[0]), entry(params[1]))).good();
        config.deployments.iter().map(|d| d.share).collect()
    };
    assert_eq!(shares(["", ""]), [1, 1]);
    assert_eq!(shares([", weight: 3, rpm: 5", ", weight: 0, rpm: 9"]), [3, 0]);
    assert_eq!(shares([", rpm: 500, tpm: 1", ", rpm: 100"]), [500, 100]);
    assert_eq!(shares([", tpm: 40", ", tpm: 60"]), [40, 60]);
}
