//! The line to the client: what was promised to it, and how it is kept alive.
//!
//! The answer is *committed* (status 200) when the first content is there, or after `commit_after_ms` of silence if the client
//! wants a stream. Until then a failure is a plain HTTP error, and another deployment can take over unseen.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use http::HeaderMap;
use tokio::time::{Instant, Sleep};
use tollgate_dialect::{AnswerHead, Dialect, StreamEncoder, sealed::Seal};

use super::said::Said;

/// Clients give up on a silent stream (Claude Code's stall watchdog after about 20 s): something goes out well before.
const PING_AFTER: Duration = Duration::from_secs(8);
pub const DEFAULT_COMMIT_AFTER: Duration = Duration::from_secs(10);

/// Between the driver, which fills it, and the response body, which empties it. Both run on one task.
#[derive(Clone, Default)]
pub struct Outlet(Arc<Mutex<OutletState>>);

#[derive(Default)]
pub struct OutletState {
    pub bytes: Vec<u8>,
    /// Set when the answer is committed, taken by the handler.
    pub head: Option<HeaderMap>,
    /// The answer ends here, and is not whole.
    pub cut: bool,
    /// All of the answer has been written, and it is paid for.
    pub whole: bool,
    /// More may be ready in a moment: the bytes wait for it.
    pub gathering: bool,
}

impl Outlet {
    pub fn lock(&self) -> MutexGuard<'_, OutletState> {
        self.0.lock().unwrap_or_else(|e| e.into_inner())
    }
}

pub struct Line {
    pub outlet: Outlet,
    pub dialect: Dialect,
    /// The client wants a stream.
    pub stream: bool,
    committed: bool,
    commit_at: Instant,
    last_write: Instant,
    timer: Pin<Box<Sleep>>,
    /// The one encoder of this answer, whichever deployment gives it: a second `message_start` cannot happen.
    encoder: Option<StreamEncoder>,
    head: AnswerHead,
    seal: Seal,
    /// The encoder has opened the answer on the wire.
    pub opened: bool,
    /// Something that the client sees has gone out: from here on nobody can take over.
    pub content_sent: bool,
    /// What the client has seen, where an answer that breaks off is to be continued.
    pub said: Option<Said>,
    /// The answer is bytes in which no error can be told.
    pub bare: bool,
    /// Headers as of now, for an early commit.
    pub headers: HeaderMap,
}

/// The time given to one step ran out.
#[derive(Debug, PartialEq, Eq)]
pub struct Elapsed;

impl Line {
    pub fn new(dialect: Dialect, stream: bool, commit_after: Duration, head: AnswerHead, seal: Seal) -> Line {
        let now = Instant::now();
        let commit_at = now + commit_after;
        Line {
            outlet: Outlet::default(),
            dialect,
            stream,
            committed: false,
            commit_at,
            last_write: now,
            timer: Box::pin(tokio::time::sleep_until(commit_at)),
            encoder: None,
            head,
            seal,
            opened: false,
            content_sent: false,
            said: None,
            bare: false,
            headers: HeaderMap::new(),
        }
    }

    pub fn committed(&self) -> bool {
        self.committed
    }

    /// When the answer will be opened, if nothing comes before.
    pub fn commits_at(&self) -> Option<Instant> {
        (self.stream && !self.committed).then_some(self.commit_at)
    }

    /// The prompt's token count, for answers that open before the upstream tells it.
    pub fn expect_input(&mut self, tokens: u64, provider: &str) {
        if self.encoder.is_none() {
            self.head.estimated_input = tokens;
            self.head.family = provider.to_string();
        }
    }

    pub fn answer_head(&self) -> AnswerHead {
        self.head.clone()
    }

    pub fn seal(&self) -> Seal {
        self.seal.clone()
    }

    pub fn encoder(&mut self) -> &mut StreamEncoder {
        let (dialect, head, seal) = (self.dialect, &self.head, &self.seal);
        self.encoder.get_or_insert_with(|| StreamEncoder::new(dialect, head.clone(), seal.clone()))
    }

    pub fn commit(&mut self) {
        if !self.committed {
            self.committed = true;
            self.outlet.lock().head = Some(std::mem::take(&mut self.headers));
        }
    }

    /// All of the answer is written and paid for: if the client loses it now, it need not be made again.
    pub fn is_whole(&mut self) {
        self.outlet.lock().whole = true;
    }

