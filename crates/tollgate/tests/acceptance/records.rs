//! What happened to a request can be seen, while it is under way and afterwards, and holds no secret and no content.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tollgate_sim::{Faults, Step};

use crate::fleet::{Fleet, ship};
use crate::stage::{Client, MASTER_KEY, PROVIDER_KEY, has};
use crate::support::http::{Answer, send};
use crate::support::isolated;

impl Fleet {
    async fn get(&self, path: &str) -> Answer {
        send(Method::GET, &self.gateway.url(path), &[("authorization", &format!("Bearer {MASTER_KEY}"))], "").await
    }

    async fn explained(&self, answer: &Answer) -> Value {
        let path = format!("/tollgate/requests/{}", answer.header("request-id").expect("an id"));
        let explained = self.get(&path).await;
        assert_eq!(explained.status, 200, "{}", explained.text());
        explained.json()
    }
}

#[test]
fn a_request_that_failed_over_shows_routes_attempts_words_cause_and_next_step() {
    isolated(|| async {
        let refused = Step::json(429, &json!({"error": {"message": format!("slow down, {PROVIDER_KEY}")}}))
            .header("retry-after", "30");
        let gone = Step::json(404, &json!({"error": {"message": "no such model"}}));
        let ships = vec![ship("m", refused), ship("m", gone), ship("backup", Step::text("whole"))];
        let fleet = Fleet::start(ships, json!({"litellm_settings": {"default_fallbacks": ["backup"]}})).await;
        let body = Client::Messages.hello(json!({"messages": [{"role": "user", "content": "content-canary"}]}));
        let answer = fleet.ask(Client::Messages, &body).await;
        assert_eq!(answer.status, 200);
        let record = fleet.explained(&answer).await;
        assert_eq!(record["outcome"], "answered");
        assert_eq!(record["routes"][0]["route"], "m");
        assert_eq!(record["routes"][0]["candidates"][1]["deployment"], "d1");
        assert_eq!(record["routes"][1]["why"], "fallback (general) of m");
        let attempts = record["attempts"].as_array().unwrap();
        assert_eq!(attempts.len(), 3);
        assert_eq!(attempts[0]["failure"]["kind"], "rate_limited");
        assert_eq!(attempts[0]["failure"]["status"], 429);
        assert_eq!(attempts[0]["failure"]["words"], "slow down, [redacted]");
        assert_eq!(attempts[0]["failure"]["retry_after_ms"], 30_000);
        assert_eq!(attempts[0]["failure"]["upstream_request_id"], "req_sim");
        assert_eq!(attempts[0]["then"], "asked d1");
        assert_eq!(attempts[1]["failure"]["kind"], "model_gone");
        has(attempts[1]["then"].as_str().unwrap(), "went to the route backup");
        assert!(attempts[2].get("failure").is_none());
        has(record["cause"].as_str().unwrap(), "d0 (openai_like/x): the provider limits the rate");
        has(record["next_step"].as_str().unwrap(), "wait");
        for secret in ["content-canary", PROVIDER_KEY, MASTER_KEY] {
            assert!(!record.to_string().contains(secret), "{record}");
        }
    });
}

