//! The closed vocabulary of deviations of "compatible" providers.
//!
//! A provider is a row of data; what its row can say is here. Every field's default is what a plain OpenAI-compatible server
//! does. A deviation that this vocabulary cannot say is a new field: one place of use, two fixtures.

use serde::{Deserialize, Serialize};

use crate::hosted::Host;
use crate::request::Effort;

mod converse;
mod gemini;

pub use converse::{ConverseQuirks, Maker};
pub use gemini::{GeminiQuirks, GeminiThinking};

#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct Quirks {
    /// Which of OpenAI's two APIs the model is called by; `None`: by either. Counts where the deployment's configuration leaves
    /// the choice.
    pub api: Option<Api>,

    // ---- size of the answer
    pub token_field: TokenField,
    /// Above this many output tokens the provider insists on a stream.
    pub nonstream_max_tokens: Option<u64>,
    /// The provider answers only streams.
    pub stream_only: bool,
    /// Fewer output tokens than this are refused.
    pub min_output_tokens: Option<u64>,
    pub stream_usage: StreamUsage,

    // ---- messages
    pub system_role: SystemRole,
    pub mid_system: MidSystem,
    /// Text may only be a string, never a list of parts.
    pub string_content: bool,
    pub images: bool,
    /// PDF as a `file` part.
    pub pdf: bool,
    /// Media may stand inside tool results; else they follow in a user message.
    pub media_in_tool_result: bool,
    /// What an assistant message with only tool calls has as `content`.
    pub empty_content: EmptyContent,
    /// What an empty tool result becomes, for providers that refuse an empty one.
    pub empty_result: Option<String>,
    /// `cache_control` is understood inside content parts.
    pub cache_control: bool,
    /// `prompt_cache_breakpoint` is understood inside content parts (OpenAI from gpt-5.6 on).
    pub cache_breakpoints: bool,
    /// User and assistant must alternate and the last message must be the user's or a tool's.
    pub strict_alternation: bool,
    /// A trailing assistant message is taken as the beginning of the answer.
    pub prefill: bool,

    // ---- parameters
    /// Parameters (in the target dialect's names) that the provider refuses. `cache_control` stands for the marks everywhere.
    pub refuses: Vec<String>,
    /// Parameters beyond the OpenAI set that the provider takes, such as `top_k`.
    pub accepts: Vec<String>,
    pub max_temperature: Option<f64>,
    /// `temperature` and `top_p` are refused together: then `top_p` goes.
    pub temperature_or_top_p: bool,
    pub max_stop: Option<usize>,
    pub seed_field: Option<String>,
    /// The field for the end user's id; `None` drops it.
    pub user_field: Option<String>,
    /// Takes `prompt_cache_key`.
    pub prompt_cache_key: bool,

    // ---- tools
    /// False: no tools at all.
    pub tools: bool,
    /// Of the kinds of tools that the Responses API has, only functions are taken.
    pub plain_tools: bool,
    /// Searches the web for any model (OpenRouter's plugin).
    pub web_plugin: bool,
    pub tool_choice: ToolChoiceForms,
    /// False: a forced choice is refused while the model thinks, and only then.
    pub forced_tool_while_thinking: bool,
    pub parallel_tool_calls: bool,
    pub strict_tools: bool,
    pub schema: SchemaForm,
    /// Keywords of JSON Schema that the provider refuses wherever they stand.
    pub schema_drops: Vec<String>,
    /// The longest name of a tool; `None`: 64 letters, digits, `_` and `-`, as everybody takes them.
    pub tool_names: Option<usize>,
    pub tool_ids: IdForm,
    pub response_format: ResponseFormat,

    // ---- reasoning
    pub reasoning: ReasoningControl,
    /// Efforts the target knows, lowest first; others go to the nearest.
    pub efforts: Vec<Effort>,
    /// The field (or form) in which the provider sends thoughts and wants them back.
    pub reasoning_field: ReasoningField,
    pub replay: Replay,
    /// The first call of a message must have its `extra_content.google.thought_signature` again (Google from Gemini 3 on).
    pub thought_signatures: bool,
    /// What stands in for thoughts that are lost, where the provider insists on some.
    pub reasoning_filler: Option<String>,
    /// Sampling parameters are refused while the model thinks.
    pub thinking_refuses_sampling: bool,
    /// Thinking cannot be switched off: the wish is left out.
    pub thinking_always: bool,
    /// `<think>…</think>` in the text becomes thinking.
    pub think_tags: bool,

    // ---- usage
    /// `completion_tokens` leaves reasoning tokens out (xAI).
    pub output_excludes_reasoning: bool,

    /// Something inside messages or tools was refused: a chat client is translated like any other, instead of having its bytes
    /// passed on.
    pub reencode: bool,

    // ---- Anthropic Messages targets
    pub messages: MessagesQuirks,

    // ---- Gemini targets
    pub gemini: GeminiQuirks,

    // ---- Converse targets
    pub converse: ConverseQuirks,
}

