//! A stream that ends before its end never looks complete: cut after every frame, in every way.

use std::time::Duration;

use serde_json::json;
use tollgate_sim::{Answer, Ending, Faults, Finish, Step};

use crate::chat_checker;
use crate::checker;
use crate::stage::{Setup, Stage, ask, ask_chat};
use crate::support::http::Answer as Answered;

/// Ten frames: the role, two of thinking, two of text, three of a call, the finish, the usage. Then the end marker.
fn answer() -> Answer {
    let answer = Answer::thinking("Hm, let me").and_text("Two things").and_tool("call_1", "Bash", &json!({"a": 123}));
    Answer { piece_chars: 5, ..answer }
}

const FRAMES: usize = 10;
/// The frame that says why the answer ended is the ninth: with it the answer is complete.
const FINISH: usize = 8;

async fn play(stage: &Stage, after: usize, ending: Ending) {
    // The pause lets the frames before the cut arrive ahead of it.
    let faults = Faults { cut_after: Some((after, ending)), pace: Duration::from_millis(2), ..Faults::default() };
    stage.sim.replace_script([Step::answer(answer()).faults(faults).always()]);
}

/// A reset may overtake what was sent before it: then no content was there either.
fn lost(ending: Ending, answer: &Answered) -> bool {
    ending == Ending::Reset && answer.status == 502
}

#[test]
fn an_anthropic_client_is_told_of_every_cut() {
    Setup::default().play(|stage| async move {
        for ending in [Ending::Clean, Ending::Close, Ending::Reset] {
            for after in 0..=FRAMES {
                play(&stage, after, ending).await;
                let answer = stage.messages(&ask(true)).await;
                let name = format!("{ending:?} after {after}: {}", answer.text());
                if after <= 1 || lost(ending, &answer) {
                    // Nothing or only the role: no content was there, so it is an HTTP error.
                    assert_eq!(answer.status, 502, "{name}");
                    assert_eq!(answer.json()["type"], "error", "{name}");
                    assert_eq!(answer.json()["error"]["type"], "api_error", "{name}");
                    continue;
                }
                assert_eq!(answer.status, 200, "{name}");
                let seen = checker::stream(&answer.body);
                if after > FINISH && ending == Ending::Clean {
                    // The finish reason was said; `[DONE]` is a formality that some leave out.
                    assert_eq!(seen.whole().blocks.len(), 3, "{name}");
                } else {
                    assert_eq!(seen.failed()["type"], "api_error", "{name}");
                    assert!(
                        seen.failed()["message"].as_str().unwrap().starts_with("m: "),
                        "the deployment is named: {name}"
                    );
                }
            }
        }
    });
}

#[test]
fn a_chat_client_is_told_of_every_cut() {
    Setup::default().play(|stage| async move {
        for ending in [Ending::Clean, Ending::Close, Ending::Reset] {
            for after in 0..=FRAMES {
                play(&stage, after, ending).await;
                let answer = stage.chat(&ask_chat(true)).await;
                let name = format!("{ending:?} after {after}: {}", answer.text());
                if after <= 1 || lost(ending, &answer) {
                    assert_eq!(answer.status, 502, "{name}");
                    assert!(answer.json()["error"]["message"].is_string(), "{name}");
                    continue;
                }
                assert_eq!(answer.status, 200, "{name}");
                let seen = chat_checker::lenient(&answer.body);
                if after > FINISH && ending == Ending::Clean {
                    assert_eq!((seen.finish.as_deref(), seen.done), (Some("tool_calls"), true), "{name}");
                } else {
                    assert!(seen.failed()["message"].is_string(), "{name}");
                }
            }
        }
    });
}

#[test]
fn a_client_that_wants_one_piece_gets_an_http_error_for_a_cut_stream() {
    let setup = Setup { params: &["force_stream: always"], ..Setup::default() };
    setup.play(|stage| async move {
        for after in 0..=FINISH {
            play(&stage, after, Ending::Clean).await;
            let answer = stage.messages(&ask(false)).await;
            assert_eq!(answer.status, 502, "after {after}: {}", answer.text());
            assert_eq!(answer.json()["type"], "error");
        }
    });
}

#[test]
fn a_cut_one_piece_answer_is_an_http_error() {
    Setup::default().play(|stage| async move {
        for ending in [Ending::Close, Ending::Reset] {
            play(&stage, 1, ending).await;
            for answer in [stage.messages(&ask(false)).await, stage.chat(&ask_chat(false)).await] {
                assert_eq!(answer.status, 502, "{ending:?}: {}", answer.text());
                assert!(answer.json()["error"]["message"].is_string());
            }
        }
    });
}

/// `[DONE]` without a finish reason before it: some local servers do so at the end of a good answer.
#[test]
fn an_end_marker_without_a_finish_reason_is_an_end() {
    Setup::default().play(|stage| async move {
        stage.sim.replace_script([Step::answer(Answer::text("All said.").finish(Finish::Null)).always()]);
        let seen = checker::stream(&stage.messages(&ask(true)).await.body);
        assert_eq!(seen.whole().stop_reason.as_deref(), Some("end_turn"));
    });
}

/// In the same-dialect lane the upstream's own frames go on; a cut among them is told all the same.
#[test]
fn an_anthropic_client_of_an_anthropic_upstream_is_told_of_every_cut() {
    let setup = Setup { model: "anthropic/claude-sonnet-5", ..Setup::default() };
    setup.play(|stage| async move {
        let text = Answer { piece_chars: 5, ..Answer::text("Two things") };
        for ending in [Ending::Clean, Ending::Close, Ending::Reset] {
            // message_start, ping, content_block_start, two deltas, content_block_stop, message_delta, message_stop.
            for after in 0..=7 {
                let faults =
                    Faults { cut_after: Some((after, ending)), pace: Duration::from_millis(2), ..Faults::default() };
                stage.sim.replace_script([Step::answer(text.clone()).faults(faults).always()]);
                let answer = stage.messages(&ask(true)).await;
                let name = format!("{ending:?} after {after}: {}", answer.text());
                if after == 7 && ending == Ending::Clean {
                    // All was said but that it is all: without that the client would wait, or ask again.
                    assert_eq!(
                        (answer.status.as_u16(), answer.text().matches("event: message_stop").count()),
                        (200, 1),
                        "{name}"
                    );
                    assert!(
                        answer.text().ends_with("event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"),
                        "{name}"
                    );
                } else if answer.status == 200 {
                    assert!(after >= 3, "no content was there: {name}");
                    assert!(answer.text().contains("\nevent: error\ndata: {\"type\":\"error\""), "{name}");
                    assert!(!answer.text().contains("message_stop"), "{name}");
                } else {
                    assert_eq!(answer.status, 502, "{name}");
                    assert!(after <= 3 || lost(ending, &answer), "content was there: {name}");
                }
            }
        }
    });
}
