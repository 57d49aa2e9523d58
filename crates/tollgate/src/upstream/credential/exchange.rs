//! One call of an endpoint that gives tokens or keys.

use std::fmt::Write as _;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use tollgate_policy::failover::Failure;

use super::{Client, NoToken};

/// For one source: with all of a chain it is still shorter than a client waits.
const LIMIT: Duration = Duration::from_secs(10);
const MOST_BYTES: usize = 256 * 1024;
pub(super) const MOST_WORDS: usize = 300;

pub(super) async fn exchange(client: &Client, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), NoToken> {
    let exchange = async {
        let answer = client.send(request).await.map_err(unreachable)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
        let body = body.map_err(|error| passing(format!("the answer broke off: {error}")))?;
        Ok::<_, NoToken>((status, body.to_bytes()))
    };
    let answered = tokio::time::timeout(LIMIT, exchange).await;
    answered.unwrap_or_else(|_| Err(passing(format!("no answer in {} s", LIMIT.as_secs()))))
}

/// Another try may do better.
pub(super) fn is_temporary(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 410 | 429 | 500..=599)
}

/// Percent-encoding of all but what is never special (RFC 3986, 2.3).
pub(super) fn escaped(text: &str) -> String {
    text.bytes().fold(String::with_capacity(text.len()), |mut out, byte| {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
        out
    })
}

fn unreachable(failure: Failure) -> NoToken {
    match failure {
        Failure::Unreachable(why) => passing(format!("it cannot be reached: {why}")),
        _ => passing("it takes no connection"),
    }
}

pub(super) fn passing(words: impl Into<String>) -> NoToken {
    NoToken { words: words.into(), temporary: true }
}

pub(super) fn lasting(words: impl Into<String>) -> NoToken {
    NoToken { words: words.into(), temporary: false }
}

pub(super) fn bounded(words: &str) -> String {
    words.chars().take(MOST_WORDS).collect()
}
