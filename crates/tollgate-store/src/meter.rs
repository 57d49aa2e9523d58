//! The meter that everything passes which can cost money: reserve before, settle after.
//!
//! On the path of a request are a lock, a little arithmetic and one or two writes to the page cache. Only when a lease is used up
//! does a request wait for the database, which then gives enough for many. What was settled is in the journal on disk at once, and
//! reaches ledger, hours and balances through a task of its own, the [`banker`].

mod balance;
mod bank;
mod banker;
mod journal;
mod line;
mod patience;
mod reader;
mod reservation;

use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::tz::TimeZone;
use tokio::sync::{broadcast, mpsc, oneshot};
use tokio::time::Instant;
use tollgate_policy::budget::{Answer, Book, Capped, Denial, Estimate, Pot, Stance};
use tollgate_policy::window::{Span, Window};

use crate::database::Database;
pub use crate::ledger::apply::Alert;
use crate::ledger::{Begun, Counted, Payer};
pub use balance::Balance;
use banker::{Ask, Banker, Order};
use journal::Journal;
pub use journal::JournalError;
use reservation::Held;
pub use reservation::Reservation;

#[cfg(test)]
mod tests;

/// Bytes of an end user's name or a tag that are kept as they are.
const LONGEST_NAME: usize = 1024;
/// Alerts that nobody fetched yet; older ones are dropped.
const ALERTS: usize = 256;

#[derive(Clone, Debug)]
pub struct Settings {
    /// The folder of journals, on a disk that outlives the process.
    pub journal: PathBuf,
    /// Whose days and months budgets count in.
    pub zone: TimeZone,
    /// How long requests are served from what the database last said.
    pub away: Duration,
    /// How much spending is put down at most while the database is away; a request takes up to 1 KB.
    pub journal_bytes: u64,
}

impl Settings {
    pub fn new(journal: PathBuf) -> Settings {
        let zone = TimeZone::UTC;
        Settings { journal, zone, away: banker::LEASES_LAST, journal_bytes: 1 << 30 }
    }
}

/// A request that wants to spend.
pub struct Asking<'a> {
    pub request_id: String,
    pub payer: Payer,
    /// The route's name.
    pub model: String,
    pub tags: Vec<String>,
    /// Of the caller's whole chain.
    pub pots: &'a [Pot],
    pub estimate: Estimate,
}

/// Why a request may not spend.
#[derive(Debug, thiserror::Error)]
pub enum Denied {
    #[error("{0}")]
    Budget(Denial),
    #[error("the budget cannot be checked: the database is away")]
    Away,
    #[error(transparent)]
    Journal(#[from] JournalError),
}

/// Cheap to clone: all are the same meter.
#[derive(Clone)]
pub struct Meter {
    shared: Arc<Shared>,
    orders: mpsc::UnboundedSender<Order>,
    database: Database,
}

struct Shared {
    book: Mutex<Book>,
    journal: Journal,
    zone: TimeZone,
    /// The windows of the present, which nearly every request begins in.
    spans: Mutex<Vec<(Window, Span)>>,
    charges: AtomicU64,
    started: Instant,
    alerts: broadcast::Sender<Alert>,
    /// When the database went away, by [`Shared::now_ms`], or [`HERE`]. Changed under the book's lock: who reserves knows in which
    /// of both ways.
    away_since_ms: AtomicU64,
    away_for: Duration,
}

const HERE: u64 = u64::MAX;

impl Meter {
    /// Spending that an earlier process left in its journal is brought to the database in the background.
    pub fn open(database: Database, settings: Settings) -> io::Result<Meter> {
        let (orders, received) = mpsc::unbounded_channel();
        let shared = Arc::new(Shared {
            book: Mutex::default(),
            journal: Journal::create(&settings.journal, settings.journal_bytes)?,
            zone: settings.zone.clone(),
            spans: Mutex::default(),
            charges: AtomicU64::new(0),
            started: Instant::now(),
            alerts: broadcast::channel(ALERTS).0,
            away_since_ms: AtomicU64::new(HERE),
            away_for: settings.away,
        });
        tokio::spawn(Banker::new(shared.clone(), database.reserved(), settings).run(received));
        Ok(Meter { shared, orders, database })
    }

