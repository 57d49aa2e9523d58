//! A request in a vendor's own form: the calls that it takes, and one answer made of theirs.

use super::embeddings::{Answers, Embedder};
use super::images::Painter;
use super::rerank::{Ranker, Ranking};
use super::{Operation, Took, embeddings, images, rerank};
use crate::ForwardError;
use crate::error::{AnswerError, Change, Invalid};
use crate::json::Json;

/// Whose API a deployment has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    /// OpenAI's, and all that are like it.
    OpenAi,
    /// The Gemini API of `generativelanguage.googleapis.com`.
    Gemini,
    Vertex,
    Bedrock,
}

/// The form in which a client asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Speaks {
    OpenAi,
    /// Gemini's `:embedContent`.
    EmbedContent,
    /// Gemini's `:batchEmbedContents`.
    BatchEmbedContents,
}

/// What is asked of which model, in whose words on either side.
#[derive(Clone, Copy, Debug)]
pub struct Task<'t> {
    pub operation: Operation,
    pub speaks: Speaks,
    pub host: Host,
    /// The provider's name for the model.
    pub model: &'t str,
    /// For messages to people: `provider/model`.
    pub label: &'t str,
    /// Unsupported parameters are dropped and reported, else refused.
    pub drop_params: bool,
}

/// What becomes of a task.
#[derive(Clone, Copy, Debug)]
pub enum Way {
    /// OpenAI's form on both sides: the client's bytes go on, and the provider's come back.
    Passes,
    /// Gemini's on both sides: the same, with another model's name in the body.
    Forwards,
    Embeds(&'static Embedder),
    Draws(&'static Painter),
    Ranks(Ranker),
}

/// One call of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    /// What stands behind the model in its path, or OpenAI's path.
    pub method: &'static str,
    pub body: Vec<u8>,
}

/// What came back of a call.
#[derive(Clone, Debug, Default)]
pub struct Answered {
    pub body: String,
    /// Bedrock tells the tokens of models that do not tell them in a header.
    pub input_tokens: Option<u64>,
}

/// What an answer says beside what the provider said.
#[derive(Clone, Copy, Debug)]
pub struct AnswerFacts<'f> {
    /// The name the client asked for.
    pub model: &'f str,
    /// Of the request.
    pub id: &'f str,
    /// Seconds since 1970.
    pub created: u64,
    /// Told or counted.
    pub took: Took,
}

/// The calls of a task, in their order.
#[derive(Debug)]
pub struct Work {
    pub calls: Vec<Call>,
    pub changes: Vec<Change>,
    reading: Reading,
}

#[derive(Debug)]
enum Reading {
    AsIs,
    Embeddings(Answers),
    Images(&'static Painter),
    Rerank(Ranking),
}

impl Task<'_> {
    /// `None`: there is no such thing at this model.
    pub fn way(&self) -> Option<Way> {
        if self.speaks == Speaks::OpenAi && self.host == Host::OpenAi {
            return Some(Way::Passes);
        }
        match self.operation {
            Operation::Embeddings => embeddings::way(self),
            Operation::ImageGenerations => images::way(self),
            Operation::Rerank => rerank::way(self),
            _ => None,
        }
    }

    /// A client's body in OpenAI's form, in which configurations speak; `None`: it is in it, or stays in its own.
    pub fn as_openai(&self, body: &str) -> Result<Option<Vec<u8>>, ForwardError> {
        match self.way() {
            Some(Way::Embeds(_)) if self.speaks != Speaks::OpenAi => {
                valid(body)?;
                embeddings::as_openai(self.speaks, self.model, body).map(Some)
            }
            _ => Ok(None),
        }
    }

    /// The calls for a body in OpenAI's form, or for one that is forwarded; `None`: there is nothing to translate.
    pub fn work(&self, body: &str) -> Result<Option<Work>, ForwardError> {
        let way = self.way();
        if !matches!(way, None | Some(Way::Passes)) {
            valid(body)?;
        }
        Ok(match way {
            None | Some(Way::Passes) => None,
            Some(Way::Forwards) => {
                let call = embeddings::forwarded(self, body)?;
                Some(Work { calls: vec![call], changes: Vec::new(), reading: Reading::AsIs })
            }
            Some(Way::Embeds(embedder)) => {
                let (calls, changes, answers) = embedder.calls(self, body)?;
                Some(Work { calls, changes, reading: Reading::Embeddings(answers) })
            }
            Some(Way::Draws(painter)) => {
                let (calls, changes) = painter.calls(self, body)?;
                Some(Work { calls, changes, reading: Reading::Images(painter) })
            }
            Some(Way::Ranks(ranker)) => {
                let (call, changes, ranking) = ranker.call(self, body)?;
                Some(Work { calls: vec![call], changes, reading: Reading::Rerank(ranking) })
            }
        })
    }
}

/// What is taken apart by its members alone could hold texts and names that are no JSON.
fn valid(body: &str) -> Result<(), Invalid> {
    Json::parse(body).map(drop).map_err(Invalid::from)
}

impl Work {
    /// The provider's own words are the client's as well.
    pub fn forwards(&self) -> bool {
        matches!(self.reading, Reading::AsIs)
    }

    /// What one call took. `Err`: its answer is none.
    pub fn took(&self, nth: usize, answered: &Answered) -> Result<Took, AnswerError> {
        match &self.reading {
            Reading::AsIs => Ok(embeddings::took_of_gemini(&answered.body)),
            Reading::Embeddings(answers) => answers.took(nth, answered),
            Reading::Images(painter) => painter.took(&answered.body),
            Reading::Rerank(ranking) => ranking.took(&answered.body),
        }
    }

    /// The client's answer, of one for each call.
    pub fn answer(&self, all: &[Answered], facts: &AnswerFacts<'_>) -> Result<Vec<u8>, AnswerError> {
        let bodies = || all.iter().map(|one| one.body.as_str());
        match &self.reading {
            Reading::AsIs => Ok(bodies().flat_map(str::bytes).collect()),
            Reading::Embeddings(answers) => answers.write(all, facts),
            Reading::Images(painter) => painter.write(&bodies().collect::<Vec<_>>(), facts),
            Reading::Rerank(ranking) => ranking.write(bodies().next().unwrap_or(""), facts),
        }
    }
}
