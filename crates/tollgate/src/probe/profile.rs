//! What was found, as lines of a configuration.

use serde_json::{Map, Value, json};

use super::ask::Asked;
use super::{Finding, Verdict};

/// Keys of `model_info`, each with the call that decides it.
const SUPPORTS: [(&str, &str); 5] = [
    ("supports_vision", "images"),
    ("supports_function_calling", "tools"),
    ("supports_tool_choice", "forced tool"),
    ("supports_assistant_prefill", "prefill"),
    ("supports_response_schema", "answer by schema"),
];

/// What the configuration does not say yet.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Profile {
    pub litellm_params: Map<String, Value>,
    pub model_info: Map<String, Value>,
}

impl Profile {
    pub(super) fn new(asked: &Asked<'_>, findings: &[Finding]) -> Profile {
        let configured = asked.configured();
        let found = asked.known(&[]);
        let mut litellm_params = Map::new();
        if let Some(most) = found.max_output_tokens.filter(|_| found.max_output_tokens != configured.max_output_tokens)
        {
            litellm_params.insert("max_output_tokens".into(), json!(most));
        }
        let value = |quirks| serde_json::to_value(quirks).unwrap_or_default();
        let quirks = difference(&value(&configured.quirks), &value(&found.quirks));
        if let Value::Object(quirks) = quirks
            && !quirks.is_empty()
        {
            litellm_params.insert("quirks".into(), Value::Object(quirks));
        }
        let decided = SUPPORTS.iter().filter_map(|(key, ability)| {
            let finding = findings.iter().find(|finding| finding.ability == *ability)?;
            let can = match finding.verdict {
                Verdict::Yes => true,
                Verdict::Repaired | Verdict::No => false,
                Verdict::Unclear => return None,
            };
            Some(((*key).to_string(), json!(can)))
        });
        Profile { litellm_params, model_info: decided.collect() }
    }

    /// YAML to be pasted into an entry of `model_list`.
    pub fn lines(&self) -> String {
        let mut lines = String::new();
        for (name, block) in [("litellm_params", &self.litellm_params), ("model_info", &self.model_info)] {
            if block.is_empty() {
                continue;
            }
            lines.push_str(&format!("{name}:\n"));
            for (key, value) in block {
                // JSON is YAML too.
                lines.push_str(&format!("  {key}: {value}\n"));
            }
        }
        lines
    }
}

/// What `new` has that `old` has not, table by table.
fn difference(old: &Value, new: &Value) -> Value {
    let (Value::Object(old), Value::Object(new)) = (old, new) else { return new.clone() };
    let changed = new.iter().filter(|(key, value)| old.get(*key) != Some(value));
    let nothing = Value::Null;
    Value::Object(
        changed.map(|(key, value)| (key.clone(), difference(old.get(key).unwrap_or(&nothing), value))).collect(),
    )
}
