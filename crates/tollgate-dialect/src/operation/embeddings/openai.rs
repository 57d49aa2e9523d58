//! OpenAI's own form.

use super::vector::{base64, compact};
use super::{AnswerFacts, Asked, Call, Embedder, Vectors, Wanted, count, each, member, tokens};
use crate::ForwardError;
use crate::error::{AnswerError, Invalid, Unsupported};
use crate::json::{Json, Text, Writer, members};
use crate::scan::items;

/// For clients that speak otherwise. So many texts are one request's (API reference, 2026-11).
pub static FORM: Embedder = Embedder { most: 2048, takes: &[("dimensions", "dimensions")], call, read };

/// A client's request.
pub fn asked(body: &str) -> Result<Asked<'_>, ForwardError> {
    let members = members(body).map_err(|_| Invalid::new("", "The request body is not valid JSON."))?;
    let mut asked = Asked { texts: Vec::new(), params: Vec::new(), base64: false };
    for (name, value) in members {
        match name {
            "model" => {}
            "input" => asked.texts = texts(value)?,
            "encoding_format" if value == "\"base64\"" => asked.base64 = true,
            "encoding_format" if matches!(value, "\"float\"" | "null") => asked.base64 = false,
            "encoding_format" => return Err(Invalid::new(name, "Input should be 'float' or 'base64'").into()),
            _ if value == "null" => {}
            _ => asked.params.push((name, Json::parse(value).map_err(Invalid::from)?)),
        }
    }
    if asked.texts.is_empty() {
        return Err(Invalid::new("input", "Field required: a text, or a list of texts").into());
    }
    Ok(asked)
}

fn texts(input: &str) -> Result<Vec<Text<'_>>, ForwardError> {
    if let Some(text) = Text::of_token(input) {
        return Ok(vec![text]);
    }
    let all = items(input).ok_or_else(|| Invalid::new("input", "Input should be a text, or a list of texts"))?;
    let numbered = |item: &str| item.starts_with(|first: char| first == '[' || first.is_ascii_digit());
    if all.iter().any(|item| numbered(item.get())) {
        let words = "numbers of tokens mean something to OpenAI's models alone; send the text itself";
        return Err(Unsupported::content("input", words).into());
    }
    let text = |(nth, item): (usize, crate::scan::Raw<'_>)| {
        Text::of_token(item.get())
            .map(Text::into_owned)
            .ok_or(Invalid::new(format!("input.{nth}"), "Input should be a text"))
    };
    Ok(all.into_iter().enumerate().map(text).collect::<Result<_, _>>()?)
}

pub fn call(wanted: &Wanted<'_>, texts: &[Text<'_>]) -> Call {
    let mut w = Writer::default();
    w.open_object().key("model").str(wanted.model).key("input").open_array();
    texts.iter().for_each(|text| _ = w.text(text));
    w.close_array();
    wanted.params.iter().for_each(|(name, value)| _ = w.key(name).json(value));
    w.close_object();
    Call { method: "/embeddings", body: w.out }
}

fn read(answer: &str) -> Option<Vectors<'_>> {
    let data = member(answer, &["data"])?;
    let vectors = each(data, &["embedding"])?;
    let places = each(data, &["index"]).and_then(|all| all.into_iter().map(count).collect::<Option<Vec<u64>>>());
    let mut placed: Vec<(u64, &str)> =
        places.unwrap_or_else(|| (0..).take(vectors.len()).collect()).into_iter().zip(vectors).collect();
    placed.sort_by_key(|(place, _)| *place);
    let usage = member(answer, &["usage"]);
    let told = usage.and_then(|usage| member(usage, &["prompt_tokens", "input_tokens", "total_tokens"]));
    Some(Vectors { vectors: placed.into_iter().map(|(_, vector)| vector).collect(), tokens: told.and_then(count) })
}

/// The answer for a client of OpenAI's API.
pub fn answer(vectors: &[&str], as_base64: bool, facts: &AnswerFacts<'_>) -> Result<Vec<u8>, AnswerError> {
    let mut w = Writer::default();
    w.open_object().key("object").str("list").key("data").open_array();
    for (nth, vector) in vectors.iter().enumerate() {
        w.open_object().key("object").str("embedding").key("index").number(nth as u64).key("embedding");
        match as_base64 {
            true => w.str(&base64(vector)?),
            false => w.raw(&compact(vector)?),
        };
        w.close_object();
    }
    w.close_array().key("model").str(facts.model).key("usage").open_object();
    w.key("prompt_tokens").number(tokens(facts)).key("total_tokens").number(tokens(facts));
    w.close_object().close_object();
    Ok(w.out)
}
