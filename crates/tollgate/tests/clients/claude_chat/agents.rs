//! Subagents and plan mode.

use serde_json::json;
use tollgate_sim::{Answer, Match, SimConfig, Step};

use crate::stage::{MODEL, Stage, bash, has};
use crate::support::isolated;

/// Words that stand only in the subagent's prompt, and the id of the call that starts it.
const ERRAND: &str = "ERRAND-OF-THE-HELPER";
const CALL: &str = "call_start_helper";

#[test]
fn s01_a_subagent_works_on_its_own_conversation_and_reports() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        let start = json!({"description": "an errand", "prompt": format!("{ERRAND}: make helper.txt"),
            "subagent_type": "general-purpose", "run_in_background": false});
        let helper = |done| Match {
            contains: Some(ERRAND.to_owned()),
            lacks: Some(CALL.to_owned()),
            has_tool_result: Some(done),
            ..Match::default()
        };
        let parent = |has: &str| Match { contains: Some(has.to_owned()), ..Match::default() };
        stage.sim.replace_script([
            Step::answer(bash("call_1", "echo made by the helper > helper.txt")).when(helper(false)),
            Step::text("REPORT-OF-THE-HELPER").when(helper(true)),
            Step::text("The helper is done.").when(parent(CALL)),
            Step::answer(Answer::tool(CALL, "Agent", &start)),
        ]);
        let run = stage.claude(&["-p", "send a helper"]).await;
        stage.all_went_well(&run);
        assert_eq!(stage.session.file("helper.txt").as_deref(), Some("made by the helper\n"), "{run:?}");
        assert_eq!(run.stdout.trim(), "The helper is done.");
        has(&stage.results()[0], "REPORT-OF-THE-HELPER");
        assert!(stage.calls().iter().all(|call| call.json()["model"] == MODEL));
        assert_eq!(stage.calls().len(), 4);
    });
}

/// Two helpers at once: two conversations side by side, and both reports in the order of the calls.
#[test]
fn s01_parallel_subagents_do_not_mix_their_conversations() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        let errand = |name: &str| {
            json!({"description": "an errand", "prompt": format!("ERRAND-{name}"),
            "subagent_type": "Explore", "run_in_background": false})
        };
        let helper = |name: &str, done| Match {
            contains: Some(format!("ERRAND-{name}")),
            lacks: Some(CALL.to_owned()),
            has_tool_result: Some(done),
            ..Match::default()
        };
        let last = Match { contains: Some(CALL.to_owned()), ..Match::default() };
        let both = Answer::tool(&format!("{CALL}_a"), "Agent", &errand("A"));
        stage.sim.replace_script([
            Step::answer(bash("functions.Bash:0", "echo found-a")).when(helper("A", false)),
            Step::answer(bash("functions.Bash:0", "echo found-b")).when(helper("B", false)),
            Step::text("REPORT-A").when(Match { lacks: Some("found-b".to_owned()), ..helper("A", true) }),
            Step::text("REPORT-B").when(helper("B", true)),
            Step::text("Both are back.").when(last),
            Step::answer(both.and_tool(&format!("{CALL}_b"), "Agent", &errand("B"))),
        ]);
        let run = stage.claude(&["-p", "send two"]).await;
        stage.all_went_well(&run);
        assert_eq!(run.stdout.trim(), "Both are back.");
        let results = stage.results();
        has(&results[0], "REPORT-A");
        has(&results[1], "REPORT-B");
        assert_eq!(stage.calls().len(), 6);
    });
}

#[test]
fn s01_plan_mode_plans_and_changes_nothing() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        stage.session.write("notes.txt", "to be read\n");
        stage.play([
            Answer::tool("call_1", "Read", &json!({"file_path": stage.path("notes.txt")})),
            Answer::tool("call_2", "Write", &json!({"file_path": stage.path("rash.txt"), "content": "x"})),
            Answer::text("The plan: read, think, ask."),
        ]);
        let run = stage.claude(&["-p", "plan it", "--permission-mode", "plan"]).await;
        stage.all_went_well(&run);
        assert_eq!(stage.session.file("rash.txt"), None);
        assert_eq!(run.stdout.trim(), "The plan: read, think, ask.");
        has(&stage.results()[0], "to be read");
    });
}
