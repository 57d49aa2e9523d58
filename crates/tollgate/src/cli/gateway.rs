//! The running gateway, as commands reach it.

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use http_body_util::{BodyExt, Full};

use super::{CliError, environment, serve};
use crate::upstream::Client;

const DEFAULT_GATEWAY: &str = "http://127.0.0.1:4000";
const LIMIT: Duration = Duration::from_secs(20);

/// The address that `TOLLGATE_BASE_URL` names, else this machine's.
pub fn base_url() -> String {
    let url = environment("TOLLGATE_BASE_URL").unwrap_or_else(|| DEFAULT_GATEWAY.into());
    url.trim_end_matches('/').to_string()
}

/// The key that the environment has for it.
pub fn key() -> Option<String> {
    ["TOLLGATE_API_KEY", "TOLLGATE_MASTER_KEY", "LITELLM_MASTER_KEY"].iter().find_map(|name| environment(name))
}

/// Why the gateway did not answer with what was asked for.
pub enum Unanswered {
    /// No gateway is there.
    Away(String),
    /// It knows no such thing.
    NotFound,
    Other(CliError),
}

/// `GET` of a path.
pub fn get(path: &str) -> Result<Vec<u8>, Unanswered> {
    let url = format!("{}{path}", base_url());
    let mut request = http::Request::get(&url);
    if let Some(key) = key() {
        request = request.header("authorization", format!("Bearer {key}"));
    }
    let usage = |what: &str| Unanswered::Other(CliError::usage(format!("{url}: {what}; correct TOLLGATE_BASE_URL")));
    let request = request.body(Full::new(Bytes::new())).map_err(|_| usage("this is no address"))?;
    let runtime = serve::runtime(Some(1)).map_err(Unanswered::Other)?;
    let (status, body) = runtime.block_on(async {
        let exchange = async {
            let answer = Client::new().send(request).await.map_err(|failure| format!("{failure:?}"))?;
            let (parts, body) = answer.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            Ok((parts.status, body))
        };
        let answer = tokio::time::timeout(LIMIT, exchange).await;
        answer.unwrap_or_else(|_| Err(format!("no answer within {} s", LIMIT.as_secs()))).map_err(Unanswered::Away)
    })?;
    match status {
        StatusCode::OK => Ok(body.to_vec()),
        StatusCode::NOT_FOUND => Err(Unanswered::NotFound),
        StatusCode::UNAUTHORIZED => Err(Unanswered::Other(CliError::failure(format!(
            "the gateway at {} does not take the key; set TOLLGATE_API_KEY to its master key",
            base_url()
        )))),
        other => Err(Unanswered::Other(CliError::failure(format!("the gateway at {} answered {other}", base_url())))),
    }
}
