//! One entry of `model_list:`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use tollgate_dialect::Dialect;
use tollgate_dialect::json::Json;
use tollgate_policy::health::Limits;
use tollgate_policy::price::{Price, Units};

use super::aws;
use super::bedrock;
use super::capabilities::{of_model, overlay};
use super::context::Context;
use super::credential::{credential, headers};
use super::entra::sign_in;
use super::google::Credentials;
use super::identity::{Identity, SignIn};
use super::known::{LITELLM_PARAMS, MODEL_INFO, OPENAI_PARAMS};
use super::limits;
use super::model::{CheckRules, Deployment, ForceStream, Paths, Timeouts};
use super::section::Section;
use super::target::{self, Target};
use super::vertex;
use super::yaml::{Entry, Map, Node, Value};
use crate::registry::catalogue;

/// What holds for every deployment that does not say otherwise.
#[derive(Debug, Default)]
pub struct Defaults {
    pub drop_params: bool,
    /// `litellm_settings.enable_azure_ad_token_refresh`: Azure's deployments without a key sign in.
    pub entra: bool,
    pub vertex: vertex::Defaults,
    pub num_retries: u32,
    pub timeout: Option<Duration>,
    pub stream_timeout: Option<Duration>,
    /// `router_settings.default_max_parallel_requests`.
    pub max_parallel: Option<u32>,
    /// `credential_list:` by name.
    pub credentials: BTreeMap<String, Map>,
    /// `router_settings.default_litellm_params`.
    pub params: Map,
}

/// Empty where the entry is wrong, which is then reported; several where `organization` is a list.
pub fn read(cx: &Context<'_>, node: &Node, index: usize, defaults: &Defaults) -> Vec<Deployment> {
    let path = format!("model_list[{index}]");
    let Some(entry) = Section::of(cx, node, &path) else { return Vec::new() };
    let group = entry.text("model_name").filter(|name| !name.trim().is_empty());
    if group.is_none() {
        cx.error(
            node.at,
            &entry.path_of("model_name"),
            "is missing: the name that clients ask for",
            "write `model_name: NAME`",
        );
    }
    let params = entry.section("litellm_params");
    let info = entry.section("model_info");
    for stray in entry.rest() {
        stray_key(cx, &stray, &entry.path_of(&stray.key));
    }
    let Some(mut params) = params else {
        if entry.map.get("litellm_params").is_none_or(|n| n.value == Value::Null) {
            let hint = "write `litellm_params:` with `model: PROVIDER/NAME` below it";
            cx.error(node.at, &entry.path_of("litellm_params"), "is missing", hint);
        }
        return Vec::new();
    };
    params.at = node.at;
    fill_from_credential(&mut params, defaults);
    params.map.fill_from(&defaults.params);
    let organizations = organizations(&params);
    organizations
        .iter()
        .filter_map(|organization| one(&params, info.as_ref(), group.clone()?, organization.as_deref(), defaults))
        .collect()
}

/// A key beside `litellm_params` that does not belong there.
fn stray_key(cx: &Context<'_>, stray: &Entry, path: &str) {
    if LITELLM_PARAMS.contains(&stray.key) || OPENAI_PARAMS.contains(&stray.key) {
        cx.warning(stray.at, path, "has no effect here", "move it below `litellm_params:`");
    } else {
        cx.unknown_part(&["model_name", "litellm_params", "model_info"], stray, path);
    }
}

fn fill_from_credential(params: &mut Section<'_, '_>, defaults: &Defaults) {
    let Some(name) = params.text("litellm_credential_name") else { return };
    let at = params.entry("litellm_credential_name").map_or(params.at, |entry| entry.node.at);
    match defaults.credentials.get(&name) {
        Some(values) => params.map.fill_from(values),
        None => {
            let names: Vec<&str> = defaults.credentials.keys().map(String::as_str).collect();
            let hint = match names.as_slice() {
                [] => "give it in `credential_list:`".to_string(),
                names => format!("`credential_list:` has {}", names.join(", ")),
            };
            params.cx.error(
                at,
                &params.path_of("litellm_credential_name"),
                "names no credential of `credential_list:`",
                hint,
            );
        }
    }
}

fn organizations(params: &Section<'_, '_>) -> Vec<Option<String>> {
    if matches!(params.map.get("organization").map(|n| &n.value), Some(Value::List(_))) {
        let items = params.list("organization");
        return items
            .iter()
            .map(|item| match params.cx.resolve(item) {
                super::context::Resolved::Text(text) => Some(text),
                _ => None,
            })
            .collect();
    }
    vec![params.text("organization")]
}

