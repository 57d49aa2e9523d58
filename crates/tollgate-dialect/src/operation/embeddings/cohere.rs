//! Cohere's Embed on Bedrock: up to 96 texts for each call.
//!
//! docs.aws.amazon.com, Bedrock User Guide, "Cohere Embed v3" and "Cohere Embed v4" (2026-11).

use super::{Call, Embedder, Vectors, Wanted, each, member};
use crate::json::{Text, Writer};

const MOST: usize = 96;

pub static V3: Embedder =
    Embedder { most: MOST, takes: &[(INPUT_TYPE, INPUT_TYPE), ("truncate", "truncate")], call, read };

pub static V4: Embedder = Embedder {
    most: MOST,
    takes: &[
        (INPUT_TYPE, INPUT_TYPE),
        ("truncate", "truncate"),
        ("dimensions", "output_dimension"),
        ("max_tokens", "max_tokens"),
    ],
    call,
    read,
};

const INPUT_TYPE: &str = "input_type";

/// The field is required, and OpenAI has nothing like it. LiteLLM 1.109.1 takes the same.
const USUAL_TYPE: &str = "search_document";

fn call(wanted: &Wanted<'_>, texts: &[Text<'_>]) -> Call {
    let mut w = Writer::default();
    w.open_object().key("texts").open_array();
    texts.iter().for_each(|text| _ = w.text(text));
    w.close_array();
    if !wanted.has(INPUT_TYPE) {
        w.key(INPUT_TYPE).str(USUAL_TYPE);
    }
    wanted.params.iter().for_each(|(name, value)| _ = w.key(name).json(value));
    w.close_object();
    Call { method: "invoke", body: w.out }
}

/// Lists of one kind stand there as such, or below the name of the kind. How many tokens they were is told in a header.
fn read(answer: &str) -> Option<Vectors<'_>> {
    let embeddings = member(answer, &["embeddings"])?;
    let lists = if embeddings.starts_with('{') { member(embeddings, &["float"])? } else { embeddings };
    Some(Vectors { vectors: each(lists, &[])?, tokens: None })
}
