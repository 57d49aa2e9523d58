//! A request waits for its turn: nothing is sent to a deployment that has as many requests as it takes, or whose limits have no room.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;
use tollgate_policy::health::Closed;
use tollgate_policy::limit::{Denial, Standing};
use tollgate_policy::queue::{Arrival, Class};
use tollgate_store::meter::Denied;

use super::attempt::Driver;
use super::reply;
use super::route::Route;
use super::spend::Destination;
use super::toll::{NoPassage, Toll};
use crate::app::Live;
use crate::failure::{Failure, NotAdmitted};
use crate::gate::{Door, Gate, Left, Place, Slot};
use crate::unix_time::unix_ms;

/// How often one that waits looks whether something has ended by itself.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How often it is asked for a place that another replica may have given back.
const ASK_EVERY_MS: u64 = 25;

/// The least time that a refused client is told to wait.
const LEAST_RETRY_AFTER: Duration = Duration::from_secs(1);

pub(super) enum Turn {
    /// The attempt has what it needs of the deployment.
    Come(usize),
    /// Meanwhile each of the deployments has asked to be left alone: the choice is to be made anew.
    Barred,
    Refused(Failure),
}

/// Where a request may go, by what is found out of the deployments' budgets.
struct Choice {
    wanted: Vec<usize>,
    /// Their budgets do not pay for the whole answer.
    short: Vec<usize>,
    /// There may be one whose budget does.
    whole: bool,
}

impl Choice {
    fn of(wanted: &[usize]) -> Choice {
        Choice { wanted: wanted.to_vec(), short: Vec::new(), whole: true }
    }

    /// The deployment's budget does not do. False: no other's will either. Only where none pays for the whole answer it is made shorter.
    fn without(&mut self, index: usize) -> bool {
        self.wanted.retain(|other| *other != index);
        if self.whole {
            self.short.push(index);
        }
        if self.wanted.is_empty() && self.whole {
            (self.whole, self.wanted) = (false, std::mem::take(&mut self.short));
        }
        !self.wanted.is_empty()
    }
}

impl Driver {
    /// A slot of one of these deployments and its part of that deployment's limits, at the first of them where several have room: at
    /// once, or after a wait. `tokens`: what the request is expected to need of limits on tokens.
    pub(super) async fn turn(&mut self, live: &Live, route: &Route, wanted: &[usize], tokens: u64) -> Turn {
        let Some(gate) = wanted.first().map(|&index| live.abilities[index].gate.clone()) else {
            return Turn::Refused(Failure::Internal("a turn at no deployment"));
        };
        let mut choice = Choice::of(wanted);
        let mut place = None;
        loop {
            let wait = Wait { live, route, wanted: &choice.wanted, tokens };
            let mut slot = match self.slot(&wait, &gate, &mut place).await {
                Ok(slot) => slot,
                Err(turn) => return turn,
            };
            let index = slot.index;
            let id = &live.config.deployments[index].id;
            let (spent_nanos, whole) = (self.recorder.spent_nanos(), choice.whole);
            match self.pass(&Destination { live, route, index, spent_nanos, whole }, tokens).await {
                Ok(permit) => {
                    slot.decided();
                    self.nth = slot.nth;
                    self.recorder.toll = Some(Toll::new(permit, slot));
                    return Turn::Come(index);
                }
                Err(NoPassage::AtLimit(denial)) => {
                    let setting = denial.dimension.setting(denial.kind, false);
                    let (limit, unit) = (denial.limit, denial.dimension.unit());
                    self.recorder.passed_over(id, &format!("at its limit: {limit} {unit} ({setting})"));
                    slot.close(self.closed(denial, tokens));
                }
                Err(NoPassage::Budget(Denied::Budget(denial))) => {
                    self.recorder.passed_over(id, &format!("{denial}"));
                    if !choice.without(index) {
                        return Turn::Refused(Failure::OverBudget(Denied::Budget(denial)));
                    }
                }
                Err(NoPassage::Budget(denied)) => return Turn::Refused(Failure::OverBudget(denied)),
                Err(NoPassage::Unknown) => return Turn::Refused(Failure::LimitsUnknown),
            }
            // Before the slot is free, so that nobody overtakes.
            if let Some(place) = &mut place {
                place.wait_on(doors(live, &choice.wanted, tokens));
            }
        }
    }

    /// Until the limit's window ends, or for a moment where another replica has the places.
    fn closed(&self, denial: Denial, tokens: u64) -> Closed {
        let left_ms = denial.resets_at_ms.map_or(ASK_EVERY_MS, |at| at.saturating_sub(unix_ms()) + 1);
        let until_ms = self.app.now_ms().saturating_add(left_ms);
        Closed::by(denial, tokens, until_ms)
    }

