//! Files that are no text.

use serde_json::json;
use tollgate_sim::{Answer, ChatStrictness, SimConfig};

use crate::stage::{PDF, Stage, has, messages, png, results};
use crate::support::isolated;

/// Reads an image and a document; the last call that the model got.
async fn look(stage: &Stage) -> serde_json::Value {
    stage.session.write("a.png", png());
    stage.session.write("a.pdf", PDF);
    stage.play([
        Answer::tool("call_1", "Read", &json!({"file_path": stage.path("a.png")})),
        Answer::tool("call_2", "Read", &json!({"file_path": stage.path("a.pdf")})),
        Answer::text("Seen."),
    ]);
    let run = stage.claude(&["-p", "look"]).await;
    stage.all_went_well(&run);
    assert_eq!(run.stdout.trim(), "Seen.");
    stage.last_call()
}

/// The types of the parts of all contents.
fn part_types(body: &serde_json::Value) -> Vec<String> {
    let parts = messages(body).iter().filter_map(|message| message["content"].as_array()).flatten();
    parts.filter_map(|part| part["type"].as_str()).filter(|kind| *kind != "text").map(str::to_owned).collect()
}

#[test]
fn s01_a_text_model_is_told_what_it_cannot_see() {
    isolated(|| async {
        let strict = ChatStrictness { text_only: true, ..ChatStrictness::default() };
        let blind = "      quirks:\n        string_content: true\n    model_info:\n      supports_vision: false";
        let stage = Stage::chat_with(SimConfig::default().chat(strict), "openai/kimi-k2.5", blind).await;
        let body = look(&stage).await;
        let results = results(&body);
        assert_eq!(results.len(), 2);
        has(&results[0], "[image omitted: ");
        has(&results[1], "[document omitted: ");
        assert!(!body.to_string().contains("base64"), "no image goes to a model that takes none");
    });
}

#[test]
fn s01_a_model_with_eyes_gets_the_image_and_the_document() {
    isolated(|| async {
        let sees = "    model_info:\n      supports_vision: true\n      supports_pdf_input: true";
        let stage = Stage::chat_with(SimConfig::default(), "openai/kimi-k2.5", sees).await;
        let body = look(&stage).await;
        assert_eq!(part_types(&body), ["image_url", "file"]);
        has(&body.to_string(), "data:image/png;base64,iVBORw0KGgo");
        has(&body.to_string(), "data:application/pdf;base64,JVBERi0");
    });
}
