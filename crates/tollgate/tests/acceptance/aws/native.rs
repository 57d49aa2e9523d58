//! S36: one config for cheap models and for Claude on Amazon Bedrock in its own form.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_sim::{Answer as Said, Aws, Faults, Grants, Piece, Sim, SimConfig, Step, chunk, exception};

use super::{Cloud, Setup, claude, user};
use crate::stage::{BOTH, Client, MASTER_KEY, has, merged};
use crate::support::checker::{self, text, thinking, tool};
use crate::support::http::{Answer, send};
use crate::support::isolated;

/// The answer's bytes are Bedrock's, and with them the name.
const MODEL: &str = "us.anthropic.claude-sonnet-4-6";
const STREAM: &str = "/model/us.anthropic.claude-sonnet-4-6/invoke-with-response-stream";

/// The routes `claude`, on Bedrock, and `cheap`, a chat model at the same address.
async fn tiers(sim: SimConfig, setup: Setup) -> Cloud {
    // The cheap one takes a bearer, which the account knows too.
    let aws = Aws::new(Grants::Nobody).bearer("sk-cheap");
    let claude = merged(merged(claude(), user(&aws)), setup.params.clone());
    let cheap = json!({"model": "openai/x", "api_base": "BASE/v1", "api_key": "sk-cheap", "num_retries": 0});
    let entries = [
        json!({"model_name": "claude", "litellm_params": claude}),
        json!({"model_name": "cheap", "litellm_params": cheap}),
    ];
    Cloud::of(aws, sim, &entries, setup).await
}

fn plain() -> Setup {
    Setup::params(json!({}))
}

impl Cloud {
    async fn raw(&self, client: Client, headers: &[(&str, &str)], body: &str) -> Answer {
        let own = [("x-api-key", MASTER_KEY), ("content-type", "application/json")];
        let headers: Vec<(&str, &str)> = own.iter().chain(headers).copied().collect();
        send(http::Method::POST, &self.gateway.url(client.path()), &headers, body.to_owned()).await
    }

    fn last(&self) -> tollgate_sim::Recorded {
        self.sim.requests().last().expect("a request reached the provider").clone()
    }
}

/// A body with odd white space, key order, escapes, numbers, and a field of a beta.
const ODD: &str = concat!(
    "{ \"max_tokens\" : 4096,\n  \"messages\":[ {\"content\":[{\"type\":\"text\",\"text\":\"caf\\u00e9 \\/ \\ud83d\\ude00\",",
    "\"cache_control\":{\"ttl\":\"1h\",\"type\":\"ephemeral\"}}],\"role\":\"user\"}] ,\n",
    "  \"context_management\": {\"edits\":[ {\"type\":\"clear_tool_uses_20250919\"} ]},\"model\": \"claude\" , \"stream\":false,\n",
    "  \"system\":[{\"type\":\"text\",\"text\":\"x-anthropic-billing-header: cc_version=2.1\"},{\"text\":\"Be kind.\",\"type\":\"text\"}],",
    "\"thinking\":{\"budget_tokens\":2048,\"type\":\"enabled\"},\"metadata\":{\"user_id\":\"u\"},\"temperature\":1.0}",
);

