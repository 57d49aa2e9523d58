//! The canonical request: what every dialect can be decoded to and encoded from.
//!
//! It holds what at least one of Anthropic Messages, OpenAI chat, OpenAI Responses, Gemini and Bedrock Converse can say and
//! another can understand. What only one of them knows stays in [`Request::extra`] under its own name.

use crate::json::{Json, Text};
use crate::names::safe_tool_name;

#[derive(Clone, Debug, Default)]
pub struct Request<'a> {
    pub model: Text<'a>,
    /// The system prompt that leads the conversation, block by block.
    pub system: Vec<TextPart<'a>>,
    pub messages: Vec<Message<'a>>,
    pub tools: Vec<Tool<'a>>,
    pub tool_choice: Option<ToolChoice<'a>>,
    /// `Some(false)`: at most one tool call in an answer.
    pub parallel_tool_calls: Option<bool>,
    pub max_tokens: Option<u64>,
    pub stop: Vec<Text<'a>>,
    /// Numbers stay tokens: `0.7` must not become `0.69999999`.
    pub temperature: Option<Json<'a>>,
    pub top_p: Option<Json<'a>>,
    pub top_k: Option<Json<'a>>,
    pub reasoning: Option<Reasoning>,
    pub output_format: Option<OutputFormat<'a>>,
    pub stream: bool,
    /// A chat client asked for a usage chunk at the end of the stream.
    pub stream_usage: bool,
    /// The end user, as an opaque string (`metadata.user_id`, `user`, `safety_identifier`).
    pub user: Option<Text<'a>>,
    /// Top-level fields that have no canonical form, in the source dialect's own names.
    pub extra: Vec<(Text<'a>, Json<'a>)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    User,
    Assistant,
    /// A system message in the middle of the conversation.
    System,
}

#[derive(Clone, Debug)]
pub struct Message<'a> {
    pub role: Role,
    pub parts: Vec<Part<'a>>,
}

