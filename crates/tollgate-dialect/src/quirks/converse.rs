//! Deviations of models behind Bedrock's Converse.

use serde::{Deserialize, Serialize};

/// Defaults: a model of which nothing is known.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct ConverseQuirks {
    pub maker: Maker,
    /// Texts and media may stand beside tool results; else they go into the last result.
    pub text_beside_results: bool,
}

impl Default for ConverseQuirks {
    fn default() -> Self {
        ConverseQuirks { maker: Maker::Other, text_beside_results: true }
    }
}

/// Whose model it is: who can read its state, and how it is told what Converse has no field for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Maker {
    /// Nobody in particular: there are no such fields.
    #[default]
    Other,
    /// `thinking`, `top_k`, `anthropic_beta` and Anthropic's own tools.
    Anthropic,
    /// Nova: `reasoningConfig`, `inferenceConfig.topK`.
    Amazon,
    /// gpt-oss: `reasoning_effort`.
    Openai,
}

impl Maker {
    pub fn name(self) -> Option<&'static str> {
        match self {
            Maker::Other => None,
            Maker::Anthropic => Some("anthropic"),
            Maker::Amazon => Some("amazon"),
            Maker::Openai => Some("openai"),
        }
    }
}
