use tollgate_dialect::quirks::*;
use tollgate_dialect::request::Effort;

use super::*;

fn quirks(provider: &str, model: &str) -> Quirks {
    let facts = embedded().model(provider, model);
    quirks_of(merge(embedded().row(provider).quirks.clone(), &facts.quirks)).expect("rows are valid")
}

#[test]
fn every_row_can_be_read() {
    let registry = Registry::parse(include_str!("providers.toml"), include_str!("models.toml")).expect("is valid");
    assert!(registry.providers().count() > 100);
    for provider in registry.providers().filter(|p| p.base_url.is_some()) {
        assert!(!provider.source.is_empty(), "{}", provider.name);
        for url in [&provider.base_url, &provider.messages_url].into_iter().flatten() {
            assert!(url.starts_with("http") && !url.ends_with('/'), "{url}");
        }
    }
}

#[test]
fn a_word_outside_the_vocabulary_is_refused() {
    let providers =
        "messages_layer = {}\napi_base_required = []\nlater = []\n[provider.x]\nquirks = { tokn_field = 1 }";
    let error = Registry::parse(providers, "bare = []\nmodel = []\nwell_known = {}").expect_err("is refused");
    assert!(error.to_string().contains("tokn_field"), "{error}");
    let columns = "messages_layer = {}\napi_base_required = []\nlater = []\n[provider.x]\nbase = 1";
    assert!(Registry::parse(columns, "bare = []\nmodel = []\nwell_known = {}").is_err());
}

#[test]
fn merging_goes_into_tables_and_replaces_the_rest() {
    let table = |text: &str| toml::from_str::<toml::Table>(text).expect("is TOML");
    let base = table("a = 1\nlist = [1, 2]\n[deep]\nx = 1\ny = 2\n[deep.er]\nz = 1");
    let overlay = table("list = [3]\n[deep]\ny = 3\n[deep.er]\nw = 2");
    assert_eq!(merge(base, &overlay), table("a = 1\nlist = [3]\n[deep]\nx = 1\ny = 3\n[deep.er]\nz = 1\nw = 2"));
}

#[test]
fn a_provider_is_found_by_name_alias_and_host() {
    let registry = embedded();
    let name = |known: Known<'_>| match known {
        Known::Provider(p) => p.name.clone(),
        Known::Later => "later".into(),
        Known::Unknown => "unknown".into(),
    };
    assert_eq!(name(registry.find("moonshot")), "moonshot");
    assert_eq!(name(registry.find("vllm")), "hosted_vllm");
    assert_eq!(name(registry.find("sagemaker")), "later");
    assert_eq!(name(registry.find("moonshotai")), "unknown");
    assert_eq!(registry.by_host("api.moonshot.cn").map(|p| p.name.as_str()), Some("moonshot"));
    assert_eq!(registry.by_host("localhost:8080").map(|p| p.name.as_str()), None);
    assert_eq!(registry.infer("gpt-5.6").map(|p| p.name.as_str()), Some("openai"));
    assert!(registry.infer("llama-3").is_none());
}

#[test]
fn keys_are_looked_for_under_the_usual_names() {
    let registry = embedded();
    assert_eq!(registry.row("openrouter").key_variables("openrouter"), ["OPENROUTER_API_KEY", "OR_API_KEY"]);
    assert_eq!(registry.row("scx-ai").key_variables("scx-ai"), ["SCX_AI_API_KEY"]);
    assert_eq!(registry.row("dashscope").key_variables("qwencloud"), ["DASHSCOPE_API_KEY", "QWENCLOUD_API_KEY"]);
}

#[test]
fn every_provider_of_litellm_is_known() {
    for prefix in include_str!("../config/known_keys/provider_prefixes.txt").lines().filter(|l| !l.starts_with('#')) {
        assert!(!matches!(embedded().find(prefix), Known::Unknown), "{prefix}");
    }
}

/// platform.claude.com, per-model matrix.
#[test]
fn claude_models_follow_the_matrix() {
    use ThinkingType::*;
    let row = |model: &str| {
        let facts = embedded().model("anthropic", model);
        let m = quirks("anthropic", model).messages;
        assert!(m.genuine && m.betas, "{model}");
        (facts.max_output_tokens, m.thinking, m.prefill, m.sampling, m.forced_tool, m.mid_system, m.effort)
    };
    let big = Some(128_000);
    assert_eq!(row("claude-opus-5-5"), (big, vec![Adaptive], false, false, false, true, true));
    assert_eq!(row("claude-sonnet-5-5"), (big, vec![Adaptive, BetweenTools], false, false, false, true, true));
    assert_eq!(row("claude-haiku-5-5"), (big, vec![Adaptive, Disabled], false, false, true, true, true));
    assert_eq!(row("claude-fable-5-1"), (big, vec![Adaptive], false, false, false, true, true));
    assert_eq!(row("claude-mythos-5"), (big, vec![Adaptive], false, false, true, true, true));
    assert_eq!(row("claude-opus-5"), (big, vec![Adaptive, Disabled], false, false, true, true, true));
    assert_eq!(row("claude-sonnet-5-20260801"), (big, vec![Adaptive, Disabled], false, false, true, true, true));
    assert_eq!(row("claude-opus-4-8"), (big, vec![Adaptive, Disabled], false, false, true, true, true));
    assert_eq!(row("claude-opus-4-7"), (big, vec![Adaptive, Disabled], false, false, true, false, true));
    assert_eq!(row("claude-sonnet-4-6"), (big, vec![Adaptive, Enabled, Disabled], false, true, true, false, true));
    let old = Some(64_000);
    assert_eq!(row("claude-haiku-4-5-20251001"), (old, vec![Enabled, Disabled], true, true, true, false, false));
    assert_eq!(row("claude-opus-4-5"), (old, vec![Enabled, Disabled], true, true, true, false, true));
    assert_eq!(embedded().model("anthropic", "claude-haiku-4-5").context_window, Some(200_000));
    for (provider, model) in
        [("anthropic", "claude-opus-4-1"), ("bedrock", "us.anthropic.claude-sonnet-4-20250514-v1:0")]
    {
        assert_eq!(
            quirks(provider, model).response_format,
            ResponseFormat::None,
            "{model}: structured outputs came with 4.5"
        );
    }
    assert_eq!(quirks("anthropic", "claude-haiku-4-5").response_format, ResponseFormat::JsonSchema);
    assert_eq!(embedded().model("openrouter", "anthropic/claude-opus-5.5").context_window, Some(1_000_000));
}

