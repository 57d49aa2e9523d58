//! Rerankers on Bedrock by InvokeModel (docs.aws.amazon.com, "Use a reranker model in Amazon Bedrock", 2026-11; Cohere's refusal of
//! the version as its users quote it).

use http::Uri;
use serde_json::{Value, json};

use crate::embed::{OwnForm, malformed, only_on_aws};
use crate::refusal::{Check, Refusal};
use crate::{converse, invoke};

/// A call of one model.
pub(crate) struct Ranking {
    model: String,
}

impl Ranking {
    pub fn of(uri: &Uri) -> Option<Ranking> {
        let model = invoke::Method::of(uri).filter(|method| !method.streams)?.model;
        model.contains(".rerank-v").then_some(Ranking { model })
    }
}

impl OwnForm for Ranking {
    fn on_aws(&self) -> bool {
        true
    }

    fn refusal(&self, status: u16, words: &str) -> Refusal {
        invoke::refusal(status, "ThrottlingException", words)
    }

    fn read(&self, bytes: &[u8]) -> Check<Value> {
        let body = converse::parse(bytes)?;
        let cohere = self.model.contains("cohere");
        let more: &[&str] = if cohere { &["api_version"] } else { &[] };
        only_on_aws(&body, &[&["query", "documents", "top_n"], more].concat(), &["query", "documents"])?;
        if cohere && body["api_version"].as_u64().unwrap_or(1) < 2 {
            return Err(malformed("#/api_version: 1 is not greater or equal to 2"));
        }
        let documents = body["documents"].as_array().cloned().unwrap_or_default();
        if documents.is_empty() || documents.iter().any(|one| !one.is_string()) {
            return Err(malformed("#/documents: expected type: String"));
        }
        let top = body["top_n"].as_u64().map_or(documents.len(), |top| top as usize).min(documents.len());
        Ok(json!({"model": self.model, "documents": documents, "top": top}))
    }

    /// The last document is the best.
    fn answer(&self, asked: &Value) -> (Vec<(String, String)>, String) {
        let count = asked["documents"].as_array().map_or(0, Vec::len);
        let top = asked["top"].as_u64().unwrap_or(0) as usize;
        let one = |nth: usize| json!({"index": count - 1 - nth, "relevance_score": 0.5 / (nth + 1) as f64});
        (Vec::new(), json!({"results": (0..top).map(one).collect::<Vec<_>>()}).to_string())
    }
}
