//! Limits on the rate of requests, of tokens, and on requests at the same time.
//!
//! A minute is one of the clock, a day one of UTC, as OpenAI and LiteLLM count them: a limit begins anew with each. A request
//! takes a place, one request and the tokens that its prompt is expected to have from *all* limits of its caller, or from none.
//! When it is over the tokens are corrected to what it really took, its output included.
//!
//! **A request belongs to the windows that it began in.** What a stream writes after the minute's end counts in the minute
//! that is over, so it takes nothing from the next one; its place it keeps until its end.
//!
//! [`Claims`] is what a caller's scopes ask for, [`Account`] counts for one scope, [`Round`] is what replicas tell each other.

mod account;
mod claims;
mod dimension;
mod share;
mod standing;
#[cfg(test)]
mod tests;

pub use account::{Account, Fit};
pub use claims::{Claim, Claims, account_hash};
pub use dimension::{Dimension, Tokens};
pub use share::{Line, Report, Round, Telling};
pub use standing::{Gauge, Standing};

use std::sync::Arc;
use std::time::Duration;

use crate::access::ScopeKind;

/// Whose word a replica has for what it may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Holding {
    /// Its own: the whole limit.
    Alone,
    /// The others': what it told them that it holds.
    Shared,
    /// The others' last word, as they cannot be asked.
    Kept,
}

/// A limit that a request does not fit into. Says nothing of whose it is but the kind: a key's id is its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Denial {
    pub kind: ScopeKind,
    /// The model, or pattern of models, that the limit is for.
    pub model: Option<Arc<str>>,
    pub dimension: Dimension,
    pub limit: u64,
    pub remaining: u64,
    /// What the request needs of it.
    pub needed: u64,
    /// Milliseconds since 1970; `None`: whenever another request ends.
    pub resets_at_ms: Option<u64>,
}

impl Denial {
    /// At least a second, and rounded up to whole ones: `retry-after` has no smaller unit.
    pub fn retry_after(&self, now_ms: u64) -> Duration {
        let left_ms = self.resets_at_ms.map_or(0, |at| at.saturating_sub(now_ms));
        Duration::from_secs(left_ms.div_ceil(1000).max(1))
    }

    /// The request alone is larger than the limit: waiting does not help it.
    pub fn is_final(&self) -> bool {
        self.needed > self.limit
    }
}