#[test]
fn efforts_are_those_of_the_model() {
    use Effort::*;
    assert_eq!(quirks("anthropic", "claude-opus-4-6").efforts, [Low, Medium, High, Max]);
    assert_eq!(quirks("anthropic", "claude-opus-5-5").efforts, [Low, Medium, High, Xhigh, Max]);
    assert_eq!(quirks("anthropic", "claude-opus-4-5").efforts, [Low, Medium, High]);
    assert_eq!(quirks("openrouter", "anthropic/claude-opus-5.5").efforts, [Minimal, Low, Medium, High, Xhigh]);
    assert_eq!(quirks("openai", "gpt-6.1-sol").efforts, [Low, Medium, High, Xhigh, Max]);
    assert_eq!(quirks("openai", "gpt-5.6-mini").efforts, [None, Low, Medium, High, Xhigh]);
}

#[test]
fn s08_each_vendor_has_its_own_reasoning_control() {
    for (provider, model, control) in [
        ("deepseek", "deepseek-v4-pro", ReasoningControl::ThinkingEffort),
        ("moonshot", "kimi-k2.5", ReasoningControl::Thinking),
        ("moonshot", "kimi-k3", ReasoningControl::None),
        ("zai", "glm-5", ReasoningControl::Thinking),
        ("dashscope", "qwen3-max", ReasoningControl::EnableThinking),
        ("minimax", "MiniMax-M2.5", ReasoningControl::ReasoningSplit),
        ("openrouter", "moonshotai/kimi-k2.5", ReasoningControl::Reasoning),
        ("hosted_vllm", "Qwen/Qwen3-Coder", ReasoningControl::ChatTemplate),
        ("openai", "gpt-5.6", ReasoningControl::Effort),
        ("openai", "gpt-4.1", ReasoningControl::None),
        ("openai_like", "gpt-5.6", ReasoningControl::None),
        ("openai_like", "kimi-k2.5", ReasoningControl::None),
    ] {
        assert_eq!(quirks(provider, model).reasoning, control, "{provider}/{model}");
    }
}

#[test]
fn thoughts_are_replayed_where_the_vendor_insists() {
    let of = |provider, model| {
        let q = quirks(provider, model);
        (q.reasoning_field, q.replay, q.reasoning_filler)
    };
    let space = Some(" ".to_string());
    assert_eq!(of("deepseek", "deepseek-flash"), (ReasoningField::ReasoningContent, Replay::Always, space.clone()));
    assert_eq!(of("openai_like", "deepseek-v4-pro"), (ReasoningField::ReasoningContent, Replay::Always, space.clone()));
    assert_eq!(of("moonshot", "kimi-k2.5"), (ReasoningField::ReasoningContent, Replay::ToolCalls, space));
    assert_eq!(of("openrouter", "deepseek/deepseek-v4"), (ReasoningField::ReasoningDetails, Replay::ToolCalls, None));
    assert_eq!(of("groq", "llama-4"), (ReasoningField::Reasoning, Replay::Never, None));
}

#[test]
fn openais_own_words_are_for_openai_alone() {
    let own = quirks("openai", "gpt-6-sol");
    assert_eq!((own.token_field, own.system_role), (TokenField::MaxCompletionTokens, SystemRole::Developer));
    let other = quirks("openai_like", "gpt-6-sol");
    assert_eq!((other.token_field, other.system_role), (TokenField::MaxTokens, SystemRole::System));
    assert_eq!(quirks("fireworks_ai", "accounts/fireworks/models/glm-5").nonstream_max_tokens, Some(4096));
}

#[test]
fn other_vendors_messages_endpoints_lack_anthropics_newest() {
    let messages = quirks("deepseek", "deepseek-v4-pro").messages;
    assert!(!messages.genuine && !messages.betas && !messages.mid_system);
    assert_eq!(messages.refuses, ["context_management"]);
    assert_eq!(messages.refuses_in_tools, ["type"]);
    let row = embedded().row("deepseek");
    assert_eq!(row.messages_path(), Some("anthropic"));
    assert_eq!((row.auth(Dialect::Chat), row.auth(Dialect::Messages)), (Auth::Bearer, Auth::XApiKey));
}

#[test]
fn of_two_matching_rows_the_later_one_decides() {
    let providers = "messages_layer = {}\napi_base_required = ['p']\nlater = []\nprovider = {}";
    let models = "bare = []\nwell_known = {}
        [[model]]\nmatch = ['m*']\ncontext_window = 1\nmax_output_tokens = 1\nsource = ''
        [[model]]\nmatch = ['mm*']\ncontext_window = 2\nsource = ''";
    let facts = Registry::parse(providers, models).expect("is valid").model("p", "vendor/MM-1");
    assert_eq!((facts.context_window, facts.max_output_tokens), (Some(2), Some(1)));
}
