//! Errors of AWS: a name in `x-amzn-errortype`, in the body's `__type` or in a stream's `:exception-type`, and words under `message`.
//!
//! botocore 1.44.8, `bedrock-runtime` (names and statuses); docs.aws.amazon.com, Bedrock, "Troubleshooting API errors" and IAM, "Common
//! errors" (2026-11).

use serde_json::Value;

use crate::error::ErrorKind::{self, *};
use crate::error::{Scope, UpstreamError};
use crate::openai_chat::response::decode_error as decode_any;
use crate::scope;

struct Row {
    name: &'static str,
    /// What it has where the error comes in a stream.
    status: u16,
    kind: ErrorKind,
    /// Trying again later can help.
    temporary: bool,
}

const fn row(name: &'static str, status: u16, kind: ErrorKind, temporary: bool) -> Row {
    Row { name, status, kind, temporary }
}

const ROWS: &[Row] = &[
    row("ThrottlingException", 429, RateLimited, true),
    row("ModelNotReadyException", 429, Overloaded, true),
    row("ServiceUnavailableException", 503, Overloaded, true),
    row("InternalServerException", 500, Api, true),
    row("ModelTimeoutException", 408, Timeout, true),
    row("ModelErrorException", 424, Api, true),
    row("ModelStreamErrorException", 424, Api, true),
    row("ServiceQuotaExceededException", 400, Billing, false),
    row("ValidationException", 400, InvalidRequest, false),
    row("ConflictException", 400, InvalidRequest, false),
    row("ResourceNotFoundException", 404, NotFound, false),
    row("UnknownOperationException", 404, NotFound, false),
    row("AccessDeniedException", 403, Permission, false),
    row("UnrecognizedClientException", 403, Authentication, false),
    row("ExpiredTokenException", 403, Authentication, false),
    row("InvalidSignatureException", 403, Authentication, false),
    row("IncompleteSignatureException", 403, Authentication, false),
    row("MissingAuthenticationTokenException", 403, Authentication, false),
];

/// Words that say more than the name does.
const WORDS: [(&str, ErrorKind); 8] = [
    ("model identifier is invalid", NotFound),
    ("on-demand throughput isn", NotFound),
    ("reached the end of its life", NotFound),
    ("model is not supported in this region", NotFound),
    ("security token included in the request is", Authentication),
    ("signature we calculated does not match", Authentication),
    ("authentication failed", Authentication),
    ("bearer token", Authentication),
];

/// An HTTP error answer, or the error inside an answer of status 200. `name` is empty where only the body can tell.
pub fn decode_error(status: u16, name: &str, body: &[u8]) -> UpstreamError {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    let value = if value["Output"].is_object() { &value["Output"] } else { &value };
    let in_body = ["__type", "code"].iter().find_map(|key| value[*key].as_str()).unwrap_or("");
    let name = short(if name.is_empty() { in_body } else { name });
    let row = ROWS.iter().find(|row| row.name.eq_ignore_ascii_case(name));
    let status = if status >= 400 { status } else { row.map_or(500, |row| row.status) };
    let words = ["message", "Message"].iter().find_map(|key| value[*key].as_str()).filter(|words| !words.is_empty());
    let said = words.or(Some(name).filter(|name| !name.is_empty() && row.is_some()));
    let mut error = match said {
        Some(said) => decode_any(status, serde_json::json!({"message": said}).to_string().as_bytes()),
        None => decode_any(status, body),
    };
    if !name.is_empty() {
        error.code = Some(row.map_or(name, |row| row.name).to_string());
    }
    if let Some(row) = row {
        let told =
            row.name == "ValidationException" && matches!(error.kind, ContextOverflow | ContentPolicy | NotFound);
        // A limit of a day is the same exception as one of a minute.
        error.temporary = row.temporary && (error.temporary || row.kind != RateLimited);
        error.kind = if told { error.kind } else { row.kind };
    }
    let lower = error.message.to_ascii_lowercase();
    if let Some((_, kind)) = WORDS.iter().find(|(words, _)| lower.contains(words)).filter(|_| !error.temporary) {
        error.kind = *kind;
    }
    if error.kind != ContextOverflow {
        error.overflow = None;
    }
    // Quotas of requests and tokens are those of one model (docs.aws.amazon.com, Bedrock, "Quotas", 2026-11).
    error.scope = match error.kind {
        RateLimited => Scope::Model,
        kind => scope::of(kind, &error.message),
    };
    error
}

/// `ThrottlingException:http://internal.amazon.com/…`, `com.amazon.coral.service#UnrecognizedClientException`
fn short(name: &str) -> &str {
    let name = name.split(':').next().unwrap_or("");
    name.rsplit('#').next().unwrap_or("").trim()
}

#[cfg(test)]
mod tests;
