//! The database behind keys, money and usage: SQLite in a file, or PostgreSQL.
//!
//! Both are asked with the same statements, through `sqlx`'s `Any` driver: numbers are `BIGINT`, texts `TEXT`, times
//! milliseconds since 1970, money nano-dollars, structures JSON in `TEXT`. Where the two must differ, [`Kind`] decides.

use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use sqlx::any::{AnyConnectOptions, AnyPoolOptions};
use sqlx::migrate::Migrator;

use crate::entity::{Column, EntityKind};

#[cfg(test)]
mod tests;

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
    #[error("there is no {kind} {id}")]
    Missing { kind: EntityKind, id: String },
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> StoreError {
        use sqlx::Error::*;
        match error {
            Io(_) | Tls(_) | PoolTimedOut | PoolClosed | WorkerCrashed | Protocol(_) => StoreError::Away(error),
            // PostgreSQL's class 57 is the server going down, 08 a connection that broke, 53 one that has no room.
            Database(ref told)
                if told.code().is_some_and(|code| ["57", "08", "53"].contains(&code.get(..2).unwrap_or(""))) =>
            {
                StoreError::Away(error)
            }
            error => StoreError::Refused(error),
        }
    }
}

impl Database {
    /// The file is made where there is none.
    pub async fn sqlite(path: &Path) -> Result<Database, StoreError> {
        sqlx::any::install_default_drivers();
        let url = format!("sqlite://{}?mode=rwc", path.display());
        // A write-ahead log lets readers go on while the writer writes; NORMAL keeps everything over a crash of the process.
        let options = AnyPoolOptions::new().max_connections(4).after_connect(|connection, _| {
            Box::pin(async move {
                for pragma in ["journal_mode = WAL", "synchronous = NORMAL", "foreign_keys = ON", "busy_timeout = 5000"]
                {
                    sqlx::raw_sql(sqlx::AssertSqlSafe(format!("PRAGMA {pragma}"))).execute(&mut *connection).await?;
                }
                Ok(())
            })
        });
        let database = Database { kind: Kind::Sqlite, pool: options.connect(&url).await? };
        MIGRATIONS.run(&database.pool).await?;
        Ok(database)
    }

    /// `url`: `postgres://user:password@host:port/name`.
    pub async fn postgres(url: &str) -> Result<Database, StoreError> {
        sqlx::any::install_default_drivers();
        let options = AnyConnectOptions::from_str(url)?;
        let pool = AnyPoolOptions::new().max_connections(8).acquire_timeout(Duration::from_secs(5));
        let database = Database { kind: Kind::Postgres, pool: pool.connect_with(options).await? };
        MIGRATIONS.run(&database.pool).await?;
        Ok(database)
    }
}
