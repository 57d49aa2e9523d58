//! How replicas keep a limit together without asking each other for every request.
//!
//! Each replica has one figure in each counter: what it *holds*. The sum of all never exceeds the limit, because a replica
//! raises its own in a single step that looks at the others'. It holds a little more than it uses, so that most requests ask
//! nobody, and gives back what it does not come to use. The figures are absolute: telling one twice, or again after it was
//! lost, does no harm.
//!
//! A [`Round`] is what one replica tells and asks at once, with one answer. While it is under way the rest of what is held in its
//! counters is not given out here, so that the answer can be reckoned from what was told.

use std::collections::HashMap;
use std::sync::Arc;

use super::account::Meter;
use super::{Account, Claim, Denial, Dimension, Holding, Tokens};

/// What this replica tells of one counter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    pub account: Arc<str>,
    pub dimension: Dimension,
    pub window: u64,
    pub used: u64,
    /// At least `used`.
    pub held: u64,
}

/// What a request needs of one counter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// Which of the round's reports.
    pub report: usize,
    /// Which of the request's claims.
    pub claim: usize,
    /// What must be left, and what is taken of it.
    pub room: u64,
    pub count: u64,
    pub limit: u64,
    /// Others wait for the same: it is their turn first if they have less or have waited longer.
    pub waits: bool,
}

#[derive(Debug, Default)]
pub struct Round {
    pub reports: Vec<Report>,
    /// One entry for each request: all of its lines are granted, or none.
    pub asks: Vec<Vec<Line>>,
    known: HashMap<(Arc<str>, Dimension, u64), usize>,
}

/// What is to be told of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Telling {
    /// What the others should know soon.
    News,
    /// What is held for nothing.
    Rest,
    /// Everything, as to somebody who knows nothing.
    All,
}

impl Round {
    pub fn is_empty(&self) -> bool {
        self.reports.is_empty() && self.asks.is_empty()
    }

    /// Adds a request, all of whose lines were made by [`Round::lines`].
    pub fn ask(&mut self, mut lines: Vec<Line>) {
        // The first that has no room is the one that is told, so those that last longest go first.
        lines.sort_by_key(|line| self.reports[line.report].dimension);
        self.asks.push(lines);
    }

    /// What a request needs of one of its claims.
    pub fn lines(
        &mut self,
        (index, claim): (usize, &Claim),
        account: &mut Account,
        tokens: Tokens,
        now_ms: u64,
        lines: &mut Vec<Line>,
    ) {
        for (dimension, limit) in claim.lines() {
            let report = self.report(&claim.account, account.meter(dimension, now_ms), Meter::without_free_places);
            let (room, count, waits) =
                (dimension.room(tokens), dimension.count(tokens), claim.is_waited_for(dimension));
            lines.push(Line { report, claim: index, room, count, limit, waits });
        }
    }

    pub fn tell(&mut self, name: &Arc<str>, account: &mut Account, what: Telling, now_ms: u64) {
        for meter in account.meters() {
            let of_now = meter.window >= meter.dimension.window(now_ms);
            match what {
                _ if !of_now => {}
                Telling::News if meter.is_news() => {
                    self.report(name, meter, Meter::without_free_places);
                }
                Telling::Rest if meter.worth_holding() < meter.held => {
                    self.report(name, meter, Meter::worth_holding);
                    meter.looked_at = meter.used;
                }
                Telling::Rest => meter.looked_at = meter.used,
                // Nothing is told as well: a round whose answer was lost may have left something there.
                Telling::All => {
                    self.report(name, meter, Meter::without_free_places);
                }
                _ => {}
            }
        }
    }

    fn report(&mut self, account: &Arc<str>, meter: &mut Meter, held: fn(&Meter) -> u64) -> usize {
        let reports = &mut self.reports;
        *self.known.entry((account.clone(), meter.dimension, meter.window)).or_insert_with(|| {
            let (dimension, window, used) = (meter.dimension, meter.window, meter.used);
            reports.push(Report { account: account.clone(), dimension, window, used, held: held(meter) });
            (meter.held, meter.in_round) = (meter.used, true);
            reports.len() - 1
        })
    }
}

impl Report {
    /// The others' word for it: what they hold, and what this replica holds now.
    pub fn answered(&self, account: &mut Account, others: u64, held: u64, now_ms: u64) {
        if let Some(meter) = self.meter(account) {
            (meter.held, meter.others, meter.answered_ms) = (held, others, Some(now_ms));
            meter.in_round = false;
        }
    }

    /// Nobody answered: what was held is still held, as far as anybody knows.
    pub fn unanswered(&self, account: &mut Account) {
        if let Some(meter) = self.meter(account) {
            (meter.held, meter.in_round) = (self.held, false);
        }
    }

    /// A request that was granted takes its part; before [`Report::answered`], which frees the rest.
    pub fn take(&self, account: &mut Account, line: &Line) {
        if let Some(meter) = self.meter(account) {
            meter.used = meter.used.saturating_add(line.count);
        }
    }

    pub fn denial(&self, account: &mut Account, claim: &Claim, line: &Line, now_ms: u64) -> Denial {
        account.meter(self.dimension, now_ms).denial(claim, line.limit, line.room, Holding::Shared)
    }

    fn meter<'a>(&self, account: &'a mut Account) -> Option<&'a mut Meter> {
        account.meters().iter_mut().find(|meter| meter.dimension == self.dimension && meter.window == self.window)
    }
}

impl Meter {
    fn all(&self) -> u64 {
        self.held.max(self.used)
    }

    /// A place that nobody here needs is somebody else's.
    fn without_free_places(&self) -> u64 {
        if self.dimension == Dimension::ParallelRequests { self.used } else { self.all() }
    }

    /// As much as was used since the last look, twice.
    fn worth_holding(&self) -> u64 {
        let more = self.used.saturating_sub(self.looked_at).saturating_mul(2);
        self.held.min(self.used.saturating_add(more)).max(self.used)
    }
}
