//! The gate to the deployments of one route: a request goes in where there is room, or waits for its turn.
//!
//! Whoever goes in holds a [`Slot`] for as long as the deployment carries the request. However that ends, by an answer, a disconnect or a panic,
//! dropping the slot frees it once and wakes the one whose turn is next. No lock is held while anybody waits. Where nobody waits, going
//! in costs one atomic load beside the count that is kept anyway.

#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::future::poll_fn;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use tollgate_policy::health::{Closed, Health};
use tollgate_policy::queue::{Arrival, FairQueue, Full, Ticket};

use crate::app::Clock;
use crate::telemetry::metrics::Histogram;

/// How a deployment stands, shared by all that ask it.
pub type SharedHealth = Arc<Mutex<Health>>;

pub struct Gate {
    clock: Clock,
    state: Mutex<State>,
    /// As many as wait in `state`, for those that only want to know whether anybody does.
    waiting: AtomicUsize,
    /// How long the latest waited whose turn came.
    last_wait_ms: AtomicU64,
    pub counts: Counts,
}

/// What has happened at a gate.
#[derive(Default)]
pub struct Counts {
    /// Of those that waited and whose turn came, in seconds.
    pub waits: Histogram,
    pub refused_full: AtomicU64,
    pub refused_too_long: AtomicU64,
}

#[derive(Default)]
struct State {
    queue: FairQueue<u64>,
    waiters: HashMap<Ticket, Waiter>,
    /// Deployments for which the one whose turn it was finds out whether their limits have room. Until then it is nobody else's turn.
    deciding: Vec<SharedHealth>,
}

struct Waiter {
    doors: Arc<[Door]>,
    arrival: Arrival<u64>,
    came_ms: u64,
    deadline_ms: u64,
    outcome: Option<Result<Slot, Left>>,
    task: Option<Waker>,
}

/// A deployment that a request may go to.
#[derive(Clone)]
pub struct Door {
    /// For the request's own use.
    pub index: usize,
    pub standing: SharedHealth,
    /// The deployment has limits of its own, and the request is expected to need so many tokens of them.
    pub limited: Option<u64>,
}

impl Door {
    fn tokens(&self) -> u64 {
        self.limited.unwrap_or(0)
    }

    fn is_ready(&self, now_ms: u64) -> bool {
        is_ready(&lock(&self.standing), now_ms, self.tokens())
    }
}

/// Why a request waits no longer, although its turn has not come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    /// The queue was full, and it had to give its place to another.
    GaveWay,
    TooLong,
}

/// A request that a deployment carries.
pub struct Slot {
    pub index: usize,
    /// Which of the deployment's requests this is.
    pub nth: u64,
    standing: SharedHealth,
    gate: Arc<Gate>,
    /// After a wait of so many milliseconds; others wait until it is known whether the deployment's limits have room.
    deciding: Option<u64>,
}

impl Slot {
    /// The deployment's limits have room for the request: others may try.
    pub fn decided(&mut self) {
        if let Some(waited_ms) = self.deciding.take() {
            self.gate.waited(waited_ms);
            self.gate.decided(&self.standing);
        }
    }

    /// The deployment's limits have no room for such a request.
    pub fn close(&self, closed: Closed) {
        lock(&self.standing).close(self.gate.clock.now_ms(), closed);
    }

    /// Something was given back to the deployment's limits.
    pub fn reopen(&self) {
        lock(&self.standing).reopen();
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        lock(&self.standing).ended(self.nth);
        if self.deciding.is_some() {
            self.gate.decided(&self.standing);
        }
        if self.gate.waiting.load(Ordering::Acquire) > 0 {
            self.gate.offer(&mut lock(&self.gate.state), &self.standing);
        }
    }
}

impl Gate {
    pub fn new(clock: Clock) -> Gate {
        Gate {
            clock,
            state: Mutex::default(),
            waiting: AtomicUsize::new(0),
            last_wait_ms: AtomicU64::new(0),
            counts: Counts::default(),
        }
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }

    /// After what time there may be room again: as long as the latest has waited whose turn came.
    pub fn usual_wait(&self) -> Duration {
        Duration::from_millis(self.last_wait_ms.load(Ordering::Relaxed))
    }