#[test]
fn a_request_that_hangs_can_be_seen_while_it_hangs() {
    isolated(|| async {
        let silent = Faults { before_headers: Duration::from_secs(600), ..Faults::default() };
        let fleet = Fleet::start(vec![ship("m", Step::text("late").faults(silent))], json!({})).await;
        let body = Client::Chat.hello(json!({"stream": true}));
        let asking = fleet.ask(Client::Chat, &body);
        let looking = async {
            loop {
                let latest = fleet.get("/tollgate/requests?outcome=under_way").await.json();
                if latest[0]["attempts"][0].is_object() {
                    return latest;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let latest = tokio::select! {
            _ = asking => panic!("it answered"),
            latest = looking => latest,
        };
        assert_eq!(latest[0]["model"], "m");
        has(latest[0]["cause"].as_str().unwrap(), "under way: waiting for the first byte of d0 (openai_like/x)");
        // The client went away with the select.
        let gone = async {
            loop {
                let latest = fleet.get("/tollgate/requests?outcome=client_went_away").await.json();
                if latest[0].is_object() {
                    return latest[0].clone();
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let gone = tokio::time::timeout(Duration::from_secs(10), gone).await.expect("the disconnect is noticed");
        has(gone["cause"].as_str().unwrap(), "the client closed the connection");
        assert_eq!(gone["status"], 499);
    });
}

#[test]
fn failures_that_never_reached_a_model_are_known_too_and_records_need_the_key() {
    isolated(|| async {
        let fleet = Fleet::start(vec![ship("m", Step::text("x"))], json!({})).await;
        let answer = fleet.ask(Client::Messages, &Client::Messages.hello(json!({"model": "typo"}))).await;
        assert_eq!(answer.status, 404);
        let record = fleet.explained(&answer).await;
        has(record["error"].as_str().unwrap(), "typo is not configured here");
        has(record["cause"].as_str().unwrap(), "before asking a deployment");

        let headers = [("x-api-key", MASTER_KEY)];
        let broken = send(Method::POST, &fleet.gateway.url(Client::Messages.path()), &headers, "{").await;
        assert_eq!(broken.status, 400);
        let began = fleet.explained(&broken).await["began_at_ms"].as_u64().unwrap();
        assert!(began >= record["began_at_ms"].as_u64().unwrap() && began > 1_700_000_000_000, "{began}");

        let unknown = fleet.get("/tollgate/requests/req_0123").await;
        assert_eq!(unknown.status, 404);
        has(&unknown.text(), "No request req_0123 is known");
        let path = format!("/tollgate/requests/{}", answer.header("request-id").expect("an id"));
        for path in [path.as_str(), "/tollgate/requests"] {
            assert_eq!(send(Method::GET, &fleet.gateway.url(path), &[], "").await.status, 401);
        }
    });
}

#[test]
fn a_repair_is_in_the_record() {
    isolated(|| async {
        let mut ship = ship("m", Step::text("fine"));
        ship.sim = tollgate_sim::SimConfig::default().step(Step::json(
            400,
            &json!({"error": {"message": "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.",
                "param": "max_tokens", "code": "unsupported_parameter"}}),
        ));
        let fleet = Fleet::start(vec![ship], json!({})).await;
        let answer = fleet.ask(Client::Messages, &Client::Messages.hello(json!({}))).await;
        assert_eq!(answer.status, 200, "{}", answer.text());
        let record = fleet.explained(&answer).await;
        has(record["attempts"][0]["then"].as_str().unwrap(), "repaired max_completion_tokens and sent again");
        assert_eq!(record["attempts"][1]["cures"][0], "max_completion_tokens");
    });
}

#[test]
fn tollgate_explain_tells_it_from_the_running_gateway_and_after_its_end_from_its_files() {
    isolated(|| async {
        let refused = Step::json(400, &json!({"error": {"message": "requests with frobnicate > 1 are not served"}}));
        let fleet = Fleet::start(vec![ship("m", refused)], json!({})).await;
        let answer = fleet.ask(Client::Messages, &Client::Messages.hello(json!({}))).await;
        let id = answer.header("request-id").expect("an id").to_string();
        let explain = |args: &[&str], url: &str, folder: &std::path::Path| {
            let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_tollgate"));
            command.env_clear().env("TOLLGATE_BASE_URL", url).env("TOLLGATE_API_KEY", MASTER_KEY).arg("explain");
            command.args(args).arg("--data-dir").arg(folder);
            crate::support::client::run(command)
        };
        let empty = tempfile::tempdir().unwrap();
        let url = fleet.gateway.url("");
        let told = explain(&[&id], &url, empty.path()).await;
        assert_eq!(told.code, Some(0), "{told:?}");
        for part in ["failed with 400", "1. d0", "the upstream said: requests with frobnicate", "Cause", "Next step"] {
            has(&told.stdout, part);
        }
        let list = explain(&[], &url, empty.path()).await;
        has(&list.stdout, &id);
        let json: Value = serde_json::from_str(&explain(&[&id, "--json"], &url, empty.path()).await.stdout).unwrap();
        assert_eq!(json["attempts"][0]["deployment"], "d0");

        // Nobody listens there; the files are read.
        let nobody = format!("http://127.0.0.1:{}", crate::support::gateway::free_port());
        let data = fleet.gateway.data_dir();
        let from_files = async {
            loop {
                let told = explain(&[&id], &nobody, &data).await;
                if told.code == Some(0) {
                    return told;
                }
            }
        };
        let told = tokio::time::timeout(Duration::from_secs(20), from_files).await.expect("it is written down");
        has(&told.stdout, "the upstream said: requests with frobnicate");
        let unknown = explain(&["req_00000000"], &url, empty.path()).await;
        assert_eq!(unknown.code, Some(1));
        has(&unknown.stderr, "knows no request req_00000000");
    });
}

#[test]
fn s38_an_error_names_the_page_about_its_words_in_header_record_and_log() {
    isolated(|| async {
        let words =
            "This model does not support assistant message prefill. The conversation must end with a user message.";
        let refused = Step::json(403, &json!({"error": {"message": words}}));
        let fleet = Fleet::start(vec![ship("m", refused)], json!({})).await;
        for client in [Client::Messages, Client::Chat] {
            let answer = fleet.ask(client, &client.hello(json!({"model": "typo"}))).await;
            assert_eq!(answer.header("x-tollgate-signature"), Some("tollgate-unknown-model"));
            let answer = fleet.ask(client, &client.hello(json!({}))).await;
            let signature = answer.header("x-tollgate-signature").expect("the words are known").to_string();
            assert_eq!(fleet.explained(&answer).await["signature"], signature.as_str());
            let id = answer.header("request-id").expect("an id").to_string();
            let line = format!("\"request failed\",\"request_id\":\"{id}\"");
            let log = fleet.gateway.logged(&line).await;
            let line = log.lines().find(|l| l.contains(&line)).expect("was found");
            has(line, &format!("\"signature\":\"{signature}\""));
            let page = format!("{}/../../docs/errors/{signature}.md", env!("CARGO_MANIFEST_DIR"));
            assert!(std::path::Path::new(&page).exists(), "{page}");
        }
    });
}
