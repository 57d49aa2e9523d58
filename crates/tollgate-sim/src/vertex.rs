//! Claude on Vertex AI: `rawPredict` and `streamRawPredict` (docs.cloud.google.com, "Request predictions with Claude models",
//! 2026-11).

use http::HeaderMap;
use serde_json::{Value, json};

use crate::messages;
use crate::refusal::{Check, Refusal};

/// What a path asks for.
pub(crate) struct Predict {
    pub model: String,
    stream: bool,
}

/// Betas of Anthropic that this host has not, without their dates.
const NOT_HERE: &[&str] =
    &["advanced-tool-use-", "fast-mode-", "files-api-", "mcp-client-", "prompt-caching-scope-", "skills-"];

impl Predict {
    /// `…/publishers/anthropic/models/{model}:{method}`
    pub fn of(uri: &http::Uri) -> Option<Predict> {
        let (_, rest) = uri.path().split_once("/publishers/anthropic/models/")?;
        let (model, method) = rest.rsplit_once(':')?;
        let stream = match method {
            "rawPredict" => false,
            "streamRawPredict" => true,
            _ => return None,
        };
        Some(Predict { model: model.to_owned(), stream })
    }

    /// The body as Anthropic itself would have it.
    pub fn check(&self, headers: &HeaderMap, bytes: &[u8], s: &messages::Strictness) -> Check<Value> {
        let invalid = |words: &str| Err(Refusal::messages(400, "invalid_request_error", words));
        let mut body = messages::parse(bytes)?;
        if body.get("model").is_some() {
            return invalid("model: Extra inputs are not permitted");
        }
        match body.get("anthropic_version") {
            None => return invalid("anthropic_version: Field required"),
            Some(version) if version == "vertex-2023-10-16" || version == "2026-10-21" => {}
            Some(_) => return invalid("anthropic_version: Input should be 'vertex-2023-10-16'"),
        }
        if (body["stream"] == true) != self.stream {
            return invalid("stream: the method of the path and this field must agree");
        }
        let sent = headers.get_all("anthropic-beta").into_iter().filter_map(|value| value.to_str().ok());
        let mut betas = sent.flat_map(|line| line.split(',')).map(str::trim);
        if let Some(beta) = betas.find(|beta| NOT_HERE.iter().any(|name| beta.starts_with(name))) {
            return invalid(&format!("Unexpected value(s) `{beta}` for the `anthropic-beta` header."));
        }
        if let Some(fields) = body.as_object_mut() {
            fields.remove("anthropic_version");
        }
        body["model"] = json!(self.model);
        messages::check(&body, headers, false, s)?;
        Ok(body)
    }
}
