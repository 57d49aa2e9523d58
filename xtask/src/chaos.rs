//! Breaks things on purpose while requests race for small budgets and limits, and counts the money afterwards.

#[path = "chaos/drill.rs"]
mod drill;

use std::io::IsTerminal;
use std::path::PathBuf;

use crate::run;

/// Fails when anything does not add up. `binary`: the gateway; one is built where none is named.
pub fn run(requests: usize, seed: u64, binary: Option<PathBuf>) -> Result<(), String> {
    let binary = match binary {
        Some(binary) => std::path::absolute(binary).map_err(|error| error.to_string())?,
        None => {
            run::show(run::cargo().args(["build", "--profile", "release-fast", "--locked", "--package", "tollgate"]))?;
            crate::root().join("target/release-fast/tollgate")
        }
    };
    let shown = std::io::stderr().is_terminal();
    let progress = move |sent: usize| {
        if shown {
            eprint!("\r{sent} of {requests} requests sent ");
        }
    };
    let runtime = tokio::runtime::Runtime::new().map_err(|error| error.to_string())?;
    let plan = drill::Plan { requests, seed, binary };
    let report = runtime.block_on(async {
        tokio::select! {
            report = drill::run(&plan, progress) => report,
            // Dropped, it ends all that it started.
            _ = tokio::signal::ctrl_c() => Err("interrupted".to_string()),
        }
    });
    if shown {
        eprintln!();
    }
    let report = report?;
    print!("{report}");
    match report.problems.len() {
        0 => Ok(()),
        problems => Err(format!("{problems} things do not add up")),
    }
}
