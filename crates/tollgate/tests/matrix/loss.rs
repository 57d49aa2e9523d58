//! What cannot be carried from one client to one upstream and back, and why. Everything else of the matrix arrives whole.
//!
//! Written by hand from the vendors' formats. A cell is held to exactly its rows: what is lost without a row fails, a row that is
//! no longer true fails, and `x-tollgate-changes` has what the rows say and nothing else.

use crate::client::Client::{self, Chat, Gemini, Messages, Responses};
use crate::upstream::Upstream;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Case {
    Text,
    System,
    Image,
    Document,
    ToolCall,
    ParallelCalls,
    ResultImage,
    Thinking,
    Structured,
    Stops,
    Usage,
    Error,
    Cut,
}

pub const CASES: [Case; 13] = [
    Case::Text,
    Case::System,
    Case::Image,
    Case::Document,
    Case::ToolCall,
    Case::ParallelCalls,
    Case::ResultImage,
    Case::Thinking,
    Case::Structured,
    Case::Stops,
    Case::Usage,
    Case::Error,
    Case::Cut,
];

impl Case {
    pub fn name(self) -> &'static str {
        match self {
            Case::Text => "text",
            Case::System => "system prompt",
            Case::Image => "image",
            Case::Document => "document (PDF)",
            Case::ToolCall => "tool call and its result",
            Case::ParallelCalls => "two calls at once",
            Case::ResultImage => "result with an image",
            Case::Thinking => "thinking over three turns",
            Case::Structured => "structured output",
            Case::Stops => "stop reasons",
            Case::Usage => "usage with a cache",
            Case::Error => "errors",
            Case::Cut => "a cut answer",
        }
    }
}

/// What is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The name of a file has no field.
    Title,
    /// A picture of a result stands behind the result.
    ResultPlace,
    /// The effort is a budget.
    Effort,
    /// The words of a thought do not go back, its signature does.
    ThoughtWords,
    /// Which of the client's stop sequences ended the answer, and that one did.
    StopSequence,
    /// How much of the prompt was written to a cache.
    CacheWrites,
    /// How much of the output were thoughts.
    ThoughtCount,
}

/// Where a client is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// The header has it before the answer; several with a space between them.
    Ahead(&'static str),
    /// It shows in the answer: the header of one in one piece has it, and the record of every one.
    After(&'static str),
    /// Nothing of it ever reached the gateway.
    Never,
}

pub struct Loss {
    pub case: Case,
    pub lost: Lost,
    pub clients: &'static [Client],
    pub upstreams: &'static [Upstream],
    pub what: &'static str,
    pub why: &'static str,
    /// What `x-tollgate-changes` says of it.
    pub told: Told,
}

const EVERYWHERE: &[Upstream] = &[
    Upstream::Chat,
    Upstream::Responses,
    Upstream::Messages,
    Upstream::Gemini,
    Upstream::Converse,
    Upstream::Invoke,
    Upstream::Budget,
    Upstream::VertexGemini,
    Upstream::VertexClaude,
    Upstream::Azure,
    Upstream::Foundry,
    Upstream::Signed,
];

const ALL: &[Client] = &[Messages, Chat, Responses, Gemini];

pub const LOSSES: &[Loss] = &[
    Loss {
        case: Case::Document,
        lost: Lost::Title,
        clients: &[Messages, Chat, Responses],
        upstreams: &[Upstream::Gemini],
        what: "the name of the file stands in words before it",
        why: "Google's `inlineData` has no name",
        told: Told::Ahead("textualised:title"),
    },
    Loss {
        case: Case::ResultImage,
        lost: Lost::ResultPlace,
        clients: &[Messages, Responses, Gemini],
        upstreams: &[Upstream::Chat, Upstream::Azure],
        what: "the image stands in a user message behind the results, named by the call's id",
        why: "a `tool` message of chat holds text only",
        told: Told::Ahead("moved:image"),
    },
    Loss {
        case: Case::ResultImage,
        lost: Lost::ResultPlace,
        clients: &[Chat],
        upstreams: EVERYWHERE,
        what: "the image stays where the client put it, in a user message behind the results",
        why: "a `tool` message of chat holds text only",
        told: Told::Never,
    },
    Loss {
        case: Case::Thinking,
        lost: Lost::Effort,
        clients: &[Messages],
        upstreams: &[Upstream::Budget],
        what: "the effort; a budget that means as much stands for it",
        why: "Claude up to 4.5, but for Opus 4.5, knows budgets alone",
        told: Told::Ahead("rewritten:thinking dropped:output_config.effort"),
    },
    Loss {
        case: Case::Thinking,
        lost: Lost::ThoughtWords,
        clients: &[Messages, Chat, Responses],
        upstreams: &[Upstream::Gemini, Upstream::VertexGemini],
        what: "the words of earlier thoughts; the signatures go back with their calls",
        why: "Google takes back signatures, and what it shows of thoughts is a summary for people",
        told: Told::Ahead("dropped:thinking.text"),
    },
    Loss {
        case: Case::Stops,
        lost: Lost::StopSequence,
        clients: &[Chat, Responses, Gemini],
        upstreams: &[Upstream::Messages, Upstream::Converse, Upstream::Invoke],
        what: "that a stop sequence ended the answer, and which",
        why: "the formats have one word for this and for an ordinary end",
        told: Told::After("dropped:stop_sequence"),
    },
    Loss {
        case: Case::Usage,
        lost: Lost::CacheWrites,
        clients: &[Gemini],
        upstreams: &[Upstream::Chat, Upstream::Responses, Upstream::Messages, Upstream::Converse, Upstream::Invoke],
        what: "how many tokens were written to a cache; the prompt's total has them",
        why: "`usageMetadata` has no such count",
        told: Told::After("dropped:usage.cache_write"),
    },
    Loss {
        case: Case::Usage,
        lost: Lost::ThoughtCount,
        clients: ALL,
        upstreams: &[Upstream::Converse],
        what: "how many tokens of the output were thoughts; the output's total has them",
        why: "Converse's `usage` has no such count",
        told: Told::Never,
    },
];
