//! Amazon Bedrock's Converse: `Converse` and `ConverseStream` (docs.aws.amazon.com and botocore 1.44.8, 2026-11; words of refusals as
//! users quote them).

mod answer;
mod blocks;
mod conversation;
mod validate;

pub(crate) use answer::{pieces, whole};
pub(crate) use validate::check;

use http::{HeaderMap, Uri};
use serde_json::Value;

use crate::form::unescaped;
use crate::invoke::refusal;
use crate::refusal::{Check, Refusal};

/// What this server refuses beyond what every model refuses. The default is a Claude of 4.5.
#[derive(Debug, Clone)]
pub struct Strictness {
    /// `additionalModelRequestFields` may have Claude's; signatures are checked.
    pub claude: bool,
    /// `toolChoice` may be `any` and `tool`.
    pub forced_tool: bool,
    pub cache_points: bool,
    pub images: bool,
    /// `outputConfig.textFormat`.
    pub formats: bool,
    /// Texts may stand beside tool results.
    pub text_beside_results: bool,
    pub max_tokens_cap: u64,
    /// Nothing is validated.
    pub off: bool,
}

impl Default for Strictness {
    fn default() -> Self {
        Self {
            claude: true,
            forced_tool: true,
            cache_points: true,
            images: true,
            formats: true,
            text_beside_results: true,
            max_tokens_cap: 64_000,
            off: false,
        }
    }
}

impl Strictness {
    /// A model of text that knows little, as some of Cohere's and Meta's.
    #[must_use]
    pub fn plain() -> Self {
        Self {
            claude: false,
            forced_tool: false,
            cache_points: false,
            images: false,
            formats: false,
            text_beside_results: false,
            max_tokens_cap: 4096,
            off: false,
        }
    }
}

/// A call of one model.
pub(crate) struct Method {
    pub model: String,
    pub streams: bool,
}

impl Method {
    /// `/model/{modelId}/converse`; the id is one segment, so what it has of slashes and colons is percent-encoded.
    pub fn of(uri: &Uri) -> Option<Method> {
        let (model, method) = uri.path().strip_prefix("/model/")?.split_once('/')?;
        let streams = match method {
            "converse" => false,
            "converse-stream" => true,
            _ => return None,
        };
        Some(Method { model: unescaped(model), streams })
    }
}

pub(crate) fn invalid(message: impl Into<String>) -> Refusal {
    refusal(400, "ValidationException", message)
}

/// An API key as a bearer. Signatures are checked before, by the account's front.
pub(crate) fn check_key(headers: &HeaderMap, key: Option<&str>) -> Check {
    let Some(key) = key else { return Ok(()) };
    let given = headers.get("authorization").and_then(|value| value.to_str().ok());
    match given {
        Some(given) if given.strip_prefix("Bearer ") == Some(key) => Ok(()),
        Some(_) => {
            Err(refusal(403, "AccessDeniedException", "Authentication failed: Please make sure your API Key is valid."))
        }
        None => Err(refusal(403, "MissingAuthenticationTokenException", "Missing Authentication Token")),
    }
}

/// botocore 1.44.8: the limit of a body is 20 MB (docs.aws.amazon.com, Bedrock quotas).
const LARGEST: usize = 20 * 1024 * 1024;

pub(crate) fn parse(bytes: &[u8]) -> Check<Value> {
    if bytes.len() > LARGEST {
        return Err(invalid("The request body is too large."));
    }
    match serde_json::from_slice(bytes) {
        Ok(body @ Value::Object(_)) => Ok(body),
        _ => Err(refusal(400, "SerializationException", "The request body is not a JSON object")),
    }
}
