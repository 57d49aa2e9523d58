//! A request that its client sends again: what it may have lost is given to it once more; nothing is asked or billed twice.
//!
//! A client says so with `Idempotency-Key`, or by the count of its SDK: those of OpenAI and Anthropic (openai 3.52.0 and anthropic
//! 2.11.0 for Python) send `x-stainless-retry-count` with every request, and an `Idempotency-Key` only if their user sets one.

use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use http::header::{CONTENT_TYPE, USER_AGENT};
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::Incoming;
use memchr::memmem;
use tokio::time::Instant;
use tollgate_dialect::error::Invalid;

use super::inbound::Inbound;
use super::line::Outlet;
use super::recorder::Recorder;
use super::reply::{self, IDS, Reply, ReplyBody};
use super::tenant::Tenant;
use crate::answers::{Answers, Begun, Digest, Kept, Name, Request, Ticket};
use crate::app::Live;
use crate::failure::Failure;

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
const COUNT: HeaderName = HeaderName::from_static("x-stainless-retry-count");
/// As Stripe has it, whose header it is.
const LONGEST_KEY: usize = 255;
/// Asks again above its SDK, so that the count stays 0 (Claude Code 2.1.329): nothing would ever be asked for that was kept for it.
const NEVER_COUNTS: &str = "claude-cli/";
/// A larger body is not looked at, unless the client has a name for it: it takes a millisecond.
const LARGEST: usize = 1024 * 1024;
/// So long a request waits for the same that is being answered.
const MOST_WAIT: Duration = Duration::from_secs(30);

/// By what a client tells that it sends something again.
pub struct Marks {
    key: Option<String>,
    /// It has been sent before.
    is_retry: bool,
    /// Of a form; each time it is sent another one.
    boundary: Option<String>,
}

/// How a request goes on.
pub enum Course {
    Replay(Reply),
    Ask(Option<Ticket>),
}

impl Marks {
    /// `None`: nothing is kept for this request, and it costs nothing.
    pub fn of(live: &Live, request: &http::Request<Incoming>) -> Result<Option<Marks>, Failure> {
        if live.config.settings.forgets_answers {
            return Ok(None);
        }
        let text = |name: HeaderName| request.headers().get(name).and_then(|value| value.to_str().ok()).map(str::trim);
        let key = text(KEY).filter(|key| !key.is_empty()).map(str::to_string);
        if key.as_ref().is_some_and(|key| key.len() > LONGEST_KEY) {
            let words = format!("Idempotency-Key may have {LONGEST_KEY} characters at most.");
            return Err(Invalid::new("Idempotency-Key", words).into());
        }
        let count = text(COUNT).and_then(|count| count.parse::<u32>().ok());
        let counts = count.is_some() && !text(USER_AGENT).unwrap_or("").starts_with(NEVER_COUNTS);
        if key.is_none() && !counts {
            return Ok(None);
        }
        let boundary = text(CONTENT_TYPE).and_then(|kind| kind.split_once("boundary="));
        let boundary = boundary.map(|(_, rest)| rest.split(';').next().unwrap_or("").trim_matches('"').to_string());
        Ok(Some(Marks { key, is_retry: count.is_some_and(|count| count > 0), boundary }))
    }

    /// Waits where the same is being answered.
    pub async fn course(
        self,
        answers: &Answers,
        tenant: Tenant,
        path: &str,
        inbound: &Inbound,
        record: &mut Recorder,
    ) -> Result<Course, Failure> {
        if self.key.is_none() && inbound.body.len() > LARGEST {
            return Ok(Course::Ask(None));
        }
        let asked = self.digest(path, inbound);
        let request = self.key.clone().map_or(Request::Digest(asked), Request::Key);
        let name = Name { caller: tenant.id, request };
        if self.key.is_none() && !self.is_retry {
            return Ok(Course::Ask(answers.first(&name, asked)));
        }
        let until = Instant::now() + MOST_WAIT;
        loop {
            match answers.again(&name, asked) {
                Begun::Go(ticket) => return Ok(Course::Ask(ticket)),
                Begun::Again(kept) => return Ok(Course::Replay(replay(&kept, record))),
                Begun::Differs => return Err(Failure::KeyOfAnother),
                // Nothing is ever sent: its end is the word.
                Begun::Running(mut over) => match tokio::time::timeout_at(until, over.changed()).await {
                    Ok(_) => {}
                    Err(_) => return Err(Failure::StillAnswering { waited: MOST_WAIT }),
                },
            }
        }
    }

