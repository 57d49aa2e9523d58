//! What scopes have spent, and corrections of it.

use std::collections::HashMap;

use sqlx::AssertSqlSafe;
use tollgate_policy::access::ScopeKind;
use tollgate_policy::budget::{Pot, PotKey};
use tollgate_policy::window::Window;

use super::{Meter, bank};
use crate::database::{Database, StoreError};
use crate::ledger::opening::{name, spent_before};

/// Scopes that are asked for in one statement.
const AT_ONCE: usize = 100;

/// How a pot stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Balance {
    /// What has ended, with what this gateway has not written yet of what it held.
    pub spent_nanos: u64,
    /// Set aside: for requests under way, and idle leases of all gateways.
    pub held_nanos: u64,
}

impl Meter {
    /// What the pot has spent in the window of `at_ms`, as far as this gateway knows without asking. `None`: it does not know yet.
    pub fn seen(&self, pot: &Pot, at_ms: u64) -> Option<u64> {
        self.shared.book().spent(&pot.key(pot.window.span(at_ms, &self.shared.zone)))
    }

    /// What the pot has spent in the window of `at_ms`.
    pub async fn balance(&self, pot: &Pot, at_ms: u64) -> Result<Balance, StoreError> {
        let span = pot.window.span(at_ms, &self.shared.zone);
        let key = pot.key(span);
        let mut connection = self.database.pool.acquire().await?;
        let found: Option<(i64, i64)> = match pot.window {
            Window::Rolling(_) => Some(bank::parts(&mut connection, &key).await?),
            _ => {
                let select = "SELECT spent_nanos, leased_nanos FROM balances WHERE pot = $1";
                sqlx::query_as(select).bind(name(&key)).fetch_optional(&mut *connection).await?
            }
        };
        let (spent, leased) = match found {
            Some(found) => found,
            None => (spent_before(&mut connection, &key, span.end_ms, &self.shared.zone).await?, 0),
        };
        let (_, pending) = self.shared.book().committed(&key);
        let (spent, leased) = (spent.max(0) as u64, leased.max(0) as u64);
        Ok(Balance { spent_nanos: spent + pending, held_nanos: leased.saturating_sub(pending) })
    }

    /// What each scope has spent since the beginning; those that never spent are left out.
    pub async fn totals(&self, kind: ScopeKind, ids: &[&str]) -> Result<HashMap<String, u64>, StoreError> {
        self.database.totals(kind, ids).await
    }

    /// Makes a scope's spending more or less by an amount, in all windows that `at_ms` falls in; it never falls below nothing.
    /// Spending of a gateway that was used before is brought in so. What has the `id` of an adjustment that is there already changes
    /// nothing; returns whether it did.
    pub async fn adjust(
        &self,
        id: &str,
        kind: ScopeKind,
        scope: &str,
        model: &str,
        nanos: i64,
        at_ms: u64,
    ) -> Result<bool, StoreError> {
        let mut transaction = self.database.pool.begin().await?;
        let insert = "INSERT INTO adjustments (id, scope_kind, scope_id, model, at_ms, nanos) \
                      VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (id) DO NOTHING";
        let made = sqlx::query(insert).bind(id).bind(kind.word()).bind(scope).bind(model);
        let made = made.bind(at_ms as i64).bind(nanos).execute(&mut *transaction).await?;
        if made.rows_affected() == 0 {
            return Ok(false);
        }
        // The largest of the two, in the words that both databases have.
        let update = "UPDATE balances SET spent_nanos = CASE WHEN spent_nanos + $5 < 0 THEN 0 ELSE spent_nanos + $5 END \
                      WHERE scope_kind = $1 AND scope_id = $2 AND model = $3 AND start_ms <= $4 AND end_ms > $4";
        let update = sqlx::query(update).bind(kind.word()).bind(scope).bind(model);
        update.bind(at_ms as i64).bind(nanos).execute(&mut *transaction).await?;
        transaction.commit().await?;
        Ok(true)
    }

    /// Sets what a scope has spent since the beginning; its windows of the present change by the same amount. With 0 all of them
    /// are as new.
    pub async fn set_spent(
        &self,
        id: &str,
        kind: ScopeKind,
        scope: &str,
        nanos: u64,
        at_ms: u64,
    ) -> Result<bool, StoreError> {
        self.flush().await;
        let spent = self.totals(kind, &[scope]).await?.remove(scope).unwrap_or(0);
        self.adjust(id, kind, scope, "", nanos as i64 - spent as i64, at_ms).await
    }
}

impl Database {
    /// See [`Meter::totals`]. What is still in a journal is not in it.
    pub async fn totals(&self, kind: ScopeKind, ids: &[&str]) -> Result<HashMap<String, u64>, StoreError> {
        let mut totals = HashMap::new();
        for ids in ids.chunks(AT_ONCE) {
            let places: Vec<String> = (1..=ids.len()).map(|place| format!("${place}")).collect();
            let select = format!("SELECT scope_id, spent_nanos FROM balances WHERE pot IN ({})", places.join(", "));
            let pots = ids.iter().map(|id| name(&total(kind, id)));
            let query = pots.fold(sqlx::query_as(AssertSqlSafe(select)), |query, pot| query.bind(pot));
            let rows: Vec<(String, i64)> = query.fetch_all(&self.pool).await?;
            totals.extend(rows.into_iter().map(|(id, spent)| (id, spent.max(0) as u64)));
            // What was brought in before the first request: its row opens with it.
            let unopened: Vec<&str> = ids.iter().copied().filter(|id| !totals.contains_key(*id)).collect();
            totals.extend(self.adjusted(kind, &unopened).await?);
        }
        Ok(totals)
    }

    async fn adjusted(&self, kind: ScopeKind, ids: &[&str]) -> Result<HashMap<String, u64>, StoreError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let places: Vec<String> = (2..=ids.len() + 1).map(|place| format!("${place}")).collect();
        let select = format!(
            "SELECT scope_id, CAST(SUM(nanos) AS BIGINT) FROM adjustments \
             WHERE scope_kind = $1 AND model = '' AND scope_id IN ({}) GROUP BY scope_id",
            places.join(", ")
        );
        let query = sqlx::query_as(AssertSqlSafe(select)).bind(kind.word());
        let query = ids.iter().fold(query, |query, id| query.bind(id.to_string()));
        let rows: Vec<(String, i64)> = query.fetch_all(&self.pool).await?;
        Ok(rows.into_iter().map(|(id, spent)| (id, spent.max(0) as u64)).collect())
    }
}

fn total(kind: ScopeKind, id: &str) -> PotKey {
    PotKey { kind, id: id.into(), model: "".into(), window: Window::Total, start_ms: 0 }
}
