//! Answers that Responses clients refer to later: kept in memory at once, and soon after in the database.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::{MissedTickBehavior, interval};
use tollgate_store::database::StoreError;
use tollgate_store::responses::{KeptResponse, LatestResponses};

use crate::app::App;
use crate::unix_time::unix_ms;

/// Answers that wait for the database. Beyond it they are in memory alone.
const MOST_WAITING: usize = 1000;
const SHORTEN_EVERY: Duration = Duration::from_secs(10 * 60);

/// `tollgate_settings.responses`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeptRules {
    /// So long an answer is kept; zero: none is.
    pub time: Duration,
    /// All of them together, in the database.
    pub max_bytes: u64,
}

impl Default for KeptRules {
    fn default() -> Self {
        // OpenAI keeps them for thirty days (platform.openai.com, your data, 2026-11).
        KeptRules { time: Duration::from_secs(30 * 24 * 60 * 60), max_bytes: 256 << 20 }
    }
}

enum Change {
    Keep(Arc<KeptResponse>),
    Forget(String),
    /// Nothing comes after it.
    Finish,
}

pub struct Kept {
    latest: LatestResponses,
    unwritten: Sender<Change>,
    /// Taken by the task that writes.
    written: Mutex<Option<Receiver<Change>>>,
}

impl Default for Kept {
    fn default() -> Self {
        let (unwritten, written) = mpsc::channel(MOST_WAITING);
        Kept { latest: LatestResponses::new(), unwritten, written: Mutex::new(Some(written)) }
    }
}

impl Kept {
    pub fn keep(&self, kept: KeptResponse) {
        let kept = Arc::new(kept);
        self.latest.put(kept.clone());
        if self.unwritten.try_send(Change::Keep(kept)).is_err() {
            tracing::warn!("too many answers wait for the database: one is kept in memory alone");
        }
    }

    /// Lets the writing end when everything that waits is in the database.
    pub async fn finish(&self) {
        let _ = self.unwritten.send(Change::Finish).await;
    }
}

impl App {
    /// An answer that was kept, and is not too old.
    pub async fn kept_response(&self, id: &str, rules: KeptRules) -> Result<Option<Arc<KeptResponse>>, StoreError> {
        let found = match (self.kept.latest.find(id), self.store()) {
            (Some(found), _) => Some(found),
            (None, Some(store)) => {
                let found = match store.database.kept_response(id, store.vault.as_ref()).await {
                    Err(StoreError::Sealed(error)) => {
                        tracing::warn!(%error, id, "an answer cannot be read any more");
                        None
                    }
                    found => found?.map(Arc::new),
                };
                found.inspect(|found| self.kept.latest.put(found.clone()))
            }
            (None, None) => None,
        };
        let since = unix_ms().saturating_sub(u64::try_from(rules.time.as_millis()).unwrap_or(u64::MAX));
        Ok(found.filter(|found| found.created_at_ms >= since))
    }

    /// In which of the owner's answers these items are, by item.
    pub async fn places_of_items(&self, owner: &str, items: &[&str]) -> Result<HashMap<String, String>, StoreError> {
        let in_memory = |item: &&str| Some((item.to_string(), self.kept.latest.place(owner, item)?));
        let mut places: HashMap<String, String> = items.iter().filter_map(in_memory).collect();
        let others: Vec<&str> = items.iter().copied().filter(|item| !places.contains_key(*item)).collect();
        if let Some(store) = self.store().filter(|_| !others.is_empty()) {
            places.extend(store.database.places_of_items(owner, &others).await?);
        }
        Ok(places)
    }

    pub async fn forget_response(&self, id: &str) -> Result<(), StoreError> {
        self.kept.latest.forget(id);
        let Some(store) = self.store() else { return Ok(()) };
        store.database.forget_response(id).await?;
        // It may be on its way to the database still.
        let _ = self.kept.unwritten.send(Change::Forget(id.to_string())).await;
        Ok(())
    }
}

/// Brings what is kept to the database, and keeps that within its limits, until [`Kept::finish`].
pub async fn write(app: Arc<App>) {
    let taken = app.kept.written.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (Some(mut written), Some(store)) = (taken, app.store()) else { return };
    let mut shortens = interval(SHORTEN_EVERY);
    shortens.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            change = written.recv() => {
                let Some(change) = change else { return };
                let done = match &change {
                    Change::Keep(kept) => store.database.keep_response(kept, store.vault.as_ref()).await,
                    Change::Forget(id) => store.database.forget_response(id).await.map(|_| ()),
                    Change::Finish => return,
                };
                if let Err(error) = done {
                    tracing::warn!(%error, "an answer is kept in memory alone");
                }
            }
            _ = shortens.tick() => {
                let KeptRules { time, max_bytes } = app.live().config.settings.responses;
                if let Err(error) = store.database.shorten_responses(unix_ms(), time, max_bytes).await {
                    tracing::debug!(%error, "old answers could not be removed; it is tried again");
                }
            }
        }
    }
}
