//! From a recognised rejection to what it teaches about the deployment.
//!
//! Vendors say the same few things in many words. [`recognise`] finds the row of the [table](table::rows) that a refusal
//! belongs to; what the row teaches is a [`Fact`] that changes how the next body is written. A request is repaired at most once
//! per fact, and the fact is remembered.

use serde::{Deserialize, Serialize};
use tollgate_dialect::error::{ErrorKind, UpstreamError};
use tollgate_dialect::quirks::{
    Api, EmptyContent, GeminiThinking, IdForm, MidSystem, Quirks, ReasoningField, Replay, ResponseFormat, SchemaForm,
    StreamUsage, SystemRole, ThinkingType, TokenField, ToolChoiceForms,
};
use tollgate_dialect::request::Effort;

mod refusal;
pub mod table;
mod words;

pub use refusal::Refusal;

/// Something learned about a deployment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Fact {
    /// The API by which the model is called.
    Api(Api),

    // ---- size of the answer
    /// The name of the field that limits the answer.
    TokenField(TokenField),
    /// At most this many output tokens.
    MaxOutputTokens(u64),
    /// At least this many.
    MinOutputTokens(u64),
    /// More output tokens than this only as a stream.
    NonstreamMaxTokens(u64),
    /// Only streams.
    StreamOnly,
    /// `stream_options` is refused.
    NoUsageOption,

    // ---- messages
    /// The conversation must not end with the assistant.
    NoPrefill,
    /// Who says the system prompt.
    SystemRole(SystemRole),
    /// System messages only at the head of the conversation.
    NoMidSystem,
    /// User and assistant must alternate.
    Alternation,
    /// Text only as a string.
    StringContent,
    /// `content: null` is refused.
    NoNullContent,
    /// Empty content is refused.
    NoEmptyContent,
    NoImages,
    /// No images in tool results.
    NoMediaInResults,
    /// Nothing but tool results in a message that has some (Bedrock).
    ResultsAlone,
    /// Messages have none but the documented fields.
    PlainMessages,

    // ---- tools
    /// Only functions, of all kinds of tools that Responses has.
    PlainTools,
    /// `tool_choice` may only be `auto` or `none`.
    NoForcedTool,
    /// The same, while the model thinks.
    NoForcedToolWhileThinking,
    /// `tool_choice` may be a word, but no object.
    NoNamedTool,
    /// The longest tool name.
    ToolNames(usize),
    ToolIds(IdForm),
    SchemaForm(SchemaForm),
    /// No union at the root of a schema.
    SchemaRoot,
    /// A keyword of JSON Schema is refused.
    SchemaKeyword(String),
    /// A field of tools is refused.
    RefusesInTools(String),

    // ---- reasoning
    /// Assistant messages must carry the reasoning that led to them, or something in its place.
    WantsReasoning,
    /// Reasoning inside messages is refused.
    NoReasoning,
    /// A value of `thinking.type` is refused.
    NoThinkingType(ThinkingType),
    /// No effort can be set.
    NoEffort,
    /// The efforts that it takes, lowest first.
    Efforts(Vec<Effort>),
    /// Thoughts of this conversation cannot be read: they stay here.
    StripThoughts,
    /// With thinking on, a tool loop must have begun with thoughts.
    LoopNeedsThoughts,

    // ---- Gemini's own API
    Gemini(GeminiFact),

    // ---- parameters
    ResponseFormat(ResponseFormat),
    /// The highest `temperature`, in thousandths.
    MaxTemperature(u32),
    /// Not `temperature` and `top_p` together.
    TemperatureOrTopP,
    /// The most stop sequences.
    MaxStop(usize),
    /// Values of `anthropic-beta` that it does not know.
    RefusesBetas(Vec<String>),
    /// No `anthropic-beta` at all.
    NoBetas,
    /// A parameter is refused.
    Refuses(String),
}

