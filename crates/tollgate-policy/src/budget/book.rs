//! What one replica knows of its leases.

use std::collections::HashMap;

use super::{Capped, Denial, Estimate, PotKey, Standing};
use crate::window::Window;

/// What the database said a pot holds is believed for so long, when it was too little: a caller that is over its budget and
/// keeps asking costs one look a second.
const DRY_MS: u64 = 1_000;
/// Pots that nobody used for so long are forgotten. Until then they can serve while the database is away.
const FORGET_AFTER_MS: u64 = 600_000;
/// Pots that are kept at most, beside those in use.
const MOST_IDLE: usize = 100_000;

#[derive(Debug, Default)]
pub struct Book {
    purses: HashMap<PotKey, Purse>,
    /// When the database last answered, by the clock that the windows are counted in.
    last_answer_ms: u64,
    replicas: u32,
}

#[derive(Debug)]
struct Purse {
    /// The cap that the lease was given under.
    cap_nanos: u64,
    end_ms: Option<u64>,
    leased_nanos: u64,
    /// Reserved by requests under way.
    held_nanos: u64,
    /// Settled, and not yet in the database.
    pending_nanos: u64,
    /// As of the last visit, kept up with what was applied since.
    seen: Option<Standing>,
    /// The lease is being changed, or it is not known what became of a change: it counts for nothing until the next visit.
    unsure: bool,
    /// The database had no more to give.
    dry_until_ms: u64,
    /// When something was last reserved from it: a caller that is refused for another pot must not keep this lease from the others.
    used_at_ms: u64,
}

/// How hard a reservation may try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stance {
    /// The database can be asked for more.
    CanAsk,
    /// It was: now it is decided.
    Asked,
    /// It is away: what it last said has to do.
    Away,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// So much is held in every pot, which pays for so many output tokens.
    Held {
        nanos: u64,
        output_tokens: u64,
    },
    /// The leases of these pots do not do.
    Short(Vec<Capped>),
    Denied(Denial),
    /// The database is away, and nothing is known of this pot.
    Unknown(PotKey),
}

/// A question to the database: how much of this pot does this replica get?
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Visit {
    pub key: PotKey,
    pub cap_nanos: u64,
    pub end_ms: Option<u64>,
    /// Held or spent already.
    pub committed_nanos: u64,
    /// Wanted beside that. Nothing: the idle part goes back.
    pub wanted_nanos: u64,
}

/// The database's answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Leased {
    pub nanos: u64,
    pub standing: Standing,
}

impl Purse {
    fn new(pot: &Capped, now_ms: u64) -> Purse {
        Purse {
            cap_nanos: pot.cap_nanos,
            end_ms: pot.end_ms,
            leased_nanos: 0,
            held_nanos: 0,
            pending_nanos: 0,
            seen: None,
            unsure: false,
            dry_until_ms: 0,
            used_at_ms: now_ms,
        }
    }

    fn committed(&self) -> u64 {
        self.held_nanos.saturating_add(self.pending_nanos)
    }

    /// What can still be reserved. Negative after answers that cost more than was held for them.
    fn room(&self, cap_nanos: u64) -> i128 {
        // A lease of a cap that was lowered may be too much of it.
        let leased = if self.unsure || cap_nanos < self.cap_nanos { 0 } else { self.leased_nanos };
        i128::from(leased) - i128::from(self.committed())
    }

    /// What can be reserved while the database is away: the lease, and a fair share of what nobody had.
    fn room_away(&self, cap_nanos: u64) -> Option<i128> {
        let seen = self.seen?;
        let rest = cap_nanos.saturating_sub(seen.spent_nanos).saturating_sub(seen.others_nanos);
        let leased = self.leased_nanos.min(rest);
        let reach = leased + (rest - leased) / u64::from(seen.replicas.max(1));
        Some(i128::from(reach) - i128::from(self.committed()))
    }
}

