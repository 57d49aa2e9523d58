//! S25: nothing that is secret leaves the gateway but where it is meant to go, and nothing that a client says stays behind.
//!
//! Every secret and every text is a canary; they go through each way in which a request can end, in both forms of the log. Captures are off.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::process::{Child, Command};
use tollgate_sim::{Answer as Said, Ending, Faults, Sim, SimConfig, Step};
use tollgate_store::entity::VirtualKey;

use crate::stage::{BOTH, Client, MASTER_KEY, has, merged};
use crate::support::gateway::free_port;
use crate::support::http::{Answer, send, try_send};
use crate::support::isolated;

const KEY: &str = "sk-virtual-canary-d01c";
const POOR_KEY: &str = "sk-poor-canary-77f3";
const WRONG_KEY: &str = "sk-wrong-canary-2b9a";
/// The beginning of all credentials of upstreams.
const UPSTREAM: &str = "sk-upstream-canary";
/// In the client's own headers, in an address of the configuration, in a model that is added at run time.
const OTHERS: [&str; 5] =
    ["header-canary-81be", "cookie-canary-93aa", "password-canary-4e1d", "query-canary-5d77", "sk-added-canary-0f5e"];

/// What a client says, and what it is answered.
const PROMPT: &str = "prompt-canary-of-a-plan-that-nobody-else-may-read";
const ARGUMENT: &str = "argument-canary-of-a-tool-rm-r-home-ada-letters";
const RESULT: &str = "result-canary-of-a-tool-dear-grandmother-i-am-well";
const ANSWER: &str = "answer-canary-with-advice-for-one-pair-of-eyes-only";
const TEXTS: [&str; 4] = [PROMPT, ARGUMENT, RESULT, ANSWER];

/// What an upstream answers, given its credential.
type Script = fn(&str) -> Step;

/// How an upstream answers a route, given its credential: vendors quote what they refuse.
fn scripts() -> Vec<(&'static str, Script)> {
    fn quoted(key: &str) -> String {
        format!("Incorrect: {key}. Invalid content: '{PROMPT}', in {ARGUMENT}, after {RESULT}")
    }
    fn refused(status: u16, key: &str) -> Step {
        Step::json(status, &json!({"error": {"message": quoted(key), "type": "invalid_request_error", "code": null}}))
    }
    fn answer() -> Said {
        Said { piece_chars: 8, ..Said::text(ANSWER) }
    }
    vec![
        ("fine", |_| Step::answer(answer())),
        ("tool", |_| Step::answer(Said::tool("call_9", "note", &json!({"word": ANSWER})))),
        ("http400", |key| refused(400, key)),
        ("http401", |key| refused(401, key)),
        ("http403", |key| refused(403, key)),
        ("http404", |key| refused(404, key)),
        ("http413", |key| refused(413, key)),
        ("http429", |key| refused(429, key).header("retry-after", "1").header("x-ratelimit-remaining-requests", "0")),
        ("http500", |key| refused(500, key)),
        ("html500", |key| Step::http(500, "text/html", format!("<html>{}</html>", quoted(key)))),
        ("html200", |key| Step::http(200, "text/html", format!("<html>{}</html>", quoted(key)))),
        ("text200", |key| Step::http(200, "text/plain", quoted(key))),
        ("badjson", |key| Step::http(200, "application/json", format!("{{\"choices\": [{{\"{}", quoted(key)))),
        ("error200", |key| Step::http(200, "application/json", json!({"error": {"message": quoted(key)}}).to_string())),
        ("redirect", |key| {
            Step::http(302, "text/plain", "").header("location", &format!("http://127.0.0.1:9/?key={key}"))
        }),
        ("midway", |key| {
            let error = json!({"error": {"message": quoted(key), "type": "server_error"}});
            Step::answer(answer()).faults(Faults { error_after: Some((3, error)), ..Faults::default() })
        }),
        ("cut", |_| Step::answer(answer()).faults(Faults { cut_after: Some((3, Ending::Reset)), ..Faults::default() })),
        ("reset", |_| Step::refused(Ending::Reset)),
    ]
}

