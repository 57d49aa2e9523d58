use super::Files;
use crate::config::{Problem, from_environment};

const KEYED: &str =
    "model_list:\n  - {model_name: a, litellm_params: {model: openrouter/a, api_key: os.environ/MY_KEY}}\n";

#[test]
fn a_variable_may_stand_anywhere() {
    let files = Files::new(
        "model_list:
  - model_name: os.environ/NAME
    litellm_params:
      model: os.environ/MODEL
      api_base: os.environ/BASE
      api_key: os.environ/KEY
      timeout: os.environ/TIMEOUT
      drop_params: os.environ/DROP
      extra_headers: {x-team: os.environ/TEAM}
      extra_body: {nested: [os.environ/TEAM]}
",
    )
    .env("NAME", "a")
    .env("MODEL", "openai/b")
    .env("BASE", "https://x.example.com/v1")
    .env("KEY", "k\n")
    .env("TIMEOUT", "1.5")
    .env("DROP", "True")
    .env("TEAM", "blue");
    let (config, problems) = files.good();
    assert!(problems.is_empty(), "{problems:?}");
    let d = &config.deployments[0];
    assert_eq!((d.group.as_str(), d.model.as_str(), d.drop_params), ("a", "b", true));
    assert_eq!(d.credential.as_ref().expect("a key").1.expose(), "Bearer k", "a line break at the end goes");
    assert_eq!(d.timeouts.first_byte.as_millis(), 1500);
    assert_eq!(d.headers[0].1, "blue");
    assert_eq!(d.extra_body[0].1.get(), "[\"blue\"]");
}

