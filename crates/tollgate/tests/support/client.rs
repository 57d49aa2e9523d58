//! Real clients, installed by `cargo xtask clients`, in a home and a working folder of their own.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::time::timeout;

use super::network;

/// Longer than any session takes, also while other tests keep the machine busy.
const LONGEST: Duration = Duration::from_secs(120);

/// A user: one home, one working folder, any number of client runs in it.
pub struct Session {
    dir: TempDir,
}

/// One finished run of a client.
#[derive(Debug)]
pub struct Run {
    /// The exit code; `None` when it was killed, by us after [`LONGEST`].
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Session {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        for name in ["home", "work", "tmp"] {
            std::fs::create_dir(dir.path().join(name)).expect("a folder");
        }
        Self { dir }
    }

    /// The folder in which clients run.
    pub fn work(&self) -> PathBuf {
        self.dir.path().join("work")
    }

    /// The home of the user.
    pub fn home(&self) -> PathBuf {
        self.dir.path().join("home")
    }

    /// The text of a file in the working folder.
    pub fn file(&self, name: &str) -> Option<String> {
        std::fs::read_to_string(self.work().join(name)).ok()
    }

    pub fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.work().join(name), content).expect("the file can be written");
    }

    /// Claude Code against the server at this address, with `key` as its bearer token. Tools run without questions
    /// unless the arguments choose a permission mode.
    pub async fn claude(&self, base_url: &str, key: &str, args: &[&str], env: &[(&str, &str)]) -> Run {
        let mut command = self.command(&installed("npm/node_modules/.bin/claude"));
        command
            .env("ANTHROPIC_BASE_URL", base_url)
            .env("ANTHROPIC_AUTH_TOKEN", key)
            .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
            // Claude Code takes the flag below from root only when told that it runs in a sandbox, as it does.
            .env("IS_SANDBOX", "1")
            .envs(env.iter().copied());
        if !args.contains(&"--permission-mode") {
            command.arg("--dangerously-skip-permissions");
        }
        command.args(args);
        run(command).await
    }

    /// A Python script with the vendors' SDKs at hand.
    pub async fn python(&self, script: &str, env: &[(&str, &str)]) -> Run {
        let mut command = self.command(&installed("venv/bin/python"));
        command.envs(env.iter().copied()).args(["-c", script]);
        run(command).await
    }

    /// A program with a clean environment.
    pub fn command(&self, program: &Path) -> Command {
        let mut command = Command::new(program);
        command
            .current_dir(self.work())
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.dir.path().join("home"))
            .env("TMPDIR", self.dir.path().join("tmp"))
            .env("LANG", "C.UTF-8")
            .env("TERM", "dumb")
            .env("USER", "test")
            .env("SHELL", "/bin/sh");
        if !network::is_alone() {
            // Nobody listens on the discard port: what is not for loopback fails at once.
            for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"] {
                command.env(name, "http://127.0.0.1:9");
            }
            command.env("NO_PROXY", "127.0.0.1,localhost").env("no_proxy", "127.0.0.1,localhost");
        }
        command
    }
}

/// Runs a command to its end, or kills it and all it started.
pub async fn run(mut command: Command) -> Run {
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0).kill_on_drop(true);
    let mut child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    let group = child.id().and_then(|id| i32::try_from(id).ok()).map(Pid::from_raw);
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let all = async { tokio::join!(read(out), read(err), child.wait()) };
    let finished = timeout(LONGEST, all).await;
    if let (Err(_), Some(group)) = (&finished, group) {
        // It may have ended in this moment.
        let _ = killpg(group, Signal::SIGKILL);
    }
    let (stdout, stderr, status) = finished.unwrap_or_else(|_| panic!("{command:?} ran longer than {LONGEST:?}"));
    Run { code: status.ok().and_then(|status| status.code()), stdout, stderr }
}

async fn read(stream: Option<impl AsyncRead + Unpin>) -> String {
    let mut bytes = Vec::new();
    if let Some(mut stream) = stream {
        // What was read until an error is still worth showing.
        let _ = stream.read_to_end(&mut bytes).await;
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// A program or folder of `cargo xtask clients`.
pub fn installed(path: &str) -> PathBuf {
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/clients").join(path);
    assert!(program.exists(), "{} is missing: run `cargo xtask clients`", program.display());
    program
}
