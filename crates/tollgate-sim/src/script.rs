//! What the simulated provider answers: an ordered list of steps, each with a condition and a reply.

use bytes::Bytes;
use serde_json::Value;

use crate::faults::{Faults, Piece};

/// One scripted reply. A request takes the first step whose condition fits and whose uses are not spent;
/// when none is left it gets a short text.
#[derive(Debug, Clone)]
pub struct Step {
    pub when: Match,
    pub uses: Uses,
    pub reply: Reply,
    pub faults: Faults,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uses {
    Times(u32),
    Always,
}

/// All given conditions must hold. The default holds for every model call.
#[derive(Debug, Clone, Default)]
pub struct Match {
    /// A substring of the path.
    pub path: Option<String>,
    /// The exact `model`.
    pub model: Option<String>,
    /// A substring of the request body, as sent.
    pub contains: Option<String>,
    /// A substring that the request body must not have.
    pub lacks: Option<String>,
    /// The n-th model call that passed validation, counted from 1.
    pub nth: Option<usize>,
    pub has_tools: Option<bool>,
    /// Whether the conversation already holds the result of a tool.
    pub has_tool_result: Option<bool>,
    pub stream: Option<bool>,
}

#[derive(Debug, Clone)]
pub enum Reply {
    /// A model's answer in the dialect of the request, as a stream or as one JSON document.
    Answer(Answer),
    /// Any HTTP response, sent as it is.
    Http { status: u16, headers: Vec<(String, String)>, body: Bytes },
    /// Status 200 and these bytes, with these pauses.
    Raw { content_type: String, pieces: Vec<Piece> },
}

/// A model's answer. The parts are sent in order.
#[derive(Debug, Clone)]
pub struct Answer {
    pub parts: Vec<Part>,
    pub finish: Finish,
    pub usage: Usage,
    pub tool_deltas: ToolDeltas,
    /// How a chat provider sends thinking; Anthropic has one form only.
    pub thinking: Thinking,
    /// The `model` of the answer; `None` repeats the requested one.
    pub model: Option<String>,
    /// Length of one streamed piece of text or arguments, in characters.
    pub piece_chars: usize,
}

#[derive(Debug, Clone)]
pub enum Part {
    Text(String),
    Thinking(String),
    Tool(ToolCall),
    /// A call whose arguments are `{"content":"aaa…"}` of this many bytes, made while they are sent.
    HugeTool {
        id: String,
        name: String,
        bytes: u64,
    },
    /// An Anthropic content block sent whole in its start event. Chat has none: left out there.
    Block(Value),
}

#[derive(Debug, Clone)]
pub struct ToolCall {
    pub id: String,
    pub name: String,
    pub arguments: Arguments,
}

#[derive(Debug, Clone)]
pub enum Arguments {
    /// The text of the arguments as it is, valid JSON or not.
    Text(String),
    /// A JSON object where the dialect wants a string (seen from some compatible servers).
    Object(Value),
    Null,
    Missing,
}

/// How a chat provider streams its tool calls (`reference`: deviations of compatible providers, 2026-11-21).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ToolDeltas {
    /// OpenAI's own form: id and name first, then pieces of arguments, one call after the other.
    #[default]
    Pieces,
    /// The pieces of parallel calls alternate.
    Interleaved,
    NoIndex,
    NoId,
    EmptyId,
    /// Id and name come again with every piece.
    Repeated,
    /// Each call in one chunk.
    Whole,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Thinking {
    #[default]
    ReasoningContent,
    Reasoning,
    /// OpenRouter: `reasoning` beside `reasoning_details`.
    Details,
    /// `<think>…</think>` inside the text.
    Tags,
}

#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum Finish {
    /// What fits the parts.
    #[default]
    Auto,
    Given(String),
    Null,
    /// No finish at all: the stream goes from the last piece to its end marker.
    Missing,
}

/// What is said about tokens.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Usage {
    /// Figures that fit the request and the answer, in the vendor's form.
    #[default]
    Normal,
    Missing,
    Null,
    /// `{}`
    Empty,
    Strings,
    Floats,
    TotalOnly,
    /// In every chunk, growing.
    EveryChunk,
    /// On the chunk that carries the finish reason, and not in one of its own.
    OnFinish,
    Exact(Value),
}

impl Step {
    pub fn new(reply: Reply) -> Self {
        Self { when: Match::default(), uses: Uses::Times(1), reply, faults: Faults::default() }
    }

    pub fn answer(answer: Answer) -> Self {
        Self::new(Reply::Answer(answer))
    }

    pub fn text(text: &str) -> Self {
        Self::answer(Answer::text(text))
    }

    /// A JSON response with this status.
    pub fn json(status: u16, body: &Value) -> Self {
        Self::http(status, "application/json", body.to_string())
    }

    pub fn http(status: u16, content_type: &str, body: impl Into<Bytes>) -> Self {
        let headers = vec![("content-type".to_owned(), content_type.to_owned())];
        Self::new(Reply::Http { status, headers, body: body.into() })
    }