    /// Holds what the request can cost at most in all its pots, or of the output only as much as is left. Waits for the database only
    /// when a lease does not do. `at_ms`: when the request began, milliseconds since 1970; it counts in the windows of that moment.
    pub async fn reserve(&self, asking: Asking<'_>, at_ms: u64) -> Result<Reservation, Denied> {
        let Asking { request_id, mut payer, model, mut tags, pots, estimate } = asking;
        payer.end_user = storable(&payer.end_user).unwrap_or(payer.end_user);
        tags.iter_mut().for_each(|tag| *tag = storable(tag).map_or_else(|| std::mem::take(tag), |tag| tag.to_string()));
        let costs = estimate.whole_nanos() > 0;
        let (counted, capped) = self.shared.pots(pots, costs, at_ms);
        let charge = self.shared.charge();
        let begun = Begun { charge, request_id, at_ms, payer, model, tags, pots: counted };
        if !costs {
            return Ok(Reservation::free(self.shared.clone(), begun, estimate));
        }
        let held = self.hold(capped, estimate, at_ms).await?;
        Ok(Reservation::held(held, begun, estimate)?)
    }

    /// Before another attempt for the same request. `spent_nanos` went to those before it, which gave no whole answer, and its prompt
    /// is longer by so many tokens: what it can cost at most is held beside that, or of its output only as much as is left.
    /// Returns the output that is paid for, if it is less than before.
    pub async fn reserve_again(
        &self,
        reservation: &mut Reservation,
        spent_nanos: u64,
        more_input: u64,
    ) -> Result<Option<u64>, Denied> {
        let Some((pots, estimate, at_ms)) = reservation.needs(spent_nanos, more_input) else { return Ok(None) };
        let more = self.hold(pots, estimate, at_ms).await?;
        Ok(reservation.add(more)?)
    }

    /// The request goes to a deployment: it counts in these pots as well, and is held in them, in place of those of the deployment that it was
    /// sent to before. If they have no room it stays where it was. Returns the output tokens that they pay for.
    pub async fn hold_at(
        &self,
        reservation: &mut Reservation,
        pots: &[Pot],
        estimate: Estimate,
    ) -> Result<u64, Denied> {
        let Some(at_ms) = reservation.moves_to(pots) else { return Ok(estimate.output_tokens()) };
        let (counted, capped) = self.shared.pots(pots, estimate.whole_nanos() > 0, at_ms);
        let held = self.hold(capped, estimate, at_ms).await?;
        let output_tokens = held.output_tokens;
        reservation.go(held, counted)?;
        Ok(output_tokens)
    }

    /// Soft budgets that are spent, from now on. One replica tells of each.
    pub fn alerts(&self) -> broadcast::Receiver<Alert> {
        self.shared.alerts.subscribe()
    }

    /// The database does not answer: spending stays in the journal until it does.
    pub fn is_away(&self) -> bool {
        self.shared.away_since_ms.load(Ordering::Relaxed) != HERE
    }

    /// What the journal takes on disk.
    pub fn journal_bytes(&self) -> u64 {
        self.shared.journal.total()
    }

    /// Returns when all that was settled before is in the database, however long it is away.
    pub async fn flush(&self) {
        let (done, flushed) = oneshot::channel();
        if self.orders.send(Order::Flush(done)).is_ok() {
            let _ = flushed.await;
        }
    }

    /// Brings everything to the database and gives the leases back, unless it is away: then the next process does. Call it when no
    /// request is under way.
    pub async fn close(self) {
        let (done, closed) = oneshot::channel();
        if self.orders.send(Order::Close(done)).is_ok() {
            let _ = closed.await;
        }
    }

