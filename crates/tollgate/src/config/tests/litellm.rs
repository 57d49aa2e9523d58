//! Files as people have them for LiteLLM.

use std::time::Duration;

use tollgate_dialect::Dialect;
use tollgate_dialect::quirks::{GeminiThinking, ReasoningControl, TokenField};

use super::Files;
use crate::config::Config;
use crate::config::model::{Deployment, ForceStream};

fn to<'c>(config: &'c Config, name: &str) -> Vec<&'c Deployment> {
    let found = config.routes.resolve(name).unwrap_or_else(|_| panic!("{name} is routed"));
    found.deployments.iter().map(|index| &config.deployments[*index]).collect()
}

fn address(deployment: &Deployment) -> String {
    deployment.url(deployment.dialect.path())
}

#[test]
fn s36_a_tiered_set_up_of_claude_beside_cheap_models() {
    let files = Files::new(
        "model_list:
  - model_name: claude-opus-5-5
    litellm_params:
      model: anthropic/claude-opus-5-5
      api_key: os.environ/ANTHROPIC_API_KEY
  - model_name: claude-sonnet-5-5
    litellm_params:
      model: openrouter/anthropic/claude-sonnet-5.5
      api_key: os.environ/OPENROUTER_API_KEY
  - model_name: cheap
    litellm_params:
      model: deepseek/deepseek-flash
tollgate_settings:
  catch_all: {haiku: cheap, default: claude-sonnet-5-5}
",
    )
    .env("ANTHROPIC_API_KEY", "sk-ant")
    .env("OPENROUTER_API_KEY", "sk-or")
    .env("DEEPSEEK_API_KEY", "sk-ds");
    let (config, problems) = files.good();
    assert!(problems.is_empty(), "{problems:?}");

    let [opus] = to(&config, "claude-opus-5-5")[..] else { panic!("one") };
    assert_eq!((opus.dialect, address(opus).as_str()), (Dialect::Messages, "https://api.anthropic.com/v1/messages"));
    let (header, key) = opus.credential.as_ref().expect("a key");
    assert_eq!((header.as_str(), key.expose()), ("x-api-key", "sk-ant"));
    assert!(opus.headers.is_empty(), "the version is the client's, see the pipeline");
    assert!(opus.quirks.messages.genuine && !opus.quirks.messages.forced_tool);
    assert_eq!((opus.context_window, opus.max_output_tokens), (Some(1_000_000), Some(128_000)));

    let [sonnet] = to(&config, "claude-sonnet-5-5")[..] else { panic!("one") };
    assert_eq!((sonnet.provider.as_str(), sonnet.model.as_str()), ("openrouter", "anthropic/claude-sonnet-5.5"));
    assert_eq!(address(sonnet), "https://openrouter.ai/api/v1/chat/completions");
    assert!(sonnet.quirks.cache_control);
    assert_eq!(sonnet.max_output_tokens, Some(128_000));

    let [cheap] = to(&config, "claude-haiku-4-5-20251001")[..] else { panic!("one") };
    assert_eq!(
        (cheap.model.as_str(), address(cheap).as_str()),
        ("deepseek-flash", "https://api.deepseek.com/chat/completions")
    );
    assert_eq!(cheap.quirks.reasoning, ReasoningControl::ThinkingEffort);
}

