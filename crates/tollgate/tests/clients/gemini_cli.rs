//! What Gemini CLI asks for beyond the session of `sessions.rs`: a choice of the model, counts of tokens, searches of the web.

use serde_json::json;
use tollgate_sim::{Answer, Match, Part, Step};

use crate::sessions::agents::GEMINI;
use crate::stage::{MODEL, Stage, has, png};
use crate::support::isolated;
use crate::support::upstreams::Upstream;

fn has_text(text: &str) -> Match {
    Match { contains: Some(text.to_owned()), ..Match::default() }
}

/// Its classifier wants JSON after a schema whose types are written as Google writes them.
#[test]
fn gemini_cli_has_its_model_chosen_and_its_tokens_counted_by_other_models() {
    for upstream in [Upstream::Chat, Upstream::Messages, Upstream::Responses] {
        isolated(move || async move {
            let stage = Stage::of(upstream, MODEL).await;
            stage.session.write("a.png", png());
            let score = json!({"complexity_reasoning": "simple", "complexity_score": 10});
            stage.sim.replace_script([
                Step::text(&score.to_string()).when(Match { has_tools: Some(false), ..has_text("complexity_score") }),
                Step::text("I see."),
            ]);
            let run = GEMINI.run(&stage, &["--skip-trust", "--yolo", "-m", "auto", "-p", "look at @a.png"]).await;
            stage.all_went_well(&run);
            has(&run.stdout, "I see.");
            let asked: Vec<String> = stage.log().into_iter().map(|(path, ..)| path).collect();
            for method in [":generateContent", ":countTokens", ":streamGenerateContent"] {
                assert_eq!(asked.iter().filter(|path| path.ends_with(method)).count(), 1, "{method}: {asked:?}");
            }
            let classifier = stage.calls()[0].json();
            let asked = classifier.to_string();
            assert!(asked.contains(r#""type":"object""#) && !asked.contains(r#""type":"OBJECT""#), "{asked}");
            has(&stage.last_call().to_string(), "image/png");
        });
    }
}

#[test]
fn gemini_clis_web_search_is_claudes() {
    isolated(|| async {
        let stage = Stage::of(Upstream::Messages, MODEL).await;
        let found = json!([{"type": "web_search_result", "title": "Rust", "url": "https://rust-lang.org",
            "encrypted_content": "abc", "page_age": null}]);
        let used =
            json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "rust"}});
        let search = Answer::default()
            .and(Part::Block(used))
            .and(Part::Block(json!({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": found})))
            .and_text("Rust is a language.");
        stage.sim.replace_script([
            Step::answer(search).when(has_text("web_search_20")),
            Step::answer(Answer::tool("call_1", "google_web_search", &json!({"query": "rust"}))),
            Step::text("Found."),
        ]);
        let run = GEMINI.run(&stage, &["--skip-trust", "--yolo", "-p", "search"]).await;
        stage.all_went_well(&run);
        has(&run.stdout, "Found.");
        has(&stage.last_call().to_string(), "Rust is a language.");
    });
}
