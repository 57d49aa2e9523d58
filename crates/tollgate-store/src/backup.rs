//! Backups of an SQLite database while it is in use, and their restoring. PostgreSQL has its own tools (`pg_dump`).

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::any::AnyConnectOptions;
use sqlx::{ConnectOptions, Connection};

use crate::database::{Database, Kind, StoreError, create_private, lock_file};

#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("a PostgreSQL database is backed up and restored with its own tools: pg_dump, pg_restore")]
    Postgres,
    #[error("{} exists already", .0.display())]
    Exists(PathBuf),
    #[error("{} is in use: stop the gateway first", .0.display())]
    InUse(PathBuf),
    #[error("{} is no backup of a gateway: {why}", path.display())]
    NoBackup { path: PathBuf, why: String },
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Store(#[from] StoreError),
}

fn file(path: &Path) -> impl Fn(io::Error) -> BackupError + '_ {
    move |error| BackupError::File { path: path.to_path_buf(), error }
}

/// Writes everything as it is at this moment to a new file, for its owner alone. Requests go on meanwhile.
///
/// # Errors
/// [`BackupError::Exists`]: nothing is overwritten.
pub async fn back_up(database: &Database, to: &Path) -> Result<(), BackupError> {
    if database.kind != Kind::Sqlite {
        return Err(BackupError::Postgres);
    }
    if to.exists() {
        return Err(BackupError::Exists(to.to_path_buf()));
    }
    let unfinished = beside(to, ".unfinished");
    let _ = fs::remove_file(&unfinished);
    create_private(&unfinished).map_err(file(&unfinished))?;
    let name = unfinished.display().to_string();
    let written = sqlx::query("VACUUM INTO $1").bind(name).execute(&database.pool).await;
    if let Err(error) = written {
        let _ = fs::remove_file(&unfinished);
        return Err(StoreError::from(error).into());
    }
    let synced = File::open(&unfinished).and_then(|file| file.sync_all());
    synced.and_then(|()| fs::rename(&unfinished, to)).map_err(file(to))
}

/// Puts a backup in the place of a database that nobody uses. What was there is kept beside it, with `.before-restore` at the end
/// of its name.
///
/// # Errors
/// [`BackupError::InUse`], [`BackupError::NoBackup`]: nothing has changed.
pub async fn restore(backup: &Path, database: &Path) -> Result<(), BackupError> {
    check(backup).await?;
    let lock = lock_file(database).map_err(file(database))?;
    match lock.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(BackupError::InUse(database.to_path_buf())),
        Err(TryLockError::Error(error)) => return Err(file(database)(error)),
    }
    let unfinished = beside(database, ".restoring");
    let _ = fs::remove_file(&unfinished);
    let mut copy = create_private(&unfinished).map_err(file(&unfinished))?;
    File::open(backup).and_then(|mut from| io::copy(&mut from, &mut copy)).map_err(file(backup))?;
    copy.sync_all().map_err(file(&unfinished))?;
    // What a crash left in the log belongs to the old file.
    for suffix in ["-wal", "-shm", ""] {
        let old = beside(database, suffix);
        if old.exists() {
            let kept = beside(database, &format!(".before-restore{suffix}"));
            fs::rename(&old, kept).map_err(file(&old))?;
        }
    }
    fs::rename(&unfinished, database).map_err(file(database))
}

/// That it is whole, and a gateway's.
async fn check(backup: &Path) -> Result<(), BackupError> {
    let no_backup = |why: String| BackupError::NoBackup { path: backup.to_path_buf(), why };
    if !backup.is_file() {
        return Err(no_backup("there is no such file".to_string()));
    }
    sqlx::any::install_default_drivers();
    let told = async {
        let url = format!("sqlite://{}?mode=ro&immutable=true", backup.display());
        let mut connection = AnyConnectOptions::from_str(&url)?.connect().await?;
        let whole: String = sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut connection).await?;
        let tables = "SELECT COUNT(*) FROM sqlite_schema WHERE name IN ('change_counter', 'virtual_keys')";
        let tables: i64 = sqlx::query_scalar(tables).fetch_one(&mut connection).await?;
        connection.close().await?;
        Ok::<_, sqlx::Error>((whole, tables))
    };
    match told.await {
        Ok((whole, 2)) if whole == "ok" => Ok(()),
        Ok((whole, 2)) => Err(no_backup(format!("it is damaged: {whole}"))),
        Ok(_) => Err(no_backup("it has other tables".to_string())),
        Err(error) => Err(no_backup(error.to_string())),
    }
}

fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_os_string();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests;