    /// Status 200, `text/event-stream`, these bytes.
    pub fn sse(pieces: Vec<Piece>) -> Self {
        Self::new(Reply::Raw { content_type: "text/event-stream".to_owned(), pieces })
    }

    /// Status 200, an event stream of AWS, these bytes.
    pub fn event_stream(pieces: Vec<Piece>) -> Self {
        Self::new(Reply::Raw { content_type: "application/vnd.amazon.eventstream".to_owned(), pieces })
    }

    /// A further response header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.faults.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// No answer at all: the connection ends in this way before any header.
    pub fn refused(ending: crate::faults::Ending) -> Self {
        Self::text("").faults(Faults { refuse: Some(ending), ..Faults::default() })
    }

    #[must_use]
    pub fn when(mut self, when: Match) -> Self {
        self.when = when;
        self
    }

    #[must_use]
    pub fn times(mut self, n: u32) -> Self {
        self.uses = Uses::Times(n);
        self
    }

    #[must_use]
    pub fn always(mut self) -> Self {
        self.uses = Uses::Always;
        self
    }

    #[must_use]
    pub fn faults(mut self, faults: Faults) -> Self {
        self.faults = faults;
        self
    }
}

impl Default for Answer {
    fn default() -> Self {
        Self {
            parts: Vec::new(),
            finish: Finish::Auto,
            usage: Usage::Normal,
            tool_deltas: ToolDeltas::Pieces,
            thinking: Thinking::ReasoningContent,
            model: None,
            piece_chars: 16,
        }
    }
}

impl Answer {
    pub fn text(text: &str) -> Self {
        Self::default().and_text(text)
    }

    /// An answer that is one tool call.
    pub fn tool(id: &str, name: &str, arguments: &Value) -> Self {
        Self::default().and_tool(id, name, arguments)
    }

    /// An answer that begins with thinking.
    pub fn thinking(text: &str) -> Self {
        Self::default().and(Part::Thinking(text.to_owned()))
    }

    #[must_use]
    pub fn and(mut self, part: Part) -> Self {
        self.parts.push(part);
        self
    }

    #[must_use]
    pub fn and_text(self, text: &str) -> Self {
        self.and(Part::Text(text.to_owned()))
    }

    #[must_use]
    pub fn and_tool(self, id: &str, name: &str, arguments: &Value) -> Self {
        let arguments = Arguments::Text(arguments.to_string());
        self.and(Part::Tool(ToolCall { id: id.to_owned(), name: name.to_owned(), arguments }))
    }

    #[must_use]
    pub fn thinking_as(mut self, thinking: Thinking) -> Self {
        self.thinking = thinking;
        self
    }

    #[must_use]
    pub fn finish(mut self, finish: Finish) -> Self {
        self.finish = finish;
        self
    }

    #[must_use]
    pub fn usage(mut self, usage: Usage) -> Self {
        self.usage = usage;
        self
    }

    #[must_use]
    pub fn tool_deltas(mut self, deltas: ToolDeltas) -> Self {
        self.tool_deltas = deltas;
        self
    }

    pub(crate) fn calls_tools(&self) -> bool {
        self.parts.iter().any(|part| matches!(part, Part::Tool(_) | Part::HugeTool { .. }))
    }

    /// Tokens that this answer is said to cost: all, and those of thinking.
    pub(crate) fn tokens(&self) -> (u64, u64) {
        let (mut all, mut thinking) = (0, 0);
        for part in &self.parts {
            match part {
                Part::Text(text) => all += text.len() as u64,
                Part::Thinking(text) => {
                    all += text.len() as u64;
                    thinking += text.len() as u64;
                }
                Part::Tool(call) => all += call.arguments.text().len() as u64,
                Part::HugeTool { bytes, .. } => all += bytes,
                Part::Block(block) => all += block.to_string().len() as u64,
            }
        }
        (all.div_ceil(4).max(1), thinking.div_ceil(4))
    }
}

impl Arguments {
    /// As the text that a correct server would send.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Object(value) => value.to_string(),
            Self::Null | Self::Missing => String::new(),
        }
    }
}

/// Cuts a text into pieces of `chars` characters.
pub(crate) fn pieces(text: &str, chars: usize) -> Vec<String> {
    let all: Vec<char> = text.chars().collect();
    all.chunks(chars.max(1)).map(|piece| piece.iter().collect()).collect()
}

/// The arguments of a [`Part::HugeTool`] in pieces of at most 16 KiB, made one at a time.
pub(crate) fn huge_arguments(bytes: u64) -> impl Iterator<Item = String> + Send {
    const PIECE: u64 = 16 * 1024;
    let fill = (0..bytes.div_ceil(PIECE)).map(move |i| "a".repeat(PIECE.min(bytes - i * PIECE) as usize));
    std::iter::once("{\"content\":\"".to_owned()).chain(fill).chain(std::iter::once("\"}".to_owned()))
}
