//! What a handler works with: the store, the clock, and who asks.

use std::sync::Arc;

use jiff::tz::TimeZone;
use tollgate_policy::access::{Role, ScopeKind};
use tollgate_policy::budget::Pot;
use tollgate_policy::window::Window;
use tollgate_store::access::{Author, Write};
use tollgate_store::database::{Database, StoreError};
use tollgate_store::entity::Entity;
use tollgate_store::meter::Meter;
use tollgate_store::vault::Vault;

use super::error::ApiError;
use super::field::Fields;
use super::query::Query;
use crate::app::{App, Live};
use crate::pipeline::Caller;

pub struct Desk {
    pub app: Arc<App>,
    pub live: Arc<Live>,
    pub database: Database,
    pub meter: Meter,
    pub vault: Vault,
    /// Whose days and months budgets count in.
    pub zone: TimeZone,
    /// Milliseconds since 1970.
    pub now_ms: u64,
    pub caller: Caller,
}

/// What is asked, beside the path.
pub struct Asked {
    /// The parts of the path that stand for something, in their order.
    pub path: Vec<String>,
    pub query: Query,
    pub fields: Fields,
}

/// Whose spending is asked for, and over which window.
#[derive(Clone, Copy, Debug)]
pub struct Account<'a> {
    pub kind: ScopeKind,
    pub id: &'a str,
    pub window: Window,
}

impl Desk {
    /// # Errors
    /// [`ApiError::NoDatabase`]
    pub fn new(app: Arc<App>, live: Arc<Live>, caller: Caller, now_ms: u64) -> Result<Desk, ApiError> {
        let store = app.store().ok_or(ApiError::NoDatabase)?;
        let (database, meter) = (store.database.clone(), store.meter.clone());
        let vault = store.vault.clone().unwrap_or_default();
        let zone = live.config.settings.zone.clone().unwrap_or(TimeZone::UTC);
        Ok(Desk { app, live, database, meter, vault, zone, now_ms, caller })
    }

    /// The user who asks; the master key has none.
    pub fn user_id(&self) -> Option<&str> {
        self.caller.chain.as_ref()?.key.user_id.as_deref()
    }

    /// The hash of the key that asks; the master key has none here.
    pub fn key_hash(&self) -> Option<&str> {
        self.caller.chain.as_ref().map(|chain| chain.key.hash.as_str())
    }

    pub fn is_admin(&self) -> bool {
        self.caller.role == Role::ProxyAdmin
    }

    pub fn author(&self) -> Author {
        Author {
            key: self.key_hash().map(str::to_string),
            user: self.user_id().map(str::to_string),
            role: Some(self.caller.role),
        }
    }

    /// Changes an entity as it is at this moment.
    ///
    /// # Errors
    /// [`ApiError::NotFound`], and those of `change`.
    pub async fn rewrite<E: Entity>(
        &self,
        id: &str,
        change: impl FnOnce(&mut E) -> Result<(), ApiError> + Send,
    ) -> Result<E, ApiError> {
        let mut write = self.write().await?;
        let mut entity = write.get::<E>(id).await?.ok_or_else(|| ApiError::not_found(E::KIND, id))?;
        change(&mut entity)?;
        let entity = write.put(entity).await?;
        self.commit(write).await?;
        Ok(entity)
    }

    /// Stores a new entity.
    pub async fn create<E: Entity>(&self, entity: E) -> Result<E, ApiError> {
        let mut write = self.write().await?;
        let entity = write.create(entity).await?;
        self.commit(write).await?;
        Ok(entity)
    }

    pub async fn get<E: Entity>(&self, id: &str) -> Result<E, ApiError> {
        self.database.get(id).await?.ok_or_else(|| ApiError::not_found(E::KIND, id))
    }

    /// Waits until no other change is under way, so what the change needs to know is read before.
    pub async fn write(&self) -> Result<Write, StoreError> {
        self.database.write(&self.author(), self.now_ms).await
    }

    /// From now on every request here sees what was written.
    pub async fn commit(&self, write: Write) -> Result<(), StoreError> {
        write.commit().await?;
        self.take_notice().await;
        Ok(())
    }

    /// What is kept in memory follows within a second by itself; here it does at once.
    async fn take_notice(&self) {
        if let Some(store) = self.app.store()
            && let Err(error) = store.catch_up(&self.app).await
        {
            tracing::warn!(%error, "a change is stored, and takes effect when the database can be asked again");
        }
    }

    /// Nano-dollars of each account, in the same order.
    pub async fn spent(&self, accounts: &[Account<'_>]) -> Result<Vec<u64>, StoreError> {
        let Some(kind) = accounts.first().map(|account| account.kind) else { return Ok(Vec::new()) };
        let for_ever: Vec<&str> =
            accounts.iter().filter(|account| account.window == Window::Total).map(|account| account.id).collect();
        let totals = self.meter.totals(kind, &for_ever).await?;
        let mut spent = Vec::with_capacity(accounts.len());
        for account in accounts {
            spent.push(match account.window {
                Window::Total => totals.get(account.id).copied().unwrap_or(0),
                _ => self.meter.balance(&account.pot(), self.now_ms).await?.spent_nanos,
            });
        }
        Ok(spent)
    }

    pub async fn spent_by(&self, account: Account<'_>) -> Result<u64, StoreError> {
        Ok(self.spent(&[account]).await?.pop().unwrap_or(0))
    }

    /// Sets what a scope has spent.
    pub async fn set_spent(&self, kind: ScopeKind, id: &str, nanos: u64) -> Result<(), StoreError> {
        let adjustment = format!("set {}", uuid::Uuid::now_v7());
        self.meter.set_spent(&adjustment, kind, id, nanos, self.now_ms).await?;
        Ok(())
    }
}

impl Account<'_> {
    fn pot(&self) -> Pot {
        Pot {
            kind: self.kind,
            id: self.id.into(),
            model: "".into(),
            window: self.window,
            max_nanos: None,
            increase: None,
            soft_nanos: None,
        }
    }
}

/// A name for something new.
pub fn new_id() -> String {
    uuid::Uuid::now_v7().to_string()
}
