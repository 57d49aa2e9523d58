//! The one task that talks to the database: it fetches and returns leases, and brings what was settled from the journal into the
//! ledger. As it does one thing after the other, what the book knows and what the database holds never pass each other.

mod ledger;
mod life;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, MissedTickBehavior, interval};
use tollgate_policy::budget::{Answer, Capped, Estimate, PotKey, Stance, Visit};

use ledger::Progress;

use super::journal::Left;
use super::patience::patiently;
use super::reader::Reader;
use super::reservation::Held;
use super::{Denied, Settings, Shared, bank};
use crate::database::Database;
use crate::ledger::Entry;
use crate::ledger::apply::Applier;

/// How often settled requests are looked for: no request wakes the task for its own.
const LOOK_EVERY: Duration = Duration::from_millis(50);
/// Requests in one transaction. A request that waits for a lease waits for one of these at most.
const BATCH: usize = 256;
/// Pots in one transaction.
const VISITS: usize = 64;
/// A replica that cannot reach the database stops spending from its leases before the others take them back.
pub const LEASES_LAST: Duration = Duration::from_secs(480);
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
    /// How many of them are tried in one transaction.
    size: usize,
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
    /// How far the journal was when it was last brought to disk.
    synced: (u32, u64),
}

/// When something was last done.
#[derive(Default)]
struct Last {
    tidy: Option<Instant>,
    beat: Option<Instant>,
    adopt: Option<Instant>,
    forget: Option<Instant>,
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
            size: BATCH,
            left: None,
            away_since: None,
            beat: 0,
            beats: HashMap::new(),
            replicas: 1,
            last: Last::default(),
            flushes: Vec::new(),
            kept: 1,
            synced: (1, 0),
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
                    // However long it took, those who wait are next.
                    look.reset();
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
                self.close().await;
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
        let answer = self.shared.book().reserve(&ask.pots, &ask.estimate, stance, self.shared.now_ms());
        let reply = match answer {
            Answer::Short(pots) => {
                waiting.push(ask);
                return pots;
            }
            Answer::Held { nanos, output_tokens } => {
                // From here on it is given back when nobody takes it.
                let held = Held::new(self.shared.clone(), ask.pots, nanos, output_tokens);
                if self.shared.still_knows() { Ok(held) } else { Err(Denied::Away) }
            }
            Answer::Denied(denial) => Err(Denied::Budget(denial)),
            Answer::Unknown(_) => Err(Denied::Away),
        };
        let _ = ask.reply.send(reply);
        Vec::new()
    }

    /// What may be in the ledger or not is brought there before a pot is looked at: it would count twice, as spent and as committed.
    async fn be_sure(&mut self) {
        while !self.batch.is_empty() && self.away_since.is_none() {
            self.apply().await;
        }
    }

    async fn visit(&mut self, visits: &[Visit], at_ms: u64) {
        for visits in visits.chunks(VISITS) {
            if self.away_since.is_some() {
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
    }

    /// The journal goes when all of it is in the database and nothing is open; otherwise the next process sees to it.
    async fn close(&mut self) {
        let done = loop {
            match self.apply().await {
                Progress::More => {}
                Progress::Done => break true,
                Progress::Stuck => break false,
            }
        };
        if !done {
            return;
        }
        if let Err(error) = patiently!(bank::give_back_all(&self.database, &self.shared.journal.replica)) {
            return self.away(&error);
        }
        if self.shared.journal.seal(self.reader.position())
            && let Err(error) = self.shared.journal.remove()
        {
            tracing::warn!(%error, "the journal of spending cannot be deleted");
        }
    }
}
