//! The gate that every change passes.

use crate::run::{self, cargo, output};

#[path = "../../crates/tollgate-store/tests/support/postgres.rs"]
mod postgres;

/// The test binaries that need what `cargo xtask clients` installs.
const INSTALLED: [&str; 2] = ["clients", "sdks"];

/// Formatting, lints, clients and SDKs unless `quick`, and the tests.
pub fn run(quick: bool, args: &[String]) -> Result<(), String> {
    run::show(cargo().args(["fmt", "--all", "--check"]))?;
    run::show(cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))?;
    if !quick {
        crate::clients::install()?;
    }
    run_tests(quick, args)
}

fn run_tests(quick: bool, args: &[String]) -> Result<(), String> {
    let has_nextest = output(cargo().args(["nextest", "--version"])).is_some();
    let mut command = cargo();
    if std::env::var_os(postgres::VARIABLE).is_none() {
        let url =
            postgres::start_for(std::process::id()).map_err(|error| format!("PostgreSQL for the tests: {error}"))?;
        command.env(postgres::VARIABLE, url);
    }
    if has_nextest {
        command.args(["nextest", "run", "--workspace", "--locked"]);
        if quick {
            command.args(["-E", &INSTALLED.map(|name| format!("not binary(={name})")).join(" and ")]);
        }
        return run::show(command.args(args));
    }
    command.args(["test", "--workspace", "--locked"]);
    if quick {
        command.args(["--lib", "--bins"]);
        for name in integration_tests()? {
            command.args(["--test", &name]);
        }
    }
    run::show(command.args(args))
}

/// The integration tests that need nothing installed.
fn integration_tests() -> Result<Vec<String>, String> {
    let json =
        output(cargo().args(["metadata", "--no-deps", "--format-version", "1"])).ok_or("cargo metadata failed")?;
    let metadata: serde_json::Value = serde_json::from_str(&json).map_err(|error| error.to_string())?;
    let packages = metadata["packages"].as_array().map_or(&[][..], Vec::as_slice);
    let targets = packages.iter().filter_map(|package| package["targets"].as_array()).flatten();
    let tests = targets.filter(|target| target["kind"][0] == "test").filter_map(|target| target["name"].as_str());
    Ok(tests.filter(|name| !INSTALLED.contains(name)).map(str::to_owned).collect())
}

pub fn deny() -> Result<(), String> {
    if output(cargo().args(["deny", "--version"])).is_none() {
        eprintln!("xtask: cargo-deny is not installed; skipped. `cargo install --locked cargo-deny` installs it.");
        return Ok(());
    }
    run::show(cargo().args(["deny", "--all-features", "check"]))
}
