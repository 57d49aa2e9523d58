//! A request waits for its turn: nothing is sent to a deployment that has as many requests as it takes.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tollgate_policy::queue::{Arrival, Class};

use super::attempt::Driver;
use super::reply;
use super::route::Route;
use crate::app::Live;
use crate::failure::{Failure, NotAdmitted};
use crate::gate::{Door, Left, Place, Slot};

/// How often one that waits looks whether something has ended by itself.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// The least time that a refused client is told to wait.
const LEAST_RETRY_AFTER: Duration = Duration::from_secs(1);

pub(super) enum Turn {
    Come(Slot),
    /// Meanwhile each of the deployments has asked to be left alone: the choice is to be made anew.
    Barred,
    Refused(Failure),
}

impl Driver {
    /// A slot of one of these deployments, the first of them where several have one: at once, or after a wait.
    pub(super) async fn turn(&mut self, live: &Live, route: &Route, wanted: &[usize]) -> Turn {
        let Some(gate) = wanted.first().map(|&index| live.abilities[index].gate.clone()) else {
            return Turn::Refused(Failure::Internal("a turn at no deployment"));
        };
        let doors = wanted.iter().map(|&index| (index, live.abilities[index].standing()));
        if let Some(slot) = gate.enter(doors) {
            return Turn::Come(slot);
        }
        let rules = live.config.settings.fair_queue;
        let refused = |why| {
            let retry_after = gate.usual_wait().max(LEAST_RETRY_AFTER);
            Turn::Refused(Failure::NotAdmitted { route: route.group.clone(), why, retry_after })
        };
        let full = NotAdmitted::QueueFull { max_waiting: rules.max_waiting };
        let too_long = NotAdmitted::WaitedTooLong { max_wait: rules.max_wait };
        // All waits of a request together, also at its fallbacks, are bounded.
        let patience = rules.max_wait.saturating_sub(self.recorder.queued.unwrap_or_default());
        if patience.is_zero() {
            return refused(too_long);
        }
        let doors: Arc<[Door]> = wanted.iter().map(|&index| live.abilities[index].door(index)).collect();
        let wishes = &self.inbound.wishes;
        let arrival = Arrival {
            tenant: self.inbound.tenant.id,
            weight: super::Tenant::WEIGHT,
            class: if wishes.batch { Class::Batch } else { Class::Interactive },
            priority: wishes.priority,
        };
        let Ok(place) = gate.wait(doors, arrival, patience, rules.max_waiting) else { return refused(full) };
        match self.wait(route, place, patience).await {
            Some(Ok(slot)) => Turn::Come(slot),
            Some(Err(Left::GaveWay)) => refused(full),
            Some(Err(Left::TooLong)) => refused(too_long),
            None => Turn::Barred,
        }
    }

    /// Waits, with the client's stream kept alive; `None`: it is in vain for now.
    async fn wait(&mut self, route: &Route, mut place: Place, patience: Duration) -> Option<Result<Slot, Left>> {
        let began = Instant::now();
        let before = self.recorder.queued.unwrap_or_default();
        self.head_while_waiting(before, began);
        let outcome = loop {
            self.recorder.waits(&route.group, before + began.elapsed(), place.position());
            let look_in = LOOK_EVERY.min(patience.saturating_sub(began.elapsed())).max(Duration::from_millis(1));
            // Nothing is known of the answer yet, so that pings alone keep the stream alive.
            if let Ok(outcome) = self.line.patient(look_in, true, place.turn()).await {
                break Some(outcome);
            }
            place.look();
            if place.is_barred() {
                break None;
            }
        };
        self.recorder.waits(&route.group, before + began.elapsed(), None);
        outcome
    }

    /// The head of a stream that is opened while it waits: it will have waited until then.
    fn head_while_waiting(&mut self, before: Duration, now: Instant) {
        if let Some(commit_at) = self.line.commits_at() {
            self.recorder.queued = Some(before + commit_at.saturating_duration_since(now));
            self.line.headers = reply::headers(&self.recorder);
        }
    }
}
