//! Errors inside a 200, answers of the wrong form, refusals, repeated ids.

use serde_json::{Value, json};
use tollgate_sim::{Answer, Faults, Piece, Shape, Step};

use crate::chat_checker;
use crate::checker::{self, Block, text, thinking, tool};
use crate::stage::{Setup, ask, ask_chat};

/// The forms of the vendors (OpenRouter, vLLM, Ollama, older vLLM, xAI), each with the words that must reach the client.
fn in_stream_errors() -> Vec<Value> {
    vec![
        json!({"error": {"message": "Provider returned a hiccup", "type": "server_error", "code": 502}}),
        json!({"id": "c1", "object": "chat.completion.chunk", "error": {"code": "server_error", "message": "a hiccup"},
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}]}),
        json!({"error": "a hiccup"}),
        json!({"object": "error", "message": "a hiccup", "type": "InternalServerError", "code": 500}),
        json!({"code": "internal", "error": "a hiccup"}),
    ]
}

fn said(words: &Value) -> bool {
    words.as_str().is_some_and(|words| words.contains("hiccup"))
}

#[test]
fn an_error_in_a_200_before_any_content_is_an_http_error_with_the_upstreams_words() {
    Setup::default().play(|stage| async move {
        for error in in_stream_errors() {
            for after in [0, 1] {
                let faults = Faults { error_after: Some((after, error.clone())), ..Faults::default() };
                stage.sim.replace_script([Step::answer(Answer::text("Hello")).faults(faults).always()]);
                for answer in [stage.messages(&ask(true)).await, stage.chat(&ask_chat(true)).await] {
                    assert!(answer.status.is_server_error(), "{error}: {} {}", answer.status, answer.text());
                    assert!(said(&answer.json()["error"]["message"]), "{error}: {}", answer.text());
                    assert_eq!(answer.header("content-type"), Some("application/json"));
                }
            }
        }
    });
}

#[test]
fn an_error_after_content_is_an_error_event_with_the_upstreams_words() {
    Setup::default().play(|stage| async move {
        for error in in_stream_errors() {
            for after in [2, 3] {
                let faults = Faults { error_after: Some((after, error.clone())), ..Faults::default() };
                let answer = Answer { piece_chars: 3, ..Answer::text("Hello") };
                stage.sim.replace_script([Step::answer(answer).faults(faults).always()]);
                let answer = stage.messages(&ask(true)).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                let seen = checker::stream(&answer.body);
                assert!(said(&seen.failed()["message"]), "{error}: {}", answer.text());
                let answer = stage.chat(&ask_chat(true)).await;
                let seen = chat_checker::lenient(&answer.body);
                assert!(said(&seen.failed()["message"]), "{error}: {}", answer.text());
            }
        }
    });
}

/// The upstream's own status in the error decides the kind, not the 200 around it.
#[test]
fn errors_in_a_200_keep_their_kind() {
    let rows = [
        (json!({"error": {"message": "slow down", "code": 429}}), 429, "rate_limit_error"),
        (json!({"error": {"message": "we are overloaded", "code": 503}}), 529, "overloaded_error"),
        (
            json!({"error": {"message": "This model's maximum context length is 8192 tokens", "code": "context_length_exceeded"}}),
            400,
            "invalid_request_error",
        ),
        (json!({"error": {"message": "Insufficient credits", "code": 402}}), 402, "billing_error"),
        (json!({"error": {"message": "bad key", "code": 401}}), 502, "api_error"),
    ];
    Setup::default().play(|stage| async move {
        for (error, status, kind) in rows {
            for stream in [true, false] {
                let step = if stream {
                    Step::sse(vec![Piece::text(&format!("data: {error}\n\n"))])
                } else {
                    Step::json(200, &error)
                };
                stage.sim.replace_script([step.always()]);
                let answer = stage.messages(&ask(stream)).await;
                assert_eq!(answer.status, status, "{error}: {}", answer.text());
                assert_eq!(answer.json()["error"]["type"], kind, "{error}: {}", answer.text());
            }
        }
    });
}