    fn digest(&self, path: &str, inbound: &Inbound) -> Digest {
        let mut context = Context::new(&SHA256);
        let form = [u8::from(inbound.stream), u8::from(inbound.json_array)];
        for part in [inbound.dialect.name().as_bytes(), path.as_bytes(), inbound.model.as_bytes(), &form] {
            context.update(&(part.len() as u64).to_le_bytes());
            context.update(part);
        }
        match self.boundary.as_ref().filter(|boundary| !boundary.is_empty()) {
            None => context.update(&inbound.body),
            Some(boundary) => {
                let mut rest = 0;
                for at in memmem::find_iter(&inbound.body, boundary.as_bytes()) {
                    context.update(&inbound.body[rest..at]);
                    rest = at + boundary.len();
                }
                context.update(&inbound.body[rest..]);
            }
        }
        let mut digest = Digest::default();
        digest.copy_from_slice(context.finish().as_ref());
        digest
    }
}

/// The answer as it was, but for whose it is and what it costs.
fn replay(kept: &Kept, record: &mut Recorder) -> Reply {
    record.status = Some(kept.status.as_u16());
    record.ended = true;
    let mut reply = http::Response::new(ReplyBody::Whole(Some(kept.body.clone())));
    *reply.status_mut() = kept.status;
    *reply.headers_mut() = kept.headers.clone();
    let headers = reply.headers_mut();
    if let Some(before) = headers.get(&IDS[0]).cloned() {
        tracing::info!(request_id = %record.id, of = before.to_str().unwrap_or(""), "gave an answer once more");
    }
    if let Ok(id) = HeaderValue::from_str(&record.id) {
        for name in &IDS {
            headers.insert(name, id.clone());
        }
    }
    if let Some(cost) = headers.get_mut("x-litellm-response-cost") {
        *cost = HeaderValue::from_static("0");
    }
    headers.insert("x-tollgate-replayed", HeaderValue::from_static("true"));
    reply
}

/// Takes an answer down on its way out, to be kept if it becomes whole.
pub fn taken_down(reply: Reply, ticket: Option<Ticket>) -> Reply {
    let Some(mut ticket) = ticket else { return reply };
    let (status, headers) = (reply.status(), reply.headers().clone());
    match reply.body() {
        ReplyBody::Whole(Some(bytes)) if status.is_success() => {
            ticket.take(bytes);
            ticket.keep(status, headers);
            reply
        }
        ReplyBody::Whole(_) | ReplyBody::Pieces(_) | ReplyBody::Through(_) => reply,
        ReplyBody::Stream { outlet, .. } => {
            let mut taking = Taking { ticket: Some(ticket), headers, outlet: outlet.clone() };
            reply::watched(reply, move |_, part| taking.take(part))
        }
    }
}

/// A stream that is being taken down. It is kept when it is let go of after its end, whether or not the client has taken it all:
/// then it may well ask again.
struct Taking {
    ticket: Option<Ticket>,
    headers: HeaderMap,
    outlet: Outlet,
}

impl Taking {
    fn take(&mut self, part: &Bytes) {
        if let Some(ticket) = &mut self.ticket {
            ticket.take(part);
        }
    }
}

impl Drop for Taking {
    fn drop(&mut self) {
        let Some(mut ticket) = self.ticket.take() else { return };
        let mut outlet = self.outlet.lock();
        if outlet.whole {
            ticket.take(&Bytes::from(std::mem::take(&mut outlet.bytes)));
            ticket.keep(http::StatusCode::OK, std::mem::take(&mut self.headers));
        }
    }
}
