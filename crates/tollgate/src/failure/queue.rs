//! What a client is told whose request may not wait for its turn, or not any longer.

use std::time::Duration;

use tollgate_dialect::error::{ErrorKind, PublicError};

use super::NotAdmitted;

/// What decides is named: how many may wait and how long, and how many go at once.
pub fn not_admitted(route: &str, why: NotAdmitted, retry_after: Duration) -> PublicError {
    const AT_ONCE: &str = "litellm_params.max_parallel_requests and the rate limits of deployments and providers decide how many go at once";
    let message = match why {
        NotAdmitted::QueueFull { max_waiting } => format!(
            "{route}: the queue is full: {max_waiting} requests may wait for their turn (tollgate_settings.fair_queue.max_waiting decides; {AT_ONCE})."
        ),
        NotAdmitted::WaitedTooLong { max_wait } => format!(
            "{route}: no turn came within the {} s that a request may wait (tollgate_settings.fair_queue.max_wait_s decides; {AT_ONCE}).",
            max_wait.as_secs_f64()
        ),
    };
    PublicError { retry_after: Some(retry_after), ..PublicError::new(429, ErrorKind::RateLimited, message) }
}
