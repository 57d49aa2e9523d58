//! Tokens of whoever is signed in to Azure's command lines on this machine, and other programs that print what signs in.

use std::process::Stdio;
use std::time::Duration;

use serde_json::Value;
use tokio::process::Command;

use super::NoToken;
use super::exchange::{lasting, passing};

/// `az` is a Python program that may ask the network.
const LIMIT: Duration = Duration::from_secs(20);

pub(super) async fn az(scope: &str, tenant: Option<&str>) -> Result<Value, NoToken> {
    let mut arguments = vec!["account", "get-access-token", "--output", "json", "--scope", scope];
    arguments.extend(tenant.iter().flat_map(|tenant| ["--tenant", *tenant]));
    run("az", &arguments).await
}

pub(super) async fn azd(scope: &str, tenant: Option<&str>) -> Result<Value, NoToken> {
    let mut arguments = vec!["auth", "token", "--output", "json", "--scope", scope];
    arguments.extend(tenant.iter().flat_map(|tenant| ["--tenant-id", *tenant]));
    run("azd", &arguments).await
}

/// What a program prints as JSON.
pub(super) async fn run(program: &str, arguments: &[&str]) -> Result<Value, NoToken> {
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    let output = match tokio::time::timeout(LIMIT, command.output()).await {
        Ok(Ok(output)) => output,
        Ok(Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Err(lasting(format!("{program} is not installed")));
        }
        Ok(Err(error)) => return Err(lasting(format!("{program} cannot be run: {error}"))),
        Err(_) => return Err(passing(format!("{program} gave no answer in {} s", LIMIT.as_secs()))),
    };
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let said = said.lines().find(|line| !line.trim().is_empty()).unwrap_or("it said nothing").trim();
        return Err(lasting(format!("{program} failed: {said}")));
    }
    serde_json::from_slice(&output.stdout).map_err(|_| lasting(format!("{program} printed no JSON")))
}