/// A conversation with a tool, in the client's dialect.
fn conversation(client: Client, model: &str, stream: bool) -> Value {
    let argument = json!({"command": ARGUMENT});
    match client {
        Client::Chat => json!({"model": model, "max_tokens": 50, "stream": stream, "user": "ada", "messages": [
            {"role": "user", "content": PROMPT},
            {"role": "assistant", "tool_calls": [{"id": "call_1", "type": "function",
                "function": {"name": "run", "arguments": argument.to_string()}}]},
            {"role": "tool", "tool_call_id": "call_1", "content": RESULT}],
            "tools": [{"type": "function", "function": {"name": "run", "parameters": {"type": "object", "properties": {}}}}]}),
        Client::Messages => json!({"model": model, "max_tokens": 50, "stream": stream, "messages": [
            {"role": "user", "content": PROMPT},
            {"role": "assistant", "content": [{"type": "tool_use", "id": "call_1", "name": "run", "input": argument}]},
            {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "call_1", "content": RESULT}]}],
            "tools": [{"name": "run", "input_schema": {"type": "object", "properties": {}}}]}),
    }
}

/// The form of the log: JSON where it goes to a file, text on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Log {
    Json,
    Text,
}

struct House {
    dir: tempfile::TempDir,
    port: u16,
    secrets: Vec<String>,
    _gateway: Child,
    _sims: Vec<Sim>,
}

