//! What every session of Claude Code needs: a user, a gateway with a LiteLLM config, and a strict simulated provider.

use std::path::PathBuf;

use base64::Engine as _;
use serde_json::{Value, json};
use tollgate_sim::{Answer, Recorded, Sim, SimConfig, Step};

use crate::support::upstreams::Upstream;
use crate::support::{Gateway, Run, Session, installed, run};

/// The name by which the client asks for the model.
pub const MODEL: &str = "kimi-k2.5";
/// The gateway's key, and the provider's. The sides must never see each other's.
pub const MASTER_KEY: &str = "sk-gateway";
pub const PROVIDER_KEY: &str = "sk-provider";

/// How the paths of model calls end.
const CALLS: [&str; 6] = [
    "/chat/completions",
    "/v1/messages",
    "/responses",
    ":streamGenerateContent",
    "/converse-stream",
    "/invoke-with-response-stream",
];

pub struct Stage {
    pub session: Session,
    pub sim: Sim,
    pub gateway: Gateway,
    pub model: &'static str,
}

/// A LiteLLM config with one model, `target` in LiteLLM's words. `more` are further lines of its entry, indented by 4.
pub fn config(name: &str, target: &str, api_base: &str, more: &str) -> String {
    format!(
        "model_list:
  - model_name: {name}
    litellm_params:
      model: {target}
      api_base: {api_base}
      api_key: {PROVIDER_KEY}
{more}
general_settings:
  master_key: {MASTER_KEY}
"
    )
}

impl Stage {
    /// A model of an OpenAI-compatible provider.
    pub async fn chat(sim: SimConfig) -> Self {
        Self::chat_with(sim, "openai/kimi-k2.5", "").await
    }

    pub async fn chat_with(sim: SimConfig, target: &str, more: &str) -> Self {
        Self::named(sim, MODEL, target, more).await
    }

    /// A chat model under this name.
    pub async fn named(sim: SimConfig, name: &'static str, target: &str, more: &str) -> Self {
        let sim = Sim::start(sim.key(PROVIDER_KEY)).await;
        let yaml = config(name, target, &format!("{}/v1", sim.base_url()), more);
        Self { session: Session::new(), sim, gateway: Gateway::start(&yaml, &[]).await, model: name }
    }

    /// A chat model that two deployments serve. The stage is the first one's.
    pub async fn pair(first: SimConfig, second: SimConfig) -> (Self, Sim) {
        let sims = [Sim::start(first.key(PROVIDER_KEY)).await, Sim::start(second.key(PROVIDER_KEY)).await];
        let entry = |sim: &Sim| {
            let params = json!({"model": "openai/kimi-k2.5", "api_base": format!("{}/v1", sim.base_url()), "api_key": PROVIDER_KEY});
            json!({"model_name": MODEL, "litellm_params": params})
        };
        let entries: Vec<Value> = sims.iter().map(entry).collect();
        let config = json!({"model_list": entries, "general_settings": {"master_key": MASTER_KEY}});
        let gateway = Gateway::start(&config.to_string(), &[]).await;
        let [sim, other] = sims;
        (Self { session: Session::new(), sim, gateway, model: MODEL }, other)
    }

    /// A Claude model of an Anthropic provider.
    pub async fn messages(sim: SimConfig) -> Self {
        let sim = Sim::start(sim.key(PROVIDER_KEY)).await;
        let yaml = config("claude-sonnet-5", "anthropic/claude-sonnet-5", &sim.base_url(), "");
        Self { session: Session::new(), sim, gateway: Gateway::start(&yaml, &[]).await, model: "claude-sonnet-5" }
    }

