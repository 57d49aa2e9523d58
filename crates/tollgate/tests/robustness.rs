//! S16: requests that are none, too large, or broken get a whole answer that clients can show; and starts that cannot succeed
//! say why.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod support;

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tollgate_sim::{Sim, SimConfig};

use support::client::Run;
use support::http::Answer;
use support::{Gateway, isolated};

const PATIENCE: Duration = Duration::from_secs(30);
const MESSAGES: &str = "/v1/messages?beta=true";
const CHAT: &str = "/v1/chat/completions";

struct Stage {
    gateway: Gateway,
    sim: Sim,
}

fn play<F, Fut>(test: F)
where
    F: FnOnce(Stage) -> Fut + Send + 'static,
    Fut: Future<Output = ()>,
{
    isolated(|| async {
        let sim = Sim::start(SimConfig::default()).await;
        let config = format!(
            "model_list:\n  - model_name: m\n    litellm_params: {{ model: openai/up, api_base: {}/v1, api_key: sk-up }}\n",
            sim.base_url()
        );
        let gateway = Gateway::start(&config, &[]).await;
        test(Stage { gateway, sim }).await;
    });
}

fn good() -> Value {
    json!({"model": "m", "max_tokens": 10, "messages": [{"role": "user", "content": "Hello."}]})
}

/// A connection on which anything can be said.
struct Raw {
    stream: TcpStream,
    seen: Vec<u8>,
}

impl Raw {
    async fn open(gateway: &Gateway) -> Raw {
        let address = gateway.url("").replace("http://", "");
        Raw { stream: TcpStream::connect(address).await.expect("a connection"), seen: Vec::new() }
    }

    async fn say(&mut self, bytes: &[u8]) {
        // The gateway may have answered and closed before it has read all.
        let _ = self.stream.write_all(bytes).await;
    }

    async fn post(&mut self, path: &str, headers: &str, body: &[u8]) {
        let head = format!("POST {path} HTTP/1.1\r\nhost: x\r\n{headers}content-length: {}\r\n\r\n", body.len());
        self.say(&[head.as_bytes(), body].concat()).await;
    }

    /// Reads one answer, by its content-length.
    async fn answer(&mut self) -> Answer {
        timeout(PATIENCE, self.read_answer())
            .await
            .unwrap_or_else(|_| panic!("no whole answer: {:?}", String::from_utf8_lossy(&self.seen)))
    }

    async fn read_answer(&mut self) -> Answer {
        loop {
            if let Some(answer) = self.take() {
                return answer;
            }
            let mut buffer = [0; 8192];
            let read = self.stream.read(&mut buffer).await.unwrap_or(0);
            assert!(read > 0, "the connection ended within an answer: {:?}", String::from_utf8_lossy(&self.seen));
            self.seen.extend_from_slice(&buffer[..read]);
        }
    }

    /// The answer at the beginning of what was read, if it is whole.
    fn take(&mut self) -> Option<Answer> {
        let end = self.seen.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
        let head = String::from_utf8(self.seen[..end].to_vec()).expect("a head in ASCII");
        let mut lines = head.trim_end().split("\r\n");
        let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok());
        let mut headers = http::HeaderMap::new();
        for line in lines {
            let (name, value) = line.split_once(": ").unwrap_or_else(|| panic!("no header: {line}"));
            headers.insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
        }
        let length: usize = headers.get("content-length").expect("a content-length").to_str().unwrap().parse().unwrap();
        if self.seen.len() < end + length {
            return None;
        }
        let body = self.seen[end..end + length].to_vec().into();
        self.seen.drain(..end + length);
        Some(Answer { status: status.unwrap_or_else(|| panic!("no status: {head}")), headers, body })
    }

    /// The other side closes now.
    async fn closes(&mut self) {
        let mut rest = Vec::new();
        let read = timeout(PATIENCE, self.stream.read_to_end(&mut rest)).await.expect("the connection is closed");
        // A reset says the same.
        assert!(rest.is_empty(), "{read:?}: {:?}", String::from_utf8_lossy(&rest));
    }
}