fn one(
    params: &Section<'_, '_>,
    info: Option<&Section<'_, '_>>,
    group: String,
    organization: Option<&str>,
    defaults: &Defaults,
) -> Option<Deployment> {
    let listed = info.map(|info| info.list("supported_endpoints")).unwrap_or_default();
    let messages_listed = listed.iter().any(|node| node.value == Value::Text("/v1/messages".into()));
    // LiteLLM's word for the same.
    let chat_only = params.bool("use_chat_completions_api").unwrap_or(false);
    let apis = [("auto", None), ("chat", Some(Dialect::Chat)), ("responses", Some(Dialect::Responses))];
    let api = params.choice("api_mode", &apis).flatten().or(chat_only.then_some(Dialect::Chat));
    let base_model = params.text("base_model").or_else(|| info.and_then(|info| info.text("base_model")));
    let wanted = target::Wanted { messages_listed, api, base_model: base_model.as_deref(), vertex: &defaults.vertex };
    let target = target::find(params, &wanted);
    // The rest is read all the same, so that one run reports everything.
    let drop_params = params.bool("drop_params").unwrap_or(defaults.drop_params);
    let force_stream = [("auto", ForceStream::Auto), ("always", ForceStream::Always), ("never", ForceStream::Never)];
    let force_stream = params.choice("force_stream", &force_stream).unwrap_or_default();
    let timeouts = timeouts(params, defaults);
    let num_retries =
        params.small_count("num_retries").or(params.small_count("max_retries")).unwrap_or(defaults.num_retries);
    let weight = params.small_count("weight");
    let bounds = limits::of_deployment(params, info);
    let limits = Limits {
        parallel: params.small_count("max_parallel_requests").or(defaults.max_parallel).filter(|n| *n > 0),
        requests: bounds.rates.requests_per_minute,
        tokens: bounds.rates.tokens_per_minute,
    };
    let cooldown = params.span("cooldown_time");
    let tags = texts(params, "tags");
    let access_groups = info.map(|info| texts(info, "access_groups")).unwrap_or_default();
    let order = params.small_count("order").unwrap_or(u32::MAX);
    let price = price(params, info);
    let max_output_tokens = params.count("max_output_tokens").or(info.and_then(|i| i.count("max_output_tokens")));
    let context_window = info.and_then(|info| info.count("max_input_tokens"));
    let mut check = info.map(check_rules).unwrap_or_default();
    let id = info.and_then(|info| info.text("id"));
    let drop_always = texts(params, "additional_drop_params");
    let target = target?;
    check.model = check.model.map(|model| without_provider(params, &target.model, model));
    if target.model.contains('*') && !group.contains('*') {
        let at = params.entry("model").map_or(params.at, |entry| entry.node.at);
        let hint = "write a wildcard in `model_name` too, such as `model_name: \"openai/*\"`";
        params.cx.error(at, &params.path_of("model"), "has a wildcard, but `model_name` has none", hint);
        return None;
    }
    let names_key = params.entry("api_key").is_some();
    let signs_in = match (&target.aws, &target.google) {
        (Some(asked), _) => aws::sign_in(params, asked),
        (None, Some(Credentials { source, .. })) => SignIn::As(Identity::Google(Arc::new(source.clone()))),
        (None, None) => sign_in(params, &target, defaults.entra),
    };
    let (credential, identity) = match signs_in {
        SignIn::Key => (credential(params, &target), None),
        SignIn::Token(token) => (Some((http::header::AUTHORIZATION, token)), None),
        SignIn::As(identity) => (None, Some(identity)),
        SignIn::Wrong => (None, None),
    };
    let quota_project = target.google.as_ref().and_then(|credentials| credentials.quota_project.as_deref());
    let mut headers = headers(params, organization, quota_project);
    // A deployment on Azure, a tuned model of Vertex AI and an ARN on AWS may be called anything.
    let named_freely = target.row.is_azure() || target.row.is_vertex() || target.row.is_aws();
    let facts_of = base_model.as_deref().filter(|_| named_freely).unwrap_or(&target.model);
    let overlay = overlay(params, info, &target.row.name, facts_of);
    let known = of_model(&target.row.name, facts_of, &overlay);
    let price = price.or(known.price);
    // A check asks as a chat client would, whatever `mode` says or does not say.
    check.possible &= catalogue::find(&target.row.name, facts_of).is_none_or(|listed| listed.converses());
    // Behind a wildcard each model has a price of its own.
    if bounds.budget.is_some() && price.is_none() && !target.model.contains('*') {
        let at = params.entry("max_budget").map_or(params.at, |entry| entry.at);
        let hint = "write `input_cost_per_token` and `output_cost_per_token`";
        params.cx.warning(at, &params.path_of("max_budget"), "is never spent, as no price is known", hint);
    }
    let (request_defaults, mut extra_body) = body_params(params);
    if matches!((&target.paths, target.dialect), (Paths::OfModel, Dialect::Messages)) {
        bedrock::to_headers(&mut extra_body, &mut headers);
    }
    if let Some(info) = info {
        info.finish(&MODEL_INFO);
    }
    let Target { row, written, model, dialect, either_api, base_url, paths, .. } = target;
    Some(Deployment {
        id: id.unwrap_or_default(),
        group,
        provider: row.name.clone(),
        written_provider: written,
        model,
        dialect,
        either_api,
        has_responses: row.responses,
        base_url,
        credential_missing: names_key && credential.is_none() && identity.is_none(),
        credential,
        identity,
        paths,
        headers,
        quirks: known.quirks,
        overlay,
        max_output_tokens: max_output_tokens.or(known.max_output_tokens),
        context_window: context_window.or(known.context_window),
        force_stream,
        drop_params,
        drop_always,
        defaults: request_defaults,
        extra_body,
        timeouts,
        num_retries,
        weight,
        share: 1,
        limits,
        bounds,
        cooldown,
        tags,
        access_groups,
        order,
        price,
        check,
    })
}

