//! What a message may hold beside text: images, PDFs, system prompts, formats of the answer.

use serde_json::{Value, json};
use tollgate_sim::Step;

use crate::desk::{CHAT, CLAUDE, Desk, Sdk, THINKER, ask, good};
use crate::support::isolated;

const PNG: &str = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
/// `%PDF-1.4\n%%EOF\n`
const PDF: &str = "JVBERi0xLjQKJSVFT0YK";

#[test]
fn images_and_pdfs_of_the_anthropic_sdk_reach_both_upstreams() {
    isolated(|| async {
        let desk = Desk::script([]).await;
        let content = json!([
            {"type": "text", "text": "What is this?"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": PNG}},
            {"type": "image", "source": {"type": "url", "url": "https://example.com/a.png"}},
            {"type": "document", "title": "paper.pdf", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}},
            {"type": "document", "title": "notes", "source": {"type": "text", "media_type": "text/plain", "data": "plain words"}}]);
        let call = |model: &str| json!({"do": "create", "args": {"model": model, "max_tokens": 9, "messages": [{"role": "user", "content": content}]}});
        desk.calls(Sdk::Anthropic, json!([call(CHAT), call(CLAUDE)])).await.iter().for_each(|told| {
            good(told);
        });
        let sent = desk.sent();
        let parts = &sent[0]["messages"][0]["content"];
        assert_eq!(parts[0], json!({"type": "text", "text": "What is this?"}));
        assert_eq!(parts[1]["image_url"]["url"], format!("data:image/png;base64,{PNG}"));
        assert_eq!(parts[2]["image_url"]["url"], "https://example.com/a.png");
        assert_eq!(parts[3]["file"]["file_data"], format!("data:application/pdf;base64,{PDF}"), "{parts:#}");
        assert!(
            parts[4]["text"].as_str().is_some_and(|t| t.contains("notes") && t.contains("plain words")),
            "{parts:#}"
        );
        assert_eq!(sent[1]["messages"][0]["content"], content);
    });
}

#[test]
fn a_pdf_for_a_model_without_pdfs_is_refused_by_its_place_and_not_lost() {
    isolated(|| async {
        let desk = Desk::script([]).await;
        let content = json!([{"type": "text", "text": "What is this?"},
            {"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": PDF}}]);
        let args = json!({"model": THINKER, "max_tokens": 9, "messages": [{"role": "user", "content": content}]});
        let told = desk.calls(Sdk::Anthropic, json!([{"do": "create", "args": args}])).await;
        assert_eq!(told[0]["error"]["class"], "BadRequestError");
        assert!(
            told[0]["error"]["message"].as_str().is_some_and(|m| m.contains("messages.0.content.1")),
            "{:#}",
            told[0]
        );
        assert_eq!(desk.sim.requests().len(), 0);
    });
}

#[test]
fn images_and_pdfs_of_the_openai_sdk_reach_both_upstreams() {
    isolated(|| async {
        let desk = Desk::script([]).await;
        let content = json!([
            {"type": "text", "text": "What is this?"},
            {"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{PNG}")}},
            {"type": "image_url", "image_url": {"url": "https://example.com/a.png"}},
            {"type": "file", "file": {"filename": "paper.pdf", "file_data": format!("data:application/pdf;base64,{PDF}")}}]);
        let call = |model: &str| json!({"do": "create", "args": {"model": model, "messages": [{"role": "user", "content": content}]}});
        desk.calls(Sdk::OpenAi, json!([call(CHAT), call(CLAUDE)])).await.iter().for_each(|told| {
            good(told);
        });
        let sent = desk.sent();
        assert_eq!(sent[0]["messages"][0]["content"], content);
        let blocks = &sent[1]["messages"][0]["content"];
        assert_eq!(blocks[1]["source"], json!({"type": "base64", "media_type": "image/png", "data": PNG}));
        assert_eq!(blocks[2]["source"], json!({"type": "url", "url": "https://example.com/a.png"}));
        assert_eq!(blocks[3]["type"], "document");
        assert_eq!(blocks[3]["source"], json!({"type": "base64", "media_type": "application/pdf", "data": PDF}));
        assert!(sent[1]["max_tokens"].as_u64().is_some_and(|n| n > 0), "Anthropic insists on a limit");
    });
}

#[test]
fn system_prompts_keep_their_blocks_and_their_order() {
    isolated(|| async {
        let desk = Desk::script([]).await;
        let system = json!([{"type": "text", "text": "One."},
            {"type": "text", "text": "Two.", "cache_control": {"type": "ephemeral"}}]);
        let call = |model: &str| json!({"do": "create", "args": {"model": model, "max_tokens": 9, "system": system, "messages": ask("x")}});
        desk.calls(Sdk::Anthropic, json!([call(CHAT), call(CLAUDE)])).await.iter().for_each(|told| {
            good(told);
        });
        let sent = desk.sent();
        let first = sent[0]["messages"][0]["content"].to_string();
        assert!(first.find("One.") < first.find("Two.") && first.contains("One."), "{first}");
        assert!(!sent[0].to_string().contains("cache_control"), "chat has no such field");
        assert_eq!(sent[1]["system"], system);
    });
}

#[test]
fn the_wanted_form_of_an_answer_is_said_in_the_words_of_the_upstream() {
    isolated(|| async {
        let desk = Desk::script([Step::text("{\"n\": 3}").always()]).await;
        let schema = json!({"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"], "additionalProperties": false});
        let call = |model: &str| {
            json!({"do": "create", "args": {"model": model, "max_tokens": 9, "messages": ask("x"),
                "output_config": {"format": {"type": "json_schema", "schema": schema}}}})
        };
        let told = desk.calls(Sdk::Anthropic, json!([call(CHAT), call(CLAUDE)])).await;
        told.iter().for_each(|told| assert_eq!(good(told)["message"]["content"][0]["text"], "{\"n\": 3}"));
        let call = |model: &str| {
            json!({"do": "create", "args": {"model": model, "messages": ask("x"), "response_format": {"type": "json_schema",
                "json_schema": {"name": "count", "strict": true, "schema": schema}}}})
        };
        let told = desk.calls(Sdk::OpenAi, json!([call(CHAT), call(CLAUDE)])).await;
        told.iter().for_each(|told| assert_eq!(good(told)["answer"]["choices"][0]["message"]["content"], "{\"n\": 3}"));
        let sent = desk.sent();
        let chat = |body: &Value| body["response_format"]["json_schema"]["schema"].clone();
        let messages = |body: &Value| body["output_config"]["format"].clone();
        assert_eq!(chat(&sent[0]), schema);
        assert_eq!(messages(&sent[1]), json!({"type": "json_schema", "schema": schema}));
        assert_eq!(sent[2]["response_format"]["json_schema"]["name"], "count");
        assert_eq!(chat(&sent[2]), schema);
        assert_eq!(messages(&sent[3]), json!({"type": "json_schema", "schema": schema}));
    });
}
