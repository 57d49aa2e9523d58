//! Callers by their key, kept until something about them changes.
//!
//! A request whose key is known asks no database, so it goes on while the database is away. What changes, here or at another
//! replica, is seen with [`Callers::catch_up`], which is to be called every second.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use moka::sync::Cache;
use tokio::sync::Mutex;
use tokio::time::Instant;
use tollgate_policy::access::ScopeKind;

use crate::chain::Chain;
use crate::changes::Changed;
use crate::database::{Database, StoreError};
use crate::entity::{EntityKind, VirtualKey};

const MAX_CALLERS: u64 = 100_000;
/// Keys that are nobody's are remembered for a short time only, and apart: whoever guesses keys must not drive out those in use.
const MAX_UNKNOWN: u64 = 10_000;
const UNKNOWN_FOR: Duration = Duration::from_secs(5);
/// So long callers are known after the database was last heard from: longer than a restart or a failover of it takes, and short
/// enough that a key that was revoked meanwhile is not good for a day.
const KNOWN_FOR: Duration = Duration::from_secs(60 * 60);
/// So many keys are looked for at the same time, at most.
const TURNS: usize = 64;

pub struct Callers {
    database: Database,
    known: Cache<String, Arc<Chain>>,
    unknown: Cache<String, ()>,
    /// One look at the database at a time for each key: what a hundred requests ask for at once is read once. When the last look
    /// failed.
    turns: [Mutex<Option<Instant>>; TURNS],
    /// How many news were heard. Who read a caller before the last of them does not know whether it still is so.
    heard: RwLock<u64>,
    /// The last change that was heard of.
    seq: Mutex<i64>,
    /// When the database was last asked for changes and answered.
    answered: RwLock<Instant>,
}

impl Callers {
    pub async fn new(database: Database) -> Result<Callers, StoreError> {
        let seq = Mutex::new(database.newest_change().await?);
        let unknown = Cache::builder().max_capacity(MAX_UNKNOWN).time_to_live(UNKNOWN_FOR).build();
        let known = Cache::builder().max_capacity(MAX_CALLERS).build();
        let answered = RwLock::new(Instant::now());
        let turns = std::array::from_fn(|_| Mutex::default());
        Ok(Callers { database, known, unknown, turns, heard: RwLock::new(0), seq, answered })
    }

    /// Whom the key with this hash stands for; `None`: nobody.
    ///
    /// # Errors
    /// The database was needed and did not answer.
    pub async fn find(&self, hash: &str) -> Result<Option<Arc<Chain>>, StoreError> {
        if let Some(found) = self.remembered(hash) {
            return Ok(found);
        }
        let asked = Instant::now();
        let mut failed = self.turns[turn(hash)].lock().await;
        if let Some(found) = self.remembered(hash) {
            return Ok(found);
        }
        // Who waited for a look that failed does not wait for another one.
        if failed.is_some_and(|at| at >= asked) {
            return Err(StoreError::Away(sqlx::Error::PoolTimedOut));
        }
        let found = self.look(hash).await;
        if let Err(StoreError::Away(_)) = found {
            *failed = Some(Instant::now());
        }
        found
    }

    fn remembered(&self, hash: &str) -> Option<Option<Arc<Chain>>> {
        if let Some(chain) = self.known.get(hash).filter(|_| self.is_fresh()) {
            return Some(Some(chain));
        }
        self.unknown.contains_key(hash).then_some(None)
    }

    async fn look(&self, hash: &str) -> Result<Option<Arc<Chain>>, StoreError> {
        let heard = self.heard();
        let chain = match self.database.resolve(hash).await? {
            Some(chain) => Some(self.with_spent(chain).await?),
            None => None,
        };
        self.keep(heard, || match &chain {
            Some(chain) => self.known.insert(hash.to_string(), chain.clone()),
            None => self.unknown.insert(hash.to_string(), ()),
        });
        Ok(chain)
    }

