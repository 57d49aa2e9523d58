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
    /// A picture of a result stands behind the result.
    ResultPlace,
    /// The words of a thought do not go back, its signature does.
    ThoughtWords,
    /// Which of the client's stop sequences ended the answer, and that one did.
    StopSequence,
    /// Which of the client's stop sequences ended the answer.
    WhichSequence,
    /// How much of the prompt was written to a cache.
    CacheWrites,
    /// How much of the output were thoughts.
    ThoughtCount,
}

pub struct Loss {
    pub case: Case,
    pub lost: Lost,
    pub clients: &'static [Client],
    pub upstreams: &'static [Upstream],
    pub what: &'static str,
    pub why: &'static str,
    /// What `x-tollgate-changes` says of it.
    pub told: Option<&'static str>,
}

const ALL: &[Client] = &[Messages, Chat, Responses, Gemini];

pub const LOSSES: &[Loss] = &[
    Loss {
        case: Case::ResultImage,
        lost: Lost::ResultPlace,
        clients: ALL,
        upstreams: &[Upstream::Chat],
        what: "the image stands in a user message behind the results, named by the call's id",
        why: "a `tool` message of chat holds text only",
        told: None,
    },
    Loss {
        case: Case::ResultImage,
        lost: Lost::ResultPlace,
        clients: &[Chat],
        upstreams: &[Upstream::Responses, Upstream::Messages, Upstream::Gemini, Upstream::Converse, Upstream::Invoke],
        what: "the image stays where the client put it, in a user message behind the results",
        why: "a `tool` message of chat holds text only",
        told: None,
    },
    Loss {
        case: Case::Thinking,
        lost: Lost::ThoughtWords,
        clients: &[Messages, Chat, Responses],
        upstreams: &[Upstream::Gemini],
        what: "the words of earlier thoughts; the signatures go back with their calls",
        why: "Google takes back signatures, and what it shows of thoughts is a summary for people",
        told: None,
    },
    Loss {
        case: Case::Stops,
        lost: Lost::StopSequence,
        clients: &[Chat, Responses, Gemini],
        upstreams: &[Upstream::Messages, Upstream::Converse, Upstream::Invoke],
        what: "that a stop sequence ended the answer, and which",
        why: "the formats have one word for this and for an ordinary end",
        told: None,
    },
    Loss {
        case: Case::Stops,
        lost: Lost::WhichSequence,
        clients: &[Messages],
        upstreams: &[Upstream::Converse],
        what: "which stop sequence ended the answer",
        why: "Converse's `stopReason` says that one did, and nothing says which",
        told: None,
    },
    Loss {
        case: Case::Usage,
        lost: Lost::CacheWrites,
        clients: &[Gemini],
        upstreams: &[Upstream::Chat, Upstream::Responses, Upstream::Messages, Upstream::Converse, Upstream::Invoke],
        what: "how many tokens were written to a cache; the prompt's total has them",
        why: "`usageMetadata` has no such count",
        told: None,
    },
    Loss {
        case: Case::Usage,
        lost: Lost::ThoughtCount,
        clients: ALL,
        upstreams: &[Upstream::Converse],
        what: "how many tokens of the output were thoughts; the output's total has them",
        why: "Converse's `usage` has no such count",
        told: None,
    },
];
