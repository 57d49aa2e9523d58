//! Who used what by which way: the columns that rows have in common, kept once.

use std::collections::BTreeMap;
use std::collections::HashSet;

use sha2::{Digest, Sha256};
use sqlx::AnyConnection;

use super::{Charge, Entry, Payer};
use crate::database::StoreError;

/// Parties that are remembered to be in the database; when there are more, all are forgotten and written again.
const MOST: usize = 100_000;

#[derive(Default)]
pub struct Parties {
    known: HashSet<i64>,
}

fn columns<'a>(payer: &'a Payer, model: &'a str, charge: &'a Charge) -> [&'a str; 9] {
    [
        &payer.key_hash,
        &payer.team_id,
        &payer.user_id,
        &payer.organisation_id,
        &payer.end_user,
        model,
        &charge.deployment,
        &charge.provider,
        &charge.upstream_model,
    ]
}

/// The same at every replica and for ever. Among a million parties two share one with a chance of 1 to 37 million.
pub fn id(payer: &Payer, model: &str, charge: &Charge) -> i64 {
    let mut hash = Sha256::new();
    for column in columns(payer, model, charge) {
        hash.update((column.len() as u64).to_le_bytes());
        hash.update(column.as_bytes());
    }
    let hash = hash.finalize();
    i64::from_le_bytes(std::array::from_fn(|i| hash[i]))
}

impl Parties {
    /// Writes those that are not known to be there. Returns them, to be told to [`Parties::learn`] after the commit.
    pub async fn write(&self, connection: &mut AnyConnection, entries: &[&Entry]) -> Result<Vec<i64>, StoreError> {
        // In order, so that two replicas never wait for each other.
        let new: BTreeMap<i64, [&str; 9]> = entries
            .iter()
            .map(|Entry { begun, charge }| (&begun.payer, begun.model.as_str(), charge))
            .map(|(payer, model, charge)| (id(payer, model, charge), columns(payer, model, charge)))
            .filter(|(id, _)| !self.known.contains(id))
            .collect();
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
