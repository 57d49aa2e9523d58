//! `/v1/rerank`, in Cohere's form, of models on Bedrock by InvokeModel.
//!
//! docs.cohere.com, "Rerank" (v2) and docs.aws.amazon.com, "Use a reranker model in Amazon Bedrock" (2026-11): Cohere's model wants the
//! version of the API in the body.

use super::Took;
use super::took::{ONE, member};
use super::work::{AnswerFacts, Call, Host, Task, Way};
use crate::ForwardError;
use crate::error::{AnswerError, Change, Invalid, Unsupported};
use crate::json::{Json, Text, Writer, members};
use crate::scan::items;

/// Whose model it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ranker {
    Amazon,
    Cohere,
}

/// What an answer is made with.
#[derive(Debug)]
pub struct Ranking {
    /// Where they are to be shown with their places.
    documents: Option<Vec<Text<'static>>>,
    units: u64,
}

/// One search is a query with so many documents (aws.amazon.com/bedrock/pricing and Cohere's, 2026-11).
const DOCUMENTS_OF_A_SEARCH: usize = 100;

pub(super) fn way(task: &Task<'_>) -> Option<Way> {
    match task.host {
        Host::Bedrock if task.model.contains("amazon.rerank") => Some(Way::Ranks(Ranker::Amazon)),
        Host::Bedrock if task.model.contains("cohere.rerank") => Some(Way::Ranks(Ranker::Cohere)),
        _ => None,
    }
}

impl Ranker {
    pub(super) fn call(self, task: &Task<'_>, body: &str) -> Result<(Call, Vec<Change>, Ranking), ForwardError> {
        let members = members(body).map_err(|_| Invalid::new("", "The request body is not valid JSON."))?;
        let (mut query, mut all, mut top, mut shows, mut changes) = (None, None, None, false, Vec::new());
        for (name, value) in members {
            let json = Json::parse(value).map_err(Invalid::from)?;
            match name {
                "model" => {}
                _ if json.is_null() => {}
                "query" => query = Text::of_token(value),
                "documents" => all = Some(documents(value)?),
                "top_n" => top = Some(json),
                "return_documents" => shows = json.as_bool().unwrap_or(false),
                _ if task.drop_params => changes.push(Change::dropped(name)),
                _ => return Err(Unsupported::param(name, task.label).into()),
            }
        }
        let query = query.ok_or_else(|| Invalid::new("query", "Field required: a text"))?;
        let all = all.filter(|all| !all.is_empty());
        let all = all.ok_or_else(|| Invalid::new("documents", "Field required: a list of texts"))?;
        let mut w = Writer::default();
        w.open_object().key("query").text(&query).key("documents").open_array();
        all.iter().for_each(|document| _ = w.text(document));
        w.close_array();
        if let Some(top) = top {
            w.key("top_n").json(&top);
        }
        if self == Ranker::Cohere {
            w.key("api_version").number(2);
        }
        w.close_object();
        let units = all.len().div_ceil(DOCUMENTS_OF_A_SEARCH) as u64;
        let ranking = Ranking { documents: shows.then(|| all.into_iter().map(Text::into_owned).collect()), units };
        Ok((Call { method: "invoke", body: w.out }, changes, ranking))
    }
}

/// Texts, or objects that hold one.
fn documents(list: &str) -> Result<Vec<Text<'_>>, Invalid> {
    let all = items(list).ok_or_else(|| Invalid::new("documents", "Input should be a list"))?;
    let text = |(nth, one): (usize, crate::scan::Raw<'_>)| {
        let token = if one.is_object() { member(one.get(), "text").unwrap_or("") } else { one.get() };
        let text = Text::of_token(token).map(Text::into_owned);
        text.ok_or_else(|| Invalid::new(format!("documents.{nth}"), "Input should be a text, or an object with `text`"))
    };
    all.into_iter().enumerate().map(text).collect()
}

impl Ranking {
    pub(super) fn took(&self, answer: &str) -> Result<Took, AnswerError> {
        results(answer)?;
        Ok(Took { queries: self.units.saturating_mul(ONE), ..Took::default() })
    }

    pub(super) fn write(&self, answer: &str, facts: &AnswerFacts<'_>) -> Result<Vec<u8>, AnswerError> {
        let mut w = Writer::default();
        w.open_object().key("id").str(facts.id).key("results").open_array();
        for (index, score) in results(answer)? {
            w.open_object().key("index").number(index).key("relevance_score").raw(score);
            let document = self.documents.as_ref().and_then(|all| all.get(usize::try_from(index).ok()?));
            if let Some(document) = document {
                w.key("document").open_object().key("text").text(document).close_object();
            }
            w.close_object();
        }
        w.close_array().key("meta").open_object().key("billed_units").open_object();
        w.key("search_units").number(self.units).close_object().close_object().close_object();
        Ok(w.out)
    }
}

/// Places and scores, the best first.
fn results(answer: &str) -> Result<Vec<(u64, &str)>, AnswerError> {
    let all = member(answer, "results").and_then(items);
    let all = all.and_then(|all| all.into_iter().map(|result| score(result.get())).collect());
    all.ok_or_else(|| AnswerError::Malformed("it has no results".into()))
}

fn score(result: &str) -> Option<(u64, &str)> {
    Some((member(result, "index")?.parse().ok()?, member(result, "relevance_score")?))
}

#[cfg(test)]
mod tests;
