//! Answers that Responses clients refer to later, with a limit in time and size.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use moka::sync::Cache;
use serde::{Deserialize, Serialize};
use sqlx::{AssertSqlSafe, Row};
use std::sync::Arc;

use crate::access::{signed, unsigned};
use crate::database::{Database, StoreError};
use crate::vault::Vault;

/// One turn of a conversation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptResponse {
    pub id: String,
    /// Whom it was given to; empty: whoever has the master key.
    pub owner: String,
    pub created_at_ms: u64,
    /// The answer that it goes on from.
    pub previous: Option<String>,
    /// Its own input, a JSON list of items.
    pub input: String,
    /// The answer, a JSON object.
    pub response: String,
    /// A part of what it answers is with the provider alone: it can be read here, and only there gone on from.
    #[serde(default)]
    pub leans: bool,
    /// The ids by which its items are found. They are not read back.
    #[serde(skip)]
    pub items: Vec<String>,
}

impl KeptResponse {
    fn bytes(&self) -> usize {
        self.input.len() + self.response.len() + self.items.iter().map(String::len).sum::<usize>()
    }
}

/// What is kept of those in memory: most are referred to soon or never.
const MEMORY_BYTES: u64 = 64 << 20;

/// And of the places of items.
const MEMORY_OF_PLACES: u64 = 8 << 20;
/// Rows of one statement.
const AT_ONCE: usize = 200;

/// The latest, in memory: an answer can be referred to before the database has it.
#[derive(Clone)]
pub struct LatestResponses {
    answers: Cache<String, Arc<KeptResponse>>,
    /// By owner and item, the answer's id.
    places: Cache<(String, String), String>,
}

impl LatestResponses {
    pub fn new() -> LatestResponses {
        let weight = |_: &String, kept: &Arc<KeptResponse>| u32::try_from(kept.bytes()).unwrap_or(u32::MAX);
        let answers = Cache::builder().max_capacity(MEMORY_BYTES).weigher(weight).build();
        let weight = |(owner, item): &(String, String), id: &String| {
            u32::try_from(owner.len() + item.len() + id.len()).unwrap_or(u32::MAX)
        };
        LatestResponses { answers, places: Cache::builder().max_capacity(MEMORY_OF_PLACES).weigher(weight).build() }
    }

    pub fn put(&self, kept: Arc<KeptResponse>) {
        for item in &kept.items {
            self.places.insert((kept.owner.clone(), item.clone()), kept.id.clone());
        }
        self.answers.insert(kept.id.clone(), kept);
    }

    pub fn find(&self, id: &str) -> Option<Arc<KeptResponse>> {
        self.answers.get(id)
    }

    /// The id of the answer that has the item.
    pub fn place(&self, owner: &str, item: &str) -> Option<String> {
        self.places.get(&(owner.to_string(), item.to_string()))
    }

    pub fn forget(&self, id: &str) {
        self.answers.invalidate(id);
    }
}

impl Default for LatestResponses {
    fn default() -> Self {
        LatestResponses::new()
    }
}

/// What a sealed turn cannot be moved away from.
fn place(id: &str) -> String {
    format!("kept_responses/{id}")
}

