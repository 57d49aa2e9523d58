//! Does a failure go to another deployment, and is the same one asked again?

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
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Connect,
    FirstByte,
    Idle,
}

/// True if another deployment of the route may well succeed where this one failed. A request that is itself at fault is never
/// sent twice.
pub fn fails_over(failure: &Failure) -> bool {
    match failure {
        Failure::Unreachable(_) | Failure::TimedOut(_) | Failure::Broken(_) => true,
        Failure::Refused(error) => match error.kind {
            ErrorKind::InvalidRequest | ErrorKind::ContextOverflow | ErrorKind::ContentPolicy | ErrorKind::TooLarge => {
                false
            }
            ErrorKind::Authentication
            | ErrorKind::Billing
            | ErrorKind::Permission
            | ErrorKind::NotFound
            | ErrorKind::RateLimited
            | ErrorKind::Overloaded
            | ErrorKind::Timeout
            | ErrorKind::Api => true,
        },
    }
}

/// How long the same deployment is to rest before it may be asked the same again; `None`: it would say the same again.
pub fn rest(failure: &Failure) -> Option<Duration> {
    if !fails_over(failure) {
        return None;
    }
    match failure {
        Failure::Refused(error) => match error.kind {
            ErrorKind::Authentication | ErrorKind::Billing | ErrorKind::Permission => None,
            _ if !error.temporary && error.retry_after.is_none() => None,
            _ => Some(error.retry_after.unwrap_or_default()),
        },
        Failure::Unreachable(_) | Failure::TimedOut(_) | Failure::Broken(_) => Some(Duration::ZERO),
    }
}

#[cfg(test)]
mod tests;
