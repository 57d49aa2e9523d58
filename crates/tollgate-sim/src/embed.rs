//! Embeddings by Google's and AWS's own forms.
//!
//! ai.google.dev/api/embeddings; docs.cloud.google.com, "Text embeddings API" and the REST reference of `embedContent`; docs.aws.amazon.com,
//! "Amazon Titan Embeddings G1 - Text", "Cohere Embed v3" and "Cohere Embed v4" (all 2026-11).

use http::Uri;
use serde_json::{Value, json};

use crate::draw::Drawing;
use crate::rank::Ranking;
use crate::refusal::{Check, Refusal};
use crate::{converse, gemini, invoke};

/// A call of one model in a form of its provider's own.
pub(crate) trait OwnForm {
    fn on_aws(&self) -> bool;
    /// `words` in the provider's shape.
    fn refusal(&self, status: u16, words: &str) -> Refusal;
    /// What is asked for, with the `model`.
    fn read(&self, bytes: &[u8]) -> Check<Value>;
    /// An answer to it, and what its headers tell.
    fn answer(&self, asked: &Value) -> (Vec<(String, String)>, String);
}

pub(crate) fn own_form(uri: &Uri) -> Option<Box<dyn OwnForm>> {
    if let Some(embedding) = Embedding::of(uri) {
        return Some(Box::new(embedding));
    }
    if let Some(drawing) = Drawing::of(uri) {
        return Some(Box::new(drawing));
    }
    Some(Box::new(Ranking::of(uri)?))
}

struct Embedding {
    form: Form,
    model: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    One,
    Batch,
    VertexOne,
    VertexBatch,
    Predict,
    Titan,
    Cohere,
}

use Form::*;

const CONFIG: &[&str] = &["taskType", "title", "outputDimensionality"];
const VERTEX_CONFIG: &[&str] = &["taskType", "title", "outputDimensionality", "autoTruncate"];

impl Embedding {
    fn of(uri: &Uri) -> Option<Embedding> {
        if let Some(method) = invoke::Method::of(uri) {
            let model = method.model;
            let form = if model.contains("amazon.titan-embed-text") {
                Titan
            } else if model.contains("cohere.embed") {
                Cohere
            } else {
                return None;
            };
            return Some(Embedding { form, model });
        }
        let method = gemini::Method::of(uri)?;
        let vertex = uri.path().contains("/publishers/");
        let form = match (method.name.as_str(), vertex) {
            ("embedContent", false) => One,
            ("batchEmbedContents", false) => Batch,
            ("embedContent", true) => VertexOne,
            ("batchEmbedContents", true) => VertexBatch,
            ("predict", true) if !method.model.starts_with("imagen") => Predict,
            _ => return None,
        };
        Some(Embedding { form, model: method.model })
    }

    fn of_vertex(&self, request: &Value) -> Check<(Vec<String>, Value)> {
        only(request, &[VERTEX_CONFIG, &["content", "embedContentConfig"]].concat())?;
        if !self.model.starts_with("gemini-embedding") || self.model == "gemini-embedding-001" {
            let words = format!("{} is not supported by this method.", self.model);
            return Err(gemini::refusal(400, words));
        }
        let config = &request["embedContentConfig"];
        if !config.is_null() {
            only(config, VERTEX_CONFIG)?;
        }
        Ok((vec![content(request)?], config["outputDimensionality"].clone()))
    }

    fn batch(&self, body: &Value, read: impl Fn(&Value) -> Check<(Vec<String>, Value)>) -> Check<(Vec<String>, Value)> {
        only(body, &["requests"])?;
        let requests = body["requests"].as_array().cloned().unwrap_or_default();
        match requests.len() {
            0 => return Err(gemini::refusal(400, "* BatchEmbedContentsRequest.requests: cannot be empty")),
            1..=100 => {}
            _ => {
                let words = "* BatchEmbedContentsRequest.requests: at most 100 requests can be in one batch";
                return Err(gemini::refusal(400, words));
            }
        }
        let all: Vec<(Vec<String>, Value)> = requests.iter().map(read).collect::<Check<_>>()?;
        let dimensions = all[0].1.clone();
        Ok((all.into_iter().flat_map(|(texts, _)| texts).collect(), dimensions))
    }

