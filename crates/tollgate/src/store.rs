//! The database behind the gateway: whom it serves, what they may spend, and what they used.
//!
//! Nothing of it is asked on the path of a request whose key is known, and its customer if it names one: what was read once is kept in
//! memory, and the database tells within a second what others changed.

mod end_users;
mod models;
#[cfg(test)]
mod tests;
pub mod upkeep;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use jiff::tz::TimeZone;
use tokio::sync::Mutex;
use tollgate_policy::access::Scope;
use tollgate_policy::authorise::AccessGroups;
use tollgate_store::callers::Callers;
use tollgate_store::changes::Changed;
use tollgate_store::database::{Database, StoreError};
use tollgate_store::entity::{AccessGroup, EntityKind};
use tollgate_store::meter::{self, Meter};
use tollgate_store::uses::Uses;
use tollgate_store::vault::Vault;

use crate::app::App;
use crate::config::added::Added;
use crate::config::{self, Config, Problem};
use end_users::EndUsers;
pub use models::entry;

/// How soon a change by another replica is noticed.
const LISTEN_EVERY: Duration = Duration::from_secs(1);

pub struct Store {
    pub database: Database,
    pub meter: Meter,
    /// Whom keys stand for.
    pub callers: Callers,
    /// Of their keys.
    pub uses: Uses,
    end_users: EndUsers,
    /// Seals the credentials of models that were added at run time; `None`: there is neither salt nor master key to seal with.
    pub vault: Option<Vault>,
    /// Those of the database.
    groups: ArcSwap<AccessGroups>,
    models: ArcSwap<Vec<Added>>,
    /// Held while it is caught up, so that nobody puts down what is older.
    behind: Mutex<Behind>,
    connected: AtomicBool,
}

/// What has changed and was not read again yet: the database may go away in between.
#[derive(Default)]
struct Behind {
    groups: bool,
    models: bool,
}

#[derive(Debug, thiserror::Error)]
pub enum CannotOpen {
    #[error("the database {0} cannot be used: {1}")]
    Database(String, #[source] StoreError),
    #[error("the journal of spending cannot be kept in {0}: {1}")]
    Journal(String, #[source] std::io::Error),
}

impl Store {
    /// PostgreSQL where the configuration names one, else a file in the data directory.
    pub async fn open(config: &Config, dir: &Path) -> Result<Store, CannotOpen> {
        let (database, shown) = match &config.database {
            Some(url) => (Database::postgres(url.expose()).await, "of general_settings.database_url".to_string()),
            None => {
                let file = dir.join("tollgate.db");
                (Database::sqlite(&file).await, file.display().to_string())
            }
        };
        let cannot = |error| CannotOpen::Database(shown.clone(), error);
        let database = database.map_err(cannot)?;
        let callers = Callers::new(database.clone()).await.map_err(cannot)?;
        let groups = stored_groups(&database).await.map_err(cannot)?;
        let journal = dir.join("journal");
        let settings = meter::Settings {
            zone: config.settings.zone.clone().unwrap_or(TimeZone::UTC),
            ..meter::Settings::new(journal.clone())
        };
        let meter = Meter::open(database.clone(), settings)
            .map_err(|error| CannotOpen::Journal(journal.display().to_string(), error))?;
        let vault: Option<Vault> =
            config.salt_key.as_ref().or(config.master_key.as_ref()).map(|secret| Vault::new(secret.expose()));
        let models = models::stored(&database, vault.as_ref()).await.map_err(cannot)?;
        Ok(Store {
            database,
            meter,
            callers,
            uses: Uses::default(),
            end_users: EndUsers::default(),
            vault,
            groups: ArcSwap::from_pointee(groups),
            models: ArcSwap::from_pointee(models),
            behind: Mutex::default(),
            connected: AtomicBool::new(true),
        })
    }

    /// What was spent is in the database, unless that is away: then the next process brings it there.
    pub async fn close(&self) {
        upkeep::write_uses(self).await;
        self.meter.clone().close().await;
    }

    /// It answered when it was last asked.
    pub fn is_connected(&self) -> bool {
        self.connected.load(Ordering::Relaxed)
    }

    /// The customer of a caller, with its limits. `None`: the database that knows more is away, and nobody is kept waiting for it.
    pub async fn end_user(&self, name: &str, default_budget: Option<&str>) -> Result<Option<Scope>, StoreError> {
        let database = self.is_connected().then_some(&self.database);
        match self.end_users.find(name, default_budget, database).await {
            Err(StoreError::Away(_)) => Ok(None),
            found => found,
        }
    }

    /// Access groups of configuration and database together.
    pub fn groups(&self, configured: &AccessGroups) -> AccessGroups {
        let mut groups = configured.clone();
        for (name, models) in self.groups.load().iter() {
            let known = groups.entry(name.clone()).or_default();
            known.extend(
                models.iter().filter(|model| !configured.get(name).is_some_and(|own| own.contains(model))).cloned(),
            );
        }
        groups
    }

    /// A configuration with the models that were added while the gateway ran.
    pub fn with_models(&self, config: Config) -> Config {
        let (config, problems) = config.with_added(&self.models.load(), &config::env);
        problems.iter().for_each(Problem::log);
        config
    }

    /// Takes notice of every change so far, of this process and of others.
    pub async fn catch_up(&self, app: &App) -> Result<(), StoreError> {
        let mut behind = self.behind.lock().await;
        let changed = self.callers.catch_up().await?;
        self.end_users.forget(&changed);
        behind.groups |= concerns(&changed, EntityKind::AccessGroup);
        behind.models |= concerns(&changed, EntityKind::Model);
        if behind.groups {
            self.groups.store(Arc::new(stored_groups(&self.database).await?));
            behind.groups = false;
            app.regroup();
        }
        if behind.models {
            self.models.store(Arc::new(models::stored(&self.database, self.vault.as_ref()).await?));
            behind.models = false;
            app.remodel();
        }
        Ok(())
    }
}

/// Whether something of the kind may be different now.
fn concerns(changed: &Changed, kind: EntityKind) -> bool {
    match changed {
        Changed::Everything => true,
        Changed::These(these) => these.iter().any(|(of, _)| *of == kind),
    }
}

/// Keeps what is in memory as new as the database.
pub async fn follow(app: Arc<App>) {
    let Some(store) = app.store() else { return };
    loop {
        tokio::time::sleep(LISTEN_EVERY).await;
        match store.catch_up(&app).await {
            Ok(()) if !store.connected.swap(true, Ordering::Relaxed) => tracing::info!("the database is back"),
            Ok(()) => {}
            Err(error) if store.connected.swap(false, Ordering::Relaxed) => {
                tracing::warn!(%error, "the database is away; known keys keep working for a time");
            }
            Err(_) => {}
        }
    }
}

async fn stored_groups(database: &Database) -> Result<AccessGroups, StoreError> {
    let groups = database.all::<AccessGroup>().await?;
    Ok(groups.into_iter().map(|group| (group.name, group.models)).collect())
}
