//! Captures, which hold no secret and exist only where they are asked for, and what `tollgate replay` makes of them.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::process::Command;
use tollgate_sim::{Answer, ChatStrictness, Ending, Faults, Sim, SimConfig, Step};

use crate::stage::{Client, MASTER_KEY, PROVIDER_KEY, Stage, Upstream, config, has, merged};
use crate::support::client::run;
use crate::support::http::post;
use crate::support::{Gateway, Run, isolated};

/// Keys of nobody's, in the forms that vendors give them.
const PASTED: [&str; 3] = ["sk-ant-api03-canary81-aaaaaaaaaaaaaaaa", "AKIAIOSFODNN7EXAMPLE", "MIIEcanaryOfAPrivateKey"];

/// Keys with letters and digits that each appears as such, but for the last, which stands in a block.
fn pasted() -> String {
    format!(
        "use {} and {}\n-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----",
        PASTED[0], PASTED[1], PASTED[2]
    )
}

fn on(capture: Value) -> Value {
    json!({"tollgate_settings": {"capture": capture}})
}

async fn stage(sim: SimConfig, capture: Value) -> Stage {
    Stage::start(sim, Upstream::Chat, json!({}), on(capture)).await
}

fn folder(gateway: &Gateway) -> PathBuf {
    gateway.data_dir().join("captures")
}

fn files(gateway: &Gateway) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder(gateway)) else { return Vec::new() };
    entries.map(|entry| entry.expect("an entry").path()).collect()
}

