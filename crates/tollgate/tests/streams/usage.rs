//! S09: whatever the upstream says of its tokens, the client gets whole numbers.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::timeout;
use tollgate_sim::{Answer, Faults, Step, Usage};

use crate::checker;
use crate::stage::{PATIENCE, Setup, ask, ask_chat};

/// A prompt of about a thousand tokens: 100 sentences of ten words and a stop.
fn long_ask(stream: bool) -> Value {
    let mut body = ask(stream);
    body["messages"][0]["content"] = json!("The quick brown fox jumps over the lazy dog again. ".repeat(100));
    body
}

/// An answer of about 300 tokens.
fn answer() -> Answer {
    Answer::text(&"The quick brown fox jumps over the lazy dog again. ".repeat(30))
}

/// Forms, and whether the input and the output must be estimated.
fn forms() -> Vec<(&'static str, Usage, bool)> {
    vec![
        ("normal", Usage::Normal, false),
        ("missing", Usage::Missing, true),
        ("null", Usage::Null, true),
        ("{}", Usage::Empty, true),
        ("strings", Usage::Strings, false),
        ("floats", Usage::Floats, false),
        ("total only", Usage::TotalOnly, true),
        ("every chunk", Usage::EveryChunk, false),
        ("on finish", Usage::OnFinish, false),
        ("words", Usage::Exact(json!({"prompt_tokens": "many", "completion_tokens": null})), true),
        ("negative", Usage::Exact(json!({"prompt_tokens": -1, "completion_tokens": -1})), true),
        ("a list", Usage::Exact(json!([])), true),
        ("a number", Usage::Exact(json!(7)), true),
        ("output only", Usage::Exact(json!({"completion_tokens": 300})), true),
        (
            "details null",
            Usage::Exact(json!({"prompt_tokens": 1000, "completion_tokens": 300, "prompt_tokens_details": null})),
            false,
        ),
        (
            "details of strings",
            Usage::Exact(json!({"prompt_tokens": "1000", "completion_tokens": "300",
            "prompt_tokens_details": {"cached_tokens": "12"}})),
            false,
        ),
    ]
}

/// Our own count of a thousand English words with stops is near a thousand tokens; vendors differ by a few percent, the
/// simulated one counts four bytes as a token.
fn near(name: &str, usage: &Value) {
    let input = usage["input_tokens"].as_u64().unwrap() + usage["cache_read_input_tokens"].as_u64().unwrap();
    let output = usage["output_tokens"].as_u64().unwrap();
    assert!((900..1700).contains(&input), "{name}: {usage}");
    assert!((270..430).contains(&output), "{name}: {usage}");
}

#[test]
fn s09_every_form_of_usage_gives_whole_numbers_on_a_stream() {
    Setup::default().play(|stage| async move {
        for (name, form, estimated) in forms() {
            stage.sim.replace_script([Step::answer(answer().usage(form)).always()]);
            let answer = stage.messages(&long_ask(true)).await;
            let seen = checker::stream(&answer.body);
            near(name, &seen.whole().usage);
            assert!(seen.start_usage["input_tokens"].as_u64() > Some(900), "{name}: {}", seen.start_usage);
            let id = answer.header("request-id").unwrap().to_owned();
            let line = stage.log_of(&id).await;
            let changes = line["changes"].as_str().unwrap_or_default();
            assert_eq!(changes.contains("estimated:usage"), estimated, "{name}: {line}");
            assert_eq!(line["output_tokens"], seen.usage["output_tokens"], "{name}: {line}");
        }
    });
}

#[test]
fn s09_every_form_of_usage_gives_whole_numbers_in_one_piece() {
    Setup::default().play(|stage| async move {
        for (name, form, estimated) in forms() {
            stage.sim.replace_script([Step::answer(answer().usage(form)).always()]);
            let answer = stage.messages(&long_ask(false)).await;
            near(name, &checker::message(&answer.json()).usage);
            let changes = answer.header("x-tollgate-changes").unwrap_or_default();
            assert_eq!(changes.contains("estimated:usage"), estimated, "{name}: {:?}", answer.headers);
        }
    });
}

