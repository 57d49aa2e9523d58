//! A real Redis on a free loopback port, with a password and without persistence; it is killed when dropped.

use std::process::Stdio;
use std::time::Duration;

use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::gateway::free_port;

pub const PASSWORD: &str = "redis-canary-77d1";
const READY_WITHIN: Duration = Duration::from_secs(20);

pub struct Redis {
    child: Child,
    pub port: u16,
    dir: TempDir,
}

impl Redis {
    pub async fn start() -> Redis {
        let dir = tempfile::tempdir().expect("a temporary folder");
        let port = free_port();
        let redis = Redis { child: launch(&dir, port), port, dir };
        redis.ready().await;
        redis
    }

    pub fn url(&self) -> String {
        format!("redis://:{PASSWORD}@127.0.0.1:{}/0", self.port)
    }

    /// Ends it without a word to anybody.
    pub async fn kill(&mut self) {
        self.child.kill().await.expect("Redis runs");
    }

    /// Starts it again, empty, at the same port.
    pub async fn start_again(&mut self) {
        self.child = launch(&self.dir, self.port);
        self.ready().await;
    }

    /// The names of its keys, as it sends them.
    pub async fn keys(&self) -> String {
        self.command("KEYS *").await.expect("Redis answers")
    }

    /// A value, as it sends it.
    pub async fn value(&self, key: &str) -> String {
        self.command(&format!("GET {key}")).await.expect("Redis answers")
    }

    /// What it answers, as it sends it.
    pub async fn command(&self, command: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).await?;
        stream.write_all(format!("AUTH {PASSWORD}\r\n{command}\r\nQUIT\r\n").as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        Ok(answer.trim_start_matches("+OK\r\n").trim_end_matches("+OK\r\n").to_string())
    }

    async fn ready(&self) {
        let ready = async {
            while self.command("PING").await.is_err() {
                sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(READY_WITHIN, ready).await.expect("redis-server is ready");
    }
}

fn launch(dir: &TempDir, port: u16) -> Child {
    Command::new("redis-server")
        .args(["--port", &port.to_string(), "--bind", "127.0.0.1", "--requirepass", PASSWORD])
        .args(["--save", "", "--appendonly", "no", "--dir"])
        .arg(dir.path())
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .unwrap_or_else(|error| panic!("redis-server cannot be started ({error}): is it installed?"))
}
