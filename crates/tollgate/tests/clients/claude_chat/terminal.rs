//! Claude Code as people use it: in a terminal, with its small requests in the background.

use std::time::Duration;

use serde_json::json;
use tollgate_sim::{Answer, Faults, Match, SimConfig, Step};

use crate::stage::{Stage, has, tools};
use crate::support::isolated;

/// Plan mode with an approved plan needs a person: the client offers it only in a terminal.
#[test]
fn s01_a_plan_is_approved_in_the_terminal_and_carried_out() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        let file = stage.path("planned.txt");
        let titled = Match { has_tools: Some(false), ..Match::default() };
        let write = json!({"file_path": file, "content": "as planned\n"});
        stage.sim.replace_script([
            Step::text(r#"{"title": "A title"}"#).when(titled).always(),
            Step::answer(Answer::tool("call_1", "ExitPlanMode", &json!({"plan": "# The plan\n\nWrite one file."}))),
            Step::answer(Answer::tool("call_2", "Write", &write)),
            Step::text("CARRIED-OUT"),
        ]);
        let steps = [
            ("plan mode on", "please plan\r"),
            ("Exit plan mode?", "\r"),
            ("Do you want to create", "\r"),
            ("CARRIED-OUT", ""),
        ];
        let run = stage.terminal(&["--permission-mode", "plan"], &steps).await;
        stage.all_went_well(&run);
        assert_eq!(stage.session.file("planned.txt").as_deref(), Some("as planned\n"), "{}", run.stdout);
        let results = stage.results();
        assert_eq!(results.len(), 2);
        has(&results[0], "plan");
        // The title of the session is asked for in the background, in a form given by a schema.
        let title = stage.calls().into_iter().map(|call| call.json()).find(|body| tools(body).is_empty());
        assert_eq!(title.expect("a title is asked for")["response_format"]["type"], "json_schema");
    });
}

/// What nobody waits for any more is not paid for any more.
#[test]
fn s01_an_answer_that_the_user_stops_is_stopped_upstream_too() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        let titled = Match { has_tools: Some(false), ..Match::default() };
        let slow = Faults { pace: Duration::from_millis(100), ..Faults::default() };
        let long = format!("STARTED-WORD\n\n{}", "and on it goes without an end in sight. ".repeat(400));
        stage.sim.replace_script([
            Step::text(r#"{"title": "A title"}"#).when(titled).always(),
            Step::text(&long).faults(slow),
            Step::text("SECOND-ANSWER"),
        ]);
        let escape = "\u{1b}";
        let steps = [
            ("for agents", "tell me a long story\r"),
            ("STARTED-WORD", escape),
            ("Interrupted", "something else\r"),
            ("SECOND-ANSWER", ""),
        ];
        let run = stage.terminal(&[], &steps).await;
        assert_eq!(run.code, Some(0), "{run:?}");
        let told: Vec<_> = stage.calls().into_iter().filter(|call| !tools(&call.json()).is_empty()).collect();
        assert_eq!(told.len(), 2);
        assert!(told[0].closed_early.is_some(), "the first answer was cut off at its source");
        assert!(told[1].finished.is_some());
        has(&stage.gateway.log(), "client went away");
    });
}
