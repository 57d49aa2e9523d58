//! Gemini's models that draw, by `:generateContent`: one image for each call.
//!
//! ai.google.dev/gemini-api/docs/image-generation and ai.google.dev/api/generate-content (2026-11); the fields as google-genai 3.4.0 has them.

use super::{Call, Drawn, Painter, RATIO, Wanted, blocked};
use crate::error::AnswerError;
use crate::json::Writer;
use crate::operation::Took;
use crate::operation::amount::amount;
use crate::operation::took::member;
use crate::scan::items;

pub static FORM: Painter = Painter {
    most: 1,
    ratios: &["1:1", "2:3", "3:2", "9:16", "16:9"],
    takes: &[("aspect_ratio", RATIO), ("image_size", "imageSize")],
    call,
    read,
};

fn call(wanted: &Wanted<'_>, _: u64) -> Call {
    let mut w = Writer::default();
    w.open_object().key("contents").open_array().open_object().key("role").str("user").key("parts").open_array();
    w.open_object().key("text").text(&wanted.prompt).close_object().close_array().close_object().close_array();
    w.key("generationConfig").open_object().key("responseModalities").open_array().str("IMAGE").close_array();
    if !wanted.params.is_empty() {
        w.key("imageConfig").open_object();
        wanted.params.iter().for_each(|(name, value)| _ = w.key(name).json(value));
        w.close_object();
    }
    w.close_object().close_object();
    Call { method: "generateContent", body: w.out }
}

/// Reasons that lie in what was asked for (ai.google.dev/api/generate-content, `FinishReason`, 2026-11).
const REFUSALS: [&str; 9] = [
    "SAFETY",
    "RECITATION",
    "BLOCKLIST",
    "PROHIBITED_CONTENT",
    "SPII",
    "IMAGE_SAFETY",
    "IMAGE_PROHIBITED_CONTENT",
    "IMAGE_RECITATION",
    "IMAGE_OTHER",
];

fn read(answer: &str) -> Result<Drawn<'_>, AnswerError> {
    let candidates = member(answer, "candidates").and_then(items).unwrap_or_default();
    let mut images = Vec::new();
    for candidate in &candidates {
        let parts = member(candidate.get(), "content").and_then(|content| member(content, "parts")).and_then(items);
        // What it drew while it thought is no part of the answer.
        let parts = parts.unwrap_or_default().into_iter().filter(|part| member(part.get(), "thought") != Some("true"));
        images.extend(parts.filter_map(|part| member(member(part.get(), "inlineData")?, "data")));
    }
    if !images.is_empty() {
        return Ok(Drawn { images, took: took(answer) });
    }
    let word = |value: &str| value.trim_matches('"').to_string();
    if let Some(reason) = member(answer, "promptFeedback").and_then(|feedback| member(feedback, "blockReason")) {
        return Err(blocked(format!("The prompt was blocked: {}", word(reason))));
    }
    let candidate = candidates.first().map_or("", |candidate| candidate.get());
    let reason = word(member(candidate, "finishReason").unwrap_or("no reason given"));
    let message = word(member(candidate, "finishMessage").unwrap_or("no image was made"));
    match REFUSALS.contains(&reason.as_str()) {
        true => Err(blocked(format!("{message} ({reason})"))),
        false => Err(AnswerError::Malformed(format!("it holds no image ({reason})"))),
    }
}

/// Thoughts are output too, and no image.
fn took(answer: &str) -> Took {
    let usage = member(answer, "usageMetadata").unwrap_or("");
    let number = |name: &str| member(usage, name).and_then(amount);
    let given = number("candidatesTokenCount");
    let details = member(usage, "candidatesTokensDetails").and_then(items).unwrap_or_default();
    let of_images = details.iter().filter(|one| member(one.get(), "modality") == Some("\"IMAGE\""));
    let of_images = of_images.filter_map(|one| amount(member(one.get(), "tokenCount")?)).reduce(u64::saturating_add);
    Took {
        input: number("promptTokenCount"),
        output: given.map(|given| given.saturating_add(number("thoughtsTokenCount").unwrap_or(0))),
        // Where nothing is said of kinds, an image is all there is.
        output_image: of_images.or(given).unwrap_or(0),
        ..Took::default()
    }
}
