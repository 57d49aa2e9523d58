//! Gemini's `embedContent` and `batchEmbedContents`, for clients and for providers.
//!
//! ai.google.dev/api/embeddings (2026-11); on Vertex AI docs.cloud.google.com, `BatchEmbedContents` of the REST reference v1, and
//! google-genai 3.4.0 (`models.py`), which asks its models of the Gemini family by them. A batch has 100 requests at most, as the
//! API's own refusal says.

use super::vector::compact;
use super::{
    AnswerFacts, Call, Embedder, Host, Speaks, Task, Took, Vectors, Wanted, count, each, member, openai, tokens,
};
use crate::ForwardError;
use crate::error::{AnswerError, Invalid, Unsupported};
use crate::json::{Json, Text, Writer, members};
use crate::scan::items;

const MOST: usize = 100;

const TAKES: &[(&str, &str)] =
    &[("dimensions", "outputDimensionality"), ("task_type", "taskType"), ("taskType", "taskType"), ("title", "title")];

const VERTEX_TAKES: &[(&str, &str)] = &[
    ("dimensions", "outputDimensionality"),
    ("task_type", "taskType"),
    ("taskType", "taskType"),
    ("title", "title"),
    ("auto_truncate", "autoTruncate"),
    ("autoTruncate", "autoTruncate"),
];

pub static API: Embedder = Embedder { most: MOST, takes: TAKES, call, read };
pub static VERTEX: Embedder = Embedder { most: MOST, takes: VERTEX_TAKES, call: call_vertex, read };

fn call(wanted: &Wanted<'_>, texts: &[Text<'_>]) -> Call {
    let mut w = Writer::default();
    w.open_object().key("requests").open_array();
    for text in texts {
        w.open_object().key("model").str(&format!("models/{}", wanted.model));
        content(&mut w, text);
        wanted.params.iter().for_each(|(name, value)| _ = w.key(name).json(value));
        w.close_object();
    }
    w.close_array().close_object();
    Call { method: BATCH, body: w.out }
}

const ONE: &str = "embedContent";
const BATCH: &str = "batchEmbedContents";

/// There a single text has its own method, and what is said beside it its own place.
fn call_vertex(wanted: &Wanted<'_>, texts: &[Text<'_>]) -> Call {
    let mut w = Writer::default();
    if let [_, _, ..] = texts {
        w.open_object().key("requests").open_array();
    }
    for text in texts {
        w.open_object();
        content(&mut w, text);
        if !wanted.params.is_empty() {
            w.key("embedContentConfig").open_object();
            wanted.params.iter().for_each(|(name, value)| _ = w.key(name).json(value));
            w.close_object();
        }
        w.close_object();
    }
    if let [_, _, ..] = texts {
        w.close_array().close_object();
        return Call { method: BATCH, body: w.out };
    }
    Call { method: ONE, body: w.out }
}

fn content(w: &mut Writer, text: &Text<'_>) {
    w.key("content").open_object().key("parts").open_array().open_object().key("text").text(text);
    w.close_object().close_array().close_object();
}

fn read(answer: &str) -> Option<Vectors<'_>> {
    let vectors = match member(answer, &["embedding"]) {
        Some(one) => vec![member(one, &["values"])?],
        None => each(member(answer, &["embeddings"])?, &["values"])?,
    };
    Some(Vectors { vectors, tokens: told(answer) })
}

/// For all texts, or for each.
fn told(answer: &str) -> Option<u64> {
    let usage = member(answer, &["usageMetadata"]).and_then(|usage| member(usage, &["promptTokenCount"]));
    let of_each = || each(member(answer, &["embeddings"])?, &["statistics", "tokenCount"]);
    usage.and_then(count).or_else(|| of_each()?.into_iter().map(count).sum())
}

/// What an answer in this form says that it took.
pub fn took(answer: &str) -> Took {
    Took::tokens(told(answer))
}

/// A client's request in OpenAI's form.
pub fn as_openai(speaks: Speaks, model: &str, body: &str) -> Result<Vec<u8>, ForwardError> {
    let mut texts = Vec::new();
    let mut wanted = Wanted { model, params: Vec::new() };
    for (nth, request) in requests(speaks, body)?.into_iter().enumerate() {
        let place = if speaks == Speaks::BatchEmbedContents { format!("requests.{nth}.") } else { String::new() };
        texts.push(text(request, &place)?);
        let params = params(request)?;
        if nth > 0 && params != wanted.params {
            let words =
                "what stands beside the contents must be the same in all requests of a batch before this provider";
            return Err(Unsupported::content(format!("{place}outputDimensionality"), words).into());
        }
        wanted.params = params;
    }
    Ok(openai::call(&wanted, &texts).body)
}

