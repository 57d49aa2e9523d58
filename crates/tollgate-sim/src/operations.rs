//! OpenAI's endpoints that are no conversation, and `/rerank`. Fields: SDK 3.52.0 (`types/*_params.py`); rerank: Jina and Cohere
//! (2026-11-21).

use bytes::Bytes;
use http::HeaderMap;
use serde_json::{Map, Value, json};

use crate::chat;
use crate::faults::Frame;
use crate::refusal::{Check, Refusal};

pub(crate) struct Operation {
    pub path: &'static str,
    needs: &'static [&'static str],
    takes: &'static [&'static str],
    form: bool,
}

const ALL: &[Operation] = &[
    Operation {
        path: "/completions",
        needs: &["model", "prompt"],
        takes: &[
            "max_tokens",
            "n",
            "stream",
            "stream_options",
            "temperature",
            "top_p",
            "stop",
            "user",
            "seed",
            "suffix",
        ],
        form: false,
    },
    Operation {
        path: "/embeddings",
        needs: &["model", "input"],
        takes: &["dimensions", "encoding_format", "user"],
        form: false,
    },
    Operation {
        path: "/images/generations",
        needs: &["model", "prompt"],
        takes: &["n", "size", "quality", "background", "output_format", "stream", "partial_images", "user"],
        form: false,
    },
    Operation {
        path: "/images/edits",
        needs: &["model", "prompt", "image"],
        takes: &["n", "size", "quality", "mask", "stream", "user"],
        form: true,
    },
    Operation { path: "/moderations", needs: &["model", "input"], takes: &[], form: false },
    Operation {
        path: "/rerank",
        needs: &["model", "query", "documents"],
        takes: &["top_n", "return_documents"],
        form: false,
    },
    Operation {
        path: "/audio/transcriptions",
        needs: &["model", "file"],
        takes: &["language", "prompt", "response_format", "temperature", "stream"],
        form: true,
    },
    Operation {
        path: "/audio/speech",
        needs: &["model", "input", "voice"],
        takes: &["response_format", "speed", "instructions", "stream_format"],
        form: false,
    },
];