#[test]
fn anchors_share_settings_and_a_repeated_name_is_one_route() {
    let files = Files::new(
        "shared: &shared
  api_base: https://llm.example.com/v1
  api_key: sk-one
  timeout: 120
  stream_timeout: 30
  max_file_size_mb: 5
model_list:
  - model_name: glm
    litellm_params: {<<: *shared, model: openai/glm-5, weight: 3, order: 1}
  - model_name: glm
    litellm_params:
      <<: *shared
      model: openai/glm-5
      api_key: sk-two
      num_retries: 0
router_settings:
  polling_interval: 5
  num_retries: 5
  timeout: 900
",
    );
    let (config, problems) = files.good();
    assert_eq!(
        problems,
        [
            "config.yaml:1:1: warning: shared: is not a known key and has no effect\n    hint: remove it, or look up its name in docs/config.md",
            "config.yaml:6:3: warning: model_list[0].litellm_params.max_file_size_mb: is accepted but has no effect yet (nor in 1 more place)\n    hint: it may stay, but do not count on it",
            "config.yaml:17:3: warning: router_settings.polling_interval: is accepted but has no effect yet\n    hint: it may stay, but do not count on it",
        ]
    );
    let [one, two] = to(&config, "glm")[..] else { panic!("two") };
    assert_eq!(one.timeouts.first_byte, Duration::from_secs(120));
    assert_eq!(one.timeouts.first_byte_stream, Duration::from_secs(30));
    assert_eq!((one.weight, one.order, one.num_retries), (Some(3), 1, 5));
    assert_eq!((two.weight, two.order, two.num_retries), (None, u32::MAX, 0));
    assert_eq!((one.share, two.share), (3, 1));
    assert_eq!(two.credential.as_ref().expect("a key").1.expose(), "Bearer sk-two");
    assert_ne!(one.id, two.id);
}

