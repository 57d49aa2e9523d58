//! The one task that talks to the database: it fetches and returns leases, and brings what was settled from the journal into the
//! ledger. As it does one thing after the other, what the book knows and what the database holds never pass each other.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tollgate_policy::budget::{Answer, Capped, Estimate, PotKey, Stance, Visit};
use tollgate_policy::price::dollars;

use super::journal::{Left, put_aside, segments};
use super::patience::{is_about_data, patiently};
use super::reader::Reader;
use super::reservation::Held;
use super::{Denied, Settings, Shared, bank};
use crate::database::{Database, StoreError};
use crate::ledger::Entry;
use crate::ledger::apply::{Applied, Applier, PotCharged};

/// How often settled requests are looked for: no request wakes the task for its own.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Requests in one transaction. A request that waits for a lease waits for one of these at most.
const BATCH: usize = 256;
const TIDY_EVERY: Duration = Duration::from_secs(1);
const BEAT_EVERY: Duration = Duration::from_secs(5);
/// Three beats were missed.
const SILENT_AFTER: Duration = Duration::from_secs(15);
/// A replica that cannot reach the database stops spending from its leases before the others take them back.
pub const LEASES_LAST: Duration = Duration::from_secs(480);
/// Long enough for a machine to start again and find its journal, and longer than leases last.
const RECLAIM_AFTER: Duration = Duration::from_secs(600);
/// Idle leases go back: soon where others may need them, late where nobody is.
const IDLE_MS: u64 = 1_000;
const IDLE_ALONE_MS: u64 = 30_000;
/// Looks at journals of processes that died, beside the one at the start.
const ADOPT_EVERY: Duration = Duration::from_secs(30);
/// What took the room that was fetched for a request is another request, which cannot go on for ever.
const ROUNDS: usize = 4;

pub enum Order {
    Ask(Ask),
    Flush(oneshot::Sender<()>),
    Close(oneshot::Sender<()>),
}

/// A request whose leases do not do.
pub struct Ask {
    pub pots: Vec<Capped>,
    pub estimate: Estimate,
    pub at_ms: u64,
    pub reply: oneshot::Sender<Result<Held, Denied>>,
}

pub struct Banker {
    shared: Arc<Shared>,
    database: Database,
    settings: Settings,
    applier: Applier,
    reader: Reader,
    /// Read and not yet applied.
    batch: Vec<Entry>,
    /// A journal that a dead process left.
    left: Option<(Left, Reader)>,
    away_since: Option<Instant>,
    beat: i64,
    /// Every replica's last beat, and when it was new.
    beats: HashMap<String, (i64, Instant)>,
    replicas: u32,
    last: Last,
    flushes: Vec<oneshot::Sender<()>>,
    /// The oldest segment that is not deleted.
    kept: u32,
}

/// When something was last done.
struct Last {
    tidy: Instant,
    beat: Option<Instant>,
    adopt: Option<Instant>,
}

impl Banker {
    pub fn new(shared: Arc<Shared>, database: Database, settings: Settings) -> Banker {
        Banker {
            applier: Applier::new(database.clone(), settings.zone.clone()),
            reader: Reader::new(shared.journal.folder()),
            shared,
            database,
            settings,
            batch: Vec::new(),
            left: None,
            away_since: None,
            beat: 0,
            beats: HashMap::new(),
            replicas: 1,
            last: Last { tidy: Instant::now(), beat: None, adopt: None },
            flushes: Vec::new(),
            kept: 1,
        }
    }

    pub async fn run(mut self, mut orders: mpsc::UnboundedReceiver<Order>) {
        let mut look = interval(LOOK_EVERY);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        self.show_life().await;
        loop {
            let first = tokio::select! {
                order = orders.recv() => order,
                _ = look.tick() => {
                    self.work(&orders).await;
                    continue;
                }
            };
            // All that wait are served together. When nobody has the meter any more it is closed.
            let mut asks = Vec::new();
            let mut closed = first.is_none().then_some(None);
            for order in first.into_iter().chain(std::iter::from_fn(|| orders.try_recv().ok())) {
                match order {
                    Order::Ask(ask) => asks.push(ask),
                    Order::Flush(done) => self.flushes.push(done),
                    Order::Close(done) => closed = Some(Some(done)),
                }
            }
            self.serve(asks).await;
            if let Some(done) = closed {
                self.close(&orders).await;
                if let Some(done) = done {
                    let _ = done.send(());
                }
                return;
            }
        }
    }

