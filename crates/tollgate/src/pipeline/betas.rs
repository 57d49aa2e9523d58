//! Which betas of the Messages API a request asks for.

use http::{HeaderName, HeaderValue};
use tollgate_dialect::Dialect;

use crate::app::Known;
use crate::config::model::Deployment;

pub const BETAS: HeaderName = HeaderName::from_static("anthropic-beta");

/// Of client and configuration, by the host's names; empty: none.
pub fn line(deployment: &Deployment, known: &Known, client: &[(HeaderName, HeaderValue)]) -> Vec<u8> {
    let rules = &known.quirks.messages;
    let of_client = client.iter().filter(|_| rules.betas && deployment.dialect == Dialect::Messages);
    let lines = of_client.chain(&deployment.headers).filter(|(name, _)| *name == BETAS);
    let mut lines: Vec<&[u8]> = lines.map(|(_, value)| value.as_bytes()).collect();
    lines.dedup();
    let line = lines.join(&b", "[..]);
    let hosting = rules.host.hosting();
    if rules.refused_betas.is_empty() && hosting.betas.is_empty() {
        return line;
    }
    let here = String::from_utf8_lossy(&line);
    let mut kept: Vec<&str> = split(&here).filter_map(|beta| hosting.beta(beta)).collect();
    kept.retain(|beta| !rules.refused_betas.iter().any(|refused| refused == beta));
    kept.join(", ").into_bytes()
}

pub fn split(line: &str) -> impl Iterator<Item = &str> {
    line.split(',').map(str::trim).filter(|beta| !beta.is_empty())
}
