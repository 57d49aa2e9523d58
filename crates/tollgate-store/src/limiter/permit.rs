//! What a request took from its limits.

use std::sync::Arc;

use tollgate_policy::limit::{Account, Claim, Claims, Standing, Tokens};

use super::Inner;

/// Dropped without being settled it gives everything back, as for a request that was never sent.
#[derive(Default)]
pub struct LimitPermit(Option<Taken>);

struct Taken {
    limiter: Arc<Inner>,
    claims: Claims,
    tokens: Tokens,
    began_ms: u64,
}

impl LimitPermit {
    pub(super) fn new(limiter: &Arc<Inner>, claims: Claims, tokens: Tokens, began_ms: u64) -> LimitPermit {
        LimitPermit(Some(Taken { limiter: limiter.clone(), claims, tokens, began_ms }))
    }

    /// The request is over, well or not, and took so many tokens.
    pub fn settle(mut self, actual: Tokens) {
        if let Some(taken) = self.0.take() {
            taken.correct(|claim, account| account.settle(claim, taken.began_ms, taken.tokens, actual));
        }
    }

    /// What it is expected to take.
    pub fn expected(&self) -> Tokens {
        self.0.as_ref().map_or(Tokens::default(), |taken| taken.tokens)
    }

    /// How the caller stands now, for the headers of the answer.
    pub fn standing(&self, now_ms: u64) -> Standing {
        self.0.as_ref().map_or(Standing::default(), |taken| taken.limiter.standing(&taken.claims, now_ms))
    }
}

impl Drop for LimitPermit {
    fn drop(&mut self) {
        if let Some(taken) = self.0.take() {
            taken.correct(|claim, account| account.release(claim, taken.began_ms, taken.tokens));
        }
    }
}

impl Taken {
    /// `change`: true if the other replicas should know.
    fn correct(&self, change: impl Fn(&Claim, &mut Account) -> bool) {
        for claim in self.claims.iter() {
            let news = self.limiter.shards.of(claim, |account| change(claim, account));
            if news == Some(true) {
                self.limiter.tell(&claim.account);
            }
        }
    }
}
