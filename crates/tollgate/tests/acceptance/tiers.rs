//! S36: one config for cheap models and for Claude.

use serde_json::{Value, json};
use tollgate_sim::{Answer, ChatStrictness, MessagesStrictness, Sim, SimConfig, Step, signature};

use crate::stage::{Client, MASTER_KEY, PROVIDER_KEY, Stage, Upstream, config, has, has_change};
use crate::support::http::{Answer as Got, send};
use crate::support::{Gateway, isolated};

/// The routes `cheap` (chat) and `claude` (Messages) on one provider of both kinds.
struct Tiers {
    sim: Sim,
    gateway: Gateway,
}

impl Tiers {
    async fn start(sim: SimConfig, claude: &str, cheap: &str) -> Self {
        let sim = Sim::start(sim.key(PROVIDER_KEY)).await;
        let models = [
            Upstream::Chat.entry(&sim, "cheap", json!({"model": cheap, "num_retries": 0})),
            Upstream::Messages.entry(&sim, "claude", json!({"model": claude, "num_retries": 0})),
        ];
        let gateway = Gateway::start(&config(&models).to_string(), &[]).await;
        Self { sim, gateway }
    }

    async fn raw(&self, path: &str, headers: &[(&str, &str)], body: &str) -> Got {
        let own = [("x-api-key", MASTER_KEY), ("content-type", "application/json")];
        let headers: Vec<(&str, &str)> = own.iter().chain(headers).copied().collect();
        send(http::Method::POST, &self.gateway.url(path), &headers, body.to_owned()).await
    }

    fn last(&self) -> tollgate_sim::Recorded {
        self.sim.requests().last().expect("a request reached the provider").clone()
    }
}

/// A body with odd white space, key order, escapes, numbers and fields of a future beta.
const ODD: &str = concat!(
    "{ \"max_tokens\" : 4096,\n  \"messages\":[ {\"content\":[{\"type\":\"text\",\"text\":\"caf\\u00e9 \\/ \\ud83d\\ude00\",",
    "\"cache_control\":{\"ttl\":\"1h\",\"type\":\"ephemeral\"}}],\"role\":\"user\"}] ,\n",
    "  \"context_management\": {\"edits\":[ {\"type\":\"clear_tool_uses_20250919\"} ]},\n",
    "  \"system\":[{\"type\":\"text\",\"text\":\"x-anthropic-billing-header: cc_version=2.1\"},{\"text\":\"Be kind.\",\"type\":\"text\"}],",
    "\"metadata\":{\"user_id\":\"u\"},\"temperature\":1.0,\"model\": \"claude\" , \"stream\":false}",
);

#[test]
fn s36_a_messages_client_reaches_claude_with_its_own_bytes_but_for_the_model() {
    isolated(|| async {
        let tiers = Tiers::start(SimConfig::default(), "anthropic/claude-sonnet-4-6", "openai/x").await;
        let betas = "context-management-2025-06-27,claude-code-20250219,interleaved-thinking-2025-05-14";
        let headers = [
            ("anthropic-beta", betas),
            ("anthropic-version", "2023-06-01"),
            ("x-claude-code-session-id", "s-1"),
            ("cookie", "mine"),
        ];
        let answer = tiers.raw("/v1/messages?beta=true", &headers, ODD).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let sent = tiers.last();
        let expected = ODD.replace("\"model\": \"claude\"", "\"model\": \"claude-sonnet-4-6\"");
        assert_eq!(String::from_utf8_lossy(&sent.body), expected);
        assert_eq!(sent.header("anthropic-beta"), Some(betas));
        assert_eq!(sent.header("anthropic-version"), Some("2023-06-01"));
        assert_eq!(sent.header("x-claude-code-session-id"), Some("s-1"));
        assert_eq!(sent.header("cookie"), None);
        assert_eq!(sent.header("x-api-key"), Some(PROVIDER_KEY));
        assert_eq!(sent.header("authorization"), None);
        assert_eq!(answer.json()["model"], "claude-sonnet-4-6", "the answer's bytes are the provider's");
    });
}

