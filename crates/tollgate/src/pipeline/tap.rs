//! A request that is to be captured: what is remembered of it while it goes through.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::{HeaderMap, HeaderName};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tollgate_dialect::Dialect;
use tollgate_store::record::{MAX_ATTEMPTS, Outcome, Record};

use super::unpack::{self, Unpacker};
use super::{authenticate, session};
use crate::app::Live;
use crate::capture::{Taken, TakenAnswer, TakenExchange};
use crate::config::secret::Secret;

/// Bytes of each answer that are kept.
const MAX_ANSWER: usize = 4 << 20;

/// By this a client asks for a capture, where the configuration lets it.
const ASKING: HeaderName = HeaderName::from_static("x-tollgate-capture");

/// The client's headers that are kept; those that name its session are too.
static OF_CLIENT: [HeaderName; 5] = [
    HeaderName::from_static("user-agent"),
    HeaderName::from_static("anthropic-version"),
    HeaderName::from_static("anthropic-beta"),
    HeaderName::from_static("x-claude-code-agent-id"),
    HeaderName::from_static("x-litellm-tags"),
];

/// The upstream's.
const OF_UPSTREAM: [&str; 8] = [
    "content-type",
    "retry-after",
    "retry-after-ms",
    "x-should-retry",
    "request-id",
    "x-request-id",
    "x-generation-id",
    "location",
];

/// What only the reading of the request knows.
pub struct Asked {
    keys: Vec<Secret>,
    headers: Vec<(String, String)>,
    /// As it came, before the configuration's rules.
    body: Bytes,
}

/// `None`: nothing of this request is stored.
pub fn asked(live: &Live, headers: &HeaderMap, model: &str, body: &Bytes) -> Option<Box<Asked>> {
    let rules = live.config.settings.capture.as_ref()?;
    let asks = || headers.get(ASKING).is_some_and(|value| value == "true");
    let named = || rules.models.is_empty() || rules.models.iter().any(|glob| glob.matches(model));
    if (rules.on_request && !asks()) || !named() {
        return None;
    }
    let names = OF_CLIENT.iter().chain(&session::SESSION_HEADERS);
    let keys = authenticate::keys(headers).map(Secret::new).collect();
    Some(Box::new(Asked { keys, headers: texts(headers, names.cloned()), body: body.clone() }))
}

fn texts(headers: &HeaderMap, names: impl Iterator<Item = HeaderName>) -> Vec<(String, String)> {
    let text = |name: HeaderName| {
        let values = headers.get_all(&name).iter();
        values.filter_map(move |value| Some((name.to_string(), value.to_str().ok()?.to_string())))
    };
    names.flat_map(text).collect()
}

/// A request under way.
pub struct Tap {
    live: Arc<Live>,
    asked: Box<Asked>,
    /// As many as the record has attempts.
    exchanges: Vec<Sent>,
}

struct Sent {
    dialect: Dialect,
    body: Bytes,
    answer: Option<Copied>,
}

type Copied = Arc<Mutex<TakenAnswer>>;

fn lock(copy: &Copied) -> MutexGuard<'_, TakenAnswer> {
    copy.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Tap {
    pub fn new(live: Arc<Live>, asked: Box<Asked>) -> Tap {
        Tap { live, asked, exchanges: Vec::new() }
    }

    /// A body goes up. Of too many those are left out that the record leaves out.
    pub fn sent(&mut self, dialect: Dialect, body: Bytes) {
        if self.exchanges.len() >= MAX_ATTEMPTS {
            self.exchanges.remove(1);
        }
        self.exchanges.push(Sent { dialect, body, answer: None });
    }

    /// The head of the answer to the last body is there: where its bytes are to be copied to.
    fn answered<B>(&mut self, answer: &http::Response<B>) -> Option<Copied> {
        let headers = texts(answer.headers(), OF_UPSTREAM.map(HeaderName::from_static).into_iter());
        let taken = TakenAnswer { status: answer.status().as_u16(), headers, ..TakenAnswer::default() };
        let copy = Arc::new(Mutex::new(taken));
        self.exchanges.last_mut()?.answer = Some(copy.clone());
        Some(copy)
    }

    /// The request is over; `None`: it is not one of those that are wanted.
    pub fn finish(self, record: &Record) -> Option<Taken> {
        let rules = self.live.config.settings.capture.as_ref()?;
        let failed = record.outcome == Outcome::Failed || record.attempts.iter().any(|a| a.failure.is_some());
        if rules.failures_only && !failed {
            return None;
        }
        let exchange = |sent: Sent| TakenExchange {
            dialect: sent.dialect,
            body: sent.body,
            answer: sent.answer.map(|copy| lock(&copy).clone()),
        };
        let Asked { keys, headers, body } = *self.asked;
        let exchanges = self.exchanges.into_iter().map(exchange).collect();
        Some(Taken { live: self.live, keys, headers, body, exchanges, record: record.clone() })
    }
}

/// An upstream's answer, unpacked where it comes compressed, whose bytes are copied where it is captured.
pub struct Tapped {
    body: Incoming,
    packed: Option<Unpacker>,
    copy: Option<Copied>,
}

/// The answer broke off, or is not packed as it says.
#[derive(Debug, thiserror::Error)]
#[error("the answer broke off")]
pub struct BrokenOff;

/// Fails with the name of an encoding that is not known.
pub fn tapped(tap: Option<&mut Tap>, answer: http::Response<Incoming>) -> Result<http::Response<Tapped>, String> {
    let packed = unpack::of(answer.headers())?;
    let copy = tap.and_then(|tap| tap.answered(&answer));
    Ok(answer.map(|body| Tapped { body, packed, copy }))
}

impl Body for Tapped {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let this = &mut *self;
        let frame = ready!(Pin::new(&mut this.body).poll_frame(cx));
        let frame = frame.map(|frame| match (frame.map_err(|_| BrokenOff)?.into_data(), &mut this.packed) {
            (Ok(data), Some(packed)) => match packed.unpack(&data) {
                Ok(plain) => Ok(Frame::data(plain.into())),
                Err(_) => Err(BrokenOff),
            },
            (Ok(data), None) => Ok(Frame::data(data)),
            (Err(trailers), _) => Ok(trailers),
        });
        if let Some(copy) = &self.copy {
            lock(copy).note(frame.as_ref());
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        if self.packed.is_some() { SizeHint::default() } else { self.body.size_hint() }
    }
}

impl TakenAnswer {
    fn note(&mut self, frame: Option<&Result<Frame<Bytes>, BrokenOff>>) {
        match frame {
            Some(Ok(frame)) => {
                let data = frame.data_ref().map_or(&[][..], |data| data);
                let room = MAX_ANSWER.saturating_sub(self.raw.len()).min(data.len());
                self.raw.extend_from_slice(&data[..room]);
                self.left_out_bytes += (data.len() - room) as u64;
            }
            Some(Err(_)) => self.broke_off = true,
            None => {}
        }
    }
}
