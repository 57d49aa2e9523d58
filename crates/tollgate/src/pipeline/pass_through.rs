//! A request to another server's own path: it goes through as it is, but for credentials, and is paid for by the piece.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT, ACCEPT_ENCODING, CONTENT_TYPE, HOST, SET_COOKIE};
use http::{HeaderMap, HeaderName, Method, Uri};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, timeout};
use tollgate_dialect::{Dialect, decode_error};
use tollgate_policy::failover::{Failure as AttemptFailure, Phase};

use super::admit::Admitting;
use super::authenticate::{self, Caller};
use super::inbound;
use super::recorder::Recorder;
use super::reply::{self, Cut, Reply, ReplyBody};
use super::tenant::Tenant;
use crate::app::{App, Live};
use crate::config::pass_through::PassThrough;
use crate::failure::{Failure, PhaseSettings};
use crate::http::Endpoint;

/// Of an error answer, which is looked through for what must not leave.
const MOST_OF_AN_ERROR: usize = 1 << 20;

/// Of the connection, not of the message (RFC 9110, 7.6.1).
const HOP_BY_HOP: [&str; 9] = [
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The endpoint that the configuration has at this path.
pub fn find(live: &Live, method: &Method, path: &str) -> Option<Endpoint> {
    let all = live.config.settings.pass_through.iter().enumerate();
    let mut found = all.filter_map(|(index, pass)| Some((index, pass.rest(method, path)?.to_string())));
    found.next().map(|(index, rest)| Endpoint::PassThrough { index, rest })
}

/// `index`: of the endpoint in the configuration; `rest`: what stands behind its path.
pub async fn answer(
    app: &Arc<App>,
    live: &Live,
    address: Option<IpAddr>,
    (index, rest): (usize, &str),
    request: http::Request<Incoming>,
    record: &mut Recorder,
) -> Result<Reply, Failure> {
    let pass = live.config.settings.pass_through.get(index).ok_or(Failure::Internal("an endpoint that is gone"))?;
    let caller = match pass.needs_key {
        true => authenticate::caller(app, live, request.headers(), None, address).await?,
        false => Caller::master(Tenant::default(), address),
    };
    // Whoever may call models may call this, unless its paths are named one by one.
    caller.may(live, &pass.path, None).or_else(|_| caller.may(live, &format!("/openai{}", pass.path), None))?;
    caller.note_use(app);
    pass_on(app, live, &caller, (pass, rest), request, record).await
}

async fn pass_on(
    app: &App,
    live: &Live,
    caller: &Caller,
    (pass, rest): (&PassThrough, &str),
    request: http::Request<Incoming>,
    record: &mut Recorder,
) -> Result<Reply, Failure> {
    let (parts, body) = inbound::receive(live, request).await?;
    record.passes_through(&pass.path, body.len() as u64);
    let asking = Admitting { app, live, caller, end_user: None, request_id: &record.id };
    record.admission = asking.admit_flat(&pass.path, pass.cost_nanos).await?;
    let mut upstream = http::Request::new(Full::new(body));
    *upstream.method_mut() = parts.method;
    *upstream.uri_mut() = target(&pass.target, rest, parts.uri.query()).ok_or(Failure::Internal("a passing URL"))?;
    *upstream.headers_mut() = towards_upstream(pass, &parts.headers)?;
    let sent = Instant::now();
    record.attempts = 1;
    let failed = |failure| Failure::Attempt {
        failure,
        raw: None,
        id: pass.path.clone(),
        deployment: pass.path.clone(),
        provider: pass.target.host().unwrap_or_default().to_string(),
        timeouts: PhaseSettings { first_byte: pass.timeout, idle: pass.timeout, ..PhaseSettings::default() },
        others_may_answer: false,
    };
    let answer = timeout(pass.timeout, app.client.send(upstream)).await;
    let answer = answer.map_err(|_| failed(AttemptFailure::TimedOut(Phase::FirstByte)))?.map_err(failed)?;
    let (head, body) = answer.into_parts();
    tracing::debug!(request_id = %record.id, status = head.status.as_u16(), ms = sent.elapsed().as_millis() as u64, "passed through");
    if head.status.is_client_error() || head.status.is_server_error() {
        let error =
            Limited::new(body, MOST_OF_AN_ERROR).collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        // A refusal of our credential is none of the client's.
        if matches!(head.status.as_u16(), 401 | 403) {
            return Err(failed(AttemptFailure::Refused(decode_error(Dialect::Chat, head.status.as_u16(), &error))));
        }
        let error = match String::from_utf8(error.to_vec()) {
            Ok(text) => reply::without_secrets(text, &live.config).into(),
            Err(_) => error,
        };
        record.status = Some(head.status.as_u16());
        record.ended = true;
        return Ok(towards_client(ReplyBody::Whole(Some(error)), &head, record));
    }
    record.cost_nanos = Some(pass.cost_nanos);
    let headers = reply::headers(record);
    let mut taken = record.take();
    taken.passed_through(&pass.path, head.status.as_u16(), pass.cost_nanos);
    let through =
        Through { body, record: taken, timeout: pass.timeout, silence: Box::pin(tokio::time::sleep(pass.timeout)) };
    Ok(with_head(ReplyBody::Through(Box::new(through)), &head, headers))
}

fn target(target: &Uri, rest: &str, query: Option<&str>) -> Option<Uri> {
    let own = target.query();
    let query: Vec<&str> = own.into_iter().chain(query).filter(|query| !query.is_empty()).collect();
    let base = target.path().trim_end_matches('/');
    let path = format!("{base}{rest}");
    let whole = if query.is_empty() { path } else { format!("{path}?{}", query.join("&")) };
    let mut parts = target.clone().into_parts();
    parts.path_and_query = Some(if whole.is_empty() { "/" } else { &whole }.parse().ok()?);
    Uri::from_parts(parts).ok()
}

fn towards_upstream(pass: &PassThrough, client: &HeaderMap) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for (name, value) in client.iter().filter(|(name, _)| goes_up(pass, name)) {
        headers.append(name.clone(), value.clone());
    }
    for (name, secret) in &pass.headers {
        let mut value: http::HeaderValue =
            secret.expose().parse().map_err(|_| Failure::Internal("a header of pass_through_endpoints"))?;
        value.set_sensitive(true);
        headers.insert(name.clone(), value);
    }
    Ok(headers)
}

