//! Imagen by `:predict` (docs.cloud.google.com, the Imagen API, 2026-11; fields as google-genai 3.4.0 has them).

use http::Uri;
use serde_json::{Value, json};

use crate::embed::{OwnForm, only, plain};
use crate::gemini;
use crate::refusal::{Check, Refusal};

/// A call of one model.
pub(crate) struct Drawing {
    model: String,
}

const PARAMETERS: &[&str] = &["sampleCount", "aspectRatio", "sampleImageSize", "negativePrompt", "seed"];
const RATIOS: [&str; 5] = ["1:1", "3:4", "4:3", "9:16", "16:9"];

impl Drawing {
    pub fn of(uri: &Uri) -> Option<Drawing> {
        let method = gemini::Method::of(uri).filter(|method| method.name == "predict")?;
        method.model.starts_with("imagen").then_some(Drawing { model: method.model })
    }
}

impl OwnForm for Drawing {
    fn on_aws(&self) -> bool {
        false
    }

    fn refusal(&self, status: u16, words: &str) -> Refusal {
        gemini::refusal(status, words)
    }

    fn read(&self, bytes: &[u8]) -> Check<Value> {
        let body = plain(bytes)?;
        only(&body, &["instances", "parameters"])?;
        only(&body["instances"][0], &["prompt"])?;
        let parameters = &body["parameters"];
        only(parameters, PARAMETERS)?;
        let count = parameters["sampleCount"].as_u64().unwrap_or(1);
        let ratio = &parameters["aspectRatio"];
        if body["instances"][0]["prompt"].as_str().is_none_or(str::is_empty) || !(1..=4).contains(&count) {
            return Err(gemini::refusal(400, "Image generation failed with an invalid prompt or sampleCount."));
        }
        if !ratio.is_null() && !RATIOS.iter().any(|known| ratio == known) {
            return Err(gemini::refusal(400, "Invalid aspect ratio."));
        }
        Ok(json!({"model": self.model, "count": count}))
    }

    fn answer(&self, asked: &Value) -> (Vec<(String, String)>, String) {
        let image = json!({"mimeType": "image/png", "bytesBase64Encoded": "aGk="});
        let all = vec![image; asked["count"].as_u64().unwrap_or(1) as usize];
        (Vec::new(), json!({"predictions": all}).to_string())
    }
}