#[test]
fn wildcards_and_aliases_of_every_form() {
    let files = Files::new(
        "model_list:
  - model_name: \"openai/*\"
    litellm_params: {model: \"openai/*\", api_key: sk-x}
  - model_name: \"v-*\"
    litellm_params: {model: \"hosted_vllm/*\", api_base: \"http://gpu:8000/v1\"}
  - model_name: glm-5
    litellm_params: {model: zai/glm-5, api_key: sk-z}
router_settings:
  model_group_alias:
    gpt-4: glm-5
    secret: {model: \"openai/gpt-6-sol\", hidden: true}
litellm_settings:
  model_alias_map: {sonnet: v-qwen3-coder}
",
    );
    let (config, problems) = files.good();
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(config.routes.names().collect::<Vec<_>>(), ["glm-5", "sonnet", "gpt-4"]);
    assert_eq!(to(&config, "gpt-4")[0].provider, "zai");
    let vllm = config.routes.resolve("sonnet").expect("is routed");
    let deployment = &config.deployments[vllm.deployments[0]];
    assert_eq!(
        (deployment.provider.as_str(), address(deployment).as_str()),
        ("hosted_vllm", "http://gpu:8000/v1/chat/completions")
    );
    assert!(deployment.credential.is_none());
    let model = vllm.upstream_model(&deployment.model);
    assert_eq!(model, "qwen3-coder");
    assert_eq!(deployment.quirks.reasoning, ReasoningControl::None, "the model is not known yet");
    assert_eq!(deployment.capabilities_for(&model).quirks.reasoning, ReasoningControl::ChatTemplate);
    let secret = config.routes.resolve("secret").expect("is routed");
    let deployment = &config.deployments[secret.deployments[0]];
    assert_eq!(secret.upstream_model(&deployment.model), "gpt-6-sol");
    assert_eq!(deployment.capabilities_for("gpt-6-sol").quirks.token_field, TokenField::MaxCompletionTokens);
}

#[test]
fn named_credentials_fill_in_what_a_deployment_lacks() {
    let files = Files::new(
        "credential_list:
  - credential_name: team_key
    credential_values:
      api_key: os.environ/TEAM_KEY
      api_base: https://team.example.com/v1
    credential_info: {description: of the team}
model_list:
  - model_name: a
    litellm_params: {model: openai/a, litellm_credential_name: team_key}
  - model_name: b
    litellm_params: {model: openai/b, litellm_credential_name: team_key, api_base: https://own.example.com}
",
    )
    .env("TEAM_KEY", "sk-team");
    let (config, problems) = files.good();
    assert!(problems.is_empty(), "{problems:?}");
    assert_eq!(address(&config.deployments[0]), "https://team.example.com/v1/chat/completions");
    assert_eq!(address(&config.deployments[1]), "https://own.example.com/chat/completions");
    for deployment in &config.deployments {
        assert_eq!(deployment.credential.as_ref().expect("a key").1.expose(), "Bearer sk-team");
    }
}

#[test]
fn azures_addresses_work_and_providers_of_later_versions_say_so() {
    let files = Files::new(
        "model_list:
  - model_name: gpt
    litellm_params:
      model: azure/my-gpt-5
      api_base: https://res.openai.azure.com/openai/v1/
      api_key: os.environ/AZURE_API_KEY
  - model_name: claude
    litellm_params:
      model: azure_ai/claude-opus-5
      api_base: https://res.services.ai.azure.com/anthropic
      api_key: os.environ/AZURE_API_KEY
",
    )
    .env("AZURE_API_KEY", "az");
    let (config, _) = files.good();
    let gpt = &config.deployments[0];
    assert_eq!(address(gpt), "https://res.openai.azure.com/openai/v1/chat/completions");
    assert_eq!(gpt.credential.as_ref().expect("a key").0, "api-key");
    assert_eq!(gpt.quirks.token_field, TokenField::MaxCompletionTokens);
    let claude = &config.deployments[1];
    assert_eq!(address(claude), "https://res.services.ai.azure.com/anthropic/v1/messages");
    assert_eq!(claude.credential.as_ref().expect("a key").0, "x-api-key");
    assert!(claude.quirks.messages.genuine);

    let classic = Files::new(
        "model_list:
  - model_name: old
    litellm_params:
      model: azure/gpt-4o
      api_base: https://res.openai.azure.com
      api_version: '2025-01-01-preview'
      api_key: x
  - model_name: rock
    litellm_params:
      model: sagemaker/my-endpoint
      aws_region_name: us-east-1
  - model_name: good
    litellm_params: {model: groq/llama-4, api_key: x}
",
    );
    let errors: Vec<String> = classic.bad().into_iter().filter(|line| !line.contains("warning")).collect();
    assert_eq!(
        errors,
        ["config.yaml:10:14: model_list[1].litellm_params.model: the provider sagemaker arrives in a later version
    hint: take this deployment out until then; `tollgate check` names every such deployment",]
    );
}

#[test]
fn s05_s08_what_litellm_has_no_key_for_stands_beside_its_kin() {
    let files = Files::new(
        "model_list:
  - model_name: kimi
    litellm_params:
      model: openai/kimi-k2.5
      api_base: http://proxy.internal/v1
      api_mode: chat
      max_output_tokens: 4096
      force_stream: always
      reasoning: effort
      quirks: {nonstream_max_tokens: 4096, messages: {prefill: false}}
  - model_name: mini
    litellm_params: {model: openai/mini, api_base: http://proxy.internal/v1, reasoning: none}
    model_info: {max_output_tokens: 8192, max_input_tokens: 100000, supports_vision: false, supports_reasoning: true}
",
    );
    let (config, problems) = files.good();
    assert_eq!(problems, [] as [&str; 0],);
    let kimi = &config.deployments[0];
    assert_eq!((kimi.max_output_tokens, kimi.force_stream), (Some(4096), ForceStream::Always));
    assert_eq!(kimi.quirks.reasoning, ReasoningControl::Effort);
    assert_eq!(kimi.quirks.nonstream_max_tokens, Some(4096));
    assert!(!kimi.quirks.messages.prefill);
    assert!(kimi.credential.is_none(), "a server of one's own may need no key");
    let mini = &config.deployments[1];
    assert_eq!((mini.max_output_tokens, mini.context_window), (Some(8192), Some(100_000)));
    assert!(!mini.quirks.images);
}

/// The words are for people; what is sent depends on what the provider is known to have.
#[test]
fn s08_a_word_for_reasoning_means_the_providers_own_control() {
    use ReasoningControl::*;
    for (model, word, control) in [
        ("openai/x", "auto", None),
        ("openai/x", "effort", Effort),
        ("openai/x", "toggle", Thinking),
        ("openai/x", "budget", EnableThinking),
        ("moonshot/kimi-k2.5", "auto", Thinking),
        ("moonshot/kimi-k2.5", "toggle", Thinking),
        ("moonshot/kimi-k2.5", "none", None),
        ("moonshot/kimi-k2.5", "effort", Effort),
        ("dashscope/qwen3", "toggle", EnableThinking),
        ("deepseek/deepseek-flash", "effort", ThinkingEffort),
        ("openrouter/x/y", "budget", Reasoning),
        ("openrouter/x/y", "effort", Reasoning),
    ] {
        let base = if model.starts_with("openai") { ", api_base: http://x/v1" } else { "" };
        let yaml = format!(
            "model_list:\n  - {{model_name: a, litellm_params: {{model: {model}, api_key: x, reasoning: {word}{base}}}}}\n"
        );
        assert_eq!(Files::new(&yaml).good().0.deployments[0].quirks.reasoning, control, "{model} {word}");
    }
}

#[test]
fn s03_api_mode_says_by_which_api_a_model_is_called() {
    use tollgate_dialect::Dialect::{Chat, Messages, Responses};
    let files = Files::new(
        "model_list:
  - {model_name: a, litellm_params: {model: openai/gpt-6-sol, api_key: x, api_mode: responses}}
  - {model_name: b, litellm_params: {model: openai/gpt-6-sol, api_key: x, api_mode: chat}}
  - {model_name: c, litellm_params: {model: openai/gpt-6-sol, api_key: x, api_mode: auto}}
  - {model_name: d, litellm_params: {model: openai/gpt-5.3-codex, api_key: x}}
  - {model_name: e, litellm_params: {model: openai/gpt-5.3-codex, api_key: x, api_mode: chat}}
  - {model_name: f, litellm_params: {model: openai/responses/gpt-6-sol, api_key: x}}
  - {model_name: g, litellm_params: {model: openai/local, api_key: x, api_base: http://localhost:8000/v1/responses}}
  - {model_name: h, litellm_params: {model: anthropic/claude-sonnet-5-5, api_key: x, api_mode: responses}}
  - {model_name: i, litellm_params: {model: openai/gpt-6-sol, api_key: x, use_chat_completions_api: true}}
",
    );
    let (config, _) = files.good();
    let spoken = |client| -> Vec<_> { config.deployments.iter().map(|d| d.dialect_for(client, &d.quirks)).collect() };
    // The provider has it, so a Responses client's words go on unless something else is said.
    assert_eq!(spoken(Messages), [Responses, Chat, Chat, Responses, Chat, Responses, Chat, Messages, Chat]);
    assert_eq!(spoken(Responses), [Responses, Chat, Responses, Responses, Chat, Responses, Chat, Messages, Chat]);
    assert_eq!(config.deployments[5].model, "gpt-6-sol");
    assert_eq!(config.deployments[6].url(Responses.path()), "http://localhost:8000/v1/responses");
}

#[test]
fn an_anthropic_endpoint_is_known_by_its_address_or_asked_for() {
    let files = Files::new(
        "model_list:
  - model_name: by-address
    litellm_params: {model: moonshot/kimi-k2.5, api_base: https://api.moonshot.ai/anthropic, api_key: x}
  - model_name: by-word
    litellm_params: {model: zai/glm-5, endpoint: messages, api_key: x}
  - model_name: by-prefix
    litellm_params: {model: anthropic/glm-5, api_base: https://api.z.ai/api/anthropic/v1/messages, api_key: x}
  - model_name: proxy
    litellm_params: {model: anthropic/claude-opus-5, api_base: https://proxy.example.com, api_key: x}
  - model_name: local
    litellm_params: {model: hosted_vllm/qwen3, api_base: http://gpu:8000}
    model_info: {supported_endpoints: [/v1/chat/completions, /v1/messages]}
  - model_name: stranger
    litellm_params: {model: anthropic/my-model, api_base: https://proxy.example.com, api_key: x}
",
    );
    let (config, _) = files.good();
    let of = |name: &str| {
        let d = to(&config, name)[0];
        assert_eq!(d.dialect, Dialect::Messages, "{name}");
        (d.provider.clone(), address(d), d.quirks.messages.genuine, d.quirks.messages.betas)
    };
    assert_eq!(
        of("by-address"),
        ("moonshot".into(), "https://api.moonshot.ai/anthropic/v1/messages".into(), false, false)
    );
    assert_eq!(of("by-word"), ("zai".into(), "https://api.z.ai/api/anthropic/v1/messages".into(), false, false));
    assert_eq!(of("by-prefix"), ("zai".into(), "https://api.z.ai/api/anthropic/v1/messages".into(), false, false));
    assert_eq!(of("proxy"), ("anthropic".into(), "https://proxy.example.com/v1/messages".into(), true, true));
    assert_eq!(of("local"), ("hosted_vllm".into(), "http://gpu:8000/v1/messages".into(), false, false));
    assert_eq!(of("stranger"), ("anthropic_like".into(), "https://proxy.example.com/v1/messages".into(), false, false));
}

#[test]
fn providers_are_found_by_address_and_by_well_known_names() {
    let files = Files::new(
        "model_list:
  - model_name: a
    litellm_params: {model: gpt-6-sol, api_key: x}
  - model_name: b
    litellm_params: {model: claude-opus-5, api_key: x}
  - model_name: c
    litellm_params: {model: kimi-k3, custom_llm_provider: openai, api_base: https://api.moonshot.cn/v1, api_key: x}
  - model_name: d
    litellm_params: {model: moonshotai/kimi-k3, api_base: https://openrouter.ai/api/v1, api_key: x}
  - model_name: e
    litellm_params: {model: ollama_chat/qwen3, api_base: http://box:11434}
  - model_name: f
    litellm_params: {model: openai/my-deployment, api_base: https://res.openai.azure.com/openai/v1, api_key: x}
",
    );
    let (config, _) = files.good();
    let found: Vec<_> =
        config.deployments.iter().map(|d| (d.provider.as_str(), d.model.as_str(), address(d))).collect();
    assert_eq!(
        found,
        [
            ("openai", "gpt-6-sol", "https://api.openai.com/v1/chat/completions".to_string()),
            ("anthropic", "claude-opus-5", "https://api.anthropic.com/v1/messages".to_string()),
            ("moonshot", "kimi-k3", "https://api.moonshot.cn/v1/chat/completions".to_string()),
            ("openrouter", "moonshotai/kimi-k3", "https://openrouter.ai/api/v1/chat/completions".to_string()),
            ("ollama", "qwen3", "http://box:11434/v1/chat/completions".to_string()),
            ("azure", "my-deployment", "https://res.openai.azure.com/openai/v1/chat/completions".to_string()),
        ]
    );
}

#[test]
fn included_files_are_appended_and_merged() {
    let files = Files::new(
        "include: [models/a.yaml]\nlitellm_settings: {drop_params: false, num_retries: 1}\nmodel_list:\n  - {model_name: one, litellm_params: {model: ollama/one}}\n",
    );
    std::fs::create_dir(files.path().parent().expect("a folder").join("models")).expect("a folder");
    let files = files
        .add("models/a.yaml", "include: [b.yaml]\nlitellm_settings: {drop_params: true}\nmodel_list:\n  - {model_name: two, litellm_params: {model: ollama/two}}\n")
        .add("models/b.yaml", "model_list:\n  - {model_name: three, litellm_params: {model: bedrok/three}}\n");
    assert_eq!(
        files.bad(),
        ["models/b.yaml:2:49: model_list[2].litellm_params.model: no provider is called bedrok
    hint: did you mean `bedrock/…`? For any other OpenAI-compatible server write `openai/NAME` and its `api_base`"]
    );
    let files =
        files.add("models/b.yaml", "model_list:\n  - {model_name: three, litellm_params: {model: ollama/three}}\n");
    let (config, _) = files.good();
    assert_eq!(config.routes.names().collect::<Vec<_>>(), ["one", "two", "three"]);
    assert!(config.deployments.iter().all(|d| d.drop_params && d.num_retries == 1));
}

/// Every block and many keys at once, none of which may be an error.
#[test]
fn a_large_file_of_a_company_loads_with_warnings_only() {
    let files = Files::new(include_str!("company.yaml"))
        .env("DB", "postgres://u:p@h/db")
        .env("OR_KEY", "sk-or")
        .env("LITELLM_MASTER_KEY", "sk-m");
    let (config, problems) = files.good();
    assert_eq!(config.deployments.len(), 5);
    assert!(problems.iter().all(|line| line.contains("warning: ") || line.contains("note: ")), "{problems:#?}");
    assert!(!problems.iter().any(|line| line.contains("not a known key") && !line.contains("my_own")), "{problems:#?}");
    assert_eq!(config.settings.max_request_bytes, Some(64 << 20));
    assert_eq!(config.environment.len(), 2);
}

#[test]
fn a_file_of_two_thousand_models_loads() {
    let mut yaml = String::from("model_list:\n");
    for i in 0..2000 {
        yaml.push_str(&format!(
            "  - model_name: m{i}\n    litellm_params: {{model: openrouter/vendor/m{i}, api_key: sk-{i}}}\n"
        ));
    }
    assert_eq!(Files::new(&yaml).good().0.deployments.len(), 2000);
}

#[test]
fn gemini_is_asked_in_its_own_dialect_unless_the_address_or_a_word_says_chat() {
    let files = Files::new(
        "model_list:
  - model_name: own
    litellm_params: {model: gemini/gemini-3-pro, api_key: k}
  - model_name: based
    litellm_params: {model: gemini/gemini-2.5-pro, api_base: 'https://generativelanguage.googleapis.com/v1beta', api_key: k}
  - model_name: chat
    litellm_params: {model: gemini/gemini-3-pro, endpoint: chat, api_key: k}
  - model_name: by-address
    litellm_params: {model: openai/gemini-3-pro, api_base: 'https://generativelanguage.googleapis.com/v1beta/openai/', api_key: k}
",
    );
    let (config, problems) = files.good();
    assert!(problems.is_empty(), "{problems:?}");
    let of = |name: &str| {
        let d = to(&config, name)[0];
        let (header, _) = d.credential.as_ref().expect("a key");
        (d.dialect, d.url(&d.dialect.path_for(&d.model, true)), header.as_str().to_owned())
    };
    let stream = |model: &str| {
        format!("https://generativelanguage.googleapis.com/v1beta/models/{model}:streamGenerateContent?alt=sse")
    };
    assert_eq!(of("own"), (Dialect::Gemini, stream("gemini-3-pro"), "x-goog-api-key".into()));
    assert_eq!(of("based"), (Dialect::Gemini, stream("gemini-2.5-pro"), "x-goog-api-key".into()));
    let chat = "https://generativelanguage.googleapis.com/v1beta/openai/chat/completions";
    for name in ["chat", "by-address"] {
        assert_eq!(of(name), (Dialect::Chat, chat.into(), "authorization".into()), "{name}");
    }
    let (new, old) = (&to(&config, "own")[0].quirks, &to(&config, "based")[0].quirks);
    assert_eq!((new.gemini.ids, new.gemini.thinking, new.thought_signatures), (true, GeminiThinking::Level, true));
    assert_eq!((old.gemini.ids, old.gemini.thinking, old.thinking_always), (false, GeminiThinking::Budget, true));
}
