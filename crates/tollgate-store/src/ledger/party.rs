//! Who used what by which way: the columns that rows have in common, kept once.

use std::collections::{BTreeMap, HashMap, HashSet};

use sha2::{Digest, Sha256};
use sqlx::AnyConnection;

use super::Entry;
use crate::database::StoreError;

/// Parties that are remembered to be in the database; when there are more, all are forgotten and written again.
const MOST: usize = 100_000;

#[derive(Default)]
pub struct Parties {
    known: HashSet<i64>,
}

fn columns(Entry { begun, charge }: &Entry) -> [&str; 9] {
    let payer = &begun.payer;
    [
        &payer.key_hash,
        &payer.team_id,
        &payer.user_id,
        &payer.organisation_id,
        &payer.end_user,
        &begun.model,
        &charge.deployment,
        &charge.provider,
        &charge.upstream_model,
    ]
}

/// Each entry with its party's id. Most entries have a party that another has as well.
pub fn of(entries: &[Entry]) -> Vec<(&Entry, i64)> {
    let mut ids: HashMap<[&str; 9], i64> = HashMap::new();
    entries.iter().map(|entry| (entry, *ids.entry(columns(entry)).or_insert_with_key(id))).collect()
}

/// The same at every replica and for ever. Among a million parties two share one with a chance of 1 to 37 million.
fn id(columns: &[&str; 9]) -> i64 {
    let mut hash = Sha256::new();
    for column in columns {
        hash.update((column.len() as u64).to_le_bytes());
        hash.update(column.as_bytes());
    }
    let hash = hash.finalize();
    i64::from_le_bytes(std::array::from_fn(|i| hash[i]))
}

impl Parties {
    /// Writes those that are not known to be there. Returns them, to be told to [`Parties::learn`] after the commit.
    pub async fn write(&self, connection: &mut AnyConnection, rows: &[(&Entry, i64)]) -> Result<Vec<i64>, StoreError> {
        // In order, so that two replicas never wait for each other.
        let new = rows.iter().filter(|(_, id)| !self.known.contains(id));
        let new: BTreeMap<i64, [&str; 9]> = new.map(|(entry, id)| (*id, columns(entry))).collect();
        let insert = "INSERT INTO parties (id, key_hash, team_id, user_id, organisation_id, end_user, model, deployment, \
                      provider, upstream_model) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) ON CONFLICT (id) DO NOTHING";
        for (id, columns) in &new {
            let query =
                columns.iter().fold(sqlx::query(insert).bind(*id), |query, column| query.bind(column.to_string()));
            query.execute(&mut *connection).await?;
        }
        Ok(new.into_keys().collect())
    }

    pub fn learn(&mut self, written: Vec<i64>) {
        if self.known.len() + written.len() > MOST {
            self.known.clear();
        }
        self.known.extend(written);
    }
}
