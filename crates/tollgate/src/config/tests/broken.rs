//! What is wrong is said where it is.

use super::Files;

/// The errors of a file whose `model_list` has one good entry, and whatever is added.
fn errors(yaml: &str) -> Vec<String> {
    Files::new(yaml)
        .bad()
        .into_iter()
        .filter(|line| !line.contains(": warning: ") && !line.contains(": note: "))
        .collect()
}

fn places(yaml: &str) -> Vec<String> {
    errors(yaml).iter().map(|line| line.lines().next().unwrap_or_default().to_string()).collect()
}

const ENTRY: &str = "model_list:\n  - {model_name: a, litellm_params: {model: ollama/a}}\n";

#[test]
fn nothing_to_route_to_is_an_error() {
    assert_eq!(places(""), ["config.yaml:1:1: the file is empty"]);
    assert_eq!(places("model_list: []\n"), ["config.yaml:1:1: model_list: there is no model in it"]);
    assert_eq!(places("model_list:\n"), ["config.yaml:1:1: model_list: there is no model in it"]);
    assert_eq!(places("litellm_settings: {}\n"), ["config.yaml:1:1: model_list: there is no model in it"]);
    assert_eq!(places("- a\n"), ["config.yaml:1:1: a configuration is a map of blocks"]);
    assert_eq!(places("model_list: {a: 1}\n"), ["config.yaml:1:13: model_list: must be a list, but is a map"]);
    let missing = Files::new("");
    std::fs::remove_file(missing.path()).expect("removed");
    assert!(missing.bad()[0].contains("cannot be read"));
}

#[test]
fn an_entry_says_what_it_lacks() {
    assert_eq!(
        places(
            "model_list:\n  - litellm_params: {model: ollama/a}\n  - model_name: b\n  - {model_name: c, litellm_params: {}}\n  - d\n"
        ),
        [
            "config.yaml:2:5: model_list[0].model_name: is missing: the name that clients ask for",
            "config.yaml:3:5: model_list[1].litellm_params: is missing",
            "config.yaml:4:5: model_list[2].litellm_params.model: is missing: a deployment needs the provider's name for the model",
            "config.yaml:5:5: model_list[3]: must be a map, but is text",
        ]
    );
}

#[test]
fn wrong_types_are_named_where_they_stand() {
    let yaml = "model_list:
  - model_name: a
    litellm_params:
      model: ollama/a
      timeout: soon
      num_retries: -1
      max_output_tokens: 12.5
      drop_params: perhaps
      force_stream: sometimes
      input_cost_per_token: cheap
      weight: [1]
      headers: text
      additional_drop_params: [{a: 1}]
    model_info: [1]
litellm_settings: {num_retries: many}
router_settings: [1]
";
    assert_eq!(
        places(yaml),
        [
            "config.yaml:5:16: model_list[0].litellm_params.timeout: must be a number of seconds above 0",
            "config.yaml:6:20: model_list[0].litellm_params.num_retries: must be a whole number of 0 or more",
            "config.yaml:7:26: model_list[0].litellm_params.max_output_tokens: must be a whole number of 0 or more",
            "config.yaml:8:20: model_list[0].litellm_params.drop_params: must be true or false",
            "config.yaml:9:21: model_list[0].litellm_params.force_stream: must be one of auto, always, never",
            "config.yaml:10:29: model_list[0].litellm_params.input_cost_per_token: must be a price in dollars per token, such as 0.000003",
            "config.yaml:11:15: model_list[0].litellm_params.weight: must be text, but is a list",
            "config.yaml:12:16: model_list[0].litellm_params.headers: must be a map, but is text",
            "config.yaml:13:32: model_list[0].litellm_params.additional_drop_params: must be a list of names, but is a map",
            "config.yaml:14:17: model_list[0].model_info: must be a map, but is a list",
            "config.yaml:15:33: litellm_settings.num_retries: must be a whole number of 0 or more",
            "config.yaml:16:18: router_settings: must be a map, but is a list",
        ]
    );
}

