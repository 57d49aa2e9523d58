//! The HTTP client towards providers.

use std::error::Error as _;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::Uri;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper_rustls::{ConfigBuilderExt, HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{CaptureConnection, HttpConnector, capture_connection};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use tollgate_policy::failover::{Failure, Phase};
use tower_service::Service;

mod credential;

/// Fixed, for TCP and TLS together: a provider that takes longer to accept a connection is as good as away. The SDKs of
/// OpenAI and Anthropic wait as long. Shorter than what opens an answer, so that another can still be asked unseen.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
const IDLE_CONNECTIONS_LIVE: Duration = Duration::from_secs(60);

#[derive(Clone)]
pub struct Client {
    inner: legacy::Client<InTime<HttpsConnector<HttpConnector>>, Full<Bytes>>,
    tokens: Arc<credential::Tokens>,
}

impl Client {
    pub fn new() -> Client {
        let mut tcp = HttpConnector::new();
        tcp.enforce_http(false);
        tcp.set_nodelay(true);
        tcp.set_keepalive(Some(Duration::from_secs(60)));
        let provider = rustls::crypto::aws_lc_rs::default_provider();
        let tls = rustls::ClientConfig::builder_with_provider(provider.into())
            .with_safe_default_protocol_versions()
            .expect("the default versions are supported by the default provider");
        // A machine without any root certificate can still talk to upstreams on plain HTTP.
        let tls = match tls.clone().with_native_roots() {
            Ok(with_roots) => with_roots.with_no_client_auth(),
            Err(_) => tls.with_webpki_roots().with_no_client_auth(),
        };
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            .https_or_http()
            .enable_http1()
            .enable_http2()
            .wrap_connector(tcp);
        let inner = legacy::Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(IDLE_CONNECTIONS_LIVE)
            .build(InTime(connector));
        Client { inner, tokens: Arc::default() }
    }

    /// Sends one request and waits for the head of the answer. Dropping the future closes the connection.
    pub async fn send(&self, request: http::Request<Full<Bytes>>) -> Result<http::Response<Incoming>, Failure> {
        self.inner.request(request).await.map_err(|error| {
            let why = innermost(&error);
            let timed_out = find_io(&error).is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut);
            if error.is_connect() && timed_out {
                Failure::TimedOut(Phase::Connect)
            } else if error.is_connect() {
                Failure::Unreachable(why)
            } else {
                Failure::Unreachable(format!("the connection closed before an answer ({why})"))
            }
        })
    }
}

/// A connector with [`CONNECT_TIMEOUT`] for all that it does.
#[derive(Clone)]
struct InTime<C>(C);

type BoxError = Box<dyn std::error::Error + Send + Sync>;

impl<C> Service<Uri> for InTime<C>
where
    C: Service<Uri, Error = BoxError, Future: Send + 'static>,
{
    type Response = C::Response;
    type Error = BoxError;
    type Future = Pin<Box<dyn Future<Output = Result<C::Response, BoxError>> + Send>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.0.poll_ready(cx)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let connecting = self.0.call(to);
        Box::pin(async {
            let connected = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await;
            connected.unwrap_or_else(|_| Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()))
        })
    }
}

/// Tells how far a request has come that is being sent.
pub struct Progress(CaptureConnection);

impl Progress {
    pub fn of(request: &mut http::Request<Full<Bytes>>) -> Progress {
        Progress(capture_connection(request))
    }

    pub fn phase(&self) -> Phase {
        if self.0.connection_metadata().is_some() { Phase::FirstByte } else { Phase::Connect }
    }
}

impl Default for Client {
    fn default() -> Self {
        Client::new()
    }
}

fn innermost(error: &legacy::Error) -> String {
    let mut cause: &dyn std::error::Error = error;
    while let Some(next) = cause.source() {
        cause = next;
    }
    cause.to_string()
}

fn find_io(error: &legacy::Error) -> Option<&std::io::Error> {
    let mut cause = error.source();
    while let Some(inner) = cause {
        if let Some(io) = inner.downcast_ref::<std::io::Error>() {
            return Some(io);
        }
        cause = inner.source();
    }
    None
}
