//! Whom keys stand for, as the database last said.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use moka::sync::Cache;
use sha2::{Digest, Sha256};
use tollgate_store::chain::Chain;
use tollgate_store::changes::Changed;
use tollgate_store::database::{Database, StoreError};

/// Keys that are kept; the least used go first.
const MOST: u64 = 100_000;
/// Unknown keys that are kept, so that guessing does not reach the database every time.
const MOST_UNKNOWN: u64 = 10_000;
const UNKNOWN_FOR: Duration = Duration::from_secs(5);
/// So long keys work after the database was last heard from: longer than a restart or a failover of it takes, and short enough that
/// a key that was revoked meanwhile is not good for a day.
const LAST_FOR: Duration = Duration::from_secs(60 * 60);

pub struct Keys {
    known: Cache<Hash, Arc<Chain>>,
    unknown: Cache<Hash, ()>,
    /// Counts what was forgotten: an answer of the database from before is not kept.
    forgotten: AtomicU64,
    began: Instant,
    /// Milliseconds after `began`.
    heard: AtomicU64,
}

/// SHA-256 of a key.
pub type Hash = [u8; 32];

impl Default for Keys {
    fn default() -> Keys {
        Keys {
            known: Cache::new(MOST),
            unknown: Cache::builder().max_capacity(MOST_UNKNOWN).time_to_live(UNKNOWN_FOR).build(),
            forgotten: AtomicU64::new(0),
            began: Instant::now(),
            heard: AtomicU64::new(0),
        }
    }
}

pub fn hash(key: &str) -> Hash {
    Sha256::digest(key.as_bytes()).into()
}

impl Keys {
    /// Whom the key stands for; `None`: nobody.
    pub async fn find(&self, key: &str, database: &Database) -> Result<Option<Arc<Chain>>, StoreError> {
        let hash = hash(key);
        if let Some(chain) = self.known.get(&hash).filter(|_| self.is_fresh()) {
            return Ok(Some(chain));
        }
        if self.unknown.contains_key(&hash) {
            return Ok(None);
        }
        let before = self.forgotten.load(Ordering::Acquire);
        let found = database.resolve(&hex(&hash)).await?.map(Arc::new);
        match &found {
            Some(chain) if self.forgotten.load(Ordering::Acquire) == before => self.known.insert(hash, chain.clone()),
            Some(_) => {}
            None => self.unknown.insert(hash, ()),
        }
        Ok(found)
    }

    /// Forgets what may be different now.
    pub fn forget(&self, changed: &Changed) {
        let these = match changed {
            Changed::These(these) if these.is_empty() => return,
            Changed::These(these) => Some(these),
            Changed::Everything => None,
        };
        self.forgotten.fetch_add(1, Ordering::AcqRel);
        self.unknown.invalidate_all();
        let changes =
            |chain: &Chain| these.is_none_or(|these| these.iter().any(|(kind, id)| chain.depends_on(*kind, id)));
        let stale: Vec<Arc<Hash>> =
            self.known.iter().filter(|(_, chain)| changes(chain)).map(|(hash, _)| hash).collect();
        stale.iter().for_each(|hash| self.known.invalidate(hash.as_ref()));
    }

    /// The database told what changed up to now.
    pub fn heard(&self) {
        self.heard.store(self.elapsed_ms(), Ordering::Relaxed);
    }

    fn is_fresh(&self) -> bool {
        let silent_ms = self.elapsed_ms().saturating_sub(self.heard.load(Ordering::Relaxed));
        u128::from(silent_ms) < LAST_FOR.as_millis()
    }

    fn elapsed_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use tollgate_store::access::Author;
    use tollgate_store::entity::{EntityKind, VirtualKey};

    use super::*;

    async fn database(dir: &std::path::Path) -> Database {
        Database::sqlite(&dir.join("tollgate.db")).await.unwrap()
    }

    #[tokio::test]
    async fn a_key_is_read_once_and_again_when_it_changed() {
        let dir = tempfile::tempdir().unwrap();
        let (database, keys) = (database(dir.path()).await, Keys::default());
        assert!(keys.find("sk-1", &database).await.unwrap().is_none());
        let key = VirtualKey { hash: hex(&hash("sk-1")), ..VirtualKey::default() };
        database.create(key.clone(), &Author::default(), 1).await.unwrap();
        // It was unknown a moment ago.
        assert!(keys.find("sk-1", &database).await.unwrap().is_none());
        let change = |id: &str| Changed::These(vec![(EntityKind::Key, id.to_string())]);
        keys.forget(&change(&key.hash));
        assert!(keys.find("sk-1", &database).await.unwrap().is_some());

        let blocked = |key: &mut VirtualKey| key.grants.blocked = true;
        database.update(&key.hash, &Author::default(), 2, blocked).await.unwrap();
        assert!(!keys.find("sk-1", &database).await.unwrap().unwrap().key.grants.blocked);
        keys.forget(&change("another"));
        assert!(!keys.find("sk-1", &database).await.unwrap().unwrap().key.grants.blocked);
        keys.forget(&change(&key.hash));
        assert!(keys.find("sk-1", &database).await.unwrap().unwrap().key.grants.blocked);
    }

    #[tokio::test]
    async fn a_known_key_works_while_the_database_is_away() {
        let dir = tempfile::tempdir().unwrap();
        let (database, keys) = (database(dir.path()).await, Keys::default());
        let key = VirtualKey { hash: hex(&hash("sk-1")), ..VirtualKey::default() };
        database.create(key, &Author::default(), 1).await.unwrap();
        assert!(keys.find("sk-1", &database).await.unwrap().is_some());
        database.pool.close().await;
        assert!(keys.find("sk-1", &database).await.unwrap().is_some());
        assert!(matches!(keys.find("sk-2", &database).await, Err(StoreError::Away(_))));
    }
}
