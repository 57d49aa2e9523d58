//! `tollgate run` with each agent and a private gateway (S37). What a whole session does on each upstream is in `sessions.rs`.

use serde_json::{Value, json};
use tollgate_sim::{Answer, Match, Sim, Step};

use crate::support::upstreams::Upstream;
use crate::support::{Session, installed, isolated, run};

const MODEL: &str = "kimi-k2.5";

struct Agent {
    name: &'static str,
    /// Its tool that runs a shell, and what the tool is told.
    shell: &'static str,
    input: fn(&str) -> Value,
    args: &'static [&'static str],
    env: &'static [(&'static str, &'static str)],
}

const CODEX: Agent = Agent {
    name: "codex",
    shell: "exec_command",
    input: |command| json!({"cmd": command}),
    args: &["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "make a file"],
    env: &[("OPENAI_API_KEY", "sk-of-another-account"), ("OPENAI_BASE_URL", "http://127.0.0.1:9")],
};

const OPENCODE: Agent = Agent {
    name: "opencode",
    shell: "bash",
    input: |command| json!({"command": command, "description": "makes a file"}),
    args: &["run", "make a file"],
    env: &[
        ("OPENCODE_PERMISSION", r#"{"bash":"allow"}"#),
        ("OPENCODE_DISABLE_AUTOUPDATE", "1"),
        ("OPENCODE_DISABLE_MODELS_FETCH", "1"),
    ],
};

const GEMINI: Agent = Agent {
    name: "gemini",
    shell: "run_shell_command",
    input: |command| json!({"command": command, "description": "makes a file"}),
    args: &["--skip-trust", "--yolo", "-p", "make a file"],
    env: &[("GOOGLE_GENAI_USE_VERTEXAI", "true"), ("GEMINI_API_KEY", "of-another-account")],
};

const CLAUDE: Agent = Agent {
    name: "claude",
    shell: "Bash",
    input: |command| json!({"command": command, "description": "makes a file"}),
    args: &["-p", "make a file", "--dangerously-skip-permissions"],
    env: &[("IS_SANDBOX", "1"), ("ANTHROPIC_API_KEY", "sk-ant-of-another-account")],
};

async fn makes_a_file(agent: &Agent, upstream: Upstream) {
    let tool = Answer::tool("call_1", agent.shell, &(agent.input)("echo from the client > made.txt"));
    let with_tools = |there| Match { has_tools: Some(true), has_tool_result: Some(there), ..Default::default() };
    let sim = Sim::start(upstream.sim().steps([
        Step::answer(tool).when(with_tools(false)).always(),
        Step::answer(Answer::text("Launched.")).when(with_tools(true)).always(),
        // A title for the session, of which nothing depends.
        Step::answer(Answer::text("A file")).always(),
    ]))
    .await;
    let session = Session::new();
    let config = json!({
        "model_list": [upstream.entry(MODEL, &sim.base_url())],
        // Agents send what not every provider takes.
        "litellm_settings": {"drop_params": true},
    });
    session.write("config.yaml", config.to_string());
    let mut command = session.command(env!("CARGO_BIN_EXE_tollgate").as_ref());
    command
        .env("PATH", format!("{}:/usr/bin:/bin", installed("npm/node_modules/.bin").display()))
        .envs(agent.env.iter().copied())
        .args(["run", agent.name, "--model", MODEL, "--config", "config.yaml", "--"])
        .args(agent.args);
    let run = run(command).await;
    let refused: Vec<_> = sim.requests().into_iter().filter_map(|request| request.refused).collect();
    assert_eq!(refused, Vec::<String>::new(), "{run:?}");
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(session.file("made.txt").as_deref(), Some("from the client\n"), "{run:?}");
    assert!(run.stdout.contains("Launched."), "{run:?}");
    assert!(run.stderr.contains("tollgate: ") && run.stderr.contains(" tokens in, "), "{run:?}");
}

#[test]
fn s37_tollgate_run_claude_makes_a_file() {
    isolated(|| makes_a_file(&CLAUDE, Upstream::Chat));
}

#[test]
fn s37_tollgate_run_codex_makes_a_file() {
    isolated(|| makes_a_file(&CODEX, Upstream::Messages));
}

#[test]
fn s37_tollgate_run_opencode_makes_a_file() {
    isolated(|| makes_a_file(&OPENCODE, Upstream::Messages));
}

#[test]
fn s37_tollgate_run_gemini_makes_a_file() {
    isolated(|| makes_a_file(&GEMINI, Upstream::Chat));
}