impl Book {
    /// Takes the estimate from all pots or from none. `now_ms` is any clock that never goes back.
    pub fn reserve(&mut self, pots: &[Capped], estimate: &Estimate, stance: Stance, now_ms: u64) -> Answer {
        let whole = i128::from(estimate.whole_nanos());
        let mut short = Vec::new();
        let mut tightest: Option<(i128, &Capped)> = None;
        for pot in pots {
            let Some(room) = self.room(pot, stance, now_ms) else { return Answer::Unknown(pot.key.clone()) };
            if room < whole && stance == Stance::CanAsk && !self.is_dry(pot, now_ms) {
                short.push(pot.clone());
            }
            if tightest.is_none_or(|(least, _)| room < least) {
                tightest = Some((room, pot));
            }
        }
        if !short.is_empty() {
            return Answer::Short(short);
        }
        let output_tokens = match tightest {
            None => estimate.output_tokens(),
            Some((room, pot)) => match estimate.affordable(u64::try_from(room).unwrap_or(0)) {
                Some(tokens) if room >= 0 => tokens,
                _ => return Answer::Denied(self.denial(pot, estimate)),
            },
        };
        let nanos = estimate.nanos(output_tokens);
        for pot in pots {
            self.change(&pot.key, |purse| {
                purse.held_nanos = purse.held_nanos.saturating_add(nanos);
                purse.used_at_ms = now_ms;
            });
        }
        Answer::Held { nanos, output_tokens }
    }

    /// A request ended and cost so much, perhaps more than was held.
    pub fn settle(&mut self, keys: &[PotKey], held_nanos: u64, cost_nanos: u64) {
        for key in keys {
            self.change(key, |purse| {
                purse.held_nanos = purse.held_nanos.saturating_sub(held_nanos);
                purse.pending_nanos = purse.pending_nanos.saturating_add(cost_nanos);
            });
        }
    }

    /// A request ended and cost nothing.
    pub fn release(&mut self, keys: &[PotKey], held_nanos: u64) {
        for key in keys {
            self.change(key, |purse| purse.held_nanos = purse.held_nanos.saturating_sub(held_nanos));
        }
    }

    /// What was settled is in the database, which took `covered_nanos` of it from the lease.
    pub fn applied(&mut self, key: &PotKey, cost_nanos: u64, covered_nanos: u64) {
        self.change(key, |purse| {
            purse.pending_nanos = purse.pending_nanos.saturating_sub(cost_nanos);
            purse.leased_nanos = purse.leased_nanos.saturating_sub(covered_nanos);
            // The lease was too small, or others took it back from a process that had been silent for long.
            purse.unsure |= covered_nanos < cost_nanos;
            if let Some(seen) = &mut purse.seen {
                seen.spent_nanos = seen.spent_nanos.saturating_add(cost_nanos);
            }
        });
    }

    /// Until [`Book::visited`] nothing is reserved from the pot.
    pub fn visit(&mut self, pot: &Capped, wanted_nanos: u64, now_ms: u64) -> Visit {
        let purse = self.purse(pot, now_ms);
        purse.unsure = true;
        let (key, cap_nanos, end_ms) = (pot.key.clone(), pot.cap_nanos, pot.end_ms);
        Visit { key, cap_nanos, end_ms, committed_nanos: purse.committed(), wanted_nanos }
    }

    /// Visits that give back what was not used for a time.
    pub fn return_idle(&mut self, idle_ms: u64, now_ms: u64) -> Vec<Visit> {
        self.give_back(|_, purse| purse.used_at_ms.saturating_add(idle_ms) <= now_ms)
    }

    /// Visits that give back what is left of earlier parts of a rolling window, as it counts in the present one.
    pub fn return_parts(&mut self, present: &PotKey) -> Vec<Visit> {
        if !matches!(present.window, Window::Rolling(_)) {
            return Vec::new();
        }
        self.give_back(|key, _| {
            key.start_ms < present.start_ms && *key == PotKey { start_ms: key.start_ms, ..present.clone() }
        })
    }

