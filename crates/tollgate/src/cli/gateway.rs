//! The running gateway, as commands reach it.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use clap::Args;
use http::{Method, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use serde_json::Value;

use tollgate_policy::failover::Failure;

use super::{CliError, environment, serve};
pub use crate::http::percent_encode as escaped;
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

/// A Tollgate answers at its address.
pub fn is_there() -> bool {
    get("/").is_ok_and(|body| String::from_utf8_lossy(&body).contains("\"tollgate\""))
}

/// Which gateway a command speaks with, as an administrator.
#[derive(Debug, Args)]
pub struct Which {
    /// The gateway's address [default: TOLLGATE_BASE_URL, else http://127.0.0.1:4000]
    #[arg(long, global = true, value_name = "URL", env = "TOLLGATE_URL")]
    url: Option<String>,
    /// The master key, or an administrator's [default: TOLLGATE_MASTER_KEY, TOLLGATE_API_KEY or LITELLM_MASTER_KEY]
    #[arg(long, global = true, value_name = "KEY", hide_env_values = true)]
    key: Option<String>,
}

impl Which {
    pub fn gateway(&self) -> Gateway {
        let url = self.url.clone().unwrap_or_else(base_url).trim_end_matches('/').to_string();
        let key = self.key.clone().or_else(|| environment("TOLLGATE_MASTER_KEY")).or_else(key);
        Gateway { url, key }
    }
}

/// A gateway, and the key for it.
pub struct Gateway {
    pub url: String,
    pub key: Option<String>,
}

/// Why a file did not arrive.
pub enum Undelivered {
    Unanswered(Unanswered),
    /// The gateway's own words, and its status.
    Refused(StatusCode, Vec<u8>),
    /// It broke off in the middle.
    Broken(String),
    /// It cannot be put where it was to go.
    Io(io::Error),
}

impl Gateway {
    /// Its answer, whatever it is.
    pub fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<(StatusCode, Vec<u8>), Unanswered> {
        let request = self.request(method, path, body)?;
        let runtime = serve::runtime(Some(1)).map_err(Unanswered::Other)?;
        runtime.block_on(in_time(async {
            let (parts, body) = sent(request).await?.into_parts();
            let body = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
            Ok((parts.status, body.to_vec()))
        }))
    }

    /// A `GET` whose answer is handed on as it comes.
    pub fn download(&self, path: &str, mut take: impl FnMut(&[u8]) -> io::Result<()>) -> Result<(), Undelivered> {
        let request = self.request(Method::GET, path, Bytes::new()).map_err(Undelivered::Unanswered)?;
        let runtime = serve::runtime(Some(1)).map_err(|error| Undelivered::Unanswered(Unanswered::Other(error)))?;
        runtime.block_on(async {
            let answer = in_time(sent(request)).await.map_err(Undelivered::Unanswered)?;
            let (parts, mut body) = answer.into_parts();
            if !parts.status.is_success() {
                let told = body.collect().await.map_err(|error| Undelivered::Broken(error.to_string()))?;
                return Err(Undelivered::Refused(parts.status, told.to_bytes().to_vec()));
            }
            while let Some(frame) = body.frame().await {
                let frame = frame.map_err(|error| Undelivered::Broken(error.to_string()))?;
                if let Some(piece) = frame.data_ref() {
                    take(piece).map_err(Undelivered::Io)?;
                }
            }
            Ok(())
        })
    }

    /// No gateway is where it was looked for.
    pub fn missing(&self) -> CliError {
        let url = &self.url;
        CliError::failure(format!(
            "no gateway answers at {url}; start one with `tollgate serve`, or name it with --url"
        ))
    }

    /// What it says to a request that it refuses, and what may help.
    pub fn refusal(&self, status: StatusCode, body: &[u8]) -> CliError {
        let answer: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
        let words = answer.pointer("/error/message").and_then(Value::as_str).unwrap_or("it gave no reason");
        let hint = match status.as_u16() {
            401 if self.key.is_some() => "; give the gateway's master key with --key or TOLLGATE_MASTER_KEY",
            401 => "; give its master key with --key or TOLLGATE_MASTER_KEY",
            404 => "; the command `list` shows what there is",
            _ => "",
        };
        CliError::failure(format!("{}{hint}", words.trim_end_matches('.')))
    }

    fn request(&self, method: Method, path: &str, body: Bytes) -> Result<http::Request<Full<Bytes>>, Unanswered> {
        let url = format!("{}{path}", self.url);
        let mut request = http::Request::builder().method(method).uri(&url).header("content-type", "application/json");
        if let Some(key) = &self.key {
            request = request.header("authorization", format!("Bearer {key}"));
        }
        let usage = || {
            Unanswered::Other(CliError::usage(format!(
                "{} is no address of a gateway, or the key has letters that no key has; write it like http://127.0.0.1:4000",
                self.url
            )))
        };
        request.body(Full::new(body)).map_err(|_| usage())
    }
}

async fn sent(request: http::Request<Full<Bytes>>) -> Result<http::Response<Incoming>, String> {
    Client::new().send(request).await.map_err(|failure| match failure {
        Failure::Unreachable(why) => why,
        _ => "it does not answer".into(),
    })
}

async fn in_time<T>(answer: impl Future<Output = Result<T, String>>) -> Result<T, Unanswered> {
    let answer = tokio::time::timeout(LIMIT, answer).await;
    answer.unwrap_or_else(|_| Err(format!("no answer within {} s", LIMIT.as_secs()))).map_err(Unanswered::Away)
}
