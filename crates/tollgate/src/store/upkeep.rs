//! What is done for the store from time to time, and what it has to tell.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tollgate_policy::access::ScopeKind;
use tollgate_policy::price::dollars;
use tollgate_store::database::StoreError;
use tollgate_store::ledger::retention::forget_rows;
use tollgate_store::meter::Alert;

use crate::app::App;
use crate::store::Store;
use crate::unix_time::unix_ms;

const EVERY: Duration = Duration::from_secs(60 * 60);
/// The audit trail goes back so far.
const CHANGES_KEPT: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Old entries of the audit trail go. A replica that was away for longer reads everything anew.
pub async fn forget_old(app: Arc<App>) {
    let Some(store) = app.store() else { return };
    loop {
        tokio::time::sleep(EVERY).await;
        let kept_ms = u64::try_from(CHANGES_KEPT.as_millis()).unwrap_or(u64::MAX);
        if let Err(error) = store.database.forget_changes(unix_ms().saturating_sub(kept_ms)).await {
            tracing::debug!(%error, "the audit trail could not be shortened; it is tried again");
        }
    }
}

/// So often a key that is in use is written.
const USES_EVERY: Duration = Duration::from_secs(60);

/// Brings to the database when keys were last used.
pub async fn keep_uses(app: Arc<App>) {
    let Some(store) = app.store() else { return };
    loop {
        tokio::time::sleep(USES_EVERY).await;
        write_uses(store).await;
    }
}

pub async fn write_uses(store: &Store) {
    if let Err(error) = store.uses.write(&store.database).await {
        tracing::debug!(%error, "when keys were used could not be written; it is tried again");
    }
}

/// A change of the configuration is noticed so soon.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// What an earlier process left is in the ledger by then.
const FIRST_LOOK: Duration = Duration::from_secs(60);
/// Nine tenths of the time belong to others.
const REST: u32 = 9;
const LEAST_REST: Duration = Duration::from_millis(50);

/// Rows of the ledger go that are older than the configuration in force wants. What they were summed up to stays.
pub async fn shorten_ledger(app: Arc<App>) {
    let Some(store) = app.store() else { return };
    let began = Instant::now();
    let mut looked: Option<Instant> = None;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let retention = app.live().config.settings.retention;
        let wait = looked.map_or(retention.look_every.min(FIRST_LOOK), |_| retention.look_every);
        let Some(keep) = retention.keep.filter(|_| looked.unwrap_or(began).elapsed() >= wait) else { continue };
        looked = Some(Instant::now());
        let keep_ms = u64::try_from(keep.as_millis()).unwrap_or(u64::MAX);
        match forget_before(store, unix_ms().saturating_sub(keep_ms)).await {
            Ok(()) => {}
            Err(error) => tracing::debug!(%error, "the ledger could not be shortened; it is tried again"),
        }
    }
}

/// A batch at a time, with a rest after each: requests and reports hardly notice.
async fn forget_before(store: &Store, before_ms: u64) -> Result<(), StoreError> {
    loop {
        let began = Instant::now();
        if !forget_rows(&store.database, before_ms).await? {
            return Ok(());
        }
        tokio::time::sleep((began.elapsed() * REST).max(LEAST_REST)).await;
    }
}

/// A line in the log for every soft budget that is spent.
pub async fn tell_alerts(app: Arc<App>) {
    let Some(store) = app.store() else { return };
    let mut alerts = store.meter.alerts();
    loop {
        match alerts.recv().await {
            Ok(alert) => tell(&alert),
            Err(RecvError::Lagged(missed)) => tracing::warn!(missed, "soft budgets are spent, too many to tell each"),
            Err(RecvError::Closed) => return,
        }
    }
}

fn tell(Alert { key, soft_nanos }: &Alert) {
    // A key's id is its hash.
    let id = if key.kind == ScopeKind::Key { "" } else { &*key.id };
    tracing::warn!(
        scope = key.kind.word(),
        id,
        model = %key.model,
        window = %key.window.word(),
        soft_budget_usd = %dollars(*soft_nanos),
        "a soft budget is spent"
    );
}
