//! What a client is told of an upstream that failed, refused, or rests.

use std::time::Duration;

use tollgate_dialect::error::{ErrorKind, PublicError, UpstreamError};
use tollgate_policy::failover::{Failure as AttemptFailure, Phase};
use tollgate_policy::health::RestFailure;

use super::PhaseSettings;
use crate::upstream::CONNECT_TIMEOUT;

/// What became of the last attempt.
pub fn attempt(failure: &AttemptFailure, deployment: &str, provider: &str, timeouts: &PhaseSettings) -> PublicError {
    match failure {
        AttemptFailure::Unreachable(why) => {
            PublicError::new(502, ErrorKind::Api, format!("{deployment}: the upstream could not be reached: {why}."))
        }
        AttemptFailure::TimedOut(phase) => {
            let (what, limit, why) = timed_out(*phase, timeouts);
            PublicError::new(
                504,
                ErrorKind::Timeout,
                format!("{deployment}: timed out {what} after {} s ({why}).", limit.as_secs_f64()),
            )
        }
        AttemptFailure::Broken(why) => PublicError::new(502, ErrorKind::Api, format!("{deployment}: {why}.")),
        // Never 401: a client would log its user out, and it is ours to mend.
        AttemptFailure::NoToken { words, temporary } => PublicError {
            should_retry: (!temporary).then_some(false),
            ..PublicError::new(
                502,
                ErrorKind::Api,
                format!("{deployment}: the gateway cannot sign in to {provider}: {words}"),
            )
        },
        AttemptFailure::Refused(error) => refused(error, deployment, provider),
    }
}

/// What was waited for, for how long, and what decides it.
fn timed_out(phase: Phase, timeouts: &PhaseSettings) -> (&'static str, Duration, &'static str) {
    const STREAM: &str = "litellm_params.stream_timeout decides";
    const WHOLE: &str = "litellm_params.timeout decides";
    let first = if timeouts.stream && timeouts.stream_timeout_given { STREAM } else { WHOLE };
    let idle = if timeouts.stream_timeout_given || timeouts.idle != timeouts.first_byte { STREAM } else { WHOLE };
    match phase {
        Phase::Connect if timeouts.first_byte < CONNECT_TIMEOUT => {
            ("connecting to the upstream", timeouts.first_byte, first)
        }
        Phase::Connect => (
            "connecting to the upstream",
            CONNECT_TIMEOUT,
            "fixed; a shorter litellm_params.timeout or stream_timeout goes before",
        ),
        Phase::FirstByte if timeouts.stream => ("waiting for the first byte of the stream", timeouts.first_byte, first),
        Phase::FirstByte => ("waiting for the first byte of the answer", timeouts.first_byte, first),
        Phase::Idle => ("waiting for more of an idle stream", timeouts.idle, idle),
        Phase::Total => ("waiting for the end of the whole answer (total)", timeouts.first_byte, WHOLE),
    }
}

/// Nobody was asked: what the upstream said last, and when it may be asked again.
pub fn resting(route: &str, retry_after: Duration, failure: &RestFailure) -> PublicError {
    let (status, kind) = match failure.status {
        Some(429) | None => (429, ErrorKind::RateLimited),
        Some(_) => (529, ErrorKind::Overloaded),
    };
    let seconds = retry_after.as_secs_f64().ceil();
    let message = format!(
        "{route}: every deployment rests for another {seconds} s because the upstream asked for it (retry-after). The upstream said: {}",
        failure.words
    );
    PublicError { retry_after: Some(retry_after), ..PublicError::new(status, kind, message) }
}

/// What an upstream's refusal becomes. Its own words always come along.
fn refused(error: &UpstreamError, deployment: &str, provider: &str) -> PublicError {
    let told = |status, kind, message: String| PublicError {
        status,
        kind,
        message,
        param: error.param.clone(),
        retry_after: error.retry_after,
        should_retry: (!error.temporary).then_some(false),
    };
    let words = if error.message.is_empty() {
        format!("status {} without a message", error.status)
    } else {
        error.message.clone()
    };
    match error.kind {
        ErrorKind::ContextOverflow => told(400, error.kind, prompt_is_too_long(&words, error.overflow)),
        ErrorKind::InvalidRequest | ErrorKind::ContentPolicy => {
            let status = if (400..500).contains(&error.status) { error.status } else { 400 };
            told(status, error.kind, words)
        }
        // Ours to mend, not the caller's: a client that saw 401 or 403 would log its user out.
        ErrorKind::Authentication | ErrorKind::Permission => PublicError {
            should_retry: Some(false),
            ..told(
                502,
                ErrorKind::Api,
                format!(
                    "{deployment}: the upstream refused the gateway's credential for {provider} (status {}): {words}",
                    error.status
                ),
            )
        },
        ErrorKind::Billing => told(402, error.kind, format!("{deployment}: {words}")),
        ErrorKind::NotFound => told(
            404,
            error.kind,
            format!("{deployment}: the provider does not have this model, or no longer (model_gone): {words}"),
        ),
        ErrorKind::TooLarge => told(413, error.kind, words),
        ErrorKind::RateLimited => told(429, error.kind, format!("{deployment}: {words}")),
        ErrorKind::Overloaded => told(
            529,
            error.kind,
            format!("{deployment}: the model is unavailable for now (temporarily_unavailable): {words}"),
        ),
        ErrorKind::Timeout => told(504, error.kind, format!("{deployment}: {words}")),
        ErrorKind::Api => {
            let status = if error.status >= 500 { error.status } else { 502 };
            told(status, error.kind, format!("{deployment}: {words}"))
        }
    }
}

/// The text that makes Claude Code compact and go on. The vendor's words follow, for people.
fn prompt_is_too_long(words: &str, overflow: Option<(u64, u64)>) -> String {
    if words.contains("prompt is too long") {
        return words.to_string();
    }
    match overflow {
        Some((tokens, maximum)) => {
            format!("prompt is too long: {tokens} tokens > {maximum} maximum. The upstream said: {words}")
        }
        None => format!("prompt is too long. The upstream said: {words}"),
    }
}