/// What only Gemini's own API can refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GeminiFact {
    /// Calls and results have no `id`.
    NoIds,
    /// The first call of a turn must have a signature.
    Signatures,
    /// The signatures of this conversation are another endpoint's: AI Studio's on Vertex AI, or the other way round.
    ForeignSignatures,
    /// `thinkingBudget` instead of `thinkingLevel`.
    NoLevel,
    /// No JSON as the answer beside tools.
    NoFormatWithTools,
    /// Schemas only in the subset of OpenAPI.
    NoJsonSchema,
}

impl GeminiFact {
    fn label(self) -> &'static str {
        match self {
            GeminiFact::NoIds => "call_ids",
            GeminiFact::Signatures | GeminiFact::ForeignSignatures => "thought_signature",
            GeminiFact::NoLevel => "thinkingLevel",
            GeminiFact::NoFormatWithTools => "response_format",
            GeminiFact::NoJsonSchema => "schema",
        }
    }

    fn apply(self, quirks: &mut Quirks) {
        match self {
            GeminiFact::NoIds => quirks.gemini.ids = false,
            GeminiFact::Signatures => quirks.thought_signatures = true,
            GeminiFact::ForeignSignatures => quirks.gemini.foreign_signatures = true,
            GeminiFact::NoLevel => quirks.gemini.thinking = GeminiThinking::Budget,
            GeminiFact::NoFormatWithTools => {
                quirks.gemini.format_with_tools = false;
                quirks.gemini.reencode = true;
            }
            GeminiFact::NoJsonSchema => {
                quirks.gemini.json_schema = false;
                quirks.gemini.reencode = true;
            }
        }
    }
}

impl Fact {
    /// The name under which it is shown in `x-tollgate-changes`. Of two facts with one name the newer counts.
    pub fn label(&self) -> String {
        let fixed = match self {
            Fact::Api(Api::Chat) => "api_chat",
            Fact::Api(Api::Responses) => "api_responses",
            Fact::TokenField(field) => field.name(),
            Fact::MaxOutputTokens(_) => "max_tokens_cap",
            Fact::MinOutputTokens(_) => "max_tokens_minimum",
            Fact::NonstreamMaxTokens(_) => "max_tokens_requires_stream",
            Fact::StreamOnly => "requires_stream",
            Fact::NoUsageOption => "stream_options",
            Fact::NoPrefill => "prefill",
            Fact::SystemRole(_) => "system_role",
            Fact::NoMidSystem => "mid_system",
            Fact::Alternation => "alternation",
            Fact::StringContent => "string_content",
            Fact::NoNullContent => "null_content",
            Fact::NoEmptyContent => "empty_content",
            Fact::NoImages => "images",
            Fact::NoMediaInResults => "media_in_tool_result",
            Fact::ResultsAlone => "text_beside_results",
            Fact::PlainMessages => "message_fields",
            Fact::PlainTools => "plain_tools",
            Fact::NoForcedTool | Fact::NoForcedToolWhileThinking => "tool_choice",
            Fact::NoNamedTool => "tool_choice_named",
            Fact::ToolNames(_) => "tool_names",
            Fact::ToolIds(_) => "tool_ids",
            Fact::SchemaForm(_) => "schema",
            Fact::SchemaRoot => "schema_root",
            Fact::SchemaKeyword(keyword) => return format!("schema.{keyword}"),
            Fact::RefusesInTools(field) => return format!("tools.{field}"),
            Fact::WantsReasoning | Fact::NoReasoning => "reasoning_content",
            Fact::NoThinkingType(ThinkingType::Adaptive) => "thinking.adaptive",
            Fact::NoThinkingType(ThinkingType::Enabled) => "thinking.enabled",
            Fact::NoThinkingType(ThinkingType::Disabled) => "thinking.disabled",
            Fact::NoThinkingType(ThinkingType::BetweenTools) => "thinking.between_tools",
            Fact::NoEffort => "reasoning_effort",
            Fact::Efforts(_) => "efforts",
            Fact::StripThoughts => "thinking_signature",
            Fact::LoopNeedsThoughts => "thinking_in_tool_loop",
            Fact::Gemini(fact) => fact.label(),
            Fact::ResponseFormat(_) => "response_format",
            Fact::MaxTemperature(_) => "temperature",
            Fact::TemperatureOrTopP => "top_p",
            Fact::MaxStop(_) => "stop",
            Fact::RefusesBetas(betas) => return format!("anthropic-beta.{}", betas.join("+")),
            Fact::NoBetas => "anthropic-beta",
            Fact::Refuses(param) => param,
        };
        fixed.to_string()
    }

