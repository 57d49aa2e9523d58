//! Images of Google's models: `/v1/images/generations` in their own forms, and the answer with the images in it, as OpenAI's own models
//! give it.
//!
//! OpenAI's API reference, "Create image", 2026-11. Google's pages: in the forms' files.

mod gemini;
mod imagen;

use super::took::ONE;
use super::work::{AnswerFacts, Call, Host, Task, Way};
use super::{Took, whole};
use crate::ForwardError;
use crate::error::{AnswerError, Change, ErrorKind, Invalid, Scope, Unsupported, UpstreamError};
use crate::json::{Json, Text, Writer, members};

/// A provider's form.
#[derive(Debug)]
pub struct Painter {
    /// So many images come of one call.
    most: u64,
    /// The shapes it makes, width to height.
    ratios: &'static [&'static str],
    /// What it takes beside: a client's name for it, and its own.
    takes: &'static [(&'static str, &'static str)],
    call: fn(&Wanted<'_>, u64) -> Call,
    read: fn(&str) -> Result<Drawn<'_>, AnswerError>,
}

/// What every call of a request says.
struct Wanted<'a> {
    prompt: Text<'a>,
    /// By the provider's names.
    params: Vec<(&'static str, Json<'a>)>,
}

/// The images of an answer, each in base64, and what they took.
struct Drawn<'a> {
    images: Vec<&'a str>,
    took: Took,
}

/// OpenAI's sizes, of all its models.
const SIZES: [(&str, &str); 8] = [
    ("256x256", "1:1"),
    ("512x512", "1:1"),
    ("1024x1024", "1:1"),
    ("1536x1024", "3:2"),
    ("1024x1536", "2:3"),
    ("1792x1024", "16:9"),
    ("1024x1792", "9:16"),
    ("2048x2048", "1:1"),
];

/// What a client may say since it is so anyway.
const USUAL: [(&str, &str); 8] = [
    ("response_format", "\"b64_json\""),
    ("output_format", "\"png\""),
    ("size", "\"auto\""),
    ("quality", "\"auto\""),
    ("background", "\"auto\""),
    ("moderation", "\"auto\""),
    ("partial_images", "0"),
    ("stream", "false"),
];

/// OpenAI's own most.
const MOST_IMAGES: u64 = 10;
const RATIO: &str = "aspectRatio";

pub(super) fn way(task: &Task<'_>) -> Option<Way> {
    match task.host {
        Host::Gemini | Host::Vertex if task.model.starts_with("imagen") => Some(Way::Draws(&imagen::FORM)),
        Host::Gemini | Host::Vertex if draws(task.model) => Some(Way::Draws(&gemini::FORM)),
        _ => None,
    }
}

/// Google's names: `gemini-2.5-flash-image`, `gemini-3-pro-image-preview`, `gemini-nano-banana-2.1`.
fn draws(model: &str) -> bool {
    model.contains("image") || model.contains("banana")
}

impl Painter {
    pub(super) fn calls(&self, task: &Task<'_>, body: &str) -> Result<(Vec<Call>, Vec<Change>), ForwardError> {
        let members = members(body).map_err(|_| Invalid::new("", "The request body is not valid JSON."))?;
        let mut changes = Vec::new();
        let (mut prompt, mut images, mut params) = (None, 1, Vec::new());
        for (name, token) in members {
            let value = Json::parse(token).map_err(Invalid::from)?;
            let ratio = || SIZES.iter().find(|(size, _)| value.as_text().is_some_and(|text| text.escaped() == *size));
            match name {
                "model" => {}
                _ if value.is_null() || USUAL.contains(&(name, value.get())) => {}
                "prompt" => prompt = Text::of_token(token),
                "n" => images = count(&value)?,
                "size" if ratio().is_some_and(|(_, ratio)| self.ratios.contains(ratio)) => {
                    params.extend(ratio().map(|(_, ratio)| (RATIO, Json::of(&(*ratio).into()))));
                }
                _ => match self.takes.iter().find(|(theirs, _)| *theirs == name) {
                    Some((_, own)) => params.push((*own, value)),
                    // It is for OpenAI's own records.
                    None if task.drop_params || name == "user" => changes.push(Change::dropped(name)),
                    None => return Err(Unsupported::param(name, task.label).into()),
                },
            }
        }
        let prompt = prompt.filter(|prompt| !prompt.is_blank());
        let prompt = prompt.ok_or_else(|| Invalid::new("prompt", "Field required: a text"))?;
        let wanted = Wanted { prompt, params };
        let mut calls = Vec::new();
        while images > 0 {
            let part = images.min(self.most);
            calls.push((self.call)(&wanted, part));
            images -= part;
        }
        Ok((calls, changes))
    }

    pub(super) fn took(&self, answer: &str) -> Result<Took, AnswerError> {
        let drawn = (self.read)(answer)?;
        Ok(Took { images: ONE.saturating_mul(drawn.images.len() as u64), ..drawn.took })
    }

    pub(super) fn write(&self, answers: &[&str], facts: &AnswerFacts<'_>) -> Result<Vec<u8>, AnswerError> {
        let mut w = Writer::default();
        w.open_object().key("created").number(facts.created).key("data").open_array();
        for answer in answers {
            for image in (self.read)(answer)?.images {
                w.open_object().key("b64_json").raw(image).close_object();
            }
        }
        w.close_array();
        if let (Some(input), Some(output)) = (facts.took.input.map(whole), facts.took.output.map(whole)) {
            w.key("usage").open_object().key("input_tokens").number(input).key("output_tokens").number(output);
            w.key("total_tokens").number(input.saturating_add(output)).key("input_tokens_details").open_object();
            w.key("text_tokens").number(input).key("image_tokens").number(0).close_object().close_object();
        }
        w.close_object();
        Ok(w.out)
    }
}

fn count(value: &Json<'_>) -> Result<u64, Invalid> {
    let count = value.get().parse().ok().filter(|count| (1..=MOST_IMAGES).contains(count));
    count.ok_or_else(|| Invalid::new("n", format!("Input should be a whole number from 1 to {MOST_IMAGES}")))
}

/// Refused for what was asked for.
fn blocked(words: impl Into<String>) -> AnswerError {
    AnswerError::Upstream(Box::new(UpstreamError {
        status: 400,
        kind: ErrorKind::ContentPolicy,
        scope: Scope::Unsaid,
        message: words.into(),
        code: None,
        param: None,
        overflow: None,
        retry_after: None,
        temporary: false,
    }))
}

#[cfg(test)]
mod tests;