#[test]
fn a_provider_that_nobody_knows_comes_with_the_nearest() {
    assert_eq!(
        errors("model_list:\n  - model_name: a\n    litellm_params:\n      model: opnrouter/x/y\n"),
        ["config.yaml:4:14: model_list[0].litellm_params.model: no provider is called opnrouter
    hint: did you mean `openrouter/…`? For any other OpenAI-compatible server write `openai/NAME` and its `api_base`"]
    );
    assert_eq!(
        places(
            "model_list:\n  - {model_name: a, litellm_params: {model: my-model}}\n  - {model_name: b, litellm_params: {model: x, custom_llm_provider: nobody}}\n"
        ),
        [
            "config.yaml:2:45: model_list[0].litellm_params.model: does not say which provider the model belongs to",
            "config.yaml:3:69: model_list[1].litellm_params.custom_llm_provider: no provider is called nobody",
        ]
    );
}

#[test]
fn an_address_must_be_one_and_must_be_there() {
    let of = |params: &str| places(&format!("model_list:\n  - model_name: a\n    litellm_params: {{{params}}}\n"));
    assert_eq!(
        of("model: ollama/a, api_base: localhost"),
        ["config.yaml:3:49: model_list[0].litellm_params.api_base: is no address that begins with http:// or https://"]
    );
    assert_eq!(
        of("model: hosted_vllm/a"),
        [
            "config.yaml:2:5: model_list[0].litellm_params.api_base: hosted_vllm has no address that is known: `api_base` is needed"
        ]
    );
    assert_eq!(
        of("model: groq/a, endpoint: messages, api_key: x"),
        [
            "config.yaml:2:5: model_list[0].litellm_params.api_base: groq has no address that is known: `api_base` is needed"
        ]
    );
}

#[test]
fn names_that_lead_nowhere_are_errors() {
    let yaml = format!(
        "{ENTRY}router_settings:\n  model_group_alias: {{x: aa, y: {{hidden: true}}}}\ntollgate_settings:\n  catch_all: {{haiku: nowhere}}\n"
    );
    assert_eq!(
        errors(&yaml),
        [
            "config.yaml:4:26: router_settings.model_group_alias.x: leads to no route\n    hint: did you mean a?",
            "config.yaml:4:33: router_settings.model_group_alias.y: names no route\n    hint: write `alias: ROUTE` or `alias: {model: ROUTE, hidden: true}`",
            "config.yaml:6:22: tollgate_settings.catch_all.haiku: leads to no route\n    hint: write the `model_name` of an entry of `model_list`",
        ]
    );
}

#[test]
fn unknown_keys_are_warnings_with_the_nearest_name() {
    let files = Files::new(
        "model_list:
  - model_name: a
    litellm_params: {model: ollama/a, api_bse: x, reasonning_effort: low, min_p: 0.1}
    model_info: {max_outptu_tokens: 5}
litellm_setings: {}
general_settings: {databse_url: x, zzzzzzzz: 1}
tollgate_settings: {catch_all: {hiku: a, small: a}, fair_queue: {max_wait: 20}, responses: {days: 1}}
",
    );
    let (config, problems) = files.good();
    assert_eq!(
        problems,
        [
            "config.yaml:3:39: warning: model_list[0].litellm_params.api_bse: is not a known key and is sent to the provider as it is\n    hint: did you mean `api_base`?",
            "config.yaml:3:51: warning: model_list[0].litellm_params.reasonning_effort: is not a known key and is sent to the provider as it is\n    hint: did you mean `reasoning_effort`?",
            "config.yaml:3:75: note: model_list[0].litellm_params.min_p: is not a known key and is sent to the provider as it is",
            "config.yaml:4:18: warning: model_list[0].model_info.max_outptu_tokens: is not a known key and has no effect\n    hint: did you mean `max_output_tokens`?",
            "config.yaml:5:1: warning: litellm_setings: is not a known key and has no effect\n    hint: did you mean `litellm_settings`?",
            "config.yaml:6:20: warning: general_settings.databse_url: is not a known key and has no effect\n    hint: did you mean `database_url`?",
            "config.yaml:6:36: warning: general_settings.zzzzzzzz: is not a known key and has no effect\n    hint: remove it, or look up its name in docs/config.md",
            "config.yaml:7:33: warning: tollgate_settings.catch_all.hiku: is not a known key and has no effect\n    hint: did you mean `haiku`?",
            "config.yaml:7:42: warning: tollgate_settings.catch_all.small: is not a known key and has no effect\n    hint: the keys here are haiku, sonnet, opus, default",
            "config.yaml:7:66: warning: tollgate_settings.fair_queue.max_wait: is not a known key and has no effect\n    hint: did you mean `max_wait_s`?",
            "config.yaml:7:93: warning: tollgate_settings.responses.days: is not a known key and has no effect\n    hint: the keys here are keep_days, max_mb",
        ]
    );
    let sent: Vec<&str> = config.deployments[0].extra_body.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(sent, ["api_bse", "reasonning_effort", "min_p"]);
}

#[test]
fn a_slip_in_the_name_of_a_block_of_a_deployment_and_a_parameter_beside_it_are_told_with_what_to_do() {
    let yaml = "model_list:\n  - {model_name: a, litelm_params: {model: ollama/a}, api_base: \"http://x\"}\n";
    assert_eq!(
        Files::new(yaml).bad(),
        [
            "config.yaml:2:5: model_list[0].litellm_params: is missing\n    hint: write `litellm_params:` with `model: PROVIDER/NAME` below it",
            "config.yaml:2:21: warning: model_list[0].litelm_params: is not a known key and has no effect\n    hint: did you mean `litellm_params`?",
            "config.yaml:2:55: warning: model_list[0].api_base: has no effect here\n    hint: move it below `litellm_params:`",
        ]
    );
}

#[test]
fn a_slip_in_the_name_of_a_secret_is_not_sent_to_anyone() {
    assert_eq!(
        errors("model_list:\n  - {model_name: a, litellm_params: {model: ollama/a, api_kye: sk-x}}\n"),
        [
            "config.yaml:2:55: model_list[0].litellm_params.api_kye: is not a known key, and is too near to one that holds a secret to be sent on\n    hint: did you mean `api_key`?"
        ]
    );
}

#[test]
fn a_wildcard_model_needs_a_wildcard_name() {
    assert_eq!(
        places("model_list:\n  - {model_name: a, litellm_params: {model: ollama/*}}\n"),
        ["config.yaml:2:45: model_list[0].litellm_params.model: has a wildcard, but `model_name` has none"]
    );
}

#[test]
fn an_unknown_quirk_or_value_is_an_error() {
    let of = |quirks: &str| {
        errors(&format!("model_list:\n  - {{model_name: a, litellm_params: {{model: ollama/a, quirks: {quirks}}}}}\n"))
    };
    assert!(
        of("{tokn_field: x}")[0]
            .starts_with("config.yaml:2:63: model_list[0].litellm_params.quirks: unknown field `tokn_field`")
    );
    assert!(of("{token_field: x}")[0].contains("max_completion_tokens"));
}

#[test]
fn broken_yaml_is_shown_at_its_place() {
    assert_eq!(
        errors("model_list:\n\t- model_name: a\n"),
        ["config.yaml:2:1: a tab stands in the indentation\n    hint: YAML is indented with spaces only"]
    );
    assert_eq!(
        errors("model_list:\n  - model_name: a\n    model_name: b\n"),
        ["config.yaml:3:5: `model_name` is given twice; the first is in line 2\n    hint: remove one of them"]
    );
}

#[test]
fn s07_rules_are_checked_when_the_file_is_read() {
    let yaml = format!(
        "{ENTRY}tollgate_settings:
  rewrite:
    - match: {{model: 'gpt-*', agent: x}}
      cap: {{max_tokens: many}}
    - {{match: {{client: '*'}}}}
    - drop: [a..b, {{x: 1}}]
      rename: {{a.b: c.d}}
    - {{sett: {{a: 1}}, set: {{b: 1}}}}
"
    );
    assert_eq!(
        places(&yaml),
        [
            "config.yaml:5:31: tollgate_settings.rewrite[0].match.agent: cannot be matched on",
            "config.yaml:6:25: tollgate_settings.rewrite[0].cap.max_tokens: must be a number: the most that is let through",
            "config.yaml:7:7: tollgate_settings.rewrite[1]: does nothing",
            "config.yaml:8:14: tollgate_settings.rewrite[2].drop: is no path",
            "config.yaml:8:20: tollgate_settings.rewrite[2].drop: is no path",
            "config.yaml:9:21: tollgate_settings.rewrite[2].rename.a.b: is no name to rename to",
            "config.yaml:10:8: tollgate_settings.rewrite[3].sett: is no part of a rewrite rule",
        ]
    );
}