fn check_rules(info: &Section<'_, '_>) -> CheckRules {
    let standard = CheckRules::default();
    CheckRules {
        in_background: !info.bool("disable_background_health_check").unwrap_or(false),
        possible: converses(info),
        model: info.text("health_check_model").filter(|model| !model.trim().is_empty()),
        timeout: info.seconds("health_check_timeout").unwrap_or(standard.timeout),
    }
}

/// A model of the same provider may be written as `litellm_params.model` is, or as the provider calls it.
fn without_provider(params: &Section<'_, '_>, own_model: &str, model: String) -> String {
    let written = params.text("model").unwrap_or_default();
    let prefix = written.strip_suffix(own_model).unwrap_or("");
    model.strip_prefix(prefix).unwrap_or(&model).to_string()
}

/// A check asks as a chat client would.
fn converses(info: &Section<'_, '_>) -> bool {
    info.text("mode").is_none_or(|mode| ["chat", "responses"].contains(&mode.as_str()))
}

fn timeouts(params: &Section<'_, '_>, defaults: &Defaults) -> Timeouts {
    let standard = Timeouts::default();
    let own = params.seconds("timeout");
    let given = own.or(defaults.timeout);
    let first_byte = given.unwrap_or(standard.first_byte);
    // LiteLLM's router asks for any stream timeout before it falls back to the timeouts of one-piece answers.
    let stream = params.seconds("stream_timeout").or(defaults.stream_timeout);
    Timeouts {
        first_byte,
        first_byte_stream: stream.unwrap_or(first_byte),
        of_streams: stream.is_some(),
        idle: stream.unwrap_or_else(|| given.map_or(standard.idle, |given| given.min(standard.idle))),
    }
}

