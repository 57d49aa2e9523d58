//! Sessions during which an upstream fails: they end with the right files, each tool having run once.

use std::time::Duration;

use serde_json::json;
use tokio::time::sleep;
use tollgate_sim::{Answer, Ending, Faults, Sim, SimConfig, Step};

use crate::stage::{Stage, bash, has};
use crate::support::{Run, isolated};

/// Each call adds a line to a file: one that is run twice, or not at all, shows.
fn adds(id: &str, line: &str) -> Answer {
    bash(id, &format!("echo {line} >> lines.txt"))
}

#[track_caller]
fn has_lines(stage: &Stage, run: &Run, lines: &str) {
    assert_eq!(run.code, Some(0), "{run:?}\n{}", stage.gateway.log());
    has(&run.stdout, "All lines are there.");
    let written = std::fs::read_to_string(stage.session.work().join("lines.txt")).unwrap_or_default();
    assert_eq!(written, lines, "{run:?}\n{}", stage.gateway.log());
}

#[test]
fn a_storm_of_529_on_one_of_two_deployments_is_not_noticed() {
    isolated(|| async {
        let words = json!({"error": {"message": "Overloaded", "type": "overloaded_error"}});
        let stormy = SimConfig::default().step(Step::json(529, &words).always());
        let (stage, stormy) = Stage::pair(SimConfig::default(), stormy).await;
        let script = ["one", "two", "three", "four"].map(|line| adds(&format!("call_{line}"), line));
        stage.play(script.into_iter().chain([Answer::text("All lines are there.")]));
        let run = stage.claude(&["-p", "go"]).await;
        has_lines(&stage, &run, "one\ntwo\nthree\nfour\n");
        stage.all_went_well(&run);
        assert_eq!(stage.calls().len(), 5);
        // The conversation stays where it was answered, so that the other is asked once at most for it.
        assert!(stormy.requests().len() <= 4, "{}", stormy.requests().len());
    });
}

#[test]
fn s15_a_cut_in_a_tool_call_repeats_the_turn_and_no_tool() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        let cut = |frames, ending| Faults { cut_after: Some((frames, ending)), ..Faults::default() };
        let talked = |id: &str, line: &str| Answer::text("I add a line. ").and_tool(id, "Bash", &add(line));
        stage.sim.replace_script([
            Step::answer(adds("call_1", "one")),
            // After the name and a piece of the arguments, and after a text as well.
            Step::answer(adds("call_2", "lost")).faults(cut(3, Ending::Reset)),
            Step::answer(adds("call_3", "two")),
            Step::answer(talked("call_4", "lost")).faults(cut(5, Ending::Clean)),
            Step::answer(adds("call_5", "three")),
            Step::text("All lines are there."),
        ]);
        let run = stage.claude(&["-p", "go"]).await;
        stage.nothing_was_refused(&run);
        has_lines(&stage, &run, "one\ntwo\nthree\n");
        assert_eq!(stage.calls().len(), 6);
        let errors = stage.log().into_iter().filter(|(_, _, error)| error.is_some()).count();
        assert_eq!(errors, 2, "the client was told of both: {:?}", stage.log());
    });
}

fn add(line: &str) -> serde_json::Value {
    json!({"command": format!("echo {line} >> lines.txt"), "description": "a test"})
}

#[test]
fn an_upstream_that_restarts_between_two_turns_is_waited_for() {
    isolated(|| async {
        let mut stage = Stage::chat(SimConfig::default()).await;
        stage.play([bash("call_1", "echo one >> lines.txt; sleep 1")]);
        let restarts = async {
            stage.sim.wait_until(|all| all.iter().any(|request| request.path.ends_with("/chat/completions"))).await;
            // The answer is on its way, and the tool runs while the upstream goes.
            sleep(Duration::from_millis(500)).await;
            stage.sim.stop();
            sleep(Duration::from_secs(2)).await;
            let script = [Step::answer(adds("call_2", "two")), Step::text("All lines are there.")];
            Sim::start_on(stage.sim.addr(), SimConfig::default().steps(script).key(crate::stage::PROVIDER_KEY)).await
        };
        let (run, restarted) = tokio::join!(stage.claude(&["-p", "go"]), restarts);
        stage.sim = restarted;
        stage.nothing_was_refused(&run);
        has_lines(&stage, &run, "one\ntwo\n");
    });
}