    /// In, if there is room now and nobody waits for it. The first door that is ready goes before the others; where none is, those
    /// are taken that may be asked as a last resort. `tokens`: what is expected to be needed of a deployment's own limits.
    pub fn enter<'a>(
        self: &Arc<Self>,
        doors: impl Iterator<Item = (usize, &'a SharedHealth)> + Clone,
        tokens: u64,
    ) -> Option<Slot> {
        if self.waiting.load(Ordering::Acquire) > 0 {
            return None;
        }
        let now_ms = self.clock.now_ms();
        let slot = |index, nth, standing: &SharedHealth| Slot {
            index,
            nth,
            standing: standing.clone(),
            gate: self.clone(),
            deciding: None,
        };
        let mut one_is_ready = false;
        for (index, standing) in doors.clone() {
            let mut health = lock(standing);
            let ready = is_ready(&health, now_ms, tokens);
            one_is_ready |= ready;
            if ready && health.closed(now_ms, tokens).is_none() && health.take_slot(now_ms) {
                let nth = health.began(now_ms);
                return Some(slot(index, nth, standing));
            }
        }
        for (index, standing) in doors.filter(|_| !one_is_ready) {
            let mut health = lock(standing);
            let open = health.closed(now_ms, tokens).is_none();
            if open && health.is_usable(now_ms) && health.take_slot(now_ms) {
                let nth = health.began(now_ms);
                return Some(slot(index, nth, standing));
            }
        }
        None
    }

    /// In at once and in any case: for calls of our own.
    pub fn enter_beyond(self: &Arc<Self>, door: Door) -> Slot {
        let mut health = lock(&door.standing);
        health.take_slot_beyond();
        let nth = health.began(self.clock.now_ms());
        drop(health);
        Slot { index: door.index, nth, standing: door.standing, gate: self.clone(), deciding: None }
    }

    /// Takes a place in the queue. The deadline is `patience` from now; no more than `most` wait.
    pub fn wait(
        self: &Arc<Self>,
        doors: Arc<[Door]>,
        arrival: Arrival<u64>,
        patience: Duration,
        most: usize,
    ) -> Result<Place, Full> {
        let came_ms = self.clock.now_ms();
        let deadline_ms = came_ms.saturating_add(u64::try_from(patience.as_millis()).unwrap_or(u64::MAX));
        let mut state = lock(&self.state);
        let taken = state.queue.push(arrival, deadline_ms, most).inspect_err(|Full| {
            self.counts.refused_full.fetch_add(1, Ordering::Relaxed);
        })?;
        let waiter = Waiter { doors: doors.clone(), arrival, came_ms, deadline_ms, outcome: None, task: None };
        state.waiters.insert(taken.ticket, waiter);
        self.waiting.store(state.queue.len(), Ordering::Release);
        if let Some(gone) = taken.gave_way {
            self.counts.refused_full.fetch_add(1, Ordering::Relaxed);
            state.tell(gone, Err(Left::GaveWay));
        }
        // A slot may have become free since this one was looked for.
        self.offer_all(&mut state, &doors);
        Ok(Place { gate: self.clone(), ticket: taken.ticket, doors })
    }

    /// Gives the free slots of a deployment to those whose turn it is.
    fn offer(self: &Arc<Self>, state: &mut State, standing: &SharedHealth) {
        loop {
            if state.deciding.iter().any(|other| Arc::ptr_eq(other, standing)) {
                return;
            }
            let now_ms = self.clock.now_ms();
            {
                let mut health = lock(standing);
                if health.closed(now_ms, 0).is_some() || !health.is_usable(now_ms) || !health.take_slot(now_ms) {
                    return;
                }
            }
            let State { queue, waiters, deciding } = &mut *state;
            let wanted = |ticket| waiters.get(&ticket).is_some_and(|waiter| goes(&waiter.doors, standing, now_ms));
            let next = queue.pop(wanted);
            self.waiting.store(queue.len(), Ordering::Release);
            let waiter = next.and_then(|ticket| Some((ticket, waiters.get(&ticket)?)));
            let Some((ticket, waiter)) = waiter else {
                lock(standing).give_slot_back();
                return;
            };
            let nth = lock(standing).began(now_ms);
            let waited_ms = now_ms.saturating_sub(waiter.came_ms);
            let door = door_of(&waiter.doors, standing);
            let index = door.map_or(0, |door| door.index);
            let limited = door.is_some_and(|door| door.limited.is_some());
            match limited {
                true => deciding.push(standing.clone()),
                false => self.waited(waited_ms),
            }
            let deciding = limited.then_some(waited_ms);
            let slot = Slot { index, nth, standing: standing.clone(), gate: self.clone(), deciding };
            state.tell(ticket, Ok(slot));
        }
    }

    fn waited(&self, ms: u64) {
        self.last_wait_ms.store(ms, Ordering::Relaxed);
        self.counts.waits.observe(Duration::from_millis(ms));
    }

