//! How a deployment is doing: what it carries now, how fast it answers, and whether it rests.
//!
//! A deployment *rests* when asking it would be in vain or would do harm. A rest that the upstream asked for (`Retry-After`)
//! is kept in any case. Every other rest is our own guess: the deployment is passed over while another can serve, and asked
//! all the same when none can. Guesses of other replicas are kept beside our own, so that neither shortens the other.

use std::time::Duration;

use tollgate_dialect::error::{ErrorKind, Scope};

use crate::failover::{Class, Failure, asked_rest, treatment};
pub use closed::Closed;
use closed::Closings;
use headroom::{Headroom, Remaining};
use limit::LearnedLimit;

mod closed;
pub mod credential;
pub mod headroom;
mod limit;
#[cfg(test)]
mod tests;

/// What a deployment takes, as configured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    /// Requests at once: `max_parallel_requests`.
    pub parallel: Option<u32>,
    /// Requests in a minute: `rpm`.
    pub requests: Option<u64>,
    /// Tokens in a minute: `tpm`.
    pub tokens: Option<u64>,
}

/// When a deployment is sent to rest.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestRules {
    /// Failures within a minute that are borne; one more, and it rests.
    pub allowed_fails: u32,
    pub allowed_fails_by_class: Vec<(Class, u32)>,
    /// The first rest after too many failures; each further one in a row is twice as long.
    pub cooldown: Duration,
    /// For a model that the provider says it does not have (any more).
    pub gone_for: Duration,
    /// Only what the upstream asks for is kept.
    pub disabled: bool,
}

impl Default for RestRules {
    fn default() -> Self {
        // LiteLLM 1.109.1: DEFAULT_ALLOWED_FAILS 3, DEFAULT_COOLDOWN_TIME_SECONDS 5.
        RestRules {
            allowed_fails: 3,
            allowed_fails_by_class: Vec::new(),
            cooldown: Duration::from_secs(5),
            gone_for: Duration::from_secs(600),
            disabled: false,
        }
    }
}

impl RestRules {
    fn allowed(&self, class: Class) -> u32 {
        self.allowed_fails_by_class.iter().find(|(of, _)| *of == class).map_or(self.allowed_fails, |(_, n)| *n)
    }
}

/// Why a deployment rests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RestReason {
    /// The upstream named a time.
    Asked,
    RateLimited,
    /// Its rate-limit headers say that nothing is left for now.
    Spent,
    /// Too many failures in a row.
    Failing,
    /// The credential is refused, or has no money left.
    Credential,
    /// A rate limit of the whole account.
    Account,
    /// Several models fail with this credential, and work with others.
    CredentialFailing,
    /// The provider does not have the model (any more).
    Gone,
}

impl RestReason {
    pub fn word(self) -> &'static str {
        match self {
            RestReason::Asked => "retry_after",
            RestReason::RateLimited => "rate_limited",
            RestReason::Spent => "limit_used_up",
            RestReason::Failing => "failing",
            RestReason::Credential => "credential_refused",
            RestReason::Account => "account_limited",
            RestReason::CredentialFailing => "credential_failing",
            RestReason::Gone => "model_gone",
        }
    }

    pub fn from_word(word: &str) -> Option<RestReason> {
        use RestReason::*;
        [Asked, RateLimited, Spent, Failing, Credential, Account, CredentialFailing, Gone]
            .into_iter()
            .find(|reason| reason.word() == word)
    }

    /// Nobody is sent to the deployment before the time, whatever else there is.
    pub fn is_binding(self) -> bool {
        self == RestReason::Asked
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rest {
    pub until_ms: u64,
    pub reason: RestReason,
    /// The failure that led to it, for people and for the requests that it turns away.
    pub failure: RestFailure,
}

/// So much of a failure as a rest keeps.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RestFailure {
    /// The upstream's status, where it gave one.
    pub status: Option<u16>,
    pub words: String,
}

const MAX_WORDS: usize = 300;

impl RestFailure {
    /// So many words as are kept.
    pub fn new(status: Option<u16>, words: &str) -> RestFailure {
        RestFailure { status, words: words.chars().take(MAX_WORDS).collect() }
    }

