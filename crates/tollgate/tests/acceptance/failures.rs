//! Every kind of failure of an upstream, and what clients of both dialects are told.

use std::time::Duration;

use serde_json::{Value, json};
use tollgate_sim::{ChatStrictness, Ending, Faults, SimConfig, Step};

use crate::stage::{BOTH, Client, MASTER_KEY, PROVIDER_KEY, Stage, Upstream, has, has_change};
use crate::support::http::Answer;
use crate::support::isolated;

/// One failure and its public form.
struct Row {
    step: Step,
    status: u16,
    /// What a chat client is told, where that differs.
    chat_status: u16,
    /// The Anthropic type, and OpenAI's type.
    kinds: (&'static str, &'static str),
    upstream: Option<&'static str>,
    retry_after: Option<&'static str>,
    should_retry: Option<&'static str>,
    words: &'static str,
}

fn said(status: u16, words: &str) -> Step {
    Step::json(status, &json!({"error": {"message": words, "type": "some_error", "code": null}}))
}

fn row(
    step: Step,
    status: u16,
    kinds: (&'static str, &'static str),
    upstream: &'static str,
    words: &'static str,
) -> Row {
    Row {
        step,
        status,
        chat_status: status,
        kinds,
        upstream: Some(upstream),
        retry_after: None,
        should_retry: Some("false"),
        words,
    }
}

/// Trying again may help: clients are left to their own rules.
fn temporary(row: Row) -> Row {
    Row { should_retry: None, ..row }
}