    fn give_back(&mut self, which: impl Fn(&PotKey, &Purse) -> bool) -> Vec<Visit> {
        let mut visits = Vec::new();
        for (key, purse) in &mut self.purses {
            let something_to_do = purse.unsure || purse.leased_nanos > purse.committed();
            if something_to_do && which(key, purse) {
                purse.unsure = true;
                let (key, cap_nanos, end_ms) = (key.clone(), purse.cap_nanos, purse.end_ms);
                visits.push(Visit { key, cap_nanos, end_ms, committed_nanos: purse.committed(), wanted_nanos: 0 });
            }
        }
        visits
    }

    /// `at_ms`: by the clock that windows are counted in.
    pub fn visited(&mut self, visit: &Visit, leased: Leased, now_ms: u64, at_ms: u64) {
        self.last_answer_ms = self.last_answer_ms.max(at_ms);
        self.replicas = leased.standing.replicas;
        self.change(&visit.key, |purse| {
            purse.cap_nanos = visit.cap_nanos;
            purse.leased_nanos = leased.nanos;
            purse.seen = Some(leased.standing);
            purse.unsure = false;
            let short = leased.nanos < visit.committed_nanos.saturating_add(visit.wanted_nanos);
            purse.dry_until_ms = if short { now_ms + DRY_MS } else { 0 };
        });
    }

    /// The database may have done something of which it did not say that it is done.
    pub fn doubt(&mut self) {
        self.purses.values_mut().for_each(|purse| purse.unsure = true);
    }

    /// Drops what nobody needs.
    pub fn forget(&mut self, now_ms: u64) {
        let most = if self.purses.len() > MOST_IDLE { FORGET_AFTER_MS / 10 } else { FORGET_AFTER_MS };
        self.purses.retain(|_, purse| {
            let empty = purse.committed() == 0 && purse.leased_nanos == 0;
            !empty || purse.used_at_ms.saturating_add(most) > now_ms
        });
    }

    /// Held by requests under way, and settled but not yet in the database.
    pub fn committed(&self, key: &PotKey) -> (u64, u64) {
        self.purses.get(key).map_or((0, 0), |purse| (purse.held_nanos, purse.pending_nanos))
    }

    /// What the pot has spent, as far as this replica knows. `None`: it has not asked yet.
    pub fn spent(&self, key: &PotKey) -> Option<u64> {
        let purse = self.purses.get(key)?;
        Some(purse.seen?.spent_nanos.saturating_add(purse.pending_nanos))
    }

    fn room(&mut self, pot: &Capped, stance: Stance, now_ms: u64) -> Option<i128> {
        // A window that began while the database was away is as good as untouched.
        let untouched = (pot.key.start_ms > self.last_answer_ms && self.replicas > 0).then_some(Standing {
            spent_nanos: 0,
            others_nanos: 0,
            replicas: self.replicas,
        });
        let purse = self.purse(pot, now_ms);
        match stance {
            Stance::Away => {
                purse.seen = purse.seen.or(untouched);
                purse.room_away(pot.cap_nanos)
            }
            Stance::CanAsk | Stance::Asked => Some(purse.room(pot.cap_nanos)),
        }
    }

    fn is_dry(&self, pot: &Capped, now_ms: u64) -> bool {
        self.purses
            .get(&pot.key)
            .is_some_and(|purse| !purse.unsure && now_ms < purse.dry_until_ms && purse.cap_nanos == pot.cap_nanos)
    }

    fn denial(&self, pot: &Capped, estimate: &Estimate) -> Denial {
        let purse = self.purses.get(&pot.key);
        let seen = purse.and_then(|purse| purse.seen);
        let (held, pending) = self.committed(&pot.key);
        Denial {
            pot: pot.clone(),
            spent_nanos: seen.map_or(0, |seen| seen.spent_nanos).saturating_add(pending),
            held_nanos: seen.map_or(0, |seen| seen.others_nanos).saturating_add(held),
            asked_nanos: estimate.least_nanos(),
        }
    }

    fn purse(&mut self, pot: &Capped, now_ms: u64) -> &mut Purse {
        self.purses.entry(pot.key.clone()).or_insert_with(|| Purse::new(pot, now_ms))
    }

    fn change(&mut self, key: &PotKey, change: impl FnOnce(&mut Purse)) {
        if let Some(purse) = self.purses.get_mut(key) {
            change(purse);
        }
    }
}