    fn of(failure: &Failure) -> RestFailure {
        let (status, words) = match failure {
            Failure::Refused(error) => (Some(error.status), error.message.clone()),
            Failure::Unreachable(words) | Failure::Broken(words) | Failure::NoToken { words, .. } => {
                (None, words.clone())
            }
            Failure::TimedOut(phase) => (None, format!("timed out ({phase:?})")),
        };
        RestFailure::new(status, &words)
    }
}

/// A minute in which something is counted.
#[derive(Clone, Copy, Debug, Default)]
struct Minute {
    began_ms: u64,
    count: u64,
}

const MINUTE_MS: u64 = 60_000;

impl Minute {
    fn add(&mut self, now_ms: u64, count: u64) -> u64 {
        if now_ms.saturating_sub(self.began_ms) >= MINUTE_MS {
            *self = Minute { began_ms: now_ms, count: 0 };
        }
        self.count = self.count.saturating_add(count);
        self.count
    }

    fn now(&self, now_ms: u64) -> u64 {
        if now_ms.saturating_sub(self.began_ms) >= MINUTE_MS { 0 } else { self.count }
    }
}

/// A slow answer counts at once, a fast one only slowly (a peak-sensitive moving average): a deployment that becomes slow is
/// left before it is remembered as fast.
#[derive(Clone, Copy, Debug, Default)]
struct PeakLatency {
    ms: f64,
    at_ms: u64,
}

/// After this time an old measurement has lost two thirds of its weight.
const LATENCY_DECAY_MS: f64 = 10_000.0;

impl PeakLatency {
    fn observe(&mut self, now_ms: u64, ms: f64) {
        let weight = (-(now_ms.saturating_sub(self.at_ms) as f64) / LATENCY_DECAY_MS).exp();
        self.ms = if ms > self.ms { ms } else { self.ms * weight + ms * (1.0 - weight) };
        self.at_ms = now_ms;
    }
}

/// Longer than this no rest of our own guess lasts, however often the deployment fails.
const LONGEST_COOLDOWN: Duration = Duration::from_secs(300);
/// What an upstream asks for is believed up to a day.
const LONGEST_ASKED: Duration = Duration::from_secs(24 * 60 * 60);

#[derive(Clone, Debug, Default)]
pub struct Health {
    /// What the upstream asked for, here or at another replica.
    asked: Option<Rest>,
    /// What its headers say to be used up.
    spent: Option<Rest>,
    /// Our own guess.
    guessed: Option<Rest>,
    /// The guess of another replica.
    told: Option<Rest>,
    last_failure: Option<LastFailure>,
    fails: Minute,
    /// Rests for failing, one after another without an answer in between.
    rests_in_a_row: u32,
    in_flight: u32,
    latency: PeakLatency,
    limits: Limits,
    learned: LearnedLimit,
    headroom: Headroom,
    requests: Minute,
    tokens: Minute,
    /// For whom its own limits have no room.
    closings: Closings,
}

/// The last failure that was the deployment's and not the request's, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastFailure {
    pub at_ms: u64,
    pub failure: RestFailure,
}

/// What a choice among deployments looks at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    pub rest: Option<Rest>,
    pub in_flight: u32,
    /// It has as many requests as it takes at once.
    pub full: bool,
    /// Its own limits have no room for the request at hand.
    pub at_limit: bool,
    /// Its requests or tokens of this minute are used up.
    pub over_its_minute: bool,
    /// Requests at once that it takes, as far as learned.
    pub learned_limit: Option<u32>,
    /// Until the first byte; 0: not measured yet.
    pub latency_ms: f64,
    pub tokens_this_minute: u64,
}

impl Standing {
    /// Its credential rests, too: the longer rest counts, and what the upstream asked for before all.
    #[must_use]
    pub fn with_credential(mut self, rest: Option<&Rest>) -> Standing {
        let own = self.rest.as_ref();
        if let Some(rest) = rest
            && own.is_none_or(|own| !own.reason.is_binding() && own.until_ms < rest.until_ms)
        {
            self.rest = Some(rest.clone());
        }
        self
    }
}

impl Health {
    /// What it takes from now on.
    pub fn limit(&mut self, limits: Limits) {
        self.limits = limits;
        self.closings.reopen();
    }

    /// Its own limits have no room for such requests.
    pub fn close(&mut self, now_ms: u64, closed: Closed) {
        self.closings.close(now_ms, closed);
    }