    /// A model of this provider under this name.
    pub async fn of(upstream: Upstream, name: &'static str) -> Self {
        let sim = Sim::start(upstream.sim()).await;
        // Gemini CLI asks for models of Google's for small things; and agents send what not every provider takes.
        let entries = [name, "gemini-*"].map(|name| upstream.entry(name, &sim.base_url()));
        let config = json!({"model_list": entries, "litellm_settings": {"drop_params": true},
            "general_settings": {"master_key": MASTER_KEY}});
        let gateway = Gateway::start(&config.to_string(), &[]).await;
        Self { session: Session::new(), sim, gateway, model: name }
    }

    /// What the model will answer, one after the other.
    pub fn play(&self, answers: impl IntoIterator<Item = Answer>) {
        self.sim.replace_script(answers.into_iter().map(Step::answer));
    }

    /// Claude Code through the gateway.
    pub async fn claude(&self, args: &[&str]) -> Run {
        self.claude_with(args, &[]).await
    }

    pub async fn claude_with(&self, args: &[&str], env: &[(&str, &str)]) -> Run {
        let mut all = vec![
            ("ANTHROPIC_MODEL", self.model),
            ("ANTHROPIC_DEFAULT_HAIKU_MODEL", self.model),
            ("CLAUDE_CODE_SUBAGENT_MODEL", self.model),
            ("CLAUDE_CODE_MAX_RETRIES", "3"),
        ];
        all.extend_from_slice(env);
        self.session.claude(&self.gateway.url(""), MASTER_KEY, args, &all).await
    }

    /// Claude Code in a terminal, with everything on that `-p` and tests usually switch off. Each text is typed once the
    /// words before it are on the screen.
    pub async fn terminal(&self, args: &[&str], steps: &[(&str, &str)]) -> Run {
        let project = json!({"hasTrustDialogAccepted": true, "hasCompletedProjectOnboarding": true});
        let settings = json!({"hasCompletedOnboarding": true, "numStartups": 9, "theme": "dark",
            "bypassPermissionsModeAccepted": true, "projects": {self.session.work().to_string_lossy(): project}});
        std::fs::write(self.session.home().join(".claude.json"), settings.to_string()).expect("a writable home");
        let mut command = self.session.command(&installed("venv/bin/python"));
        command
            .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/terminal.py"))
            .arg(json!(steps).to_string())
            .arg(installed("npm/node_modules/.bin/claude"))
            .args(args)
            .env("ANTHROPIC_BASE_URL", self.gateway.url(""))
            .env("ANTHROPIC_AUTH_TOKEN", MASTER_KEY)
            .env("ANTHROPIC_MODEL", self.model)
            .env("ANTHROPIC_DEFAULT_HAIKU_MODEL", self.model)
            .env("IS_SANDBOX", "1")
            .env("TERM", "xterm-256color");
        run(command).await
    }

    /// The path of a file in the working folder.
    pub fn path(&self, name: &str) -> String {
        let path: PathBuf = self.session.work().join(name);
        path.to_string_lossy().into_owned()
    }

    /// The model calls that reached the provider.
    pub fn calls(&self) -> Vec<Recorded> {
        let is_call = |request: &Recorded| CALLS.iter().any(|end| request.path.ends_with(end));
        self.sim.requests().into_iter().filter(is_call).collect()
    }

    pub fn call(&self, index: usize) -> Value {
        let calls = self.calls();
        calls.get(index).unwrap_or_else(|| panic!("{} calls only", calls.len())).json()
    }

    pub fn last_call(&self) -> Value {
        self.calls().last().expect("a call").json()
    }

    /// The results of tools in the last call, in order, as text.
    pub fn results(&self) -> Vec<String> {
        results(&self.last_call())
    }

    /// The lines of the gateway's log about requests: path, status and the error, if any.
    pub fn log(&self) -> Vec<(String, u64, Option<String>)> {
        let log = self.gateway.log();
        let lines = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        let lines = lines.filter(|line| line["path"].is_string());
        lines
            .map(|line| {
                let text = |key: &str| line[key].as_str().map(str::to_owned);
                (text("path").unwrap_or_default(), line["status"].as_u64().unwrap_or(0), text("error"))
            })
            .collect()
    }