fn price(params: &Section<'_, '_>, info: Option<&Section<'_, '_>>) -> Option<Price> {
    let of = |key: &str| {
        let from_info = info.and_then(|info| info.price(key));
        params.price(key).or(from_info)
    };
    let (input, output) = (of("input_cost_per_token"), of("output_cost_per_token"));
    let read = of("cache_read_input_token_cost");
    let write = of("cache_creation_input_token_cost");
    let long = of("cache_creation_input_token_cost_above_1hr");
    // Per second LiteLLM takes the output's price where there is one (1.109.1, `cost_per_second`), and images likewise.
    let either = |output: &str, input: &str| {
        let (output, input) = (of(output), of(input));
        output.filter(|price| *price > 0).or(input)
    };
    let others = [
        either("output_cost_per_image", "input_cost_per_image"),
        of("input_cost_per_query"),
        either("output_cost_per_second", "input_cost_per_second"),
        of("input_cost_per_character"),
    ];
    let units = Units {
        input_image_token: of("input_cost_per_image_token"),
        input_audio_token: of("input_cost_per_audio_token"),
        output_image_token: of("output_cost_per_image_token"),
        output_audio_token: of("output_cost_per_audio_token"),
        image: others[0].unwrap_or(0),
        query: others[1].unwrap_or(0),
        second: others[2].unwrap_or(0),
        character: others[3].unwrap_or(0),
    };
    if input.is_none() && output.is_none() && others.iter().all(Option::is_none) {
        return None;
    }
    let plain = Price::new(input.unwrap_or(0), output.unwrap_or(0));
    let cache_write = write.unwrap_or(plain.cache_write);
    let plain = Price {
        cache_read: read.unwrap_or(plain.cache_read),
        cache_write,
        cache_write_long: long.unwrap_or(cache_write),
        units,
        ..plain
    };
    Some(LONG_CONTEXTS.iter().fold(plain, |price, (above, keys)| {
        let given = keys.map(&of);
        if price.long.is_none() && given[0].is_some() { price.beyond(*above, given) } else { price }
    }))
}

/// LiteLLM's keys for the prices of long prompts: of input, output, cache reads and writes.
const LONG_CONTEXTS: [(u64, [&str; 4]); 3] = [
    (
        128_000,
        [
            "input_cost_per_token_above_128k_tokens",
            "output_cost_per_token_above_128k_tokens",
            "cache_read_input_token_cost_above_128k_tokens",
            "cache_creation_input_token_cost_above_128k_tokens",
        ],
    ),
    (
        200_000,
        [
            "input_cost_per_token_above_200k_tokens",
            "output_cost_per_token_above_200k_tokens",
            "cache_read_input_token_cost_above_200k_tokens",
            "cache_creation_input_token_cost_above_200k_tokens",
        ],
    ),
    (
        272_000,
        [
            "input_cost_per_token_above_272k_tokens",
            "output_cost_per_token_above_272k_tokens",
            "cache_read_input_token_cost_above_272k_tokens",
            "cache_creation_input_token_cost_above_272k_tokens",
        ],
    ),
];

fn texts(params: &Section<'_, '_>, key: &str) -> Vec<String> {
    let items = params.list(key);
    let of = |node: &Node| match &node.value {
        Value::Text(text) => Some(text.clone()),
        _ => {
            params.wrong(node, key, "a list of names");
            None
        }
    };
    items.iter().filter_map(of).collect()
}

type Members = Vec<(String, Json<'static>)>;

/// Parameters of the request, and what goes into every body besides.
fn body_params(params: &Section<'_, '_>) -> (Members, Members) {
    let cx = params.cx;
    let mut defaults = Members::new();
    let mut extra = Members::new();
    if let Some(section) = params.section("extra_body") {
        extra.extend(section.map.entries.iter().map(|entry| (entry.key.clone(), section.json(entry))));
    }
    for entry in params.rest() {
        let path = params.path_of(&entry.key);
        let provider_reasoning = entry.key == "reasoning" && matches!(entry.node.value, Value::Map(_));
        if OPENAI_PARAMS.contains(&entry.key) || provider_reasoning {
            defaults.push((entry.key.clone(), params.json(&entry)));
        } else if LITELLM_PARAMS.contains(&entry.key) {
            if entry.node.value != Value::Null {
                cx.not_implemented(&LITELLM_PARAMS, &entry, &path);
            }
        } else if let Some(near) = LITELLM_PARAMS.nearest(&entry.key).filter(|near| may_be_secret(near)) {
            cx.error(
                entry.at,
                &path,
                "is not a known key, and is too near to one that holds a secret to be sent on",
                format!("did you mean `{near}`?"),
            );
        } else {
            extra.push((entry.key.clone(), params.json(&entry)));
            match LITELLM_PARAMS.nearest(&entry.key).or(OPENAI_PARAMS.nearest(&entry.key)) {
                Some(near) => cx.warning(
                    entry.at,
                    &path,
                    "is not a known key and is sent to the provider as it is",
                    format!("did you mean `{near}`?"),
                ),
                None => cx.note(entry.at, &path, "is not a known key and is sent to the provider as it is"),
            }
        }
    }
    (defaults, extra)
}

fn may_be_secret(key: &str) -> bool {
    ["key", "secret", "token", "password", "credential", "header"].iter().any(|word| key.contains(word))
        && !key.contains("cost")
}