    /// Ends the answer so that the client sees that it is not whole.
    pub fn cut(&mut self) {
        self.outlet.lock().cut = true;
    }

    /// Runs `write` on the bytes that go to the client.
    pub fn write(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        self.last_write = Instant::now();
        write(&mut self.outlet.lock().bytes);
    }

    /// Like [`Line::write`], with the encoder.
    pub fn encode(&mut self, write: impl FnOnce(&mut StreamEncoder, &mut Vec<u8>)) {
        self.opened = true;
        self.last_write = Instant::now();
        let outlet = self.outlet.clone();
        write(self.encoder(), &mut outlet.lock().bytes);
    }

    /// Bytes that the client has not taken yet.
    pub fn waiting_bytes(&self) -> usize {
        self.outlet.lock().bytes.len()
    }

    /// Lets the upstream's connection hand over what it has already read, before what is there is sent.
    pub async fn gather(&self) {
        self.outlet.lock().gathering = true;
        everyone_else_ran().await;
        self.outlet.lock().gathering = false;
    }

    /// Waits until the client has taken what was written: a slow client slows the upstream, not the memory.
    pub async fn drained(&self) {
        // The response body polls the driver again after it has taken the bytes, so no waker is needed.
        poll_fn(|_| if self.outlet.lock().bytes.is_empty() { Poll::Ready(()) } else { Poll::Pending }).await;
    }

    /// Waits for a step of the upstream, at most `limit`, and keeps the client's stream alive meanwhile.
    pub async fn patient<F: Future>(
        &mut self,
        limit: Duration,
        passthrough: bool,
        step: F,
    ) -> Result<F::Output, Elapsed> {
        let deadline = Instant::now() + limit;
        let mut step = pin!(step);
        poll_fn(|cx| {
            if let Poll::Ready(done) = step.as_mut().poll(cx) {
                return Poll::Ready(Ok(done));
            }
            loop {
                // The timer is only ever moved when it is late or has fired: most steps never touch it.
                let due = self.next_due().map_or(deadline, |due| due.min(deadline));
                if self.timer.deadline() > due || self.timer.is_elapsed() {
                    self.timer.as_mut().reset(due);
                }
                if self.timer.as_mut().poll(cx).is_pending() {
                    return Poll::Pending;
                }
                let now = Instant::now();
                if now >= deadline {
                    return Poll::Ready(Err(Elapsed));
                }
                self.keep_alive(now, passthrough);
                if self.committed && !self.outlet.lock().bytes.is_empty() {
                    // The body around this driver takes the bytes when we return.
                    return Poll::Pending;
                }
            }
        })
        .await
    }

    fn next_due(&self) -> Option<Instant> {
        match (self.stream, self.committed) {
            (false, _) => None,
            (true, false) => Some(self.commit_at),
            (true, true) => Some(self.last_write + PING_AFTER),
        }
    }

    fn keep_alive(&mut self, now: Instant, passthrough: bool) {
        if !self.stream || self.next_due().is_none_or(|due| now < due) {
            return;
        }
        self.commit();
        if passthrough && !self.opened {
            // The upstream's own opening is still to come: a ping may stand before it.
            let (dialect, head, seal) = (self.dialect, self.head.clone(), self.seal.clone());
            self.write(|out| StreamEncoder::new(dialect, head, seal).ping(out));
        } else {
            self.encode(|encoder, out| {
                encoder.open(out);
                encoder.ping(out);
            });
        }
    }
}

/// Ready when the other tasks that could run have run. `yield_now` alone is content with being polled twice, which the HTTP
/// server does without giving up the thread in between.
async fn everyone_else_ran() {
    struct Turn {
        over: AtomicBool,
        task: Waker,
    }
    impl Wake for Turn {
        fn wake(self: Arc<Self>) {
            self.over.store(true, Ordering::Release);
            self.task.wake_by_ref();
        }
    }
    let mut turn: Option<Arc<Turn>> = None;
    let mut yielding = pin!(tokio::task::yield_now());
    poll_fn(|cx| match &turn {
        Some(turn) if turn.over.load(Ordering::Acquire) => Poll::Ready(()),
        Some(_) => Poll::Pending,
        None => {
            let fresh = Arc::new(Turn { over: AtomicBool::new(false), task: cx.waker().clone() });
            let _ = yielding.as_mut().poll(&mut Context::from_waker(&Waker::from(fresh.clone())));
            turn = Some(fresh);
            Poll::Pending
        }
    })
    .await;
}

#[cfg(test)]
mod tests;