/// The answer is an error in the dialect of the path, with an id that is also in the log. Returns its message.
async fn whole_error(stage: &Stage, path: &str, answer: &Answer, status: u16) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let body = answer.json();
    let id = answer.header("request-id").expect("a request id").to_owned();
    assert_eq!(answer.header("x-request-id"), Some(id.as_str()));
    if path.contains("messages") {
        assert_eq!((&body["type"], &body["request_id"]), (&json!("error"), &json!(id)), "{body}");
        assert!(body["error"]["type"].is_string(), "{body}");
    } else {
        assert!(body.get("type").is_none() && body["error"]["type"].is_string(), "{body}");
    }
    let lines = logged(&stage.gateway, &id).await;
    assert_eq!(lines.len(), 1, "one line for {id}: {lines:?}");
    assert!(lines[0].contains(&format!("\"status\":{status}")), "{}", lines[0]);
    assert_eq!(
        lines[0].matches("\"message\":").count(),
        1,
        "a name twice is no JSON that all read alike: {}",
        lines[0]
    );
    body["error"]["message"].as_str().unwrap_or_else(|| panic!("no message: {body}")).to_owned()
}

/// The log lines with this text. The log is written behind the answers: there is one before long.
async fn logged(gateway: &Gateway, text: &str) -> Vec<String> {
    for _ in 0..1000 {
        let log = gateway.log();
        let lines: Vec<String> = log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect();
        if !lines.is_empty() {
            return lines;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("nothing of {text} in the log:\n{}", gateway.log());
}

/// A good request on the same connection is answered.
async fn still_usable(raw: &mut Raw, path: &str) {
    raw.post(path, "content-type: application/json\r\n", good().to_string().as_bytes()).await;
    let answer = raw.answer().await;
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn s16_bodies_that_are_no_request_are_told_so_and_the_connection_stays() {
    let deep = format!("{{\"model\":\"m\",\"messages\":{}{}}}", "[".repeat(100_000), "]".repeat(100_000));
    let rows: Vec<(&str, Vec<u8>, &str)> = vec![
        ("bad JSON", b"{\"model\": \"m\",\n \"messages\": [}".to_vec(), "line 2 column 15"),
        ("cut JSON", b"{\"model\": \"m\"".to_vec(), "line 1 column 13"),
        ("two values", b"{\"model\": \"m\"} {}".to_vec(), "line 1 column 16"),
        ("nothing", Vec::new(), "empty"),
        ("blanks", b" \r\n ".to_vec(), "empty"),
        ("a list", b"[1]".to_vec(), "JSON object"),
        ("a word", b"\"hello\"".to_vec(), "JSON object"),
        ("null", b"null".to_vec(), "JSON object"),
        ("no JSON", b"hello".to_vec(), "line 1 column 1"),
        ("no UTF-8", b"{\"model\": \"\xff\xfe\"}".to_vec(), "UTF-8"),
        ("too deep", deep.into_bytes(), "nested deeper"),
        ("no model", b"{}".to_vec(), "model"),
        ("a model that is no string", b"{\"model\": 7}".to_vec(), "model"),
        ("no messages", b"{\"model\": \"m\", \"max_tokens\": 5}".to_vec(), "messages"),
        ("messages that are no list", b"{\"model\": \"m\", \"max_tokens\": 5, \"messages\": 7}".to_vec(), "messages"),
        ("stream that is no boolean", b"{\"model\": \"m\", \"stream\": \"yes\", \"messages\": []}".to_vec(), "stream"),
    ];
    play(|stage| async move {
        for path in [MESSAGES, CHAT] {
            let mut raw = Raw::open(&stage.gateway).await;
            for (name, body, words) in &rows {
                raw.post(path, "content-type: application/json\r\n", body).await;
                let answer = raw.answer().await;
                if path == CHAT && answer.status == 200 {
                    panic!("{name} was served");
                }
                let message = whole_error(&stage, path, &answer, 400).await;
                assert!(message.contains(words), "{name}: {message}");
                still_usable(&mut raw, path).await;
            }
        }
        // What is no request never goes up. A chat client's messages are for the chat server to judge.
        let refused: Vec<_> = stage.sim.requests().into_iter().filter(|request| request.refused.is_some()).collect();
        assert!(
            refused.len() <= 2 && refused.iter().all(|request| request.path.ends_with("/chat/completions")),
            "{refused:?}"
        );
        assert_eq!(stage.sim.requests().len(), 2 * rows.len() + refused.len());
    });
}

#[test]
fn s16_thirty_two_megabytes_pass_and_thirty_three_are_refused() {
    play(|stage| async move {
        let of_size = |bytes: usize| {
            let mut body = good();
            let frame = body.to_string().len();
            body["messages"][0]["content"] = json!("x".repeat(bytes - frame + "Hello.".len()));
            assert_eq!(body.to_string().len(), bytes);
            body.to_string().into_bytes()
        };
        for path in [MESSAGES, CHAT] {
            let mut raw = Raw::open(&stage.gateway).await;
            raw.post(path, "", &of_size(32 * 1024 * 1024)).await;
            assert_eq!(raw.answer().await.status, 200);
            raw.post(path, "", &of_size(33 * 1024 * 1024)).await;
            let message = whole_error(&stage, path, &raw.answer().await, 413).await;
            assert!(message.contains("32 MB") && message.contains("max_request_size_mb"), "{message}");
            still_usable(&mut raw, path).await;
            // The same without a length.
            let body = of_size(33 * 1024 * 1024);
            raw.say(
                format!("POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n{:x}\r\n", body.len())
                    .as_bytes(),
            )
            .await;
            raw.say(&body).await;
            raw.say(b"\r\n0\r\n\r\n").await;
            whole_error(&stage, path, &raw.answer().await, 413).await;
            still_usable(&mut raw, path).await;
        }
        let sizes: Vec<usize> = stage.sim.requests().iter().map(|request| request.body.len()).collect();
        assert!(sizes[0] > 32 * 1024 * 1024 - 1000, "{sizes:?}");
    });
}

/// What the HTTP library refuses by itself is answered as wholly as the rest; then the connection closes.
#[test]
fn s16_requests_that_are_no_http_get_a_whole_answer() {
    let headers = |n: usize| (0..n).map(|i| format!("x-h{i}: 1\r\n")).collect::<String>();
    let rows: Vec<(&str, Vec<u8>, u16, &str)> = vec![
        ("garbage", b"\x00\x01\x02 what is this\r\n\r\n".to_vec(), 400, "not valid HTTP"),
        (
            "a TLS hello",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa".to_vec(),
            400,
            "http://",
        ),
        ("an unknown version", format!("POST {CHAT} HTTP/9.9\r\nhost: x\r\n\r\n").into_bytes(), 400, "not valid HTTP"),
        (
            "a header without a colon",
            format!("POST {CHAT} HTTP/1.1\r\nhost x\r\n\r\n").into_bytes(),
            400,
            "not valid HTTP",
        ),
        (
            "two lengths",
            format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx").into_bytes(),
            400,
            "not valid HTTP",
        ),
        (
            "a length that is none",
            format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\ncontent-length: ten\r\n\r\n").into_bytes(),
            400,
            "not valid HTTP",
        ),
        (
            "a large header",
            format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\nx-large: {}\r\n\r\n", "x".repeat(1024 * 1024)).into_bytes(),
            431,
            "too large",
        ),
        (
            "many headers",
            format!("POST {CHAT} HTTP/1.1\r\nhost: x\r\n{}\r\n", headers(1000)).into_bytes(),
            431,
            "too many",
        ),
        (
            "a long URL",
            format!("POST {CHAT}?q={} HTTP/1.1\r\nhost: x\r\n\r\n", "x".repeat(100_000)).into_bytes(),
            414,
            "too long",
        ),
    ];
    play(|stage| async move {
        for (name, bytes, status, words) in &rows {
            for path in [CHAT, MESSAGES] {
                let bytes: Vec<u8> = match std::str::from_utf8(bytes) {
                    Ok(text) => text.replace(CHAT, path).into_bytes(),
                    Err(_) => bytes.clone(),
                };
                // Garbage has no path: any dialect will do.
                let path = if bytes.windows(4).any(|window| window == b"POST") { path } else { CHAT };
                let mut raw = Raw::open(&stage.gateway).await;
                raw.say(&bytes).await;
                let answer = raw.answer().await;
                let message = whole_error(&stage, path, &answer, *status).await;
                assert!(message.contains(words), "{name}: {message}");
                raw.closes().await;
            }
        }
        assert!(stage.sim.requests().is_empty());
    });
}

/// The same on a connection that has served well before: there the path must be that of the bad request, not of an older one.
#[test]
fn s16_a_bad_request_after_a_good_one_is_answered_in_its_own_dialect() {
    play(|stage| async move {
        for (first, second) in [(MESSAGES, CHAT), (CHAT, MESSAGES)] {
            let mut raw = Raw::open(&stage.gateway).await;
            still_usable(&mut raw, first).await;
            raw.say(format!("POST {second} HTTP/1.1\r\nbroken header\r\n\r\n").as_bytes()).await;
            whole_error(&stage, second, &raw.answer().await, 400).await;
            raw.closes().await;
        }
    });
}

#[test]
fn s16_a_broken_transfer_is_told_so() {
    play(|stage| async move {
        for path in [MESSAGES, CHAT] {
            let mut raw = Raw::open(&stage.gateway).await;
            raw.say(format!("POST {path} HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\nnot a size\r\n{{}}\r\n0\r\n\r\n").as_bytes()).await;
            let message = whole_error(&stage, path, &raw.answer().await, 400).await;
            assert!(message.contains("could not be read"), "{message}");
            raw.closes().await;
        }
        assert!(stage.sim.requests().is_empty());
    });
}

#[test]
fn s16_other_paths_methods_and_encodings_are_told_so_and_the_connection_stays() {
    play(|stage| async move {
        let json = "content-type: application/json\r\n";
        let body = good().to_string();
        for (path, beside) in [(MESSAGES, "/v1/messages/nothing"), (CHAT, "/v1/chat/nothing")] {
            let mut raw = Raw::open(&stage.gateway).await;
            raw.post(path, &format!("{json}content-encoding: gzip\r\n"), b"\x1f\x8b\x08\x00").await;
            let message = whole_error(&stage, path, &raw.answer().await, 415).await;
            assert!(message.contains("content-encoding gzip"), "{message}");
            still_usable(&mut raw, path).await;

            let headers =
                if path == MESSAGES { format!("{json}anthropic-version: 2023-06-01\r\n") } else { json.to_owned() };
            raw.post(beside, &headers, body.as_bytes()).await;
            let message = whole_error(&stage, path, &raw.answer().await, 404).await;
            assert!(message.contains(beside) && message.contains("/v1/messages"), "{message}");
            still_usable(&mut raw, path).await;

            raw.say(format!("GET {path} HTTP/1.1\r\nhost: x\r\n{headers}\r\n").as_bytes()).await;
            let answer = raw.answer().await;
            assert_eq!(answer.header("allow"), Some("POST"));
            let message = whole_error(&stage, path, &answer, 405).await;
            assert!(message.contains("GET"), "{message}");
            still_usable(&mut raw, path).await;

            // A large body that nobody wants, on a path that nobody serves.
            raw.post(beside, &headers, &vec![b'x'; 3 * 1024 * 1024]).await;
            whole_error(&stage, path, &raw.answer().await, 404).await;
        }
    });
}

// ---- starts that cannot succeed

struct Start {
    dir: TempDir,
}

impl Start {
    fn new(config: &str) -> Start {
        let dir = tempfile::tempdir().expect("a temporary folder");
        std::fs::write(dir.path().join("config.yaml"), config).expect("the config can be written");
        Start { dir }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    async fn run(&self, args: &[&str]) -> Run {
        self.run_on("0", args).await
    }

    async fn run_on(&self, port: &str, args: &[&str]) -> Run {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_tollgate"));
        command
            .env_clear()
            .env("HOME", self.dir.path())
            .current_dir(self.dir.path())
            .args(["serve", "--port", port])
            .args(args);
        let run = timeout(PATIENCE, support::client::run(command)).await.expect("it ends by itself");
        assert_eq!(run.stdout, "");
        assert!(!run.stderr.contains("panicked"), "{run:?}");
        run
    }
}

const CONFIG: &str = "model_list:\n  - model_name: m\n    litellm_params: { model: openai/up, api_base: \"http://127.0.0.1:9/v1\", api_key: sk-up }\n";

#[test]
fn a_broken_config_is_told_with_its_place() {
    isolated(|| async {
        let start = Start::new("model_list:\n  - model_name: m\n    litellm_params: { model: openai/up\n");
        let run = start.run(&["--config", "config.yaml"]).await;
        assert_eq!(run.code, Some(2), "{run:?}");
        let place = run.stderr.lines().next().unwrap_or_default();
        assert!(place.starts_with("config.yaml:3:") || place.starts_with("config.yaml:4:"), "{run:?}");
        assert_eq!(run.stderr.lines().count(), 2, "what is wrong and a hint: {run:?}");
    });
}

#[test]
fn a_missing_key_variable_is_named() {
    isolated(|| async {
        let start =
            Start::new(&CONFIG.replace("openai/up", "moonshot/kimi-k2.5").replace("sk-up", "os.environ/NO_SUCH_KEY"));
        let run = start.run(&["--config", "config.yaml"]).await;
        assert!(run.stderr.contains("NO_SUCH_KEY"), "{run:?}");
        assert!(run.stderr.contains("config.yaml:3:"), "{run:?}");
        assert_eq!(run.code, Some(2), "{run:?}");
    });
}

#[test]
fn an_unreadable_config_is_told() {
    isolated(|| async {
        let start = Start::new(CONFIG);
        let run = start.run(&["--config", "missing.yaml"]).await;
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains("missing.yaml") && run.stderr.contains("No such file"), "{run:?}");
        std::fs::create_dir(start.path("folder.yaml")).unwrap();
        let run = start.run(&["--config", "folder.yaml"]).await;
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains("folder.yaml"), "{run:?}");
    });
}

#[test]
fn a_port_in_use_is_told() {
    isolated(|| async {
        let taken = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
        let port = taken.local_addr().unwrap().port().to_string();
        let start = Start::new(CONFIG);
        let run = start.run_on(&port, &["--config", "config.yaml"]).await;
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.stderr.contains(&format!("port {port}")) && run.stderr.contains("--port"), "{run:?}");
    });
}

#[test]
fn a_data_directory_that_cannot_be_used_is_told() {
    isolated(|| async {
        let start = Start::new(CONFIG);
        // A file in the place of a folder: no user can write below it, not even root.
        std::fs::write(start.path("file"), "").unwrap();
        let run = start.run(&["--config", "config.yaml", "--data-dir", "file/data"]).await;
        assert_eq!(run.code, Some(1), "{run:?}");
        assert!(run.stderr.contains("file/data") && run.stderr.contains("--data-dir"), "{run:?}");
    });
}

#[test]
fn s31_an_unknown_flag_is_one_line_with_the_flags() {
    isolated(|| async {
        let run = Start::new(CONFIG).run(&["--no-such-flag"]).await;
        assert_eq!(run.code, Some(2), "{run:?}");
        assert_eq!(run.stderr.lines().count(), 1, "{run:?}");
        assert!(run.stderr.contains("--no-such-flag") && run.stderr.contains("--config"), "{run:?}");
    });
}

#[test]
fn a_start_without_anything_says_how_to_begin() {
    isolated(|| async {
        let run = Start::new(CONFIG).run(&[]).await;
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(run.stderr.contains("--config") && run.stderr.contains("_API_KEY"), "{run:?}");
    });
}
