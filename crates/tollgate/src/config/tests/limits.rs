use tollgate_policy::access::Rates;
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
