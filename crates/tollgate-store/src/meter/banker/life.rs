//! What the banker does regularly: it shows that this gateway lives and sees who else does, gives back what is idle, and forgets what
//! is old.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use tokio::sync::mpsc;
use tokio::time::Instant;

use super::ledger::Progress;
use super::{Banker, Order};
use crate::database::StoreError;
use crate::ledger::retention::forget_balances;
use crate::meter::bank;
use crate::meter::journal::Left;
use crate::meter::patience::patiently;
use crate::meter::reader::Reader;

const TIDY_EVERY: Duration = Duration::from_secs(1);
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// Three beats were missed.
const SILENT_AFTER: Duration = Duration::from_secs(15);
/// Long enough for a machine to start again and find its journal, and longer than leases last.
const RECLAIM_AFTER: Duration = Duration::from_secs(600);
/// Idle leases go back: soon where others may need them, late where nobody is.
const IDLE_MS: u64 = 1_000;
const IDLE_ALONE_MS: u64 = 30_000;
/// Looks at journals of processes that died, beside the one at the start.
const ADOPT_EVERY: Duration = Duration::from_secs(30);
/// Looks for balances that count nowhere any more.
const FORGET_EVERY: Duration = Duration::from_secs(600);

impl Banker {
    /// What is done regularly.
    pub(super) async fn work(&mut self, orders: &mpsc::UnboundedReceiver<Order>) {
        if due(self.last.tidy, TIDY_EVERY) {
            self.last.tidy = Some(Instant::now());
            self.tidy().await;
        }
        if self.away_since.is_some() {
            return;
        }
        // Requests that wait for a lease come first.
        while self.apply().await == Progress::More && orders.is_empty() {}
        if self.left.is_some() {
            self.adopt().await;
        }
    }

    async fn tidy(&mut self) {
        if let Err(error) = self.shared.journal.rotate() {
            tracing::error!(%error, "the journal of spending cannot begin a new file");
        }
        self.sync();
        if self.away_since.is_some() || due(self.last.beat, BEAT_EVERY) {
            self.show_life().await;
        }
        if self.away_since.is_some() {
            return;
        }
        self.be_sure().await;
        let idle_ms = if self.replicas > 1 { IDLE_MS } else { IDLE_ALONE_MS };
        let now_ms = self.shared.now_ms();
        let visits = self.shared.book().return_idle(idle_ms, now_ms);
        self.visit(&visits, 0).await;
        self.shared.book().forget(now_ms);
        self.forget_old().await;
        if self.left.is_none() && due(self.last.adopt, ADOPT_EVERY) {
            self.last.adopt = Some(Instant::now());
            let left = Left::find(&self.settings.journal).into_iter().next();
            self.left = left.map(|left| {
                let reader = Reader::new(&left.folder);
                (left, reader)
            });
        }
    }

    /// Says that we are alive, sees who else is, and takes back the leases of those that have been silent for long. While the
    /// database is away this is how it is found to be back.
    pub(super) async fn show_life(&mut self) {
        self.last.beat = Some(Instant::now());
        self.beat += 1;
        let beats = match patiently!(bank::beat(&self.database, &self.shared.journal.replica, self.beat)) {
            Ok(beats) => beats,
            Err(error) => return self.away(&error),
        };
        if let Some(since) = self.away_since.take() {
            self.shared.set_away(false);
            tracing::info!(after_ms = since.elapsed().as_millis() as u64, "the database is back");
        }
        let now = Instant::now();
        self.beats.retain(|id, _| beats.iter().any(|(alive, _)| alive == id));
        for (id, beat) in beats {
            let seen = self.beats.entry(id).or_insert((beat, now));
            if seen.0 != beat {
                *seen = (beat, now);
            }
        }
        let silent = |since: &Instant, time: Duration| now.duration_since(*since) >= time;
        let alive = self.beats.values().filter(|(_, since)| !silent(since, SILENT_AFTER)).count();
        self.replicas = u32::try_from(alive.max(1)).unwrap_or(u32::MAX);
        let gone = self.beats.iter().filter(|(_, (_, since))| silent(since, RECLAIM_AFTER)).map(|(id, _)| id.clone());
        for replica in gone.collect::<Vec<_>>() {
            match patiently!(bank::give_back_all(&self.database, &replica)) {
                Ok(()) => tracing::warn!(replica, "a replica is silent: its leases are free again"),
                Err(error) => return self.away(&error),
            }
            self.beats.remove(&replica);
        }
    }

    /// What was being done may be done or not: every pot has to be looked at again.
    pub(super) fn away(&mut self, error: &StoreError) {
        self.shared.book().doubt();
        if self.away_since.is_none() {
            self.away_since = Some(Instant::now());
            self.shared.set_away(true);
            tracing::warn!(%error, "the database is away: budgets go by what it last said, spending is kept in the journal");
        }
    }

    /// To disk in the background: until then a line survives this process, but not the machine.
    fn sync(&mut self) {
        let present = self.shared.journal.present();
        if std::mem::replace(&mut self.synced, present) == present {
            return;
        }
        match self.shared.journal.file() {
            Ok(file) => drop(tokio::task::spawn_blocking(move || file.sync_data())),
            Err(error) => tracing::error!(%error, "the journal of spending cannot be brought to disk"),
        }
    }

    async fn forget_old(&mut self) {
        if !due(self.last.forget, FORGET_EVERY) {
            return;
        }
        self.last.forget = Some(Instant::now());
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        if let Err(error) = patiently!(forget_balances(&self.database, now.as_millis() as u64)) {
            self.away(&error);
        }
    }
}

fn due(last: Option<Instant>, every: Duration) -> bool {
    last.is_none_or(|last| last.elapsed() >= every)
}
