//! The client's settings and the names of models change what it sends.

use tollgate_sim::{Answer, SimConfig};

use crate::stage::{MASTER_KEY, Stage, bash};
use crate::support::isolated;

/// One session with a tool in it; nothing may be refused on the way.
async fn session_under(name: &'static str, args: &[&str], env: &[(&str, &str)]) -> Stage {
    let stage = Stage::named(SimConfig::default(), name, "openai/kimi-k2.5", "").await;
    stage.play([bash("call_1", "echo one"), Answer::text("Done.")]);
    let run = stage.claude_with(&[&["-p", "go"], args].concat(), env).await;
    stage.all_went_well(&run);
    assert_eq!(run.stdout.trim(), "Done.", "{name} {args:?} {env:?}");
    // Some forms have the client's reminders behind the output.
    let results = stage.results();
    assert!(results.len() == 1 && results[0].starts_with("one"), "{name} {args:?} {env:?}: {results:?}");
    stage
}

/// The client has a request form for each family: thinking with a budget, effort inside messages, system messages folded
/// into the user's.
#[test]
fn s01_a_chat_model_can_stand_behind_any_claude_name() {
    isolated(|| async {
        for name in [
            "claude-3-7-sonnet-20250219",
            "claude-sonnet-4-5",
            "claude-opus-4-6",
            "claude-opus-5-5",
            "claude-haiku-5-5",
        ] {
            session_under(name, &[], &[]).await;
        }
    });
}

#[test]
fn s01_settings_that_change_the_requests_form_do_no_harm() {
    isolated(|| async {
        for set in [
            ("CLAUDE_CODE_DISABLE_EXPERIMENTAL_BETAS", "1"),
            ("CLAUDE_CODE_ENABLE_FINE_GRAINED_TOOL_STREAMING", "1"),
            ("ENABLE_PROMPT_CACHING_1H", "1"),
            ("DISABLE_PROMPT_CACHING", "1"),
            ("CLAUDE_CODE_GATEWAY_HINT_HEADERS", "1"),
            ("CLAUDE_CODE_MAX_OUTPUT_TOKENS", "4000"),
            ("ANTHROPIC_MODEL", "kimi-k2.5[1m]"),
        ] {
            session_under("kimi-k2.5", &[], &[set]).await;
        }
        let stage = session_under("kimi-k2.5", &["--effort", "max"], &[]).await;
        assert_eq!(stage.last_call()["model"], "kimi-k2.5");
    });
}

/// Claude Code sends both headers when both variables are set (S14).
#[test]
fn s14_key_and_token_are_taken_either_way_and_together() {
    isolated(|| async {
        session_under("kimi-k2.5", &[], &[("ANTHROPIC_API_KEY", MASTER_KEY)]).await;
        session_under("kimi-k2.5", &[], &[("ANTHROPIC_API_KEY", MASTER_KEY), ("ANTHROPIC_AUTH_TOKEN", "")]).await;
    });
}

/// Answers by a schema come as a call of a tool that the client adds.
#[test]
fn s01_structured_output_is_given() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        let schema =
            r#"{"type":"object","properties":{"n":{"type":"integer"}},"required":["n"],"additionalProperties":false}"#;
        stage.play([Answer::tool("call_1", "StructuredOutput", &serde_json::json!({"n": 7})), Answer::text("Given.")]);
        let run = stage.claude(&["-p", "a number", "--output-format", "json", "--json-schema", schema]).await;
        stage.all_went_well(&run);
        let result: serde_json::Value = serde_json::from_str(&run.stdout).expect("one JSON value");
        assert_eq!(result["structured_output"], serde_json::json!({"n": 7}), "{result}");
    });
}
