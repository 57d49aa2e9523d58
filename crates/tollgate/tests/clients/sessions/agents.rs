//! The agents: how each is started and gone on with, and what its tools are called.

use serde_json::json;
use tokio::process::Command;

use crate::stage::{MASTER_KEY, MODEL, Stage};
use crate::support::upstreams::Call;
use crate::support::{Run, installed, run};

/// Something that every agent can do in its working folder.
pub enum Act {
    Read(&'static str),
    /// A file of one line.
    Write(&'static str, &'static str),
    /// One word for another.
    Edit(&'static str, &'static str, &'static str),
    Shell(&'static str),
    Look(&'static str),
}

pub struct Agent {
    /// The route that it asks for.
    pub model: &'static str,
    pub act: fn(&Act, &Stage) -> Call,
    pub shows_thoughts: bool,
    /// Whether a session that is gone on with still has the thoughts of its first turn.
    pub keeps_thoughts: bool,
    starts: Starts,
    begin: &'static [&'static str],
    go_on: &'static [&'static str],
    env: &'static [(&'static str, &'static str)],
}

enum Starts {
    /// By `tollgate run` with this name.
    Run(&'static str),
    /// opencode with this package for its provider.
    Opencode(&'static str),
}

pub const CLAUDE: Agent = Agent {
    model: MODEL,
    act: |act, stage| match act {
        Act::Read(file) | Act::Look(file) => Call::new("Read", json!({"file_path": stage.path(file)})),
        Act::Write(file, line) => {
            Call::new("Write", json!({"file_path": stage.path(file), "content": format!("{line}\n")}))
        }
        Act::Edit(file, old, new) => {
            // The last one is the client's own default, which it adds.
            let (path, all) = (stage.path(file), false);
            Call::new("Edit", json!({"file_path": path, "old_string": old, "new_string": new, "replace_all": all}))
        }
        Act::Shell(command) => Call::new("Bash", json!({"command": command, "description": "a test"})),
    },
    shows_thoughts: true,
    keeps_thoughts: true,
    starts: Starts::Run("claude"),
    begin: &["-p", "begin", "--dangerously-skip-permissions", "--output-format", "stream-json", "--verbose"],
    go_on: &[
        "-p",
        "go on",
        "--continue",
        "--dangerously-skip-permissions",
        "--output-format",
        "stream-json",
        "--verbose",
    ],
    env: &[("IS_SANDBOX", "1")],
};

/// By this name it has its tool for patches, a free text.
pub const CODEX: Agent = Agent {
    model: "gpt-5.5",
    act: |act, _| match act {
        Act::Read(file) => Call::new("exec_command", json!({"cmd": format!("cat {file}")})),
        Act::Write(file, line) => {
            Call::free_text("apply_patch", &format!("*** Begin Patch\n*** Add File: {file}\n+{line}\n*** End Patch\n"))
        }
        Act::Edit(file, old, new) => Call::free_text(
            "apply_patch",
            &format!("*** Begin Patch\n*** Update File: {file}\n@@\n-{old}\n+{new}\n*** End Patch\n"),
        ),
        Act::Shell(command) => Call::new("exec_command", json!({"cmd": command})),
        Act::Look(file) => Call::new("view_image", json!({"path": file})),
    },
    shows_thoughts: true,
    keeps_thoughts: true,
    starts: Starts::Run("codex"),
    begin: &["exec", "--skip-git-repo-check", "--dangerously-bypass-approvals-and-sandbox", "begin"],
    go_on: &[
        "exec",
        "resume",
        "--last",
        "--skip-git-repo-check",
        "--dangerously-bypass-approvals-and-sandbox",
        "go on",
    ],
    env: &[],
};

pub const GEMINI: Agent = Agent {
    model: MODEL,
    act: |act, _| match act {
        Act::Read(file) | Act::Look(file) => Call::new("read_file", json!({"file_path": file})),
        Act::Write(file, line) => Call::new("write_file", json!({"file_path": file, "content": format!("{line}\n")})),
        Act::Edit(file, old, new) => Call::new(
            "replace",
            json!({"file_path": file, "instruction": "another word", "old_string": old, "new_string": new}),
        ),
        Act::Shell(command) => Call::new("run_shell_command", json!({"command": command, "description": "a test"})),
    },
    shows_thoughts: false,
    keeps_thoughts: false,
    starts: Starts::Run("gemini"),
    begin: &["--skip-trust", "--yolo", "-p", "begin"],
    go_on: &["--skip-trust", "--yolo", "--resume", "latest", "-p", "go on"],
    env: &[],
};

const fn opencode(package: &'static str) -> Agent {
    Agent {
        model: MODEL,
        act: |act, stage| match act {
            Act::Read(file) | Act::Look(file) => Call::new("read", json!({"filePath": stage.path(file)})),
            Act::Write(file, line) => {
                Call::new("write", json!({"filePath": stage.path(file), "content": format!("{line}\n")}))
            }
            Act::Edit(file, old, new) => {
                Call::new("edit", json!({"filePath": stage.path(file), "oldString": old, "newString": new}))
            }
            Act::Shell(command) => Call::new("bash", json!({"command": command, "description": "a test"})),
        },
        shows_thoughts: true,
        keeps_thoughts: true,
        starts: Starts::Opencode(package),
        begin: &["run", "--auto", "--thinking", "begin"],
        go_on: &["run", "--auto", "--thinking", "--continue", "go on"],
        env: &[("OPENCODE_DISABLE_AUTOUPDATE", "1"), ("OPENCODE_DISABLE_MODELS_FETCH", "1")],
    }
}

pub const OPENCODE_CHAT: Agent = opencode("@ai-sdk/openai-compatible");
pub const OPENCODE_MESSAGES: Agent = opencode("@ai-sdk/anthropic");
pub const OPENCODE_RESPONSES: Agent = opencode("@ai-sdk/openai");

impl Agent {
    /// The user's first turn, or another one of the same session.
    pub async fn turn(&self, stage: &Stage, begin: bool) -> Run {
        self.run(stage, if begin { self.begin } else { self.go_on }).await
    }

    pub async fn run(&self, stage: &Stage, args: &[&str]) -> Run {
        let mut command = match self.starts {
            Starts::Run(name) => by_tollgate(name, stage),
            Starts::Opencode(package) => opencode_with(package, stage),
        };
        command
            .env("PATH", format!("{}:/usr/bin:/bin", installed("npm/node_modules/.bin").display()))
            .envs(self.env.iter().copied())
            .args(args);
        run(command).await
    }
}

/// Against the gateway of the stage, which runs already.
fn by_tollgate(name: &str, stage: &Stage) -> Command {
    let mut command = stage.session.command(env!("CARGO_BIN_EXE_tollgate").as_ref());
    command.env("TOLLGATE_BASE_URL", stage.gateway.url("")).env("TOLLGATE_API_KEY", MASTER_KEY).args([
        "run",
        name,
        "--model",
        stage.model,
        "--",
    ]);
    command
}

/// As the page on clients says.
fn opencode_with(package: &str, stage: &Stage) -> Command {
    let model = json!({"tool_call": true, "reasoning": true, "attachment": true,
        "modalities": {"input": ["text", "image"], "output": ["text"]},
        "limit": {"context": 200_000, "output": 16_000},
        "options": {"reasoningEffort": "high", "reasoningSummary": "auto"}});
    let name = format!("gateway/{}", stage.model);
    let config = json!({"model": name, "small_model": name, "share": "disabled",
        "provider": {"gateway": {"npm": package, "models": {stage.model: model},
            "options": {"baseURL": stage.gateway.url("/v1"), "apiKey": MASTER_KEY}}}});
    let mut command = stage.session.command(&installed("npm/node_modules/.bin/opencode"));
    command.env("OPENCODE_CONFIG_CONTENT", config.to_string());
    command
}
