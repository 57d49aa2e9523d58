//! Deviations of models behind Gemini's `generateContent`.

use serde::{Deserialize, Serialize};

/// Defaults: Gemini 3 and later.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct GeminiQuirks {
    /// Calls and results have an `id`; older models refuse it.
    pub ids: bool,
    pub thinking: GeminiThinking,
    /// Schemas go as JSON Schema, else in Gemini's own subset of OpenAPI.
    pub json_schema: bool,
    /// JSON may be asked for beside tools; older models refuse that, and are asked in words.
    pub format_with_tools: bool,
    /// Media may stand inside function responses; older models take them beside.
    pub media_in_tool_result: bool,
    /// Each entry of `tools` holds one kind of tools; more are refused (Vertex AI).
    pub one_kind_per_tool: bool,
    /// The signatures of a conversation are another endpoint's, which refuses them: none goes up.
    pub foreign_signatures: bool,
    /// As [`super::Quirks::reencode`], for a Gemini client.
    pub reencode: bool,
}

impl Default for GeminiQuirks {
    fn default() -> Self {
        GeminiQuirks {
            ids: true,
            thinking: GeminiThinking::Level,
            json_schema: true,
            format_with_tools: true,
            media_in_tool_result: true,
            one_kind_per_tool: false,
            foreign_signatures: false,
            reencode: false,
        }
    }
}

/// How a model is told how much to think.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum GeminiThinking {
    /// It takes no `thinkingConfig`.
    None,
    /// `thinkingBudget`: tokens, 0 for off, -1 for as the model likes (Gemini 2.5).
    Budget,
    /// `thinkingLevel` (Gemini 3 and later).
    Level,
}
