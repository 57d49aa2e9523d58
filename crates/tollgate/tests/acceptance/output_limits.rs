//! S05: the most output tokens, and answers that come only as streams.

use serde_json::json;
use tollgate_sim::{Answer, ChatStrictness, Match, SimConfig, Step, Words};

use crate::stage::{BOTH, Client, Stage, has, has_change};
use crate::support::isolated;

fn strict(strictness: ChatStrictness) -> SimConfig {
    SimConfig::default().chat(strictness)
}

#[test]
fn s05_max_output_tokens_clamps_and_says_so() {
    isolated(|| async {
        for client in BOTH {
            let cap = ChatStrictness { max_tokens_cap: Some(4096), ..ChatStrictness::default() };
            let stage = Stage::chat(strict(cap), json!({"max_output_tokens": 4096})).await;
            let answer = stage.ask(client, &client.hello(json!({"max_tokens": 8192}))).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            has_change(&answer, "clamped:max_tokens");
            assert_eq!(stage.last()["max_tokens"], 4096);
            let answer = stage.ask(client, &client.hello(json!({"max_tokens": 4096}))).await;
            assert_eq!(answer.header("x-tollgate-changes"), None);
            assert_eq!(stage.last()["max_tokens"], 4096);
        }
    });
}

#[test]
fn s05_max_output_tokens_may_also_stand_in_model_info() {
    isolated(|| async {
        let sim = tollgate_sim::Sim::start(SimConfig::default()).await;
        let mut entry = crate::stage::Upstream::Chat.entry(&sim, "m", json!({}));
        entry["model_info"] = json!({"max_output_tokens": 1000});
        let gateway = crate::support::Gateway::start(&crate::stage::config(&[entry]).to_string(), &[]).await;
        let stage = Stage { sim, gateway };
        let answer = stage.ask(Client::Messages, &Client::Messages.hello(json!({"max_tokens": 8192}))).await;
        has_change(&answer, "clamped:max_tokens");
        assert_eq!(stage.last()["max_tokens"], 1000);
    });
}

