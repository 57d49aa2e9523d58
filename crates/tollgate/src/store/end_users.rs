//! The customers of callers, as the database last said.

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

pub struct EndUsers(Cache<(String, String), Scope>);

impl Default for EndUsers {
    fn default() -> EndUsers {
        EndUsers(Cache::builder().max_capacity(MOST).time_to_live(KEPT_FOR).build())
    }
}

impl EndUsers {
    /// `default_budget`: of those who have none.
    pub async fn find(
        &self,
        name: &str,
        default_budget: Option<&str>,
        database: &Database,
    ) -> Result<Scope, StoreError> {
        let place = (name.to_string(), default_budget.unwrap_or_default().to_string());
        if let Some(scope) = self.0.get(&place) {
            return Ok(scope);
        }
        let scope = database.end_user(name, default_budget).await?;
        self.0.insert(place, scope.clone());
        Ok(scope)
    }

    pub fn forget(&self, changed: &Changed) {
        if concerns(changed, EntityKind::EndUser) || concerns(changed, EntityKind::Budget) {
            self.0.invalidate_all();
        }
    }
}
