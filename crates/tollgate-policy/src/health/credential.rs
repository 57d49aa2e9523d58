//! How a credential is doing at one address, over all deployments that use it there.
//!
//! A failure of one model is its deployment's affair. It is the credential's where the upstream says so, or where several
//! models fail in a row without an answer to any in between. Its rests are our own guesses, like those of deployments: all its
//! deployments are passed over while others can serve.

use std::collections::BTreeMap;
use std::time::Duration;

use tollgate_dialect::error::{ErrorKind, Scope};

use super::{LONGEST_COOLDOWN, MINUTE_MS, Rest, RestFailure, RestReason, RestRules};
use crate::failover::{Failure, asked_rest, treatment};

#[cfg(test)]
mod tests;

/// Rate limits of two models so close to each other are one limit.
const SOON_MS: u64 = 10_000;
/// A refused key is asked again after this time, or the cooldown where that is longer.
pub(super) const REFUSED_FOR: Duration = Duration::from_secs(60);

#[derive(Clone, Debug, Default)]
pub struct CredentialHealth {
    limited: Row,
    forbidden: Row,
    failing: Row,
    /// Our own guess.
    guessed: Option<Rest>,
    /// The guess of another replica.
    told: Option<Rest>,
    /// When the last of both began.
    rests_since_ms: u64,
    /// Rests one after another without an answer in between.
    rests_in_a_row: u32,
    /// When the last request that was answered had been sent.
    worked_at_ms: Option<u64>,
}

/// A failed attempt.
#[derive(Clone, Copy, Debug)]
pub struct Failed<'a> {
    /// The provider's name for the model of the deployment.
    pub model: &'a str,
    pub failure: &'a Failure,
    /// [`CredentialHealth::worked_at_ms`], the latest of the other credentials at the same address.
    pub others_worked_at_ms: Option<u64>,
}

/// Failures of one sort since the last answer, by model.
#[derive(Clone, Debug, Default)]
struct Row(BTreeMap<String, InARow>);

#[derive(Clone, Copy, Debug)]
struct InARow {
    first_ms: u64,
    last_ms: u64,
    count: u32,
}

impl Row {
    /// `within_ms`: what is longer ago is forgotten.
    fn add(&mut self, now_ms: u64, within_ms: u64, model: &str) {
        self.0.retain(|_, failures| now_ms.saturating_sub(failures.last_ms) < within_ms);
        let failures =
            self.0.entry(model.to_string()).or_insert(InARow { first_ms: now_ms, last_ms: now_ms, count: 0 });
        failures.last_ms = now_ms;
        failures.count = failures.count.saturating_add(1);
    }

    /// More failures than are borne, and of several models: one counts for no more than half of what it takes.
    fn is_of_credential(&self, borne: u32) -> bool {
        let most = borne.saturating_add(1).div_ceil(2);
        let sum: u64 = self.0.values().map(|failures| u64::from(failures.count.min(most))).sum();
        self.0.len() > 1 && sum > u64::from(borne)
    }

    /// Since when all its models fail.
    fn all_since_ms(&self) -> u64 {
        self.0.values().map(|failures| failures.first_ms).max().unwrap_or(0)
    }

    /// What began before an answered request was sent is over.
    fn answered(&mut self, sent_ms: u64) {
        self.0.retain(|_, failures| failures.first_ms > sent_ms);
    }
}

/// A rest that is due.
struct Due {
    reason: RestReason,
    length: Duration,
    /// Longer with each rest in a row; what the upstream named is not.
    grows: bool,
}

impl CredentialHealth {
    /// An attempt failed. The rest that begins with it, if one does.
    pub fn failed(&mut self, now_ms: u64, failed: &Failed<'_>, rules: &RestRules) -> Option<Rest> {
        if rules.disabled || !treatment(failed.failure).fails_over || scope(failed.failure) == Scope::Model {
            return None;
        }
        let due = self.due(now_ms, failed, rules)?;
        let known = self.guessed.as_ref().filter(|rest| rest.until_ms > now_ms);
        // Failures of requests that were under way together are one.
        let length = if due.grows && known.is_none() { self.grown(due.length) } else { due.length };
        let until_ms = now_ms + u64::try_from(length.as_millis()).unwrap_or(u64::MAX / 2);
        if known.is_some_and(|known| known.until_ms >= until_ms) {
            return None;
        }
        if known.is_none() {
            self.rests_in_a_row += 1;
        }
        let rest = Rest { until_ms, reason: due.reason, failure: RestFailure::of(failed.failure) };
        self.guessed = Some(rest.clone());
        self.rests_since_ms = now_ms;
        (self.limited, self.forbidden, self.failing) = Default::default();
        Some(rest)
    }

