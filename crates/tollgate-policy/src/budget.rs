//! Hard budgets. A *pot* is what one scope may spend within one window; a request reserves from all pots of its caller at once
//! or from none, and settles what it used.
//!
//! Replicas spend from *leases*: parts of a pot that the database has set aside for one of them. A [`Book`] is a replica's view of
//! its leases, [`lease`] the database's rule for handing them out. As the database keeps `spent + Σ leases ≤ cap`, and a book
//! reserves within its lease only, N replicas together never reserve more than the cap.

mod book;
mod chain;
mod estimate;

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::access::{Increase, ScopeKind};
use crate::price::dollars;
use crate::window::{Span, Window};
pub use book::{Answer, Book, Leased, Stance, Visit};
pub use chain::pots_of;
pub use estimate::{CacheWrites, Estimate};

#[cfg(test)]
mod tests;

/// What a scope may spend, all windows of it. Without a cap it is only counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pot {
    pub kind: ScopeKind,
    pub id: Arc<str>,
    /// A route's name or a wildcard; empty: all models.
    pub model: Arc<str>,
    pub window: Window,
    pub max_nanos: Option<u64>,
    pub increase: Option<Increase>,
    /// Spending over this is told, not stopped.
    pub soft_nanos: Option<u64>,
}

impl Pot {
    pub fn cap_nanos(&self, at_ms: u64) -> Option<u64> {
        let more = self.increase.filter(|increase| at_ms < increase.until_ms).map_or(0, |increase| increase.nanos);
        self.max_nanos.map(|max| max.saturating_add(more))
    }

    pub fn key(&self, span: Span) -> PotKey {
        let (kind, id, model, window) = (self.kind, self.id.clone(), self.model.clone(), self.window);
        PotKey { kind, id, model, window, start_ms: span.start_ms }
    }
}

/// A pot within one window.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PotKey {
    pub kind: ScopeKind,
    pub id: Arc<str>,
    pub model: Arc<str>,
    pub window: Window,
    pub start_ms: u64,
}

/// A pot that holds a request back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Capped {
    pub key: PotKey,
    pub cap_nanos: u64,
    pub end_ms: Option<u64>,
}

/// Why a request may not spend.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    /// The pot with the least left.
    pub pot: Capped,
    /// As far as this replica knows.
    pub spent_nanos: u64,
    /// Set aside: for requests under way here, and for other replicas.
    pub held_nanos: u64,
    /// The least that the request would cost.
    pub asked_nanos: u64,
}

impl Denial {
    /// What is left would do, once requests under way cost less than was held for them.
    pub fn may_pass(&self) -> bool {
        self.spent_nanos.saturating_add(self.asked_nanos) <= self.pot.cap_nanos
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let key = &self.pot.key;
        let kind = key.kind.word().replace('_', " ");
        write!(f, "the budget of {kind} `{}`", key.id)?;
        if !key.model.is_empty() {
            write!(f, " for model `{}`", key.model)?;
        }
        let (cap, spent, held) = (self.pot.cap_nanos, self.spent_nanos, self.held_nanos);
        write!(f, " is ${} ({}): ${} spent", dollars(cap), key.window.word(), dollars(spent))?;
        if held > 0 {
            write!(f, ", ${} held for requests under way", dollars(held))?;
        }
        write!(f, ", and this request needs ${}", dollars(self.asked_nanos))
    }
}

/// What the database knows of a pot when a replica asks for a lease of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    pub spent_nanos: u64,
    /// Leases of other replicas.
    pub others_nanos: u64,
    /// Replicas that are alive, the one that asks included.
    pub replicas: u32,
}

/// The lease that a replica gets in place of the one it had: what it is committed to, what it wants beside that, and a share of
/// the rest, so that not every request asks. The share shrinks with the rest: near the cap every replica still gets something.
pub fn lease(cap_nanos: u64, standing: Standing, visit: &Visit) -> u64 {
    let free = cap_nanos.saturating_sub(standing.spent_nanos).saturating_sub(standing.others_nanos);
    let asked = visit.committed_nanos.saturating_add(visit.wanted_nanos);
    let share = match visit.wanted_nanos {
        0 => 0,
        _ => free.saturating_sub(asked) / (2 * u64::from(standing.replicas.max(1))),
    };
    // What is committed is spent already, or promised: it is never less.
    asked.saturating_add(share).min(free).max(visit.committed_nanos)
}
