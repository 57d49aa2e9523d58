//! The gateway as users start it: the real binary, a config file, a free port.

use std::fs::{self, File};
use std::net::TcpListener;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tempfile::TempDir;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::http;

const READY_WITHIN: Duration = Duration::from_secs(20);

/// A running gateway; it is killed when dropped.
pub struct Gateway {
    child: Child,
    port: u16,
    dir: TempDir,
}

impl Gateway {
    /// Writes the config, starts `tollgate serve` on a free port with these further arguments, and waits until it is
    /// ready. The environment holds nothing but `PATH` and `HOME`.
    ///
    /// # Panics
    /// With the gateway's output when it ends or is not ready in time.
    pub async fn start(config_yaml: &str, args: &[&str]) -> Self {
        Self::start_with_env(config_yaml, args, &[]).await
    }

    /// The same with further variables.
    pub async fn start_with_env(config_yaml: &str, args: &[&str], env: &[(&str, &str)]) -> Self {
        let dir = tempfile::tempdir().expect("a temporary folder");
        fs::write(dir.path().join("config.yaml"), config_yaml).expect("the config can be written");
        let port = free_port();
        let child = launch(dir.path(), port, args, env);
        let mut gateway = Self { child, port, dir };
        gateway.become_ready().await;
        gateway
    }

    /// Ends it and starts it again, with the same config, data and port, but without the further arguments and variables.
    pub async fn restart(&mut self) {
        self.stop().await;
        self.child = launch(self.dir.path(), self.port, &[], &[]);
        self.become_ready().await;
    }

    /// Starts it again after [`Gateway::stop`].
    pub async fn restart_stopped(&mut self) {
        self.child = launch(self.dir.path(), self.port, &[], &[]);
        self.become_ready().await;
    }

    async fn become_ready(&mut self) {
        if timeout(READY_WITHIN, self.ready()).await.is_err() {
            panic!("the gateway is not ready after {READY_WITHIN:?}:\n{}", self.log());
        }
    }

    async fn ready(&mut self) {
        let url = self.url("/health/readiness");
        loop {
            if let Some(status) = self.child.try_wait().expect("the gateway is our child") {
                panic!("the gateway ended with {status}:\n{}", self.log());
            }
            let answer = http::try_send(::http::Method::GET, &url, &[], "").await;
            if answer.is_ok_and(|answer| answer.status.is_success()) {
                return;
            }
            sleep(Duration::from_millis(10)).await;
        }
    }

    /// Its address with this path, which starts with a slash or is empty.
    pub fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.port)
    }

    pub fn pid(&self) -> Pid {
        let id = self.child.id().expect("the gateway runs");
        Pid::from_raw(i32::try_from(id).expect("process ids fit"))
    }

    /// What it has written to its standard output and error.
    pub fn log(&self) -> String {
        fs::read_to_string(self.dir.path().join("log")).unwrap_or_default()
    }

    /// The same once this is in it: lines are written shortly after what they tell of.
    pub async fn logged(&self, part: &str) -> String {
        let written = async {
            loop {
                let log = self.log();
                if log.contains(part) {
                    return log;
                }
                sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(READY_WITHIN, written).await.unwrap_or_else(|_| panic!("{part:?} is not in the log:\n{}", self.log()))
    }

    pub fn data_dir(&self) -> std::path::PathBuf {
        self.dir.path().join("data")
    }

    pub fn config_file(&self) -> std::path::PathBuf {
        self.dir.path().join("config.yaml")
    }

    /// Memory of the process in KiB: what `VmRSS` or `VmHWM` says.
    pub fn memory_kib(&self, field: &str) -> u64 {
        let status = fs::read_to_string(Path::new("/proc").join(self.pid().to_string()).join("status"));
        let status = status.expect("the gateway runs");
        let line = status.lines().find_map(|line| line.strip_prefix(field)?.strip_prefix(':'));
        let number = line.and_then(|line| line.split_whitespace().next()?.parse().ok());
        number.unwrap_or_else(|| panic!("no {field} in:\n{status}"))
    }

    /// Asks it to end and waits for it.
    pub async fn stop(&mut self) -> ExitStatus {
        kill(self.pid(), Signal::SIGTERM).expect("the gateway runs");
        self.wait().await
    }

    /// Waits for its end.
    pub async fn wait(&mut self) -> ExitStatus {
        let ended = timeout(READY_WITHIN, self.child.wait()).await;
        ended.unwrap_or_else(|_| panic!("the gateway does not end:\n{}", self.log())).expect("its exit status")
    }
}

/// The gateway's process, with its config, data and log in `dir`.
fn launch(dir: &Path, port: u16, args: &[&str], env: &[(&str, &str)]) -> Child {
    let log = File::options().create(true).append(true).open(dir.join("log")).expect("a log file");
    Command::new(env!("CARGO_BIN_EXE_tollgate"))
        .args(["serve", "--host", "127.0.0.1", "--port", &port.to_string(), "--config"])
        .arg(dir.join("config.yaml"))
        .arg("--data-dir")
        .arg(dir.join("data"))
        .args(args)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", dir)
        .envs(env.iter().copied())
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a log file"))
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .expect("the gateway starts")
}

/// A port of 127.0.0.1 that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free loopback port");
    listener.local_addr().expect("a bound socket has an address").port()
}
