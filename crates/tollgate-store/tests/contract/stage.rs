//! A database of a test's own.

use std::ops::Deref;

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

impl Stage {
    pub async fn sqlite() -> Stage {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tollgate.db");
        let database = Database::sqlite(&path).await.unwrap();
        Stage { database, place: path.display().to_string(), _dir: Some(dir) }
    }

    pub async fn postgres() -> Stage {
        let place = postgres::new_database();
        Stage { database: Database::postgres(&place).await.unwrap(), place, _dir: None }
    }
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