    fn instances(&self, body: &Value) -> Check<(Vec<String>, Value)> {
        only(body, &["instances", "parameters"])?;
        let parameters = &body["parameters"];
        if !parameters.is_null() {
            only(parameters, &["outputDimensionality", "autoTruncate"])?;
        }
        let instances = body["instances"].as_array().cloned().unwrap_or_default();
        let most = if self.model == "gemini-embedding-001" { 1 } else { 250 };
        if instances.is_empty() || instances.len() > most {
            let words = format!("{} instance(s) is allowed per prediction. Actual: {}", most, instances.len());
            return Err(gemini::refusal(400, words));
        }
        let text = |instance: &Value| {
            only(instance, &["content", "task_type", "title"])?;
            let text = instance["content"].as_str().filter(|text| !text.is_empty());
            text.map(str::to_owned).ok_or_else(|| gemini::refusal(400, "The text content is empty."))
        };
        let texts = instances.iter().map(text).collect::<Check<_>>()?;
        Ok((texts, parameters["outputDimensionality"].clone()))
    }

    fn titan(&self, body: &Value) -> Check<(Vec<String>, Value)> {
        let second = self.model.contains("v2");
        let takes: &[&str] =
            if second { &["inputText", "dimensions", "normalize", "embeddingTypes"] } else { &["inputText"] };
        only_on_aws(body, takes, &["inputText"])?;
        if second && !body["dimensions"].is_null() && ![256, 512, 1024].iter().any(|n| body["dimensions"] == *n) {
            return Err(malformed("#/dimensions: instance value not found in enum (possible values: [256,512,1024])"));
        }
        let text = body["inputText"].as_str().ok_or_else(|| malformed("#/inputText: expected type: String"))?;
        Ok((vec![text.to_owned()], body["dimensions"].clone()))
    }

    fn cohere(&self, body: &Value) -> Check<(Vec<String>, Value)> {
        let fourth = self.model.contains("embed-v4");
        let third: &[&str] = &["texts", "input_type", "truncate", "embedding_types"];
        let more: &[&str] = if fourth { &["output_dimension", "max_tokens"] } else { &[] };
        only_on_aws(body, &[third, more].concat(), &["texts", "input_type"])?;
        let kinds = ["search_document", "search_query", "classification", "clustering"];
        if !kinds.iter().any(|kind| body["input_type"] == *kind) {
            return Err(malformed("#/input_type: instance value not found in enum"));
        }
        let texts = body["texts"].as_array().cloned().unwrap_or_default();
        if texts.is_empty() || texts.len() > 96 {
            return Err(malformed(&format!("#/texts: expected maximum item count: 96, found: {}", texts.len())));
        }
        let text = |text: &Value| text.as_str().map(str::to_owned).ok_or_else(|| malformed("#/texts: expected String"));
        Ok((texts.iter().map(text).collect::<Check<_>>()?, body["output_dimension"].clone()))
    }
}

impl OwnForm for Embedding {
    fn on_aws(&self) -> bool {
        matches!(self.form, Titan | Cohere)
    }

    fn refusal(&self, status: u16, words: &str) -> Refusal {
        match self.on_aws() {
            true => invoke::refusal(status, "ThrottlingException", words),
            false => gemini::refusal(status, words),
        }
    }

    /// The texts and how many numbers are wanted for each: `{"model", "texts", "dimensions"}`.
    fn read(&self, bytes: &[u8]) -> Check<Value> {
        let body = if self.on_aws() { converse::parse(bytes)? } else { plain(bytes)? };
        let (texts, dimensions) = match self.form {
            One => {
                only(&body, &[CONFIG, &["model", "content", "embedContentConfig"]].concat())?;
                (vec![content(&body)?], body["outputDimensionality"].clone())
            }
            VertexOne => self.of_vertex(&body)?,
            Batch => self.batch(&body, |request| {
                only(request, &[CONFIG, &["model", "content", "embedContentConfig"]].concat())?;
                if request["model"] != format!("models/{}", self.model) {
                    return Err(gemini::refusal(
                        400,
                        "* BatchEmbedContentsRequest.requests[0].model: model must match.",
                    ));
                }
                Ok((vec![content(request)?], request["outputDimensionality"].clone()))
            })?,
            VertexBatch => self.batch(&body, |request| self.of_vertex(request))?,
            Predict => self.instances(&body)?,
            Titan => self.titan(&body)?,
            Cohere => self.cohere(&body)?,
        };
        Ok(json!({"model": self.model, "texts": texts, "dimensions": dimensions}))
    }

