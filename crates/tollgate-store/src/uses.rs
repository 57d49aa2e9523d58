//! When keys were last used: put down in memory by every request, and brought to the database now and then.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::database::{Database, StoreError};

/// Keys in one transaction.
const AT_ONCE: usize = 200;

/// By hash, in milliseconds since 1970: what is not in the database yet.
#[derive(Debug, Default)]
pub struct Uses(Mutex<HashMap<String, u64>>);

impl Uses {
    pub fn note(&self, hash: &str, at_ms: u64) {
        let mut uses = self.lock();
        match uses.get_mut(hash) {
            Some(last) => *last = at_ms.max(*last),
            None => _ = uses.insert(hash.to_string(), at_ms),
        }
    }

    /// `None`: the database knows it.
    pub fn last(&self, hash: &str) -> Option<u64> {
        self.lock().get(hash).copied()
    }

    /// One row for each key that was used since the last time. What cannot be written stays for the next.
    pub async fn write(&self, database: &Database) -> Result<(), StoreError> {
        let used: Vec<(String, u64)> = self.lock().iter().map(|(hash, at_ms)| (hash.clone(), *at_ms)).collect();
        for used in used.chunks(AT_ONCE) {
            database.touch(used).await?;
            let mut uses = self.lock();
            for (hash, at_ms) in used {
                if uses.get(hash) == Some(at_ms) {
                    uses.remove(hash);
                }
            }
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
