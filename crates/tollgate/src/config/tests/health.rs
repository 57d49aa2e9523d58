use std::time::Duration;

use super::*;
use crate::config::model::{CheckRules, HealthChecks};

#[test]
fn without_a_word_nothing_is_checked_in_the_background() {
    let yaml =
        "model_list:\n  - {model_name: a, litellm_params: {model: openai/a, api_base: http://h/v1, api_key: k}}\n";
    let (config, _) = Files::new(yaml).good();
    // LiteLLM 1.109.1: off, every 300 s, details shown.
    let expected =
        HealthChecks { background: false, interval: Duration::from_secs(300), concurrency: 8, details: true };
    assert_eq!(config.settings.checks, expected);
    let expected = CheckRules { in_background: true, possible: true, model: None, timeout: Duration::from_secs(60) };
    assert_eq!(config.deployments[0].check, expected);
}

#[test]
fn litellms_keys_for_health_checks_are_taken_over() {
    let (config, problems) = Files::new(
        "model_list:
  - model_name: a
    litellm_params: {model: openai/a, api_base: http://h/v1, api_key: k}
    model_info: {disable_background_health_check: true, health_check_timeout: 7, health_check_model: openai/small}
  - model_name: \"a/*\"
    litellm_params: {model: \"openai/*\", api_base: http://h/v1, api_key: k}
    model_info: {health_check_model: openai/small}
  - model_name: \"b/*\"
    litellm_params: {model: \"openrouter/*\", api_key: k}
    model_info: {health_check_model: vendor/small}
  - {model_name: \"c/*\", litellm_params: {model: \"openrouter/*\", api_key: k}}
general_settings:
  background_health_checks: true
  health_check_interval: 60
  health_check_concurrency: 3
  health_check_details: false
router_settings: {enable_health_check_routing: true}
",
    )
    .good();
    assert_eq!(problems, [""; 0]);
    let expected = HealthChecks { background: true, interval: Duration::from_secs(60), concurrency: 3, details: false };
    assert_eq!(config.settings.checks, expected);
    let check = &config.deployments[0].check;
    assert_eq!((check.in_background, check.timeout), (false, Duration::from_secs(7)));
    let models: Vec<_> = config.deployments.iter().map(|deployment| deployment.checked_model()).collect();
    assert_eq!(models, [Some("small"), Some("small"), Some("vendor/small"), None]);
}

#[test]
fn a_model_that_the_catalogue_knows_to_embed_is_not_checked_with_a_conversation() {
    let yaml = "model_list:
  - {model_name: a, litellm_params: {model: \"bedrock/amazon.titan-embed-text-v2:0\", aws_region_name: us-east-1, api_key: k}}
  - {model_name: b, litellm_params: {model: openai/text-embedding-3-small, api_key: k}}
  - {model_name: c, litellm_params: {model: openai/gpt-5-nano, api_key: k}}
";
    let (config, _) = Files::new(yaml).good();
    let models: Vec<_> = config.deployments.iter().map(|deployment| deployment.checked_model()).collect();
    assert_eq!(models, [None, None, Some("gpt-5-nano")]);
}