    /// The same of a key that is stored nowhere, kept under `name`: what is equal has one name, and no hash is one.
    ///
    /// # Errors
    /// The database was needed and did not answer.
    pub async fn find_unstored(&self, name: &str, key: &VirtualKey) -> Result<Arc<Chain>, StoreError> {
        if let Some(chain) = self.known.get(name).filter(|_| self.is_fresh()) {
            return Ok(chain);
        }
        let heard = self.heard();
        let chain = self.with_spent(self.database.resolve_unstored(key).await?).await?;
        self.keep(heard, || self.known.insert(name.to_string(), chain.clone()));
        Ok(chain)
    }

    async fn with_spent(&self, chain: Chain) -> Result<Arc<Chain>, StoreError> {
        let totals = self.database.totals(ScopeKind::Key, &[chain.key.account()]).await?;
        totals.values().for_each(|nanos| chain.spent.add(*nanos));
        Ok(Arc::new(chain))
    }

    fn heard(&self) -> u64 {
        *self.heard.read().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what was read, if no news have come since then.
    fn keep(&self, heard_before: u64, keep: impl FnOnce()) {
        // Held, so that none come between the look and the keeping.
        let heard = self.heard.read().unwrap_or_else(PoisonError::into_inner);
        if *heard == heard_before {
            keep();
        }
    }

    /// Asks what changed, and forgets the callers that it concerns. What was committed before is seen from here on.
    pub async fn catch_up(&self) -> Result<Changed, StoreError> {
        let mut seq = self.seq.lock().await;
        let mut all = Vec::new();
        loop {
            let asked = Instant::now();
            let news = self.database.changes_since(*seq).await?;
            *self.answered.write().unwrap_or_else(PoisonError::into_inner) = asked;
            let last = *seq == news.seq;
            *seq = news.seq;
            match news.what {
                Changed::Everything => {
                    self.forget_all();
                    return Ok(Changed::Everything);
                }
                Changed::These(these) => {
                    self.forget(&these);
                    all.extend(these);
                }
            }
            if last {
                return Ok(Changed::These(all));
            }
        }
    }

    fn is_fresh(&self) -> bool {
        self.answered.read().unwrap_or_else(PoisonError::into_inner).elapsed() < KNOWN_FOR
    }

    fn forget(&self, these: &[(EntityKind, String)]) {
        if these.is_empty() {
            return;
        }
        let mut heard = self.heard.write().unwrap_or_else(PoisonError::into_inner);
        *heard += 1;
        for (kind, id) in these {
            if *kind == EntityKind::Key {
                self.known.invalidate(id);
                self.unknown.invalidate(id);
            }
        }
        let others: Vec<(EntityKind, String)> =
            these.iter().filter(|(kind, _)| concerns_several(*kind)).cloned().collect();
        if !others.is_empty() {
            let concerned: Vec<Arc<String>> = self
                .known
                .iter()
                .filter(|(_, chain)| others.iter().any(|(kind, id)| chain.depends_on(*kind, id)))
                .map(|(hash, _)| hash)
                .collect();
            concerned.iter().for_each(|hash| self.known.invalidate(hash.as_str()));
        }
    }

    fn forget_all(&self) {
        let mut heard = self.heard.write().unwrap_or_else(PoisonError::into_inner);
        *heard += 1;
        self.known.invalidate_all();
        self.unknown.invalidate_all();
    }
}

fn turn(hash: &str) -> usize {
    let mut hasher = DefaultHasher::new();
    hash.hash(&mut hasher);
    (hasher.finish() % TURNS as u64) as usize
}

/// Whether callers have to be looked through for it. A key's is found by its hash.
fn concerns_several(kind: EntityKind) -> bool {
    match kind {
        EntityKind::Team
        | EntityKind::User
        | EntityKind::Organisation
        | EntityKind::Membership
        | EntityKind::Budget
        | EntityKind::AccessGroup => true,
        EntityKind::Key | EntityKind::OrganisationMember | EntityKind::EndUser | EntityKind::Model => false,
    }
}
