//! What changed: the feed that replicas read to forget what they hold, and the audit trail.

use serde::Serialize;
use serde_json::Value;
use sqlx::Row;

use crate::access::{Action, Author, signed, unsigned};
use crate::database::{Database, StoreError};
use crate::entity::EntityKind;

/// So many changes are told at once; the next question brings the next.
const MOST_AT_ONCE: i64 = 1000;

/// What happened since the number that was asked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct News {
    /// What to ask with next time.
    pub seq: i64,
    pub what: Changed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Oldest first.
    These(Vec<(EntityKind, String)>),
    /// The answer was cleaned away meanwhile: everything may be different.
    Everything,
}

/// An entry of the audit trail.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditEntry {
    pub seq: i64,
    /// Milliseconds since 1970.
    pub at_ms: u64,
    pub by: Author,
    pub action: Action,
    pub kind: EntityKind,
    pub id: String,
    /// The documents, without secrets.
    pub before: Option<Value>,
    pub after: Option<Value>,
}

/// Which entries, newest first.
#[derive(Clone, Debug, Default)]
pub struct AuditQuery {
    pub kind: Option<EntityKind>,
    pub id: Option<String>,
    /// Older than this one: the last `seq` of the page before.
    pub before_seq: Option<i64>,
    /// At most 1000.
    pub size: u32,
}

impl Database {
    /// Where a replica begins to listen: everything that it reads after this is new enough.
    pub async fn newest_change(&self) -> Result<i64, StoreError> {
        Ok(sqlx::query_scalar("SELECT last FROM change_counter WHERE one = 1").fetch_one(&self.pool).await?)
    }

    pub async fn changes_since(&self, seq: i64) -> Result<News, StoreError> {
        let rows = sqlx::query("SELECT seq, kind, id FROM changes WHERE seq > $1 ORDER BY seq LIMIT $2")
            .bind(seq)
            .bind(MOST_AT_ONCE)
            .fetch_all(&self.pool)
            .await?;
        // Read after the changes: what was cleaned away before them shows here.
        let counter =
            sqlx::query("SELECT last, forgotten FROM change_counter WHERE one = 1").fetch_one(&self.pool).await?;
        let (last, forgotten): (i64, i64) = (counter.try_get(0)?, counter.try_get(1)?);
        // A number from the future is one of a database that was restored meanwhile.
        if seq < forgotten || seq > last {
            return Ok(News { seq: last, what: Changed::Everything });
        }
        let mut news = News { seq, what: Changed::Everything };
        let mut these = Vec::with_capacity(rows.len());
        for row in rows {
            news.seq = row.try_get(0)?;
            let kind: String = row.try_get(1)?;
            // A kind that this version does not know is of no concern to it.
            if let Some(kind) = EntityKind::from_word(&kind) {
                these.push((kind, row.try_get(2)?));
            }
        }
        news.what = Changed::These(these);
        Ok(news)
    }

    pub async fn audit(&self, query: &AuditQuery) -> Result<Vec<AuditEntry>, StoreError> {
        let rows = sqlx::query(
            "SELECT seq, at_ms, action, kind, id, by_key, by_user, by_role, old_value, new_value FROM changes
             WHERE seq < $1 AND ($2 = '' OR kind = $2) AND ($3 = '' OR id = $3) ORDER BY seq DESC LIMIT $4",
        )
        .bind(query.before_seq.unwrap_or(i64::MAX))
        .bind(query.kind.map_or("", EntityKind::word))
        .bind(query.id.clone().unwrap_or_default())
        .bind(i64::from(query.size.min(1000)))
        .fetch_all(&self.pool)
        .await?;
        rows.iter().filter_map(|row| entry(row).transpose()).collect()
    }

    /// Removes entries from before the time, and returns how many.
    pub async fn forget_changes(&self, before_ms: u64) -> Result<u64, StoreError> {
        let mut transaction = self.pool.begin().await?;
        sqlx::query(
            "UPDATE change_counter SET forgotten = COALESCE((SELECT MAX(seq) FROM changes WHERE at_ms < $1), forgotten)
             WHERE one = 1",
        )
        .bind(signed(before_ms))
        .execute(&mut *transaction)
        .await?;
        // Clocks of replicas differ, so a change may have an earlier time than one before it.
        let forgotten =
            sqlx::query("DELETE FROM changes WHERE seq <= (SELECT forgotten FROM change_counter WHERE one = 1)")
                .execute(&mut *transaction)
                .await?;
        transaction.commit().await?;
        Ok(forgotten.rows_affected())
    }
}

/// `None`: of a kind that this version does not know.
fn entry(row: &sqlx::any::AnyRow) -> Result<Option<AuditEntry>, StoreError> {
    let action = Action::from_word(&row.try_get::<String, _>(2)?);
    let kind = EntityKind::from_word(&row.try_get::<String, _>(3)?);
    let (Some(action), Some(kind)) = (action, kind) else { return Ok(None) };
    let role: Option<String> = row.try_get(7)?;
    let value = |text: Option<String>| text.map(|text| serde_json::from_str(&text)).transpose();
    Ok(Some(AuditEntry {
        seq: row.try_get(0)?,
        at_ms: unsigned(row.try_get(1)?),
        by: Author {
            key: row.try_get(5)?,
            user: row.try_get(6)?,
            role: role.map(|role| serde_json::from_value(Value::String(role))).transpose()?,
        },
        action,
        kind,
        id: row.try_get(4)?,
        before: value(row.try_get(8)?)?,
        after: value(row.try_get(9)?)?,
    }))
}
