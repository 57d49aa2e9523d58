//! What is not repaired, what a repair must not lose, and how far it is remembered.

use serde_json::{Value, json};
use tollgate_sim::{Answer, Match, MessagesStrictness, Rule, Sim, SimConfig, Step};

use super::user;
use crate::stage::{BOTH, Client, MASTER_KEY, PROVIDER_KEY, Stage, Upstream, changes, config, has, has_change, merged};
use crate::support::http::post;
use crate::support::{Gateway, isolated};

fn refusing(status: u16, words: &str, refuses: fn(&Value) -> bool) -> SimConfig {
    SimConfig::default().rule(Rule::new(status, words, move |body, _| refuses(body)))
}

#[test]
fn an_unrecognised_refusal_is_passed_on_in_its_words_after_one_request() {
    isolated(|| async {
        let words = "messages.0.content: the moon is in the wrong phase for max_tokens and tool_choice";
        for upstream in [Upstream::Chat, Upstream::Messages] {
            for client in BOTH {
                for status in [400, 404, 413, 415, 422] {
                    let stage = Stage::start(refusing(status, words, |_| true), upstream, json!({}), json!({})).await;
                    let answer = stage.ask(client, &client.hello(json!({}))).await;
                    assert_eq!(stage.sent().len(), 1, "{status} {upstream:?} {client:?}");
                    has(&answer.text(), words);
                    assert!(!answer.status.is_success());
                }
            }
        }
    });
}

/// The words name a cure, but the request has nothing that it could change.
#[test]
fn a_cure_that_would_change_nothing_is_not_tried() {
    isolated(|| async {
        for words in [
            "The `reasoning_content` in the thinking mode must be passed back to the API.",
            "Conversation roles must alternate user/assistant/user/assistant/...",
            "Unexpected value(s) `never-sent-2020-01-01` for the `anthropic-beta` header.",
        ] {
            for upstream in [Upstream::Chat, Upstream::Messages] {
                let stage = Stage::start(refusing(400, words, |_| true), upstream, json!({}), json!({})).await;
                // In the upstream's own dialect its bytes go up as they are; only a repair would write them anew.
                let client = if upstream == Upstream::Chat { Client::Messages } else { Client::Chat };
                let answer = stage.ask(client, &client.hello(json!({}))).await;
                has(&answer.text(), &words[..20]);
                assert_eq!(stage.sent().len(), 1, "{words} {upstream:?}");
            }
        }
    });
}

#[test]
fn s06_what_bears_the_callers_meaning_is_only_dropped_where_the_policy_allows_it() {
    isolated(|| async {
        let words = "Unsupported parameter: 'temperature' is not supported with this model.";
        for client in BOTH {
            for drop_params in [false, true] {
                let sim = refusing(400, words, |body| !body["temperature"].is_null());
                let stage = Stage::chat(sim, json!({"drop_params": drop_params})).await;
                let answer = stage.ask(client, &client.hello(json!({"temperature": 0.2}))).await;
                if drop_params {
                    client.text(&answer);
                    has_change(&answer, "dropped:temperature");
                } else {
                    has(&client.error(&answer).1, words);
                    assert_eq!(stage.sent().len(), 1);
                }
            }
        }
    });
}

/// A value that says what the model does anyway is no meaning.
#[test]
fn s06_a_refused_parameter_at_its_idle_value_goes_whatever_the_policy() {
    isolated(|| async {
        let words = "Unsupported parameter: 'temperature' is not supported with this model.";
        for client in BOTH {
            let stage = Stage::chat(refusing(400, words, |body| !body["temperature"].is_null()), json!({})).await;
            let answer = stage.ask(client, &client.hello(json!({"temperature": 1}))).await;
            client.text(&answer);
            has_change(&answer, "repaired:temperature");
        }
    });
}

/// Servers that check one field after the other complain of one after the other.
#[test]
fn several_refusals_in_a_row_are_repaired_in_one_go_and_all_remembered() {
    isolated(|| async {
        let sim = refusing(400, "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.", |b| {
            !b["max_tokens"].is_null()
        })
        .rule(Rule::new(400, "This model does not support assistant message prefill.", |b, _| {
            b["messages"].as_array().is_some_and(|m| m.last().is_some_and(|m| m["role"] == "assistant"))
        }))
        .rule(Rule::new(422, "Extra inputs are not permitted, field: 'parallel_tool_calls'", |b, _| !b["parallel_tool_calls"].is_null()))
        .rule(Rule::new(400, "Requests with max_tokens > 4096 must have stream=true", |b, _| b["stream"] != true));
        let mut stage = Stage::chat(sim, json!({})).await;
        let body = json!({"model": "m", "max_tokens": 8000, "parallel_tool_calls": false,
            "tools": [{"type": "function", "function": {"name": "f", "parameters": {"type": "object", "properties": {}}}}],
            "messages": [user(json!("hi")), {"role": "assistant", "content": "So"}]});
        let answer = stage.ask(Client::Chat, &body).await;
        Client::Chat.text(&answer);
        for change in ["max_completion_tokens", "prefill", "parallel_tool_calls", "max_tokens_requires_stream"] {
            has_change(&answer, &format!("repaired:{change}"));
        }
        assert_eq!(stage.sent().len(), 5);
        stage.gateway.restart().await;
        Client::Chat.text(&stage.ask(Client::Chat, &body).await);
        assert_eq!(stage.sent().len(), 6, "all four outlive a restart");
    });
}