/// Deviations of models and layers that speak Anthropic Messages. Defaults: the newest that Anthropic itself serves.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields, rename_all = "snake_case")]
pub struct MessagesQuirks {
    /// It is Anthropic's own service (or a cloud's copy of it): signatures are checked, betas are known.
    pub genuine: bool,
    /// Who hosts it: what stands outside the body, and the names of betas.
    pub host: Host,
    /// `thinking.type` values that the model takes.
    pub thinking: Vec<ThinkingType>,
    pub effort: bool,
    /// The efforts that the model takes, where they are not all; others go to the nearest.
    pub efforts: Vec<Effort>,
    /// False: thoughts of earlier turns stay here, all of them.
    pub earlier_thoughts: bool,
    /// With thinking on, the tool loop under way must have begun with thoughts; without them thinking pauses for this loop.
    /// Anthropic's own budgets always ask for it.
    pub loop_needs_thoughts: bool,
    /// `tool_choice` `any` and `tool`.
    pub forced_tool: bool,
    /// `temperature`, `top_p`, `top_k`.
    pub sampling: bool,
    pub prefill: bool,
    /// `role: "system"` inside `messages`.
    pub mid_system: bool,
    /// Keys to leave out of the body, such as `context_management`.
    pub refuses: Vec<String>,
    /// Keys to leave out of each tool, such as `type` on custom tools (DeepSeek).
    pub refuses_in_tools: Vec<String>,
    /// Betas are forwarded; else the header is left out.
    pub betas: bool,
    /// Betas that are not forwarded.
    pub refused_betas: Vec<String>,
    /// Text blocks without text are taken; else they go.
    pub empty_text: bool,
    /// A Messages client's schemas are cleaned as well, by `schema` and `schema_drops`.
    pub clean_schemas: bool,
    /// As [`Quirks::reencode`], for a Messages client.
    pub reencode: bool,
    pub media_in_tool_result: bool,
}

