//! Claude on Amazon Bedrock in its own form: `InvokeModel` and `InvokeModelWithResponseStream` (Bedrock API Reference and
//! "Anthropic Claude Messages API", docs.aws.amazon.com, 2026-11; refusals as clients quote them).

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Uri};
use serde_json::{Value, json};

use crate::aws::eventstream::message;
use crate::faults::{Frame, Piece};
use crate::messages;
use crate::refusal::{Check, Refusal};

const VERSIONS: [&str; 2] = ["bedrock-2023-05-31", "2026-10-21"];

/// Betas that this surface takes, without their dates.
const BETAS: [&str; 12] = [
    "computer-use",
    "context-1m",
    "effort",
    "fine-grained-tool-streaming",
    "thinking-binding-controls",
    "thinking-display-updates",
    "context-management",
    "compact",
    "tool-search-tool",
    "mid-conversation-output-config",
    "mid-conversation-tool-changes",
    "token-counting",
];

/// A call of one model.
pub(crate) struct Method {
    pub model: String,
    pub streams: bool,
}

impl Method {
    pub fn of(uri: &Uri) -> Option<Method> {
        let (model, method) = uri.path().strip_prefix("/model/")?.split_once('/')?;
        let streams = match method {
            "invoke" => false,
            "invoke-with-response-stream" => true,
            _ => return None,
        };
        Some(Method { model: crate::form::unescaped(model), streams })
    }
}

/// `{"message"}`, with the name of the exception in a header.
pub(crate) fn refusal(status: u16, kind: &str, message: impl Into<String>) -> Refusal {
    let message = message.into();
    let kind = format!("{kind}:http://internal.amazon.com/coral/com.amazon.bedrock/");
    let headers = vec![("x-amzn-errortype".to_owned(), kind)];
    Refusal { status, headers, body: json!({"message": message}), message }
}

fn invalid(message: impl Into<String>) -> Refusal {
    refusal(400, "ValidationException", message)
}

/// The body as Anthropic itself takes it, with the model and the stream of the path, and the betas as its header.
pub(crate) fn read(method: &Method, bytes: &[u8], strictness: &messages::Strictness) -> Check<Value> {
    let in_aws_form = |refused: Refusal| invalid(refused.message);
    let mut body = messages::parse(bytes).map_err(in_aws_form)?;
    let fields = body.as_object_mut().expect("only objects are parsed");
    for outside in ["model", "stream"] {
        if fields.contains_key(outside) {
            return Err(invalid(format!("{outside}: Extra inputs are not permitted")));
        }
    }
    match fields.shift_remove("anthropic_version") {
        None => return Err(invalid("anthropic_version: Field required")),
        Some(Value::String(version)) if VERSIONS.contains(&version.as_str()) => {}
        Some(other) => return Err(invalid(format!("anthropic_version: {other} is not a valid version"))),
    }
    let betas = fields.shift_remove("anthropic_beta").unwrap_or_else(|| json!([]));
    let Some(betas) = betas.as_array() else { return Err(invalid("anthropic_beta: Input should be a valid list")) };
    let mut headers = HeaderMap::new();
    for beta in betas {
        let beta = beta.as_str().unwrap_or_default();
        let undated = beta.trim_end_matches(|c: char| c.is_ascii_digit() || c == '-');
        if !BETAS.contains(&undated) && !strictness.betas.iter().any(|extra| extra == beta) {
            return Err(invalid("invalid beta flag"));
        }
        headers.append("anthropic-beta", HeaderValue::from_str(beta).expect("a known beta is a header value"));
    }
    fields.insert("model".to_owned(), json!(method.model));
    fields.insert("stream".to_owned(), json!(method.streams));
    messages::check(&body, &headers, false, strictness).map_err(in_aws_form)?;
    Ok(body)
}

/// The events of a stream. Bedrock sends no pings, and adds counts of its own to the last event.
pub(crate) fn pieces(frames: impl Iterator<Item = Frame>) -> Vec<Piece> {
    frames
        .filter(|frame| frame.event != Some("ping"))
        .map(|frame| {
            let mut data = frame.data;
            if frame.event == Some("message_stop") {
                let metrics =
                    json!({"inputTokenCount": 1, "outputTokenCount": 1, "invocationLatency": 1, "firstByteLatency": 1});
                data = json!({"type": "message_stop", "amazon-bedrock-invocationMetrics": metrics}).to_string();
            }
            Piece::Bytes(chunk(&data))
        })
        .collect()
}

/// One event of Anthropic's in a message of AWS.
pub fn chunk(event: &str) -> Bytes {
    let headers = [(":event-type", "chunk"), (":content-type", "application/json"), (":message-type", "event")];
    // Chunks are padded so that their lengths tell nothing of their contents.
    message(&headers, json!({"bytes": STANDARD.encode(event), "p": "abcdefghijkl"}).to_string().as_bytes())
}

/// A failure within a stream, such as `throttlingException`.
pub fn exception(kind: &str, words: &str) -> Bytes {
    let headers = [(":exception-type", kind), (":content-type", "application/json"), (":message-type", "exception")];
    message(&headers, json!({"message": words}).to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(bytes: &str) -> String {
        let method = Method::of(&"/model/us.anthropic.claude-opus-5-v1%3A0/invoke".parse().unwrap()).unwrap();
        assert_eq!((method.model.as_str(), method.streams), ("us.anthropic.claude-opus-5-v1:0", false));
        let read = read(&method, bytes.as_bytes(), &messages::Strictness::default());
        read.err().map_or_else(String::new, |refused| {
            assert_eq!(
                refused.headers[0].1,
                "ValidationException:http://internal.amazon.com/coral/com.amazon.bedrock/"
            );
            refused.body["message"].as_str().unwrap().to_owned()
        })
    }

    #[test]
    fn only_bodies_in_bedrocks_form_are_taken() {
        let rest = r#""max_tokens":5,"messages":[{"role":"user","content":"hi"}]}"#;
        let version = r#"{"anthropic_version":"bedrock-2023-05-31","#;
        assert_eq!(said(&format!("{version}{rest}")), "");
        assert_eq!(said(&format!("{{{rest}")), "anthropic_version: Field required");
        assert_eq!(said(&format!("{version}\"model\":\"m\",{rest}")), "model: Extra inputs are not permitted");
        assert_eq!(said(&format!("{version}\"stream\":true,{rest}")), "stream: Extra inputs are not permitted");
        assert_eq!(said(&format!("{version}\"surprise\":1,{rest}")), "surprise: Extra inputs are not permitted");
        let beta = |name: &str| said(&format!("{version}\"anthropic_beta\":[\"{name}\"],{rest}"));
        assert_eq!(beta("context-1m-2025-08-07"), "");
        assert_eq!(beta("claude-code-20250219"), "invalid beta flag");
        let edits = r#""context_management":{"edits":[]},"#;
        assert_eq!(said(&format!("{version}{edits}{rest}")), "context_management: Extra inputs are not permitted");
        let with = format!("{version}{edits}\"anthropic_beta\":[\"context-management-2025-06-27\"],{rest}");
        assert_eq!(said(&with), "");
    }
}
