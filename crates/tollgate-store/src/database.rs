//! The database behind keys, money and usage: SQLite in a file, or PostgreSQL.
//!
//! Both are asked with the same statements, through `sqlx`'s `Any` driver: numbers are `BIGINT`, texts `TEXT`, times
//! milliseconds since 1970, money nano-dollars, structures JSON in `TEXT`. Where the two must differ, [`Kind`] decides.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::Migrator;

use crate::entity::{Column, EntityKind};
use crate::vault::VaultError;

#[cfg(test)]
mod tests;

/// How long a connection is waited for. Those of a database that hangs do not come back.
const ACQUIRE_WITHIN: Duration = Duration::from_secs(5);
/// One, and another while the first is being cleared of what took too long.
const RESERVED: u32 = 2;

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Sqlite,
    Postgres,
}

#[derive(Clone)]
pub struct Database {
    pub kind: Kind,
    pub pool: sqlx::AnyPool,
    /// For money alone: it must not wait because all others are busy.
    reserved: sqlx::AnyPool,
    /// Held as long as an SQLite file is in use: nobody may put another in its place.
    _in_use: Option<Arc<File>>,
}

/// The database could not do what it was asked to. `away`: another time it may.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the database does not answer: {0}")]
    Away(#[source] sqlx::Error),
    #[error("the database refused: {0}")]
    Refused(#[source] sqlx::Error),
    #[error("the database's tables could not be brought up to date: {0}")]
    Migration(#[from] sqlx::migrate::MigrateError),
    #[error("the database holds something that cannot be read: {0}")]
    Unreadable(#[from] serde_json::Error),
    /// Another one has the value already.
    #[error("there is a {kind} with this {} already: {value}", column.name())]
    Exists { kind: EntityKind, column: Column, value: String },
    #[error("{0}")]
    Sealed(#[from] VaultError),
    #[error("the database's file cannot be opened: {0}")]
    File(#[from] io::Error),
    #[error("there is no {kind} {id}")]
    Missing { kind: EntityKind, id: String },
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        use sqlx::Error::*;
        match error {
            Io(_) | Tls(_) | PoolTimedOut | PoolClosed | WorkerCrashed | Protocol(_) => StoreError::Away(error),
            Database(ref told) if told.code().is_some_and(|code| passes(&code)) => StoreError::Away(error),
            error => StoreError::Refused(error),
        }
    }
}

/// Whether an error with this code is over after a while.
fn passes(code: &str) -> bool {
    // PostgreSQL's class 57 is the server going down, 08 a connection that broke, 53 one that has no room. SQLite's 5 and what
    // is made of it is a file that another writes to for too long.
    let sqlite_is_busy = || code.parse::<u32>().is_ok_and(|code| code & 0xff == 5);
    let class = code.get(..2).filter(|_| code.len() == 5);
    class.map_or_else(sqlite_is_busy, |class| ["57", "08", "53"].contains(&class))
}

impl Database {
    /// The file is made where there is none, for its owner alone.
    pub async fn sqlite(path: &Path) -> Result<Database, StoreError> {
        let in_use = lock_file(path).and_then(|lock| lock.lock_shared().map(|()| lock))?;
        if !path.exists() {
            create_private(path)?;
        }
        sqlx::any::install_default_drivers();
        let url = format!("sqlite://{}?mode=rwc", path.display());
        // A write-ahead log lets readers go on while the writer writes; NORMAL keeps everything over a crash of the process.
        let options = |connections| {
            pool_of(connections).after_connect(|connection, _| {
                Box::pin(async move {
                    for pragma in
                        ["journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "busy_timeout = 5000"]
                    {
                        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("PRAGMA {pragma}")))
                            .execute(&mut *connection)
                            .await?;
                    }
                    Ok(())
                })
            })
        };
        let pool = options(4).connect(&url).await?;
        let reserved = options(RESERVED).connect_lazy(&url)?;
        let database = Database { kind: Kind::Sqlite, pool, reserved, _in_use: Some(Arc::new(in_use)) };
        MIGRATIONS.run(&database.pool).await?;
        Ok(database)
    }

    /// `url`: `postgres://user:password@host:port/name`.
    pub async fn postgres(url: &str) -> Result<Database, StoreError> {
        sqlx::any::install_default_drivers();
        let options = AnyConnectOptions::from_str(url)?;
        let pool = pool_of(8).connect_with(options.clone()).await?;
        let reserved = pool_of(RESERVED).connect_lazy_with(options);
        let database = Database { kind: Kind::Postgres, pool, reserved, _in_use: None };
        MIGRATIONS.run(&database.pool).await?;
        Ok(database)
    }

    /// The same, over connections that are kept for money.
    pub(crate) fn reserved(&self) -> Database {
        Database { pool: self.reserved.clone(), ..self.clone() }
    }
}

fn pool_of(connections: u32) -> AnyPoolOptions {
    AnyPoolOptions::new().max_connections(connections).acquire_timeout(ACQUIRE_WITHIN)
}

/// What is locked in place of the database's own file, which SQLite locks in its own ways.
pub(crate) fn lock_file(database: &Path) -> io::Result<File> {
    let mut name = database.as_os_str().to_os_string();
    name.push(".lock");
    private().create(true).truncate(false).open(PathBuf::from(name))
}

/// A new file that only its owner can read.
pub(crate) fn create_private(path: &Path) -> io::Result<File> {
    private().create_new(true).open(path)
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.read(true).write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}