    /// Something was given back to its limits.
    pub fn reopen(&mut self) {
        self.closings.reopen();
    }

    /// Why a request with so many tokens cannot go to it now.
    pub fn closed(&self, now_ms: u64, tokens: u64) -> Option<&Closed> {
        self.closings.of(now_ms, tokens)
    }

    /// One more request may be under way.
    pub fn has_room(&self, now_ms: u64) -> bool {
        let limits = [self.limits.parallel, self.learned.most()];
        limits.into_iter().flatten().all(|most| self.in_flight < most) && self.headroom.has_room(now_ms)
    }

    /// Requests that it carries now.
    pub fn in_flight(&self) -> u32 {
        self.in_flight
    }

    /// Requests at once that it takes, as far as learned.
    pub fn learned_limit(&self) -> Option<u32> {
        self.learned.most()
    }

    /// Nothing but its room speaks against asking it.
    pub fn is_ready(&self, now_ms: u64) -> bool {
        self.rest(now_ms).is_none() && !self.is_over_its_minute(now_ms)
    }

    /// It may be asked, if only as a last resort.
    pub fn is_usable(&self, now_ms: u64) -> bool {
        self.rest(now_ms).is_none_or(|rest| !rest.reason.is_binding())
    }

    fn is_over_its_minute(&self, now_ms: u64) -> bool {
        self.limits.requests.is_some_and(|most| self.requests.now(now_ms) >= most)
            || self.limits.tokens.is_some_and(|most| self.tokens.now(now_ms) >= most)
    }

    /// Takes a slot for a request, if one is free. [[`Health::ended`]] gives it back.
    pub fn take_slot(&mut self, now_ms: u64) -> bool {
        let free = self.has_room(now_ms);
        self.in_flight += u32::from(free);
        free
    }

    /// Takes a slot for a request that waits for none.
    pub fn take_slot_beyond(&mut self) {
        self.in_flight += 1;
    }

    /// The request that has a slot goes up: its number among the deployment's requests.
    pub fn began(&mut self, now_ms: u64) -> u64 {
        self.requests.add(now_ms, 1);
        self.headroom.began()
    }

    /// The slot of a request that had begun is free again.
    pub fn ended(&mut self, nth: u64) {
        self.headroom.ended(nth);
        self.give_slot_back();
    }

    /// A slot is free again that no request has begun in.
    pub fn give_slot_back(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
    }

    /// An answer began after `first_byte`.
    pub fn answering(&mut self, now_ms: u64, first_byte: Duration) {
        self.latency.observe(now_ms, first_byte.as_secs_f64() * 1000.0);
    }

    /// An answer came whole, of a request that is still counted as under way. True if it ended a rest: it works again, whatever we or others guessed. What the upstream asked
    /// for it may have forgotten; we have not.
    pub fn answered(&mut self, now_ms: u64, tokens: u64) -> bool {
        self.tokens.add(now_ms, tokens);
        self.learned.answered(now_ms, self.in_flight);
        self.rests_in_a_row = 0;
        self.fails = Minute::default();
        // It works again, whatever we guessed. What the upstream has said of the time to come holds on.
        let guesses = [self.guessed.take(), self.told.take()];
        guesses.iter().flatten().any(|rest| rest.until_ms > now_ms)
    }

    /// An attempt failed that is still counted as under way. The rest that begins with it, if one does.
    pub fn failed(&mut self, now_ms: u64, failure: &Failure, rules: &RestRules) -> Option<Rest> {
        let slow = matches!(failure, Failure::TimedOut(_));
        if matches!(failure, Failure::Refused(error) if error.kind == ErrorKind::RateLimited) {
            self.learned.refused(now_ms, self.in_flight);
        }
        if slow {
            // It is at least so slow that nobody waited for it.
            self.latency.observe(now_ms, 60_000.0);
        }
        if treatment(failure).fails_over {
            self.last_failure = Some(LastFailure { at_ms: now_ms, failure: RestFailure::of(failure) });
        }
        let (reason, length) = self.rest_after(now_ms, failure, rules)?;
        let until_ms = now_ms + u64::try_from(length.as_millis()).unwrap_or(u64::MAX / 2);
        let rest = Rest { until_ms, reason, failure: RestFailure::of(failure) };
        self.begin_rest(rest.clone());
        Some(rest)
    }

