//! What a failure means for the request: does it go to another deployment, and is the same one asked again? One table.

use std::time::Duration;

use tollgate_dialect::error::{ErrorKind, UpstreamError};

/// Why an attempt gave no answer.
#[derive(Clone, Debug, PartialEq)]
pub enum Failure {
    /// No connection, or it broke before an answer began.
    Unreachable(String),
    /// Nothing in time; names the phase.
    TimedOut(Phase),
    /// The upstream answered with an error, or with one in the place of an answer.
    Refused(UpstreamError),
    /// The answer was none: HTML, garbage, an end before the end.
    Broken(String),
    /// Nothing was sent: no token could be had to sign in with. `temporary`: it may be another time.
    NoToken { words: String, temporary: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Connect,
    FirstByte,
    /// Between two pieces of a stream.
    Idle,
    /// From the request to the end of an answer in one piece.
    Total,
}

/// The classes of LiteLLM's `retry_policy` and `allowed_fails_policy`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    BadRequest,
    Authentication,
    Timeout,
    RateLimit,
    ContentPolicy,
    InternalServer,
    ServiceUnavailable,
    NotFound,
}

impl Class {
    pub const ALL: [Class; 8] = [
        Class::BadRequest,
        Class::Authentication,
        Class::Timeout,
        Class::RateLimit,
        Class::ContentPolicy,
        Class::InternalServer,
        Class::ServiceUnavailable,
        Class::NotFound,
    ];

    /// The beginning of the class's keys in LiteLLM's policies: `RateLimitErrorRetries`, `RateLimitErrorAllowedFails`.
    pub fn key(self) -> &'static str {
        match self {
            Class::BadRequest => "BadRequestError",
            Class::Authentication => "AuthenticationError",
            Class::Timeout => "TimeoutError",
            Class::RateLimit => "RateLimitError",
            Class::ContentPolicy => "ContentPolicyViolationError",
            Class::InternalServer => "InternalServerError",
            Class::ServiceUnavailable => "ServiceUnavailableError",
            Class::NotFound => "NotFoundError",
        }
    }
}

/// Which list of fallbacks answers a failure that no deployment of the route could.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trouble {
    General,
    ContextWindow,
    ContentPolicy,
}

impl Trouble {
    pub const ALL: [Trouble; 3] = [Trouble::General, Trouble::ContextWindow, Trouble::ContentPolicy];
}

/// What is done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Treatment {
    pub class: Class,
    /// Another deployment of the route may well succeed. A request that is itself at fault is never sent twice.
    pub fails_over: bool,
    /// The same deployment may say something else after a pause.
    pub retries: bool,
    /// Another route may serve the request; `None`: it would fail there too.
    pub falls_back: Option<Trouble>,
}

/// The table.
pub fn treatment(failure: &Failure) -> Treatment {
    use Class::*;
    let row = |class, fails_over, retries, falls_back| Treatment { class, fails_over, retries, falls_back };
    let general = Some(Trouble::General);
    let error = match failure {
        Failure::Unreachable(_) => return row(ServiceUnavailable, true, true, general),
        Failure::TimedOut(_) => return row(Timeout, true, true, general),
        Failure::Broken(_) => return row(InternalServer, true, true, general),
        Failure::NoToken { temporary, .. } => return row(Authentication, true, *temporary, general),
        Failure::Refused(error) => error,
    };
    let again = error.temporary || error.retry_after.is_some();
    match error.kind {
        ErrorKind::InvalidRequest | ErrorKind::TooLarge => row(BadRequest, false, false, None),
        ErrorKind::ContextOverflow => row(BadRequest, false, false, Some(Trouble::ContextWindow)),
        ErrorKind::ContentPolicy => row(ContentPolicy, false, false, Some(Trouble::ContentPolicy)),
        ErrorKind::Authentication | ErrorKind::Permission => row(Authentication, true, false, general),
        ErrorKind::Billing => row(RateLimit, true, false, general),
        ErrorKind::NotFound => row(NotFound, true, false, general),
        ErrorKind::RateLimited => row(RateLimit, true, again, general),
        ErrorKind::Overloaded => row(ServiceUnavailable, true, again, general),
        ErrorKind::Timeout => row(Timeout, true, again, general),
        ErrorKind::Api => row(InternalServer, true, again, general),
    }
}

/// One word for a failure: in `x-tollgate-reason`, records and metrics.
pub fn reason(failure: &Failure) -> &'static str {
    let error = match failure {
        Failure::Unreachable(_) => return "unreachable",
        Failure::TimedOut(Phase::Connect) => return "connect_timeout",
        Failure::TimedOut(Phase::FirstByte) => return "first_byte_timeout",
        Failure::TimedOut(Phase::Idle) => return "idle_timeout",
        Failure::TimedOut(Phase::Total) => return "total_timeout",
        Failure::Broken(_) => return "broken_answer",
        Failure::NoToken { .. } => return "no_token",
        Failure::Refused(error) => error,
    };
    match error.kind {
        ErrorKind::InvalidRequest => "invalid_request",
        ErrorKind::ContextOverflow => "context_overflow",
        ErrorKind::ContentPolicy => "content_policy",
        ErrorKind::Authentication | ErrorKind::Permission => "credential_refused",
        ErrorKind::Billing => "no_credit",
        ErrorKind::NotFound => "model_gone",
        ErrorKind::TooLarge => "too_large",
        ErrorKind::RateLimited => "rate_limited",
        ErrorKind::Overloaded => "temporarily_unavailable",
        ErrorKind::Timeout => "upstream_timeout",
        ErrorKind::Api => "upstream_error",
    }
}

/// How long the upstream asked to be left alone. On a refusal that time does not cure the header means nothing.
pub fn asked_rest(failure: &Failure) -> Option<Duration> {
    use ErrorKind::{Api, Overloaded, RateLimited, Timeout};
    match failure {
        Failure::Refused(error) if matches!(error.kind, RateLimited | Overloaded | Timeout | Api) => {
            error.retry_after.filter(|asked| !asked.is_zero())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