    /// Somebody else may try this deployment.
    fn decided(self: &Arc<Self>, standing: &SharedHealth) {
        let mut state = lock(&self.state);
        state.deciding.retain(|other| !Arc::ptr_eq(other, standing));
        self.offer(&mut state, standing);
    }

    fn offer_all(self: &Arc<Self>, state: &mut State, doors: &[Door]) {
        let now_ms = self.clock.now_ms();
        for door in doors {
            // Else those that wait as this one does would be asked in vain.
            if goes(doors, &door.standing, now_ms) {
                self.offer(state, &door.standing);
            }
        }
    }
}

/// Whether a request goes in at a door that has room: if it is ready, or none of the request's doors is.
fn goes(doors: &[Door], standing: &SharedHealth, now_ms: u64) -> bool {
    let Some(door) = door_of(doors, standing) else { return false };
    let open = lock(standing).closed(now_ms, door.tokens()).is_none();
    open && (door.is_ready(now_ms) || !doors.iter().any(|door| door.is_ready(now_ms)))
}

fn door_of<'a>(doors: &'a [Door], standing: &SharedHealth) -> Option<&'a Door> {
    doors.iter().find(|door| Arc::ptr_eq(&door.standing, standing))
}

/// A deployment whose window is used up is passed over like one that rests; one with as many requests as it takes is waited for.
fn is_ready(health: &Health, now_ms: u64, tokens: u64) -> bool {
    health.is_ready(now_ms) && !health.closed(now_ms, tokens).is_some_and(Closed::is_spent)
}

impl State {
    fn tell(&mut self, ticket: Ticket, outcome: Result<Slot, Left>) {
        if let Some(waiter) = self.waiters.get_mut(&ticket) {
            waiter.outcome = Some(outcome);
            if let Some(task) = waiter.task.take() {
                task.wake();
            }
        }
    }
}

/// A place in the queue. Dropping it gives it up, and with it a slot that was given and not yet taken.
pub struct Place {
    gate: Arc<Gate>,
    ticket: Ticket,
    doors: Arc<[Door]>,
}

impl Place {
    /// Ready when its turn has come, or will not come any more.
    pub async fn turn(&mut self) -> Result<Slot, Left> {
        poll_fn(|cx| self.poll_turn(cx)).await
    }

    fn poll_turn(&mut self, cx: &mut Context<'_>) -> Poll<Result<Slot, Left>> {
        let mut state = lock(&self.gate.state);
        let Some(waiter) = state.waiters.get_mut(&self.ticket) else { return Poll::Pending };
        if let Some(outcome) = waiter.outcome.take() {
            return Poll::Ready(outcome);
        }
        match &mut waiter.task {
            Some(task) => task.clone_from(cx.waker()),
            task => *task = Some(cx.waker().clone()),
        }
        Poll::Pending
    }

    /// The deployment of the slot that it was given has no room in its limits: it waits on, before all others, until its old deadline.
    /// `doors`: where it may go from here on.
    pub fn wait_on(&mut self, doors: Arc<[Door]>) {
        let mut state = lock(&self.gate.state);
        let State { queue, waiters, .. } = &mut *state;
        let Some(waiter) = waiters.get_mut(&self.ticket) else { return };
        (waiter.doors, self.doors) = (doors.clone(), doors);
        queue.put_back(self.ticket, waiter.arrival, waiter.deadline_ms);
        self.gate.waiting.store(queue.len(), Ordering::Release);
    }

    /// How many go before it; `None`: its turn has come.
    pub fn position(&self) -> Option<usize> {
        lock(&self.gate.state).queue.position(self.ticket)
    }

    /// Looks whether something has ended by itself, which wakes nobody: a rest, a minute, somebody's patience.
    pub fn look(&self) {
        let mut state = lock(&self.gate.state);
        for late in state.queue.expire(self.gate.clock.now_ms()) {
            self.gate.counts.refused_too_long.fetch_add(1, Ordering::Relaxed);
            state.tell(late, Err(Left::TooLong));
        }
        self.gate.waiting.store(state.queue.len(), Ordering::Release);
        self.gate.offer_all(&mut state, &self.doors);
    }

    /// Waiting is in vain for now: each of its deployments has asked to be left alone.
    pub fn is_barred(&self) -> bool {
        let now_ms = self.gate.clock.now_ms();
        !self.doors.iter().any(|door| lock(&door.standing).is_usable(now_ms))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = lock(&self.gate.state);
        state.queue.cancel(self.ticket);
        self.gate.waiting.store(state.queue.len(), Ordering::Release);
        let left = state.waiters.remove(&self.ticket);
        drop(state);
        // With a slot in it the lock is taken again.
        drop(left);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
