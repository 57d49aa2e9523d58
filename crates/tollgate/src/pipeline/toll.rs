//! May a deployment be asked? A request takes its part of the deployment's own limits and is held in its budgets, or goes elsewhere.

use tollgate_policy::limit::{Denial, Tokens};
use tollgate_store::limiter::{LimitDenial, LimitPermit};
use tollgate_store::meter::Denied;

use super::attempt::Driver;
use super::route::Route;
use super::spend::Destination;
use crate::app::Live;
use crate::gate::Slot;
use crate::unix_time::unix_ms;

/// What an attempt has of its deployment. Dropped, it gives its part of the limits back, as if nothing was sent.
pub struct Toll {
    /// `None`: the deployment has no limits of its own, beside the slot.
    permit: Option<LimitPermit>,
    slot: Slot,
}

/// Why the deployment cannot be asked.
pub enum NoPassage {
    AtLimit(Denial),
    /// Redis is away, and the setting is to refuse then.
    Unknown,
    Budget(Denied),
}

impl Toll {
    pub fn new(permit: Option<LimitPermit>, slot: Slot) -> Toll {
        Toll { permit, slot }
    }

    /// The attempt is over, and took so much; `None`: as much as was expected.
    pub fn settle(mut self, took: Option<Tokens>) {
        if let Some(permit) = self.permit.take() {
            let took = took.unwrap_or_else(|| permit.expected());
            permit.settle(took);
            self.slot.reopen();
        }
    }
}

impl Drop for Toll {
    fn drop(&mut self) {
        // Before the slot, so that whoever gets it next finds what was given back.
        if let Some(permit) = self.permit.take() {
            drop(permit);
            self.slot.reopen();
        }
    }
}

impl Driver {
    /// What the request is expected to need of token limits of the route's deployments; 0 where there are none.
    pub(super) fn expected_tokens(&self, live: &Live, route: &Route) -> u64 {
        let counts = route.deployments.iter().any(|&index| live.abilities[index].claims.count_tokens());
        if counts { super::admit::expected_input(live, &self.inbound, route) } else { 0 }
    }

    /// `tokens`: what the request is expected to need of limits on tokens.
    pub(super) async fn pass(
        &mut self,
        destination: &Destination<'_>,
        tokens: u64,
    ) -> Result<Option<LimitPermit>, NoPassage> {
        let abilities = &destination.live.abilities[destination.index];
        let permit = match abilities.claims.is_empty() {
            true => None,
            false => match self.app.limiter.admit(abilities.claims.clone(), tokens, unix_ms()).await {
                Ok(permit) => Some(permit),
                Err(LimitDenial::Limit(denial)) => return Err(NoPassage::AtLimit(denial)),
                Err(LimitDenial::Unknown) => return Err(NoPassage::Unknown),
            },
        };
        let app = self.app.clone();
        if let (Some(store), Some(reservation)) = (app.store(), self.recorder.admission.reservation()) {
            destination.hold(store, reservation, &mut self.inbound).await.map_err(NoPassage::Budget)?;
        }
        Ok(permit)
    }
}