impl Database {
    /// Keeps a turn, in place of one with the same id. `vault`: what it is encrypted with.
    pub async fn keep_response(&self, kept: &KeptResponse, vault: Option<&Vault>) -> Result<(), StoreError> {
        let clear = serde_json::to_string(kept)?;
        let body = match vault {
            Some(vault) => vault.seal(&place(&kept.id), clear.as_bytes())?,
            None => clear,
        };
        let question = "INSERT INTO kept_responses (id, owner, created_at, bytes, body) VALUES ($1, $2, $3, $4, $5)
            ON CONFLICT (id) DO UPDATE SET owner = excluded.owner, created_at = excluded.created_at,
                bytes = excluded.bytes, body = excluded.body";
        let bytes = body.len() + kept.items.iter().map(String::len).sum::<usize>();
        let mut transaction = self.pool.begin().await?;
        sqlx::query(question)
            .bind(&kept.id)
            .bind(&kept.owner)
            .bind(signed(kept.created_at_ms))
            .bind(signed(bytes as u64))
            .bind(body)
            .execute(&mut *transaction)
            .await?;
        // A statement must not write a row twice.
        let items: Vec<&String> = kept.items.iter().collect::<BTreeSet<_>>().into_iter().collect();
        for items in items.chunks(AT_ONCE) {
            let rows: Vec<String> = (3..items.len() + 3).map(|place| format!("($1, ${place}, $2)")).collect();
            let insert = format!(
                "INSERT INTO kept_items (owner, id, response) VALUES {}
                 ON CONFLICT (owner, id) DO UPDATE SET response = excluded.response",
                rows.join(", ")
            );
            let query = sqlx::query(AssertSqlSafe(insert)).bind(&kept.owner).bind(&kept.id);
            items.iter().fold(query, |query, item| query.bind(item.as_str())).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(())
    }

    /// In which of the owner's answers these items are, by item.
    pub async fn places_of_items(&self, owner: &str, items: &[&str]) -> Result<HashMap<String, String>, StoreError> {
        let mut found = HashMap::new();
        for items in items.chunks(AT_ONCE) {
            let places: Vec<String> = (2..items.len() + 2).map(|place| format!("${place}")).collect();
            let select =
                format!("SELECT id, response FROM kept_items WHERE owner = $1 AND id IN ({})", places.join(", "));
            let query = sqlx::query_as(AssertSqlSafe(select)).bind(owner.to_string());
            let query = items.iter().fold(query, |query, item| query.bind(item.to_string()));
            let rows: Vec<(String, String)> = query.fetch_all(&self.pool).await?;
            found.extend(rows);
        }
        Ok(found)
    }

    pub async fn kept_response(&self, id: &str, vault: Option<&Vault>) -> Result<Option<KeptResponse>, StoreError> {
        let row = sqlx::query("SELECT body FROM kept_responses WHERE id = $1").bind(id).fetch_optional(&self.pool);
        let Some(row) = row.await? else { return Ok(None) };
        let body: String = row.try_get(0)?;
        let clear = match vault.filter(|_| Vault::is_sealed(&body)) {
            Some(vault) => vault.open(&place(id), &body)?,
            None => body.into_bytes(),
        };
        Ok(Some(serde_json::from_slice(&clear)?))
    }

    /// True if there was one.
    pub async fn forget_response(&self, id: &str) -> Result<bool, StoreError> {
        let gone = sqlx::query("DELETE FROM kept_responses WHERE id = $1").bind(id).execute(&self.pool).await?;
        Ok(gone.rows_affected() > 0)
    }

    /// Removes those that are older than `time`, and the oldest beyond so many bytes. How many went.
    pub async fn shorten_responses(&self, now_ms: u64, time: Duration, most_bytes: u64) -> Result<u64, StoreError> {
        let kept_ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let oldest_ms = now_ms.saturating_sub(kept_ms);
        let aged = sqlx::query("DELETE FROM kept_responses WHERE created_at < $1").bind(signed(oldest_ms));
        let mut gone = aged.execute(&self.pool).await?.rows_affected();
        let total = "SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM kept_responses";
        let mut total = unsigned(sqlx::query_scalar(total).fetch_one(&self.pool).await?);
        while total > most_bytes {
            let oldest = "SELECT id, bytes FROM kept_responses ORDER BY created_at, id LIMIT 200";
            let rows = sqlx::query(oldest).fetch_all(&self.pool).await?;
            for row in &rows {
                if total <= most_bytes {
                    break;
                }
                let (id, bytes): (String, i64) = (row.try_get(0)?, row.try_get(1)?);
                gone += u64::from(self.forget_response(&id).await?);
                total = total.saturating_sub(unsigned(bytes));
            }
            if rows.is_empty() {
                break;
            }
        }
        Ok(gone)
    }
}
