//! What a deployment's configuration says about a Gemini body: LiteLLM's parameters have OpenAI's names, and their places are
//! in `generationConfig`.

use serde_json::{Map, Value};
use tollgate_dialect::error::Change;
use tollgate_dialect::json::Json;

use super::Prepared;
use super::fields::Fields;
use crate::config::model::Deployment;

/// OpenAI's names and Google's.
const NAMES: [(&str, &str); 9] = [
    ("temperature", "temperature"),
    ("top_p", "topP"),
    ("top_k", "topK"),
    ("max_tokens", "maxOutputTokens"),
    ("max_completion_tokens", "maxOutputTokens"),
    ("stop", "stopSequences"),
    ("seed", "seed"),
    ("presence_penalty", "presencePenalty"),
    ("frequency_penalty", "frequencyPenalty"),
];

/// Defaults where the request has nothing, `extra_body` in any case, `additional_drop_params` never. The conversation is not
/// read: it is one value among others.
pub fn configure(prepared: &mut Prepared, deployment: &Deployment) {
    if deployment.defaults.is_empty() && deployment.extra_body.is_empty() && deployment.drop_always.is_empty() {
        return;
    }
    let Ok(mut fields) = serde_json::from_slice::<Fields>(&prepared.body) else { return };
    let mut config: Map<String, Value> = fields
        .take(CONFIG)
        .or_else(|| fields.take("generation_config"))
        .and_then(|raw| serde_json::from_str(raw.get()).ok())
        .unwrap_or_default();
    for (name, value) in &deployment.defaults {
        match theirs(name) {
            Some(theirs) => {
                config.entry(theirs).or_insert_with(|| stops(theirs, value));
            }
            None => prepared.changes.push(Change::dropped(name.clone())),
        }
    }
    for (name, value) in &deployment.extra_body {
        if name == CONFIG {
            config.extend(value.to_value().as_object().cloned().unwrap_or_default());
        } else {
            fields.set(name, value);
        }
    }
    for name in &deployment.drop_always {
        let there = config.shift_remove(theirs(name).unwrap_or(name)).is_some() | fields.take(name).is_some();
        if there {
            prepared.changes.push(Change::dropped(name.clone()));
        }
    }
    if !config.is_empty() {
        fields.set(CONFIG, &Json::of(&Value::Object(config)));
    }
    if let Ok(body) = serde_json::to_vec(&fields) {
        prepared.body = body;
    }
}

const CONFIG: &str = "generationConfig";

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