impl Operation {
    pub fn at(path: &str) -> Option<&'static Operation> {
        ALL.iter().find(|operation| path.ends_with(operation.path) && !path.ends_with("/chat/completions"))
    }

    /// The body as JSON; of a form its fields, files as the number of their bytes.
    pub fn read(&self, headers: &HeaderMap, bytes: &Bytes) -> Check<Value> {
        let kind = headers.get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
        let refusal = |words: String, param: Option<&str>| Refusal::chat(400, words, param, None);
        let body = match (self.form, kind.strip_prefix("multipart/form-data; boundary=")) {
            (true, Some(boundary)) => {
                form(boundary.trim_matches('"'), bytes).ok_or_else(|| refusal("The form is cut.".into(), None))?
            }
            (true, None) => return Err(refusal(format!("Unsupported content type: '{kind}'."), None)),
            (false, _) => chat::parse(bytes)?,
        };
        let fields = body.as_object().cloned().unwrap_or_default();
        if let Some(missing) = self.needs.iter().find(|name| !fields.contains_key(**name)) {
            return Err(refusal(format!("Missing required parameter: '{missing}'."), Some(missing)));
        }
        match fields.keys().find(|name| !self.needs.contains(&name.as_str()) && !self.takes.contains(&name.as_str())) {
            Some(unknown) => Err(refusal(format!("Unknown parameter: '{unknown}'."), Some(unknown))),
            None => Ok(body),
        }
    }

    /// An answer of its form: content type and body.
    pub fn whole(&self, body: &Value) -> (&'static str, Bytes) {
        let count = body["n"].as_u64().or_else(|| body["n"].as_str()?.parse().ok()).unwrap_or(1);
        let answer = match self.path {
            "/completions" => json!({
                "id": "cmpl-sim", "object": "text_completion", "created": 1_700_000_000, "model": body["model"],
                "choices": [{"index": 0, "text": "and so on", "finish_reason": "stop", "logprobs": null}],
                "usage": {"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7},
            }),
            "/embeddings" => json!({
                "object": "list", "model": body["model"],
                "data": (0..body["input"].as_array().map_or(1, Vec::len))
                    .map(|index| json!({"object": "embedding", "index": index, "embedding": [0.1, -0.25]}))
                    .collect::<Vec<_>>(),
                "usage": {"prompt_tokens": 8, "total_tokens": 8},
            }),
            "/images/generations" | "/images/edits" => json!({
                "created": 1_700_000_000,
                "data": (0..count).map(|_| json!({"b64_json": "aGk="})).collect::<Vec<_>>(),
                "usage": {"input_tokens": 10, "output_tokens": 1056, "total_tokens": 1066,
                          "input_tokens_details": {"text_tokens": 10, "image_tokens": 0}},
            }),
            "/moderations" => json!({
                "id": "modr-sim", "model": body["model"],
                "results": [{"flagged": false, "categories": {}, "category_scores": {"violence": 0.002}}],
            }),
            "/rerank" => json!({
                "model": body["model"], "results": [{"index": 0, "relevance_score": 0.75}],
                "usage": {"total_tokens": 15},
            }),
            "/audio/transcriptions" => json!({"text": "hello", "usage": {"type": "duration", "seconds": 3}}),
            _ => return ("audio/mpeg", Bytes::from_static(b"ID3\x04\xff\xfb{sound}\x00")),
        };
        ("application/json", answer.to_string().into())
    }

    /// The same as a stream.
    pub fn frames(&self, body: &Value) -> Vec<Frame> {
        let frame = |event, data: &Value| Frame { event, data: data.to_string() };
        let end = Frame { event: None, data: "[DONE]".into() };
        let event = |event: &'static str, more: Value| {
            let mut data = Map::from_iter([("type".to_owned(), json!(event))]);
            data.extend(more.as_object().cloned().unwrap_or_default());
            frame(Some(event), &Value::Object(data))
        };
        match self.path {
            "/completions" => {
                let chunk = |text: &str, finish: Value| {
                    frame(
                        None,
                        &json!({
                            "id": "cmpl-sim", "object": "text_completion", "created": 1_700_000_000, "model": body["model"],
                            "choices": [{"index": 0, "text": text, "finish_reason": finish, "logprobs": null}],
                        }),
                    )
                };
                vec![chunk("and so", Value::Null), chunk(" on", json!("stop")), end]
            }
            "/images/generations" => vec![
                event("image_generation.partial_image", json!({"b64_json": "aA==", "partial_image_index": 0})),
                event(
                    "image_generation.completed",
                    json!({"b64_json": "aGk=", "usage": {"input_tokens": 10.5, "output_tokens": 1056, "total_tokens": 1066.5}}),
                ),
            ],
            _ => vec![
                event("transcript.text.delta", json!({"delta": "hello"})),
                event("transcript.text.done", json!({"text": "hello"})),
            ],
        }
    }
}

fn form(boundary: &str, bytes: &[u8]) -> Option<Value> {
    let text: String = bytes.iter().map(|byte| char::from(*byte)).collect();
    let inside = text.strip_prefix(&format!("--{boundary}\r\n"))?.strip_suffix(&format!("\r\n--{boundary}--\r\n"))?;
    let mut fields = Map::new();
    for part in inside.split(&format!("\r\n--{boundary}\r\n")) {
        let (head, content) = part.split_once("\r\n\r\n")?;
        let name = head.split_once(" name=\"")?.1.split_once('"')?.0;
        let is_file = head.contains("filename=");
        fields.insert(name.to_owned(), if is_file { json!(content.len()) } else { json!(content) });
    }
    Some(Value::Object(fields))
}