/// A finish reason that means failure, after content: never a clean end.
#[test]
fn a_finish_reason_of_failure_is_no_end() {
    Setup::default().play(|stage| async move {
        for reason in ["error", "insufficient_system_resource", "network_error", "ERROR"] {
            let answer = Answer::text("So far.").finish(tollgate_sim::Finish::Given(reason.into()));
            stage.sim.replace_script([Step::answer(answer).always()]);
            let streamed = stage.messages(&ask(true)).await;
            let seen = checker::stream(&streamed.body);
            assert_eq!(seen.failed()["type"], "api_error", "{reason}: {}", streamed.text());
            let whole = stage.messages(&ask(false)).await;
            assert_eq!(whole.status, 502, "{reason}: {}", whole.text());
        }
    });
}

#[test]
fn answers_that_are_none_are_http_errors() {
    let rows = [
        ("an HTML page", Step::http(200, "text/html", "<html><body>Sign in</body></html>")),
        ("an HTML page that says it is a stream", Step::http(200, "text/event-stream", "<html></html>")),
        ("nothing", Step::http(200, "text/event-stream", "")),
        ("nothing but an end marker", Step::http(200, "text/event-stream", "data: [DONE]\n\n")),
        ("nothing but comments", Step::http(200, "text/event-stream", ": ping\n\n: ping\n\n")),
        ("garbage", Step::http(200, "text/event-stream", "data: {\"choices\n\n")),
        ("plain text", Step::http(200, "text/plain", "upstream connect error")),
        ("an empty object", Step::http(200, "application/json", "{}")),
        ("an empty JSON answer", Step::http(200, "application/json", "")),
        ("no choices", Step::http(200, "application/json", "{\"choices\": []}")),
        ("a Responses answer", Step::http(200, "application/json", "{\"object\":\"response\",\"output\":[]}")),
    ];
    Setup::default().play(|stage| async move {
        for (name, step) in rows {
            stage.sim.replace_script([step.always()]);
            for stream in [true, false] {
                for answer in [stage.messages(&ask(stream)).await, stage.chat(&ask_chat(stream)).await] {
                    assert_eq!(answer.status, 502, "{name}, stream {stream}: {}", answer.text());
                    assert!(
                        answer.json()["error"]["message"].as_str().is_some_and(|m| m.starts_with("m: ")),
                        "{name}: {}",
                        answer.text()
                    );
                }
            }
        }
    });
}

fn good() -> (Answer, Vec<Block>) {
    let answer = Answer::thinking("Hm.").and_text("Hello").and_tool("call_1", "Bash", &json!({"command": "ls"}));
    (answer, vec![thinking("Hm."), text("Hello"), tool("call_1", "Bash", &json!({"command": "ls"}))])
}

#[test]
fn a_json_answer_to_a_stream_request_becomes_a_stream() {
    Setup::default().play(|stage| async move {
        let (answer, blocks) = good();
        let faults = Faults { shape: Some(Shape::Json), ..Faults::default() };
        stage.sim.replace_script([Step::answer(answer).faults(faults).always()]);
        let answer = stage.messages(&ask(true)).await;
        assert!(answer.header("content-type").unwrap().starts_with("text/event-stream"));
        assert_eq!(checker::stream(&answer.body).whole().blocks, blocks);
        let answer = stage.chat(&ask_chat(true)).await;
        assert!(answer.header("content-type").unwrap().starts_with("text/event-stream"), "{:?}", answer.headers);
        let seen = chat_checker::strict(&answer.body);
        assert!(seen.done && seen.text == "Hello" && seen.calls.len() == 1, "{}", answer.text());
    });
}

#[test]
fn a_stream_in_answer_to_a_one_piece_request_becomes_one_piece() {
    Setup::default().play(|stage| async move {
        let (answer, blocks) = good();
        let faults = Faults { shape: Some(Shape::Sse), ..Faults::default() };
        stage.sim.replace_script([Step::answer(answer).faults(faults).always()]);
        let answer = stage.messages(&ask(false)).await;
        assert_eq!(checker::message(&answer.json()).blocks, blocks);
        let answer = stage.chat(&ask_chat(false)).await;
        assert_eq!(answer.header("content-type"), Some("application/json"));
        let message = &answer.json()["choices"][0]["message"];
        assert_eq!((&message["content"], message["tool_calls"].as_array().map(Vec::len)), (&json!("Hello"), Some(1)));
    });
}