    fn due(&mut self, now_ms: u64, failed: &Failed<'_>, rules: &RestRules) -> Option<Due> {
        let done = treatment(failed.failure);
        let kind = match failed.failure {
            Failure::Refused(error) => Some(error.kind),
            Failure::NoToken { temporary: false, .. } => Some(ErrorKind::Authentication),
            _ => None,
        };
        let said = scope(failed.failure) == Scope::Account;
        let refused = Due { reason: RestReason::Credential, length: REFUSED_FOR.max(rules.cooldown), grows: true };
        match kind {
            Some(ErrorKind::NotFound) => None,
            Some(ErrorKind::Authentication | ErrorKind::Billing) => Some(refused),
            Some(ErrorKind::Permission) => {
                self.forbidden.add(now_ms, MINUTE_MS, failed.model);
                (said || self.forbidden.is_of_credential(1)).then_some(refused)
            }
            Some(ErrorKind::RateLimited) => {
                self.limited.add(now_ms, SOON_MS, failed.model);
                let asked = asked_rest(failed.failure);
                // Spent for today: another credential may have something left.
                let otherwise = if done.retries { rules.cooldown } else { LONGEST_COOLDOWN };
                let length = asked.unwrap_or(otherwise).min(LONGEST_COOLDOWN);
                let due = Due { reason: RestReason::Account, length, grows: asked.is_none() };
                (said || self.limited.is_of_credential(1)).then_some(due)
            }
            _ => {
                self.failing.add(now_ms, MINUTE_MS, failed.model);
                // Where the others fail too, or there are none, it is the provider.
                let others_work = failed.others_worked_at_ms.is_some_and(|at| at >= self.failing.all_since_ms());
                let due = Due { reason: RestReason::CredentialFailing, length: rules.cooldown, grows: true };
                (others_work && self.failing.is_of_credential(rules.allowed(done.class))).then_some(due)
            }
        }
    }

    fn grown(&self, length: Duration) -> Duration {
        length.saturating_mul(1 << self.rests_in_a_row.min(10)).min(LONGEST_COOLDOWN).max(length)
    }

    /// A request that was sent at `sent_ms` was answered whole: the credential works. True if that ended a rest. An answer to a
    /// request that was sent before the rest began says nothing about it.
    pub fn answered(&mut self, now_ms: u64, sent_ms: u64) -> bool {
        self.worked_at_ms = self.worked_at_ms.max(Some(sent_ms));
        for row in [&mut self.limited, &mut self.forbidden, &mut self.failing] {
            row.answered(sent_ms);
        }
        if sent_ms < self.rests_since_ms {
            return false;
        }
        self.rests_in_a_row = 0;
        let guesses = [self.guessed.take(), self.told.take()];
        guesses.iter().flatten().any(|rest| rest.until_ms > now_ms)
    }

    pub fn worked_at_ms(&self) -> Option<u64> {
        self.worked_at_ms
    }

    /// Another replica sent the credential to rest.
    pub fn told(&mut self, now_ms: u64, rest: Rest) {
        if self.told.as_ref().is_none_or(|known| known.until_ms <= rest.until_ms) {
            self.told = Some(rest);
            self.rests_since_ms = now_ms;
        }
    }

    /// The credential worked at another replica: what was guessed there is over. Our own rest stays.
    pub fn told_over(&mut self) {
        self.told = None;
    }

    /// The rest in force: the longer of ours and another replica's.
    pub fn rest(&self, now_ms: u64) -> Option<&Rest> {
        let rests = [&self.guessed, &self.told].into_iter().flatten();
        rests.max_by_key(|rest| rest.until_ms).filter(|rest| rest.until_ms > now_ms)
    }
}

fn scope(failure: &Failure) -> Scope {
    match failure {
        Failure::Refused(error) => error.scope,
        _ => Scope::Unsaid,
    }
}
