//! The canonical answer: a sequence of events, whether it came as a stream or in one piece.
//!
//! A decoder turns upstream bytes into these, [`crate::answer::Shaper`] puts them in order and repairs what a client could not
//! take, and an encoder turns them into a stream or collects them into one body. Folding a stream's events gives the same body
//! as the one-piece answer.

use crate::citation::Citation;
use crate::json::{Json, Text};
use crate::usage::Usage;

#[derive(Clone, Debug, PartialEq)]
pub enum Event<'a> {
    /// The answer begins. At most once, before anything else; decoders may leave it out.
    Start {
        id: Option<Text<'a>>,
        model: Option<Text<'a>>,
        usage: Usage,
    },
    Text(Text<'a>),
    Thinking(Text<'a>),
    /// Opaque state of the thinking just sent. An Anthropic signature is a JSON string, another provider's state any value.
    /// Ends the thinking block.
    ThinkingState(ThinkingState<'a>),
    /// `redacted_thinking`: encrypted thoughts, no text.
    Redacted(Text<'a>),
    /// A tool call begins. `slot` tells parallel calls apart and says nothing about order. An empty `id` gets one of ours.
    ToolStart {
        slot: u32,
        id: Text<'a>,
        name: Text<'a>,
    },
    /// A piece of the call's input: JSON text, cut anywhere.
    ToolInput {
        slot: u32,
        json: Text<'a>,
    },
    /// Nothing more comes for this call. Decoders of dialects without such a sign leave it out.
    ToolEnd {
        slot: u32,
    },
    /// A whole call of a tool that takes free text. Only [`crate::answer::Shaper`] makes it, for clients that have such tools.
    Freeform {
        slot: u32,
        id: Text<'a>,
        name: Text<'a>,
        input: Text<'a>,
    },
    Refusal(Text<'a>),
    /// A block made by the provider's own tool, whole (`server_tool_use`, `web_search_tool_result` …), with all its fields.
    Server(Json<'a>),
    /// Of the text just sent.
    Citation(Citation<'a>),
    /// What is known of the usage so far; a later one replaces what it gives.
    Usage(Usage),
    Finish {
        reason: StopReason,
        stop_sequence: Option<Text<'a>>,
    },
}

#[derive(Clone, Debug, PartialEq)]
pub enum ThinkingState<'a> {
    /// Made by Anthropic: goes to the client as it is.
    Signature(Text<'a>),
    /// Another provider's own state, which goes back unmodified: OpenRouter's `reasoning_details`, a JSON array; Google's
    /// `extra_content` and OpenAI's `{id, encrypted_content}`, objects.
    Details(Json<'a>),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    EndTurn,
    ToolUse,
    MaxTokens,
    ContextWindow,
    StopSequence,
    Refusal,
    PauseTurn,
    Compaction,
    /// The upstream says that it failed (`error`, `network_error`, `insufficient_system_resource`): never a clean end.
    Failed,
}

impl Event<'_> {
    pub fn into_owned(self) -> Event<'static> {
        match self {
            Event::Start { id, model, usage } => {
                Event::Start { id: id.map(Text::into_owned), model: model.map(Text::into_owned), usage }
            }
            Event::Text(t) => Event::Text(t.into_owned()),
            Event::Thinking(t) => Event::Thinking(t.into_owned()),
            Event::ThinkingState(ThinkingState::Signature(t)) => {
                Event::ThinkingState(ThinkingState::Signature(t.into_owned()))
            }
            Event::ThinkingState(ThinkingState::Details(j)) => {
                Event::ThinkingState(ThinkingState::Details(j.into_owned()))
            }
            Event::Redacted(t) => Event::Redacted(t.into_owned()),
            Event::ToolStart { slot, id, name } => {
                Event::ToolStart { slot, id: id.into_owned(), name: name.into_owned() }
            }
            Event::ToolInput { slot, json } => Event::ToolInput { slot, json: json.into_owned() },
            Event::ToolEnd { slot } => Event::ToolEnd { slot },
            Event::Freeform { slot, id, name, input } => {
                Event::Freeform { slot, id: id.into_owned(), name: name.into_owned(), input: input.into_owned() }
            }
            Event::Refusal(t) => Event::Refusal(t.into_owned()),
            Event::Server(j) => Event::Server(j.into_owned()),
            Event::Citation(j) => Event::Citation(j.into_owned()),
            Event::Usage(u) => Event::Usage(u),
            Event::Finish { reason, stop_sequence } => {
                Event::Finish { reason, stop_sequence: stop_sequence.map(Text::into_owned) }
            }
        }
    }

    /// True once the client would see output: from here on no other deployment can take over unseen.
    pub fn bears_content(&self) -> bool {
        !matches!(self, Event::Start { .. } | Event::Usage(_))
            && !matches!(self, Event::Text(t) | Event::Thinking(t) if t.is_empty())
    }
}
