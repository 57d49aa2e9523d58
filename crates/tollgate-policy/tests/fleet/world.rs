//! The route as the gateway runs it: a request asks each deployment once, best first, then pauses and asks again as often as the policy
//! and the route's budget allow.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use tollgate_policy::balance::{self, Candidate, Ranked, Session, Strategy, mixed};
use tollgate_policy::failover::{Failure, treatment};
use tollgate_policy::health::{Health, RestRules};
use tollgate_policy::retry::{self, RetryBudget};

use crate::upstream::Upstream;

const IDS: [&str; 4] = ["d0", "d1", "d2", "d3"];
/// LiteLLM's `num_retries` by default.
const RETRIES: u32 = 2;
/// Fifty requests a second.
const EVERY_MS: u64 = 20;
/// Conversations that are under way at once; each comes again after ten seconds or so.
const CONVERSATIONS: u64 = 500;
const TURNS: u64 = 8;
const LOOK_EVERY_MS: u64 = 10;

#[derive(Debug, Default)]
pub struct Outcome {
    pub answered: usize,
    pub gave_up: usize,
    /// Requests that went up.
    pub sent: usize,
    pub failed: usize,
    /// First rounds and repeated ones.
    pub rounds: usize,
    pub rests: usize,
    /// Went to a deployment that rested although a healthy one was left to ask.
    pub in_vain: usize,
    /// Requests of a conversation that somebody had answered before, and those that he answered again.
    pub further_turns: usize,
    pub stayed: usize,
    pub by_deployment: [usize; 4],
}

#[derive(Debug, Default)]
struct Request {
    conversation: u64,
    asked: Vec<usize>,
    round: u32,
    retries: u32,
    /// Somebody has been asked.
    sent: bool,
}

enum Event {
    Goes(Request),
    Ends(Attempt, Option<Failure>),
}

struct Attempt {
    request: Request,
    deployment: usize,
    nth: u64,
    sent_ms: u64,
}

pub struct World {
    strategy: Strategy,
    upstreams: [Upstream; 4],
    health: [Health; 4],
    budget: RetryBudget,
    rules: RestRules,
    last: HashMap<u64, usize>,
    now_ms: u64,
    draws: u64,
    /// By time, and by number among those of one time.
    due: BinaryHeap<Reverse<(u64, u64)>>,
    events: HashMap<u64, Event>,
    planned: u64,
    pub outcome: Outcome,
}

impl World {
    pub fn new(strategy: Strategy, upstreams: [Upstream; 4]) -> World {
        World {
            strategy,
            upstreams,
            health: Default::default(),
            budget: RetryBudget::default(),
            rules: RestRules::default(),
            last: HashMap::new(),
            now_ms: 0,
            draws: 0,
            due: BinaryHeap::new(),
            events: HashMap::new(),
            planned: 0,
            outcome: Outcome::default(),
        }
    }

    pub fn run(&mut self, requests: usize) {
        for n in 0..requests as u64 {
            // One generation of conversations after the other, turn by turn.
            let conversation = n / (CONVERSATIONS * TURNS) * CONVERSATIONS + n % CONVERSATIONS;
            self.plan(n * EVERY_MS, Event::Goes(Request { conversation, ..Request::default() }));
        }
        while let Some(Reverse((at_ms, number))) = self.due.pop() {
            self.now_ms = at_ms;
            match self.events.remove(&number).expect("it was planned") {
                Event::Goes(request) => self.goes(request),
                Event::Ends(attempt, None) => self.answered(&attempt),
                Event::Ends(attempt, Some(failure)) => self.failed(attempt, &failure),
            }
        }
    }

    fn plan(&mut self, at_ms: u64, event: Event) {
        self.planned += 1;
        self.due.push(Reverse((at_ms, self.planned)));
        self.events.insert(self.planned, event);
    }

    /// The same numbers in each run.
    fn chance(&mut self) -> u64 {
        self.draws += 1;
        mixed(self.draws, "chance")
    }

