//! Claude Code's gateway protocol (code.claude.com/docs/en/llm-gateway-protocol, read 2026-11): what passes and what does not.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use http_body_util::{BodyExt, Full};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tollgate_sim::{Faults, Match, Piece, Recorded, SimConfig, Step};

use crate::desk::{CHAT, CLAUDE, Desk, KEY, Sdk, ask, good};
use crate::support::{http as plain, isolated};

const VERSION: (&str, &str) = ("anthropic-version", "2023-06-01");

async fn post(desk: &Desk, headers: &[(&str, &str)], body: &str) -> plain::Answer {
    let headers: Vec<(&str, &str)> =
        headers.iter().copied().chain([("x-api-key", KEY), ("content-type", "application/json")]).collect();
    plain::send(Method::POST, &desk.gateway.url("/v1/messages?beta=true"), &headers, body.to_owned()).await
}

fn message(model: &str) -> Value {
    json!({"model": model, "max_tokens": 9, "messages": ask("x")})
}

/// The only request that reached the simulator.
fn only(desk: &Desk) -> Recorded {
    let mut all = desk.sim.requests();
    assert_eq!(all.len(), 1);
    all.remove(0)
}

/// Values of a header, split at commas.
fn list(request: &Recorded, name: &str) -> Vec<String> {
    let values = request.headers.get_all(name).iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(|value| value.trim().to_owned()).collect()
}

