//! No value of the configuration or the environment is in any message.

use super::Files;

const CANARY: &str = "canary-7f3a";

/// Files with a canary wherever a secret may stand, right and wrong.
const FILES: &[&str] = &[
    "model_list:\n  - {model_name: a, litellm_params: {model: openai/a, api_key: canary-7f3a, api_base: 'canary-7f3a'}}\n",
    "model_list:\n  - {model_name: a, litellm_params: {model: openai/a, api_key: {x: canary-7f3a}, timeout: canary-7f3a}}\n",
    "model_list:\n  - {model_name: a, litellm_params: {model: openai/a, api_key: [canary-7f3a], weight: canary-7f3a, order: canary-7f3a}}\n",
    "model_list:\n  - {model_name: a, litellm_params: {model: openai/a, api_key: \"canary-7f3a\\n\\u00e9\"}}\n",
    "model_list:\n  - {model_name: a, litellm_params: {model: openai/a, api_kye: canary-7f3a, aws_secret_access_key: canary-7f3a}}\n",
    "model_list:\n  - {model_name: a, litellm_params: {model: openai/a, api_key: x, extra_headers: {a: \"canary-7f3a\\u00e9\", b: [canary-7f3a]}}}\n",
    "model_list:\n  - {model_name: a, litellm_params: {model: os.environ/S, api_key: os.environ/S, api_base: os.environ/S}}\n",
    "model_list:\n  - {model_name: a, litellm_params: {model: x, custom_llm_provider: os.environ/S, force_stream: canary-7f3a}}\n",
    "model_list:\n  - {model_name: a, litellm_params: {model: ollama/a, api_mode: canary-7f3a, reasoning: canary-7f3a}}\n",
    "model_list:\n  - {model_name: a, litellm_params: {model: ollama/a, litellm_credential_name: canary-7f3a}}\ncredential_list:\n  - {credential_name: b, credential_values: {api_key: canary-7f3a}}\n  - {credential_values: {api_key: canary-7f3a}}\n  - canary-7f3a\n",
    "model_list: canary-7f3a\n",
    "model_list:\n  - canary-7f3a\n",
    "general_settings: {master_key: canary-7f3a, database_url: canary-7f3a, max_request_size_mb: canary-7f3a, xyz: canary-7f3a}\n",
    "general_settings: {master_key: [canary-7f3a]}\nenvironment_variables: {A: canary-7f3a, B: [canary-7f3a]}\n",
    "environment_variables: canary-7f3a\ngeneral_settings: canary-7f3a\nrouter_settings: canary-7f3a\ninclude: canary-7f3a\n",
    "tollgate_settings: {catch_all: canary-7f3a, rewrite: [canary-7f3a, {cap: {a: canary-7f3a}, rename: {a: 'x.canary-7f3a'}, drop: ['canary-7f3a..']}], commit_after_ms: canary-7f3a}\n",
    "router_settings: {model_group_alias: {a: canary-7f3a}}\n",
    "key: 'canary-7f3a\n",
    "key: *canary-7f3a\n",
    "key: canary-7f3a: canary-7f3a\n",
    "key: !canary-7f3a x\n",
    "canary-7f3a\n",
    "a: canary-7f3a\n\tb: canary-7f3a\n",
    "a: \"canary-7f3a\\q\"\n",
];

#[test]
fn no_message_holds_a_secret() {
    for yaml in FILES {
        let files = Files::new(yaml).env("S", CANARY).env("OPENAI_API_KEY", CANARY);
        let problems = match files.load() {
            Ok((config, problems)) => {
                assert!(!format!("{:?}", config.deployments).contains(CANARY), "{yaml}: {:?}", config.deployments);
                problems
            }
            Err(problems) => problems,
        };
        for problem in problems {
            assert!(!problem.to_string().contains(CANARY), "{yaml}\n{problem}");
            assert!(!format!("{problem:?}").contains(CANARY), "{yaml}\n{problem:?}");
        }
    }
}

#[test]
fn a_good_configuration_does_not_show_its_secrets() {
    let yaml = "model_list:
  - model_name: a
    litellm_params: {model: openai/a, api_key: canary-7f3a, api_base: 'https://x/v1', extra_headers: {x-key: canary-7f3a}}
general_settings: {master_key: canary-7f3a}
environment_variables: {X: canary-7f3a}
";
    let (config, _) = Files::new(yaml).good();
    assert!(config.master_key.is_some());
    assert!(!format!("{config:?}").contains(CANARY), "{config:?}");
}

#[test]
fn a_stand_in_for_a_key_is_no_secret_so_that_words_of_upstreams_stay_whole() {
    let secrets = |key: &str| {
        let (config, _) = Files::new(&format!(
            "model_list:\n  - {{model_name: a, litellm_params: {{model: openai/a, api_base: \"http://h/v1\", api_key: {key}}}}}\n"
        ))
        .good();
        config.deployments[0].secrets().map(str::to_string).collect::<Vec<_>>()
    };
    for stand_in in ["none", "x", "EMPTY", "dummy", "ollama", "sk-test"] {
        assert_eq!(secrets(stand_in), [""; 0], "{stand_in}");
    }
    assert_eq!(secrets("sk-canary"), ["sk-canary"]);
}
