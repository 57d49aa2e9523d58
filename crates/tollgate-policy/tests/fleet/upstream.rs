//! Simulated deployments: how fast they answer and when they do not.

use std::time::Duration;

use tollgate_dialect::error::{ErrorKind, Scope, UpstreamError};
use tollgate_policy::failover::{Failure, Phase};

/// What a deployment does in a span of time, in seconds from the start.
#[derive(Clone, Copy, Debug)]
pub struct Spell {
    pub from_s: u64,
    pub to_s: u64,
    pub what: What,
}

#[derive(Clone, Copy, Debug)]
pub enum What {
    /// Its latency is so many times the usual.
    Slow(u64),
    Unreachable,
    /// One request in so many gets a 500.
    Errors(u64),
    /// Each request gets a 429 that asks for the rest of the spell.
    Throttled,
    /// Each request gets a 529 without a time.
    Overloaded,
    /// No byte comes; the time-out is 10 s.
    Silent,
}

#[derive(Clone, Copy, Debug)]
pub struct Upstream {
    pub usual_ms: u64,
    pub spells: &'static [Spell],
}

/// How an attempt ends, and when.
pub struct End {
    pub after_ms: u64,
    pub failure: Option<Failure>,
}

const fn spell(from_s: u64, to_s: u64, what: What) -> Spell {
    Spell { from_s, to_s, what }
}

/// Fast and slow, with changing latency, and no failure.
pub const CALM: [Upstream; 4] = [
    Upstream { usual_ms: 300, spells: &[] },
    Upstream { usual_ms: 400, spells: &[spell(40, 80, What::Slow(2))] },
    Upstream { usual_ms: 500, spells: &[] },
    Upstream { usual_ms: 350, spells: &[spell(120, 150, What::Slow(2))] },
];

/// Never is the whole fleet away, often half of it.
pub const TROUBLED: [Upstream; 4] = [
    Upstream { usual_ms: 300, spells: &[spell(20, 50, What::Unreachable), spell(150, 170, What::Errors(3))] },
    Upstream { usual_ms: 400, spells: &[spell(40, 70, What::Throttled), spell(130, 160, What::Slow(10))] },
    Upstream { usual_ms: 500, spells: &[spell(60, 90, What::Overloaded), spell(100, 110, What::Silent)] },
    Upstream { usual_ms: 350, spells: &[spell(10, 30, What::Slow(8)), spell(110, 130, What::Errors(10))] },
];

const AWAY: &[Spell] = &[spell(0, 100_000, What::Errors(1))];
pub const ALL_DOWN: [Upstream; 4] = [Upstream { usual_ms: 300, spells: AWAY }; 4];

impl Upstream {
    /// A request that comes now; `chance` is any number.
    pub fn answers(&self, now_ms: u64, chance: u64) -> End {
        let now = |spell: &&Spell| (spell.from_s * 1000..spell.to_s * 1000).contains(&now_ms);
        // Half as long to twice as long as usual.
        let usual = self.usual_ms / 2 + chance % (self.usual_ms * 3 / 2);
        let failed = |after_ms, failure| End { after_ms, failure: Some(failure) };
        let Some(spell) = self.spells.iter().find(now) else { return End { after_ms: usual, failure: None } };
        match spell.what {
            What::Slow(times) => End { after_ms: usual * times, failure: None },
            What::Unreachable => failed(5, Failure::Unreachable("connection refused".into())),
            What::Errors(one_in) if (chance >> 20).is_multiple_of(one_in) => {
                failed(50, refused(500, ErrorKind::Api, None))
            }
            What::Errors(_) => End { after_ms: usual, failure: None },
            What::Throttled => {
                let left = Duration::from_millis(spell.to_s * 1000 - now_ms);
                failed(20, refused(429, ErrorKind::RateLimited, Some(left)))
            }
            What::Overloaded => failed(30, refused(529, ErrorKind::Overloaded, None)),
            What::Silent => failed(10_000, Failure::TimedOut(Phase::FirstByte)),
        }
    }
}

fn refused(status: u16, kind: ErrorKind, retry_after: Option<Duration>) -> Failure {
    Failure::Refused(UpstreamError {
        status,
        kind,
        scope: Scope::Unsaid,
        message: format!("{status}"),
        code: None,
        param: None,
        overflow: None,
        retry_after,
        temporary: true,
    })
}