    /// False for what holds only for the conversation that was refused: it is repaired each time and never remembered.
    pub fn lasts(&self) -> bool {
        !matches!(self, Fact::StripThoughts | Fact::Gemini(GeminiFact::ForeignSignatures))
    }

    pub fn apply(&self, quirks: &mut Quirks, max_output_tokens: &mut Option<u64>) {
        match self {
            Fact::Api(api) => quirks.api = Some(*api),
            Fact::PlainTools => quirks.plain_tools = true,
            Fact::TokenField(field) => quirks.token_field = *field,
            Fact::MaxOutputTokens(cap) => {
                *max_output_tokens = Some(max_output_tokens.map_or(*cap, |known| known.min(*cap)));
            }
            Fact::MinOutputTokens(least) => quirks.min_output_tokens = Some(*least),
            Fact::NonstreamMaxTokens(limit) => quirks.nonstream_max_tokens = Some(*limit),
            Fact::StreamOnly => quirks.stream_only = true,
            Fact::NoUsageOption => quirks.stream_usage = StreamUsage::Silent,
            Fact::Gemini(fact) => fact.apply(quirks),
            Fact::ResponseFormat(form) => quirks.response_format = *form,
            Fact::MaxTemperature(thousandths) => quirks.max_temperature = Some(f64::from(*thousandths) / 1000.0),
            Fact::TemperatureOrTopP => quirks.temperature_or_top_p = true,
            Fact::RefusesBetas(betas) => add(&mut quirks.messages.refused_betas, betas),
            Fact::NoBetas => quirks.messages.betas = false,
            Fact::Refuses(param) => refuse(quirks, param),
            Fact::NoForcedTool | Fact::NoForcedToolWhileThinking | Fact::NoNamedTool => self.apply_to_choice(quirks),
            Fact::ToolNames(_)
            | Fact::ToolIds(_)
            | Fact::SchemaForm(_)
            | Fact::SchemaRoot
            | Fact::SchemaKeyword(_)
            | Fact::RefusesInTools(_) => self.apply_to_tools(quirks),
            Fact::WantsReasoning
            | Fact::NoReasoning
            | Fact::NoThinkingType(_)
            | Fact::NoEffort
            | Fact::Efforts(_)
            | Fact::StripThoughts
            | Fact::LoopNeedsThoughts => self.apply_to_reasoning(quirks),
            _ => self.apply_to_messages(quirks),
        }
    }

    fn apply_to_choice(&self, quirks: &mut Quirks) {
        match self {
            Fact::NoForcedToolWhileThinking => quirks.forced_tool_while_thinking = false,
            Fact::NoNamedTool => quirks.tool_choice = ToolChoiceForms::Words,
            _ => {
                quirks.tool_choice = ToolChoiceForms::AutoNone;
                quirks.messages.forced_tool = false;
            }
        }
    }

    fn apply_to_tools(&self, quirks: &mut Quirks) {
        quirks.reencode = true;
        match self {
            Fact::ToolNames(most) => {
                quirks.tool_names = Some(*most);
                quirks.messages.reencode = true;
            }
            Fact::ToolIds(form) => quirks.tool_ids = *form,
            Fact::SchemaForm(form) => quirks.schema = *form,
            Fact::SchemaKeyword(keyword) => add(&mut quirks.schema_drops, std::slice::from_ref(keyword)),
            Fact::RefusesInTools(field) => {
                quirks.strict_tools &= field != "strict";
                add(&mut quirks.messages.refuses_in_tools, std::slice::from_ref(field));
            }
            _ => {}
        }
        quirks.messages.clean_schemas |=
            matches!(self, Fact::SchemaForm(_) | Fact::SchemaRoot | Fact::SchemaKeyword(_));
        quirks.gemini.reencode |= quirks.messages.clean_schemas;
    }