#[test]
fn s36_a_messages_client_reaches_claude_on_bedrock_with_its_own_bytes_but_for_what_bedrock_has_elsewhere() {
    isolated(|| async {
        let cloud = tiers(SimConfig::default(), plain()).await;
        let betas =
            "context-management-2025-06-27,claude-code-20250219,interleaved-thinking-2025-05-14,context-1m-2025-08-07";
        let headers = [
            ("anthropic-beta", betas),
            ("anthropic-version", "2023-06-01"),
            ("x-claude-code-session-id", "s-1"),
            ("cookie", "mine"),
        ];
        let answer = cloud.raw(Client::Messages, &headers, ODD).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let sent = cloud.last();
        let named = concat!(
            "{\"anthropic_version\":\"bedrock-2023-05-31\",",
            "\"anthropic_beta\":[\"context-management-2025-06-27\",\"context-1m-2025-08-07\"],"
        );
        let expected = ODD.replacen('{', named, 1).replace("\"model\": \"claude\" , \"stream\":false,\n  ", "");
        assert_eq!(String::from_utf8_lossy(&sent.body), expected);
        for gone in ["anthropic-beta", "anthropic-version", "x-claude-code-session-id", "cookie", "x-api-key"] {
            assert_eq!(sent.header(gone), None, "{gone}");
        }
        let sound = answer.json();
        assert_eq!((&sound["type"], &sound["role"]), (&json!("message"), &json!("assistant")));

        // The cheap one beside it.
        let body = "{ \"messages\":[{\"content\":\"caf\\u00e9\\/\",\"role\":\"user\"}] , \"model\" :\"cheap\",\"seed\":9007199254740993 }";
        let answer = cloud.raw(Client::Chat, &[], body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(String::from_utf8_lossy(&cloud.last().body), body.replace("\"cheap\"", "\"x\""));
    });
}

fn rich() -> Said {
    Said::thinking("let me see").and_text("caf\u{e9}").and_tool("toolu_1", "Read", &json!({"a": 1}))
}

fn tools() -> Value {
    json!([{"name": "Read", "description": "Reads", "input_schema": {"type": "object", "properties": {}}}])
}

/// The data of a stream's events, without pings.
fn events(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| serde_json::from_str(data).expect("JSON")).filter(|event: &Value| event["type"] != "ping").collect()
}

#[test]
fn s36_a_stream_of_claude_on_bedrock_is_anthropics_events() {
    isolated(|| async {
        let sim = || SimConfig::default().step(Step::answer(rich()).always());
        let cloud = tiers(sim(), plain()).await;
        let mut body = json!({"model": "claude", "max_tokens": 4000, "stream": true, "tools": tools(),
            "messages": [{"role": "user", "content": "hi"}]});
        let through = cloud.raw(Client::Messages, &[], &body.to_string()).await;
        assert_eq!(through.status, 200, "{}", through.text());
        assert_eq!(through.header("content-type"), Some("text/event-stream; charset=utf-8"));
        let seen = checker::stream_of(MODEL, &through.body);
        let expected = [thinking("let me see"), text("caf\u{e9}"), tool("toolu_1", "Read", &json!({"a": 1}))];
        assert_eq!(seen.whole().blocks, expected);
        assert_eq!(cloud.last().path, STREAM);
        assert_eq!(cloud.last().header("accept"), Some("application/vnd.amazon.eventstream, application/json"));

        // Anthropic itself, with the same answer.
        let alone = Sim::start(sim()).await;
        body["model"] = json!("us.anthropic.claude-sonnet-4-6");
        let headers = [("anthropic-version", "2023-06-01"), ("x-api-key", "k")];
        let url = format!("{}/v1/messages", alone.base_url());
        let direct = send(http::Method::POST, &url, &headers, body.to_string()).await;
        let mut own = events(&through.text());
        let stop = own.last_mut().and_then(Value::as_object_mut).expect("message_stop");
        assert!(stop.remove("amazon-bedrock-invocationMetrics").is_some(), "Bedrock's own counts go on");
        // Simulators count their messages.
        assert_eq!(own, events(&direct.text().replace("msg_sim00000002", "msg_sim00000001")));

        // For a chat client it is translated.
        let chat = json!({"model": "claude", "stream": true, "messages": [{"role": "user", "content": "hi"}]});
        let answer = cloud.raw(Client::Chat, &[], &chat.to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        has(&answer.text(), "caf\u{e9}");
        has(&answer.text(), "\"finish_reason\":\"tool_calls\"");
        assert!(answer.text().ends_with("data: [DONE]\n\n"));
    });
}

#[test]
fn s36_claude_code_gets_pings_while_bedrock_which_sends_none_is_silent() {
    isolated(|| async {
        let answer = || Said { piece_chars: 2, ..Said::text("At last.") };
        let silent =
            |after, millis| Faults { silence: Some((after, Duration::from_millis(millis))), ..Faults::default() };
        // Before the first event, and within the answer for longer than a client is left without a sign.
        let sim = SimConfig::default()
            .step(Step::answer(answer()).faults(silent(0, 1500)))
            .step(Step::answer(answer()).faults(silent(4, 9000)));
        let cloud =
            tiers(sim, Setup::params(json!({})).more(json!({"tollgate_settings": {"commit_after_ms": 300}}))).await;
        for _ in 0..2 {
            let body = Client::Messages.hello(json!({"model": "claude", "stream": true})).to_string();
            let answer = cloud.raw(Client::Messages, &[], &body).await;
            let seen = checker::stream_of(MODEL, &answer.body);
            assert_eq!(seen.whole().blocks, [text("At last.")]);
            assert!(seen.pings >= 1, "{}", answer.text());
        }
    });
}

#[test]
fn failures_in_a_stream_of_bedrock_are_told_as_what_they_are() {
    isolated(|| async {
        let rows = [
            ("throttlingException", 429, "rate_limit_error"),
            ("validationException", 400, "invalid_request_error"),
            ("serviceUnavailableException", 529, "overloaded_error"),
            ("internalServerException", 500, "api_error"),
            ("modelTimeoutException", 504, "timeout_error"),
        ];
        let start = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"m","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":1,"output_tokens":1,"cache_creation_input_tokens":0,"cache_read_input_tokens":0}}}"#;
        let block = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
        let delta = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"Hel"}}"#;
        for (name, status, kind) in rows {
            let failure = Piece::Bytes(exception(name, "it broke, says Bedrock"));
            let begun = [start, block, delta].map(|event| Piece::Bytes(chunk(event)));
            let before = Step::event_stream(vec![begun[0].clone(), failure.clone()]);
            let after = Step::event_stream(begun.into_iter().chain([failure]).collect());
            let cloud = tiers(SimConfig::default().steps([before, after]), plain()).await;
            let body = Client::Messages.hello(json!({"model": "claude", "stream": true})).to_string();
            let answer = cloud.raw(Client::Messages, &[], &body).await;
            assert_eq!(answer.status, status, "{name}: {}", answer.text());
            let (told, message) = Client::Messages.error(&answer);
            assert_eq!(told, kind, "{name}");
            has(&message, "it broke, says Bedrock");
            let answer = cloud.raw(Client::Messages, &[], &body).await;
            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
            let seen = checker::stream(&answer.body);
            assert_eq!(seen.failed()["type"], kind, "{name}");
            has(seen.failed()["message"].as_str().unwrap(), "it broke, says Bedrock");
        }
    });
}

