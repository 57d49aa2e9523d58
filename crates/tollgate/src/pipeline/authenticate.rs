//! Who calls?

use http::HeaderMap;
use subtle::ConstantTimeEq;
use tollgate_dialect::Dialect;

use super::tenant::Tenant;
use crate::config::model::Config;
use crate::failure::Failure;

/// Where clients put their key, besides `Authorization: Bearer`.
const KEY_HEADERS: [&str; 4] = ["x-api-key", "api-key", "x-goog-api-key", "x-litellm-api-key"];

/// Lets a caller pass whose key, in any of the accepted headers, is the master key. Clients may send several headers (Claude
/// Code does when both of its variables are set): one right key is enough. Without a master key any key tells its caller apart.
pub fn caller(config: &Config, headers: &HeaderMap) -> Result<Tenant, Failure> {
    let Some(master) = &config.master_key else {
        return Ok(keys(headers).next().map(Tenant::of_key).unwrap_or_default());
    };
    let mut sent = 0;
    for key in keys(headers) {
        sent += 1;
        if bool::from(key.as_bytes().ct_eq(master.expose().as_bytes())) {
            return Ok(Tenant::of_key(key));
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
pub fn dialect_of(headers: &HeaderMap) -> Dialect {
    if headers.contains_key("anthropic-version") { Dialect::Messages } else { Dialect::Chat }
}
