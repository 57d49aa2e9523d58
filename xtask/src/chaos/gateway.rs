//! One gateway, as a process with a folder of its own.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

use super::client;

const READY_WITHIN: Duration = Duration::from_secs(60);

pub struct Gateway {
    child: Child,
    binary: PathBuf,
    home: PathBuf,
    redis: String,
    port: u16,
}

impl Gateway {
    /// With the configuration in its folder.
    pub async fn start(binary: &Path, home: &Path, redis: &str) -> Result<Gateway, String> {
        let port = free_port();
        let child = launch(binary, home, redis, port)?;
        let (binary, home, redis) = (binary.to_path_buf(), home.to_path_buf(), redis.to_string());
        let gateway = Gateway { child, binary, home, redis, port };
        gateway.ready().await?;
        Ok(gateway)
    }

    pub fn address(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.port))
    }

    /// Where it keeps what it spends.
    pub fn journal(&self) -> PathBuf {
        self.home.join("data/journal")
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.home.join("log")).unwrap_or_default()
    }

    /// `kill -9`.
    pub async fn kill(&mut self) -> Result<(), String> {
        self.child.kill().await.map_err(|error| error.to_string())
    }

    /// On the same disk and port.
    pub async fn start_again(&mut self) -> Result<(), String> {
        self.child = launch(&self.binary, &self.home, &self.redis, self.port)?;
        self.ready().await
    }

    async fn ready(&self) -> Result<(), String> {
        let ready = async {
            while !client::is_ready(self.address()).await {
                sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(READY_WITHIN, ready).await.map_err(|_| format!("a gateway is not ready:\n{}", self.log()))
    }
}

fn launch(binary: &Path, home: &Path, redis: &str, port: u16) -> Result<Child, String> {
    let shown = |error: std::io::Error| format!("{}: {error}", binary.display());
    let log = File::options().create(true).append(true).open(home.join("log")).map_err(shown)?;
    Command::new(binary)
        .args(["serve", "--host", "127.0.0.1", "--port", &port.to_string(), "--config"])
        .arg(home.join("config.yaml"))
        .arg("--data-dir")
        .arg(home.join("data"))
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("HOME", home)
        .env("REDIS_URL", redis)
        .stdin(Stdio::null())
        .stdout(log.try_clone().map_err(shown)?)
        .stderr(log)
        .kill_on_drop(true)
        .spawn()
        .map_err(shown)
}

/// A port of 127.0.0.1 that was free a moment ago.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free loopback port");
    listener.local_addr().expect("a bound socket has an address").port()
}
