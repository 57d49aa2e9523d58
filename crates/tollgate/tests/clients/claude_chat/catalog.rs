//! What the client asks beside model calls, and the one server tool that it uses.

use serde_json::json;
use tollgate_sim::{Answer, SimConfig};

use crate::stage::{Stage, has};
use crate::support::isolated;

#[test]
fn s01_the_context_report_counts_many_times_in_parallel() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        let run = stage.claude(&["-p", "/context"]).await;
        stage.all_went_well(&run);
        let counted = stage.log().into_iter().filter(|(path, ..)| path.ends_with("/count_tokens")).count();
        assert!(counted >= 10, "{counted} counts: {run:?}");
        has(&run.stdout, "kimi-k2.5");
        assert_eq!(stage.calls().len(), 0, "counting costs no model call");
    });
}

#[test]
fn s01_the_models_are_discovered_under_names_that_the_client_keeps() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        stage.play([Answer::text("One."), Answer::text("Two.")]);
        let on = [("CLAUDE_CODE_ENABLE_GATEWAY_MODEL_DISCOVERY", "1")];
        let run = stage.claude_with(&["-p", "hello"], &on).await;
        stage.all_went_well(&run);
        let cache = stage.session.home().join(".claude/cache/gateway-models.json");
        let cached = std::fs::read_to_string(cache).expect("the list was kept");
        has(&cached, "anthropic/kimi-k2.5");
        // A name of the list is a name to ask for.
        let run = stage.claude_with(&["-p", "hello", "--model", "anthropic/kimi-k2.5"], &on).await;
        stage.all_went_well(&run);
        assert_eq!(run.stdout.trim(), "Two.");
        assert_eq!(stage.last_call()["model"], "kimi-k2.5");
    });
}

/// The search runs at Anthropic, not in the client, and a chat provider has none: the model is told so and goes on.
#[test]
fn s01_a_web_search_is_refused_in_words() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        stage.play([Answer::tool("call_1", "WebSearch", &json!({"query": "rust language"})), Answer::text("Told so.")]);
        let run = stage.claude(&["-p", "search"]).await;
        stage.nothing_was_refused(&run);
        assert_eq!(run.stdout.trim(), "Told so.");
        has(&stage.results()[0], "has no web search; it runs at Anthropic only");
        let refused: Vec<_> = stage.log().into_iter().map(|(_, status, _)| status).filter(|s| *s != 200).collect();
        assert!(refused.iter().all(|status| *status == 400), "{refused:?}");
    });
}
