//! Rests that replicas tell each other of, by way of Redis.
//!
//! No request waits for Redis: what happens here is put down, and a task of its own tells it and asks what others told. It asks
//! every second rather than being told by Redis, since one way then serves for news, for what a replica missed while
//! Redis was away, and for a replica that starts later; a rest that becomes known a second late costs one failed attempt at most.

mod address;
mod link;
mod wire;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{sleep, timeout};
use tollgate_policy::health::Rest;

pub use address::{Address, Parts};
use link::Link;
use wire::Kind;

/// How often the others' rests are asked for.
const ASK_EVERY: Duration = Duration::from_secs(1);
/// Pauses while Redis is away: the first, doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// A process that shares rests. What rests, a deployment or a credential, has a name that is the same at every replica.
pub trait Replica: Send + Sync {
    /// Where the replicas meet now; `None`: nothing is shared.
    fn address(&self) -> Option<Address>;
    /// The clock of [`Rest::until_ms`].
    fn now_ms(&self) -> u64;
    fn names(&self) -> Vec<String>;
    /// Another replica sent it to rest.
    fn told(&self, name: &str, rest: Rest);
    /// It answered another replica: what was guessed of it is over.
    fn told_over(&self, name: &str);
}

/// What this replica found and has to tell.
#[derive(Default)]
pub struct SharedRests {
    own: Mutex<BTreeMap<Key, Own>>,
    news: Notify,
}

#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Key {
    name: String,
    kind: Kind,
}

/// Kept as long as the rest is in force: a Redis that lost its data is told again.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Own {
    /// What was guessed before is over, which is told first.
    over: bool,
    rest: Option<Rest>,
    told: bool,
}

impl SharedRests {
    /// A rest began here.
    pub fn begun(&self, name: &str, rest: &Rest) {
        let key = Key { name: name.to_string(), kind: Kind::of(rest.reason) };
        let mut own = self.lock();
        let own = own.entry(key).or_default();
        if own.rest.as_ref().is_none_or(|known| known.until_ms < rest.until_ms) {
            own.rest = Some(rest.clone());
            own.told = false;
            self.news.notify_one();
        }
    }

    /// It answered: what was guessed of it is over.
    pub fn over(&self, name: &str) {
        let key = Key { name: name.to_string(), kind: Kind::Guessed };
        self.lock().insert(key, Own { over: true, rest: None, told: false });
        self.news.notify_one();
    }

    /// What has to be told; what is past is forgotten.
    fn untold(&self, now_ms: u64) -> Vec<(Key, Own)> {
        let mut own = self.lock();
        for own in own.values_mut() {
            own.rest = own.rest.take().filter(|rest| rest.until_ms > now_ms);
        }
        own.retain(|_, own| own.over || own.rest.is_some());
        own.iter().filter(|(_, own)| !own.told).map(|(key, own)| (key.clone(), own.clone())).collect()
    }

    /// Unless it changed meanwhile.
    fn told(&self, news: &[(Key, Own)]) {
        let mut own = self.lock();
        for (key, told) in news {
            if let Some(own) = own.get_mut(key).filter(|own| *own == told) {
                *own = Own { over: false, rest: told.rest.clone(), told: true };
            }
        }
    }

    fn tell_all_again(&self) {
        self.lock().values_mut().for_each(|own| own.told = false);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Key, Own>> {
        self.own.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Shares rests for as long as it is polled. While Redis is away each replica keeps what it knows, and goes on by itself.
pub async fn share(rests: &SharedRests, replica: &dyn Replica) {
    let me = format!("{:016x}", RandomState::new().hash_one(0));
    let mut link: Option<Link> = None;
    let mut there: Option<bool> = None;
    let mut pause = FIRST_PAUSE;
    loop {
        let Some(address) = replica.address() else {
            (link, there) = (None, None);
            sleep(ASK_EVERY).await;
            continue;
        };
        match round(rests, replica, &me, &address, &mut link).await {
            Ok(()) => {
                if there != Some(true) {
                    tracing::info!(redis = %address, "rests of deployments are shared with the other replicas");
                }
                (there, pause) = (Some(true), FIRST_PAUSE);
                let _ = timeout(ASK_EVERY, rests.news.notified()).await;
            }
            Err(error) => {
                if there != Some(false) {
                    tracing::warn!(redis = %address, %error, "Redis is away: rests of deployments are not shared until it is back");
                }
                (link, there) = (None, Some(false));
                sleep(pause).await;
                pause = (pause * 2).min(LONGEST_PAUSE);
            }
        }
    }
}

/// Tells what is new here, and asks what the others told.
async fn round(
    rests: &SharedRests,
    replica: &dyn Replica,
    me: &str,
    address: &Address,
    link: &mut Option<Link>,
) -> Result<(), redis::RedisError> {
    let link = match link {
        Some(link) if link.leads_to(address) => link,
        _ => {
            // It may have forgotten everything.
            rests.tell_all_again();
            link.insert(Link::open(address, me, replica).await?)
        }
    };
    let news = rests.untold(replica.now_ms());
    if !news.is_empty() {
        link.tell(&news, replica.now_ms()).await?;
        rests.told(&news);
    }
    link.ask(replica).await
}

#[cfg(test)]
mod tests;
