//! The first row of a pot: it opens with what was spent in its window before.

use std::ops::Range;

use jiff::tz::TimeZone;
use sqlx::AnyConnection;
use tollgate_policy::access::ScopeKind;
use tollgate_policy::budget::PotKey;
use tollgate_policy::glob::Glob;
use tollgate_policy::window::hour_of;

use crate::database::StoreError;

const HOUR_MS: u64 = 3_600_000;

/// What the database calls a pot.
pub fn name(key: &PotKey) -> String {
    serde_json::json!([key.kind.word(), key.id, key.model, key.window.word(), key.start_ms]).to_string()
}

/// As a number of the database; for ever is its largest.
pub fn end(end_ms: Option<u64>) -> i64 {
    end_ms.map_or(i64::MAX, |end_ms| end_ms as i64)
}

/// Makes the pot's row if there is none.
pub async fn open(
    connection: &mut AnyConnection,
    key: &PotKey,
    end_ms: Option<u64>,
    zone: &TimeZone,
) -> Result<(), StoreError> {
    let insert = "INSERT INTO balances (pot, scope_kind, scope_id, model, period, start_ms, end_ms) \
                  VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (pot) DO NOTHING";
    let pot = name(key);
    let made = sqlx::query(insert)
        .bind(&pot)
        .bind(key.kind.word())
        .bind(key.id.as_ref())
        .bind(key.model.as_ref())
        .bind(key.window.word())
        .bind(key.start_ms as i64)
        .bind(end(end_ms))
        .execute(&mut *connection)
        .await?;
    if made.rows_affected() == 1 {
        let spent = spent_before(connection, key, end_ms, zone).await?;
        let update = "UPDATE balances SET spent_nanos = spent_nanos + $2 WHERE pot = $1";
        sqlx::query(update).bind(&pot).bind(spent).execute(&mut *connection).await?;
    }
    Ok(())
}

/// From the hours, and where the window begins or ends within an hour from the ledger's rows.
pub async fn spent_before(
    connection: &mut AnyConnection,
    key: &PotKey,
    end_ms: Option<u64>,
    zone: &TimeZone,
) -> Result<i64, StoreError> {
    let (start, end) = (key.start_ms as i64, end(end_ms));
    let adjusted = "SELECT CAST(COALESCE(SUM(nanos), 0) AS BIGINT) FROM adjustments \
                    WHERE scope_kind = $1 AND scope_id = $2 AND model = $3 AND at_ms >= $4 AND at_ms < $5";
    let (adjusted,): (i64,) = sqlx::query_as(adjusted)
        .bind(key.kind.word())
        .bind(key.id.as_ref())
        .bind(key.model.as_ref())
        .bind(start)
        .bind(end)
        .fetch_one(&mut *connection)
        .await?;
    let first = match hour_of(key.start_ms, zone) {
        hour if hour == key.start_ms => start,
        hour => (hour + HOUR_MS) as i64,
    };
    let last = end_ms.map_or(end, |end_ms| hour_of(end_ms, zone) as i64);
    let mut spent = 0;
    if first < last {
        spent += in_hours(connection, key, first..last).await?;
        spent += in_rows(connection, key, start..first).await?;
        spent += in_rows(connection, key, last..end).await?;
    } else {
        spent += in_rows(connection, key, start..end).await?;
    }
    Ok((spent + adjusted).max(0))
}

async fn in_hours(connection: &mut AnyConnection, key: &PotKey, within: Range<i64>) -> Result<i64, StoreError> {
    if key.kind == ScopeKind::Tag {
        let select = "SELECT CAST(COALESCE(SUM(cost_nanos), 0) AS BIGINT) FROM tag_hours \
                      WHERE tag = $1 AND hour_ms >= $2 AND hour_ms < $3";
        let select = sqlx::query_as(select).bind(key.id.as_ref()).bind(within.start).bind(within.end);
        let (spent,): (i64,) = select.fetch_one(connection).await?;
        return Ok(spent);
    }
    sum(connection, key, "usage_hours u", "u.hour_ms", within).await
}

/// A tag's rows are not looked for: what it spent within the hour in which its budget was made is not counted.
async fn in_rows(connection: &mut AnyConnection, key: &PotKey, within: Range<i64>) -> Result<i64, StoreError> {
    if within.is_empty() || key.kind == ScopeKind::Tag {
        return Ok(0);
    }
    sum(connection, key, "ledger u", "u.at_ms", within).await
}

async fn sum(
    connection: &mut AnyConnection,
    key: &PotKey,
    table: &str,
    time: &str,
    within: Range<i64>,
) -> Result<i64, StoreError> {
    let of = whose(key.kind);
    let select = format!(
        "SELECT p.model, CAST(SUM(u.cost_nanos) AS BIGINT) FROM {table} JOIN parties p ON p.id = u.party \
         WHERE {of} AND {time} >= $2 AND {time} < $3 GROUP BY p.model"
    );
    let rows: Vec<(String, i64)> = sqlx::query_as(sqlx::AssertSqlSafe(select))
        .bind(key.id.as_ref())
        .bind(within.start)
        .bind(within.end)
        .fetch_all(connection)
        .await?;
    let model = Glob::new(&key.model);
    Ok(rows.iter().filter(|(name, _)| key.model.is_empty() || model.matches(name)).map(|(_, nanos)| nanos).sum())
}

/// Which parties are of a scope, whose id is `$1`.
fn whose(kind: ScopeKind) -> &'static str {
    match kind {
        ScopeKind::Gateway => "CAST($1 AS TEXT) IS NOT NULL",
        ScopeKind::Organisation => "p.organisation_id = $1",
        ScopeKind::Team => "p.team_id = $1",
        ScopeKind::User => "p.user_id = $1",
        ScopeKind::Member => "p.team_id || '/' || p.user_id = $1",
        ScopeKind::Key => "p.key_hash = $1",
        ScopeKind::EndUser => "p.end_user = $1",
        ScopeKind::Deployment => "p.deployment = $1",
        ScopeKind::Provider => "p.provider = $1",
        // Tags have hours of their own.
        ScopeKind::Tag => "CAST($1 AS TEXT) IS NULL",
    }
}
