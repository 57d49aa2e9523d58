//! Conversations that go on, grow and shrink.

use serde_json::json;
use tollgate_sim::{Answer, SimConfig, Step};

use crate::stage::{Stage, bash, has, messages};
use crate::support::isolated;

const SUMMARY: &str = "<analysis>short</analysis>\n<summary>\nSUMMARY-OF-ALL: a file was made.\n</summary>";

/// Without this the provider's prompt cache would be lost with every turn (S13).
#[test]
fn s13_every_turn_and_a_continued_session_begin_with_the_bytes_of_the_turn_before() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        stage.play([bash("call_1", "echo one"), bash("call_2", "echo two"), Answer::text("First half.")]);
        let first = stage.claude(&["-p", "begin"]).await;
        stage.play([bash("call_3", "echo three"), Answer::text("Second half.")]);
        let second = stage.claude(&["-p", "go on", "--continue"]).await;
        stage.all_went_well(&first);
        stage.all_went_well(&second);
        assert_eq!(second.stdout.trim(), "Second half.");
        assert_eq!(stage.results(), ["one", "two", "three"]);
        let calls = stage.calls();
        for (before, after) in calls.iter().zip(&calls[1..]) {
            // The body up to the end of its last message, whose bytes are those of its JSON.
            let last = messages(&before.json()).last().expect("a message").to_string();
            let (before, after) = (String::from_utf8_lossy(&before.body), String::from_utf8_lossy(&after.body));
            let end = before.rfind(&last).expect("the last message as it was sent") + last.len() - 1;
            let shared = before.bytes().zip(after.bytes()).take_while(|(a, b)| a == b).count();
            assert!(
                shared >= end,
                "{}\n{}",
                &before[shared.saturating_sub(100)..],
                &after[shared.saturating_sub(100)..shared + 300]
            );
        }
    });
}

#[test]
fn s01_compact_leaves_a_summary_to_go_on_with() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        stage.play([bash("call_1", "echo LONG-AGO > made.txt"), Answer::text("Made.")]);
        stage.all_went_well(&stage.claude(&["-p", "make a file"]).await);
        stage.play([Answer::text(SUMMARY), Answer::text(SUMMARY)]);
        stage.all_went_well(&stage.claude(&["-p", "/compact", "--continue"]).await);
        stage.play([Answer::text("Going on.")]);
        let run = stage.claude(&["-p", "what was it?", "--continue"]).await;
        stage.all_went_well(&run);
        assert_eq!(run.stdout.trim(), "Going on.");
        let body = stage.last_call().to_string();
        has(&body, "SUMMARY-OF-ALL");
        assert!(!body.contains("LONG-AGO"), "the old turns are gone");
    });
}

/// Words of OpenAI, Moonshot, vLLM and llama.cpp; Claude Code is told in Anthropic's, on which it compacts.
const FULL: [&str; 4] = [
    "This model's maximum context length is 262144 tokens. However, your messages resulted in 270123 tokens. Please reduce the length of the messages.",
    "Invalid request: Your request exceeded model token limit: 262144",
    "'max_tokens' or 'max_completion_tokens' is too large: 32000. This model's maximum context length is 262144 tokens and your request has 270123 input tokens (32000 > 262144 - 270123).",
    "the request exceeds the available context size, try increasing it",
];

#[test]
fn s01_a_full_window_makes_the_client_compact_and_go_on() {
    isolated(|| async {
        for words in FULL {
            let stage = Stage::chat(SimConfig::default()).await;
            let error = json!({"message": words, "type": "invalid_request_error", "param": null, "code": null});
            stage.sim.replace_script([
                Step::answer(bash("call_1", "echo LONG-AGO")),
                Step::answer(bash("call_2", "echo more")),
                Step::json(400, &json!({"error": error})),
                Step::text(SUMMARY),
                Step::text("Went on after the summary."),
            ]);
            let run = stage.claude(&["-p", "work"]).await;
            stage.nothing_was_refused(&run);
            assert_eq!(run.stdout.trim(), "Went on after the summary.", "{words}: {run:?}");
            has(&stage.last_call().to_string(), "SUMMARY-OF-ALL");
            let failed: Vec<_> = stage.log().into_iter().map(|(_, status, _)| status).filter(|s| *s != 200).collect();
            assert_eq!(failed, [400], "{words}");
        }
    });
}
