use tollgate_store::shared::Address;

use super::*;

const MODEL: &str =
    "model_list:\n  - {model_name: a, litellm_params: {model: openai/a, api_base: http://h/v1, api_key: k}}\n";

fn at(url: &str) -> Option<Address> {
    Some(Address::of_url(url).unwrap())
}

fn redis(more: &str, env: &[(&str, &str)]) -> Option<Address> {
    let files = env.iter().fold(Files::new(&format!("{MODEL}{more}")), |files, (name, value)| files.env(name, value));
    let (config, problems) = files.good();
    assert_eq!(problems, [""; 0]);
    assert!(!format!("{config:?}").contains("canary"));
    config.redis
}

#[test]
fn redis_is_where_the_router_says_else_where_the_environment_says() {
    let url = ("REDIS_URL", "redis://:canary@by-url");
    let host = ("REDIS_HOST", "by-host");
    assert_eq!(redis("", &[]), None);
    assert_eq!(redis("", &[host]), at("redis://by-host:6379/0"));
    let all = [host, ("REDIS_PORT", "7000"), ("REDIS_PASSWORD", "canary"), ("REDIS_SSL", "True")];
    assert_eq!(redis("", &all), at("rediss://:canary@by-host:7000/0"));
    assert_eq!(redis("", &[host, url]), at("redis://:canary@by-url"));
    let router =
        "router_settings: {redis_host: r, redis_port: os.environ/P, redis_password: os.environ/S, redis_db: 2}\n";
    assert_eq!(redis(router, &[url, ("P", "7001"), ("S", "canary")]), at("redis://:canary@r:7001/2"));
    let router = "router_settings: {redis_url: os.environ/R, redis_host: r}\n";
    assert_eq!(redis(router, &[url, ("R", "redis://u:canary@r2/1")]), at("redis://u:canary@r2/1"));
}

#[test]
fn an_address_that_cannot_be_parsed_is_an_error_with_its_place_and_without_its_value() {
    let wrong = "must be an address such as redis://:PASSWORD@HOST:6379/0";
    for (more, env, expected) in [
        (
            "router_settings: {redis_url: canary}\n",
            None,
            format!("config.yaml:3:30: router_settings.redis_url: {wrong}"),
        ),
        (
            "router_settings: {redis_host: h, redis_port: 99999}\n",
            None,
            "config.yaml:3:46: router_settings.redis_port: must be the number of a port".into(),
        ),
        ("", Some(("REDIS_URL", "canary")), format!("config.yaml:1:1: REDIS_URL: {wrong}")),
        ("", Some(("REDIS_PORT", "tcp://canary")), "config.yaml:1:1: REDIS_PORT: must be the number of a port".into()),
    ] {
        let files = Files::new(&format!("{MODEL}{more}")).env("REDIS_HOST", "h");
        let bad = env.into_iter().fold(files, |files, (name, value)| files.env(name, value)).bad();
        assert_eq!(bad.len(), 1, "{bad:?}");
        assert!(bad[0].starts_with(&expected) && !bad[0].contains("canary"), "{bad:?}");
    }
}
