//! Imagen by `:predict`: up to four images for each call.
//!
//! docs.cloud.google.com, "Generate images" of the Imagen API (2026-11); the fields as google-genai 3.4.0 has them (`models.py`).

use super::{Call, Drawn, Painter, RATIO, Wanted, blocked};
use crate::error::AnswerError;
use crate::json::Writer;
use crate::operation::Took;
use crate::operation::took::member;
use crate::scan::items;

pub static FORM: Painter = Painter {
    most: 4,
    ratios: &["1:1", "9:16", "16:9"],
    takes: &[
        ("aspect_ratio", RATIO),
        ("image_size", "sampleImageSize"),
        ("negative_prompt", "negativePrompt"),
        ("seed", "seed"),
    ],
    call,
    read,
};

fn call(wanted: &Wanted<'_>, images: u64) -> Call {
    let mut w = Writer::default();
    w.open_object().key("instances").open_array().open_object().key("prompt").text(&wanted.prompt);
    w.close_object().close_array().key("parameters").open_object().key("sampleCount").number(images);
    wanted.params.iter().for_each(|(name, value)| _ = w.key(name).json(value));
    w.close_object().close_object();
    Call { method: "predict", body: w.out }
}

/// What is filtered has a reason in its place, or no place.
fn read(answer: &str) -> Result<Drawn<'_>, AnswerError> {
    let predictions = member(answer, "predictions").and_then(items).unwrap_or_default();
    let of = |name: &'static str| predictions.iter().filter_map(move |one| member(one.get(), name));
    let images: Vec<&str> = of("bytesBase64Encoded").filter(|image| image.starts_with('"')).collect();
    match images.is_empty() {
        false => Ok(Drawn { images, took: Took::default() }),
        true if answer.trim_start().starts_with('{') => {
            let reason = of("raiFilteredReason").next().map_or("no reason is given", |reason| reason.trim_matches('"'));
            Err(blocked(format!("The images were filtered: {reason}")))
        }
        true => Err(AnswerError::Malformed("no JSON object".into())),
    }
}
