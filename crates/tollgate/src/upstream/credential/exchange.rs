//! What asking for a token comes down to: one small request, and its answer as a whole.

use std::fmt::Write as _;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bytes::Bytes;
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use serde_json::Value;
use tokio::time::Instant;
use tollgate_policy::failover::Failure;

use super::{Client, NoToken, Token};
use crate::config::secret::Secret;

/// For one request: with all of a chain it is still shorter than a client waits.
const LIMIT: Duration = Duration::from_secs(10);
const MOST_BYTES: usize = 256 * 1024;
pub const MOST_WORDS: usize = 300;
/// Where a source does not say how long its token is good.
const UNSAID: Duration = Duration::from_secs(15 * 60);

pub async fn exchange(client: &Client, request: Request<Full<Bytes>>) -> Result<(StatusCode, Bytes), NoToken> {
    let exchange = async {
        let answer = client.send(request).await.map_err(unreachable)?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), MOST_BYTES).collect().await;
        let body = body.map_err(|error| passing(format!("the answer broke off: {error}")))?;
        Ok((status, body.to_bytes()))
    };
    let answered = tokio::time::timeout(LIMIT, exchange).await;
    answered.unwrap_or_else(|_| Err(passing(format!("no answer in {} s", LIMIT.as_secs()))))
}

/// Fails where the address is none.
pub fn post_form(url: &str, fields: &[(&str, &str)]) -> Result<Request<Full<Bytes>>, http::Error> {
    let pairs: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={}", escaped(value))).collect();
    Request::post(url)
        .header(CONTENT_TYPE, "application/x-www-form-urlencoded")
        .header(ACCEPT, "application/json")
        .body(Full::new(Bytes::from(pairs.join("&"))))
}

/// `{"access_token", "expires_in"}`, `expires_on` in seconds since 1970 from managed identities, numbers often as text; `az` and
/// `azd`, and Google for service accounts in whose name somebody asks, have names of their own.
pub fn token(answer: &Value) -> Result<Token, NoToken> {
    let secret = ["access_token", "accessToken", "token"].iter().find_map(|name| answer[*name].as_str());
    let secret = secret.filter(|secret| !secret.is_empty()).ok_or_else(|| lasting("the answer holds no token"))?;
    let number = |name: &str| match &answer[name] {
        Value::String(text) => text.trim().parse().ok(),
        other => other.as_u64(),
    };
    let stamp = |name: &str| answer[name].as_str()?.parse::<jiff::Timestamp>().ok();
    let on = number("expires_on")
        .or_else(|| stamp("expiresOn").or_else(|| stamp("expireTime"))?.as_second().try_into().ok());
    let good_for = number("expires_in").map(Duration::from_secs).or_else(|| {
        let left = (UNIX_EPOCH + Duration::from_secs(on?)).duration_since(SystemTime::now());
        Some(left.unwrap_or_default())
    });
    Ok(Token {
        secret: Secret::new(secret),
        ends: Instant::now() + good_for.unwrap_or(UNSAID).min(Duration::from_secs(30 * 86_400)),
    })
}

/// Percent-encoding of all but what is never special (RFC 3986, 2.3).
pub fn escaped(text: &str) -> String {
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

pub fn passing(words: impl Into<String>) -> NoToken {
    NoToken { words: words.into(), temporary: true }
}

pub fn lasting(words: impl Into<String>) -> NoToken {
    NoToken { words: words.into(), temporary: false }
}

pub fn bounded(words: &str) -> String {
    words.chars().take(MOST_WORDS).collect()
}

/// The same request may be answered later.
pub fn may_pass(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500..=599)
}