    fn apply_to_reasoning(&self, quirks: &mut Quirks) {
        match self {
            Fact::WantsReasoning => {
                quirks.replay = Replay::Always;
                quirks.reasoning_field = ReasoningField::ReasoningContent;
                quirks.reasoning_filler.get_or_insert_with(|| " ".into());
                quirks.messages.reencode = true;
            }
            Fact::NoReasoning => {
                quirks.replay = Replay::Never;
                quirks.reasoning_filler = None;
                quirks.reencode = true;
            }
            Fact::NoThinkingType(kind) => {
                quirks.messages.thinking.retain(|known| known != kind);
                quirks.thinking_always |= *kind == ThinkingType::Disabled;
            }
            Fact::NoEffort => {
                quirks.messages.effort = false;
                add(&mut quirks.refuses, &["reasoning_effort".to_string()]);
            }
            Fact::Efforts(known) => {
                quirks.efforts.clone_from(known);
                quirks.messages.efforts.clone_from(known);
            }
            Fact::StripThoughts => quirks.messages.earlier_thoughts = false,
            _ => quirks.messages.loop_needs_thoughts = true,
        }
    }

    fn apply_to_messages(&self, quirks: &mut Quirks) {
        quirks.reencode = true;
        match self {
            Fact::NoPrefill => {
                quirks.prefill = false;
                quirks.messages.prefill = false;
            }
            Fact::SystemRole(role) => quirks.system_role = *role,
            Fact::NoMidSystem => {
                quirks.mid_system = MidSystem::User;
                quirks.messages.mid_system = false;
            }
            Fact::Alternation => quirks.strict_alternation = true,
            Fact::StringContent => quirks.string_content = true,
            Fact::NoNullContent => quirks.empty_content = EmptyContent::EmptyString,
            Fact::NoEmptyContent => {
                quirks.empty_content = EmptyContent::Omit;
                quirks.empty_result.get_or_insert_with(|| "(no output)".into());
                quirks.messages.empty_text = false;
            }
            Fact::NoImages => {
                quirks.images = false;
                quirks.messages.reencode = true;
            }
            Fact::NoMediaInResults => {
                quirks.media_in_tool_result = false;
                quirks.messages.media_in_tool_result = false;
                quirks.gemini.media_in_tool_result = false;
            }
            Fact::MaxStop(most) => quirks.max_stop = Some(*most),
            Fact::ResultsAlone => quirks.converse.text_beside_results = false,
            _ => {}
        }
    }
}

/// Where the parameter stands inside messages, they are written anew.
fn refuse(quirks: &mut Quirks, param: &str) {
    add(&mut quirks.refuses, &[param.to_string()]);
    add(&mut quirks.messages.refuses, &[param.to_string()]);
    quirks.reencode |= param.starts_with("cache_control");
    // Else the wished form of the answer would be lost, instead of being said in words.
    quirks.messages.reencode |= param == "output_config.format";
}

fn add(list: &mut Vec<String>, more: &[String]) {
    for name in more {
        if !list.contains(name) {
            list.push(name.clone());
        }
    }
}

/// What the refused request had.
pub struct Sent<'a> {
    pub body: &'a [u8],
    pub max_tokens: Option<u64>,
    pub stream: bool,
    /// Parameters that carry the caller's meaning may be dropped.
    pub drop_params: bool,
}

/// Statuses with which servers refuse what was asked. Some say 500 where a template or a parser of theirs gives up.
const REFUSING: [u16; 7] = [400, 404, 413, 415, 422, 500, 501];

/// Reads a refusal. `None`: nothing that a changed body would cure.
pub fn recognise(error: &UpstreamError, sent: &Sent<'_>) -> Option<Fact> {
    let kinds = [ErrorKind::InvalidRequest, ErrorKind::NotFound, ErrorKind::TooLarge, ErrorKind::Api];
    if !REFUSING.contains(&error.status) || !kinds.contains(&error.kind) {
        return None;
    }
    let refusal = Refusal::new(error, sent);
    table::rows().find_map(|row| row.teaches(&refusal))
}

#[cfg(test)]
mod tests;
