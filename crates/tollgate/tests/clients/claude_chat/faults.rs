//! Upstreams that misbehave.

use std::time::Duration;

use serde_json::json;
use tollgate_sim::{Answer, Arguments, Ending, Faults, Finish, Part, SimConfig, Step, ToolCall, Usage};

use crate::stage::{Stage, bash, has};
use crate::support::isolated;

#[test]
fn s09_a_session_without_any_usage_figures_goes_through() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        stage.play([
            bash("call_1", "echo one").usage(Usage::Missing),
            bash("call_2", "echo two").usage(Usage::Null),
            Answer::text("Done.").usage(Usage::Missing),
        ]);
        let run = stage.claude(&["-p", "go", "--output-format", "json"]).await;
        stage.all_went_well(&run);
        let result: serde_json::Value = serde_json::from_str(&run.stdout).expect("one JSON value");
        let usage = &result["usage"];
        for name in ["input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"] {
            assert!(usage[name].is_u64(), "{name} in {usage}");
        }
        assert!(usage["input_tokens"].as_u64() > Some(1000), "estimated from a prompt of many pages: {usage}");
    });
}

#[test]
fn s15_an_upstream_that_is_cut_in_the_middle_of_a_text_costs_one_repeat() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        let long = "This text is long enough to be cut somewhere in its middle, and nobody would miss the end of it. ";
        let cut = |ending| Faults { cut_after: Some((5, ending)), ..Faults::default() };
        stage.sim.replace_script([
            Step::answer(bash("call_1", "echo one")),
            Step::text(&long.repeat(4)).faults(cut(Ending::Reset)),
            Step::answer(bash("call_2", "echo two")),
            Step::text(&long.repeat(4)).faults(cut(Ending::Clean)),
            Step::text("Whole in the end."),
        ]);
        let run = stage.claude(&["-p", "go"]).await;
        stage.nothing_was_refused(&run);
        assert_eq!(run.stdout.trim(), "Whole in the end.");
        assert_eq!(stage.results(), ["one", "two"]);
        assert_eq!(stage.calls().len(), 5, "each cut costs one repeat");
        let errors: Vec<_> = stage.log().into_iter().filter_map(|(_, _, error)| error).collect();
        assert_eq!(errors.len(), 2, "{errors:?}");
        has(&errors[0], "the upstream broke the connection");
        has(&errors[1], "the upstream closed the stream");
    });
}

/// Refusals that pass and errors inside a stream, one after the other.
#[test]
fn s26_an_upstream_that_is_busy_for_a_moment_is_asked_again() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        let error =
            |words: &str, kind: &str| json!({"error": {"message": words, "type": kind, "code": null, "param": null}});
        let mut slow_down = Step::json(429, &error("Rate limit reached", "rate_limit_error"));
        slow_down.faults.headers.push(("retry-after".to_owned(), "1".to_owned()));
        let inside = error("The server had an error while processing your request", "server_error");
        let after = |frames| Faults { error_after: Some((frames, inside.clone())), ..Faults::default() };
        stage.sim.replace_script([
            slow_down,
            Step::answer(bash("call_1", "echo one")),
            Step::json(503, &error("The engine is currently overloaded", "server_error")),
            Step::answer(bash("call_2", "echo two")),
            Step::text("never seen").faults(after(0)),
            Step::answer(bash("call_3", "echo three")),
            Step::text(&"Seen in part only. ".repeat(9)).faults(after(6)),
            Step::text("Done."),
        ]);
        let run = stage.claude(&["-p", "go"]).await;
        stage.nothing_was_refused(&run);
        assert_eq!(run.stdout.trim(), "Done.");
        assert_eq!(stage.results(), ["one", "two", "three"]);
        let calls = stage.calls();
        assert!(calls[1].at - calls[0].at >= Duration::from_secs(1), "the wait that the upstream asked for is kept");
    });
}

/// The gateway's credential is not the user's: the client must not take the refusal for its own and log out.
#[test]
fn s25_a_refused_credential_of_the_gateway_is_told_in_the_upstreams_words() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        let words = json!({"error": {"message": "Incorrect API key provided: sk-provider.", "type": "invalid_request_error", "code": "invalid_api_key"}});
        stage.sim.replace_script([Step::json(401, &words).always()]);
        let run = stage.claude_with(&["-p", "go"], &[("CLAUDE_CODE_MAX_RETRIES", "0")]).await;
        assert_eq!(run.code, Some(1), "{run:?}");
        has(&run.stdout, "Incorrect API key provided");
        assert!(!run.stdout.contains("sk-provider") && !run.stderr.contains("sk-provider"), "{run:?}");
        assert!(!run.stdout.contains("/login"), "{run:?}");
        assert!(stage.log().iter().all(|(_, status, _)| *status == 502), "{:?}", stage.log());
        assert_eq!(stage.calls().len(), stage.log().len(), "what was refused once is not asked again");
    });
}

#[test]
fn s01_answers_of_odd_forms_do_not_end_a_session() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        let call = |id: &str, arguments| {
            Answer::default().and(Part::Tool(ToolCall { id: id.to_owned(), name: "Bash".to_owned(), arguments }))
        };
        stage.play([
            call("call_1", Arguments::Text("{\"command\": \"echo cut off".to_owned())),
            call("call_2", Arguments::Null),
            call("call_3", Arguments::Object(json!({"command": "echo three", "description": "a test"}))),
            bash("call_4", "echo four").finish(Finish::Given("stop".to_owned())),
            Answer::text("A text and no call.").finish(Finish::Given("tool_calls".to_owned())),
        ]);
        let run = stage.claude(&["-p", "go"]).await;
        stage.all_went_well(&run);
        assert_eq!(run.stdout.trim(), "A text and no call.");
        let results = stage.results();
        assert_eq!(results.len(), 4, "{results:?}");
        has(&results[0], "rror");
        has(&results[1], "rror");
        assert_eq!(results[2..], ["three", "four"]);
    });
}

/// The client asks to go on with a higher limit.
#[test]
fn s01_an_answer_that_was_too_long_or_only_thought_is_continued() {
    isolated(|| async {
        let strict = tollgate_sim::ChatStrictness::default().accepting(&["reasoning_content"]);
        let stage = Stage::chat(SimConfig::default().chat(strict)).await;
        stage.play([
            Answer::text("The first half of").finish(Finish::Given("length".to_owned())),
            Answer::thinking("Only a thought."),
            Answer::text("The end."),
        ]);
        let run = stage.claude(&["-p", "go"]).await;
        stage.all_went_well(&run);
        has(&run.stdout, "The end.");
        assert_eq!(stage.calls().len(), 3);
    });
}

/// Models that think long before their first word: the answer is opened and kept alive.
#[test]
fn s22_a_long_silence_before_the_first_word_is_bridged() {
    isolated(|| async {
        let stage =
            Stage::chat_with(SimConfig::default(), "openai/kimi-k2.5", "tollgate_settings:\n  commit_after_ms: 200")
                .await;
        let slow = Faults { before_headers: Duration::from_secs(2), ..Faults::default() };
        let pause = Faults { silence: Some((2, Duration::from_secs(2))), ..Faults::default() };
        stage.sim.replace_script([
            Step::answer(bash("call_1", "echo one")).faults(slow),
            Step::text("Late, but whole.").faults(pause),
        ]);
        let run = stage.claude(&["-p", "go"]).await;
        stage.all_went_well(&run);
        assert_eq!(run.stdout.trim(), "Late, but whole.");
        assert_eq!(stage.calls().len(), 2, "nothing was asked twice");
    });
}
