use tollgate_dialect::usage::Usage;

use super::Files;

fn one(params: &str) -> crate::config::model::Deployment {
    let yaml = format!("model_list:\n  - {{model_name: a, litellm_params: {{model: ollama/a, {params}}}}}\n");
    Files::new(&yaml).good().0.deployments.remove(0)
}

#[test]
fn openai_parameters_are_defaults_and_the_rest_goes_into_the_body() {
    let d = one(
        "temperature: 0.70, stop: [a, b], thinking: {type: enabled}, top_k: 40, repetition_penalty: 1.10, extra_body: {a: {b: yes}}",
    );
    let show = |members: &[(String, tollgate_dialect::json::Json<'_>)]| -> Vec<String> {
        members.iter().map(|(key, value)| format!("{key}={}", value.get())).collect()
    };
    assert_eq!(
        show(&d.defaults),
        ["temperature=0.70", "stop=[\"a\",\"b\"]", "thinking={\"type\":\"enabled\"}", "top_k=40"]
    );
    assert_eq!(show(&d.extra_body), ["a={\"b\":true}", "repetition_penalty=1.10"]);
}

#[test]
fn a_reasoning_map_is_the_providers_own_parameter() {
    let d = one("reasoning: {effort: high}");
    assert_eq!((d.defaults[0].0.as_str(), d.defaults[0].1.get()), ("reasoning", r#"{"effort":"high"}"#));
}

/// $1.25 and $10 per million tokens, cached input $0.125.
#[test]
fn prices_of_params_and_info_are_exact() {
    let yaml = "model_list:
  - model_name: a
    litellm_params: {model: ollama/a, input_cost_per_token: 1.25e-06, output_cost_per_token: 0.00001}
    model_info: {cache_read_input_token_cost: 1.25e-07, input_cost_per_token: 5}
  - {model_name: b, litellm_params: {model: ollama/b}}
";
    let (config, _) = Files::new(yaml).good();
    let price = config.deployments[0].price.expect("a price");
    let usage = Usage { input: Some(1000), cache_read: Some(1000), output: Some(100), ..Usage::default() };
    assert_eq!(price.cost_nanos(&usage), 1_250_000 + 125_000 + 1_000_000);
    assert_eq!(config.deployments[1].price, None);
}

#[test]
fn a_list_of_organizations_makes_several_deployments() {
    let yaml =
        "model_list:\n  - {model_name: a, litellm_params: {model: openai/a, api_key: x, organization: [one, two]}}\n";
    let (config, _) = Files::new(yaml).good();
    let of: Vec<_> = config.deployments.iter().map(|d| d.headers[0].1.to_str().expect("is text")).collect();
    assert_eq!(of, ["one", "two"]);
    assert_ne!(config.deployments[0].id, config.deployments[1].id);
}

#[test]
fn ids_stay_the_same_from_load_to_load_and_whatever_the_key() {
    let yaml =
        |key: &str| format!("model_list:\n  - {{model_name: a, litellm_params: {{model: groq/a, api_key: {key}}}}}\n");
    let id = |yaml: &str| Files::new(yaml).good().0.deployments[0].id.clone();
    assert_eq!(id(&yaml("one")), id(&yaml("two")));
}

#[test]
fn router_defaults_reach_every_deployment() {
    let yaml = "model_list:\n  - {model_name: a, litellm_params: {model: ollama/a, temperature: 1}}\nrouter_settings:\n  default_litellm_params: {temperature: 0, seed: 7}\n";
    let (config, _) = Files::new(yaml).good();
    let keys: Vec<_> = config.deployments[0].defaults.iter().map(|(key, value)| (key.as_str(), value.get())).collect();
    assert_eq!(keys, [("temperature", "1"), ("seed", "7")]);
}

#[test]
fn a_query_of_an_address_is_kept_behind_the_path() {
    let d = one("api_base: 'https://x.example.com/v1/chat/completions?version=2'");
    assert_eq!(d.url("/chat/completions"), "https://x.example.com/v1/chat/completions?version=2");
    assert_eq!(d.shown_url(), "https://x.example.com/v1");
}

#[test]
fn timeouts_come_from_the_deployment_the_router_and_the_settings_in_this_order() {
    let yaml = "model_list:
  - {model_name: a, litellm_params: {model: ollama/a, timeout: 10}}
  - {model_name: b, litellm_params: {model: ollama/b, timeout: 20, stream_timeout: '2.5'}}
  - {model_name: c, litellm_params: {model: ollama/c}}
litellm_settings: {request_timeout: 6000}
";
    let of = |yaml: &str| -> Vec<(u128, u128, u128)> {
        let (config, _) = Files::new(yaml).good();
        let millis = |d: &crate::config::model::Deployment| {
            let timeouts = &d.timeouts;
            (timeouts.first_byte.as_millis(), timeouts.first_byte_stream.as_millis(), timeouts.idle.as_millis())
        };
        config.deployments.iter().map(millis).collect()
    };
    assert_eq!(of(yaml), [(10_000, 10_000, 10_000), (20_000, 2_500, 2_500), (6_000_000, 6_000_000, 300_000)]);
    let routed = format!("{yaml}router_settings: {{timeout: 300, stream_timeout: 60}}\n");
    assert_eq!(of(&routed), [(10_000, 60_000, 60_000), (20_000, 2_500, 2_500), (300_000, 60_000, 60_000)]);
}

#[test]
fn what_does_not_converse_is_not_checked_by_a_conversation() {
    let yaml = "model_list:\n  - {model_name: a, litellm_params: {model: ollama/a}, model_info: {mode: embedding}}\n";
    let (config, problems) = Files::new(yaml).good();
    assert_eq!(problems, Vec::<String>::new());
    assert_eq!(config.deployments[0].checked_model(), None);
}

#[test]
fn what_is_no_token_has_prices_too() {
    let yaml = "model_list:
  - model_name: a
    litellm_params: {model: openai/a, api_base: http://h/v1, api_key: k, input_cost_per_image: 0.01, output_cost_per_image: 0.04}
    model_info: {input_cost_per_query: 0.002, input_cost_per_second: 1e-4, output_cost_per_second: 0.0, input_cost_per_character: 1.5e-05,
                 output_cost_per_image_token: 4e-05}
";
    let (config, problems) = Files::new(yaml).good();
    assert_eq!(problems, Vec::<String>::new());
    let units = config.deployments[0].price.expect("a price").units;
    assert_eq!((units.image, units.query), (40_000_000_000_000, 2_000_000_000_000));
    assert_eq!((units.second, units.character), (100_000_000_000, 15_000_000_000));
    assert_eq!((units.output_image_token, units.input_image_token), (Some(40_000_000_000), None));
}
