#![no_main]
//! A request for embeddings, images or a ranking and the provider's answer to it, of any bytes (a NUL between the two), are refused or
//! become valid JSON, in every vendor's form.

use libfuzzer_sys::fuzz_target;
use serde_json::value::RawValue;
use tollgate_dialect::operation::{AnswerFacts, Answered, Host, Operation, Speaks, Task, Took};

/// One for each form of each vendor.
const MODELS: &[(Host, Operation, &str)] = &[
    (Host::Gemini, Operation::Embeddings, "gemini-embedding-001"),
    (Host::Vertex, Operation::Embeddings, "text-embedding-005"),
    (Host::Vertex, Operation::Embeddings, "gemini-embedding-2"),
    (Host::Bedrock, Operation::Embeddings, "amazon.titan-embed-text-v1"),
    (Host::Bedrock, Operation::Embeddings, "amazon.titan-embed-text-v2:0"),
    (Host::Bedrock, Operation::Embeddings, "cohere.embed-english-v3"),
    (Host::Bedrock, Operation::Embeddings, "cohere.embed-v4:0"),
    (Host::OpenAi, Operation::Embeddings, "text-embedding-3-small"),
    (Host::Gemini, Operation::ImageGenerations, "gemini-2.5-flash-image"),
    (Host::Vertex, Operation::ImageGenerations, "imagen-4.0-generate-001"),
    (Host::Bedrock, Operation::Rerank, "cohere.rerank-v3-5:0"),
    (Host::Bedrock, Operation::Rerank, "amazon.rerank-v1:0"),
];
const SPEAKS: [Speaks; 3] = [Speaks::OpenAi, Speaks::EmbedContent, Speaks::BatchEmbedContents];

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let (request, answer) = text.split_once('\0').unwrap_or((text, ""));
    for &(host, operation, model) in MODELS {
        for speaks in SPEAKS {
            for drop_params in [false, true] {
                let task = Task { operation, speaks, host, model, label: "vendor/model", drop_params };
                play(&task, request, answer);
            }
        }
    }
});

fn play(task: &Task<'_>, request: &str, answer: &str) {
    let openai = match task.as_openai(request) {
        Ok(Some(body)) => String::from_utf8(body).expect("text"),
        Ok(None) => request.to_owned(),
        Err(_) => return,
    };
    let Ok(Some(work)) = task.work(&openai) else { return };
    for call in &work.calls {
        serde_json::from_slice::<&RawValue>(&call.body).expect("a call is JSON");
    }
    let answered = Answered { body: answer.to_owned(), input_tokens: None };
    if (0..work.calls.len()).any(|nth| work.took(nth, &answered).is_err()) || work.forwards() {
        return;
    }
    let facts = AnswerFacts { model: "m", id: "r", created: 1, took: Took::tokens(Some(1)) };
    if let Ok(body) = work.answer(&vec![answered; work.calls.len()], &facts) {
        serde_json::from_slice::<&RawValue>(&body).expect("an answer is JSON");
    }
}