/// Wrong labels happen: what the bytes are decides.
#[test]
fn mislabelled_answers_are_understood() {
    let chunk = "data: {\"id\":\"c1\",\"choices\":[{\"delta\":{\"content\":\"Hello\"},\"finish_reason\":\"stop\"}]}\n\ndata: [DONE]\n\n";
    let whole = "{\"id\":\"c1\",\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"Hello\"},\"finish_reason\":\"stop\"}]}";
    Setup::default().play(move |stage| async move {
        for (label, body) in [
            ("application/json", chunk),
            ("text/plain", chunk),
            ("application/octet-stream", chunk),
            ("text/event-stream", whole),
            ("text/plain", whole),
            ("application/json", whole),
        ] {
            stage.sim.replace_script([Step::http(200, label, body).always()]);
            let streamed = stage.messages(&ask(true)).await;
            assert_eq!(streamed.status, 200, "{label}: {body}: {}", streamed.text());
            assert_eq!(checker::stream(&streamed.body).whole().blocks, [text("Hello")], "{label}: {body}");
            let one = stage.messages(&ask(false)).await;
            assert_eq!(one.status, 200, "{label}: {body}: {}", one.text());
            assert_eq!(checker::message(&one.json()).blocks, [text("Hello")], "{label}: {body}");
        }
    });
}

/// Kimi counts its calls anew in every answer; Claude Code loses the result of a call whose id it knows already.
#[test]
fn tool_ids_that_come_again_in_later_turns_get_new_names() {
    Setup::default().play(|stage| async move {
        let id = "functions.Bash:0";
        stage.sim.replace_script([Step::answer(Answer::tool(id, "Bash", &json!({"command": "ls"}))).always()]);
        let mut body = ask(true);
        for expected in ["functions.Bash:0", "functions.Bash:0-u1", "functions.Bash:0-u2"] {
            let seen = checker::stream(&stage.messages(&body).await.body);
            assert_eq!(seen.whole().blocks, [tool(expected, "Bash", &json!({"command": "ls"}))]);
            let messages = body["messages"].as_array_mut().unwrap();
            messages.push(json!({"role": "assistant", "content": [{"type": "tool_use", "id": expected, "name": "Bash", "input": {"command": "ls"}}]}));
            messages.push(json!({"role": "user", "content": [{"type": "tool_result", "tool_use_id": expected, "content": "a.txt"}]}));
        }
        // What the client has goes up as the client has it.
        let last = stage.sim.requests().pop().unwrap().json();
        let ids: Vec<&Value> = last["messages"].as_array().unwrap().iter().filter_map(|m| m.get("tool_call_id")).collect();
        assert_eq!(ids, ["functions.Bash:0", "functions.Bash:0-u1"]);
        // One piece follows the same rule.
        body["stream"] = json!(false);
        let one = checker::message(&stage.messages(&body).await.json());
        assert_eq!(one.blocks, [tool("functions.Bash:0-u3", "Bash", &json!({"command": "ls"}))]);
    });
}

/// An upstream that refuses says so at once, in its own words, and is asked once.
#[test]
fn s02_a_refusal_reaches_the_client_with_the_upstreams_words_and_no_retry() {
    Setup::default().play(|stage| async move {
        let error = json!({"error": {"message": "messages[3]: wrong order of things", "type": "invalid_request_error", "param": "messages", "code": null}});
        stage.sim.replace_script([Step::json(400, &error).always()]);
        for stream in [true, false] {
            let answer = stage.messages(&ask(stream)).await;
            assert_eq!(answer.status, 400);
            assert_eq!(answer.json()["type"], "error");
            assert_eq!(answer.json()["error"]["type"], "invalid_request_error");
            assert!(answer.text().contains("messages[3]: wrong order of things"), "{}", answer.text());
            assert_eq!(answer.header("x-tollgate-upstream-status"), Some("400"));
            assert_eq!(answer.json()["request_id"].as_str(), answer.header("request-id"));
        }
        assert_eq!(stage.sim.requests().len(), 2);
    });
}