#[test]
fn a_missing_variable_is_an_error_for_a_key_and_a_warning_elsewhere() {
    assert_eq!(
        Files::new(KEYED).bad(),
        ["config.yaml:2:68: model_list[0].litellm_params.api_key: the environment variable MY_KEY is not set
    hint: set MY_KEY, or name another variable: `api_key: os.environ/NAME`"]
    );
    assert!(
        Files::new(KEYED).env("MY_KEY", "  ").bad()[0].contains("MY_KEY is not set"),
        "an empty one counts as missing"
    );
    let (_, problems) =
        Files::new("model_list:\n  - {model_name: a, litellm_params: {model: ollama/a, timeout: os.environ/T}}\n")
            .good();
    assert_eq!(
        problems,
        ["config.yaml:2:64: warning: model_list[0].litellm_params.timeout: the environment variable T is not set
    hint: set T, or remove this key"]
    );
}

#[test]
fn without_a_key_the_providers_own_variable_is_used_or_named() {
    let yaml = "model_list:\n  - {model_name: a, litellm_params: {model: together_ai/a}}\n";
    assert_eq!(
        Files::new(yaml).bad(),
        ["config.yaml:2:5: model_list[0].litellm_params.api_key: there is no key for together_ai
    hint: set TOGETHERAI_API_KEY or TOGETHER_API_KEY or TOGETHER_AI_API_KEY or write `api_key: os.environ/NAME`"]
    );
    let (config, _) = Files::new(yaml).env("TOGETHER_API_KEY", "t").good();
    assert_eq!(config.deployments[0].credential.as_ref().expect("a key").1.expose(), "Bearer t");
    let custom = "model_list:\n  - {model_name: a, litellm_params: {model: openai/a, api_base: 'http://x/v1'}}\n";
    let (config, _) = Files::new(custom).env("OPENAI_API_KEY", "o").good();
    assert_eq!(config.deployments[0].credential.as_ref().expect("a key").1.expose(), "Bearer o", "as LiteLLM does");
}

#[test]
fn variables_of_the_file_go_before_the_process() {
    let files = Files::new(&format!("{KEYED}environment_variables: {{MY_KEY: os.environ/OTHER}}\n"))
        .env("MY_KEY", "p")
        .env("OTHER", "f");
    let (config, problems) = files.good();
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(config.deployments[0].credential.as_ref().expect("a key").1.expose(), "Bearer f");
}

#[test]
fn the_master_key_has_three_places() {
    let yaml = "model_list:\n  - {model_name: a, litellm_params: {model: ollama/a}}\n";
    let key = |files: Files| files.good().0.master_key.map(|k| k.expose().to_string());
    assert_eq!(key(Files::new(yaml)), None);
    assert_eq!(key(Files::new(yaml).env("LITELLM_MASTER_KEY", "l")), Some("l".into()));
    assert_eq!(key(Files::new(yaml).env("LITELLM_MASTER_KEY", "l").env("TOLLGATE_MASTER_KEY", "t")), Some("t".into()));
    let with = |value: &str| format!("{yaml}general_settings: {{master_key: {value}}}\n");
    assert_eq!(key(Files::new(&with("own")).env("LITELLM_MASTER_KEY", "l")), Some("own".into()));
    assert_eq!(key(Files::new(&with("os.environ/M")).env("M", "m")), Some("m".into()));
    let missing = Files::new(&with("os.environ/M")).bad();
    assert!(
        missing[0].starts_with("config.yaml:3:32: general_settings.master_key: the environment variable M is not set"),
        "{missing:?}"
    );
    let (_, problems) = Files::new(&with("sk-1234")).good();
    assert!(problems[0].contains("the example key"), "{problems:?}");
}

#[test]
fn a_star_for_everything_means_every_provider_with_a_key() {
    let files = Files::new("model_list:\n  - {model_name: '*', litellm_params: {model: '*'}}\n")
        .env("GROQ_API_KEY", "g")
        .env("ANTHROPIC_API_KEY", "a");
    let (config, _) = files.good();
    let to = |name: &str| {
        let found = config.routes.resolve(name).expect("is routed");
        let d = &config.deployments[found.deployments[0]];
        (d.provider.clone(), found.upstream_model(&d.model).into_owned())
    };
    assert_eq!(to("groq/llama-4"), ("groq".into(), "llama-4".into()));
    assert_eq!(to("claude-opus-5"), ("anthropic".into(), "claude-opus-5".into()));
    assert_eq!(to("claude-future-9"), ("anthropic".into(), "claude-future-9".into()));
    assert!(config.routes.resolve("gpt-6-sol").is_err());
    assert!(
        Files::new("model_list:\n  - {model_name: '*', litellm_params: {model: '*'}}\n").bad()[0].contains("none is")
    );
}

#[test]
fn keys_alone_are_a_configuration() {
    let env = |name: &str| (name == "OPENROUTER_API_KEY" || name == "DEEPSEEK_API_KEY").then(|| "sk-x".to_string());
    let (config, problems) = from_environment(&env).expect("is good");
    assert!(problems.is_empty(), "{problems:?}");
    let found = config.routes.resolve("openrouter/moonshotai/kimi-k2.5").expect("is routed");
    let deployment = &config.deployments[found.deployments[0]];
    assert_eq!(found.upstream_model(&deployment.model), "moonshotai/kimi-k2.5");
    assert_eq!(config.routes.names().collect::<Vec<_>>(), ["deepseek-flash", "deepseek-v4-pro"]);
    assert!(config.routes.resolve("deepseek-v5").is_ok(), "can only be DeepSeek's");
}

#[test]
fn without_keys_and_file_one_is_told_how_to_begin() {
    let problems: Vec<Problem> = from_environment(&|_| None).expect_err("there is nothing");
    let text = problems[0].to_string();
    for way in ["tollgate demo", "OPENROUTER_API_KEY", "--config"] {
        assert!(text.contains(way), "{text}");
    }
    assert_eq!(text.lines().count(), 2, "{text}");
}

#[test]
fn the_database_may_be_given_in_parts_as_litellms_charts_do() {
    let entry = "model_list: [{model_name: a, litellm_params: {model: ollama/a}}]\n";
    let parts = |files: Files| {
        let files =
            files.env("DATABASE_HOST", "db:5433").env("DATABASE_USERNAME", "llm").env("DATABASE_NAME", "litellm");
        let (config, problems) = files.env("DATABASE_PASSWORD", "p@ss/w:rd").good();
        assert!(problems.is_empty(), "{problems:?}");
        config.database.expect("a database").expose().to_string()
    };
    assert_eq!(parts(Files::new(entry)), "postgres://llm:p%40ss%2Fw%3Ard@db:5433/litellm");
    let whole = "postgres://u@h/n";
    assert_eq!(parts(Files::new(entry).env("DATABASE_URL", whole)), whole, "the whole address goes before its parts");
    let (config, _) = Files::new(entry).env("DATABASE_HOST", "db").good();
    assert!(config.database.is_none(), "a host alone is no database");
}
