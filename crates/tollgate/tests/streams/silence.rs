//! Silent upstreams: the client's stream is opened and kept alive, and a silence that is too long is told.

use std::time::Duration;

use tollgate_sim::{Answer, Faults, Step};

use crate::chat_checker;
use crate::checker::{self, text};
use crate::stage::{Setup, ask, ask_chat};

const COMMIT: &str = "tollgate_settings: { commit_after_ms: 300 }\n";

fn quiet(faults: Faults) -> Step {
    Step::answer(Answer::text("At last.")).faults(faults).always()
}

/// Silence before the headers, before the first frame and after the role: to the client it is all the same.
fn early() -> Vec<Faults> {
    let long = Duration::from_millis(1500);
    vec![
        Faults { before_headers: long, ..Faults::default() },
        Faults { silence: Some((0, long)), ..Faults::default() },
        Faults { silence: Some((1, long)), ..Faults::default() },
    ]
}

#[test]
fn a_silent_start_is_opened_and_pinged_and_the_stream_goes_on() {
    let setup = Setup { settings: COMMIT, ..Setup::default() };
    setup.play(|stage| async move {
        for faults in early() {
            let name = format!("{faults:?}");
            stage.sim.replace_script([quiet(faults)]);
            let mut open = stage.open("/v1/messages", &ask(true)).await;
            assert_eq!(open.status, 200, "{name}");
            open.until("event: ping").await;
            assert!(open.text().starts_with("event: message_start\n"), "{name}: {}", open.text());
            assert!(!open.text().contains("content_block"), "{name}: {}", open.text());
            let seen = checker::stream(&open.rest().await);
            assert_eq!(seen.whole().blocks, [text("At last.")], "{name}");
            assert!(seen.pings >= 1);
            assert!(seen.start_usage["input_tokens"].as_u64() > Some(5), "an estimate: {}", seen.start_usage);
        }
    });
}

#[test]
fn a_silent_start_of_a_chat_stream_is_kept_alive_with_comments() {
    let setup = Setup { settings: COMMIT, ..Setup::default() };
    setup.play(|stage| async move {
        for faults in early() {
            let name = format!("{faults:?}");
            stage.sim.replace_script([quiet(faults)]);
            let mut open = stage.open("/v1/chat/completions", &ask_chat(true)).await;
            assert_eq!(open.status, 200, "{name}");
            open.until(": ping\n\n").await;
            let seen = chat_checker::lenient(&open.rest().await);
            assert!(seen.done && seen.text == "At last.", "{name}: {seen:?}");
        }
    });
}

/// After the opening an upstream's refusal can only be an error event.
#[test]
fn a_refusal_after_the_opening_is_an_error_event() {
    let setup = Setup { settings: COMMIT, ..Setup::default() };
    setup.play(|stage| async move {
        let refusal = Step::json(
            400,
            &serde_json::json!({"error": {"message": "not like this", "type": "invalid_request_error"}}),
        );
        stage.sim.replace_script([refusal
            .faults(Faults { before_headers: Duration::from_millis(900), ..Faults::default() })
            .always()]);
        let answer = stage.messages(&ask(true)).await;
        assert_eq!(answer.status, 200);
        let seen = checker::stream(&answer.body);
        assert_eq!(seen.failed()["type"], "invalid_request_error");
        assert!(seen.failed()["message"].as_str().unwrap().contains("not like this"));
        let chat = chat_checker::lenient(&stage.chat(&ask_chat(true)).await.body);
        assert!(chat.failed()["message"].as_str().unwrap().contains("not like this"));
    });
}

/// A client that asked for one answer gets no byte before it.
#[test]
fn a_silent_start_of_a_one_piece_answer_changes_nothing() {
    let setup = Setup { settings: COMMIT, ..Setup::default() };
    setup.play(|stage| async move {
        stage.sim.replace_script([quiet(Faults { before_headers: Duration::from_millis(700), ..Faults::default() })]);
        let answer = stage.messages(&ask(false)).await;
        assert_eq!(checker::message(&answer.json()).blocks, [text("At last.")]);
    });
}

#[test]
fn s22_a_stream_that_falls_silent_ends_with_an_error_that_names_the_setting() {
    let setup = Setup { params: &["stream_timeout: 1"], ..Setup::default() };
    setup.play(|stage| async move {
        let silent = |after| Faults { silence: Some((after, Duration::from_secs(60))), ..Faults::default() };
        stage.sim.replace_script([quiet(silent(2))]);
        let answer = stage.messages(&ask(true)).await;
        assert_eq!(answer.status, 200);
        let seen = checker::stream(&answer.body);
        assert_eq!(seen.failed()["type"], "timeout_error");
        let message = seen.failed()["message"].as_str().unwrap();
        assert!(message.contains("stream_timeout") && message.contains("after 1 s"), "{message}");
        let chat = chat_checker::lenient(&stage.chat(&ask_chat(true)).await.body);
        assert!(chat.failed()["message"].as_str().unwrap().contains("stream_timeout"));
        // Before any content it is an HTTP error.
        for faults in [silent(0), silent(1), Faults { before_headers: Duration::from_secs(60), ..Faults::default() }] {
            let name = format!("{faults:?}");
            stage.sim.replace_script([quiet(faults)]);
            let answer = stage.messages(&ask(true)).await;
            assert_eq!(answer.status, 504, "{name}: {}", answer.text());
            assert_eq!(answer.json()["error"]["type"], "timeout_error", "{name}");
            assert!(answer.text().contains("stream_timeout"), "{name}: {}", answer.text());
        }
    });
}

#[test]
fn s22_an_answer_in_one_piece_that_does_not_come_names_its_setting() {
    let setup = Setup { params: &["timeout: 1"], ..Setup::default() };
    setup.play(|stage| async move {
        stage.sim.replace_script([quiet(Faults { before_headers: Duration::from_secs(60), ..Faults::default() })]);
        let answer = stage.messages(&ask(false)).await;
        assert_eq!(answer.status, 504, "{}", answer.text());
        assert!(answer.text().contains("litellm_params.timeout"), "{}", answer.text());
    });
}
