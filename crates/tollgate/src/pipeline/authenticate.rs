//! Who calls?

use http::HeaderMap;
use subtle::ConstantTimeEq;
use tollgate_dialect::Dialect;

use crate::config::model::Config;
use crate::failure::Failure;

/// Where clients put their key, besides `Authorization: Bearer`.
const KEY_HEADERS: [&str; 4] = ["x-api-key", "api-key", "x-goog-api-key", "x-litellm-api-key"];

/// Lets a caller pass whose key, in any of the accepted headers, is the master key. Clients may send several headers (Claude
/// Code does when both of its variables are set): one right key is enough.
/// `in_address`: the key that a Gemini client may put into its query.
pub fn caller(config: &Config, headers: &HeaderMap, in_address: Option<&str>) -> Result<(), Failure> {
    let Some(master) = &config.master_key else { return Ok(()) };
    let mut sent = 0;
    for key in keys(headers).chain(in_address) {
        sent += 1;
        if bool::from(key.as_bytes().ct_eq(master.expose().as_bytes())) {
            return Ok(());
        }
    }
    Err(if sent == 0 { Failure::NoCredential } else { Failure::WrongCredential })
}

pub fn keys(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let bearer = headers.get_all(http::header::AUTHORIZATION).iter().filter_map(|value| {
        let value = value.to_str().ok()?;
        let (scheme, key) = value.split_once(' ')?;
        scheme.eq_ignore_ascii_case("bearer").then(|| key.trim())
    });
    let others = KEY_HEADERS.iter().flat_map(|name| headers.get_all(*name)).filter_map(|value| {
        let value = value.to_str().ok()?.trim();
        // LiteLLM's own header may carry the scheme as well.
        Some(value.strip_prefix("Bearer ").unwrap_or(value))
    });
    bearer.chain(others).filter(|key| !key.is_empty())
}

/// The dialect in which to answer on paths that belong to none.
pub fn dialect_of(headers: &HeaderMap, path: &str) -> Dialect {
    if headers.contains_key("anthropic-version") {
        Dialect::Messages
    } else if path.starts_with("/v1beta/") || headers.contains_key("x-goog-api-key") {
        Dialect::Gemini
    } else {
        Dialect::Chat
    }
}
