//! What a deployment's configuration says about a Gemini body: LiteLLM's parameters have OpenAI's names, and their places are
//! in `generationConfig`.

use serde_json::{Map, Value};
use tollgate_dialect::error::Change;
use tollgate_dialect::json::Json;

use super::Prepared;
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

/// The top-level fields of a body, in their order and with their own bytes.
struct Fields(Vec<(String, Box<serde_json::value::RawValue>)>);

impl Fields {
    fn take(&mut self, name: &str) -> Option<Box<serde_json::value::RawValue>> {
        let at = self.0.iter().position(|(key, _)| key == name)?;
        Some(self.0.remove(at).1)
    }

    /// To the front, so that the conversation's bytes keep their place behind.
    fn set(&mut self, name: &str, value: &Json<'_>) {
        self.take(name);
        if let Ok(raw) = serde_json::value::RawValue::from_string(value.get().to_string()) {
            self.0.insert(0, (name.to_string(), raw));
        }
    }
}

impl<'de> serde::Deserialize<'de> for Fields {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Fields;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: serde::de::MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
                let mut fields = Vec::new();
                while let Some(entry) = map.next_entry()? {
                    fields.push(entry);
                }
                Ok(Fields(fields))
            }
        }
        deserializer.deserialize_map(Visitor)
    }
}

impl serde::Serialize for Fields {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(key, value)| (key, value)))
    }
}