    fn rest_after(&mut self, now_ms: u64, failure: &Failure, rules: &RestRules) -> Option<(RestReason, Duration)> {
        let done = treatment(failure);
        if !done.fails_over {
            return None;
        }
        if let Some(asked) = asked_rest(failure) {
            return Some((RestReason::Asked, asked.min(LONGEST_ASKED)));
        }
        if rules.disabled {
            return None;
        }
        let (kind, scope) = match failure {
            Failure::Refused(error) => (Some(error.kind), error.scope),
            _ => (None, Scope::Unsaid),
        };
        match kind {
            Some(ErrorKind::NotFound) => return Some((RestReason::Gone, rules.gone_for)),
            Some(ErrorKind::Authentication | ErrorKind::Billing) => {
                let length = rules.cooldown.max(credential::REFUSED_FOR);
                // Else the credential rests, see `CredentialHealth`.
                return (scope == Scope::Model).then_some((RestReason::Credential, length));
            }
            Some(ErrorKind::RateLimited) => {
                // Spent for today: it may be another day there sooner than here.
                let length = if done.retries { rules.cooldown } else { LONGEST_COOLDOWN };
                return Some((RestReason::RateLimited, length));
            }
            _ => {}
        }
        if self.fails.add(now_ms, 1) <= u64::from(rules.allowed(done.class)) {
            return None;
        }
        self.fails = Minute::default();
        let length = rules.cooldown.saturating_mul(1 << self.rests_in_a_row.min(10)).min(LONGEST_COOLDOWN);
        self.rests_in_a_row += 1;
        Some((RestReason::Failing, length.max(rules.cooldown)))
    }

    /// What the rate-limit headers of the answer to this request say to be left. While nothing is, others go before it.
    pub fn remains(&mut self, now_ms: u64, nth: u64, remaining: &Remaining) {
        self.headroom.told(now_ms, nth, remaining);
        let Some(spent) = remaining.spent else { return };
        let until_ms = now_ms + u64::try_from(spent.reset.min(LONGEST_COOLDOWN).as_millis()).unwrap_or(0);
        let words = "its rate-limit headers say that nothing is left".to_string();
        self.begin_rest(Rest { until_ms, reason: RestReason::Spent, failure: RestFailure { status: None, words } });
    }

    /// Keeps the longer of two rests of a kind.
    pub fn begin_rest(&mut self, rest: Rest) {
        let known = match rest.reason {
            RestReason::Asked => &mut self.asked,
            RestReason::Spent => &mut self.spent,
            _ => &mut self.guessed,
        };
        if known.as_ref().is_none_or(|known| known.until_ms <= rest.until_ms) {
            *known = Some(rest);
        }
    }

    /// Another replica sent the deployment to rest.
    pub fn told(&mut self, rest: Rest) {
        if rest.reason.is_binding() {
            self.begin_rest(rest);
        } else if self.told.as_ref().is_none_or(|known| known.until_ms <= rest.until_ms) {
            self.told = Some(rest);
        }
    }

    /// The deployment answered another replica: what was guessed there is over. Our own rests stay.
    pub fn told_over(&mut self) {
        self.told = None;
    }

    /// The rest in force: what the upstream asked for, else the longest guess.
    pub fn rest(&self, now_ms: u64) -> Option<&Rest> {
        let in_force = |rest: &&Rest| rest.until_ms > now_ms;
        let guesses = [&self.spent, &self.guessed, &self.told].into_iter().flatten().max_by_key(|rest| rest.until_ms);
        self.asked.as_ref().filter(in_force).or(guesses.filter(in_force))
    }

    pub fn last_failure(&self) -> Option<&LastFailure> {
        self.last_failure.as_ref()
    }

    pub fn standing(&self, now_ms: u64) -> Standing {
        Standing {
            rest: self.rest(now_ms).cloned(),
            in_flight: self.in_flight,
            full: !self.has_room(now_ms),
            at_limit: false,
            over_its_minute: self.is_over_its_minute(now_ms),
            learned_limit: self.learned.most(),
            latency_ms: self.latency.ms,
            tokens_this_minute: self.tokens.now(now_ms),
        }
    }
}