/// The text of a capture, once it is written.
async fn captured(gateway: &Gateway, id: &str) -> String {
    let path = folder(gateway).join(format!("{id}.json"));
    let written = async {
        loop {
            if let Ok(text) = std::fs::read_to_string(&path) {
                return text;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    let within = tokio::time::timeout(Duration::from_secs(20), written).await;
    within.unwrap_or_else(|_| panic!("{id} is not captured:\n{}", gateway.log()))
}

fn id(answer: &crate::support::http::Answer) -> String {
    answer.header("request-id").expect("a request id").to_string()
}

async fn replay(gateway: &Gateway, args: &[&str]) -> Run {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tollgate"));
    command.env_clear().env("HOME", gateway.data_dir()).arg("replay").args(args);
    command.arg("--config").arg(gateway.config_file()).arg("--data-dir").arg(gateway.data_dir());
    run(command).await
}

#[test]
fn nothing_is_captured_unless_the_configuration_says_so() {
    isolated(|| async {
        for off in [json!({}), on(json!(false))] {
            let sim = SimConfig::default().step(Step::json(500, &json!({"error": {"message": "no"}})).always());
            let mut stage = Stage::start(sim, Upstream::Chat, json!({"num_retries": 0}), off).await;
            let url = stage.gateway.url("/v1/messages");
            let asking = [("x-api-key", MASTER_KEY), ("x-tollgate-capture", "true")];
            let failed = post(&url, &asking, &Client::Messages.hello(json!({}))).await;
            assert_eq!(failed.status, 500, "{}", failed.text());
            post(&url, &asking, &Client::Messages.hello(json!({"model": "unknown"}))).await;
            stage.gateway.stop().await;
            assert!(!folder(&stage.gateway).exists());
        }
    });
}

#[test]
fn no_secret_is_in_a_capture_wherever_it_came_from() {
    isolated(|| async {
        let echo = format!("your key is {PROVIDER_KEY}, the gateway's {MASTER_KEY}; {}", pasted());
        let refusal = json!({"error": {"message": format!("bad key {PROVIDER_KEY}"), "type": "x"}});
        let sim = SimConfig::default()
            .step(Step::answer(Answer::text(&echo)))
            .step(Step::answer(Answer::text(&echo)))
            .step(Step::json(400, &refusal));
        let extra = json!({"extra_headers": {"x-tenant": "tenant-canary-77aa"}});
        let mut stage = Stage::start(sim, Upstream::Chat, extra, on(json!(true))).await;
        let text = format!("{} {PROVIDER_KEY} {MASTER_KEY} tenant-canary-77aa", pasted());
        let agent = format!("agent/1 ({PROVIDER_KEY})");
        let headers = [
            ("x-api-key", MASTER_KEY),
            ("authorization", "Bearer callers-canary-of-its-own"),
            ("user-agent", &agent),
            ("cookie", "session=cookie-canary-1"),
            ("anthropic-version", "2023-06-01"),
        ];
        let mut ids = Vec::new();
        for more in [json!({"stream": true}), json!({}), json!({})] {
            let messages = json!([{"role": "user", "content": format!("{text} callers-canary-of-its-own")}]);
            let body = merged(Client::Messages.hello(json!({"messages": messages})), more);
            ids.push(id(&post(&stage.gateway.url("/v1/messages"), &headers, &body).await));
        }
        stage.gateway.stop().await;
        let secrets = [PROVIDER_KEY, MASTER_KEY, "callers-canary-of-its-own", "tenant-canary-77aa", "cookie-canary-1"]
            .iter()
            .chain(&PASTED);
        assert_eq!(files(&stage.gateway).len(), 3);
        for id in &ids {
            let text = captured(&stage.gateway, id).await;
            for secret in secrets.clone() {
                assert!(!text.contains(secret), "{secret} is in {text}");
            }
            has(&text, "[redacted]");
            let capture: Value = serde_json::from_str(&text).expect("JSON");
            assert_eq!(capture["headers"][1], json!(["anthropic-version", "2023-06-01"]), "{text}");
        }
        // What a stream spells out in pieces is no secret either.
        let streamed: Value = serde_json::from_str(&captured(&stage.gateway, &ids[0]).await).expect("JSON");
        let raw = streamed["exchanges"][0]["answer"]["raw"].as_str().expect("the answer");
        let pieces = raw.lines().filter_map(|line| serde_json::from_str::<Value>(line.strip_prefix("data: ")?).ok());
        let text: String =
            pieces.filter_map(|piece| Some(piece["choices"][0]["delta"]["content"].as_str()?.to_string())).collect();
        has(&text, "your key is [redacted], the gateway's [redacted]; use [redacted] and [redacted]");
        for secret in secrets {
            assert!(!text.contains(secret), "{secret} is in {text}");
        }
    });
}

#[test]
fn a_capture_is_its_owners_alone_and_the_folder_is_bounded() {
    isolated(|| async {
        let mut stage = stage(SimConfig::default(), json!({"max_mb": 1})).await;
        let long = "a long text ".repeat(10_000);
        let mut last = String::new();
        for _ in 0..12 {
            let messages = json!([{"role": "user", "content": long}]);
            let answer = stage.ask(Client::Chat, &Client::Chat.hello(json!({"messages": messages}))).await;
            assert_eq!(answer.status, 200);
            last = id(&answer);
        }
        stage.gateway.stop().await;
        let files = files(&stage.gateway);
        let sizes: Vec<u64> = files.iter().map(|path| path.metadata().expect("a file").len()).collect();
        // Each takes twice the 120 KB, as it came and as it went up.
        assert!(sizes.iter().sum::<u64>() <= 1 << 20 && (2..=4).contains(&sizes.len()), "{sizes:?}");
        assert!(files.iter().any(|path| path.ends_with(format!("{last}.json"))), "the latest stays");
        for path in files {
            assert_eq!(path.metadata().expect("a file").permissions().mode() & 0o777, 0o600);
        }
    });
}

#[test]
fn models_failures_and_the_clients_wish_decide_what_is_captured() {
    isolated(|| async {
        let failing = || Step::json(400, &json!({"error": {"message": "no", "type": "invalid_request_error"}}));
        let cases = [
            (json!("on_request"), [("x-tollgate-capture", "true")].as_slice(), Step::text("hi"), true),
            (json!("on_request"), &[("x-tollgate-capture", "no")], Step::text("hi"), false),
            (json!("on_request"), &[], failing(), false),
            (json!({"models": ["other-*"]}), &[], Step::text("hi"), false),
            (json!({"models": ["other-*", "m*"]}), &[], Step::text("hi"), true),
            (json!({"failures_only": true}), &[], Step::text("hi"), false),
            (json!({"failures_only": true}), &[], failing(), true),
        ];
        for (rules, headers, step, expected) in cases {
            let mut stage = stage(SimConfig::default().step(step), rules.clone()).await;
            let headers: Vec<(&str, &str)> = [("x-api-key", MASTER_KEY)].iter().chain(headers).copied().collect();
            post(&stage.gateway.url("/v1/messages"), &headers, &Client::Messages.hello(json!({}))).await;
            stage.gateway.stop().await;
            assert_eq!(files(&stage.gateway).len(), usize::from(expected), "{rules}");
        }
    });
}

#[test]
fn the_same_deployment_gives_the_same_body_and_the_same_outcome() {
    isolated(|| async {
        let sim = SimConfig::default()
            .step(Step::answer(Answer::text("I read.").and_tool("call_1", "Read", &json!({"path": "a.txt"}))).always());
        let stage = stage(sim, json!(true)).await;
        let image = format!("iVBORw0KGgo{}", "A".repeat(4001));
        let content = json!([
            {"type": "text", "text": "what is this?"},
            {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": image}},
        ]);
        let tools =
            json!([{"name": "Read", "input_schema": {"type": "object", "properties": {"path": {"type": "string"}}}}]);
        for stream in [true, false] {
            let more = json!({"stream": stream, "tools": tools, "messages": [{"role": "user", "content": content}]});
            let answer = stage.ask(Client::Messages, &Client::Messages.hello(more)).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
            let capture = captured(&stage.gateway, &id(&answer)).await;
            assert!(!capture.contains(&image[..100]), "the image is in the capture");
            let run = replay(&stage.gateway, &[&id(&answer)]).await;
            assert_eq!(run.code, Some(0), "{run:?}");
            has(&run.stdout, "Body that went up: the same");
            has(&run.stdout, "Outcome: the same (answered)");
            has(&run.stdout, r#"Read {"path":"a.txt"}"#);
            has(&run.stdout, "1 media (image/png; 3 KB in base64)");
            let (sent, again) = (&stage.sent()[stage.sent().len() - 2], stage.last());
            assert_eq!(sent.json()["messages"][0]["content"][0], again["messages"][0]["content"][0]);
            let image = again["messages"][0]["content"][1]["image_url"]["url"].as_str().expect("an image");
            assert!(image.starts_with("data:image/png;base64,iVBOR") && image.len() < 200, "{image}");
            stage.nothing_was_refused();
        }
        assert_eq!(files(&stage.gateway).len(), 2, "a replay is not captured");
    });
}

#[test]
fn another_deployment_shows_the_difference_of_the_bodies_and_of_the_outcomes() {
    isolated(|| async {
        let old = Sim::start(SimConfig::default().key(PROVIDER_KEY).step(Step::text("hi").always())).await;
        let strict = ChatStrictness { requires_max_completion_tokens: true, ..ChatStrictness::default() };
        let new = Sim::start(SimConfig::default().key(PROVIDER_KEY).chat(strict).step(Step::text("hello"))).await;
        let modern = json!({"quirks": {"token_field": "max_completion_tokens"}, "num_retries": 0});
        let models = [Upstream::Chat.entry(&old, "m", json!({})), Upstream::Chat.entry(&new, "modern", modern)];
        let mut models = models.map(|entry| merged(entry, json!({"model_info": {"id": "first"}})));
        models[1]["model_info"]["id"] = json!("second");
        let gateway = Gateway::start(&merged(config(&models), on(json!(true))).to_string(), &[]).await;
        let url = gateway.url("/v1/messages");
        let answer = post(&url, &[("x-api-key", MASTER_KEY)], &Client::Messages.hello(json!({}))).await;
        captured(&gateway, &id(&answer)).await;

        let answered = replay(&gateway, &[&id(&answer), "--deployment", "second"]).await;
        assert_eq!(answered.code, Some(0), "{answered:?}");
        has(&answered.stdout, "- max_tokens: 100\n");
        has(&answered.stdout, "+ max_completion_tokens: 100\n");
        has(&answered.stdout, "Body that went up: 2 differences");
        has(&answered.stdout, "text        hi → hello");

        new.push(Step::json(429, &json!({"error": {"message": "slow down"}})).always());
        let failed = replay(&gateway, &[&id(&answer), "--model", "modern"]).await;
        assert_eq!(failed.code, Some(1), "{failed:?}");
        has(&failed.stdout, "Outcome: different (answered → failed (rate_limited, status 429))");
        has(&failed.stdout, "slow down");
        assert_eq!(new.requests().len(), 2, "a replay asks once");

        let as_json = replay(&gateway, &[&id(&answer), "--deployment", "second", "--json"]).await;
        let comparison: Value = serde_json::from_str(&as_json.stdout).expect("JSON");
        assert_eq!(comparison["same"], false, "{comparison}");
        let paths: Vec<&str> =
            comparison["body"].as_array().expect("differences").iter().filter_map(|d| d["path"].as_str()).collect();
        assert_eq!(paths, ["max_tokens", "max_completion_tokens"]);
        assert_eq!(comparison["now"]["ending"], json!({"failed": {"kind": "rate_limited", "status": 429}}));

        let nowhere = replay(&gateway, &[&id(&answer), "--deployment", "third"]).await;
        assert_eq!(nowhere.code, Some(2), "{nowhere:?}");
        has(&nowhere.stderr, "first (m), second (modern)");
    });
}

#[test]
fn a_failure_that_repeats_is_the_same_and_one_that_is_cured_is_not() {
    isolated(|| async {
        let failing = Step::json(400, &json!({"error": {"message": "no such thing", "type": "invalid_request_error"}}));
        let stage = stage(SimConfig::default().step(failing.clone()).step(failing), json!(true)).await;
        let answer = stage.ask(Client::Chat, &Client::Chat.hello(json!({}))).await;
        assert_eq!(answer.status, 400);
        captured(&stage.gateway, &id(&answer)).await;
        let again = replay(&stage.gateway, &[&id(&answer)]).await;
        assert_eq!(again.code, Some(0), "{again:?}");
        has(&again.stdout, "Outcome: the same (failed (");
        has(&again.stdout, "no such thing");
        let cured = replay(&stage.gateway, &[&id(&answer)]).await;
        assert_eq!(cured.code, Some(1), "{cured:?}");
        has(&cured.stdout, "→ answered)");
    });
}

#[test]
fn a_stream_that_broke_is_captured_up_to_the_break() {
    isolated(|| async {
        let cut = Faults { cut_after: Some((3, Ending::Reset)), ..Faults::default() };
        let broken = Step::answer(Answer::text("one piece of text, and another one, and a third")).faults(cut);
        let stage =
            Stage::start(SimConfig::default().step(broken), Upstream::Chat, json!({"num_retries": 0}), on(json!(true)))
                .await;
        let answer = stage.ask(Client::Messages, &Client::Messages.hello(json!({"stream": true}))).await;
        let capture: Value = serde_json::from_str(&captured(&stage.gateway, &id(&answer)).await).expect("JSON");
        let exchange = &capture["exchanges"][0];
        assert_eq!(exchange["answer"]["broke_off"], true, "{capture:#}");
        let raw = exchange["answer"]["raw"].as_str().expect("the answer");
        has(raw, "one piece of tex");
        assert!(!raw.contains("[DONE]") && !raw.contains("third"), "{raw}");
        assert_eq!(exchange["attempt"]["failure"]["kind"], "broken_answer", "{exchange:#}");
        let shown = replay(&stage.gateway, &[&id(&answer), "--show"]).await;
        assert_eq!(shown.code, Some(0), "{shown:?}");
        has(&shown.stdout, "one piece of tex");
        has(&shown.stdout, "(here the connection broke)");
        assert_eq!(stage.sent().len(), 1, "--show sends nothing");
    });
}

#[test]
fn what_is_no_capture_is_one_line_with_a_hint() {
    isolated(|| async {
        let stage = stage(SimConfig::default(), json!(true)).await;
        let unknown = replay(&stage.gateway, &["req_0123"]).await;
        assert_eq!((unknown.code, unknown.stderr.lines().count()), (Some(2), 1), "{unknown:?}");
        has(&unknown.stderr, "no capture of req_0123 is in ");
        has(&unknown.stderr, "tollgate_settings.capture");
        let answer = stage.ask(Client::Chat, &Client::Chat.hello(json!({}))).await;
        captured(&stage.gateway, &id(&answer)).await;
        has(&replay(&stage.gateway, &["req_0123"]).await.stderr, &format!("the latest there is {}", id(&answer)));
        let config = stage.gateway.config_file();
        let other = replay(&stage.gateway, &[config.to_str().expect("a path")]).await;
        assert_eq!((other.code, other.stderr.lines().count()), (Some(2), 1), "{other:?}");
        has(&other.stderr, "is no capture");
    });
}
