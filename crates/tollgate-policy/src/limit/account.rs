//! What is counted for one scope.

use super::{Claim, Denial, Dimension, Holding, Tokens};

/// How long an answer of the others is good enough to deny by it, so that a caller who is over a limit and does not stop
/// asks nobody else in between.
const FRESH_MS: u64 = 250;

/// The counters of one scope, each as long as it is of use.
#[derive(Debug, Default)]
pub struct Account {
    meters: Vec<Meter>,
}

/// Counts one dimension in one window.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meter {
    pub dimension: Dimension,
    pub window: u64,
    /// Taken by requests of this replica.
    pub used: u64,
    /// What the others know this replica to have. What is above `used` may be taken without asking them.
    pub held: u64,
    /// What they had when they were asked last, and when that was.
    pub others: u64,
    pub answered_ms: Option<u64>,
    /// `used` when it was looked at last: how fast it grows says how much is worth holding.
    pub looked_at: u64,
    /// The others are being asked, and the answer has to find it here.
    pub in_round: bool,
}

/// Whether a request can be admitted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fit {
    Yes,
    /// Not by what is held here: the others have to be asked.
    Ask,
    No(Denial),
}

impl Fit {
    /// All must fit. Of several denials the one that lasts longest is told.
    pub fn and(self, other: Fit) -> Fit {
        match (self, other) {
            (Fit::No(one), Fit::No(other)) => {
                let later = (other.is_final(), other.resets_at_ms) > (one.is_final(), one.resets_at_ms);
                Fit::No(if later { other } else { one })
            }
            (Fit::No(denial), _) | (_, Fit::No(denial)) => Fit::No(denial),
            (Fit::Ask, _) | (_, Fit::Ask) => Fit::Ask,
            _ => Fit::Yes,
        }
    }
}

impl Account {
    /// Takes nothing.
    pub fn fit(&mut self, claim: &Claim, tokens: Tokens, now_ms: u64, holding: Holding) -> Fit {
        claim.lines().fold(Fit::Yes, |fit, (dimension, limit)| {
            let meter = self.meter(dimension, now_ms);
            let room = dimension.room(tokens);
            let fits = match holding {
                _ if room > limit => Fit::No(meter.denial(claim, limit, room, holding)),
                Holding::Alone if meter.used.saturating_add(room) <= limit => Fit::Yes,
                Holding::Alone => Fit::No(meter.denial(claim, limit, room, holding)),
                Holding::Shared if claim.is_waited_for(dimension) => Fit::Ask,
                Holding::Shared | Holding::Kept if meter.used.saturating_add(room) <= meter.held => Fit::Yes,
                Holding::Shared | Holding::Kept if meter.is_full(limit, room, now_ms) => {
                    Fit::No(meter.denial(claim, limit, room, holding))
                }
                Holding::Shared | Holding::Kept => Fit::Ask,
            };
            fit.and(fits)
        })
    }

    /// Takes what a request is expected to need, after it fits.
    pub fn take(&mut self, claim: &Claim, tokens: Tokens, now_ms: u64) {
        for (dimension, _) in claim.lines() {
            let meter = self.meter(dimension, now_ms);
            meter.used = meter.used.saturating_add(dimension.count(tokens));
        }
    }

    /// Undoes [`Account::take`] at once, since another account has no room.
    pub fn put_back(&mut self, claim: &Claim, tokens: Tokens, now_ms: u64) {
        for (dimension, _) in claim.lines() {
            let meter = self.meter(dimension, now_ms);
            meter.used = meter.used.saturating_sub(dimension.count(tokens));
        }
    }

    /// The request is over: its place is free, and its tokens are what it really took. True: the others should know.
    pub fn settle(&mut self, claim: &Claim, began_ms: u64, expected: Tokens, actual: Tokens) -> bool {
        let after = |dimension: Dimension| match dimension {
            Dimension::ParallelRequests => 0,
            _ => dimension.count(actual),
        };
        self.correct(claim, began_ms, expected, after)
    }

    /// The request was never sent: everything is given back. True: the others should know.
    pub fn release(&mut self, claim: &Claim, began_ms: u64, expected: Tokens) -> bool {
        self.correct(claim, began_ms, expected, |_| 0)
    }

    fn correct(&mut self, claim: &Claim, began_ms: u64, expected: Tokens, after: impl Fn(Dimension) -> u64) -> bool {
        let mut news = false;
        for (dimension, _) in claim.lines() {
            let window = dimension.window(began_ms);
            // A window that is over needs no correction.
            let Some(meter) = self.meters.iter_mut().find(|m| m.dimension == dimension && m.window == window) else {
                continue;
            };
            meter.used = meter.used.saturating_sub(dimension.count(expected)).saturating_add(after(dimension));
            news |= meter.is_news();
        }
        news
    }

    /// By all replicas, as far as is known here.
    pub fn used(&self, dimension: Dimension, now_ms: u64) -> u64 {
        let meter = self.meters.iter().find(|meter| meter.dimension == dimension);
        meter.filter(|meter| meter.window >= dimension.window(now_ms)).map_or(0, |m| m.used.saturating_add(m.others))
    }

    /// Nothing is counted any more.
    pub fn is_idle(&self, now_ms: u64) -> bool {
        self.meters.iter().all(|meter| match meter.dimension {
            Dimension::ParallelRequests => meter.used == 0 && meter.held == 0 && !meter.in_round,
            dimension => meter.window < dimension.window(now_ms),
        })
    }

    /// The counter for now. A window that is over is forgotten.
    pub(super) fn meter(&mut self, dimension: Dimension, now_ms: u64) -> &mut Meter {
        let now = dimension.window(now_ms);
        let index = match self.meters.iter().position(|meter| meter.dimension == dimension) {
            Some(index) => index,
            None => {
                self.meters.push(Meter::new(dimension, now));
                self.meters.len() - 1
            }
        };
        let meter = &mut self.meters[index];
        // A clock that is put back a little does not open a window again; one that was far ahead is not believed.
        if meter.window < now || meter.window > now + 1 {
            *meter = Meter::new(dimension, now);
        }
        meter
    }

    pub(super) fn meters(&mut self) -> &mut [Meter] {
        &mut self.meters
    }
}

impl Meter {
    fn new(dimension: Dimension, window: u64) -> Meter {
        Meter { dimension, window, used: 0, held: 0, others: 0, answered_ms: None, looked_at: 0, in_round: false }
    }

    /// By what the others said a moment ago. Places come and go too quickly for that.
    fn is_full(&self, limit: u64, room: u64, now_ms: u64) -> bool {
        let fresh = self.answered_ms.is_some_and(|at| now_ms.abs_diff(at) < FRESH_MS);
        let full = self.others.saturating_add(self.used).saturating_add(room) > limit;
        fresh && full && self.dimension != Dimension::ParallelRequests
    }

    /// More is used than the others know, or a place that they wait for is free.
    pub(super) fn is_news(&self) -> bool {
        self.used > self.held || (self.dimension == Dimension::ParallelRequests && self.used < self.held)
    }

    pub(super) fn denial(&self, claim: &Claim, limit: u64, needed: u64, holding: Holding) -> Denial {
        let others = if holding == Holding::Alone { 0 } else { self.others };
        Denial {
            kind: claim.kind,
            model: claim.model.clone(),
            dimension: self.dimension,
            limit,
            remaining: limit.saturating_sub(self.used).saturating_sub(others),
            needed,
            resets_at_ms: self.dimension.ends_at_ms(self.window),
        }
    }
}