impl Default for MessagesQuirks {
    fn default() -> Self {
        MessagesQuirks {
            genuine: false,
            host: Host::Anthropic,
            thinking: vec![ThinkingType::Adaptive, ThinkingType::Enabled, ThinkingType::Disabled],
            effort: true,
            efforts: Vec::new(),
            earlier_thoughts: true,
            loop_needs_thoughts: false,
            forced_tool: true,
            sampling: true,
            prefill: true,
            mid_system: true,
            refuses: Vec::new(),
            refuses_in_tools: Vec::new(),
            betas: true,
            refused_betas: Vec::new(),
            empty_text: true,
            clean_schemas: false,
            reencode: false,
            media_in_tool_result: true,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ThinkingType {
    Adaptive,
    Enabled,
    Disabled,
    BetweenTools,
}

impl Default for Quirks {
    fn default() -> Self {
        Quirks {
            api: None,
            token_field: TokenField::MaxTokens,
            nonstream_max_tokens: None,
            stream_only: false,
            min_output_tokens: None,
            stream_usage: StreamUsage::Ask,
            system_role: SystemRole::System,
            mid_system: MidSystem::User,
            string_content: false,
            images: true,
            pdf: false,
            media_in_tool_result: false,
            empty_content: EmptyContent::Null,
            empty_result: None,
            cache_control: false,
            cache_breakpoints: false,
            strict_alternation: false,
            prefill: true,
            refuses: Vec::new(),
            accepts: Vec::new(),
            max_temperature: Some(2.0),
            temperature_or_top_p: false,
            max_stop: Some(4),
            seed_field: None,
            user_field: Some("user".into()),
            prompt_cache_key: false,
            tools: true,
            plain_tools: false,
            web_plugin: false,
            tool_choice: ToolChoiceForms::All,
            forced_tool_while_thinking: true,
            parallel_tool_calls: true,
            strict_tools: false,
            schema: SchemaForm::Plain,
            schema_drops: Vec::new(),
            tool_names: None,
            tool_ids: IdForm::Any,
            response_format: ResponseFormat::JsonSchema,
            reasoning: ReasoningControl::None,
            efforts: vec![Effort::Low, Effort::Medium, Effort::High],
            reasoning_field: ReasoningField::ReasoningContent,
            replay: Replay::Never,
            thought_signatures: false,
            reasoning_filler: None,
            thinking_refuses_sampling: false,
            thinking_always: false,
            think_tags: false,
            output_excludes_reasoning: false,
            reencode: false,
            messages: MessagesQuirks::default(),
            gemini: GeminiQuirks::default(),
            converse: ConverseQuirks::default(),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Api {
    Chat,
    Responses,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenField {
    MaxTokens,
    MaxCompletionTokens,
}

impl TokenField {
    pub fn name(self) -> &'static str {
        match self {
            TokenField::MaxTokens => "max_tokens",
            TokenField::MaxCompletionTokens => "max_completion_tokens",
        }
    }

    pub fn other(self) -> TokenField {
        match self {
            TokenField::MaxTokens => TokenField::MaxCompletionTokens,
            TokenField::MaxCompletionTokens => TokenField::MaxTokens,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum StreamUsage {
    /// Send `stream_options.include_usage`.
    Ask,
    /// The option is refused, or usage comes anyway.
    Silent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemRole {
    System,
    Developer,
    /// Neither: the user says it, at the head of the conversation.
    User,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MidSystem {
    /// Stays where it is, with the system role.
    InPlace,
    /// Becomes part of a user message at the same place.
    User,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum EmptyContent {
    Null,
    EmptyString,
    Omit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ToolChoiceForms {
    All,
    /// `auto` and `none` only.
    AutoNone,
    /// The word for `required` is `any` (Mistral).
    Any,
    /// Only words (LM Studio): a named tool becomes `required`.
    Words,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SchemaForm {
    /// Only `$schema`, `$id` and `$comment` go, and the root is made an object.
    Plain,
    /// Also no `additionalProperties: false` and no `strict`.
    Mistral,
    /// Tuples as `prefixItems`, no `type` beside `anyOf`.
    Moonshot,
    /// The Gemini subset, for Gemini behind an OpenAI-compatible door and for its `parameters`.
    Gemini,
    /// JSON Schema as Gemini takes it in `parametersJsonSchema`: no `const`.
    GeminiJson,
    /// `pattern` must be anchored.
    LlamaCpp,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum IdForm {
    Any,
    /// Exactly nine letters and digits (Mistral).
    NineAlnum,
    /// `[a-zA-Z0-9_-]+` (Anthropic).
    Word,
    /// `[a-zA-Z0-9_.:-]{1,64}` (Bedrock).
    Converse,
    /// Up to this many characters (OpenAI: 40 or 64, by model).
    AtMost(usize),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResponseFormat {
    JsonSchema,
    /// Only `json_object`; the schema goes into the system prompt.
    JsonObject,
    /// Neither; the schema goes into the system prompt.
    None,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningControl {
    /// The model has no control, or none that we know: nothing is sent.
    None,
    /// `reasoning_effort`.
    Effort,
    /// `thinking: {type: enabled|disabled}`.
    Thinking,
    /// `thinking: {type}` and `reasoning_effort` beside it (DeepSeek).
    ThinkingEffort,
    /// `enable_thinking` and `thinking_budget` (Qwen).
    EnableThinking,
    /// `reasoning: {effort|max_tokens|enabled}` (OpenRouter).
    Reasoning,
    /// `chat_template_kwargs: {enable_thinking}` (vLLM, SGLang).
    ChatTemplate,
    /// `reasoning_split: true` (MiniMax).
    ReasoningSplit,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasoningField {
    ReasoningContent,
    Reasoning,
    /// `reasoning_details`, sent back unmodified (OpenRouter, MiniMax).
    ReasoningDetails,
    /// `<think>…</think>` at the head of the text.
    ThinkTags,
    /// A content part `{type: thinking, thinking: [{type: text, text}]}` (Mistral).
    ContentPart,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Replay {
    /// Thoughts of earlier turns are not sent.
    Never,
    /// On assistant messages with tool calls.
    ToolCalls,
    /// On every assistant message.
    Always,
}

/// Parameters whose loss changes nothing that the caller asked for: where they are refused they go, whatever the policy.
const HINTS: &[&str] = &[
    "user",
    "safety_identifier",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "parallel_tool_calls",
    "stream_options",
    "reasoning_effort",
    "reasoning",
    "reasoning_split",
    "include",
    "thinking",
    "thinking.display",
    "thinking_budget",
    "enable_thinking",
    "chat_template_kwargs",
    "verbosity",
    "metadata",
    "store",
    "service_tier",
    "speed",
    "strict",
    "safeguards",
    "diagnostics",
    "user_profile_id",
    "context_management",
    "output_config",
    "output_config.effort",
    "output_config.task_budget",
    "fallback_credit_token",
    "billing_policy",
    "labels",
    "cache_control",
    "cache_control.ttl",
    "cache_control.scope",
    "prediction",
];

/// A parameter at this value changes nothing.
const IDLE: &[(&str, &[&str])] = &[
    ("n", &["1"]),
    ("temperature", &["1", "1.0"]),
    ("top_p", &["1", "1.0"]),
    ("presence_penalty", &["0", "0.0"]),
    ("frequency_penalty", &["0", "0.0"]),
    ("logprobs", &["false"]),
    ("top_logprobs", &["0"]),
    ("logit_bias", &["{}"]),
    ("verbosity", &["\"medium\""]),
];

/// True if a parameter says what is so without it.
pub fn is_idle(param: &str, value: &str) -> bool {
    IDLE.iter().any(|(name, values)| *name == param && values.contains(&value))
}

/// True if a refused parameter may go although the caller sent it. `value` is its JSON.
pub fn may_go(param: &str, value: &str) -> bool {
    HINTS.contains(&param) || is_idle(param, value)
}
