//! A database of a test's own.

use std::ops::Deref;
use std::str::FromStr;
use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::any::AnyConnectOptions;
use sqlx::{AnyConnection, AssertSqlSafe, ConnectOptions, Connection};
use tempfile::TempDir;
use tollgate_policy::access::Role;
use tollgate_store::access::Author;
use tollgate_store::database::Database;

use crate::postgres;

pub struct Stage {
    pub database: Database,
    /// What [`Database::postgres`] or [`Database::sqlite`] opens once more.
    pub place: String,
    _dir: Option<TempDir>,
}

static COUNT: AtomicU32 = AtomicU32::new(0);

impl Stage {
    pub async fn sqlite() -> Stage {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tollgate.db");
        let database = Database::sqlite(&path).await.unwrap();
        Stage { database, place: path.display().to_string(), _dir: Some(dir) }
    }

    pub async fn postgres() -> Stage {
        let place = empty_postgres().await;
        Stage { database: Database::postgres(&place).await.unwrap(), place, _dir: None }
    }
}

/// The URL of a new database with nothing in it.
pub async fn empty_postgres() -> String {
    let url = postgres::maintenance_url();
    let name = format!("t{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
    let mut connection = connect(&url).await;
    sqlx::raw_sql(AssertSqlSafe(format!("CREATE DATABASE {name}"))).execute(&mut connection).await.unwrap();
    connection.close().await.unwrap();
    postgres::url_of(&url, &name)
}

pub async fn connect(url: &str) -> AnyConnection {
    sqlx::any::install_default_drivers();
    AnyConnectOptions::from_str(url).unwrap().connect().await.unwrap()
}

impl Deref for Stage {
    type Target = Database;

    fn deref(&self) -> &Database {
        &self.database
    }
}

pub fn admin() -> Author {
    Author { key: None, user: Some("admin".to_string()), role: Some(Role::ProxyAdmin) }
}
