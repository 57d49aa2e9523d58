//! Answers on their way out.

use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::slice;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use http_body::{Body, Frame, SizeHint};
use tollgate_dialect::error::{ErrorKind, PublicError};
use tollgate_dialect::{Dialect, encode_error, status_of};
use tollgate_store::record::bounded;

use super::attempt::{Driver, Whole};
use super::line::Outlet;
use super::pass_through::Through;
use super::pieces::Pieces;
use super::rate_headers;
use super::recorder::Recorder;
use crate::capture::redact::is_secret;
use crate::config::model::{Config, Deployment};
use crate::config::pass_through::PassThrough;
use crate::failure::Failure;
use crate::signatures;
use crate::unix_time::unix_ms;

/// A request's own.
pub static IDS: [HeaderName; 3] = [
    HeaderName::from_static("request-id"),
    HeaderName::from_static("x-request-id"),
    HeaderName::from_static("x-litellm-call-id"),
];
static DEPLOYMENT: [HeaderName; 2] =
    [HeaderName::from_static("x-tollgate-deployment"), HeaderName::from_static("x-litellm-model-id")];
static MODEL: HeaderName = HeaderName::from_static("x-litellm-model-group");
static CHANGES: HeaderName = HeaderName::from_static("x-tollgate-changes");
static COST: HeaderName = HeaderName::from_static("x-litellm-response-cost");
const OUR_VERSION: HeaderName = HeaderName::from_static("x-litellm-version");
const QUEUED: HeaderName = HeaderName::from_static("x-tollgate-queued-ms");
const ATTEMPTS: HeaderName = HeaderName::from_static("x-tollgate-attempts");
const VERSION: HeaderValue = HeaderValue::from_static(concat!("tollgate-", env!("CARGO_PKG_VERSION")));

pub type Reply = http::Response<ReplyBody>;

/// Sees what goes to the client: a whole body (true), or pieces of a stream.
type Onlooker = Box<dyn FnMut(bool, &Bytes) + Send>;

type Driving = Pin<Box<dyn Future<Output = Option<Whole>> + Send>>;

pub enum ReplyBody {
    Whole(Option<Bytes>),
    /// A committed stream: polling the body drives the request on.
    Stream {
        driving: Option<Driving>,
        outlet: Outlet,
        onlookers: Vec<Onlooker>,
    },
    /// A file of the management API.
    Pieces(Pieces),
    /// Another server's, as it comes.
    Through(Box<Through>),
}

/// The answer ended before it was whole.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
pub struct Cut;

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match &mut *self {
            ReplyBody::Whole(bytes) => Poll::Ready(bytes.take().map(|b| Ok(Frame::data(b)))),
            ReplyBody::Through(through) => through.poll_frame(cx),
            ReplyBody::Pieces(pieces) => pieces.poll_next(cx).map(|piece| piece.map(|piece| piece.map(Frame::data))),
            ReplyBody::Stream { driving, outlet, onlookers } => {
                let mut seen = |bytes: Bytes| {
                    onlookers.iter_mut().for_each(|look| look(false, &bytes));
                    Poll::Ready(Some(Ok(Frame::data(bytes))))
                };
                if let Some(bytes) = take(outlet) {
                    return seen(bytes);
                }
                let Some(driver) = driving else { return Poll::Ready(None) };
                let over = driver.as_mut().poll(cx).is_ready();
                if over {
                    *driving = None;
                }
                match take(outlet) {
                    Some(bytes) => seen(bytes),
                    None if over && outlet.lock().cut => Poll::Ready(Some(Err(Cut))),
                    None if over => Poll::Ready(None),
                    None => Poll::Pending,
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            ReplyBody::Whole(bytes) => bytes.is_none(),
            ReplyBody::Stream { .. } | ReplyBody::Pieces(_) | ReplyBody::Through(_) => false,
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            ReplyBody::Whole(bytes) => SizeHint::with_exact(bytes.as_ref().map_or(0, |b| b.len() as u64)),
            ReplyBody::Stream { .. } | ReplyBody::Pieces(_) | ReplyBody::Through(_) => SizeHint::default(),
        }
    }
}

fn take(outlet: &Outlet) -> Option<Bytes> {
    let mut state = outlet.lock();
    (!state.bytes.is_empty() && !state.gathering).then(|| Bytes::from(std::mem::take(&mut state.bytes)))
}

impl From<Whole> for Reply {
    fn from(whole: Whole) -> Reply {
        let mut reply = http::Response::new(ReplyBody::Whole(Some(Bytes::from(whole.body))));
        *reply.status_mut() = whole.status;
        *reply.headers_mut() = whole.headers;
        reply.headers_mut().entry(CONTENT_TYPE).or_insert(HeaderValue::from_static("application/json"));
        reply
    }
}

