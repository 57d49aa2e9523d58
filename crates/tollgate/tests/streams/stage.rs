//! One simulated provider behind one gateway, and the requests that tests send.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use serde_json::{Value, json};
use tokio::time::timeout;
use tollgate_sim::{Sim, SimConfig};

use crate::support::http::{self as plain, Answer};
use crate::support::{Gateway, isolated};

/// Longer than anything takes that is going to happen.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Stage {
    pub sim: Sim,
    pub gateway: Gateway,
}

/// What the one deployment is.
pub struct Setup {
    pub sim: SimConfig,
    /// `model:` of the deployment.
    pub model: &'static str,
    /// Further lines of `litellm_params`, each `key: value`.
    pub params: &'static [&'static str],
    /// Further top-level YAML.
    pub settings: &'static str,
}

impl Default for Setup {
    fn default() -> Self {
        Setup { sim: SimConfig::default(), model: "openai/up", params: &[], settings: "" }
    }
}

impl Setup {
    pub async fn start(self) -> Stage {
        let sim = Sim::start(self.sim).await;
        let path = if self.model.starts_with("anthropic/") { "" } else { "/v1" };
        let mut config = format!(
            "model_list:\n  - model_name: m\n    litellm_params:\n      model: {}\n      api_base: {}{path}\n      api_key: sk-up\n",
            self.model,
            sim.base_url()
        );
        for line in self.params {
            config.push_str(&format!("      {line}\n"));
        }
        config.push_str("router_settings: { num_retries: 0 }\n");
        config.push_str(self.settings);
        let gateway = Gateway::start(&config, &[]).await;
        Stage { sim, gateway }
    }

    /// Runs a test in a network of its own.
    pub fn play<F, Fut>(self, test: F)
    where
        F: FnOnce(Stage) -> Fut + Send + 'static,
        Fut: Future<Output = ()>,
    {
        isolated(|| async { test(self.start().await).await });
    }
}

impl Stage {
    pub async fn messages(&self, body: &Value) -> Answer {
        let url = self.gateway.url("/v1/messages?beta=true");
        self.whole(&url, body).await
    }

    pub async fn chat(&self, body: &Value) -> Answer {
        self.whole(&self.gateway.url("/v1/chat/completions"), body).await
    }

    async fn whole(&self, url: &str, body: &Value) -> Answer {
        let headers = [("anthropic-version", "2023-06-01")];
        timeout(PATIENCE, plain::post(url, &headers, body)).await.unwrap_or_else(|_| panic!("no answer to {body}"))
    }

    /// A request whose answer is read piece by piece. Dropping it closes the connection.
    pub async fn open(&self, path: &str, body: &Value) -> Open {
        let request = Request::builder().method(Method::POST).uri(self.gateway.url(path));
        let request = request.header("content-type", "application/json");
        let request = request.body(Full::new(Bytes::from(body.to_string()))).expect("a request");
        let client = Client::builder(TokioExecutor::new()).build_http::<Full<Bytes>>();
        let answer = timeout(PATIENCE, client.request(request)).await.expect("headers in time").expect("an answer");
        let (head, body) = answer.into_parts();
        Open { status: head.status, body, seen: Vec::new() }
    }

    /// The JSON lines of the log that hold this text.
    pub fn logged(&self, text: &str) -> Vec<Value> {
        let log = self.gateway.log();
        log.lines().filter(|line| line.contains(text)).filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// The last log line of a request, waited for: it is written when the request is over.
    pub async fn log_of(&self, id: &str) -> Value {
        for _ in 0..500 {
            let lines = self.logged(id);
            if let Some(line) = lines.iter().rev().find(|line| line.get("status").is_some()) {
                return line.clone();
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("no line with {id} in the log:\n{}", self.gateway.log());
    }
}

/// A streaming answer that is being read.
pub struct Open {
    pub status: StatusCode,
    body: Incoming,
    pub seen: Vec<u8>,
}

impl Open {
    /// Reads the next piece; `None` at the end.
    pub async fn piece(&mut self) -> Option<Bytes> {
        loop {
            let frame = timeout(PATIENCE, self.body.frame()).await.expect("more of the answer in time")?;
            if let Ok(data) = frame.expect("an unbroken answer").into_data() {
                return Some(data);
            }
        }
    }

    /// Reads until this text was seen.
    pub async fn until(&mut self, text: &str) {
        while !String::from_utf8_lossy(&self.seen).contains(text) {
            let piece = self.piece().await;
            let piece = piece.unwrap_or_else(|| panic!("the answer ended before {text}: {:?}", self.text()));
            self.seen.extend_from_slice(&piece);
        }
    }

    /// Reads to the end: all bytes.
    pub async fn rest(mut self) -> Vec<u8> {
        while let Some(piece) = self.piece().await {
            self.seen.extend_from_slice(&piece);
        }
        self.seen
    }

    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen).into_owned()
    }
}

/// A tool in Anthropic's form.
pub fn tool(name: &str) -> Value {
    json!({"name": name, "description": "A tool.", "input_schema": {"type": "object", "properties": {"command": {"type": "string"}}}})
}

/// A Messages request with one tool.
pub fn ask(stream: bool) -> Value {
    json!({"model": "m", "max_tokens": 1000, "stream": stream, "tools": [tool("Bash")],
        "messages": [{"role": "user", "content": "List the files, please."}]})
}

/// The same of a chat client.
pub fn ask_chat(stream: bool) -> Value {
    let parameters = json!({"type": "object", "properties": {"command": {"type": "string"}}});
    json!({"model": "m", "max_tokens": 1000, "stream": stream,
        "tools": [{"type": "function", "function": {"name": "Bash", "description": "A tool.", "parameters": parameters}}],
        "messages": [{"role": "user", "content": "List the files, please."}]})
}
