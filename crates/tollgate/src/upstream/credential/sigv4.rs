//! AWS Signature Version 4 (docs.aws.amazon.com, IAM User Guide, "Create a signed AWS API request", 2026-11).
//!
//! Of our own, since AWS's crate for it brings 17 others along, for two hashes that the TLS library has already.

use std::fmt::Write as _;

use aws_lc_rs::{digest, hmac};
use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Request, Uri};
use http_body_util::Full;
use jiff::Timestamp;

use super::exchange::lasting;
use super::{NoToken, body_of};
use crate::config::aws::Keys;

const ALGORITHM: &str = "AWS4-HMAC-SHA256";
const DATE: HeaderName = HeaderName::from_static("x-amz-date");
const SESSION: HeaderName = HeaderName::from_static("x-amz-security-token");

/// What a signature is good for.
#[derive(Clone, Copy)]
pub(super) struct Scope<'s> {
    pub region: &'s str,
    pub service: &'s str,
}

/// Signs the request as it is now. No header that is signed may be changed after this.
pub(super) fn sign(
    mut request: Request<Full<Bytes>>,
    keys: &Keys,
    scope: Scope<'_>,
    now: Timestamp,
) -> Result<Request<Full<Bytes>>, NoToken> {
    let unfit = |_| lasting("the AWS keys hold characters that no header can carry");
    let date = now.strftime("%Y%m%dT%H%M%SZ").to_string();
    let headers = request.headers_mut();
    headers.remove(AUTHORIZATION);
    headers.insert(DATE, HeaderValue::from_str(&date).map_err(unfit)?);
    if let Some(session) = &keys.session {
        let mut value = HeaderValue::from_str(session.expose()).map_err(unfit)?;
        value.set_sensitive(true);
        headers.insert(SESSION, value);
    }
    let signed = signed_headers(&request);
    let names: Vec<&str> = signed.iter().map(|(name, _)| name.as_str()).collect();
    let names = names.join(";");
    let uri = request.uri();
    let canonical = canonical(
        request.method().as_str(),
        uri.path(),
        uri.query().unwrap_or(""),
        &signed,
        &names,
        &body_of(&request),
    );
    let day = &date[..8];
    let reach = format!("{day}/{}/{}/aws4_request", scope.region, scope.service);
    let to_sign = format!("{ALGORITHM}\n{date}\n{reach}\n{}", hash(canonical.as_bytes()));
    let signature = hex(mac(&signing_key(keys.secret.expose(), day, scope), &to_sign).as_ref());
    let value = format!("{ALGORITHM} Credential={}/{reach}, SignedHeaders={names}, Signature={signature}", keys.id);
    let mut value = HeaderValue::from_str(&value).map_err(unfit)?;
    value.set_sensitive(true);
    request.headers_mut().insert(AUTHORIZATION, value);
    Ok(request)
}

/// The host, the type of the body, and all that is AWS's own: what proxies in between leave alone. In the order of their names.
fn signed_headers(request: &Request<Full<Bytes>>) -> Vec<(String, String)> {
    let own = |name: &HeaderName| *name == CONTENT_TYPE || name.as_str().starts_with("x-amz");
    let names = request.headers().keys().filter(|name| own(name));
    let mut headers: Vec<(String, String)> = names
        .map(|name| {
            let values = request.headers().get_all(name).iter().map(|value| String::from_utf8_lossy(value.as_bytes()));
            let values: Vec<String> = values.map(|v| v.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
            (name.as_str().to_string(), values.join(","))
        })
        .collect();
    headers.push((HOST.as_str().to_string(), host(request.uri())));
    headers.sort();
    headers
}

/// As the client writes it: with the port where it is not the scheme's own.
fn host(uri: &Uri) -> String {
    let name = uri.host().unwrap_or("");
    match (uri.port_u16(), uri.scheme_str()) {
        (None, _) | (Some(443), Some("https")) | (Some(80), Some("http")) => name.to_string(),
        (Some(port), _) => format!("{name}:{port}"),
    }
}

/// The path is escaped once more than it is sent, which is the rule for all services but S3.
fn canonical(method: &str, path: &str, query: &str, headers: &[(String, String)], names: &str, body: &[u8]) -> String {
    let mut pairs: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| if pair.contains('=') { pair.to_string() } else { format!("{pair}=") })
        .collect();
    pairs.sort();
    let headers = headers.iter().fold(String::new(), |mut out, (name, value)| {
        let _ = writeln!(out, "{name}:{value}");
        out
    });
    format!("{method}\n{}\n{}\n{headers}\n{names}\n{}", escaped_path(path), pairs.join("&"), hash(body))
}

fn escaped_path(path: &str) -> String {
    let segments: Vec<String> = path.split('/').map(super::exchange::escaped).collect();
    segments.join("/")
}

fn signing_key(secret: &str, day: &str, scope: Scope<'_>) -> hmac::Key {
    let first = hmac::Key::new(hmac::HMAC_SHA256, format!("AWS4{secret}").as_bytes());
    [day, scope.region, scope.service, "aws4_request"]
        .iter()
        .fold(first, |key, part| hmac::Key::new(hmac::HMAC_SHA256, mac(&key, part).as_ref()))
}

fn mac(key: &hmac::Key, text: &str) -> hmac::Tag {
    hmac::sign(key, text.as_bytes())
}

fn hash(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

#[cfg(test)]
mod tests;
