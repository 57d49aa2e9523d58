//! What stands in Redis: one key for each deployment or credential and kind of rest, with the time it has left as its expiry.
//!
//! `tollgate:rest:NAME:asked` or `:guessed`, because what the upstream asked for and what was guessed end in different ways.

use serde::{Deserialize, Serialize};
use tollgate_policy::health::{Rest, RestFailure, RestReason};

use super::Key;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// By the upstream: kept in any case.
    Asked,
    /// By a replica: over with the first answer.
    Guessed,
}

impl Kind {
    pub const ALL: [Kind; 2] = [Kind::Asked, Kind::Guessed];

    pub fn of(reason: RestReason) -> Kind {
        if reason.is_binding() { Kind::Asked } else { Kind::Guessed }
    }
}

impl Key {
    pub fn in_redis(&self) -> String {
        let kind = match self.kind {
            Kind::Asked => "asked",
            Kind::Guessed => "guessed",
        };
        format!("tollgate:rest:{}:{kind}", self.name)
    }
}

/// Sets a key unless it holds a longer rest. ARGV: the value, the milliseconds that it is for.
pub const SET_IF_LONGER: &str = "\
if redis.call('PTTL', KEYS[1]) > tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1";

/// A value.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// The replica that told it.
    pub by: String,
    pub reason: String,
    /// Milliseconds since 1970, by the clock of Redis: those of the replicas may differ.
    pub until: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    #[serde(default)]
    pub words: String,
}

/// The longest rest that is believed, as for what an upstream asks.
const LONGEST_MS: u64 = 24 * 60 * 60 * 1000;

impl Told {
    /// `None` for what is no value of ours, or of another kind than its key. `unix_ms` and `now_ms` are the same moment, by
    /// Redis's clock and by ours.
    pub fn rest(&self, kind: Kind, unix_ms: u64, now_ms: u64) -> Option<Rest> {
        let reason = RestReason::from_word(&self.reason).filter(|reason| Kind::of(*reason) == kind)?;
        let left = self.until.saturating_sub(unix_ms).min(LONGEST_MS);
        Some(Rest { until_ms: now_ms + left, reason, failure: RestFailure::new(self.status, &self.words) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(reason: RestReason, until: u64) -> Told {
        Told { by: "a".into(), reason: reason.word().into(), until, status: Some(429), words: "slow down".into() }
    }

    #[test]
    fn a_rest_is_as_long_here_as_there_whatever_the_clocks_say() {
        let rest = told(RestReason::Asked, 1_790_000_030_000).rest(Kind::Asked, 1_790_000_000_000, 500).unwrap();
        assert_eq!((rest.until_ms, rest.reason), (30_500, RestReason::Asked));
        assert_eq!(rest.failure, RestFailure { status: Some(429), words: "slow down".into() });
    }

    #[test]
    fn what_others_write_cannot_do_more_than_a_rest_may() {
        let rest = told(RestReason::Gone, u64::MAX).rest(Kind::Guessed, 0, 0).unwrap();
        assert_eq!(rest.until_ms, 86_400_000);
        assert_eq!(told(RestReason::Asked, 9).rest(Kind::Guessed, 0, 0), None);
        let unknown = Told { reason: "bored".into(), ..told(RestReason::Gone, 9) };
        assert_eq!(unknown.rest(Kind::Guessed, 0, 0), None);
        let long = Told { words: "x".repeat(10_000), ..told(RestReason::Gone, 9) };
        assert_eq!(long.rest(Kind::Guessed, 0, 0).unwrap().failure.words.len(), 300);
    }
}
