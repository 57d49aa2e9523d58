//! Endpoints of OpenAI's API and its kin that are no conversation. Before providers that have them, what goes up and comes back
//! passes as it is, apart from the model's name, and is read only for what it cost; others have forms of their own ([`Task`]).
//!
//! Sources: OpenAI's API reference and SDK 3.52.0; Cohere's and Jina's for `/rerank` (2026-11).

use crate::Dialect;

mod amount;
mod embeddings;
mod form;
mod images;
mod rerank;
mod took;
mod work;

pub use amount::{amount, whole};
pub use form::Form;
pub use took::{Took, is_complete, rounded, text_bytes};
pub use work::{AnswerFacts, Answered, Call, Host, Speaks, Task, Way, Work};

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Text that goes on, without a conversation.
    Completions,
    Embeddings,
    ImageGenerations,
    ImageEdits,
    Moderations,
    Rerank,
    Transcriptions,
    Speech,
    /// Of a conversation of the Responses API a shorter one.
    Compact,
}

use Operation::*;

impl Operation {
    pub const ALL: [Operation; 9] =
        [Completions, Embeddings, ImageGenerations, ImageEdits, Moderations, Rerank, Transcriptions, Speech, Compact];

    /// The path of clients after `/v1`, and of providers under their base URL.
    pub fn path(self) -> &'static str {
        match self {
            Completions => "/completions",
            Embeddings => "/embeddings",
            ImageGenerations => "/images/generations",
            ImageEdits => "/images/edits",
            Moderations => "/moderations",
            Rerank => "/rerank",
            Transcriptions => "/audio/transcriptions",
            Speech => "/audio/speech",
            Compact => "/responses/compact",
        }
    }

    /// Of which API it is a part, as far as bodies and errors tell.
    pub fn dialect(self) -> Dialect {
        if self == Compact { Dialect::Responses } else { Dialect::Chat }
    }

    pub fn at(path: &str) -> Option<Operation> {
        Operation::ALL.into_iter().find(|operation| operation.path() == path)
    }

    /// The model of a request that names none. Only OpenAI's moderations have one.
    pub fn usual_model(self) -> Option<&'static str> {
        (self == Moderations).then_some("omni-moderation-latest")
    }

    /// Whose models serve it besides, for messages to people.
    pub fn others(self) -> &'static str {
        match self {
            Embeddings => ", a model of Gemini or Vertex AI, or Titan Text or Cohere Embed on Bedrock",
            ImageGenerations => ", or a model of Gemini or Vertex AI that draws",
            Rerank => ", or a reranker of Amazon's or Cohere's on Bedrock",
            _ => "",
        }
    }

    /// The answer is as long as `max_tokens` allows.
    pub fn writes_text(self) -> bool {
        self == Completions
    }

    pub fn makes_images(self) -> bool {
        matches!(self, ImageGenerations | ImageEdits)
    }
}
