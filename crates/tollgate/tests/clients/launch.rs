//! `tollgate run` with each agent (S37): a tool session over two turns, on five kinds of upstream each.

use serde_json::{Value, json};
use tollgate_sim::{Answer, Provider, Sim, SimConfig, Step};

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

/// How the model is configured, and the path at which its provider is asked.
fn upstream(provider: Provider, sim: &Sim) -> (Value, &'static str) {
    let base = sim.base_url();
    match provider {
        Provider::Messages => {
            (json!({"model": "anthropic/claude-sonnet-5", "api_base": base, "api_key": "k"}), "/v1/messages")
        }
        Provider::Responses => (
            json!({"model": "openai/gpt-5.5", "api_base": format!("{base}/v1"), "api_key": "k", "api_mode": "responses"}),
            "/v1/responses",
        ),
        Provider::Gemini => (
            json!({"model": "gemini/gemini-3-pro-preview", "api_base": format!("{base}/v1beta"), "api_key": "k"}),
            ":streamGenerateContent",
        ),
        Provider::Converse => (
            json!({"model": "bedrock/converse/us.anthropic.claude-sonnet-4-6", "api_base": base, "api_key": "k", "aws_region_name": "us-east-1"}),
            "/converse-stream",
        ),
        _ => (
            json!({"model": "openai/kimi-k2.5", "api_base": format!("{base}/v1"), "api_key": "k"}),
            "/v1/chat/completions",
        ),
    }
}

async fn makes_a_file(agent: &Agent, provider: Provider) {
    let mut sim = SimConfig::default().key("k");
    sim.providers = vec![provider];
    let tool = Answer::tool("call_1", agent.shell, &(agent.input)("echo from the client > made.txt"));
    let with_tools =
        |there| tollgate_sim::Match { has_tools: Some(true), has_tool_result: Some(there), ..Default::default() };
    let sim = Sim::start(sim.steps([
        Step::answer(tool).when(with_tools(false)).always(),
        Step::answer(Answer::text("Launched.")).when(with_tools(true)).always(),
        // A title for the session, of which nothing depends.
        Step::answer(Answer::text("A file")).always(),
    ]))
    .await;
    let (params, path) = upstream(provider, &sim);
    let session = Session::new();
    let config = json!({
        "model_list": [{"model_name": MODEL, "litellm_params": params}],
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
    assert_eq!(refused, Vec::<String>::new(), "{} on {provider:?}: {run:?}", agent.name);
    assert_eq!(run.code, Some(0), "{} on {provider:?}: {run:?}", agent.name);
    assert_eq!(
        session.file("made.txt").as_deref(),
        Some("from the client\n"),
        "{} on {provider:?}: {run:?}",
        agent.name
    );
    assert!(run.stdout.contains("Launched."), "{} on {provider:?}: {run:?}", agent.name);
    assert!(sim.requests_to(path).len() >= 2, "{} on {provider:?}", agent.name);
    assert!(run.stderr.contains("tollgate: ") && run.stderr.contains(" tokens in, "), "{run:?}");
}

fn on_each(agent: &'static Agent) {
    use Provider::{Chat, Converse, Gemini, Messages, Responses};
    for provider in [Chat, Messages, Responses, Gemini, Converse] {
        isolated(move || async move { makes_a_file(agent, provider).await });
    }
}

#[test]
fn s37_tollgate_run_claude_makes_a_file_with_every_kind_of_upstream() {
    on_each(&CLAUDE);
}

#[test]
fn s37_tollgate_run_codex_makes_a_file_with_every_kind_of_upstream() {
    on_each(&CODEX);
}

#[test]
fn s37_tollgate_run_opencode_makes_a_file_with_every_kind_of_upstream() {
    on_each(&OPENCODE);
}

#[test]
fn s37_tollgate_run_gemini_makes_a_file_with_every_kind_of_upstream() {
    on_each(&GEMINI);
}
