//! A request that a strict server turns down: the vendor's status, words and JSON shape.

use serde_json::{Value, json};

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Refusal {
    pub status: u16,
    pub message: String,
    pub headers: Vec<(String, String)>,
    pub body: Value,
}

impl Refusal {
    /// OpenAI's shape: `{"error":{"message","type","param","code"}}`.
    pub fn chat(status: u16, message: impl Into<String>, param: Option<&str>, code: Option<&str>) -> Self {
        let message = message.into();
        let body =
            json!({"error": {"message": message, "type": "invalid_request_error", "param": param, "code": code}});
        Self { status, message, headers: Vec::new(), body }
    }

    /// Mistral's flat shape: `{"object":"error","message","type","param","code"}`.
    pub fn flat(status: u16, message: impl Into<String>, kind: &str, code: &str) -> Self {
        let message = message.into();
        let body = json!({"object": "error", "message": message, "type": kind, "param": null, "code": code});
        Self { status, message, headers: Vec::new(), body }
    }

    /// Anthropic's shape: `{"type":"error","error":{"type","message"},"request_id"}`.
    pub fn messages(status: u16, kind: &str, message: impl Into<String>) -> Self {
        let message = message.into();
        let body = json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_sim"});
        Self { status, message, headers: Vec::new(), body }
    }
}

pub(crate) type Check<T = ()> = Result<T, Refusal>;
