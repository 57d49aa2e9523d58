//! What a request may spend. It ends exactly once: settled, released, or, when it is dropped, taken to have cost what was held.

use std::sync::Arc;

use tollgate_policy::budget::{Capped, Estimate, Pot, PotKey};

use super::Shared;
use super::journal::JournalError;
use super::line::Line;
use crate::ledger::{Begun, Charge, Counted, Status};

/// Held in the book. Dropped, it is given back.
pub(super) struct Held {
    shared: Arc<Shared>,
    pots: Vec<Capped>,
    nanos: u64,
    pub output_tokens: u64,
}

impl Held {
    pub fn new(shared: Arc<Shared>, pots: Vec<Capped>, nanos: u64, output_tokens: u64) -> Held {
        Held { shared, pots, nanos, output_tokens }
    }

    fn settle(mut self, cost_nanos: u64) {
        let keys = self.take_keys();
        self.shared.book().settle(&keys, self.nanos, cost_nanos);
    }

    /// From here on dropping it gives nothing back.
    fn take_keys(&mut self) -> Vec<PotKey> {
        std::mem::take(&mut self.pots).into_iter().map(|pot| pot.key).collect()
    }

    /// Of the same pots.
    fn absorb(&mut self, mut more: Held) {
        more.take_keys();
        self.nanos = self.nanos.saturating_add(more.nanos);
        self.output_tokens = more.output_tokens;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let keys = self.take_keys();
        if !keys.is_empty() {
            self.shared.book().release(&keys, self.nanos);
        }
    }
}

pub struct Reservation(Option<Open>);

struct Open {
    shared: Arc<Shared>,
    begun: Begun,
    /// `None`: it cannot cost anything.
    held: Option<Held>,
    /// At the deployment that it is sent to, if that one has pots of its own.
    there: Option<Held>,
    /// So many of the pots are the caller's; those behind them are the deployment's.
    own: usize,
    /// Of one attempt, with the output that is paid for.
    estimate: Estimate,
}

impl Reservation {
    pub(super) fn free(shared: Arc<Shared>, begun: Begun, estimate: Estimate) -> Reservation {
        let own = begun.pots.len();
        Reservation(Some(Open { shared, begun, held: None, there: None, own, estimate }))
    }

    pub(super) fn held(held: Held, begun: Begun, estimate: Estimate) -> Result<Reservation, JournalError> {
        let (shared, estimate) = (held.shared.clone(), estimate.up_to(held.output_tokens));
        shared.journal.hold(&begun, held.nanos)?;
        let own = begun.pots.len();
        Ok(Reservation(Some(Open { shared, begun, held: Some(held), there: None, own, estimate })))
    }

    /// When the request began, if going to a deployment with these pots changes anything.
    pub(super) fn moves_to(&self, pots: &[Pot]) -> Option<u64> {
        let open = self.0.as_ref().filter(|open| open.held.is_some())?;
        (!pots.is_empty() || open.there.is_some()).then_some(open.begun.at_ms)
    }

    /// It is at another deployment from here on. The journal knows before anything is sent there; of several lines for one charge the last counts.
    pub(super) fn go(&mut self, there: Held, counted: Vec<Counted>) -> Result<(), JournalError> {
        let nanos = self.held_nanos();
        let Some(open) = &mut self.0 else { return Ok(()) };
        let deployments = !counted.is_empty();
        let before = open.begun.pots.clone();
        open.begun.pots.truncate(open.own);
        open.begun.pots.extend(counted);
        if let Err(error) = open.shared.journal.hold(&open.begun, nanos) {
            open.begun.pots = before;
            return Err(error);
        }
        open.there = deployments.then_some(there);
        Ok(())
    }

    /// What another attempt can cost beside what is held, in which pots, and when the request began. `None`: nothing.
    pub(super) fn needs(&self, spent_nanos: u64, more_input: u64) -> Option<(Vec<Capped>, Estimate, u64)> {
        let open = self.0.as_ref()?;
        let held = open.held.as_ref()?;
        let estimate = open.estimate.longer(more_input).plus(spent_nanos).beside(held.nanos);
        (estimate.whole_nanos() > 0).then(|| (held.pots.clone(), estimate, open.begun.at_ms))
    }

    /// The output that is paid for now, if it is less than before.
    pub(super) fn add(&mut self, more: Held) -> Result<Option<u64>, JournalError> {
        let Some(Open { shared, begun, held: Some(held), estimate, .. }) = &mut self.0 else { return Ok(None) };
        // The later line counts.
        shared.journal.hold(begun, held.nanos.saturating_add(more.nanos))?;
        held.absorb(more);
        let before = estimate.output_tokens();
        *estimate = estimate.up_to(held.output_tokens);
        Ok(Some(held.output_tokens).filter(|now| *now < before))
    }

    /// The output that is paid for: never more than was asked for.
    pub fn output_tokens(&self) -> u64 {
        self.0.as_ref().map_or(0, |open| open.estimate.output_tokens())
    }

    pub fn held_nanos(&self) -> u64 {
        self.0.as_ref().and_then(|open| open.held.as_ref()).map_or(0, |held| held.nanos)
    }

    /// The request ended. It may cost more than was held: usage is what it is.
    pub fn settle(mut self, charge: Charge) {
        self.end(charge);
    }

    /// The request ended before anything could be used, and is not to be in the ledger.
    pub fn release(mut self) {
        if let Some(open) = self.0.take()
            && open.held.is_some()
        {
            open.shared.journal.end(&open.begun.charge, &Line::Release { charge: open.begun.charge.clone() });
        }
    }

    fn end(&mut self, of: Charge) {
        let Some(Open { shared, begun, held, there, .. }) = self.0.take() else { return };
        let (charge, cost_nanos) = (begun.charge.clone(), of.cost_nanos);
        match held {
            Some(held) => {
                shared.journal.end(&charge, &Line::Settle { charge: charge.clone(), of });
                held.settle(cost_nanos);
                there.into_iter().for_each(|there| there.settle(cost_nanos));
            }
            None => shared.journal.end(&charge, &Line::Free { begun, of }),
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let cost_nanos = self.held_nanos();
        self.end(Charge { cost_nanos, estimated: true, status: Status::Interrupted, ..Charge::default() });
    }
}