fn requests(speaks: Speaks, body: &str) -> Result<Vec<&str>, Invalid> {
    if speaks != Speaks::BatchEmbedContents {
        return Ok(vec![body]);
    }
    let all = member(body, &["requests"]).and_then(items).filter(|all| !all.is_empty());
    let all = all.ok_or_else(|| Invalid::new("requests", "Field required: a list of requests"))?;
    Ok(all.into_iter().map(crate::scan::Raw::get).collect())
}

fn text<'a>(request: &'a str, place: &str) -> Result<Text<'a>, ForwardError> {
    let parts = member(request, &["content"]).and_then(|content| member(content, &["parts"])).and_then(items);
    let parts = parts.filter(|parts| !parts.is_empty());
    let parts =
        parts.ok_or_else(|| Invalid::new(format!("{place}content.parts"), "Field required: a list of parts"))?;
    let of = |(nth, part): (usize, &crate::scan::Raw<'a>)| {
        let text = member(part.get(), &["text"]).and_then(Text::of_token);
        let words = "only texts can be embedded by this provider";
        text.ok_or_else(|| Unsupported::content(format!("{place}content.parts.{nth}"), words))
    };
    let texts = parts.iter().enumerate().map(of).collect::<Result<Vec<_>, _>>()?;
    Ok(Text::join(&texts, &Text::literal("\\n")))
}

/// What stands beside a content, by OpenAI's name where it has one.
fn params(request: &str) -> Result<Vec<(&'static str, Json<'_>)>, Invalid> {
    const NAMES: [(&str, [&str; 2]); 4] = [
        ("dimensions", ["outputDimensionality", "output_dimensionality"]),
        ("taskType", ["taskType", "task_type"]),
        ("title", ["title", "title"]),
        ("autoTruncate", ["autoTruncate", "auto_truncate"]),
    ];
    let config = member(request, &["embedContentConfig", "embed_content_config"]).unwrap_or("{}");
    let mut params = Vec::new();
    for (ours, theirs) in NAMES {
        if let Some(value) = member(config, &theirs).or_else(|| member(request, &theirs)) {
            params.push((ours, Json::parse(value)?));
        }
    }
    Ok(params)
}

/// A client's request for a provider that speaks the same, with the provider's name for the model.
pub fn forwarded(task: &Task<'_>, body: &str) -> Result<Call, Invalid> {
    let mut w = Writer::default();
    if task.speaks == Speaks::EmbedContent {
        renamed(&mut w, task, body)?;
        return Ok(Call { method: ONE, body: w.out });
    }
    w.open_object().key("requests").open_array();
    for request in requests(task.speaks, body)? {
        renamed(&mut w, task, request)?;
    }
    w.close_array().close_object();
    Ok(Call { method: BATCH, body: w.out })
}

/// Vertex AI knows the model by the path alone.
fn renamed(w: &mut Writer, task: &Task<'_>, request: &str) -> Result<(), Invalid> {
    let members = members(request).map_err(|_| Invalid::new("requests", "Input should be a list of objects"))?;
    w.open_object();
    if task.host == Host::Gemini {
        w.key("model").str(&format!("models/{}", task.model));
    }
    for (name, value) in members.into_iter().filter(|(name, _)| *name != "model") {
        w.key(name).json(&Json::parse(value)?);
    }
    w.close_object();
    Ok(())
}

/// The answer for a client of Gemini's API.
pub fn answer(speaks: Speaks, vectors: &[&str], facts: &AnswerFacts<'_>) -> Result<Vec<u8>, AnswerError> {
    let mut w = Writer::default();
    w.open_object();
    if speaks == Speaks::BatchEmbedContents {
        w.key("embeddings").open_array();
    } else {
        w.key("embedding");
    }
    for vector in vectors {
        w.open_object().key("values").raw(&compact(vector)?).close_object();
    }
    if speaks == Speaks::BatchEmbedContents {
        w.close_array();
    }
    w.key("usageMetadata").open_object().key("promptTokenCount").number(tokens(facts)).close_object();
    w.close_object();
    Ok(w.out)
}
