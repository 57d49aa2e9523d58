//! Answers that a client may have lost, kept for when it asks again; and who is being answered at the moment.
//!
//! Everything is in memory and bounded: finished answers by their bytes and their age, those being taken down by their bytes. A
//! replica knows its own.

use std::collections::HashMap;
use std::collections::hash_map::{Entry, VacantEntry};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use moka::policy::EvictionPolicy;
use moka::sync::Cache;
use tokio::sync::watch;

#[cfg(test)]
mod tests;

/// All together: 500 answers of 128 KiB.
pub const MOST_BYTES: usize = 64 * 1024 * 1024;
/// A stream of some thousand tokens. Longer answers are not kept.
pub const LONGEST: usize = 1024 * 1024;
/// SDKs wait up to ten minutes for an answer before they ask again.
pub const KEPT_FOR: Duration = Duration::from_secs(11 * 60);
/// What an answer takes beside its bytes: bounds how many there are.
const OVERHEAD: usize = 4 * 1024;

/// SHA-256 of what was asked.
pub type Digest = [u8; 32];

/// Under what an answer is kept.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Name {
    /// Nobody gets another's answer.
    pub caller: u64,
    pub request: Request,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Request {
    /// The client has a name for it.
    Key(String),
    /// What was asked.
    Digest(Digest),
}

#[derive(Debug)]
pub struct Kept {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
    asked: Digest,
}

#[derive(Debug)]
pub enum Begun {
    /// Go on, and hand in the answer where there is a ticket for it.
    Go(Option<Ticket>),
    Again(Arc<Kept>),
    /// The same is being answered; when that is over, begin anew.
    Running(watch::Receiver<()>),
    /// The name was given to something else.
    Differs,
}

#[derive(Clone, Debug)]
enum Found {
    Answer(Arc<Kept>),
    /// The same was asked by several requests: whose answer a retry wants is not known.
    Several,
}

#[derive(Clone, Debug)]
pub struct Answers(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    kept: Cache<Name, Found>,
    running: Mutex<HashMap<Name, Running>>,
    /// Bytes of answers that are being taken down.
    open: AtomicUsize,
    most_bytes: usize,
}

#[derive(Debug)]
struct Running {
    asked: Digest,
    over: watch::Receiver<()>,
}

/// Whoever has it is the one who answers. Dropped, the next may.
#[derive(Debug)]
pub struct Ticket {
    answers: Answers,
    name: Name,
    asked: Digest,
    taken: Vec<Bytes>,
    bytes: usize,
    /// Its answer is too long to be kept.
    given_up: bool,
    /// Its end tells those who wait.
    _over: watch::Sender<()>,
}

impl Default for Answers {
    fn default() -> Answers {
        Answers::new(MOST_BYTES)
    }
}

impl Answers {
    pub fn new(most_bytes: usize) -> Answers {
        let weight = |_: &Name, found: &Found| match found {
            Found::Answer(kept) => u32::try_from(kept.body.len() + OVERHEAD).unwrap_or(u32::MAX),
            Found::Several => OVERHEAD as u32,
        };
        let kept = Cache::builder()
            .weigher(weight)
            .max_capacity(most_bytes as u64)
            .time_to_live(KEPT_FOR)
            .eviction_policy(EvictionPolicy::lru())
            .build();
        let (running, open) = (Mutex::default(), AtomicUsize::new(0));
        Answers(Arc::new(Shared { kept, running, open, most_bytes }))
    }

    /// A request that may have been sent before.
    pub fn again(&self, name: &Name, asked: Digest) -> Begun {
        // Held over both looks: an answer is kept before it stops running.
        let mut running = self.running();
        match self.0.kept.get(name) {
            Some(Found::Answer(kept)) if kept.asked == asked => return Begun::Again(kept),
            Some(Found::Answer(_)) => return Begun::Differs,
            Some(Found::Several) => return Begun::Go(None),
            None => {}
        }
        match running.entry(name.clone()) {
            Entry::Occupied(entry) if entry.get().asked != asked => Begun::Differs,
            Entry::Occupied(entry) => Begun::Running(entry.get().over.clone()),
            Entry::Vacant(entry) => Begun::Go(Some(self.ticket(entry, asked))),
        }
    }

    /// A request that is sent for the first time.
    pub fn first(&self, name: &Name, asked: Digest) -> Option<Ticket> {
        let mut running = self.running();
        match running.entry(name.clone()) {
            Entry::Vacant(entry) if !self.0.kept.contains_key(name) => Some(self.ticket(entry, asked)),
            _ => {
                self.0.kept.insert(name.clone(), Found::Several);
                None
            }
        }
    }

    fn ticket(&self, place: VacantEntry<'_, Name, Running>, asked: Digest) -> Ticket {
        let (sender, over) = watch::channel(());
        let name = place.key().clone();
        place.insert(Running { asked, over });
        Ticket { answers: self.clone(), name, asked, taken: Vec::new(), bytes: 0, given_up: false, _over: sender }
    }

    fn running(&self) -> MutexGuard<'_, HashMap<Name, Running>> {
        self.0.running.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// A further part of the answer.
    pub fn take(&mut self, part: &Bytes) {
        if self.given_up {
            return;
        }
        self.bytes += part.len();
        let open = self.answers.0.open.fetch_add(part.len(), Ordering::Relaxed) + part.len();
        if self.bytes > LONGEST || open > self.answers.0.most_bytes {
            self.given_up = true;
            self.let_go();
        } else {
            self.taken.push(part.clone());
        }
    }

    /// The answer is whole, and good.
    pub fn keep(self, status: StatusCode, headers: HeaderMap) {
        if self.given_up {
            return;
        }
        // A copy has no room to spare, as what was taken may have.
        let body = self.taken.concat().into();
        let kept = Arc::new(Kept { status, headers, body, asked: self.asked });
        // Held, so that nobody asks the same in between.
        let running = self.answers.running();
        if !self.answers.0.kept.contains_key(&self.name) {
            self.answers.0.kept.insert(self.name.clone(), Found::Answer(kept));
        }
        drop(running);
    }

    fn let_go(&mut self) {
        self.taken = Vec::new();
        self.answers.0.open.fetch_sub(std::mem::take(&mut self.bytes), Ordering::Relaxed);
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.let_go();
        self.answers.running().remove(&self.name);
    }
}