#[derive(Clone, Debug)]
pub enum Part<'a> {
    Text(TextPart<'a>),
    Media(Media<'a>),
    Thinking(Thinking<'a>),
    ToolCall(ToolCall<'a>),
    ToolResult(ToolResult<'a>),
    /// A search hit given as context (Anthropic `search_result`, Bedrock `searchResult`).
    SearchResult {
        title: Text<'a>,
        source: Text<'a>,
        content: Vec<TextPart<'a>>,
        /// The answer shall cite it.
        cited: bool,
        cache: Option<CacheMark>,
    },
    /// The answer of a tool search: a tool is now available by this name.
    ToolReference {
        name: Text<'a>,
    },
    /// A block that a provider's own server-side tool left in the history (`server_tool_use`, `web_search_tool_result` …).
    /// Only its own provider can read it; elsewhere it becomes text made from `fields`.
    Server {
        kind: Text<'a>,
        fields: Json<'a>,
    },
    Refusal(Text<'a>),
    /// A block type nobody knows. Never silently lost: encoders record it as dropped.
    Unknown {
        kind: Text<'a>,
    },
}

#[derive(Clone, Debug, Default)]
pub struct TextPart<'a> {
    pub text: Text<'a>,
    pub cache: Option<CacheMark>,
}

/// "The prompt up to here is worth caching."
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheMark {
    /// Anthropic's default of five minutes.
    Short,
    /// One hour.
    Long,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MediaKind {
    Image,
    Document,
    Audio,
    Video,
}

impl MediaKind {
    pub fn name(self) -> &'static str {
        match self {
            MediaKind::Image => "image",
            MediaKind::Document => "document",
            MediaKind::Audio => "audio",
            MediaKind::Video => "video",
        }
    }
}

#[derive(Clone, Debug)]
pub struct Media<'a> {
    pub kind: MediaKind,
    pub source: Source<'a>,
    /// A document's title or file name.
    pub name: Option<Text<'a>>,
    /// What the sender says about a document.
    pub context: Option<Text<'a>>,
    /// OpenAI's `detail` of an image.
    pub detail: Option<Text<'a>>,
    /// The answer shall cite it.
    pub cited: bool,
    pub cache: Option<CacheMark>,
}

impl Media<'_> {
    /// How finely an image is to be looked at, unless that is left to the model.
    pub fn wants_detail(&self) -> bool {
        self.detail.as_ref().is_some_and(|detail| detail.escaped() != "auto")
    }
}

#[derive(Clone, Debug)]
pub enum Source<'a> {
    /// `data` is base64 without line breaks.
    Base64 {
        media_type: Text<'a>,
        data: Text<'a>,
    },
    Url(Text<'a>),
    /// A file kept by one provider.
    File(Text<'a>),
    /// A plain-text document.
    Text(Text<'a>),
    /// A document given as blocks of its own.
    Blocks(Vec<Part<'a>>),
}

#[derive(Clone, Debug, Default)]
pub struct Thinking<'a> {
    pub text: Text<'a>,
    /// Opaque state that only its maker can read: Anthropic's `signature`, or our sealed envelope of another provider's.
    pub signature: Option<Text<'a>>,
    /// `redacted_thinking`: there is no text, and `signature` holds its data.
    pub redacted: bool,
}

#[derive(Clone, Debug)]
pub struct ToolCall<'a> {
    pub id: Text<'a>,
    pub name: Text<'a>,
    pub input: ToolInput<'a>,
    /// The Responses namespace that the tool belongs to. Then `name` has it as well: [`crate::names::qualified`].
    pub namespace: Option<Text<'a>>,
    /// Opaque state tied to this call (Gemini's `thoughtSignature`).
    pub state: Option<Text<'a>>,
    pub cache: Option<CacheMark>,
}

/// A call's input, in the form that its source had. Each encoder converts where it needs the other form.
#[derive(Clone, Debug)]
pub enum ToolInput<'a> {
    /// A JSON object.
    Object(Json<'a>),
    /// JSON inside a string, as chat and Responses send it: not checked to be valid.
    Arguments(Text<'a>),
    /// Free text of a custom tool.
    Freeform(Text<'a>),
}

#[derive(Clone, Debug)]
pub struct ToolResult<'a> {
    pub id: Text<'a>,
    pub content: Vec<Part<'a>>,
    pub is_error: bool,
    pub cache: Option<CacheMark>,
}

#[derive(Clone, Debug)]
pub struct Tool<'a> {
    pub name: Text<'a>,
    pub description: Option<Text<'a>>,
    pub kind: ToolKind<'a>,
    pub strict: Option<bool>,
    /// Known to the client but to be loaded on demand (Anthropic `defer_loading`).
    pub deferred: bool,
    pub namespace: Option<Text<'a>>,
    pub cache: Option<CacheMark>,
}

#[derive(Clone, Debug)]
pub enum ToolKind<'a> {
    /// Has a JSON Schema; `None` where the client sent none.
    Function { schema: Option<Json<'a>> },
    /// Takes free text, perhaps under a grammar.
    Custom { format: Option<Json<'a>> },
    /// Runs in the client, has no schema on the wire (Anthropic `bash_*`, `text_editor_*`, `memory_*`, `computer_*`).
    /// `fields` is the whole tool object.
    Client { kind: Text<'a>, fields: Json<'a> },
    /// Runs at the provider (`web_search_*`, `code_execution_*`, `mcp_toolset` …). `fields` is the whole tool object.
    Server { kind: Text<'a>, fields: Json<'a> },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToolChoice<'a> {
    Auto,
    /// Some tool must be called.
    Required,
    Named(Text<'a>),
    None,
}

impl ToolChoice<'_> {
    /// A forced choice for the system prompt, where the model takes none.
    pub fn in_words(&self, name_limit: Option<usize>) -> Option<Text<'static>> {
        match self {
            ToolChoice::Auto | ToolChoice::None => None,
            ToolChoice::Required => Some(Text::literal("You must call a tool in this answer.")),
            ToolChoice::Named(name) => {
                let mut text = Text::literal("You must call the tool ");
                text.push(&safe_tool_name(name, name_limit));
                text.push(&Text::literal(" in this answer."));
                Some(text)
            }
        }
    }
}

/// How much the model shall think.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Reasoning {
    pub mode: ReasoningMode,
    pub effort: Option<Effort>,
    /// `Some(false)`: the client does not want to see the thoughts.
    pub visible: Option<bool>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReasoningMode {
    /// The model decides (Anthropic `adaptive`, or only an effort was given).
    #[default]
    Adaptive,
    Off,
    /// At most this many tokens.
    Budget(u64),
    /// Anthropic `between_tools`: the lowest setting of models that cannot switch thinking off.
    BetweenTools,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Deserialize, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Effort {
    None,
    Minimal,
    Low,
    Medium,
    High,
    Xhigh,
    Max,
}

impl Tool<'_> {
    /// Free text that must follow a grammar.
    pub fn has_grammar(&self) -> bool {
        let ToolKind::Custom { format: Some(format) } = &self.kind else { return false };
        format.is_object() && format.to_value()["type"] != "text"
    }
}

impl Effort {
    pub const ALL: [Effort; 7] =
        [Effort::None, Effort::Minimal, Effort::Low, Effort::Medium, Effort::High, Effort::Xhigh, Effort::Max];

    pub fn name(self) -> &'static str {
        match self {
            Effort::None => "none",
            Effort::Minimal => "minimal",
            Effort::Low => "low",
            Effort::Medium => "medium",
            Effort::High => "high",
            Effort::Xhigh => "xhigh",
            Effort::Max => "max",
        }
    }

    pub fn of_name(name: &str) -> Option<Effort> {
        Effort::ALL.into_iter().find(|e| e.name() == name)
    }

    /// The usual thresholds: up to 2,048 tokens low, 8,192 medium, 24,576 high, above that xhigh.
    pub fn of_budget(tokens: u64) -> Effort {
        match tokens {
            0 => Effort::None,
            1..=2048 => Effort::Low,
            2049..=8192 => Effort::Medium,
            8193..=24576 => Effort::High,
            _ => Effort::Xhigh,
        }
    }
}

#[derive(Clone, Debug)]
pub enum OutputFormat<'a> {
    /// Any JSON object.
    JsonObject,
    JsonSchema {
        name: Option<Text<'a>>,
        description: Option<Text<'a>>,
        schema: Json<'a>,
        strict: Option<bool>,
    },
}