    /// Fetches what the requests need, and decides: first come, first served.
    async fn serve(&mut self, mut asks: Vec<Ask>) {
        self.be_sure().await;
        for round in 0..=ROUNDS {
            let stance = match self.away_since {
                Some(_) => Stance::Away,
                None if round == ROUNDS => Stance::Asked,
                None => Stance::CanAsk,
            };
            let mut needs: HashMap<PotKey, (Capped, u64)> = HashMap::new();
            let mut waiting = Vec::new();
            for ask in asks {
                for pot in self.decide(ask, stance, &mut waiting) {
                    let whole = waiting.last().map_or(0, |ask: &Ask| ask.estimate.whole_nanos());
                    let (_, wanted) = needs.entry(pot.key.clone()).or_insert((pot, 0));
                    *wanted = wanted.saturating_add(whole);
                }
            }
            if waiting.is_empty() {
                return;
            }
            let now_ms = self.shared.now_ms();
            let visits: Vec<Visit> = {
                let mut book = self.shared.book();
                let earlier: Vec<Visit> = needs.keys().flat_map(|key| book.return_parts(key)).collect();
                let wanted = needs.values().map(|(pot, wanted)| book.visit(pot, *wanted, now_ms));
                wanted.chain(earlier).collect()
            };
            let at_ms = waiting.iter().map(|ask| ask.at_ms).max().unwrap_or(0);
            self.visit(&visits, at_ms).await;
            asks = waiting;
        }
    }

    /// Answers the request, or puts it among those that wait and returns the pots that it needs more of.
    fn decide(&self, ask: Ask, stance: Stance, waiting: &mut Vec<Ask>) -> Vec<Capped> {
        let lasts = self.away_since.is_none_or(|since| since.elapsed() < self.settings.away);
        let answer = self.shared.book().reserve(&ask.pots, &ask.estimate, stance, self.shared.now_ms());
        let reply = match answer {
            Answer::Short(pots) => {
                waiting.push(ask);
                return pots;
            }
            Answer::Held { nanos, output_tokens } => {
                // From here on it is given back when nobody takes it.
                let held = Held::new(self.shared.clone(), &ask.pots, nanos, output_tokens);
                if lasts { Ok(held) } else { Err(Denied::Away) }
            }
            Answer::Denied(denial) => Err(Denied::Budget(denial)),
            Answer::Unknown(_) => Err(Denied::Away),
        };
        let _ = ask.reply.send(reply);
        Vec::new()
    }

    /// What may be in the ledger or not is brought there before a pot is looked at: it would count twice, as spent and as committed.
    async fn be_sure(&mut self) {
        if !self.batch.is_empty() && self.away_since.is_none() {
            self.apply().await;
        }
    }

    async fn visit(&mut self, visits: &[Visit], at_ms: u64) {
        if visits.is_empty() || self.away_since.is_some() {
            return;
        }
        let (zone, replica) = (&self.settings.zone, &self.shared.journal.replica);
        let leased = patiently!(bank::visit(&self.database, zone, replica, self.replicas, visits));
        match leased {
            Ok(leased) => {
                let now_ms = self.shared.now_ms();
                let mut book = self.shared.book();
                visits.iter().zip(leased).for_each(|(visit, leased)| book.visited(visit, leased, now_ms, at_ms));
            }
            Err(error) => self.away(&error),
        }
    }

    /// What is done regularly.
    async fn work(&mut self, orders: &mpsc::UnboundedReceiver<Order>) {
        if self.last.tidy.elapsed() >= TIDY_EVERY {
            self.last.tidy = Instant::now();
            self.tidy().await;
        }
        if self.away_since.is_some() {
            return;
        }
        // Requests that wait for a lease come first.
        while self.apply().await && orders.is_empty() {}
        if self.left.is_some() {
            self.adopt().await;
        }
    }

    async fn tidy(&mut self) {
        if let Err(error) = self.shared.journal.rotate() {
            tracing::error!(%error, "the journal of spending cannot begin a new file");
        }
        match self.shared.journal.file() {
            Ok(file) => drop(tokio::task::spawn_blocking(move || file.sync_data())),
            Err(error) => tracing::error!(%error, "the journal of spending cannot be brought to disk"),
        }
        let due = |last: Option<Instant>, every: Duration| last.is_none_or(|last| last.elapsed() >= every);
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
        for visits in visits.chunks(BATCH) {
            self.visit(visits, 0).await;
        }
        self.shared.book().forget(now_ms);
        if self.left.is_none() && due(self.last.adopt, ADOPT_EVERY) {
            self.last.adopt = Some(Instant::now());
            let left = Left::find(&self.settings.journal).into_iter().next();
            self.left = left.map(|left| {
                let reader = Reader::new(&left.folder);
                (left, reader)
            });
        }
    }