fn rows() -> Vec<Row> {
    const INVALID: (&str, &str) = ("invalid_request_error", "invalid_request_error");
    const API: (&str, &str) = ("api_error", "server_error");
    let rate = ("rate_limit_error", "rate_limit_error");
    let overloaded = ("overloaded_error", "server_error");
    vec![
        row(said(400, "words of a 400"), 400, INVALID, "400", "words of a 400"),
        row(said(422, "words of a 422"), 422, INVALID, "422", "words of a 422"),
        row(said(401, "words of a 401"), 502, API, "401", "words of a 401"),
        row(said(403, "words of a 403"), 502, API, "403", "words of a 403"),
        row(
            said(402, "Insufficient Balance"),
            402,
            ("billing_error", "insufficient_quota"),
            "402",
            "Insufficient Balance",
        ),
        row(said(404, "words of a 404"), 404, ("not_found_error", "invalid_request_error"), "404", "words of a 404"),
        row(said(410, "the model was retired"), 404, ("not_found_error", "invalid_request_error"), "410", "retired"),
        row(said(413, "words of a 413"), 413, ("request_too_large", "invalid_request_error"), "413", "words of a 413"),
        temporary(row(said(429, "slow down"), 429, rate, "429", "slow down")),
        Row {
            retry_after: Some("30"),
            ..temporary(row(said(429, "slow down").header("retry-after", "30"), 429, rate, "429", "slow down"))
        },
        Row {
            retry_after: Some("2"),
            ..temporary(row(said(429, "slow down").header("retry-after-ms", "1500"), 429, rate, "429", "slow down"))
        },
        row(
            Step::json(
                429,
                &json!({"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}),
            ),
            402,
            ("billing_error", "insufficient_quota"),
            "429",
            "current quota",
        ),
        temporary(row(said(500, "words of a 500"), 500, API, "500", "words of a 500")),
        temporary(row(said(502, "words of a 502"), 502, API, "502", "words of a 502")),
        Row { chat_status: 503, ..temporary(row(said(503, "no room"), 529, overloaded, "503", "no room")) },
        Row { chat_status: 503, ..temporary(row(said(529, "no room"), 529, overloaded, "529", "no room")) },
        temporary(row(said(504, "gave up"), 504, ("timeout_error", "timeout_error"), "504", "gave up")),
        temporary(row(
            Step::http(502, "text/html", "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"),
            502,
            API,
            "502",
            "502 Bad Gateway",
        )),
        temporary(row(Step::http(500, "text/plain", ""), 500, API, "500", "500")),
        Row {
            upstream: None,
            ..temporary(row(
                Step::http(200, "text/html", "<html><title>Log in</title></html>"),
                502,
                API,
                "",
                "api_base",
            ))
        },
        Row { upstream: None, ..temporary(row(Step::http(200, "application/json", ""), 502, API, "", "empty answer")) },
        Row { upstream: None, ..temporary(row(Step::refused(Ending::Close), 502, API, "", "closed")) },
        Row { upstream: None, ..temporary(row(Step::refused(Ending::Reset), 502, API, "", "reset")) },
        row(
            Step::http(307, "text/plain", "").header("location", "https://elsewhere.example/v1"),
            502,
            API,
            "307",
            "https://elsewhere.example/v1",
        ),
    ]
}

#[test]
fn every_failure_of_an_upstream_has_its_status_type_headers_and_words_in_both_dialects() {
    isolated(|| async {
        for row in rows() {
            // Two deployments' worth of waiting would hide nothing here: each failure is told after one request.
            let sim = || SimConfig::default().step(row.step.clone().always());
            let mut stage = Stage::chat(sim(), json!({"num_retries": 0})).await;
            let mut sent = 0;
            for client in BOTH {
                for stream in [false, true] {
                    if row.retry_after.is_some() {
                        // Else the deployment would rest and not be asked.
                        sent += stage.sent().len();
                        stage = Stage::chat(sim(), json!({"num_retries": 0})).await;
                    }
                    let answer = stage.ask(client, &client.hello(json!({"stream": stream}))).await;
                    let what = format!("{} {client:?} stream={stream}: {}", row.words, answer.text());
                    let (status, kind) = match client {
                        Client::Messages => (row.status, row.kinds.0),
                        Client::Chat => (row.chat_status, row.kinds.1),
                    };
                    if passed_unmodified(client, &answer) {
                        assert_eq!(Some(answer.status.as_str()), row.upstream, "{what}");
                        assert!(!matches!(answer.status.as_u16(), 401 | 403), "{what}");
                    } else {
                        assert_eq!(answer.status, status, "{what}");
                        let (found, message) = client.error(&answer);
                        assert_eq!(found, kind, "{what}");
                        has(&message, row.words);
                    }
                    has(&answer.text(), row.words);
                    assert_eq!(answer.header("x-tollgate-upstream-status"), row.upstream, "{what}");
                    assert_eq!(answer.header("retry-after"), row.retry_after, "{what}");
                    assert_eq!(answer.header("x-should-retry"), row.should_retry, "{what}");
                    assert_eq!(answer.header("content-type"), Some("application/json"), "{what}");
                    assert!(answer.header("x-tollgate-deployment").is_some(), "{what}");
                    assert_eq!(answer.header("x-tollgate-attempts"), Some("1"), "{what}");
                    stage.gateway.logged(answer.header("request-id").unwrap()).await;
                }
            }
            assert_eq!(sent + stage.sent().len(), 4, "{}", row.words);
        }
    });
}

/// Errors of Anthropic with the type that each status has there, and what chat clients are told.
#[test]
fn failures_of_an_anthropic_upstream_reach_chat_clients_in_their_own_form() {
    isolated(|| async {
        let rows = [
            (400, "invalid_request_error", 400, "invalid_request_error", Value::Null, Some("false")),
            (401, "authentication_error", 502, "server_error", Value::Null, Some("false")),
            (403, "permission_error", 502, "server_error", Value::Null, Some("false")),
            (402, "billing_error", 402, "insufficient_quota", json!("insufficient_quota"), Some("false")),
            (404, "not_found_error", 404, "invalid_request_error", json!("model_not_found"), Some("false")),
            (413, "request_too_large", 413, "invalid_request_error", json!("request_too_large"), Some("false")),
            (429, "rate_limit_error", 429, "rate_limit_error", json!("rate_limit_exceeded"), None),
            (500, "api_error", 500, "server_error", Value::Null, None),
            (504, "timeout_error", 504, "timeout_error", json!("timeout"), None),
            (529, "overloaded_error", 503, "server_error", json!("server_is_overloaded"), None),
        ];
        for (upstream, name, status, kind, code, should_retry) in rows {
            let body = json!({"type": "error", "error": {"type": name, "message": "the vendor's words"}, "request_id": "req_1"});
            for stream in [false, true] {
                let sim = SimConfig::default().step(Step::json(upstream, &body).header("retry-after", "9").always());
                let stage = Stage::start(sim, Upstream::Messages, json!({"num_retries": 0}), json!({})).await;
                let answer = stage.ask(Client::Chat, &Client::Chat.hello(json!({"stream": stream}))).await;
                assert_eq!(answer.status, status, "{name}: {}", answer.text());
                let (found, message) = Client::Chat.error(&answer);
                assert_eq!(found, kind, "{name}");
                assert_eq!(answer.json()["error"]["code"], code, "{name}");
                has(&message, "the vendor's words");
                assert_eq!(answer.header("x-tollgate-upstream-status"), Some(upstream.to_string().as_str()));
                assert_eq!(answer.header("x-should-retry"), should_retry, "{name}");
                assert_eq!(answer.header("retry-after"), Some("9"), "{name}");
                assert_eq!(stage.sent().len(), 1, "{name}");
            }
        }
    });
}

/// A chat client gets a chat provider's error as it came.
fn passed_unmodified(client: Client, answer: &Answer) -> bool {
    let error = &answer.json()["error"];
    client == Client::Chat && (error["type"] == "some_error" || error.get("type").is_none())
}

#[test]
fn an_upstream_that_is_not_there_is_a_502_that_says_so() {
    isolated(|| async {
        let port = crate::support::gateway::free_port();
        let params = json!({"api_base": format!("http://127.0.0.1:{port}/v1"), "num_retries": 0});
        let stage = Stage::chat(SimConfig::default(), params).await;
        for client in BOTH {
            let answer = stage.ask(client, &client.hello(json!({}))).await;
            assert_eq!(answer.status, 502);
            has(&client.error(&answer).1, "could not be reached");
            assert_eq!(answer.header("x-tollgate-upstream-status"), None);
        }
    });
}

#[test]
fn s22_an_upstream_that_never_answers_is_a_504_that_names_phase_value_and_key() {
    isolated(|| async {
        let never = Faults { before_headers: Duration::from_secs(600), ..Faults::default() };
        let silent = Faults { silence: Some((0, Duration::from_secs(600))), ..Faults::default() };
        let rows = [
            (json!({"timeout": 1.2}), false, "1.2 s", "litellm_params.timeout"),
            (json!({"timeout": 1.2}), true, "1.2 s", "litellm_params.timeout"),
            (json!({"stream_timeout": 1.2}), true, "1.2 s", "litellm_params.stream_timeout"),
            (json!({"timeout": 1.4, "stream_timeout": 1.1}), true, "1.1 s", "litellm_params.stream_timeout"),
        ];
        let cases = [
            (never, ["first byte of the answer", "first byte of the stream"]),
            (silent, ["whole answer (total)", "idle stream"]),
        ];
        for (fault, phases) in cases {
            for (params, stream, value, key) in &rows {
                let phase = phases[usize::from(*stream)];
                let params = crate::stage::merged(params.clone(), json!({"num_retries": 0}));
                let step = Step::text("too late").faults(fault.clone()).always();
                let stage = Stage::chat(SimConfig::default().step(step), params).await;
                let asked = BOTH.map(|client| {
                    let stage = &stage;
                    async move { (client, stage.ask(client, &client.hello(json!({"stream": stream}))).await) }
                });
                let answers =
                    tokio::time::timeout(Duration::from_secs(20), futures_util::future::join_all(asked)).await;
                for (client, answer) in answers.unwrap_or_else(|_| panic!("no answer: {value} {key} {fault:?}")) {
                    assert_eq!(answer.status, 504, "{}", answer.text());
                    let (kind, message) = client.error(&answer);
                    assert_eq!(kind, "timeout_error");
                    for part in [phase, *value, *key] {
                        has(&message, part);
                    }
                }
            }
        }
    });
}

#[test]
fn s22_the_limit_that_is_named_is_that_of_the_upstreams_form_of_answer() {
    isolated(|| async {
        let never = Faults { before_headers: Duration::from_secs(600), ..Faults::default() };
        let rows = [
            ("always", false, "litellm_params.stream_timeout", "1.1 s"),
            ("never", true, "litellm_params.timeout", "1.4 s"),
        ];
        for (force_stream, stream, key, value) in rows {
            let sim = SimConfig::default().step(Step::text("too late").faults(never.clone()).always());
            let limits = json!({"timeout": 1.4, "stream_timeout": 1.1, "num_retries": 0, "force_stream": force_stream});
            let stage = Stage::chat(sim, limits).await;
            let answer = stage.ask(Client::Messages, &Client::Messages.hello(json!({"stream": stream}))).await;
            assert_eq!(answer.status, 504);
            has(&answer.text(), key);
            has(&answer.text(), value);
        }
    });
}

#[test]
fn s25_a_refused_credential_of_ours_is_in_no_header_body_or_log() {
    isolated(|| async {
        // Vendors quote the key, whole or in part, in their words.
        let words = format!("Incorrect API key provided: {PROVIDER_KEY}. You can find your key at https://x.example.");
        let shapes: [(u16, Value); 4] = [
            (401, json!({"error": {"message": words, "type": "invalid_request_error", "code": "invalid_api_key"}})),
            (403, json!({"error": {"message": words, "type": "permission_error"}})),
            (400, json!({"error": {"message": words, "type": "invalid_request_error"}})),
            (500, json!({"error": {"message": words, "request": {"authorization": format!("Bearer {PROVIDER_KEY}")}}})),
        ];
        for upstream in [Upstream::Chat, Upstream::Messages] {
            for (status, body) in &shapes {
                let sim = SimConfig::default().step(Step::json(*status, body).header("x-echo", PROVIDER_KEY).always());
                let stage = Stage::start(sim, upstream, json!({"num_retries": 0}), json!({})).await;
                for client in BOTH {
                    for stream in [false, true] {
                        let answer = stage.ask(client, &client.hello(json!({"stream": stream}))).await;
                        if *status < 500 {
                            assert_eq!(answer.status, 502, "{upstream:?} {client:?} {}", answer.text());
                        }
                        no_canary(&format!("{:?} {}", answer.headers, answer.text()));
                        no_canary(&stage.gateway.logged(answer.header("request-id").unwrap()).await);
                    }
                }
            }
        }
    });
}

#[test]
fn s25_secrets_in_headers_and_addresses_of_the_config_stay_there_too() {
    isolated(|| async {
        const HEADER: &str = "hdr-canary-77aa31";
        const QUERY: &str = "qry-canary-0cc1";
        let quoting = Step::json(400, &json!({"error": {"message": format!("no such tenant {HEADER}"), "type": "x"}}));
        let page = Step::http(200, "text/html", "<html><title>Log in</title></html>");
        let inside = json!({"error": {"code": 401, "message": format!("bad key {HEADER}")}});
        for step in [quoting, page, Step::json(200, &inside), Step::refused(Ending::Close)] {
            let sim = tollgate_sim::Sim::start(SimConfig::default().step(step.always())).await;
            let params = json!({"num_retries": 0, "api_base": format!("{}/v1?code={QUERY}", sim.base_url()),
                "extra_headers": {"x-tenant-key": HEADER, "authorization": format!("Bearer {HEADER}")}});
            let entry = Upstream::Chat.entry(&sim, "m", params);
            let gateway = crate::support::Gateway::start(&crate::stage::config(&[entry]).to_string(), &[]).await;
            let stage = Stage { sim, gateway };
            for client in BOTH {
                let answer = stage.ask(client, &client.hello(json!({}))).await;
                assert!(answer.status.is_client_error() || answer.status == 502, "{}", answer.text());
                let log = stage.gateway.logged(answer.header("request-id").unwrap()).await;
                for secret in [HEADER, QUERY] {
                    assert!(!answer.text().contains(secret), "{}", answer.text());
                    assert!(!log.contains(secret), "{log}");
                }
            }
            assert_eq!(stage.sent()[0].query.as_deref(), Some(format!("code={QUERY}").as_str()));
        }
    });
}

#[track_caller]
fn no_canary(text: &str) {
    for secret in [MASTER_KEY, PROVIDER_KEY] {
        assert!(!text.contains(secret), "{secret} is in: {text}");
    }
}

#[test]
fn s17_a_forced_tool_choice_is_kept_where_it_is_taken_and_softened_where_it_is_refused() {
    isolated(|| async {
        let forced = |client: Client| match client {
            Client::Messages => json!({
                "tools": [{"name": "Read", "input_schema": {"type": "object", "properties": {}}}],
                "tool_choice": {"type": "tool", "name": "Read"}}),
            Client::Chat => json!({
                "tools": [{"type": "function", "function": {"name": "Read", "parameters": {"type": "object", "properties": {}}}}],
                "tool_choice": {"type": "function", "function": {"name": "Read"}}}),
        };
        for client in BOTH {
            let body = client.hello(forced(client));
            let stage = Stage::chat(SimConfig::default(), json!({})).await;
            let answer = stage.ask(client, &body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(stage.last()["tool_choice"]["function"]["name"], "Read");
            assert_eq!(answer.header("x-tollgate-changes"), None);

            let refuses = ChatStrictness { refuses_forced_tool: true, ..ChatStrictness::default() };
            let stage = Stage::chat(SimConfig::default().chat(refuses), json!({})).await;
            let answer = stage.ask(client, &body).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            assert_eq!(stage.last()["tool_choice"], "auto");
            has_change(&answer, "softened:tool_choice");
            has_change(&answer, "repaired:tool_choice");
            assert_eq!(stage.ask(client, &body).await.status, 200);
            assert_eq!(stage.sent().len(), 3);
        }
    });
}
