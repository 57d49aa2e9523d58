//! The clients: a connection for each request, and some that leave in the middle.

use std::io::ErrorKind;
use std::net::SocketAddr;

use bytes::Bytes;
use http::Request;
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use super::stage::MASTER_KEY;

/// What a client saw.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The whole answer.
    Whole,
    /// As much as it wanted of it.
    Left,
    /// A status, and the gateway's word for the reason.
    Refused(u16, String),
    /// The connection broke, or the answer was not whole.
    Cut(String),
}

/// The gateway takes no connections.
#[derive(Debug)]
pub struct NobodyThere;

/// A request to a model.
pub struct Ask<'a> {
    pub path: &'static str,
    pub key: &'a str,
    /// What it is known by, in the ledger and by the provider.
    pub marker: &'a str,
    pub body: String,
    /// With what a whole answer ends, apart from white space.
    pub end: &'static str,
    /// After so many pieces of the body.
    pub leaves_after: Option<usize>,
}

pub async fn ask(to: SocketAddr, ask: &Ask<'_>) -> Result<Outcome, NobodyThere> {
    let stream = match TcpStream::connect(to).await {
        Ok(stream) => stream,
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => return Err(NobodyThere),
        Err(error) => return Ok(Outcome::Cut(error.to_string())),
    };
    Ok(talk(stream, ask).await.unwrap_or_else(Outcome::Cut))
}

async fn talk(stream: TcpStream, ask: &Ask<'_>) -> Result<Outcome, String> {
    let request = Request::post(ask.path)
        .header("host", "tollgate")
        .header("authorization", format!("Bearer {}", ask.key))
        .header("content-type", "application/json")
        .header("x-litellm-tags", ask.marker)
        .body(Full::new(Bytes::from(ask.body.clone())))
        .map_err(|error| error.to_string())?;
    let answer = send(stream, request).await?;
    let (head, mut body) = answer.into_parts();
    if head.status != 200 {
        let reason = head.headers.get("x-tollgate-reason").and_then(|value| value.to_str().ok()).unwrap_or_default();
        return Ok(Outcome::Refused(head.status.as_u16(), reason.to_string()));
    }
    let (mut text, mut pieces) = (Vec::new(), 0);
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| error.to_string())?;
        text.extend_from_slice(frame.data_ref().map_or(&[][..], |data| data));
        pieces += 1;
        if ask.leaves_after.is_some_and(|after| pieces >= after) {
            return Ok(Outcome::Left);
        }
    }
    match text.trim_ascii_end().ends_with(ask.end.as_bytes()) {
        true => Ok(Outcome::Whole),
        false => {
            Err(format!("an answer ends with {}", String::from_utf8_lossy(&text[text.len().saturating_sub(200)..])))
        }
    }
}

/// `POST` to the management API, which has to succeed.
pub async fn manage(to: SocketAddr, path: &str, body: &Value) -> Result<Value, String> {
    let stream = TcpStream::connect(to).await.map_err(|error| error.to_string())?;
    let request = Request::post(path)
        .header("host", "tollgate")
        .header("authorization", format!("Bearer {MASTER_KEY}"))
        .header("content-type", "application/json")
        .body(Full::new(Bytes::from(body.to_string())))
        .map_err(|error| error.to_string())?;
    let (head, body) = send(stream, request).await?.into_parts();
    let text = body.collect().await.map_err(|error| error.to_string())?.to_bytes();
    match head.status.as_u16() {
        200 => serde_json::from_slice(&text).map_err(|error| format!("{path}: {error}")),
        status => Err(format!("{path}: {status}: {}", String::from_utf8_lossy(&text))),
    }
}

/// Whether it says that it is ready.
pub async fn is_ready(address: SocketAddr) -> bool {
    let ready = async {
        let stream = TcpStream::connect(address).await.map_err(|error| error.to_string())?;
        let request = Request::get("/health/readiness").header("host", "tollgate").body(Full::new(Bytes::new()));
        send(stream, request.map_err(|error| error.to_string())?).await
    };
    ready.await.is_ok_and(|answer| answer.status() == 200)
}

async fn send(stream: TcpStream, request: Request<Full<Bytes>>) -> Result<http::Response<Incoming>, String> {
    let shown = |error: hyper::Error| error.to_string();
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(shown)?;
    // It ends with the body: a client that drops it is gone.
    tokio::spawn(connection);
    sender.send_request(request).await.map_err(shown)
}
