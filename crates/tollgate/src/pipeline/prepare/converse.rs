//! What a deployment's configuration says about a Converse body: LiteLLM's parameters have OpenAI's names, and their places are
//! in `inferenceConfig`.

use serde_json::{Map, Value};
use tollgate_dialect::error::Change;
use tollgate_dialect::json::{Json, Text};
use tollgate_dialect::quirks::Maker;
use tollgate_dialect::request::Request;

use super::fields::Fields;
use super::{Preparation, Prepared};
use crate::config::model::Deployment;
use crate::pipeline::betas::{self, BETAS};

/// OpenAI's names and Bedrock's.
const NAMES: [(&str, &str); 5] = [
    ("temperature", "temperature"),
    ("top_p", "topP"),
    ("max_tokens", "maxTokens"),
    ("max_completion_tokens", "maxTokens"),
    ("stop", "stopSequences"),
];

const CONFIG: &str = "inferenceConfig";
/// What goes to the model in its maker's own words.
const NATIVE: &str = "additionalModelRequestFields";
/// Fields of `extra_body` that Converse has itself; all others are the model's.
const OWN: [&str; 10] = [
    CONFIG,
    NATIVE,
    "toolConfig",
    "guardrailConfig",
    "performanceConfig",
    "promptVariables",
    "requestMetadata",
    "serviceTier",
    "outputConfig",
    "additionalModelResponseFieldPaths",
];

/// Betas of client and configuration stand in the body. The dialect knows which of them the service takes.
pub fn add_betas(request: &mut Request<'_>, job: &Preparation<'_>) {
    let headers = job.inbound.for_messages().iter().chain(&job.deployment.headers);
    let lines = headers.filter(|(name, _)| *name == BETAS).filter_map(|(_, value)| value.to_str().ok());
    let betas: Vec<Value> = lines.flat_map(betas::split).map(Value::from).collect();
    if !betas.is_empty() {
        request.extra.push((Text::literal("anthropic_beta"), Json::of(&Value::Array(betas))));
    }
}

/// Defaults where the request has nothing, `extra_body` in any case, `additional_drop_params` never. The conversation is not
/// read: it is one value among others.
pub fn configure(prepared: &mut Prepared, deployment: &Deployment) {
    if deployment.defaults.is_empty() && deployment.extra_body.is_empty() && deployment.drop_always.is_empty() {
        return;
    }
    let Ok(mut fields) = serde_json::from_slice::<Fields>(&prepared.body) else { return };
    let mut config = object(&mut fields, CONFIG);
    let mut native = object(&mut fields, NATIVE);
    let claude = deployment.quirks.converse.maker == Maker::Anthropic;
    for (name, value) in &deployment.defaults {
        match theirs(name) {
            Some(theirs) => _ = config.entry(theirs).or_insert_with(|| stops(theirs, value)),
            None if claude && name == "top_k" => _ = native.entry(name.as_str()).or_insert_with(|| value.to_value()),
            None => prepared.changes.push(Change::dropped(name.clone())),
        }
    }
    for (name, value) in &deployment.extra_body {
        match name.as_str() {
            CONFIG => config.extend(members(value)),
            NATIVE => native.extend(members(value)),
            name if OWN.contains(&name) => fields.set(name, value),
            name => _ = native.insert(name.to_string(), value.to_value()),
        }
    }
    for name in &deployment.drop_always {
        let there = config.shift_remove(theirs(name).unwrap_or(name)).is_some()
            | native.shift_remove(name).is_some()
            | fields.take(name).is_some();
        if there {
            prepared.changes.push(Change::dropped(name.clone()));
        }
    }
    for (name, map) in [(NATIVE, native), (CONFIG, config)] {
        if !map.is_empty() {
            fields.set(name, &Json::of(&Value::Object(map)));
        }
    }
    if let Ok(body) = serde_json::to_vec(&fields) {
        prepared.body = body;
    }
}

fn object(fields: &mut Fields, name: &str) -> Map<String, Value> {
    fields.take(name).and_then(|raw| serde_json::from_str(raw.get()).ok()).unwrap_or_default()
}

fn members(value: &Json<'_>) -> Map<String, Value> {
    match value.to_value() {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

fn theirs(name: &str) -> Option<&'static str> {
    NAMES.iter().find(|(ours, _)| *ours == name).map(|(_, theirs)| *theirs)
}

/// OpenAI takes a single stop sequence without its list.
fn stops(theirs: &str, value: &Json<'_>) -> Value {
    match value.to_value() {
        one @ Value::String(_) if theirs == "stopSequences" => Value::Array(vec![one]),
        value => value,
    }
}
