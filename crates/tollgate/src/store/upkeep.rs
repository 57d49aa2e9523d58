//! What is done for the store from time to time, and what it has to tell.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::broadcast::error::RecvError;
use tollgate_policy::access::ScopeKind;
use tollgate_policy::price::dollars;
use tollgate_store::meter::Alert;

use crate::app::App;
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