#[test]
fn a_stream_of_bedrock_that_ends_early_never_looks_complete() {
    isolated(|| async {
        // Of 8 events, each in one message; the seventh says why the answer ends.
        for cut in [1, 3, 6] {
            let faults = Faults { cut_after: Some((cut, tollgate_sim::Ending::Clean)), ..Faults::default() };
            let answer = Said { piece_chars: 2, ..Said::text("Hello") };
            let cloud = tiers(SimConfig::default().step(Step::answer(answer).faults(faults).always()), plain()).await;
            let body = Client::Messages.hello(json!({"model": "claude", "stream": true})).to_string();
            let answer = cloud.raw(Client::Messages, &[], &body).await;
            if answer.status == 200 {
                checker::stream_of(MODEL, &answer.body).failed();
            } else {
                assert_eq!(answer.status, 502, "{cut}: {}", answer.text());
            }
        }
    });
}

#[test]
fn mantle_is_signed_for_its_own_service_and_has_anthropics_api_as_it_is() {
    isolated(|| async {
        let aws = Aws::new(Grants::Nobody);
        let mantle = json!({"model": "bedrock/mantle/anthropic.claude-sonnet-4-6", "api_base": "BASE"});
        let setup = Setup::params(merged(user(&aws), mantle));
        let cloud = Cloud::start(aws, setup).await;
        let betas = "claude-code-20250219,prompt-caching-scope-2026-01-05,interleaved-thinking-2025-05-14";
        for client in BOTH {
            let answer = cloud.raw(client, &[("anthropic-beta", betas)], &client.hello(json!({})).to_string()).await;
            assert_eq!(client.text(&answer), "Hello from the simulated model.");
            let sent = cloud.last();
            assert_eq!(sent.path, "/anthropic/v1/messages");
            has(sent.header("authorization").unwrap(), "/eu-west-1/bedrock-mantle/aws4_request");
            assert_eq!(sent.json()["model"], "anthropic.claude-sonnet-4-6");
            assert_eq!(sent.header("anthropic-version"), Some("2023-06-01"));
            let kept = (client == Client::Messages).then_some("claude-code-20250219, interleaved-thinking-2025-05-14");
            assert_eq!(sent.header("anthropic-beta"), kept);
        }
    });
}
