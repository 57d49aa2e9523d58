//! The customers of callers, as the database last said.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use moka::sync::Cache;
use tollgate_policy::access::Scope;
use tollgate_store::changes::Changed;
use tollgate_store::database::{Database, StoreError};
use tollgate_store::entity::EntityKind;

use super::concerns;

const MOST: u64 = 10_000;
/// Their names are the callers' to choose, so they come and go.
const KEPT_FOR: Duration = Duration::from_secs(10 * 60);

pub struct EndUsers {
    known: Cache<(String, String), Scope>,
    /// Counts what was forgotten: who was read before that may be different by now, and is not kept.
    forgotten: AtomicU64,
}

impl Default for EndUsers {
    fn default() -> EndUsers {
        let known = Cache::builder().max_capacity(MOST).time_to_live(KEPT_FOR).build();
        EndUsers { known, forgotten: AtomicU64::new(0) }
    }
}

impl EndUsers {
    /// `default_budget`: of those who have none. `database`: `None` while it is away.
    pub async fn find(
        &self,
        name: &str,
        default_budget: Option<&str>,
        database: Option<&Database>,
    ) -> Result<Option<Scope>, StoreError> {
        let place = (name.to_string(), default_budget.unwrap_or_default().to_string());
        if let Some(scope) = self.known.get(&place) {
            return Ok(Some(scope));
        }
        let Some(database) = database else { return Ok(None) };
        let before = self.forgotten.load(Ordering::Acquire);
        let scope = database.end_user(name, default_budget).await?;
        if self.forgotten.load(Ordering::Acquire) == before {
            self.known.insert(place, scope.clone());
        }
        Ok(Some(scope))
    }

    pub fn forget(&self, changed: &Changed) {
        if concerns(changed, EntityKind::EndUser) || concerns(changed, EntityKind::Budget) {
            self.forgotten.fetch_add(1, Ordering::AcqRel);
            self.known.invalidate_all();
        }
    }
}