    async fn hold(&self, pots: Vec<Capped>, estimate: Estimate, at_ms: u64) -> Result<Held, Denied> {
        let answer = {
            let mut book = self.shared.book();
            // Nobody waits for a database that is away: it may be one that hangs.
            let stance = if self.is_away() { Stance::Away } else { Stance::CanAsk };
            book.reserve(&pots, &estimate, stance, self.shared.now_ms())
        };
        match answer {
            Answer::Held { nanos, output_tokens } => {
                let known = pots.is_empty() || self.shared.still_knows();
                let held = Held::new(self.shared.clone(), pots, nanos, output_tokens);
                if known { Ok(held) } else { Err(Denied::Away) }
            }
            Answer::Denied(denial) => Err(Denied::Budget(denial)),
            Answer::Unknown(_) => Err(Denied::Away),
            Answer::Short(_) => self.ask(pots, estimate, at_ms).await,
        }
    }

    async fn ask(&self, pots: Vec<Capped>, estimate: Estimate, at_ms: u64) -> Result<Held, Denied> {
        let (reply, answer) = oneshot::channel();
        let ask = Ask { pots, estimate, at_ms, reply };
        self.orders.send(Order::Ask(ask)).map_err(|_| Denied::Away)?;
        answer.await.unwrap_or(Err(Denied::Away))
    }
}

impl Shared {
    fn book(&self) -> MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis() as u64
    }

    fn set_away(&self, away: bool) {
        let _book = self.book();
        self.away_since_ms.store(if away { self.now_ms() } else { HERE }, Ordering::Relaxed);
    }

    /// What the database last said still counts.
    fn still_knows(&self) -> bool {
        let since_ms = self.away_since_ms.load(Ordering::Relaxed);
        since_ms == HERE || u128::from(self.now_ms().saturating_sub(since_ms)) < self.away_for.as_millis()
    }

    fn charge(&self) -> String {
        format!("{}-{}", self.journal.replica, self.charges.fetch_add(1, Ordering::Relaxed))
    }

    /// What a request counts in, and of these what may hold it back.
    fn pots(&self, pots: &[Pot], costs: bool, at_ms: u64) -> (Vec<Counted>, Vec<Capped>) {
        let mut capped = Vec::new();
        let mut spans = self.spans.lock().unwrap_or_else(PoisonError::into_inner);
        let counted = pots.iter().map(|pot| {
            let span = span(&mut spans, pot.window, at_ms, &self.zone);
            let mut key = pot.key(span);
            key.id = storable(&key.id).unwrap_or(key.id);
            let cap = pot.cap_nanos(at_ms).filter(|_| costs);
            capped.extend(cap.map(|cap_nanos| Capped { key: key.clone(), cap_nanos, end_ms: span.end_ms }));
            Counted { key, end_ms: span.end_ms, held: cap.is_some(), soft_nanos: pot.soft_nanos }
        });
        (counted.collect(), capped)
    }
}

/// What a client calls itself, or its requests, can be any text: PostgreSQL has no zero byte, and nobody needs a novel. `None`: the
/// text is fine.
fn storable(text: &str) -> Option<Arc<str>> {
    let fine = text.len() <= LONGEST_NAME && !text.contains('\0');
    (!fine).then(|| text.replace('\0', "\u{fffd}").chars().take(LONGEST_NAME / 4).collect::<String>().into())
}

fn span(known: &mut Vec<(Window, Span)>, window: Window, at_ms: u64, zone: &TimeZone) -> Span {
    match known.iter_mut().find(|(of, _)| *of == window) {
        Some((_, span)) => {
            if !span.contains(at_ms) {
                *span = window.span(at_ms, zone);
            }
            *span
        }
        None => {
            let span = window.span(at_ms, zone);
            known.push((window, span));
            span
        }
    }
}
