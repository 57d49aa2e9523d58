//! Whose turn is it, when more requests want to go than may?
//!
//! - **Tenants take turns** (weighted round robin). A tenant's turn is as many requests as its weight, and one that comes (back) joins at the
//!   end of the round: time without a request gives no credit. So of n tenants with equal weights that always have one waiting each
//!   gets 1/n of what goes, and a newcomer waits for one turn of each of the others at most, however many requests they have waiting.
//! - **Interactive before batch.** A batch request goes when no interactive one can, and besides that one after every round of the
//!   interactive tenants, but no sooner than after eight interactive requests. So batch work never stands still, and the
//!   interactive tenants, n of them, still have 1/(n+1) each.
//! - **Priorities order a tenant's own requests** and nobody else's: urgency is easily claimed.
//! - **Bounded.** When the queue is full, batch gives way to interactive. Within a class the tenant with the most waiting gives way, with the
//!   request that would go last, to one that would still have fewer; else the new request is refused. So one tenant alone may fill the queue, but
//!   shuts nobody out, and among many each comes to have an equal part of the places, without a setting for each.
//! - **Deadlines.** What has waited too long is taken out by [`FairQueue::expire`].

mod ring;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;

use ring::Ring;

/// So many interactive requests go between two batch ones at least.
const BEFORE_BATCH: usize = 8;

/// A place in the queue. Later ones are greater.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Ticket(u64);

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Class {
    /// Somebody waits for the answer.
    #[default]
    Interactive,
    Batch,
}

/// A request that wants a place.
#[derive(Clone, Copy, Debug)]
pub struct Arrival<T> {
    pub tenant: T,
    /// Requests in one turn; 0 counts as 1.
    pub weight: u32,
    pub class: Class,
    /// Among the tenant's own; lower goes first.
    pub priority: i64,
}

/// A place that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Taken {
    pub ticket: Ticket,
    /// The place was another's, who has none any more.
    pub gave_way: Option<Ticket>,
}

/// No place is left, and nobody gives way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

#[derive(Debug)]
pub struct FairQueue<T> {
    interactive: Ring<T>,
    batch: Ring<T>,
    waiting: HashMap<Ticket, Waiting<T>>,
    deadlines: BTreeSet<(u64, Ticket)>,
    next: u64,
    /// Interactive requests that went since a batch one did, while one waited.
    passed_by: usize,
}

#[derive(Debug)]
struct Waiting<T> {
    tenant: T,
    class: Class,
    priority: i64,
    deadline_ms: u64,
}

impl<T> Default for FairQueue<T> {
    fn default() -> Self {
        FairQueue {
            interactive: Ring::default(),
            batch: Ring::default(),
            waiting: HashMap::new(),
            deadlines: BTreeSet::new(),
            next: 0,
            passed_by: 0,
        }
    }
}

impl<T: Clone + Eq + Hash> FairQueue<T> {
    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Takes a place, until the deadline. No more than `most` wait.
    pub fn push(&mut self, arrival: Arrival<T>, deadline_ms: u64, most: usize) -> Result<Taken, Full> {
        let gave_way = match self.len() < most {
            true => None,
            false => Some(self.gives_way(&arrival).ok_or(Full)?),
        };
        if let Some(ticket) = gave_way {
            self.cancel(ticket);
        }
        let ticket = Ticket(self.next);
        self.next += 1;
        let Arrival { tenant, weight, class, priority } = arrival;
        self.ring(class).push(tenant.clone(), weight.max(1), (priority, ticket));
        self.waiting.insert(ticket, Waiting { tenant, class, priority, deadline_ms });
        self.deadlines.insert((deadline_ms, ticket));
        Ok(Taken { ticket, gave_way })
    }

    /// One that was taken out and could not go after all: it goes before all others of its class, in the same place until the same deadline.
    pub fn put_back(&mut self, ticket: Ticket, arrival: Arrival<T>, deadline_ms: u64) {
        let Arrival { tenant, weight, class, priority } = arrival;
        self.ring(class).put_back(tenant.clone(), weight.max(1), (priority, ticket));
        self.passed_by = match class {
            Class::Interactive => self.passed_by.saturating_sub(1),
            Class::Batch => BEFORE_BATCH.max(self.interactive.tenants()),
        };
        self.waiting.insert(ticket, Waiting { tenant, class, priority, deadline_ms });
        self.deadlines.insert((deadline_ms, ticket));
    }

    fn gives_way(&self, arrival: &Arrival<T>) -> Option<Ticket> {
        let ring = match arrival.class {
            Class::Interactive if !self.batch.is_empty() => return self.batch.last_of_longest(0),
            Class::Interactive => &self.interactive,
            Class::Batch => &self.batch,
        };
        ring.last_of_longest(ring.len_of(&arrival.tenant) + 2)
    }

    /// Takes out the request whose turn it is, of those that could go now. Who cannot keeps its turn.
    pub fn pop(&mut self, can_go: impl Fn(Ticket) -> bool) -> Option<Ticket> {
        let batch_is_due = self.passed_by >= BEFORE_BATCH.max(self.interactive.tenants());
        let order = match batch_is_due {
            true => [Class::Batch, Class::Interactive],
            false => [Class::Interactive, Class::Batch],
        };
        let (class, ticket) = order.into_iter().find_map(|class| Some((class, self.ring(class).pop(&can_go)?)))?;
        self.passed_by = match class {
            Class::Interactive if !self.batch.is_empty() => self.passed_by + 1,
            _ => 0,
        };
        if let Some(gone) = self.waiting.remove(&ticket) {
            self.deadlines.remove(&(gone.deadline_ms, ticket));
        }
        Some(ticket)
    }

    /// Gives a place up. False: there is no such place any more.
    pub fn cancel(&mut self, ticket: Ticket) -> bool {
        let Some(gone) = self.waiting.remove(&ticket) else { return false };
        self.deadlines.remove(&(gone.deadline_ms, ticket));
        self.ring(gone.class).remove(&gone.tenant, (gone.priority, ticket));
        true
    }

    /// Takes out those whose deadline has come.
    pub fn expire(&mut self, now_ms: u64) -> Vec<Ticket> {
        let due = self.deadlines.iter().take_while(|(deadline_ms, _)| *deadline_ms <= now_ms);
        let due: Vec<Ticket> = due.map(|(_, ticket)| *ticket).collect();
        due.iter().for_each(|&ticket| {
            self.cancel(ticket);
        });
        due
    }

    /// How many go before this one if nobody comes, nobody leaves, and each can go when it is its turn. For a batch request all
    /// interactive ones count, though it may well go before the last of them.
    pub fn position(&self, ticket: Ticket) -> Option<usize> {
        let Waiting { tenant, class, priority, .. } = self.waiting.get(&ticket)?;
        match class {
            Class::Interactive => self.interactive.position(tenant, (*priority, ticket)),
            Class::Batch => Some(self.interactive.len() + self.batch.position(tenant, (*priority, ticket))?),
        }
    }

    fn ring(&mut self, class: Class) -> &mut Ring<T> {
        match class {
            Class::Interactive => &mut self.interactive,
            Class::Batch => &mut self.batch,
        }
    }
}
