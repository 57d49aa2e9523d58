//! For whom a deployment is closed, because its own limits have no room.

use crate::limit::{Denial, Dimension};

/// Closed for requests that need so many tokens, or more: smaller ones may still fit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Closed {
    pub tokens: u64,
    /// By the clock that the deployment's health is kept by.
    pub until_ms: u64,
    /// The limit, for those that are turned away.
    pub denial: Denial,
}

impl Closed {
    /// `denied`: a request that needs so many tokens. `until_ms` is forgotten for one that never fits.
    pub fn by(denial: Denial, tokens: u64, until_ms: u64) -> Closed {
        let of_tokens = !matches!(
            denial.dimension,
            Dimension::RequestsPerDay | Dimension::RequestsPerMinute | Dimension::ParallelRequests
        );
        Closed {
            tokens: if of_tokens && denial.remaining > 0 { tokens } else { 0 },
            until_ms: if denial.is_final() { u64::MAX } else { until_ms },
            denial,
        }
    }

    /// Until a window ends, not for as long as others have all places.
    pub fn is_spent(&self) -> bool {
        self.denial.dimension != Dimension::ParallelRequests
    }
}

/// What a deployment is closed for. Nothing here is counted: a request that comes when it is open may still be turned away.
#[derive(Clone, Debug, Default)]
pub struct Closings(Vec<Closed>);

impl Closings {
    pub fn close(&mut self, now_ms: u64, closed: Closed) {
        let implied = |known: &Closed| known.tokens >= closed.tokens && known.until_ms <= closed.until_ms;
        self.0.retain(|known| known.until_ms > now_ms && !implied(known));
        self.0.push(closed);
    }

    /// Something was given back: whoever comes next finds out how much.
    pub fn reopen(&mut self) {
        self.0.clear();
    }

    /// What a request with so many tokens has to wait for; of several the one that lasts longest.
    pub fn of(&self, now_ms: u64, tokens: u64) -> Option<&Closed> {
        let holds = |closed: &&Closed| closed.until_ms > now_ms && closed.tokens <= tokens;
        self.0.iter().filter(holds).max_by_key(|closed| closed.until_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::ScopeKind;

    fn denial(dimension: Dimension, remaining: u64, needed: u64) -> Denial {
        let resets_at_ms = (dimension != Dimension::ParallelRequests).then_some(60_000);
        Denial { kind: ScopeKind::Deployment, model: None, dimension, limit: 100, remaining, needed, resets_at_ms }
    }

    fn until(closings: &Closings, now_ms: u64, tokens: u64) -> Option<u64> {
        closings.of(now_ms, tokens).map(|closed| closed.until_ms)
    }

    #[test]
    fn a_minute_whose_requests_are_used_up_is_closed_for_all_until_it_ends() {
        let mut closings = Closings::default();
        closings.close(10, Closed::by(denial(Dimension::RequestsPerMinute, 0, 1), 70, 500));
        assert_eq!((until(&closings, 499, 0), until(&closings, 499, 1000)), (Some(500), Some(500)));
        assert_eq!(until(&closings, 500, 1000), None);
    }

    #[test]
    fn what_is_left_of_the_tokens_is_for_smaller_requests() {
        let mut closings = Closings::default();
        closings.close(10, Closed::by(denial(Dimension::TokensPerMinute, 40, 70), 70, 500));
        assert_eq!((until(&closings, 20, 69), until(&closings, 20, 70)), (None, Some(500)));
        closings.close(20, Closed::by(denial(Dimension::TokensPerMinute, 0, 1), 1, 500));
        assert_eq!(until(&closings, 20, 0), Some(500));
    }

    #[test]
    fn a_prompt_that_is_larger_than_the_limit_never_fits_and_what_was_given_back_opens() {
        let mut closings = Closings::default();
        closings.close(10, Closed::by(denial(Dimension::TokensPerMinute, 100, 101), 101, 500));
        assert_eq!((until(&closings, 900, 101), until(&closings, 900, 100)), (Some(u64::MAX), None));
        closings.reopen();
        assert_eq!(until(&closings, 900, 101), None);
    }

    #[test]
    fn the_longer_of_two_holds_and_places_elsewhere_are_not_a_window() {
        let mut closings = Closings::default();
        closings.close(10, Closed::by(denial(Dimension::TokensPerMinute, 40, 70), 70, 500));
        closings.close(10, Closed::by(denial(Dimension::ParallelRequests, 0, 1), 70, 35));
        assert_eq!((until(&closings, 20, 1), until(&closings, 20, 70)), (Some(35), Some(500)));
        assert!(!closings.of(20, 1).unwrap().is_spent() && closings.of(20, 70).unwrap().is_spent());
    }
}
