//! What can be limited.

use crate::access::{Rates, ScopeKind};

/// What a limit counts, and over which time. In the order of how long a limit that is used up stays so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Dimension {
    RequestsPerDay,
    TokensPerDay,
    RequestsPerMinute,
    TokensPerMinute,
    InputTokensPerMinute,
    OutputTokensPerMinute,
    ParallelRequests,
}

/// Tokens of a request, expected or counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tokens {
    pub input: u64,
    pub output: u64,
}

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;

impl Dimension {
    pub const ALL: [Dimension; 7] = [
        Dimension::RequestsPerDay,
        Dimension::TokensPerDay,
        Dimension::RequestsPerMinute,
        Dimension::TokensPerMinute,
        Dimension::InputTokensPerMinute,
        Dimension::OutputTokensPerMinute,
        Dimension::ParallelRequests,
    ];

    pub fn of(self, rates: &Rates) -> Option<u64> {
        match self {
            Dimension::RequestsPerDay => rates.requests_per_day,
            Dimension::TokensPerDay => rates.tokens_per_day,
            Dimension::RequestsPerMinute => rates.requests_per_minute,
            Dimension::TokensPerMinute => rates.tokens_per_minute,
            Dimension::InputTokensPerMinute => rates.input_tokens_per_minute,
            Dimension::OutputTokensPerMinute => rates.output_tokens_per_minute,
            Dimension::ParallelRequests => rates.parallel_requests,
        }
    }

    /// What a request with these tokens takes.
    pub fn count(self, tokens: Tokens) -> u64 {
        match self {
            Dimension::RequestsPerDay | Dimension::RequestsPerMinute | Dimension::ParallelRequests => 1,
            Dimension::TokensPerDay | Dimension::TokensPerMinute => tokens.input.saturating_add(tokens.output),
            Dimension::InputTokensPerMinute => tokens.input,
            Dimension::OutputTokensPerMinute => tokens.output,
        }
    }

    /// What must be left for such a request: a limit that is used up lets nothing pass, not even what takes nothing yet.
    pub fn room(self, tokens: Tokens) -> u64 {
        self.count(tokens).max(1)
    }

    /// Milliseconds; `None`: it is not counted over a time.
    fn length_ms(self) -> Option<u64> {
        match self {
            Dimension::RequestsPerDay | Dimension::TokensPerDay => Some(DAY_MS),
            Dimension::ParallelRequests => None,
            _ => Some(MINUTE_MS),
        }
    }

    /// The number of the window since 1970.
    pub fn window(self, now_ms: u64) -> u64 {
        self.length_ms().map_or(0, |length| now_ms / length)
    }

    /// Milliseconds since 1970 at which a window is over.
    pub fn ends_at_ms(self, window: u64) -> Option<u64> {
        self.length_ms().map(|length| (window + 1).saturating_mul(length))
    }

    /// One word for it, also in the names of what replicas share.
    pub fn word(self) -> &'static str {
        match self {
            Dimension::RequestsPerDay => "requests_per_day",
            Dimension::TokensPerDay => "tokens_per_day",
            Dimension::RequestsPerMinute => "requests_per_minute",
            Dimension::TokensPerMinute => "tokens_per_minute",
            Dimension::InputTokensPerMinute => "input_tokens_per_minute",
            Dimension::OutputTokensPerMinute => "output_tokens_per_minute",
            Dimension::ParallelRequests => "parallel_requests",
        }
    }

    /// For people, after a number.
    pub fn unit(self) -> &'static str {
        match self {
            Dimension::RequestsPerDay => "requests per day",
            Dimension::TokensPerDay => "tokens per day",
            Dimension::RequestsPerMinute => "requests per minute",
            Dimension::TokensPerMinute => "tokens per minute",
            Dimension::InputTokensPerMinute => "input tokens per minute",
            Dimension::OutputTokensPerMinute => "output tokens per minute",
            Dimension::ParallelRequests => "requests at the same time",
        }
    }

    /// The setting that decides, as LiteLLM calls it: of a deployment (`litellm_params`), or of a key, team or user.
    pub fn setting(self, kind: ScopeKind, for_model: bool) -> &'static str {
        let [of_deployment, of_scope, of_model] = match self {
            Dimension::RequestsPerDay => ["rpd", "rpd_limit", "model_rpd_limit"],
            Dimension::TokensPerDay => ["tpd", "tpd_limit", "model_tpd_limit"],
            Dimension::RequestsPerMinute => ["rpm", "rpm_limit", "model_rpm_limit"],
            Dimension::TokensPerMinute => ["tpm", "tpm_limit", "model_tpm_limit"],
            Dimension::InputTokensPerMinute => ["itpm", "itpm_limit", "model_itpm_limit"],
            Dimension::OutputTokensPerMinute => ["otpm", "otpm_limit", "model_otpm_limit"],
            Dimension::ParallelRequests => {
                ["max_parallel_requests", "max_parallel_requests", "model_max_parallel_requests"]
            }
        };
        match (kind, for_model) {
            (ScopeKind::Deployment, _) => of_deployment,
            (_, false) => of_scope,
            (_, true) => of_model,
        }
    }
}