    /// Brings a batch into the database. Whether there may be more.
    async fn apply(&mut self) -> bool {
        let mut more = true;
        if self.batch.is_empty() {
            match self.reader.read(BATCH, self.shared.journal.present().0) {
                Ok(batch) => self.batch = batch,
                Err(error) => {
                    tracing::error!(%error, "the journal of spending cannot be read");
                    return false;
                }
            }
            more = self.batch.len() >= BATCH;
        }
        let batch = std::mem::take(&mut self.batch);
        match self.bring(&self.shared.clone().journal.replica, &batch).await {
            Ok(applied) => {
                let mut book = self.shared.book();
                applied.iter().for_each(|pot| book.applied(&pot.key, pot.cost_nanos, pot.covered_nanos));
            }
            Err(error) => {
                self.batch = batch;
                self.away(&error);
                return false;
            }
        }
        while self.kept < self.reader.segment() {
            if let Err(error) = self.shared.journal.delete(self.kept) {
                tracing::warn!(%error, "a file of the journal of spending cannot be deleted");
            }
            self.kept += 1;
        }
        if !more {
            self.flushes.drain(..).for_each(|done| _ = done.send(()));
        }
        more
    }

    /// Into the database, and tells of soft budgets. What the database will never take is put aside, so that the rest goes on.
    async fn bring(&mut self, replica: &str, entries: &[Entry]) -> Result<Vec<PotCharged>, StoreError> {
        let together = patiently!(self.applier.apply(replica, entries));
        let mut held = Vec::new();
        match together {
            Err(error) if is_about_data(&error) => {
                for entry in entries.chunks(1) {
                    match patiently!(self.applier.apply(replica, entry)) {
                        Ok(applied) => held.extend(self.tell(applied)),
                        Err(error) if is_about_data(&error) => put_aside(&self.settings.journal, entry, &error),
                        Err(error) => return Err(error),
                    }
                }
            }
            applied => held.extend(self.tell(applied?)),
        }
        Ok(held)
    }

    fn tell(&self, applied: Applied) -> Vec<PotCharged> {
        for alert in applied.alerts {
            let (kind, id, model) = (alert.key.kind.word(), &alert.key.id, &alert.key.model);
            let (window, soft) = (alert.key.window.word(), dollars(alert.soft_nanos));
            tracing::warn!(kind, %id, %model, window, "the soft budget of ${soft} is spent");
            // Nobody may be listening.
            let _ = self.shared.alerts.send(alert);
        }
        applied.held
    }

    /// A batch of a journal that a dead process left, as if it had lived; at its end what it had open is settled at what was held.
    async fn adopt(&mut self) {
        let Some((left, mut reader)) = self.left.take() else { return };
        match self.adopt_batch(&left, &mut reader).await {
            Ok(true) => {
                if let Err(error) = left.remove() {
                    tracing::warn!(%error, folder = %left.folder.display(), "a journal of spending cannot be deleted");
                }
                tracing::info!(replica = left.replica, "spending that an earlier process left is in the ledger");
                // Perhaps there is another one.
                self.last.adopt = None;
            }
            Ok(false) => self.left = Some((left, reader)),
            // From the beginning, another time: what is in the ledger already stays there once.
            Err(error) => self.away(&error),
        }
    }

    /// Whether all is done.
    async fn adopt_batch(&mut self, left: &Left, reader: &mut Reader) -> Result<bool, StoreError> {
        let last = segments(&left.folder).ok().and_then(|all| all.last().copied()).unwrap_or(0);
        let entries = match reader.read(BATCH, last) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::error!(%error, folder = %left.folder.display(), "a journal of spending cannot be read further");
                Vec::new()
            }
        };
        if !entries.is_empty() {
            self.bring(&left.replica, &entries).await?;
            return Ok(false);
        }
        for entries in reader.interrupted().chunks(BATCH) {
            self.bring(&left.replica, entries).await?;
        }
        patiently!(bank::give_back_all(&self.database, &left.replica))?;
        Ok(true)
    }

    /// Says that we are alive, sees who else is, and takes back the leases of those that have been silent for long. While the
    /// database is away this is how it is found to be back.
    async fn show_life(&mut self) {
        self.last.beat = Some(Instant::now());
        self.beat += 1;
        let beats = match patiently!(bank::beat(&self.database, &self.shared.journal.replica, self.beat)) {
            Ok(beats) => beats,
            Err(error) => return self.away(&error),
        };
        if let Some(since) = self.away_since.take() {
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
    fn away(&mut self, error: &StoreError) {
        self.shared.book().doubt();
        if self.away_since.is_none() {
            self.away_since = Some(Instant::now());
            tracing::warn!(%error, "the database is away: budgets go by what it last said, spending is kept in the journal");
        }
    }

    async fn close(&mut self, orders: &mpsc::UnboundedReceiver<Order>) {
        self.away_since = None;
        while self.apply().await && orders.is_empty() {}
        if self.away_since.is_some() {
            return;
        }
        let replica = &self.shared.journal.replica;
        let given_back = patiently!(bank::give_back_all(&self.database, replica));
        match given_back {
            Ok(()) if self.reader.is_settled() => {
                if let Err(error) = self.shared.journal.remove() {
                    tracing::warn!(%error, "the journal of spending cannot be deleted");
                }
            }
            Ok(()) => {}
            Err(error) => self.away(&error),
        }
    }
}
