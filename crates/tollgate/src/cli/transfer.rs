//! `tollgate import`, `backup` and `restore`: what is done to the database itself.

use std::path::PathBuf;
use std::process::ExitCode;
use std::time::SystemTime;

use clap::{Args, Subcommand};
use tollgate_store::backup;
use tollgate_store::database::Database;
use tollgate_store::import::{self, OpeningBalance, Report};
use tollgate_store::meter::{Meter, Settings};

use super::{CliError, data_dir, environment, serve};

/// The database of the gateway.
#[derive(Debug, Args)]
struct Place {
    /// The gateway's configuration, if its general_settings.database_url names a database
    #[arg(long, short, value_name = "FILE", env = "CONFIG_FILE_PATH")]
    config: Option<PathBuf>,
    /// Where the gateway keeps its data [default: the user's data directory]
    #[arg(long, value_name = "DIR", env = "TOLLGATE_DATA_DIR")]
    data_dir: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct Import {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, Subcommand)]
enum From {
    /// From a LiteLLM's PostgreSQL: keys keep working, and have spent what they had spent. Nothing in it is changed
    Litellm {
        /// LiteLLM's DATABASE_URL
        #[arg(long, value_name = "URL", env = "LITELLM_DATABASE_URL", hide_env_values = true)]
        database_url: String,
        /// Say what would be taken over, and change nothing
        #[arg(long)]
        dry_run: bool,
        /// Print the report as JSON
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        place: Place,
    },
}

#[derive(Debug, Args)]
pub struct Backup {
    /// The new file
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

#[derive(Debug, Args)]
pub struct Restore {
    /// The backup
    file: PathBuf,
    #[command(flatten)]
    place: Place,
}

impl Import {
    pub fn run(&self) -> Result<ExitCode, CliError> {
        let From::Litellm { database_url, dry_run, json, place } = &self.from;
        let report = serve::runtime(None)?.block_on(async {
            let (database, dir) = place.open().await?;
            let report = import::from_litellm(database_url, &database, now_ms(), *dry_run).await;
            let report = report.map_err(|error| CliError::failure(format!("{error}; check --database-url")))?;
            if !dry_run {
                spent(&database, dir, &report.balances).await?;
            }
            Ok(report)
        })?;
        print!("{}", if *json { format!("{:#}\n", serde_json::json!(report)) } else { told(&report, *dry_run) });
        Ok(ExitCode::SUCCESS)
    }
}

/// What those who were taken over had spent counts in the windows of now.
async fn spent(database: &Database, dir: PathBuf, balances: &[OpeningBalance]) -> Result<(), CliError> {
    let failed =
        |error: &dyn std::fmt::Display| CliError::failure(format!("what was spent cannot be taken over: {error}"));
    let meter = Meter::open(database.clone(), Settings::new(dir.join("journal"))).map_err(|error| failed(&error))?;
    let now_ms = now_ms();
    for balance in balances {
        let id = format!("LiteLLM {} {}", balance.scope.word(), balance.id);
        let at_ms = balance.resets_at_ms.map_or(now_ms, |end| now_ms.min(end.saturating_sub(1)));
        let nanos = i64::try_from(balance.nanos).unwrap_or(i64::MAX);
        let adjusted = meter.adjust(&id, balance.scope, &balance.id, "", nanos, at_ms).await;
        adjusted.map_err(|error| failed(&error))?;
    }
    meter.close().await;
    Ok(())
}

fn told(report: &Report, dry_run: bool) -> String {
    let mut out = String::new();
    let taken = if dry_run { "would be taken over" } else { "taken over" };
    for (kind, count) in &report.counts {
        out += &format!("{:20} {:>6} {taken}", kind.to_string(), count.taken);
        for (number, what) in [(count.there_already, "there already"), (count.left_out, "left out")] {
            if number > 0 {
                out += &format!(", {number} {what}");
            }
        }
        out.push('\n');
    }
    let spent: u64 = report.balances.iter().map(|balance| balance.nanos).sum();
    out += &format!(
        "{:20} {:>6} with spending, ${} in all scopes together\n",
        "balances",
        report.balances.len(),
        tollgate_policy::price::dollars(spent)
    );
    for note in &report.notes {
        out += &format!("note: {note}\n");
    }
    out
}

impl Backup {
    pub fn run(&self) -> Result<ExitCode, CliError> {
        serve::runtime(None)?.block_on(async {
            let (database, _) = self.place.open().await?;
            backup::back_up(&database, &self.file).await.map_err(|error| CliError::failure(error.to_string()))
        })?;
        println!("{} is written", self.file.display());
        Ok(ExitCode::SUCCESS)
    }
}

impl Restore {
    pub fn run(&self) -> Result<ExitCode, CliError> {
        let (url, dir) = self.place.find()?;
        if url.is_some() {
            return Err(CliError::usage("the gateway uses PostgreSQL: restore that with pg_restore"));
        }
        let file = dir.join("tollgate.db");
        serve::runtime(None)?
            .block_on(backup::restore(&self.file, &file))
            .map_err(|error| CliError::failure(error.to_string()))?;
        println!(
            "{} has what the backup had; what it had before is beside it, ending in .before-restore",
            file.display()
        );
        Ok(ExitCode::SUCCESS)
    }
}

impl Place {
    /// The URL of PostgreSQL, if it is that, and the data directory.
    fn find(&self) -> Result<(Option<String>, PathBuf), CliError> {
        let url = match &self.config {
            Some(file) => serve::load(Some(file))?.database.map(|url| url.expose().to_string()),
            None => environment("DATABASE_URL"),
        };
        let dir = data_dir(self.data_dir.as_ref());
        Ok((url, dir.ok_or_else(|| CliError::usage("there is no data directory; name one with --data-dir"))?))
    }

    async fn open(&self) -> Result<(Database, PathBuf), CliError> {
        let (url, dir) = self.find()?;
        std::fs::create_dir_all(&dir)
            .map_err(|error| CliError::failure(format!("{} cannot be made: {error}", dir.display())))?;
        let database = match url {
            Some(url) => Database::postgres(&url).await,
            None => Database::sqlite(&dir.join("tollgate.db")).await,
        };
        let database =
            database.map_err(|error| CliError::failure(format!("the gateway's database cannot be used: {error}")))?;
        Ok((database, dir))
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
