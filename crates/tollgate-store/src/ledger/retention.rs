//! What is old goes: rows of the ledger when nobody wants them any more, balances of windows long past. Hours stay.

use std::time::Duration;

use crate::database::{Database, StoreError};

/// Small enough that nobody waits for it: some milliseconds.
const BATCH: i64 = 1000;
/// Balances of days, weeks and months can be looked at for more than a year, of shorter stretches for two days.
const KEEP_CALENDAR: Duration = Duration::from_secs(400 * 86_400);
const KEEP_STRETCHES: Duration = Duration::from_secs(2 * 86_400);

/// Deletes a batch of rows from before `before_ms`. Whether there may be more.
pub async fn forget_rows(database: &Database, before_ms: u64) -> Result<bool, StoreError> {
    let delete = "DELETE FROM ledger WHERE (at_ms, charge) IN \
                  (SELECT at_ms, charge FROM ledger WHERE at_ms < $1 ORDER BY at_ms, charge LIMIT $2)";
    let deleted = sqlx::query(delete).bind(before_ms as i64).bind(BATCH).execute(&database.pool).await?;
    Ok(deleted.rows_affected() == BATCH as u64)
}

/// Deletes balances that count nowhere any more.
pub async fn forget_balances(database: &Database, now_ms: u64) -> Result<(), StoreError> {
    let before = |time: Duration| now_ms.saturating_sub(time.as_millis() as u64) as i64;
    let select = "SELECT DISTINCT period FROM balances WHERE end_ms < $1";
    let periods: Vec<(String,)> = sqlx::query_as(select).bind(before(KEEP_STRETCHES)).fetch_all(&database.pool).await?;
    for (period,) in periods {
        let seconds = |text: &str| text.strip_suffix(" s").and_then(|text| text.parse().ok()).map(Duration::from_secs);
        let keep = match period.split_once(' ') {
            // A part of a rolling window counts for as long as the window is.
            Some(("rolling", length)) => KEEP_STRETCHES + seconds(length).unwrap_or(KEEP_CALENDAR),
            Some(_) => KEEP_STRETCHES,
            None => KEEP_CALENDAR,
        };
        let delete = "DELETE FROM balances WHERE period = $1 AND end_ms < $2 AND leased_nanos = 0";
        sqlx::query(delete).bind(period).bind(before(keep)).execute(&database.pool).await?;
    }
    Ok(())
}