#[test]
fn facts_belong_to_one_deployment_and_one_model() {
    isolated(|| async {
        let words = "This model does not support assistant message prefill.";
        let rule = Rule::new(400, words, |b: &Value, _: &_| {
            b["messages"].as_array().is_some_and(|m| m.last().is_some_and(|m| m["role"] == "assistant"))
        });
        let sim = Sim::start(SimConfig::default().key(PROVIDER_KEY).rule(rule)).await;
        let entry = |name: &str, model: &str| Upstream::Chat.entry(&sim, name, json!({"model": model}));
        let gateway = Gateway::start(
            &config(&[entry("a", "openai/x"), entry("b", "openai/y"), entry("any/*", "openai/*")]).to_string(),
            &[],
        )
        .await;
        let mut sent = 0;
        for (model, requests) in
            [("a", 2), ("a", 1), ("b", 2), ("b", 1), ("any/one", 2), ("any/two", 2), ("any/one", 1), ("any/two", 1)]
        {
            let body = json!({"model": model, "messages": [user(json!("hi")), {"role": "assistant", "content": "So"}]});
            let answer = post(&gateway.url("/v1/chat/completions"), &[("x-api-key", MASTER_KEY)], &body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            sent += requests;
            assert_eq!(sim.requests().len(), sent, "{model}");
        }
    });
}

/// S15, in the words that clients were shown instead of an answer.
#[test]
fn s15_a_refused_prefill_becomes_a_trailing_user_turn() {
    isolated(|| async {
        let strict = MessagesStrictness { refuses_prefill: true, ..MessagesStrictness::default() };
        let params = json!({"model": "anthropic/claude-sonnet-4-5"});
        for client in BOTH {
            let sim = SimConfig::default().messages(strict.clone());
            let stage = Stage::start(sim, Upstream::Messages, params.clone(), json!({})).await;
            let body = client.hello(json!({"messages": [user(json!("hi")), {"role": "assistant", "content": "So "}]}));
            let answer = stage.ask(client, &body).await;
            client.text(&answer);
            has_change(&answer, "repaired:prefill");
            let messages = stage.last()["messages"].clone();
            assert_eq!(messages.as_array().unwrap().len(), 3, "{messages}");
            assert_eq!(messages[2]["role"], "user");
            has(&messages[2].to_string(), "Continue.");
        }
    });
}

#[test]
fn s17_a_choice_refused_while_thinking_is_kept_where_the_model_does_not_think() {
    isolated(|| async {
        let thinks = |b: &Value| b["tool_choice"] == "required" && b["thinking"]["type"] != "disabled";
        let sim = refusing(400, "tool_choice 'required' is incompatible with thinking enabled", thinks)
            .chat(tollgate_sim::ChatStrictness::default().accepting(&["thinking"]));
        let stage = Stage::chat(sim, json!({"quirks": {"reasoning": "thinking"}})).await;
        let tools = json!([{"name": "f", "input_schema": {"type": "object", "properties": {}}}]);
        let body = json!({"tools": tools, "tool_choice": {"type": "any"}});
        let answer = stage.ask(Client::Messages, &Client::Messages.hello(body.clone())).await;
        has_change(&answer, "softened:tool_choice");
        has_change(&answer, "repaired:tool_choice");
        let off = merged(body, json!({"thinking": {"type": "disabled"}}));
        let answer = stage.ask(Client::Messages, &Client::Messages.hello(off)).await;
        assert_eq!(changes(&answer), Vec::<String>::new());
        assert_eq!(stage.last()["tool_choice"], "required");
        assert_eq!(stage.sent().len(), 3);
    });
}

/// A name that had to be shortened comes back as the client's own, in both forms of answer.
#[test]
fn a_tool_called_by_its_shortened_name_comes_back_under_its_own() {
    isolated(|| async {
        let long = format!("mcp__{}", "a".repeat(70));
        for stream in [false, true] {
            let words = "Invalid 'tools[0].function.name': string too long. Expected a string with maximum length 64, but got a string with length 75 instead.";
            let sim =
                refusing(400, words, |b| b["tools"][0]["function"]["name"].as_str().is_some_and(|n| n.len() > 64));
            let stage = Stage::chat(sim, json!({})).await;
            let body = Client::Chat.hello(json!({"stream": stream, "tools": [{"type": "function",
                "function": {"name": long, "parameters": {"type": "object", "properties": {}}}}]}));
            assert_eq!(stage.ask(Client::Chat, &body).await.status, 200);
            let short = stage.last()["tools"][0]["function"]["name"].as_str().unwrap().to_owned();
            assert!(short.len() <= 64, "{short}");
            stage.sim.push(Step::answer(Answer::tool("call_1", &short, &json!({}))).when(Match::default()));
            let answer = stage.ask(Client::Chat, &body).await;
            has(&answer.text(), &long);
            assert!(!answer.text().contains(&short), "{}", answer.text());
        }
    });
}
