//! `/v1/images/generations` and `/v1/rerank` before providers that have a form of their own.

use serde_json::{Value, json};
use tollgate_sim::{Faults, SimConfig, Step};

use crate::embeddings::Stage;
use crate::stage::{Client, MASTER_KEY, has, has_change, merged};
use crate::support::http::{Answer, post};
use crate::support::isolated;

const GEMINI: &str = "gemini/gemini-2.5-flash-image";

async fn draw(stage: &Stage, more: Value) -> Answer {
    let body = merged(json!({"model": "m", "prompt": "a gate"}), more);
    post(&stage.gateway.url("/v1/images/generations"), &[("x-api-key", MASTER_KEY)], &body).await
}

async fn rank(stage: &Stage, more: Value) -> Answer {
    let body = merged(json!({"model": "m", "query": "gate", "documents": ["wall", "door"]}), more);
    post(&stage.gateway.url("/v1/rerank"), &[("x-api-key", MASTER_KEY)], &body).await
}

/// An image as Gemini answers with it (ai.google.dev, "Image generation", 2026-11): 1,290 tokens each, and ten words of the prompt.
fn image() -> Step {
    let parts = json!([{"inlineData": {"mimeType": "image/png", "data": "aGk="}}]);
    Step::json(
        200,
        &json!({
            "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": "STOP", "index": 0}],
            "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 1290, "totalTokenCount": 1300,
                "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}]},
        }),
    )
    .always()
}

#[test]
fn s33_geminis_models_draw_and_their_images_are_paid_for_by_the_token() {
    isolated(|| async {
        for model in [GEMINI, "vertex_ai/gemini-2.5-flash-image"] {
            let stage = Stage::scripted(model, SimConfig::default().step(image()), json!({})).await;
            let answer = draw(&stage, json!({"n": 2, "size": "1024x1024", "user": "ada"})).await;
            assert_eq!(answer.status, 200, "{model}: {}", answer.text());
            let body = answer.json();
            assert_eq!(body["data"], json!([{"b64_json": "aGk="}, {"b64_json": "aGk="}]), "{model}");
            assert_eq!((&body["usage"]["input_tokens"], &body["usage"]["output_tokens"]), (&json!(20), &json!(2580)));
            assert!(body["created"].as_u64() > Some(1_700_000_000), "{body}");
            // 20 × $0.30/M + 2,580 × $30/M
            assert_eq!(answer.header("x-litellm-response-cost"), Some("0.077406"), "{model}");
            has_change(&answer, "dropped:user");
            let sent = stage.sent();
            assert_eq!(sent.len(), 2, "an image each: {model}");
            assert!(sent[0].path.ends_with("/models/gemini-2.5-flash-image:generateContent"), "{}", sent[0].path);
            let config = json!({"responseModalities": ["IMAGE"], "imageConfig": {"aspectRatio": "1:1"}});
            assert_eq!(sent[0].json()["generationConfig"], config, "{model}");
            stage.nothing_was_refused();
        }
    });
}

#[test]
fn imagen_draws_several_at_once_and_each_has_its_price() {
    isolated(|| async {
        for (model, cost) in [
            // 5 × $0.04
            ("gemini/imagen-3.0-generate-001", Some("0.2")),
            ("vertex_ai/imagen-4.0-generate-001", None),
        ] {
            let stage = Stage::start(model, json!({"negative_prompt": "walls"})).await;
            let answer = draw(&stage, json!({"n": 5, "size": "1792x1024"})).await;
            assert_eq!(answer.status, 200, "{model}: {}", answer.text());
            assert_eq!(answer.json()["data"].as_array().map(Vec::len), Some(5), "{model}");
            assert_eq!(answer.header("x-litellm-response-cost"), cost, "{model}");
            let sent = stage.sent();
            let expected = json!({"instances": [{"prompt": "a gate"}],
                "parameters": {"sampleCount": 4, "negativePrompt": "walls", "aspectRatio": "16:9"}});
            assert_eq!((sent.len(), sent[0].json()), (2, expected), "{model}");
            assert!(sent[0].path.ends_with(":predict"), "{}", sent[0].path);
            stage.nothing_was_refused();
        }
    });
}

#[test]
fn an_image_that_is_refused_is_an_error_of_openais_form() {
    isolated(|| async {
        let blocked = Step::json(200, &json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}));
        let stage = Stage::scripted(GEMINI, SimConfig::default().step(blocked), json!({})).await;
        let refused = draw(&stage, json!({})).await;
        assert_eq!(refused.status, 400, "{}", refused.text());
        has(&Client::Chat.error(&refused).1, "The prompt was blocked: PROHIBITED_CONTENT");
        let unsaid = draw(&stage, json!({"size": "999x1"})).await;
        assert_eq!(unsaid.status, 400, "{}", unsaid.text());
        has(&Client::Chat.error(&unsaid).1, "size: not supported by gemini/gemini-2.5-flash-image");
        let words = Stage::start("gemini/gemini-3-pro", json!({})).await;
        let none = draw(&words, json!({})).await;
        assert_eq!(none.status, 400, "{}", none.text());
        has(&Client::Chat.error(&none).1, "a model of Gemini or Vertex AI that draws");
        assert_eq!(words.sent().len(), 0);
    });
}

#[test]
fn bedrocks_rerankers_answer_in_coheres_form_and_each_search_has_its_price() {
    isolated(|| async {
        let arn = "bedrock/arn:aws:bedrock:eu-west-1::foundation-model/amazon.rerank-v1:0";
        for (model, more, cost) in [
            // $0.002
            ("bedrock/cohere.rerank-v3-5:0", json!({"api_version": 2}), Some("0.002")),
            ("bedrock/amazon.rerank-v1:0", json!({}), Some("0.001")),
            // The catalogue has the id.
            (arn, json!({}), None),
        ] {
            let stage = Stage::start(model, json!({})).await;
            let answer = rank(&stage, json!({"top_n": 1, "return_documents": true})).await;
            assert_eq!(answer.status, 200, "{model}: {}", answer.text());
            let body = answer.json();
            let best = json!([{"index": 1, "relevance_score": 0.5, "document": {"text": "door"}}]);
            assert_eq!((&body["results"], &body["meta"]), (&best, &json!({"billed_units": {"search_units": 1}})));
            assert_eq!(answer.header("x-litellm-response-cost"), cost, "{model}");
            let expected = merged(json!({"query": "gate", "documents": ["wall", "door"], "top_n": 1}), more);
            assert_eq!(stage.sent()[0].json(), expected, "{model}");
            stage.nothing_was_refused();
        }
    });
}

#[test]
fn a_reranker_that_fails_is_an_error_and_a_model_that_ranks_nothing_is_named() {
    isolated(|| async {
        let down = Step::json(503, &json!({"message": "Bedrock is unable to process your request."}));
        let down = down.faults(Faults::default()).always();
        let stage = Stage::scripted("bedrock/amazon.rerank-v1:0", SimConfig::default().step(down), json!({})).await;
        let failed = rank(&stage, json!({})).await;
        assert_eq!(failed.header("x-tollgate-upstream-status"), Some("503"), "{}", failed.text());
        let words = Stage::start("bedrock/amazon.nova-lite-v1:0", json!({})).await;
        let none = rank(&words, json!({})).await;
        assert_eq!(none.status, 400, "{}", none.text());
        has(&Client::Chat.error(&none).1, "a reranker of Amazon's or Cohere's on Bedrock");
    });
}