fn goes_up(pass: &PassThrough, name: &HeaderName) -> bool {
    let text = name.as_str();
    if !pass.forward_headers {
        return name == CONTENT_TYPE || name == ACCEPT;
    }
    let ours = text.starts_with("x-tollgate-") || text.starts_with("x-litellm-");
    // A compressed error could not be looked through.
    let of_the_way = name == HOST
        || name == ACCEPT_ENCODING
        || text == "content-length"
        || text == "cookie"
        || HOP_BY_HOP.contains(&text);
    !ours && !of_the_way && !authenticate::is_credential(name)
}

fn towards_client(body: ReplyBody, head: &http::response::Parts, record: &Recorder) -> Reply {
    with_head(body, head, reply::headers(record))
}

fn with_head(body: ReplyBody, head: &http::response::Parts, ours: HeaderMap) -> Reply {
    let mut reply = http::Response::new(body);
    *reply.status_mut() = head.status;
    let headers = reply.headers_mut();
    for (name, value) in &head.headers {
        let text = name.as_str();
        if !HOP_BY_HOP.contains(&text) && text != "content-length" && name != SET_COOKIE {
            headers.append(name.clone(), value.clone());
        }
    }
    headers.extend(ours);
    reply
}

/// An answer on its way through.
pub struct Through {
    body: Incoming,
    record: Recorder,
    timeout: Duration,
    silence: Pin<Box<Sleep>>,
}

impl Through {
    pub fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        match Pin::new(&mut self.body).poll_frame(cx) {
            Poll::Ready(Some(Ok(frame))) => {
                self.silence.as_mut().reset(Instant::now() + self.timeout);
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => {
                self.record.error = Some(format!("the upstream broke off: {error}"));
                Poll::Ready(Some(Err(Cut)))
            }
            Poll::Ready(None) => {
                self.record.ended = true;
                Poll::Ready(None)
            }
            Poll::Pending if self.silence.as_mut().poll(cx).is_ready() => {
                self.record.error = Some(format!("the upstream was silent for {} s", self.timeout.as_secs()));
                Poll::Ready(Some(Err(Cut)))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