/// The same-dialect lane: usage of an Anthropic-compatible server that is no number is repaired in its own bytes, with what is known or counted.
/// Clients lay the counts of the end over those of the beginning.
#[test]
fn s09_an_anthropic_upstream_with_odd_usage_gives_whole_numbers() {
    let setup = Setup { model: "anthropic/glm-5", ..Setup::default() };
    setup.play(|stage| async move {
        let forms = [Usage::Normal, Usage::Missing, Usage::Null, Usage::Empty, Usage::Strings, Usage::Floats];
        for form in forms {
            let name = format!("{form:?}");
            stage.sim.replace_script([Step::answer(answer().usage(form)).always()]);
            let streamed = stage.messages(&long_ask(true)).await;
            assert_eq!(streamed.status, 200, "{name}: {}", streamed.text());
            let mut seen = serde_json::Map::new();
            for frame in streamed.text().split("\n\n").filter_map(|frame| frame.split_once("\ndata: ")) {
                let data: Value = serde_json::from_str(frame.1).unwrap();
                let usage = match frame.0 {
                    "event: message_start" => &data["message"]["usage"],
                    "event: message_delta" => &data["usage"],
                    _ => continue,
                };
                seen.extend(usage.as_object().unwrap_or_else(|| panic!("{name}: {data}")).clone());
                if frame.0 == "event: message_start" {
                    assert!(usage["input_tokens"].as_u64() > Some(900), "{name}: {usage}");
                }
            }
            let seen = Value::from(seen);
            checker::counts(&seen);
            near(&name, &seen);
            let whole = stage.messages(&long_ask(false)).await;
            assert_eq!(whole.status, 200, "{name}: {}", whole.text());
            checker::counts(&whole.json()["usage"]);
            near(&name, &whole.json()["usage"]);
        }
    });
}

/// Sentences of ten words and a stop arrive, one a piece, eight or more; then nothing more.
fn sentences_then_silence() -> Step {
    let sentence = "The quick brown fox jumps over the lazy dog again. ";
    let answer = Answer { piece_chars: sentence.len(), ..Answer::text(&sentence.repeat(30)) };
    let silence = Some((12, Duration::from_secs(60)));
    Step::answer(answer).faults(Faults { silence, ..Faults::default() }).always()
}

#[test]
fn s29_an_aborted_stream_is_billed_for_what_was_seen() {
    let params = &["input_cost_per_token: 0.001", "output_cost_per_token: 0.002"];
    for model in ["openai/up", "anthropic/up"] {
        Setup { model, params, ..Setup::default() }.play(|stage| async move {
            let mut chat = ask_chat(true);
            chat["messages"] = long_ask(true)["messages"].clone();
            for (path, body) in [("/v1/messages", long_ask(true)), ("/v1/chat/completions", chat)] {
                stage.sim.replace_script([sentences_then_silence()]);
                let mut open = stage.open(path, &body).await;
                while String::from_utf8_lossy(&open.seen).matches("quick").count() < 8 {
                    let piece = open.piece().await.unwrap_or_else(|| panic!("it ended: {}", open.text()));
                    open.seen.extend_from_slice(&piece);
                }
                drop(open);
            }
            let both = async {
                while stage.logged("client went away").len() < 2 {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            };
            timeout(PATIENCE, both).await.unwrap_or_else(|_| panic!("a line for each: {}", stage.gateway.log()));
            let lines = stage.logged("client went away");
            for line in lines {
                let (input, output) = (line["input_tokens"].as_u64().unwrap(), line["output_tokens"].as_u64().unwrap());
                assert!((900..1400).contains(&input), "{line}");
                assert!((85..140).contains(&output), "eleven tokens a sentence: {line}");
                assert_eq!(line["cost_nanos"], input * 1_000_000 + output * 2_000_000, "{line}");
            }
        });
    }
}
