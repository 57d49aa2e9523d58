//! How long the database is waited for, and what its errors mean for money.

use std::time::Duration;

use tokio::time::timeout;

use crate::database::StoreError;

/// What the database does not answer in this time it does not answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Another gateway was faster, which does not happen often in a row.
pub const TRIES: usize = 4;

/// Does the work, once more when another transaction was in its way. A macro, as the work borrows anew each time.
macro_rules! patiently {
    ($work:expr) => {
        $crate::meter::patience::within(async {
            let mut tries = 1;
            loop {
                match $work.await {
                    Err(error)
                        if tries < $crate::meter::patience::TRIES && $crate::meter::patience::is_conflict(&error) =>
                    {
                        tries += 1
                    }
                    done => break done,
                }
            }
        })
        .await
    };
}
pub(super) use patiently;

pub async fn within<T>(work: impl Future<Output = Result<T, StoreError>>) -> Result<T, StoreError> {
    timeout(PATIENCE, work).await.unwrap_or(Err(StoreError::Away(sqlx::Error::PoolTimedOut)))
}

pub fn is_conflict(error: &StoreError) -> bool {
    matches!(error, StoreError::Refused(error) if means(error, CONFLICT))
}

/// What was to be written is at fault: it would be refused for ever.
pub fn is_about_data(error: &StoreError) -> bool {
    matches!(error, StoreError::Refused(error) if means(error, DATA))
}

/// The beginnings of PostgreSQL's codes (of five characters), and SQLite's primary codes.
struct Codes {
    postgres: &'static [&'static str],
    sqlite: &'static [u32],
}

/// 40: transaction rollback, deadlocks included. 5: busy, 6: locked.
const CONFLICT: Codes = Codes { postgres: &["40"], sqlite: &[5, 6] };
/// 22: data exception, 23: constraint. 18: too big, 19: constraint, 20: mismatch.
const DATA: Codes = Codes { postgres: &["22", "23"], sqlite: &[18, 19, 20] };

fn means(error: &sqlx::Error, codes: Codes) -> bool {
    let code = error.as_database_error().and_then(|told| told.code());
    code.is_some_and(|code| match (code.len(), code.parse::<u32>()) {
        (5, _) => codes.postgres.iter().any(|class| code.starts_with(class)),
        // The higher bytes of SQLite's codes give details.
        (_, Ok(code)) => codes.sqlite.contains(&(code & 0xff)),
        _ => false,
    })
}