    /// A slot, in the place that the request has in the queue, if it has one.
    async fn slot(&mut self, wait: &Wait<'_>, gate: &Arc<Gate>, place: &mut Option<Place>) -> Result<Slot, Turn> {
        let Wait { live, route, wanted, tokens } = *wait;
        if place.is_none() {
            let doors = wanted.iter().map(|&index| (index, live.abilities[index].standing()));
            if let Some(slot) = gate.enter(doors, tokens) {
                return Ok(slot);
            }
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
            return Err(refused(too_long));
        }
        if let Some(failure) = wait.in_vain(self.app.now_ms(), patience) {
            return Err(Turn::Refused(failure));
        }
        let place = match place {
            Some(place) => place,
            None => {
                let wishes = &self.inbound.wishes;
                let arrival = Arrival {
                    tenant: self.inbound.tenant.id,
                    weight: super::Tenant::WEIGHT,
                    class: if wishes.batch { Class::Batch } else { Class::Interactive },
                    priority: wishes.priority,
                };
                let taken = gate.wait(doors(live, wanted, tokens), arrival, patience, rules.max_waiting);
                place.insert(taken.map_err(|_| refused(full))?)
            }
        };
        match self.wait(wait, place, patience).await? {
            Ok(slot) => Ok(slot),
            Err(Left::GaveWay) => Err(refused(full)),
            Err(Left::TooLong) => Err(refused(too_long)),
        }
    }

    /// Waits, with the client's stream kept alive, unless it is in vain.
    async fn wait(
        &mut self,
        wait: &Wait<'_>,
        place: &mut Place,
        patience: Duration,
    ) -> Result<Result<Slot, Left>, Turn> {
        let began = Instant::now();
        let group = &wait.route.group;
        let before = self.recorder.queued.unwrap_or_default();
        self.head_while_waiting(before, began);
        let outcome = loop {
            self.recorder.waits(group, before + began.elapsed(), place.position());
            let left = patience.saturating_sub(began.elapsed());
            let opens_in = wait.opens_in(self.app.now_ms()).unwrap_or(LOOK_EVERY);
            let look_in = LOOK_EVERY.min(left).min(opens_in).max(Duration::from_millis(1));
            // Nothing is known of the answer yet, so that pings alone keep the stream alive.
            if let Ok(outcome) = self.line.patient(look_in, true, place.turn()).await {
                break Ok(outcome);
            }
            place.look();
            if place.is_barred() {
                break Err(Turn::Barred);
            }
            if let Some(failure) = wait.in_vain(self.app.now_ms(), patience.saturating_sub(began.elapsed())) {
                break Err(Turn::Refused(failure));
            }
        };
        self.recorder.waits(group, before + began.elapsed(), None);
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

/// What a request waits for.
struct Wait<'a> {
    live: &'a Live,
    route: &'a Route,
    wanted: &'a [usize],
    tokens: u64,
}

impl Wait<'_> {
    /// Each deployment is at its limit for longer than the request may wait.
    fn in_vain(&self, now_ms: u64, patience: Duration) -> Option<Failure> {
        let first = self.first_to_open(now_ms)?;
        if Duration::from_millis(first.until_ms.saturating_sub(now_ms)) <= patience {
            return None;
        }
        let retry_after = first.denial.retry_after(unix_ms());
        Some(Failure::OverLimit { denial: first.denial, retry_after, standing: Standing::default() })
    }

    /// Until one of the deployments that are at their limit may have room; `None`: none is.
    fn opens_in(&self, now_ms: u64) -> Option<Duration> {
        let times = self.wanted.iter().filter_map(|&index| {
            self.live.abilities[index].health().closed(now_ms, self.tokens).map(|closed| closed.until_ms)
        });
        times.min().map(|until_ms| Duration::from_millis(until_ms.saturating_sub(now_ms)))
    }

    /// `None`: one is not closed at all.
    fn first_to_open(&self, now_ms: u64) -> Option<Closed> {
        let closed = |&index: &usize| self.live.abilities[index].health().closed(now_ms, self.tokens).cloned();
        let all: Option<Vec<Closed>> = self.wanted.iter().map(closed).collect();
        all?.into_iter().min_by_key(|closed| closed.until_ms)
    }
}

fn doors(live: &Live, wanted: &[usize], tokens: u64) -> Arc<[Door]> {
    wanted.iter().map(|&index| live.abilities[index].door(index, tokens)).collect()
}