#[test]
fn s36_a_chat_client_reaches_a_chat_model_with_its_own_bytes_but_for_the_model() {
    isolated(|| async {
        let sim = SimConfig::default().chat(ChatStrictness::default().accepting(&["x_future"]));
        let tiers = Tiers::start(sim, "anthropic/claude-sonnet-4-6", "openai/x").await;
        let body = "{ \"x_future\":[1.50, 1e2],\n\"messages\":[{\"content\":\"caf\\u00e9\\/\",\"role\":\"user\"}] , \"model\" :\"cheap\",\"seed\":9007199254740993 }";
        let answer = tiers.raw("/v1/chat/completions", &[], body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(String::from_utf8_lossy(&tiers.last().body), body.replace("\"cheap\"", "\"x\""));
    });
}

#[test]
fn s36_streams_of_the_same_dialect_are_the_providers_bytes() {
    isolated(|| async {
        let answer =
            || Answer::thinking("let me see").and_text("caf\u{e9}").and_tool("toolu_1", "Read", &json!({"a": 1}));
        let sim = || SimConfig::default().step(Step::answer(answer()).always());
        let tiers = Tiers::start(sim(), "anthropic/claude-sonnet-4-6", "openai/x").await;
        for (path, model, upstream) in
            [("/v1/messages", "claude", "claude-sonnet-4-6"), ("/v1/chat/completions", "cheap", "x")]
        {
            let body = json!({"model": model, "max_tokens": 100, "stream": true,
                "stream_options": {"include_usage": true}, "messages": [{"role": "user", "content": "hi"}]});
            let mut body = body;
            if path == "/v1/messages" {
                body.as_object_mut().unwrap().remove("stream_options");
            }
            let through = tiers.raw(path, &[("anthropic-version", "2023-06-01")], &body.to_string()).await;
            assert_eq!(through.status, 200, "{}", through.text());
            body["model"] = json!(upstream);
            let bearer = format!("Bearer {PROVIDER_KEY}");
            let headers = [
                ("authorization", bearer.as_str()),
                ("anthropic-version", "2023-06-01"),
                ("content-type", "application/json"),
            ];
            // Another of the same kind: the simulator remembers prompts.
            let alone = Sim::start(sim()).await;
            let direct =
                send(http::Method::POST, &format!("{}{path}", alone.base_url()), &headers, body.to_string()).await;
            // Simulators count their messages.
            let uncounted = |answer: &Got| answer.text().replace("msg_sim00000002", "msg_sim00000001");
            assert_eq!(uncounted(&through), uncounted(&direct), "{path}");
        }
    });
}

#[test]
fn s36_anthropics_errors_reach_its_clients_unmodified() {
    isolated(|| async {
        let bodies = [
            (
                400,
                r#"{ "type":"error","error":{"type":"invalid_request_error","message":"messages.1.content.0: Invalid `signature` in `thinking` block","details":null},"request_id":"req_upstream"}"#,
            ),
            (
                429,
                r#"{"type":"error","error":{"type":"rate_limit_error","message":"This request would exceed your organization's rate limit"},"request_id":"req_upstream"}"#,
            ),
            (529, r#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#),
        ];
        for (status, body) in bodies {
            for stream in [false, true] {
                let sim = SimConfig::default()
                    .step(Step::http(status, "application/json", body).header("retry-after", "7").always());
                let tiers = Tiers::start(sim, "anthropic/claude-sonnet-4-6", "openai/x").await;
                let asked = Client::Messages.hello(json!({"model": "claude", "stream": stream})).to_string();
                let answer = tiers.raw("/v1/messages", &[], &asked).await;
                assert_eq!((answer.status.as_u16(), answer.text().as_str()), (status, body));
                assert_eq!(answer.header("retry-after"), Some("7"));
                assert_eq!(answer.header("x-tollgate-upstream-status"), Some(status.to_string().as_str()));
                assert!(answer.header("request-id").unwrap().starts_with("req_"));
            }
        }
    });
}

/// A conversation as Claude Code keeps it: every assistant turn goes back as it came.
struct Conversation {
    messages: Vec<Value>,
}

impl Conversation {
    /// One turn: thinking and a tool call, whose result is then given.
    async fn turn(&mut self, tiers: &Tiers, model: &str, id: &str, turn: usize) -> Value {
        let stream = turn.is_multiple_of(2);
        let body = json!({"model": model, "max_tokens": 16000, "messages": self.messages, "stream": stream,
            "thinking": {"type": "adaptive"},
            "tools": [{"name": "Read", "description": "Reads", "input_schema": {"type": "object", "properties": {}}}]});
        tiers.sim.replace_script([Step::answer(
            Answer::thinking(&format!("thoughts of {model} about {id}")).and_text("I read.").and_tool(
                id,
                "Read",
                &json!({}),
            ),
        )]);
        let answer = tiers.raw("/v1/messages", &[("anthropic-version", "2023-06-01")], &body.to_string()).await;
        assert_eq!(answer.status, 200, "{model} {id}: {}", answer.text());
        let content = if stream { folded(&answer.text()) } else { answer.json()["content"].clone() };
        let call = content[2]["id"].clone();
        self.messages.push(json!({"role": "assistant", "content": content}));
        self.messages.push(json!({"role": "user", "content":
            [{"type": "tool_result", "tool_use_id": call, "content": format!("result of turn {turn}")}]}));
        content
    }
}

/// The content blocks of a stream, as clients make them.
fn folded(stream: &str) -> Value {
    let mut blocks: Vec<Value> = Vec::new();
    let mut arguments = String::new();
    for event in stream.lines().filter_map(|line| line.strip_prefix("data: ")) {
        let event: Value = serde_json::from_str(event).expect("events are JSON");
        if event["type"] == "content_block_start" {
            blocks.push(event["content_block"].clone());
        }
        let Some(block) = blocks.last_mut() else { continue };
        for (name, value) in event["delta"].as_object().into_iter().flatten() {
            match (name.as_str(), value.as_str()) {
                ("text" | "thinking" | "signature", Some(piece)) => {
                    block[name] = json!(block[name].as_str().unwrap_or("").to_owned() + piece);
                }
                ("partial_json", Some(piece)) => arguments.push_str(piece),
                _ => {}
            }
        }
        if event["type"] == "content_block_stop" && block["type"] == "tool_use" {
            block["input"] = serde_json::from_str(&std::mem::take(&mut arguments)).expect("arguments are JSON");
        }
    }
    Value::Array(blocks)
}

#[test]
fn s36_a_conversation_moves_from_the_cheap_model_to_claude_and_back_without_a_400() {
    isolated(|| async {
        let rows = [
            ("anthropic/claude-sonnet-4-6", "openai/x", ChatStrictness::default()),
            ("anthropic/claude-sonnet-5", "openai/x", ChatStrictness::default()),
            // A cheap model that insists on its thoughts, and on something in their place where Claude spoke.
            (
                "anthropic/claude-opus-5",
                "deepseek/deepseek-v4-pro",
                ChatStrictness { requires_reasoning_content: true, ..ChatStrictness::default() }
                    .accepting(&["thinking", "reasoning_content"]),
            ),
            (
                "anthropic/claude-sonnet-4-6",
                "mistral/devstral-medium",
                ChatStrictness { nine_char_ids: true, alternating: true, ..ChatStrictness::default() },
            ),
            (
                "anthropic/claude-opus-4-5",
                "moonshot/kimi-k2.5",
                ChatStrictness::default().accepting(&["thinking", "reasoning_content"]),
            ),
        ];
        for (i, (claude, cheap, strictness)) in rows.into_iter().enumerate() {
            // Kimi's ids have dots and colons, which Anthropic refuses; other servers count from nought in every turn.
            let id_of = |turn: usize| match i % 3 {
                0 => format!("call_{turn}"),
                1 => format!("functions.Read:{turn}"),
                _ => "call_0".to_owned(),
            };
            let messages = MessagesStrictness { checks_signatures: true, ..MessagesStrictness::default() };
            let tiers = Tiers::start(SimConfig::default().chat(strictness).messages(messages), claude, cheap).await;
            let mut talk = Conversation { messages: vec![json!({"role": "user", "content": "begin"})] };
            let turns = ["cheap", "cheap", "claude", "claude", "cheap", "claude", "cheap"];
            for (i, model) in turns.into_iter().enumerate() {
                let content = talk.turn(&tiers, model, &id_of(i), i).await;
                if model == "claude" {
                    let thoughts = content[0]["thinking"].as_str().unwrap();
                    assert_eq!(content[0]["signature"], signature(thoughts), "Claude's own signature comes back");
                }
            }
            let refused: Vec<_> = tiers.sim.requests().into_iter().filter_map(|request| request.refused).collect();
            assert_eq!(refused, Vec::<String>::new(), "{claude} {cheap}");
            // Every result arrived, and Claude saw its own thoughts again and nobody else's.
            let to_claude: Vec<Value> = tiers.sim.requests_to("/v1/messages").iter().map(|r| r.json()).collect();
            let last = to_claude.last().unwrap().to_string();
            assert!(!last.contains("thoughts of cheap"), "{last}");
            has(&last, "result of turn 4");
            let to_cheap = tiers.sim.requests_to("/chat/completions");
            has(&to_cheap.last().unwrap().json().to_string(), "result of turn 5");
        }
    });
}

/// DeepSeek's layer knows neither betas nor `type` on plain tools (its documentation, 2026-11).
#[test]
fn s36_another_vendors_messages_layer_gets_the_clients_bytes_without_what_it_does_not_know() {
    isolated(|| async {
        let params = json!({"model": "deepseek/deepseek-v4-pro", "endpoint": "messages"});
        let stage = Stage::start(SimConfig::default(), Upstream::Messages, params, json!({})).await;
        let url = stage.gateway.url("/v1/messages");
        let body = concat!(
            "{\"model\":\"m\", \"max_tokens\":10,\"context_management\":{\"edits\":[]},\n\"tools\":[{\"type\":\"custom\" ,",
            "\"name\":\"Read\",\"input_schema\":{\"type\":\"object\"}}],\"messages\":[{\"role\":\"user\",\"content\":\"caf\\u00e9\"}]}"
        );
        let headers = [
            ("x-api-key", MASTER_KEY),
            ("anthropic-version", "2023-06-01"),
            ("anthropic-beta", "context-management-2025-06-27"),
        ];
        let answer = send(http::Method::POST, &url, &headers, body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        has_change(&answer, "dropped:context_management");
        let sent = &stage.sent()[0];
        assert_eq!(sent.header("anthropic-beta"), None);
        let expected = body
            .replace("\"m\"", "\"deepseek-v4-pro\"")
            .replace("\"context_management\":{\"edits\":[]},\n", "")
            .replace("\"type\":\"custom\" ,", "");
        assert_eq!(serde_json::from_str::<Value>(&expected).unwrap(), sent.json());
        has(&String::from_utf8_lossy(&sent.body), "caf\\u00e9");
    });
}

#[test]
fn s17_claude_models_that_refuse_a_forced_tool_get_a_choice_and_others_keep_it() {
    isolated(|| async {
        let tool = json!({"tools": [{"name": "Read", "input_schema": {"type": "object", "properties": {}}}],
            "tool_choice": {"type": "any"}, "model": "claude"});
        for (claude, refuses) in [("anthropic/claude-sonnet-4-6", false), ("anthropic/claude-opus-5-5", true)] {
            let messages = MessagesStrictness { refuses_forced_tool: refuses, ..MessagesStrictness::default() };
            let tiers = Tiers::start(SimConfig::default().messages(messages), claude, "openai/x").await;
            let answer = tiers.raw("/v1/messages", &[], &Client::Messages.hello(tool.clone()).to_string()).await;
            assert_eq!(answer.status, 200, "{claude}: {}", answer.text());
            let sent = tiers.last().json();
            assert_eq!(sent["tool_choice"]["type"], if refuses { "auto" } else { "any" });
            if refuses {
                has_change(&answer, "softened:tool_choice");
            }
            assert_eq!(tiers.sim.requests().len(), 1, "known beforehand: {claude}");
        }
    });
}

#[test]
fn s17_a_refusal_of_a_forced_tool_by_a_claude_that_nobody_knew_of_is_repaired() {
    isolated(|| async {
        let tool = json!({"tools": [{"name": "Read", "input_schema": {"type": "object", "properties": {}}}],
            "tool_choice": {"type": "tool", "name": "Read"}, "model": "claude"});
        let messages = MessagesStrictness { refuses_forced_tool: true, ..MessagesStrictness::default() };
        let tiers =
            Tiers::start(SimConfig::default().messages(messages), "anthropic/claude-sonnet-4-6", "openai/x").await;
        for requests in [2, 3] {
            let answer = tiers.raw("/v1/messages", &[], &Client::Messages.hello(tool.clone()).to_string()).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            has_change(&answer, "softened:tool_choice");
            assert_eq!(tiers.sim.requests().len(), requests);
        }
    });
}
