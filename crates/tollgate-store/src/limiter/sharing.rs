//! The task that speaks with Redis: one round after the other, each with all that waits.

use std::collections::HashSet;
use std::future::ready;
use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use redis::{ErrorKind, RedisError};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tollgate_policy::limit::{Fit, Holding, Round, Telling};

use super::link::{Answer, Link};
use super::{Ask, Inbox, Inner, LimitPermit, Limiter, Mode, Settings, away};

/// Rounds without a question go out so often at most.
const TELL_EVERY: Duration = Duration::from_millis(20);
/// How often it is looked what is held for nothing, and Redis is told that this replica is alive.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Requests and counters of one round, so that none takes Redis long.
const MAX_ASKS: usize = 256;
const MAX_REPORTS: usize = 1024;

/// Pauses while Redis is away: the first, doubled up to the longest.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// A Redis that lost its data is told by every replica what it holds before any of them takes more.
const ALL_TOLD_AFTER_MS: u64 = 2_500;
/// How often everything is told again, so that places do not expire and what Redis dropped comes back.
const LOOKS_UNTIL_ALL_IS_TOLD: u32 = 20;

impl Limiter {
    /// Keeps the limits together with other replicas for as long as it is polled. `now_ms`: since 1970.
    pub async fn share(&self, now_ms: impl Fn() -> u64 + Sync) {
        let me = format!("{:016x}", RandomState::new().hash_one(0));
        let sharers = HashSet::new();
        let mut sharing = Sharing { limiter: &self.0, now_ms: &now_ms, me, met: false, age_ms: 0, sharers };
        let mut pause = FIRST_PAUSE;
        loop {
            let settings = self.0.settings().clone();
            let Some(address) = &settings.address else {
                self.0.reconfigured.notified().await;
                continue;
            };
            let error = match Link::open(address, &sharing.me).await {
                Ok(link) => match sharing.meet(link, &settings, &mut pause).await {
                    Ok(()) => continue,
                    Err(error) => error,
                },
                Err(error) => error,
            };
            self.0.went_away(&error.to_string());
            *self.0.inbox() = Inbox::default();
            let _ = timeout(pause, self.0.reconfigured.notified()).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }
}

struct Sharing<'a> {
    limiter: &'a Arc<Inner>,
    now_ms: &'a (dyn Fn() -> u64 + Sync),
    me: String,
    /// Other replicas may have been told something by this one before.
    met: bool,
    /// For how long Redis has known replicas, at the last round over this link.
    age_ms: u64,
    /// The accounts of which the others were told.
    sharers: HashSet<Arc<str>>,
}

impl Sharing<'_> {
    /// Until the settings change or Redis goes away.
    async fn meet(&mut self, mut link: Link, settings: &Settings, pause: &mut Duration) -> Result<(), RedisError> {
        self.age_ms = 0;
        self.tell_all(&mut link).await?;
        let left_ms = ALL_TOLD_AFTER_MS.saturating_sub(self.age_ms);
        if std::mem::replace(&mut self.met, true) && left_ms > 0 {
            sleep(Duration::from_millis(left_ms)).await;
            self.tell_all(&mut link).await?;
        }
        self.limiter.is_back(settings);
        *pause = FIRST_PAUSE;
        let (mut looks, mut look_at, mut more) = (0, Instant::now() + LOOK_EVERY, false);
        loop {
            tokio::select! {
                biased;
                () = self.limiter.reconfigured.notified() => {
                    // The notice may be of the settings that are in force here.
                    if *self.limiter.settings() != *settings {
                        return Ok(());
                    }
                }
                () = ready(()), if more => {}
                () = self.limiter.asked.notified() => {}
                () = self.limiter.changed.notified() => {
                    let _ = timeout(TELL_EVERY, self.limiter.asked.notified()).await;
                }
                () = sleep_until(look_at) => {}
            }
            let began = Instant::now();
            if look_at <= began {
                look_at = began + LOOK_EVERY;
                looks = (looks + 1) % LOOKS_UNTIL_ALL_IS_TOLD;
                if looks == 0 { self.tell_all(&mut link).await? } else { self.look(&mut link).await? }
            }
            more = self.next(&mut link).await?;
            // Requests would not wait for one that is slow.
            if began.elapsed() < settings.answer_within {
                self.limiter.is_back(settings);
            }
        }
    }

    /// The requests that wait, and what changed. False: there was nothing.
    async fn next(&mut self, link: &mut Link) -> Result<bool, RedisError> {
        let now_ms = (self.now_ms)();
        let (asks, changed) = {
            let mut inbox = self.limiter.inbox();
            let asks = inbox.asks.len().min(MAX_ASKS);
            let changed = inbox.changed.len().min(MAX_REPORTS);
            (inbox.asks.drain(..asks).collect::<Vec<_>>(), inbox.changed.drain(..changed).collect::<Vec<_>>())
        };
        let mut round = Round::default();
        for name in &changed {
            self.limiter.shards.named(name, |account| round.tell(name, account, Telling::News, now_ms));
        }
        let asks: Vec<Ask> = asks.into_iter().filter_map(|ask| self.limiter.put(ask, &mut round)).collect();
        if round.is_empty() {
            return Ok(false);
        }
        self.go(link, round, asks).await?;
        Ok(true)
    }

    /// Gives back what is held for nothing.
    async fn look(&mut self, link: &mut Link) -> Result<(), RedisError> {
        let now_ms = (self.now_ms)();
        let mut rounds = Rounds::default();
        let shards = &self.limiter.shards;
        self.sharers.retain(|name| {
            shards.named(name, |account| rounds.last().tell(name, account, Telling::Rest, now_ms)).is_some()
        });
        self.go_all(link, rounds).await
    }

    async fn tell_all(&mut self, link: &mut Link) -> Result<(), RedisError> {
        let now_ms = (self.now_ms)();
        let mut rounds = Rounds::default();
        let tell = |name: &_, account: &mut _| rounds.last().tell(name, account, Telling::All, now_ms);
        self.limiter.shards.for_each(tell);
        self.go_all(link, rounds).await
    }

    /// One at least, which says that this replica is alive.
    async fn go_all(&mut self, link: &mut Link, mut rounds: Rounds) -> Result<(), RedisError> {
        rounds.last();
        for round in rounds.0 {
            self.go(link, round, Vec::new()).await?;
        }
        Ok(())
    }

    async fn go(&mut self, link: &mut Link, round: Round, asks: Vec<Ask>) -> Result<(), RedisError> {
        let now_ms = (self.now_ms)();
        let answer = link.go(&round, now_ms).await.and_then(|answer| {
            let younger = answer.age_ms < self.age_ms;
            self.age_ms = answer.age_ms;
            if younger { Err(RedisError::from((ErrorKind::Client, "it lost its data"))) } else { Ok(answer) }
        });
        match answer {
            Ok(answer) => {
                self.limiter.answered(&round, asks, answer, now_ms);
                self.sharers.extend(round.reports.into_iter().map(|report| report.account));
                Ok(())
            }
            Err(error) => {
                for report in &round.reports {
                    self.limiter.shards.named(&report.account, |account| report.unanswered(account));
                }
                Err(error)
            }
        }
    }
}