    /// The client ended well, the strict provider refused nothing, and the gateway answered everything with 200 (but for a look of
    /// `tollgate run` at what its key has spent: the master key, which these tests use, has no row of its own).
    #[track_caller]
    pub fn all_went_well(&self, run: &Run) {
        self.nothing_was_refused(run);
        let of_the_client = self.log().into_iter().filter(|(path, ..)| path != "/key/info");
        let failed: Vec<_> = of_the_client.filter(|(_, status, error)| *status != 200 || error.is_some()).collect();
        assert!(failed.is_empty(), "{failed:?}\n{run:?}");
    }

    /// The same for sessions in which the gateway had to say no.
    #[track_caller]
    pub fn nothing_was_refused(&self, run: &Run) {
        let refused: Vec<_> = self.sim.requests().into_iter().filter_map(|request| request.refused).collect();
        assert_eq!(refused, Vec::<String>::new(), "the provider refused something\n{run:?}");
        assert_eq!(run.code, Some(0), "{run:?}\n{}", self.gateway.log());
        let leaked = self
            .sim
            .requests()
            .iter()
            .any(|request| request.headers.values().any(|v| v.as_bytes().ends_with(MASTER_KEY.as_bytes())));
        assert!(!leaked, "the gateway's key went upstream");
    }
}

/// The results of tools in a request of either dialect, as text.
pub fn results(body: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for message in messages(body) {
        if message["role"] == "tool" {
            found.push(text(&message["content"]));
        }
        let blocks = message["content"].as_array().map_or(&[][..], Vec::as_slice);
        found.extend(blocks.iter().filter(|block| block["type"] == "tool_result").map(|block| text(&block["content"])));
    }
    found
}

pub fn messages(body: &Value) -> &[Value] {
    body["messages"].as_array().map_or(&[][..], Vec::as_slice)
}

/// The names of the offered tools.
pub fn tools(body: &Value) -> Vec<String> {
    let tools = body["tools"].as_array().map_or(&[][..], Vec::as_slice);
    let name = |tool: &Value| tool["function"]["name"].as_str().or(tool["name"].as_str()).map(str::to_owned);
    tools.iter().filter_map(name).collect()
}

/// A content, be it a string or parts, as text; what is no text is shown as JSON.
pub fn text(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(parts) => {
            let part = |part: &Value| part["text"].as_str().map_or_else(|| part.to_string(), str::to_owned);
            parts.iter().map(part).collect::<Vec<_>>().join("\n")
        }
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

pub fn bash(id: &str, command: &str) -> Answer {
    Answer::default().and_tool(id, "Bash", &json!({"command": command, "description": "a test"}))
}

#[track_caller]
pub fn has(text: &str, part: &str) {
    assert!(text.contains(part), "{part:?} is not in: {text}");
}

/// The configuration of the MCP server `desk` for the client.
pub fn mcp_config(args: &[&str]) -> String {
    let server = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients/mcp_server.py");
    let args: Vec<&str> = std::iter::once(server).chain(args.iter().copied()).collect();
    json!({"mcpServers": {"desk": {"command": installed("venv/bin/python"), "args": args}}}).to_string()
}

/// An image of 1 by 1.
pub fn png() -> Vec<u8> {
    let data = b"iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";
    base64::engine::general_purpose::STANDARD.decode(data).expect("base64")
}

/// A document of one empty page.
pub const PDF: &str = "%PDF-1.4
1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj
2 0 obj<</Type/Pages/Kids[3 0 R]/Count 1>>endobj
3 0 obj<</Type/Page/Parent 2 0 R/MediaBox[0 0 72 72]>>endobj
xref
0 4
0000000000 65535 f 
0000000009 00000 n 
0000000052 00000 n 
0000000101 00000 n 
trailer<</Size 4/Root 1 0 R>>
startxref
162
%%EOF
";
