//! How often the same is asked again, after which pause, and how many retries a route can afford.

use std::time::Duration;

use crate::failover::Class;

#[cfg(test)]
mod tests;

/// LiteLLM's `retry_policy`: the most requests beyond one for each deployment, by the class of the failure.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RetryPolicy {
    pub default: Option<u32>,
    pub by_class: Vec<(Class, u32)>,
}

impl RetryPolicy {
    /// `otherwise`: where the policy says nothing, the deployment's `num_retries`.
    pub fn retries(&self, class: Class, otherwise: u32) -> u32 {
        let of_class = self.by_class.iter().find(|(of, _)| *of == class).map(|(_, retries)| *retries);
        of_class.or(self.default).unwrap_or(otherwise)
    }
}

const FIRST_PAUSE: Duration = Duration::from_millis(500);
const LONGEST_PAUSE: Duration = Duration::from_secs(8);

/// The pause before the retry of this number, counted from 0: doubled each time, and up to a quarter shorter by chance, so
/// that many requests which failed together do not come back together. `chance` is any number.
pub fn pause(retry: u32, at_least: Duration, chance: u64) -> Duration {
    let whole = FIRST_PAUSE.saturating_mul(1 << retry.min(5)).clamp(at_least.min(LONGEST_PAUSE), LONGEST_PAUSE);
    let quarter = u64::try_from(whole.as_millis()).unwrap_or(u64::MAX) / 4;
    let shorter = whole - Duration::from_millis(chance % (quarter + 1));
    shorter.max(at_least)
}

/// Retries a route can afford: a dying provider gets a fifth more requests than without retries, not a multiple.
///
/// Every request puts in a fifth of a retry, and every retry takes one out. What is there at the start, and comes back
/// with time, lets a route with little traffic retry as well.
#[derive(Clone, Debug)]
pub struct RetryBudget {
    /// In fifths of a retry.
    fifths: u64,
    updated_ms: u64,
}

const FIFTHS: u64 = 5;
/// Retries that are there without any traffic, and the most that can be saved up.
const RESERVE: u64 = 10;
/// One retry of the reserve comes back in this time.
const REFILL_MS: u64 = 1000;

impl Default for RetryBudget {
    fn default() -> Self {
        RetryBudget { fifths: RESERVE * FIFTHS, updated_ms: 0 }
    }
}

impl RetryBudget {
    /// A request began.
    pub fn deposit(&mut self) {
        self.fifths = (self.fifths + 1).min(2 * RESERVE * FIFTHS);
    }

    /// True if a retry may be made; it is taken out then.
    pub fn withdraw(&mut self, now_ms: u64) -> bool {
        let back = now_ms.saturating_sub(self.updated_ms) / REFILL_MS;
        if back > 0 {
            self.updated_ms += back * REFILL_MS;
            if self.fifths < RESERVE * FIFTHS {
                self.fifths = back.saturating_mul(FIFTHS).saturating_add(self.fifths).min(RESERVE * FIFTHS);
            }
        }
        let affordable = self.fifths >= FIFTHS;
        if affordable {
            self.fifths -= FIFTHS;
        }
        affordable
    }
}