    /// A word is a token.
    fn answer(&self, asked: &Value) -> (Vec<(String, String)>, String) {
        let texts: Vec<&str> = asked["texts"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
        let dimensions = asked["dimensions"].as_u64().unwrap_or(2) as usize;
        let vectors: Vec<Value> = texts.iter().map(|text| vector(text, dimensions)).collect();
        let tokens = |text: &str| text.split_whitespace().count();
        let all: usize = texts.iter().map(|text| tokens(text)).sum();
        let values = |vector: &Value| json!({"values": vector});
        let usage = json!({"promptTokenCount": all});
        let body = match self.form {
            One | VertexOne => json!({"embedding": values(&vectors[0]), "usageMetadata": usage}),
            Batch | VertexBatch => {
                json!({"embeddings": vectors.iter().map(values).collect::<Vec<_>>(), "usageMetadata": usage})
            }
            Predict => {
                let one = |(vector, text): (&Value, &&str)| {
                    let statistics = json!({"truncated": false, "token_count": tokens(text)});
                    json!({"embeddings": {"statistics": statistics, "values": vector}})
                };
                json!({"predictions": vectors.iter().zip(&texts).map(one).collect::<Vec<_>>(),
                    "metadata": {"billableCharacterCount": 1}})
            }
            Titan => {
                json!({"embedding": vectors[0], "inputTextTokenCount": all, "embeddingsByType": {"float": vectors[0]}})
            }
            Cohere => json!({"embeddings": vectors, "id": "sim", "response_type": "embeddings_floats", "texts": texts}),
        };
        let headers = match self.form {
            Cohere => vec![("x-amzn-bedrock-input-token-count".to_owned(), all.to_string())],
            _ => Vec::new(),
        };
        // As Google's front writes it.
        let text = serde_json::to_string_pretty(&body).expect("a value is always JSON");
        (headers, text)
    }
}

/// Its first number tells which text it is of.
fn vector(text: &str, dimensions: usize) -> Value {
    let first = text.chars().count() as f64 / 8.0;
    (0..dimensions).map(|at| if at % 2 == 0 { first } else { -0.25 }).collect()
}

fn content(request: &Value) -> Check<String> {
    let content = &request["content"];
    let invalid = || gemini::refusal(400, "* EmbedContentRequest.content: contents is not specified");
    if content.is_null() {
        return Err(invalid());
    }
    only(content, &["role", "parts"])?;
    let parts = content["parts"].as_array().filter(|parts| !parts.is_empty()).ok_or_else(invalid)?;
    let text = |part: &Value| part["text"].as_str().map(str::to_owned).ok_or_else(invalid);
    parts.iter().map(text).collect()
}

pub(crate) fn plain(bytes: &[u8]) -> Check<Value> {
    match serde_json::from_slice(bytes) {
        Ok(body @ Value::Object(_)) => Ok(body),
        _ => Err(gemini::refusal(400, "Invalid JSON payload received. Expected an object.")),
    }
}

pub(crate) fn only(object: &Value, takes: &[&str]) -> Check {
    let fields = object.as_object().ok_or_else(|| gemini::refusal(400, "Invalid value: expected an object."))?;
    match fields.keys().find(|name| !takes.contains(&name.as_str())) {
        Some(name) => {
            let words = format!("Invalid JSON payload received. Unknown name \"{name}\": Cannot find field.");
            Err(gemini::refusal(400, words))
        }
        None => Ok(()),
    }
}

pub(crate) fn malformed(what: &str) -> Refusal {
    let words = format!("Malformed input request: {what}, please reformat your input and try again.");
    invoke::refusal(400, "ValidationException", words)
}

pub(crate) fn only_on_aws(body: &Value, takes: &[&str], needs: &[&str]) -> Check {
    let fields = body.as_object().expect("only objects are parsed");
    if let Some(name) = fields.keys().find(|name| !takes.contains(&name.as_str())) {
        return Err(malformed(&format!("#: extraneous key [{name}] is not permitted")));
    }
    match needs.iter().find(|name| !fields.contains_key(**name)) {
        Some(name) => Err(malformed(&format!("#: required key [{name}] not found"))),
        None => Ok(()),
    }
}
