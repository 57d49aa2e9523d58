//! Providers that take less than the client sends. The first refusal teaches the gateway; the client notices nothing.

use serde_json::json;
use tollgate_sim::{Answer, ChatStrictness, Ending, Faults, SimConfig, Step, ToolDeltas, Words};

use crate::stage::{Stage, bash};
use crate::support::{Run, isolated};

/// The client ended well and saw no error; of the provider's refusals there are these many.
#[track_caller]
fn unnoticed(stage: &Stage, run: &Run, refusals: usize) {
    let refused: Vec<_> = stage.sim.requests().into_iter().filter_map(|request| request.refused).collect();
    assert_eq!(refused.len(), refusals, "{refused:?}");
    assert_eq!(run.code, Some(0), "{run:?}");
    let failed: Vec<_> =
        stage.log().into_iter().filter(|(_, status, error)| *status != 200 || error.is_some()).collect();
    assert!(failed.is_empty(), "{failed:?}");
}

/// The client asks for 32,000 tokens, and after a broken stream for an answer in one piece.
#[test]
fn s05_a_cap_and_streams_only_are_learned_once_for_the_whole_session() {
    isolated(|| async {
        let strict = ChatStrictness {
            words: Words::Pydantic,
            max_tokens_cap: Some(16_384),
            stream_only_above: Some(4096),
            ..ChatStrictness::default()
        };
        let stage = Stage::chat(SimConfig::default().chat(strict)).await;
        let cut = Faults { cut_after: Some((6, Ending::Clean)), ..Faults::default() };
        stage.sim.replace_script([
            Step::answer(bash("call_1", "echo one")),
            Step::answer(Answer::text(&"Cut before its end. ".repeat(9))).faults(cut),
            Step::answer(bash("call_2", "echo two")),
            Step::text("Done."),
        ]);
        let run = stage.claude(&["-p", "go"]).await;
        assert_eq!(run.code, Some(0), "{run:?}\n{}", stage.gateway.log());
        assert_eq!(run.stdout.trim(), "Done.");
        assert_eq!(stage.results(), ["one", "two"]);
        let refused: Vec<_> = stage.sim.requests().into_iter().filter_map(|request| request.refused).collect();
        assert_eq!(refused.len(), 2, "each is learned once: {refused:?}");
        assert_eq!(stage.log().iter().filter(|(_, _, error)| error.is_some()).count(), 1, "the cut is all that failed");
        assert_eq!(stage.last_call()["max_tokens"], 16_384);
    });
}

#[test]
fn s05_a_configured_cap_is_kept_without_a_refusal() {
    isolated(|| async {
        let strict = ChatStrictness { max_tokens_cap: Some(8192), ..ChatStrictness::default() };
        let cap = "      max_output_tokens: 8192";
        let stage = Stage::chat_with(SimConfig::default().chat(strict), "openai/kimi-k2.5", cap).await;
        stage.play([bash("call_1", "echo one"), Answer::text("Done.")]);
        let run = stage.claude(&["-p", "go"]).await;
        stage.all_went_well(&run);
        assert_eq!(stage.last_call()["max_tokens"], 8192);
    });
}

/// Templates of local servers: strings only, roles that alternate, one system message at the start.
#[test]
fn s01_a_server_with_a_strict_template_takes_whole_sessions() {
    isolated(|| async {
        let strict = ChatStrictness {
            alternating: true,
            leading_system_only: true,
            text_only: true,
            tool_text_only: true,
            refuses_empty_tool_content: true,
            ..ChatStrictness::default()
        };
        let quirks = "      quirks:\n        string_content: true\n        strict_alternation: true\n        empty_result: \"(no output)\"";
        let stage = Stage::chat_with(SimConfig::default().chat(strict), "openai/local", quirks).await;
        stage.play([
            bash("call_1", "true").and_tool("call_2", "Bash", &json!({"command": "echo two", "description": "a test"})),
            bash("call_3", "echo three"),
            Answer::text("Half."),
        ]);
        stage.all_went_well(&stage.claude(&["-p", "go"]).await);
        stage.play([Answer::text("Whole.")]);
        stage.all_went_well(&stage.claude(&["-p", "and?", "--continue"]).await);
        assert_eq!(stage.results().len(), 3);
    });
}

/// Mistral's ids are nine letters or digits, and its refusals have their own form.
#[test]
fn s01_mistral_gets_ids_of_its_form_through_the_whole_history() {
    isolated(|| async {
        let strict = ChatStrictness { nine_char_ids: true, ..ChatStrictness::default() };
        let stage = Stage::chat_with(SimConfig::default().chat(strict), "mistral/devstral-medium-latest", "").await;
        stage.play([bash("a1B2c3D4e", "echo one"), bash("a1B2c3D4e", "echo two"), Answer::text("Done.")]);
        let run = stage.claude(&["-p", "go"]).await;
        stage.all_went_well(&run);
        assert_eq!(stage.results(), ["one", "two"]);
    });
}

/// Forms in which compatible servers stream calls.
#[test]
fn s01_calls_in_any_streamed_form_reach_the_client() {
    isolated(|| async {
        let stage = Stage::chat(SimConfig::default()).await;
        let forms = [
            ToolDeltas::NoIndex,
            ToolDeltas::NoId,
            ToolDeltas::EmptyId,
            ToolDeltas::Repeated,
            ToolDeltas::Whole,
            ToolDeltas::Interleaved,
        ];
        let two = |i: usize, form| {
            let second = json!({"command": format!("echo second-{i}"), "description": "a test"});
            bash("call_a", &format!("echo first-{i}")).and_tool("call_b", "Bash", &second).tool_deltas(form)
        };
        let answers = forms.into_iter().enumerate().map(|(i, form)| two(i, form));
        stage.play(answers.chain([Answer::text("Done.")]));
        let run = stage.claude(&["-p", "go"]).await;
        unnoticed(&stage, &run, 0);
        let expected: Vec<_> = (0..6).flat_map(|i| [format!("first-{i}"), format!("second-{i}")]).collect();
        assert_eq!(stage.results(), expected);
    });
}
