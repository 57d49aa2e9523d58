//! Measures the ledger when it is large: how fast it is written and asked, and what a request waits for.

use std::path::Path;
use std::process::Command;

use clap::ValueEnum;

use crate::run::{cargo, output, show};

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Database {
    Sqlite,
    Postgres,
}

/// `folder`: where database and journal are made; the database stays there and is used again.
pub fn run(rows: u64, database: Database, folder: &Path) -> Result<(), String> {
    show(cargo().args(["build", "--profile", "release-fast", "-p", "tollgate-store", "--example", "ledger"]))?;
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let program = crate::root().join("target/release-fast/examples/ledger");
    let place = match database {
        Database::Sqlite => folder.join("ledger.db").display().to_string(),
        Database::Postgres => {
            let pid = std::process::id().to_string();
            output(Command::new(&program).args(["postgres", &pid])).ok_or("PostgreSQL cannot be started")?
        }
    };
    let place = place.trim();
    if database == Database::Postgres || !Path::new(place).exists() {
        show(Command::new(&program).args(["fill", place, &rows.to_string()]))?;
    }
    show(Command::new(&program).args(["ask", place]).arg(folder.join("journal")))
}
