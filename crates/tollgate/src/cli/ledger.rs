//! The ledger of commands that spend without a gateway: `tollgate probe`, and the private gateway of `tollgate run`.
//!
//! It is in the data directory, where a gateway of this user has its own: several processes may use one SQLite file, each has its journal
//! and its leases, and no request waits for what another process writes. A PostgreSQL is a gateway's alone: what `DATABASE_URL`
//! names in somebody's shell is as likely the database of what they work on.

use std::path::Path;

use crate::app::App;
use crate::config::Config;
use crate::store::Store;

/// `config`: as it was read. Without the database the command goes on, and says that its cost is nowhere.
pub async fn open(app: &App, config: &Config, dir: Option<&Path>) {
    let Some(dir) = dir else { return };
    let config = Config { database: None, ..config.clone() };
    match Store::open(&config, dir).await {
        Ok(store) => app.set_store(store),
        Err(error) => eprintln!("tollgate: {error}; what this costs is not in the ledger"),
    }
}

/// Everything is in the database.
pub async fn close(app: &App) {
    if let Some(store) = app.store() {
        store.close().await;
    }
}
