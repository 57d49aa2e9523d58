//! `additionalModelRequestFields`: what goes to the model in its maker's own words.

use crate::error::ChangeKind;
use crate::json::{Json, Text};

use super::encode::Out;

/// Betas that Bedrock takes with Converse, by their beginnings (LiteLLM 1.109.1, `anthropic_beta_headers_config.json`).
const BETAS: [&str; 8] = [
    "computer-use-2025-01-24",
    "computer-use-2025-11-24",
    "context-1m-",
    "effort-2025-11-24",
    "fine-grained-tool-streaming-",
    "thinking-binding-controls-2026-08-01",
    "thinking-display-updates",
    "structured-outputs-2025-11-13",
];

#[derive(Default)]
pub struct Native {
    /// In the order of their first mention.
    fields: Vec<(String, String)>,
    betas: Vec<String>,
}

impl Native {
    /// What is there already stays.
    pub fn add(&mut self, name: &str, json: impl Into<String>) {
        if !self.fields.iter().any(|(known, _)| known == name) {
            self.fields.push((name.to_string(), json.into()));
        }
    }

    /// The client's own fields of this kind.
    pub fn add_all(&mut self, fields: &Json<'_>) {
        for (name, value) in fields.to_value().as_object().into_iter().flatten() {
            self.add(name, value.to_string());
        }
    }

    /// False: the service does not take it.
    pub fn beta(&mut self, beta: &str) -> bool {
        let taken = BETAS.iter().any(|known| beta.starts_with(known));
        if taken && !self.betas.iter().any(|known| known == beta) {
            self.betas.push(beta.to_string());
        }
        taken
    }

    /// A list of betas, or one in a string.
    pub fn add_betas(&mut self, out: &mut Out<'_>, list: &Json<'_>) {
        let refused = &out.quirks().messages.refused_betas;
        let value = list.to_value();
        let words = value.as_array().map_or(std::slice::from_ref(&value), Vec::as_slice);
        for beta in words.iter().filter_map(|word| word.as_str()) {
            if refused.iter().any(|known| known == beta) || !self.beta(beta) {
                out.change(ChangeKind::Dropped, "anthropic-beta");
            }
        }
    }

    pub fn write(&self, out: &mut Out<'_>) {
        if self.fields.is_empty() && self.betas.is_empty() {
            return;
        }
        let writer = &mut out.writer;
        writer.key("additionalModelRequestFields").open_object();
        if !self.betas.is_empty() {
            writer.key("anthropic_beta").open_array();
            self.betas.iter().for_each(|beta| _ = writer.str(beta));
            writer.close_array();
        }
        for (name, json) in &self.fields {
            writer.key(Text::plain(name).escaped()).raw(json);
        }
        writer.close_object();
    }
}