/// Runs the driver until the answer is whole or committed.
pub async fn from_driver(driver: Box<Driver>) -> Reply {
    let outlet = driver.outlet();
    let kind = driver.stream_type();
    let mut driving: Driving = Box::pin(driver.run());
    let over = poll_fn(|cx| match driving.as_mut().poll(cx) {
        Poll::Ready(whole) => Poll::Ready(Some(whole)),
        Poll::Pending if outlet.lock().head.is_some() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await;
    if let Some(Some(whole)) = over {
        return whole.into();
    }
    let head = outlet.lock().head.take().unwrap_or_default();
    let mut reply = http::Response::new(ReplyBody::Stream {
        driving: over.is_none().then_some(driving),
        outlet,
        onlookers: Vec::new(),
    });
    let headers = reply.headers_mut();
    *headers = head;
    headers.entry(CONTENT_TYPE).or_insert(HeaderValue::from_static(kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // Proxies such as nginx would otherwise collect the stream before passing it on.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    reply
}

/// Lets somebody look at the answer on its way to the client.
pub fn watched(mut reply: Reply, mut look: impl FnMut(bool, &Bytes) + Send + 'static) -> Reply {
    match reply.body_mut() {
        ReplyBody::Whole(Some(bytes)) => look(true, bytes),
        ReplyBody::Whole(None) | ReplyBody::Pieces(_) | ReplyBody::Through(_) => {}
        ReplyBody::Stream { onlookers, .. } => onlookers.push(Box::new(look)),
    }
    reply
}

/// Codex gives up at once on a 429 that names no time, and waits where one does (0.169.0).
const CODEX_WAITS: Duration = Duration::from_secs(5);

/// What the client is told of a failure. Vendors like to quote the key they refuse, so our credentials are taken out.
pub fn public(failure: &Failure, config: &Config) -> PublicError {
    let mut public = failure.public();
    public.message = without_secrets(public.message, config);
    public
}

pub fn without_secrets(mut text: String, config: &Config) -> String {
    for secret in credentials(config) {
        if text.contains(secret) {
            text = text.replace(secret, "[redacted]");
        }
    }
    text
}

fn credentials(config: &Config) -> impl Iterator<Item = &str> {
    let passing = config.settings.pass_through.iter().flat_map(PassThrough::secrets);
    config.deployments.iter().flat_map(Deployment::secrets).chain(passing).filter(|secret| is_secret(secret))
}

/// An error as a whole answer.
pub fn error(dialect: Dialect, failure: &Failure, config: &Config, record: &mut Recorder) -> Whole {
    let mut public = public(failure, config);
    if dialect == Dialect::Responses && public.kind == ErrorKind::RateLimited && public.should_retry != Some(false) {
        public.retry_after.get_or_insert(CODEX_WAITS);
    }
    let unmodified = failure
        .unmodified()
        .filter(|(_, body)| !credentials(config).any(|secret| memchr::memmem::find(body, secret.as_bytes()).is_some()));
    let (status, body) = match unmodified {
        Some((status, body)) => (status, body.to_vec()),
        None => (status_of(dialect, &public), encode_error(dialect, &public, &record.id)),
    };
    record.status = Some(status);
    record.ended = true;
    let mut headers = headers(record);
    if let Some(after) = public.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs_f64().ceil() as u64));
    }
    if let Some(again) = public.should_retry {
        headers.insert("x-should-retry", HeaderValue::from_static(if again { "true" } else { "false" }));
    }
    if let Some(allowed) = failure.allowed().and_then(|method| HeaderValue::from_str(method.as_str()).ok()) {
        headers.insert(ALLOW, allowed);
    }
    if let Some(status) = failure.upstream_status() {
        headers.insert("x-tollgate-upstream-status", HeaderValue::from(status));
    }
    if let Some(reason) = failure.reason() {
        headers.insert("x-tollgate-reason", HeaderValue::from_static(reason));
    }
    let signature = signatures::best(&bounded(&public.message)).map(|found| found.id.as_str());
    if let Some(signature) = signature {
        headers.insert("x-tollgate-signature", HeaderValue::from_static(signature));
    }
    if let Failure::OverLimit { standing, .. } = failure {
        rate_headers::put(dialect, standing, unix_ms(), &mut headers);
    }
    record.reason = failure.reason();
    record.signature = signature;
    record.error = Some(public.message);
    Whole { status: StatusCode::from_u16(status).unwrap_or(StatusCode::BAD_GATEWAY), headers, body }
}

/// A JSON answer of ours.
pub fn json(body: Vec<u8>, record: &mut Recorder) -> Reply {
    record.status = Some(200);
    record.ended = true;
    Whole { status: StatusCode::OK, headers: headers(record), body }.into()
}

/// The headers that every answer has, as far as they are known.
pub fn headers(record: &Recorder) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(16);
    // A value that stands under several names is made once.
    let mut put = |names: &[HeaderName], value: &str| {
        let Ok(value) = HeaderValue::from_str(value) else { return };
        for name in names {
            headers.insert(name, value.clone());
        }
    };
    put(&IDS, &record.id);
    if let Some(deployment) = &record.deployment {
        put(&DEPLOYMENT, deployment);
        put(slice::from_ref(&MODEL), record.model());
    }
    if let Some(changes) = record.changes_header() {
        put(slice::from_ref(&CHANGES), &changes);
    }
    if let Some(nanos) = record.cost_nanos {
        put(slice::from_ref(&COST), &tollgate_policy::price::dollars(nanos));
    }
    headers.insert(OUR_VERSION, VERSION);
    if let Some(queued) = record.queued {
        let ms = u64::try_from(queued.as_millis()).unwrap_or(u64::MAX);
        headers.insert(QUEUED, HeaderValue::from(ms));
    }
    record.admission.put_headers(record.cost_nanos, &mut headers);
    if record.deployment.is_some() {
        headers.insert(ATTEMPTS, HeaderValue::from(record.attempts));
    }
    headers
}
