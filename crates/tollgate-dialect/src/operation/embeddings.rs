//! Embeddings of providers with a form of their own. OpenAI's is the common one: what is wanted is read from it, the provider's calls
//! are made of that, and their answers become one.
//!
//! OpenAI's API reference, "Create embeddings", 2026-11. The providers' pages: in their files.

mod cohere;
mod gemini;
mod openai;
mod predict;
mod titan;
mod vector;

use super::work::{AnswerFacts, Answered, Call, Host, Speaks, Task, Way};
use super::{Took, amount};
use crate::ForwardError;
use crate::error::{AnswerError, Change, Unsupported};
use crate::json::{Json, Text, members};
use crate::scan::items;

pub(super) use gemini::{as_openai, forwarded, took as took_of_gemini};

/// A provider's form.
#[derive(Debug)]
pub struct Embedder {
    /// So many texts go into one call.
    most: usize,
    /// What it takes beside the texts: a client's name for it, and the provider's own.
    takes: &'static [(&'static str, &'static str)],
    call: fn(&Wanted<'_>, &[Text<'_>]) -> Call,
    read: fn(&str) -> Option<Vectors<'_>>,
}

/// What every call of a request says.
struct Wanted<'a> {
    model: &'a str,
    /// By the provider's names.
    params: Vec<(&'static str, Json<'a>)>,
}

impl Wanted<'_> {
    fn has(&self, name: &str) -> bool {
        self.params.iter().any(|(own, _)| *own == name)
    }
}

/// An answer's vectors, each a JSON array of numbers, in the order of the texts.
struct Vectors<'a> {
    vectors: Vec<&'a str>,
    /// Tokens of all the texts, where it tells.
    tokens: Option<u64>,
}

/// How the answers of a request's calls are read, and how theirs is written.
#[derive(Debug)]
pub struct Answers {
    embedder: &'static Embedder,
    /// How many vectors each call has to give.
    sizes: Vec<usize>,
    speaks: Speaks,
    base64: bool,
}

/// By the provider's host and a part of the model's name; the first that fits.
const FORMS: &[(Host, &str, &Embedder)] = &[
    (Host::OpenAi, "", &openai::FORM),
    (Host::Gemini, "embedding", &gemini::API),
    (Host::Vertex, "gemini-embedding-001", &predict::ONE_BY_ONE),
    (Host::Vertex, "gemini-embedding", &gemini::VERTEX),
    (Host::Vertex, "embedding", &predict::FORM),
    (Host::Bedrock, "titan-embed-text-v2", &titan::V2),
    (Host::Bedrock, "titan-embed-text-v1", &titan::V1),
    (Host::Bedrock, "titan-embed-g1-text", &titan::V1),
    (Host::Bedrock, "cohere.embed-v4", &cohere::V4),
    (Host::Bedrock, "cohere.embed", &cohere::V3),
];

pub(super) fn way(task: &Task<'_>) -> Option<Way> {
    let fits = |(host, part, _): &&(Host, &str, &Embedder)| *host == task.host && task.model.contains(part);
    let (.., embedder) = FORMS.iter().find(fits)?;
    let alike = std::ptr::eq(*embedder, &gemini::API) || std::ptr::eq(*embedder, &gemini::VERTEX);
    Some(if alike && task.speaks != Speaks::OpenAi { Way::Forwards } else { Way::Embeds(embedder) })
}

impl Embedder {
    pub(super) fn calls(
        &'static self,
        task: &Task<'_>,
        body: &str,
    ) -> Result<(Vec<Call>, Vec<Change>, Answers), ForwardError> {
        let asked = openai::asked(body)?;
        let mut changes = Vec::new();
        let mut params = Vec::new();
        for (name, value) in asked.params {
            match self.takes.iter().find(|(theirs, _)| *theirs == name) {
                Some((_, own)) => params.push((*own, value)),
                // Gemini's are hints; OpenAI's `user` is for its own records.
                None if task.drop_params || task.speaks != Speaks::OpenAi || name == "user" => {
                    changes.push(Change::dropped(name));
                }
                None => return Err(Unsupported::param(name, task.label).into()),
            }
        }
        let wanted = Wanted { model: task.model, params };
        let parts: Vec<&[Text<'_>]> = asked.texts.chunks(self.most).collect();
        let answers = Answers {
            embedder: self,
            sizes: parts.iter().map(|texts| texts.len()).collect(),
            speaks: task.speaks,
            base64: asked.base64,
        };
        Ok((parts.iter().map(|texts| (self.call)(&wanted, texts)).collect(), changes, answers))
    }
}

/// What a request says.
struct Asked<'a> {
    texts: Vec<Text<'a>>,
    /// By OpenAI's names, or a provider's.
    params: Vec<(&'a str, Json<'a>)>,
    base64: bool,
}

impl Answers {
    fn vectors<'a>(&self, nth: usize, answered: &'a Answered) -> Result<Vectors<'a>, AnswerError> {
        let read = (self.embedder.read)(&answered.body).ok_or_else(|| malformed("it has no embeddings"))?;
        let due = self.sizes.get(nth).copied().unwrap_or(0);
        match read.vectors.len() {
            given if given == due => Ok(read),
            given => Err(malformed(format!("it has {given} embeddings for {due} texts"))),
        }
    }

    pub(super) fn took(&self, nth: usize, answered: &Answered) -> Result<Took, AnswerError> {
        let tokens = self.vectors(nth, answered)?.tokens.or(answered.input_tokens);
        Ok(Took::tokens(tokens))
    }

    pub(super) fn write(&self, all: &[Answered], facts: &AnswerFacts<'_>) -> Result<Vec<u8>, AnswerError> {
        let mut vectors = Vec::new();
        for (nth, answered) in all.iter().enumerate() {
            vectors.extend(self.vectors(nth, answered)?.vectors);
        }
        match self.speaks {
            Speaks::OpenAi => openai::answer(&vectors, self.base64, facts),
            Speaks::EmbedContent | Speaks::BatchEmbedContents => gemini::answer(self.speaks, &vectors, facts),
        }
    }
}

fn malformed(why: impl Into<String>) -> AnswerError {
    AnswerError::Malformed(why.into())
}

/// The input's whole tokens.
fn tokens(facts: &AnswerFacts<'_>) -> u64 {
    super::whole(facts.took.input.unwrap_or(0))
}

/// The member of this name, which no other has but by its spelling.
fn member<'a>(object: &'a str, names: &[&str]) -> Option<&'a str> {
    let members = members(object).ok()?;
    let (_, value) = members.into_iter().rev().find(|(own, _)| names.contains(own))?;
    Some(value).filter(|value| *value != "null")
}

/// The members of all items of an array that lie at this path.
fn each<'a>(array: &'a str, path: &[&str]) -> Option<Vec<&'a str>> {
    let at = |item: &'a str| path.iter().try_fold(item, |object, name| member(object, &[*name]));
    items(array)?.into_iter().map(|item| at(item.get())).collect()
}

/// A whole number of tokens.
fn count(json: &str) -> Option<u64> {
    amount(json).map(super::whole)
}

#[cfg(test)]
mod tests;
