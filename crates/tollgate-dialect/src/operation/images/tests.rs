use serde_json::{Value, json};

use super::*;
use crate::operation::{Answered, Operation, Speaks, Work};

fn task<'t>(host: Host, model: &'t str) -> Task<'t> {
    Task {
        operation: Operation::ImageGenerations,
        speaks: Speaks::OpenAi,
        host,
        model,
        label: "gemini/x",
        drop_params: false,
    }
}

fn work(model: &str, more: &Value) -> Result<Work, ForwardError> {
    let mut body = json!({"model": "m", "prompt": "a \"gate\""});
    body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    task(Host::Gemini, model).work(&body.to_string()).map(|work| work.expect("it is translated"))
}

fn bodies(work: &Work) -> Vec<Value> {
    work.calls.iter().map(|call| serde_json::from_slice(&call.body).unwrap()).collect()
}

fn answered(body: &Value) -> Answered {
    Answered { body: body.to_string(), input_tokens: None }
}

const GEMINI: &str = "gemini-2.5-flash-image";
const IMAGEN: &str = "imagen-4.0-generate-001";

#[test]
fn geminis_models_make_one_image_a_call_and_imagen_four() {
    let contents = json!([{"role": "user", "parts": [{"text": "a \"gate\""}]}]);
    let config = json!({"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "3:2"}});
    let expected = json!({"contents": contents, "generationConfig": config});
    let asked = json!({"n": 2, "size": "1536x1024", "quality": "auto", "response_format": "b64_json", "user": "u"});
    let drawn = work(GEMINI, &asked).unwrap();
    assert_eq!(bodies(&drawn), [expected.clone(), expected]);
    assert_eq!(drawn.changes, [Change::dropped("user")]);
    let call = |count: u64| json!({"instances": [{"prompt": "a \"gate\""}], "parameters": {"sampleCount": count, "aspectRatio": "1:1"}});
    assert_eq!(bodies(&work(IMAGEN, &json!({"n": 6, "size": "1024x1024"})).unwrap()), [call(4), call(2)]);
}

#[test]
fn what_the_model_cannot_do_is_refused_by_name() {
    for (model, more) in [
        (GEMINI, json!({"n": 0})),
        (GEMINI, json!({"n": 11})),
        (GEMINI, json!({"n": "two"})),
        (GEMINI, json!({"prompt": " "})),
        (GEMINI, json!({"size": "1000x100"})),
        // Imagen has no such shape.
        (IMAGEN, json!({"size": "1536x1024"})),
        (GEMINI, json!({"response_format": "url"})),
        (GEMINI, json!({"stream": true})),
        (GEMINI, json!({"style": "vivid"})),
    ] {
        assert!(work(model, &more).is_err(), "{model} {more}");
    }
    for model in ["gemini-3-pro", "text-embedding-004"] {
        assert!(task(Host::Vertex, model).way().is_none(), "{model}");
    }
}

/// An answer as ai.google.dev shows it; of the output's tokens 1,290 are of the image (pricing page, 2026-11), and 110 are thoughts.
#[test]
fn an_image_of_gemini_comes_with_its_tokens() {
    let parts = json!([{"thought": true, "inlineData": {"mimeType": "image/png", "data": "eA=="}}, {"text": "Here it is."},
        {"inlineData": {"mimeType": "image/png", "data": "aGk="}, "thoughtSignature": "c2ln"}]);
    let given = json!({
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
        "usageMetadata": {"promptTokenCount": 12, "candidatesTokenCount": 1300, "thoughtsTokenCount": 110, "totalTokenCount": 1422,
            "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}, {"modality": "TEXT", "tokenCount": 10}]},
    });
    let work = work(GEMINI, &json!({})).unwrap();
    let took = work.took(0, &answered(&given)).unwrap();
    let expected = Took {
        input: Some(12 * ONE),
        output: Some(1410 * ONE),
        output_image: 1290 * ONE,
        images: ONE,
        ..Took::default()
    };
    assert_eq!(took, expected);
    let facts = AnswerFacts { model: "m", id: "req_1", created: 1_700_000_000, took };
    let answer: Value = serde_json::from_slice(&work.answer(&[answered(&given)], &facts).unwrap()).unwrap();
    let usage = json!({"input_tokens": 12, "output_tokens": 1410, "total_tokens": 1422,
        "input_tokens_details": {"text_tokens": 12, "image_tokens": 0}});
    let expected = json!({"created": 1_700_000_000, "data": [{"b64_json": "aGk="}], "usage": usage});
    assert_eq!(answer, expected);
}

#[test]
fn imagens_answers_have_images_and_no_usage() {
    let work = work(IMAGEN, &json!({"n": 2})).unwrap();
    let image = json!({"mimeType": "image/png", "bytesBase64Encoded": "aGk="});
    let given = answered(&json!({"predictions": [image, {"raiFilteredReason": "no"}, image]}));
    let took = work.took(0, &given).unwrap();
    assert_eq!(took, Took { images: 2 * ONE, ..Took::default() });
    let facts = AnswerFacts { model: "m", id: "req_1", created: 1, took };
    let answer: Value = serde_json::from_slice(&work.answer(&[given], &facts).unwrap()).unwrap();
    assert_eq!(answer, json!({"created": 1, "data": [{"b64_json": "aGk="}, {"b64_json": "aGk="}]}));
}

#[test]
fn a_refusal_is_told_as_one_and_an_answer_without_an_image_is_none() {
    let refused = |model: &str, body: Value| match work(model, &json!({})).unwrap().took(0, &answered(&body)) {
        Err(AnswerError::Upstream(error)) => (error.status, error.kind),
        other => panic!("{body}: {other:?}"),
    };
    let policy = (400, ErrorKind::ContentPolicy);
    assert_eq!(refused(GEMINI, json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})), policy);
    let safety = json!({"candidates": [{"finishReason": "IMAGE_SAFETY", "finishMessage": "Unable to show it."}]});
    assert_eq!(refused(GEMINI, safety), policy);
    assert_eq!(refused(IMAGEN, json!({"predictions": [{"raiFilteredReason": "Filtered."}]})), policy);
    assert_eq!(refused(IMAGEN, json!({})), policy);
    let text = json!({"candidates": [{"content": {"parts": [{"text": "no"}]}, "finishReason": "STOP"}]});
    let odd = work(GEMINI, &json!({})).unwrap().took(0, &answered(&text));
    assert!(matches!(odd, Err(AnswerError::Malformed(_))), "{odd:?}");
}
