//! Vertex AI's `:predict` of models that embed texts.
//!
//! docs.cloud.google.com, "Text embeddings API" (2026-11): request and answer; 250 texts for each request, and one for
//! `gemini-embedding-001` ("Get text embeddings").

use super::{Call, Embedder, Vectors, Wanted, count, each, member};
use crate::json::{Text, Writer};

const TAKES: &[(&str, &str)] = &[
    ("dimensions", "outputDimensionality"),
    ("auto_truncate", "autoTruncate"),
    ("autoTruncate", "autoTruncate"),
    ("task_type", "task_type"),
    ("taskType", "task_type"),
    ("title", "title"),
];

pub static FORM: Embedder = Embedder { most: 250, takes: TAKES, call, read };
pub static ONE_BY_ONE: Embedder = Embedder { most: 1, takes: TAKES, call, read };

/// These belong to each text.
const OF_INSTANCE: [&str; 2] = ["task_type", "title"];

fn call(wanted: &Wanted<'_>, texts: &[Text<'_>]) -> Call {
    let of = |instance: bool| wanted.params.iter().filter(move |(name, _)| OF_INSTANCE.contains(name) == instance);
    let mut w = Writer::default();
    w.open_object().key("instances").open_array();
    for text in texts {
        w.open_object().key("content").text(text);
        of(true).for_each(|(name, value)| _ = w.key(name).json(value));
        w.close_object();
    }
    w.close_array();
    if of(false).next().is_some() {
        w.key("parameters").open_object();
        of(false).for_each(|(name, value)| _ = w.key(name).json(value));
        w.close_object();
    }
    w.close_object();
    Call { method: "predict", body: w.out }
}

fn read(answer: &str) -> Option<Vectors<'_>> {
    let predictions = member(answer, &["predictions"])?;
    let counts = each(predictions, &["embeddings", "statistics", "token_count"]);
    let tokens = counts.and_then(|all| all.into_iter().map(count).sum());
    Some(Vectors { vectors: each(predictions, &["embeddings", "values"])?, tokens })
}
