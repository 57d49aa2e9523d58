//! The running gateway, as commands reach it.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};
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
    let gateway = Gateway { url: base_url(), key: key() };
    let (status, body) = gateway.ask(Method::GET, path, Bytes::new())?;
    match status {
        StatusCode::OK => Ok(body),
        StatusCode::NOT_FOUND => Err(Unanswered::NotFound),
        StatusCode::UNAUTHORIZED => Err(Unanswered::Other(CliError::failure(format!(
            "the gateway at {} does not take the key; set TOLLGATE_API_KEY to its master key",
            base_url()
        )))),
        other => Err(Unanswered::Other(CliError::failure(format!("the gateway at {} answered {other}", base_url())))),
    }
}

/// A gateway, and the key for it.
pub struct Gateway {
    pub url: String,
    pub key: Option<String>,
}

impl Gateway {
    /// Its answer, whatever it is.
    pub fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Vec<u8>), Unanswered> {
        let url = format!("{}{path}", self.url);
        let mut request = http::Request::builder().method(method).uri(&url).header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let usage =
            || Unanswered::Other(CliError::usage(format!("{}: this is no address, or the key is none", self.url)));
        let request = request.body(Full::new(body)).map_err(|_| usage())?;
        let runtime = serve::runtime(Some(1)).map_err(Unanswered::Other)?;
        runtime.block_on(async {
            let exchange = async {
                let answer = Client::new().send(request).await.map_err(|failure| format!("{failure:?}"))?;
                let (parts, body) = answer.into_parts();
                let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
                Ok((parts.status, body.to_vec()))
            };
            let answer = tokio::time::timeout(LIMIT, exchange).await;
            answer.unwrap_or_else(|_| Err(format!("no answer within {} s", LIMIT.as_secs()))).map_err(Unanswered::Away)
        })
    }
}
