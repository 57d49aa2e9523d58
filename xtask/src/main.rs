//! Everything a developer runs that is not cargo.

mod bench;
mod catalogue;
mod chaos;
mod clients;
mod docs;
mod ledger;
mod run;
mod test;

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Everything a developer runs that is not cargo")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Install the real clients and SDKs that the end-to-end tests use, at fixed versions, into target/clients
    Clients,
    /// The whole gate: formatting, lints, clients and SDKs, all tests
    Test {
        /// Leave out the tests that run real clients and SDKs, and do not install these
        #[arg(long)]
        quick: bool,
        /// Arguments for the test runner
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Write the parts of the documentation that are made of data: docs/errors, tables of docs/resilience.md and docs/translation.md
    Docs,
    /// Make the model catalogue of a public package's table
    Catalogue {
        /// The package's version
        #[arg(long, default_value = "1.109.1")]
        version: String,
        /// When it was looked at, for the file's head
        #[arg(long)]
        date: String,
    },
    /// Check licences, advisories and sources of the dependencies, if cargo-deny is installed
    Deny,
    /// Measure the release binary: CPU per request beside nginx as a plain proxy, or the time of token counts
    Bench {
        #[arg(value_enum, default_value = "requests")]
        what: bench::What,
        /// Seconds per scenario
        #[arg(long, default_value_t = 5)]
        seconds: u64,
        /// How often 25 counts are sent at once
        #[arg(long, default_value_t = 20)]
        rounds: usize,
        /// Measure this binary instead of building one
        #[arg(long)]
        binary: Option<std::path::PathBuf>,
    },
    /// Kill a gateway and the database while requests race for small budgets through three gateways, and count the money afterwards
    Chaos {
        #[arg(long, default_value_t = 10_000)]
        requests: usize,
        /// The gateway, in place of one that is built
        #[arg(long)]
        binary: Option<std::path::PathBuf>,
        /// Of who asks whom for what
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
    /// Measure a large ledger: how fast it is written and asked, and what a request waits for
    Ledger {
        #[arg(long, default_value_t = 10_000_000)]
        rows: u64,
        #[arg(long, value_enum, default_value = "sqlite")]
        database: ledger::Database,
        /// Where it is made: about 500 bytes a row
        #[arg(long, default_value = "target/ledger")]
        folder: std::path::PathBuf,
    },
}

fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Clients => clients::install(),
        Command::Test { quick, args } => test::run(quick, &args),
        Command::Docs => docs::write(),
        Command::Catalogue { version, date } => catalogue::make(&version, &date),
        Command::Deny => test::deny(),
        Command::Bench { what, seconds, rounds, binary } => bench::run(what, seconds, rounds, binary),
        Command::Chaos { requests, binary, seed } => chaos::run(requests, seed, binary),
        Command::Ledger { rows, database, folder } => ledger::run(rows, database, &folder),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// The root of the repository.
fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask is a folder of the repository")
}