/// None of them too large for Redis.
#[derive(Default)]
struct Rounds(Vec<Round>);

impl Rounds {
    fn last(&mut self) -> &mut Round {
        if self.0.last().is_none_or(|round| round.reports.len() >= MAX_REPORTS) {
            self.0.push(Round::default());
        }
        self.0.last_mut().expect("one was put there")
    }
}

impl Inner {
    /// Puts a request into a round, unless it can be answered at once or nobody waits for it any more.
    fn put(self: &Arc<Inner>, ask: Ask, round: &mut Round) -> Option<Ask> {
        if ask.reply.is_closed() {
            return None;
        }
        let Ask { claims, tokens, now_ms, reply } = ask;
        let mut locked = self.shards.lock(&claims);
        let answer = match locked.admit(&claims, tokens, now_ms, Holding::Shared) {
            Fit::Yes => Ok(()),
            Fit::No(denial) => Err(denial),
            Fit::Ask => {
                let mut lines = Vec::new();
                for claim in claims.iter().enumerate() {
                    round.lines(claim, locked.account(claim.1), tokens, now_ms, &mut lines);
                }
                round.ask(lines);
                drop(locked);
                return Some(Ask { claims, tokens, now_ms, reply });
            }
        };
        drop(locked);
        let _ = reply.send(answer.map(|()| LimitPermit::new(self, claims, tokens, now_ms)));
        None
    }

    fn answered(self: &Arc<Inner>, round: &Round, asks: Vec<Ask>, answer: Answer, now_ms: u64) {
        // What was granted is taken before the rest of it can be given to others.
        for (lines, verdict) in round.asks.iter().zip(&answer.verdicts) {
            for line in lines.iter().filter(|_| verdict.is_ok()) {
                let report = &round.reports[line.report];
                self.shards.named(&report.account, |account| report.take(account, line));
            }
        }
        for (report, (others, held)) in round.reports.iter().zip(answer.counters) {
            self.shards.named(&report.account, |account| report.answered(account, others, held, now_ms));
        }
        for ((ask, lines), verdict) in asks.into_iter().zip(&round.asks).zip(answer.verdicts) {
            let answer = match verdict {
                Ok(()) => Ok(LimitPermit::new(self, ask.claims, ask.tokens, ask.now_ms)),
                Err(line) => {
                    let (line, claims) = (&lines[line], &ask.claims);
                    let Some(claim) = claims.iter().nth(line.claim) else { continue };
                    let report = &round.reports[line.report];
                    Err(report.denial(self.shards.lock(claims).account(claim), claim, line, now_ms))
                }
            };
            // A permit that nobody waits for any more gives back what it took.
            let _ = ask.reply.send(answer);
        }
    }

    pub(super) fn went_away(&self, why: &str) {
        let settings = self.settings();
        let Some(address) = &settings.address else { return };
        let mode = away(&settings);
        self.set_mode(mode);
        if !self.outage.swap(true, Ordering::Relaxed) {
            let what = match mode {
                Mode::AwayRefuse => "requests are refused where it is not sure that they are within their rate limits",
                _ => "each replica holds the rate limits by itself",
            };
            tracing::warn!(redis = %address, error = why, "{what} until Redis is back");
        }
    }

    fn is_back(&self, settings: &Settings) {
        let own = self.settings();
        if self.mode() != Mode::Shared && *own == *settings {
            self.set_mode(Mode::Shared);
            self.outage.store(false, Ordering::Relaxed);
            if let Some(address) = &own.address {
                tracing::info!(redis = %address, "rate limits are held together with the other replicas");
            }
        }
    }
}