#[test]
fn s05_force_stream_always_streams_upstream_and_gives_one_json_to_who_asked_for_one() {
    isolated(|| async {
        for client in BOTH {
            let answer = Answer::thinking("hm").and_text("all of it").and_tool("call_7", "Read", &json!({"a": [1, 2]}));
            let sim = SimConfig::default().step(Step::answer(answer));
            let stage = Stage::chat(sim, json!({"force_stream": "always"})).await;
            let answer = stage.ask(client, &client.hello(json!({}))).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(answer.header("content-type"), Some("application/json"));
            assert_eq!(stage.last()["stream"], true);
            let body = answer.json();
            if client == Client::Messages {
                let kinds: Vec<&str> =
                    body["content"].as_array().unwrap().iter().map(|block| block["type"].as_str().unwrap()).collect();
                assert_eq!(kinds, ["thinking", "text", "tool_use"]);
                assert_eq!(body["content"][1]["text"], "all of it");
                assert_eq!(body["content"][2]["input"], json!({"a": [1, 2]}));
                assert_eq!(body["stop_reason"], "tool_use");
                assert!(body["usage"]["output_tokens"].as_u64().unwrap() > 0);
            } else {
                assert_eq!(body["object"], "chat.completion");
                let message = &body["choices"][0]["message"];
                assert_eq!(message["content"], "all of it");
                assert_eq!(message["tool_calls"][0]["id"], "call_7");
                assert_eq!(message["tool_calls"][0]["function"]["arguments"], r#"{"a":[1,2]}"#);
                assert_eq!(body["choices"][0]["finish_reason"], "tool_calls");
                assert!(body["usage"]["completion_tokens"].as_u64().unwrap() > 0);
            }
        }
    });
}

#[test]
fn s05_force_stream_never_asks_for_one_json_and_gives_a_stream_to_who_asked_for_one() {
    isolated(|| async {
        for client in BOTH {
            let sim = SimConfig::default().step(Step::text("in one piece"));
            let stage = Stage::chat(sim, json!({"force_stream": "never"})).await;
            let answer = stage.ask(client, &client.hello(json!({"stream": true}))).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_ne!(stage.last()["stream"], true);
            has(answer.header("content-type").unwrap(), "text/event-stream");
            has(&answer.text(), "in one piece");
            let end = if client == Client::Messages { "event: message_stop" } else { "data: [DONE]" };
            has(&answer.text(), end);
        }
    });
}

#[test]
fn s05_force_stream_auto_streams_only_where_the_client_or_the_provider_wants_it() {
    isolated(|| async {
        for client in BOTH {
            let stage = Stage::chat(
                SimConfig::default(),
                json!({"force_stream": "auto", "quirks": {"nonstream_max_tokens": 4096}}),
            )
            .await;
            for (max_tokens, stream, upstream) in
                [(4096, false, false), (4097, false, true), (100, true, true), (8192, true, true)]
            {
                let body = client.hello(json!({"max_tokens": max_tokens, "stream": stream}));
                let answer = stage.ask(client, &body).await;
                assert_eq!(answer.status, 200, "{}", answer.text());
                assert_eq!(stage.last()["stream"] == true, upstream, "{max_tokens} {stream}");
                assert_eq!(stage.last()["max_tokens"], max_tokens, "a stream is no reason to clamp");
                let kind = answer.header("content-type").unwrap();
                assert_eq!(kind.starts_with("text/event-stream"), stream);
            }
        }
    });
}

/// The wordings that providers and users' reports give (reference: deviations of compatible providers, section C, and the
/// error texts that people search for).
const STREAM_WORDINGS: [&str; 4] = [
    "Requests with max_tokens > 4096 must have stream=true",
    "max_tokens > 4096 must have stream = true",
    "requests with max_tokens > 4096 must have stream: true",
    "litellm.BadRequestError: Fireworks_aiException - requests with max_tokens > 4096 must have stream: true",
];

#[test]
fn s05_the_first_refusal_of_a_large_answer_in_one_piece_is_repaired_once_and_remembered_after_a_restart() {
    isolated(|| async {
        for (i, words) in STREAM_WORDINGS.into_iter().enumerate() {
            let client = BOTH[i % 2];
            let refusal = Step::json(400, &json!({"error": {"message": words, "type": "invalid_request_error"}}));
            let whole = Match { stream: Some(false), ..Match::default() };
            let sim = SimConfig::default().step(refusal.when(whole).always());
            let mut stage = Stage::chat(sim, json!({})).await;
            let body = client.hello(json!({"max_tokens": 8192}));

            let first = stage.ask(client, &body).await;
            client.text(&first);
            assert_eq!(first.header("content-type"), Some("application/json"));
            has_change(&first, "repaired:max_tokens_requires_stream");
            let streams: Vec<bool> = stage.sent().iter().map(|request| request.json()["stream"] == true).collect();
            assert_eq!(streams, [false, true], "{words}");

            client.text(&stage.ask(client, &body).await);
            assert_eq!(stage.sent().len(), 3, "the second request is right at once: {words}");
            stage.gateway.restart().await;
            let after = stage.ask(client, &body).await;
            client.text(&after);
            assert_eq!(after.header("x-tollgate-attempts"), Some("1"));
            assert_eq!(stage.sent().len(), 4, "the fact outlives a restart: {words}");
            assert_eq!(stage.last()["max_tokens"], 8192);

            // Below the limit nothing needs to change, and this provider refuses everything in one piece.
            let small = stage.ask(client, &client.hello(json!({"max_tokens": 4096}))).await;
            assert_ne!(stage.sent()[4].json()["stream"], true, "{}", small.text());
        }
    });
}

/// Servers that answer only streams, whatever the size (Qwen's and other vendors' words).
#[test]
fn s05_a_server_that_only_streams_is_streamed_from_after_its_first_refusal() {
    isolated(|| async {
        let wordings = [
            "This model only supports stream mode, please enable the stream parameter to access the model.",
            "parameter.enable_thinking must be set to false for non-streaming calls",
        ];
        for words in wordings {
            for client in BOTH {
                let refusal = Step::json(400, &json!({"error": {"message": words, "type": "invalid_request_error"}}));
                let whole = Match { stream: Some(false), ..Match::default() };
                let stage = Stage::chat(SimConfig::default().step(refusal.when(whole).always()), json!({})).await;
                let first = stage.ask(client, &client.hello(json!({}))).await;
                client.text(&first);
                has_change(&first, "repaired:requires_stream");
                client.text(&stage.ask(client, &client.hello(json!({}))).await);
                assert_eq!(stage.sent().len(), 3, "{words}");
            }
        }
    });
}

#[test]
fn s05_strict_servers_with_the_rule_are_served_in_both_wordings() {
    isolated(|| async {
        for words in [Words::OpenAi, Words::Pydantic] {
            let rule = ChatStrictness { stream_only_above: Some(4096), words, ..ChatStrictness::default() };
            let stage = Stage::chat(strict(rule), json!({})).await;
            for client in BOTH {
                client.text(&stage.ask(client, &client.hello(json!({"max_tokens": 8192}))).await);
                client.text(&stage.ask(client, &client.hello(json!({"max_tokens": 4096}))).await);
            }
            assert_eq!(stage.sent().len(), 5, "one refusal, once");
        }
    });
}

#[test]
fn s05_a_cap_in_the_providers_words_is_learned_like_the_rest() {
    isolated(|| async {
        for client in BOTH {
            let cap = ChatStrictness { max_tokens_cap: Some(8192), ..ChatStrictness::default() };
            let mut stage = Stage::chat(strict(cap), json!({})).await;
            let body = client.hello(json!({"max_tokens": 32000}));
            let first = stage.ask(client, &body).await;
            client.text(&first);
            has_change(&first, "clamped:max_tokens");
            has_change(&first, "repaired:max_tokens_cap");
            assert_eq!(stage.sent().len(), 2);
            stage.gateway.restart().await;
            client.text(&stage.ask(client, &body).await);
            assert_eq!(stage.sent().len(), 3);
            assert_eq!(stage.last()["max_tokens"], 8192);
        }
    });
}

#[test]
fn s05_the_newer_field_for_the_limit_is_learned_too() {
    isolated(|| async {
        for client in BOTH {
            let newer = ChatStrictness { requires_max_completion_tokens: true, ..ChatStrictness::default() };
            let stage = Stage::chat(strict(newer), json!({})).await;
            let first = stage.ask(client, &client.hello(json!({}))).await;
            client.text(&first);
            has_change(&first, "repaired:max_completion_tokens");
            client.text(&stage.ask(client, &client.hello(json!({}))).await);
            assert_eq!(stage.sent().len(), 3);
            assert_eq!(stage.last()["max_completion_tokens"], 100);
        }
    });
}

#[test]
fn s05_a_repair_that_does_not_help_ends_with_the_upstreams_words_after_two_requests() {
    isolated(|| async {
        let refusal = json!({"error": {"message": STREAM_WORDINGS[1], "type": "invalid_request_error"}});
        for client in BOTH {
            let sim = SimConfig::default().step(Step::json(400, &refusal).always());
            let stage = Stage::chat(sim, json!({})).await;
            let answer = stage.ask(client, &client.hello(json!({"max_tokens": 8192}))).await;
            assert_eq!(answer.status, 400);
            has(&client.error(&answer).1, STREAM_WORDINGS[1]);
            assert_eq!(stage.sent().len(), 2);
            // Nothing was learned from a cure that did not work.
            stage.ask(client, &client.hello(json!({"max_tokens": 8192}))).await;
            assert_ne!(stage.sent()[2].json()["stream"], true);
        }
    });
}