    fn goes(&mut self, mut request: Request) {
        if !request.sent && request.round == 0 {
            self.budget.deposit();
        }
        let chance = self.chance();
        let candidates = std::array::from_fn::<_, 4, _>(|n| Candidate {
            id: IDS[n],
            order: 0,
            share: 1,
            price: None,
            standing: self.health[n].standing(self.now_ms),
        });
        let last = self.last.get(&request.conversation).map(|&n| IDS[n]);
        let session = Session { key: Some(mixed(request.conversation, "conversation")), last };
        let ranked = balance::rank(&candidates, self.strategy, session, chance);
        let may_ask = |r: &&Ranked| r.verdict.is_usable() && !request.asked.contains(&r.index);
        let left: Vec<Ranked> = ranked.iter().filter(may_ask).copied().collect();
        if left.is_empty() {
            return self.again(request, chance);
        }
        if request.round > 0 && request.sent && request.asked.is_empty() && !self.may_retry(&mut request) {
            self.outcome.gave_up += 1;
            return;
        }
        self.outcome.rounds += usize::from(request.asked.is_empty());
        self.turn(request, &left);
    }

    /// The first that is ready and has room; if those that are ready have none, it waits for one of them.
    fn turn(&mut self, request: Request, left: &[Ranked]) {
        let ready = |r: &&Ranked| self.health[r.index].is_ready(self.now_ms);
        let has_room = |r: &&Ranked| self.health[r.index].has_room(self.now_ms);
        let next = match left.iter().any(|r| ready(&r)) {
            true => left.iter().filter(ready).find(has_room),
            false => left.iter().find(has_room),
        };
        let Some(next) = next.copied() else {
            self.outcome.rounds -= usize::from(request.asked.is_empty());
            return self.plan(self.now_ms + LOOK_EVERY_MS, Event::Goes(request));
        };
        // Both the order and the gate leave those that rest for the end.
        let rests = |r: &Ranked| self.health[r.index].rest(self.now_ms).is_some();
        let healthy =
            |r: &Ranked| self.health[r.index].is_ready(self.now_ms) && self.health[r.index].has_room(self.now_ms);
        let in_vain = left.iter().any(healthy) && (rests(&left[0]) || rests(&next));
        self.outcome.in_vain += usize::from(in_vain);
        self.send(request, next.index);
    }

    fn send(&mut self, mut request: Request, deployment: usize) {
        let health = &mut self.health[deployment];
        assert!(health.take_slot(self.now_ms), "it has room");
        let nth = health.began(self.now_ms);
        request.asked.push(deployment);
        request.sent = true;
        self.outcome.sent += 1;
        let chance = self.chance();
        let end = self.upstreams[deployment].answers(self.now_ms, chance);
        let attempt = Attempt { request, deployment, nth, sent_ms: self.now_ms };
        self.plan(self.now_ms + end.after_ms, Event::Ends(attempt, end.failure));
    }

    fn answered(&mut self, attempt: &Attempt) {
        let health = &mut self.health[attempt.deployment];
        health.answering(self.now_ms, Duration::from_millis(self.now_ms - attempt.sent_ms));
        health.answered(self.now_ms, 100);
        health.ended(attempt.nth);
        self.outcome.answered += 1;
        self.outcome.by_deployment[attempt.deployment] += 1;
        if let Some(before) = self.last.insert(attempt.request.conversation, attempt.deployment) {
            self.outcome.further_turns += 1;
            self.outcome.stayed += usize::from(before == attempt.deployment);
        }
    }

    fn failed(&mut self, attempt: Attempt, failure: &Failure) {
        assert!(treatment(failure).fails_over);
        let health = &mut self.health[attempt.deployment];
        self.outcome.failed += 1;
        self.outcome.rests += usize::from(health.failed(self.now_ms, failure, &self.rules).is_some());
        health.ended(attempt.nth);
        self.goes(attempt.request);
    }

    /// All have been asked, or may not be: the next round, after a pause.
    fn again(&mut self, mut request: Request, chance: u64) {
        if request.retries >= RETRIES || request.round >= RETRIES {
            self.outcome.gave_up += 1;
            return;
        }
        let pause = retry::pause(request.round, Duration::ZERO, chance);
        request.round += 1;
        request.asked.clear();
        self.plan(self.now_ms + pause.as_millis() as u64, Event::Goes(request));
    }

    fn may_retry(&mut self, request: &mut Request) -> bool {
        request.retries += 1;
        request.retries <= RETRIES && self.budget.withdraw(self.now_ms)
    }
}