#[test]
fn headers_of_anthropic_and_claude_code_reach_anthropic_as_they_came() {
    isolated(|| async {
        let desk = Desk::new(SimConfig::default().messages(tollgate_sim::MessagesStrictness {
            betas: vec!["not-yet-known-2027-01-01".into()],
            ..Default::default()
        }))
        .await;
        let sent = [
            ("anthropic-version", "2026-10-21"),
            ("anthropic-beta", "claude-code-20250219, not-yet-known-2027-01-01"),
            ("anthropic-beta", "context-1m-2025-08-07"),
            ("anthropic-workspace-id", "wrkspc_1"),
            ("anthropic-dangerous-direct-browser-access", "true"),
            ("anthropic-of-tomorrow", "yes"),
            ("x-claude-code-session-id", "11111111-2222-3333-4444-555555555555"),
            ("x-claude-code-agent-id", "agent-7"),
        ];
        let answer = post(&desk, &sent, &message(CLAUDE).to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let got = only(&desk);
        for (name, value) in sent.iter().filter(|(name, _)| *name != "anthropic-beta") {
            assert_eq!(got.header(name), Some(*value), "{name}");
        }
        let betas = ["claude-code-20250219", "not-yet-known-2027-01-01", "context-1m-2025-08-07"];
        assert_eq!(list(&got, "anthropic-beta"), betas, "also those of a second line");
    });
}

#[test]
fn betas_of_the_configuration_join_those_of_the_client() {
    isolated(|| async {
        let more = ", extra_headers: {anthropic-beta: context-1m-2025-08-07, x-team: blue}";
        let desk = Desk::with_settings(SimConfig::default(), more).await;
        let beta = [VERSION, ("anthropic-beta", "claude-code-20250219")];
        let answer = post(&desk, &beta, &message(CLAUDE).to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let got = only(&desk);
        assert_eq!(list(&got, "anthropic-beta"), ["claude-code-20250219", "context-1m-2025-08-07"]);
        assert_eq!(got.header("x-team"), Some("blue"));
    });
}

#[test]
fn a_chat_upstream_sees_no_header_of_anthropic() {
    isolated(|| async {
        let desk = Desk::script([]).await;
        let sent = [
            ("anthropic-version", "2026-10-21"),
            ("anthropic-beta", "claude-code-20250219"),
            ("x-claude-code-session-id", "1"),
        ];
        let answer = post(&desk, &sent, &message(CHAT).to_string()).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let got = only(&desk);
        let names: Vec<&str> = got.headers.keys().map(http::HeaderName::as_str).collect();
        assert!(!names.iter().any(|name| name.starts_with("anthropic") || name.starts_with("x-claude")), "{names:?}");
    });
}

#[test]
fn s14_any_form_of_credential_is_taken_and_none_of_it_goes_upstream() {
    isolated(|| async {
        let desk = Desk::script([]).await;
        let bearer = format!("Bearer {KEY}");
        let forms: [&[(&str, &str)]; 5] = [
            &[("x-api-key", KEY)],
            &[("authorization", &bearer)],
            &[("x-api-key", KEY), ("authorization", &bearer)],
            // One right key is enough: a helper's value may stand beside a left-over one.
            &[("x-api-key", "sk-ant-old"), ("authorization", &bearer)],
            &[("api-key", KEY)],
        ];
        for form in forms {
            for model in [CHAT, CLAUDE] {
                let url = desk.gateway.url("/v1/messages");
                let answer = plain::post(&url, form, &message(model)).await;
                assert_eq!(answer.status, 200, "{form:?}: {}", answer.text());
            }
        }
        let wrong =
            plain::post(&desk.gateway.url("/v1/messages"), &[("x-api-key", "sk-ant-old")], &message(CHAT)).await;
        assert_eq!(
            (wrong.status.as_u16(), wrong.json()["error"]["type"].clone()),
            (401, json!("authentication_error"))
        );
        for request in desk.sim.requests() {
            let shown = format!("{:?}", request.headers);
            assert!(!shown.contains(KEY) && !shown.contains("sk-ant-old"), "{shown}");
        }
        let client = [json!({}), json!({"api_key": null, "auth_token": KEY})];
        let call = |client: &Value| json!({"do": "create", "args": message(CLAUDE), "client": client});
        for told in desk.calls(Sdk::Anthropic, client.iter().map(call).collect()).await {
            good(&told);
        }
    });
}

#[test]
fn the_probe_at_the_start_is_answered_without_a_key() {
    isolated(|| async {
        let desk = Desk::script([]).await;
        let answer =
            plain::send(Method::HEAD, &desk.gateway.url("/api/hello"), &[("user-agent", "Bun/1.4.4")], "").await;
        assert_eq!(answer.status, 200);
        assert_eq!(desk.sim.requests().len(), 0);
    });
}

/// The system array with the attribution block, unknown fields, odd white space, an escaped slash and a long number: all of it
/// is the upstream's to see as it is.
#[test]
fn s36_the_body_for_anthropic_is_the_clients_with_another_model_name_only() {
    isolated(|| async {
        let desk = Desk::new(
            SimConfig::default().messages(tollgate_sim::MessagesStrictness { off: true, ..Default::default() }),
        )
        .await;
        let body = r#"{ "model": "claude-sonnet-5",
  "system": [{"type":"text","text":"x-anthropic-billing-header: cc_version=2.1.329; cch=1;"}, {"type":"text","text":"You are \u00e9 a\/b.","cache_control":{"type":"ephemeral"}}],
  "tomorrow": {"n": 12345678901234567890.5, "list": [ ]}, "context_management": {"edits": []},
  "max_tokens": 9, "messages": [ {"role":"user", "content":"x", "z":null} ] }"#;
        let answer = post(&desk, &[VERSION], body).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let got = String::from_utf8_lossy(&only(&desk).body).into_owned();
        assert_eq!(got, body.replace("claude-sonnet-5", "claude-sonnet-4-6"));
    });
}

#[test]
fn s13_a_chat_upstream_does_not_see_the_attribution_block() {
    isolated(|| async {
        let desk = Desk::script([]).await;
        let mut body = message(CHAT);
        body["system"] = json!([{"type": "text", "text": "x-anthropic-billing-header: cc_version=2.1.329; cch=1;"},
            {"type": "text", "text": "Be kind."}]);
        assert_eq!(post(&desk, &[VERSION], &body.to_string()).await.status, 200);
        assert_eq!(only(&desk).json()["messages"][0], json!({"role": "system", "content": "Be kind."}));
    });
}

#[test]
fn error_bodies_of_anthropic_pass_byte_for_byte() {
    isolated(|| async {
        let words = "{\"type\":\"error\", \"error\":{\"type\":\"invalid_request_error\",\"message\":\"messages.1.content.0: Invalid `signature` in `thinking` block\",\"details\":{\"error_code\":\"x\"}},\"request_id\":\"req_upstream\"}\n";
        let step = Step::http(400, "application/json", words).always();
        let desk = Desk::script([step]).await;
        for stream in [false, true] {
            let mut body = message(CLAUDE);
            body["stream"] = json!(stream);
            let answer = post(&desk, &[VERSION], &body.to_string()).await;
            assert_eq!((answer.status.as_u16(), answer.text().as_str()), (400, words));
        }
    });
}

#[test]
fn the_upstreams_word_on_trying_again_reaches_the_client() {
    isolated(|| async {
        let error = |kind: &str| json!({"type": "error", "error": {"type": kind, "message": "no"}});
        let desk = Desk::script([Step::json(529, &error("overloaded_error")).header("x-should-retry", "false")]).await;
        let call = json!({"do": "create", "args": message(CLAUDE), "client": {"max_retries": 2}});
        let told = desk.calls(Sdk::Anthropic, json!([call])).await;
        assert_eq!(told[0]["error"]["class"], "OverloadedError", "{told:#?}");
        assert_eq!(desk.sim.requests().len(), 1);
    });
}

/// `temperature` went with version 2026-10-21, which the SDK sends: Anthropic says so, a chat model goes on taking it.
#[test]
fn the_rules_of_the_version_that_the_sdk_speaks_are_the_upstreams() {
    isolated(|| async {
        let desk = Desk::script([]).await;
        let warm = |model: &str| {
            let mut args = message(model);
            args["extra_body"] = json!({"temperature": 0.5});
            json!({"do": "create", "args": args})
        };
        let calls = json!([warm(CLAUDE), warm(CHAT), {"do": "create", "args": message(CLAUDE)}]);
        let told = desk.calls(Sdk::Anthropic, calls).await;
        assert_eq!(told[0]["error"]["class"], "BadRequestError", "{told:#?}");
        let words = told[0]["error"]["message"].as_str().unwrap_or_default();
        assert!(words.contains("temperature: Extra inputs are not permitted"), "{told:#?}");
        good(&told[1]);
        good(&told[2]);
        let sent = desk.sim.requests();
        assert_eq!(sent[0].header("anthropic-version"), Some("2026-10-21"));
        assert_eq!(sent[1].json()["temperature"], 0.5);

        // OpenAI's SDK knows no version; the gateway speaks the one in which `temperature` exists.
        let mut args = message(CLAUDE);
        args["temperature"] = json!(0.5);
        good(&desk.calls(Sdk::OpenAi, json!([{"do": "create", "args": args}])).await[0]);
        let last = desk.sim.requests().pop().expect("a request");
        assert_eq!((last.header("anthropic-version"), &last.json()["temperature"]), (Some("2023-06-01"), &json!(0.5)));
    });
}

#[test]
fn the_bytes_of_a_stream_of_anthropic_are_relayed_with_their_pings() {
    isolated(|| async {
        let stream = "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"m\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":1}}}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\nevent: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\nevent: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\"}}\n\nevent: ping\ndata: {\"type\": \"ping\"}\n\nevent: of_tomorrow\ndata: {\"type\":\"of_tomorrow\",\"x\":1}\n\nevent: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\nevent: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\nevent: message_stop\ndata: {\"type\":\"message_stop\"}\n\n";
        let desk = Desk::script([Step::sse(vec![Piece::text(stream)])]).await;
        let mut body = message(CLAUDE);
        body["stream"] = json!(true);
        let answer = post(&desk, &[VERSION], &body.to_string()).await;
        assert_eq!(answer.text(), stream);
    });
}

/// The first words are with the client while the upstream is still at work.
#[test]
fn answers_are_streamed_and_not_collected() {
    isolated(|| async {
        let wait = Faults { silence: Some((4, Duration::from_secs(600))), ..Faults::default() };
        let on = |path: &str| {
            let when = Match { path: Some(path.into()), ..Match::default() };
            Step::text(&"many words ".repeat(20)).when(when).faults(wait.clone()).always()
        };
        let desk = Desk::script([on("/chat/"), on("/messages")]).await;
        for model in [CHAT, CLAUDE] {
            let mut body = message(model);
            body["stream"] = json!(true);
            let request = Request::post(desk.gateway.url("/v1/messages"))
                .header("x-api-key", KEY)
                .body(Full::new(Bytes::from(body.to_string())))
                .expect("a request");
            let client = Client::builder(TokioExecutor::new()).build_http();
            let mut answer = client.request(request).await.expect("an answer").into_body();
            let mut seen = String::new();
            while !seen.contains("text_delta") {
                let frame = answer.frame().await.expect("more").expect("a frame");
                seen.push_str(&String::from_utf8_lossy(frame.data_ref().expect("data")));
            }
            assert!(seen.contains("many words"), "{seen}");
            assert!(desk.sim.requests().iter().all(|request| request.finished.is_none()), "{model}");
            drop(answer);
            desk.sim.wait_until(|all| all.iter().all(|request| request.closed_early.is_some())).await;
        }
    });
}
