//! Amazon's Titan on Bedrock: one text for each call.
//!
//! docs.aws.amazon.com, Bedrock User Guide, "Amazon Titan Embeddings G1 - Text" (2026-11): request and answer of G1 and V2.

use super::{Call, Embedder, Vectors, Wanted, count, member};
use crate::json::{Text, Writer};

/// It has no parameters.
pub static V1: Embedder = Embedder { most: 1, takes: &[], call, read };

pub static V2: Embedder =
    Embedder { most: 1, takes: &[("dimensions", "dimensions"), ("normalize", "normalize")], call, read };

fn call(wanted: &Wanted<'_>, texts: &[Text<'_>]) -> Call {
    let mut w = Writer::default();
    w.open_object();
    texts.iter().for_each(|text| _ = w.key("inputText").text(text));
    wanted.params.iter().for_each(|(name, value)| _ = w.key(name).json(value));
    w.close_object();
    Call { method: "invoke", body: w.out }
}

fn read(answer: &str) -> Option<Vectors<'_>> {
    let tokens = member(answer, &["inputTextTokenCount"]).and_then(count);
    Some(Vectors { vectors: vec![member(answer, &["embedding"])?], tokens })
}