impl House {
    async fn open(log: Log) -> House {
        let (mut models, mut sims) = (Vec::new(), Vec::new());
        let price = json!({"num_retries": 0, "input_cost_per_token": 0.001, "output_cost_per_token": 0.001});
        for (name, step) in scripts() {
            let key = format!("{UPSTREAM}-{name}");
            let sim = Sim::start(SimConfig::default().step(step(&key).always()).key(&key)).await;
            let params = json!({"model": "openai/x", "api_base": format!("{}/v1", sim.base_url()), "api_key": key});
            models.push(json!({"model_name": name, "litellm_params": merged(params, price.clone())}));
            sims.push(sim);
        }
        let away = json!({"model": "openai/x", "api_key": format!("{UPSTREAM}-away"),
            "api_base": "http://me:password-canary-4e1d@127.0.0.1:9/v1?key=query-canary-5d77"});
        models.push(json!({"model_name": "away", "litellm_params": merged(away, price)}));
        let config = json!({
            "model_list": models,
            // `/health` shows what requests have found, and calls nobody for it.
            "general_settings":
                {"master_key": MASTER_KEY, "background_health_checks": true, "health_check_interval": 1_000_000},
            "router_settings": {"disable_cooldowns": true},
        });
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::write(dir.path().join("config.yaml"), config.to_string()).expect("the config can be written");
        let port = free_port();
        let gateway = launch(dir.path(), port, log);
        let hashes = [KEY, POOR_KEY, WRONG_KEY, MASTER_KEY].map(VirtualKey::hash_of);
        let keys = [KEY, POOR_KEY, WRONG_KEY, MASTER_KEY, UPSTREAM].into_iter().chain(OTHERS);
        let secrets = keys.map(str::to_string).chain(hashes).collect();
        let house = House { dir, port, secrets, _gateway: gateway, _sims: sims };
        let ready = async {
            while !try_send(Method::GET, &house.url("/health/readiness"), &[], "").await.is_ok_and(|a| a.status == 200)
            {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), ready).await.unwrap_or_else(|_| panic!("{}", house.log()));
        house
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// The answer, in which nothing is secret.
    async fn call(&self, key: &str, request: &str, body: impl Into<bytes::Bytes>) -> Answer {
        let (method, path) = request.split_once(' ').expect("a method and a path");
        let bearer = format!("Bearer {key}");
        let headers = [
            ("authorization", bearer.as_str()),
            ("content-type", "application/json"),
            ("x-of-a-proxy", OTHERS[0]),
            ("cookie", "session=cookie-canary-93aa"),
            ("user-agent", "agent/1"),
        ];
        let method: Method = method.parse().expect("a method");
        let sent = try_send(method, &self.url(path), &headers, body).await;
        // A stream that breaks off is no whole answer.
        let Ok(answer) = sent else {
            return Answer { status: http::StatusCode::OK, headers: http::HeaderMap::new(), body: bytes::Bytes::new() };
        };
        self.has_no_secret(request, &format!("{:?} {}", answer.headers, answer.text()), false);
        answer
    }

    /// `by_hash`: where keys are known by their hashes.
    fn has_no_secret(&self, place: &str, text: &str, by_hash: bool) {
        for secret in self.secrets.iter().filter(|secret| !(by_hash && secret.len() == 64)) {
            assert!(!text.contains(secret.as_str()), "{secret} is in {place}: {}", around(text, secret));
        }
    }

    fn has_no_text(&self, place: &str, text: &str) {
        for said in TEXTS {
            assert!(!text.contains(said), "{said} is in {place}: {}", around(text, said));
        }
    }
}

/// What stands before and after a find.
fn around(text: &str, part: &str) -> String {
    let at = text.find(part).unwrap_or(0);
    let before: String = text[..at].chars().rev().take(300).collect::<Vec<_>>().into_iter().rev().collect();
    before + &text[at..].chars().take(300).collect::<String>()
}

fn launch(dir: &Path, port: u16, log: Log) -> Child {
    let binary = env!("CARGO_BIN_EXE_tollgate");
    let (config, data) = (dir.join("config.yaml"), dir.join("data"));
    let args = format!("serve --port {port} --config {} --data-dir {}", config.display(), data.display());
    let mut command = match log {
        Log::Json => {
            let file = fs::File::create(dir.join("log")).expect("a log file");
            let mut command = Command::new(binary);
            command.args(args.split(' ')).stdout(Stdio::null()).stderr(file);
            command
        }
        // A terminal of its own, whose output is written to the file.
        Log::Text => {
            let mut command = Command::new("script");
            command
                .args(["--quiet", "--flush", "--return", "--command", &format!("{binary} {args}")])
                .arg(dir.join("log"));
            command.stdout(Stdio::null()).stderr(Stdio::null());
            command
        }
    };
    command.env_clear().env("PATH", "/usr/bin:/bin").env("HOME", dir).env("RUST_BACKTRACE", "1");
    command.env("LITELLM_SALT_KEY", "salt-canary-66ab").stdin(Stdio::null()).kill_on_drop(true);
    command.spawn().expect("the gateway starts")
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).expect("a folder").flatten().map(|entry| entry.path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Sends what fails on our side.
async fn refused_here(house: &House) {
    for (key, status) in [(WRONG_KEY, 401), (POOR_KEY, 402)] {
        for client in BOTH {
            let body = conversation(client, "fine", false).to_string();
            assert_eq!(house.call(key, &format!("POST {}", client.path()), body).await.status, status);
        }
    }
    let whole = conversation(Client::Chat, "fine", false);
    for body in [
        whole.to_string()[..200].to_string(),
        merged(whole.clone(), json!({"max_tokens": PROMPT})).to_string(),
        merged(whole.clone(), json!({"messages": PROMPT})).to_string(),
        merged(
            whole.clone(),
            json!({"messages": [{"role": "user", "content": {"text": PROMPT}, "tool_calls": ARGUMENT}]}),
        )
        .to_string(),
        merged(whole.clone(), json!({"tools": {"a": PROMPT}, "tool_choice": ARGUMENT})).to_string(),
        merged(whole.clone(), json!({"stream": PROMPT, "temperature": ARGUMENT})).to_string(),
        merged(whole, json!({"model": "nothing"})).to_string(),
        format!("{PROMPT} {{"),
    ] {
        for path in [
            "/v1/chat/completions",
            "/v1/messages",
            "/v1/responses",
            "/v1beta/models/fine:generateContent",
            "/v1/embeddings",
        ] {
            house.call(KEY, &format!("POST {path}"), body.clone()).await;
        }
    }
    for request in [
        format!("GET /key/info?key={WRONG_KEY}"),
        format!("POST /key/{WRONG_KEY}/regenerate"),
        format!("GET /key/{KEY}/nothing"),
        format!("DELETE /v1/models/{KEY}"),
        format!("GET /v1/chat/completions?key={KEY}"),
    ] {
        for key in [MASTER_KEY, KEY, WRONG_KEY] {
            let answer = house.call(key, &request, "").await;
            assert!(answer.status.is_client_error(), "{request}: {}", answer.status);
        }
    }
    for body in [json!({"key": KEY, "max_budget": PROMPT}), json!({"key": KEY, "duration": WRONG_KEY}), json!([KEY])] {
        assert_eq!(house.call(MASTER_KEY, "POST /key/generate", body.to_string()).await.status, 400);
    }
}

async fn s25(log: Log) {
    let house = House::open(log).await;
    // The answer that makes a key shows it, and is not looked at.
    for (key, budget) in [(KEY, 1000.0), (POOR_KEY, 0.001)] {
        let body = json!({"key": key, "max_budget": budget}).to_string();
        let headers = [("authorization", &*format!("Bearer {MASTER_KEY}"))];
        assert_eq!(send(Method::POST, &house.url("/key/generate"), &headers, body).await.status, 200);
    }
    let added = json!({"model_name": "added", "litellm_params": {
        "model": "openai/x", "api_base": "http://127.0.0.1:9/v1", "api_key": OTHERS[4], "num_retries": 0}});
    assert_eq!(house.call(MASTER_KEY, "POST /model/new", added.to_string()).await.status, 200);
    let names: Vec<&str> = scripts().iter().map(|(name, _)| *name).chain(["away", "added"]).collect();
    let mut failed = 0;
    for model in &names {
        for client in BOTH {
            for stream in [false, true] {
                let body = conversation(client, model, stream).to_string();
                let answer = house.call(KEY, &format!("POST {}", client.path()), body).await;
                failed += usize::from(!answer.status.is_success());
                if *model == "fine" {
                    assert_eq!(answer.status, 200, "{}", answer.text());
                }
            }
        }
    }
    assert!(failed > 2 * names.len(), "only {failed} failed");
    refused_here(&house).await;
    // A hash is what the management API calls a key by.
    for (path, by_hash) in [
        ("/health", false),
        ("/metrics", false),
        ("/tollgate/requests?limit=500", false),
        ("/model/info", false),
        ("/spend/logs", true),
        ("/spend/logs/export", true),
        ("/audit", true),
        ("/key/list?return_full_object=true", true),
    ] {
        let headers = [("authorization", &*format!("Bearer {MASTER_KEY}"))];
        let answer = send(Method::GET, &house.url(path), &headers, "").await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        house.has_no_secret(path, &answer.text(), by_hash);
        house.has_no_text(path, &answer.text());
    }
    // What was put down is written within a moment.
    tokio::time::sleep(Duration::from_millis(1500)).await;
    let log_text = house.log();
    has(&log_text, "request failed");
    has(&log_text, "[redacted]");
    has(&log_text, "[from the request]");
    assert_eq!(
        log_text.contains("{\"timestamp\"") || log_text.trim_start().starts_with('{'),
        log == Log::Json,
        "{}",
        &log_text[..300]
    );
    house.has_no_secret("the log", &log_text, false);
    house.has_no_text("the log", &log_text);
    let data = house.dir.path().join("data");
    let mut found = Vec::new();
    for file in files(&data) {
        let name = file.strip_prefix(&data).expect("inside").display().to_string();
        let text = String::from_utf8_lossy(&fs::read(&file).expect("a file")).into_owned();
        house.has_no_text(&name, &text);
        // Hashes are what keys are stored and counted by.
        let by_hash = name.starts_with("tollgate.db") || name.starts_with("journal/");
        house.has_no_secret(&name, &text, by_hash);
        found.push(name);
    }
    for wanted in ["tollgate.db", "records.jsonl"] {
        assert!(found.iter().any(|name| name == wanted), "{wanted} is not among {found:?}");
    }
    has(&fs::read_to_string(data.join("records.jsonl")).expect("records"), "[redacted]");
    assert!(!data.join("captures").exists());
}

#[test]
fn s25_no_secret_and_no_text_of_a_client_is_where_it_does_not_belong_with_a_log_in_json() {
    isolated(|| s25(Log::Json));
}

#[test]
fn s25_no_secret_and_no_text_of_a_client_is_where_it_does_not_belong_with_a_log_in_text() {
    isolated(|| s25(Log::Text));
}
