//! The codecs of every pair: their time, as the example measures it, and their instructions, as callgrind counts them, if it is installed.

use std::path::Path;
use std::process::Command;

use super::{EXAMPLES, measure_example};

const DIALECTS: [&str; 4] = ["messages", "chat", "responses", "gemini"];
const TIMES: u64 = 5;

pub fn run() -> Result<(), String> {
    measure_example("tollgate-dialect", "pairs")?;
    if !has_valgrind() {
        eprintln!("xtask: callgrind is not installed: instructions are not counted");
        return Ok(());
    }
    let example = crate::root().join("target").join(EXAMPLES).join("examples/pairs");
    println!("\nthousands of instructions\n| client | {} |", DIALECTS.join(" | "));
    println!("|---|{}", "---:|".repeat(DIALECTS.len()));
    for client in DIALECTS {
        let mut cells = Vec::new();
        for upstream in DIALECTS {
            // What is done once is in both.
            let (some, more) =
                (count(&example, client, upstream, TIMES)?, count(&example, client, upstream, 2 * TIMES)?);
            cells.push((more.saturating_sub(some) / TIMES / 1000).to_string());
        }
        println!("| {client} | {} |", cells.join(" | "));
    }
    Ok(())
}

fn has_valgrind() -> bool {
    Command::new("valgrind").arg("--version").output().is_ok_and(|output| output.status.success())
}

/// Instructions of the whole program, for so many times one pair.
fn count(example: &Path, client: &str, upstream: &str, times: u64) -> Result<u64, String> {
    let mut command = Command::new("valgrind");
    command.args(["--tool=callgrind", "--callgrind-out-file=/dev/null"]).arg(example);
    let output = command.args([client, upstream, &times.to_string()]).output().map_err(|error| error.to_string())?;
    let told = String::from_utf8_lossy(&output.stderr);
    let sum = told.lines().find_map(|line| line.split_once("Collected :")?.1.trim().parse().ok());
    sum.ok_or_else(|| format!("{client} before {upstream}: {told}"))
}
