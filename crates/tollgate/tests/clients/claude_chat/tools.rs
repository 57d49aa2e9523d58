//! The client's own tools.

use serde_json::json;
use tollgate_sim::{Answer, SimConfig};

use crate::stage::{Stage, bash, has, messages};
use crate::support::isolated;

#[test]
fn s01_a_session_uses_write_read_edit_bash_grep_and_glob() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        let file = stage.path("src/greeting.txt");
        stage.play([
            Answer::text("First the file.").and_tool(
                "call_1",
                "Write",
                &json!({"file_path": file, "content": "hello wörld ✓\n"}),
            ),
            Answer::tool("call_2", "Read", &json!({"file_path": file})),
            Answer::tool(
                "call_3",
                "Edit",
                &json!({"file_path": file, "old_string": "hello", "new_string": "good day"}),
            ),
            bash("call_4", "wc -c < src/greeting.txt"),
            Answer::tool("call_5", "Grep", &json!({"pattern": "day", "output_mode": "content"})),
            Answer::tool("call_6", "Glob", &json!({"pattern": "**/*.txt"})),
            Answer::text("All done."),
        ]);
        // Without `--tools` this version searches by shell commands and has no Grep and Glob.
        let run = stage.claude(&["-p", "make a greeting", "--tools", "Bash,Edit,Read,Write,Grep,Glob"]).await;
        stage.all_went_well(&run);
        assert_eq!(stage.session.file("src/greeting.txt").as_deref(), Some("good day wörld ✓\n"));
        assert_eq!(run.stdout.trim(), "All done.");
        let results = stage.results();
        assert_eq!(results.len(), 6, "{results:?}");
        has(&results[1], "hello wörld ✓");
        has(&results[3], "20");
        has(&results[4], "src/greeting.txt:1:good day");
        has(&results[5], "src/greeting.txt");
    });
}

#[test]
fn s01_parallel_calls_of_one_turn_all_run_and_all_come_back_in_order() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        let both = Answer::text("Three at once.").and_tool(
            "call_a",
            "Bash",
            &json!({"command": "echo one", "description": "a test"}),
        );
        let both = both
            .and_tool("call_b", "Write", &json!({"file_path": stage.path("two.txt"), "content": "two\n"}))
            .and_tool("call_c", "Bash", &json!({"command": "echo three", "description": "a test"}));
        stage.play([both.tool_deltas(tollgate_sim::ToolDeltas::Interleaved), Answer::text("Fine.")]);
        let run = stage.claude(&["-p", "go"]).await;
        stage.all_went_well(&run);
        assert_eq!(stage.session.file("two.txt").as_deref(), Some("two\n"));
        let body = stage.last_call();
        let ids: Vec<_> = messages(&body).iter().filter_map(|message| message["tool_call_id"].as_str()).collect();
        assert_eq!(ids, ["call_a", "call_b", "call_c"]);
        let results = stage.results();
        has(&results[0], "one");
        has(&results[2], "three");
    });
}

/// Kimi counts its ids from 0 in each turn. A repeated id would make the client drop the earlier result.
#[test]
fn s01_tool_ids_that_the_model_repeats_do_not_lose_results() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        stage.play([
            bash("functions.Bash:0", "echo first-result"),
            bash("functions.Bash:0", "echo second-result"),
            bash("functions.Bash:0", "echo third-result"),
            Answer::text("Done."),
        ]);
        let run = stage.claude(&["-p", "go"]).await;
        stage.all_went_well(&run);
        let results = stage.results();
        assert_eq!(results, ["first-result", "second-result", "third-result"]);
    });
}
