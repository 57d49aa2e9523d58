//! How a caller stands, for the headers of an answer.

use super::{Account, Claim, Dimension};

/// What is left of a limit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Gauge {
    pub limit: u64,
    pub remaining: u64,
    /// Milliseconds since 1970.
    pub resets_at_ms: u64,
}

/// Of each sort the limit of which the least is left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Standing {
    pub requests: Option<Gauge>,
    /// Input and output.
    pub tokens: Option<Gauge>,
    pub input_tokens: Option<Gauge>,
    pub output_tokens: Option<Gauge>,
}

impl Standing {
    /// Adds what an account says of a claim; `None`: nothing was counted yet.
    pub fn add(&mut self, claim: &Claim, account: Option<&Account>, now_ms: u64) {
        for (dimension, limit) in claim.lines() {
            let place = match dimension {
                Dimension::RequestsPerDay | Dimension::RequestsPerMinute => &mut self.requests,
                Dimension::TokensPerDay | Dimension::TokensPerMinute => &mut self.tokens,
                Dimension::InputTokensPerMinute => &mut self.input_tokens,
                Dimension::OutputTokensPerMinute => &mut self.output_tokens,
                Dimension::ParallelRequests => continue,
            };
            let Some(resets_at_ms) = dimension.ends_at_ms(dimension.window(now_ms)) else { continue };
            let used = account.map_or(0, |account| account.used(dimension, now_ms));
            let gauge = Gauge { limit, remaining: limit.saturating_sub(used), resets_at_ms };
            // Of two with the same rest the one that lasts longer.
            let rank = |gauge: &Gauge| (gauge.remaining, std::cmp::Reverse(gauge.resets_at_ms));
            if place.as_ref().is_none_or(|known| rank(&gauge) < rank(known)) {
                *place = Some(gauge);
            }
        }
    }
}
