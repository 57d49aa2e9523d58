//! From the upstream's answer to the client's, event by event.

use std::time::Duration;

use bytes::Bytes;
use futures_util::FutureExt;
use http::{HeaderMap, StatusCode};
use http_body_util::BodyExt;
use tokio::time::Instant;
use tollgate_dialect::answer::Shaper;
use tollgate_dialect::error::{AnswerError, Change, ChangeKind};
use tollgate_dialect::event::Event;
use tollgate_dialect::frame::FrameReader;
use tollgate_dialect::frame::sse::{Frame, Piece};
use tollgate_dialect::quirks::Quirks;
use tollgate_dialect::usage::Usage;
use tollgate_dialect::{
    Collector, Dialect, Forwarded, StreamDecoder, decode_response, forward_frame, forward_response,
};
use tollgate_policy::failover::{Failure, Phase};

use super::attempt::Whole;
use super::bill::{self, Prompt, Tally};
use super::exchange::Failed;
use super::flow::{Flow, Sink, deliver};
use super::inbound::Inbound;
use super::line::Line;
use super::prepare::Prepared;
use super::recorder::Recorder;
use super::tap::{BrokenOff, Tapped};
use super::upstream_limits;
use crate::app::{Abilities, App};
use tollgate_policy::price::Price;

use crate::config::model::{Deployment, Settings, Timeouts};
use crate::tokens;

/// A one-piece answer larger than this is no answer.
pub(super) const MAX_PIECE: usize = 256 * 1024 * 1024;
/// As much is collected for one write while the upstream has more ready.
const BURST: usize = 32 * 1024;
/// As much is kept of an answer that has no events, to quote from.
const EXCERPT_BYTES: usize = 1024;
/// What a frame of server-sent events ends with.
const BLANK_LINES: [&[u8]; 4] = [b"\n\n", b"\n\r\n", b"\r\r", b"\r\n\r"];

pub struct Relay<'r> {
    pub line: &'r mut Line,
    pub record: &'r mut Recorder,
    pub abilities: &'r Abilities,
    pub deployment: &'r Deployment,
    pub quirks: &'r Quirks,
    pub price: Option<Price>,
    pub prepared: Prepared,
    pub app: &'r App,
    pub inbound: &'r Inbound,
    pub settings: &'r Settings,
    /// When the request went up.
    pub began: Instant,
    /// The client has the beginning of the answer from another attempt.
    pub continues: bool,
}

impl Relay<'_> {
    /// Some servers label their streams and bodies wrongly, so the first bytes decide what the answer is, not its label.
    pub async fn run(mut self, answer: http::Response<Tapped>) -> Result<Option<Whole>, Failed> {
        let (parts, mut body) = answer.into_parts();
        let headers = &parts.headers;
        let mut first = Bytes::new();
        while first.iter().all(u8::is_ascii_whitespace) {
            match self.next_chunk(&mut body).await? {
                Some(chunk) => first = chunk,
                None => return Err(Failure::Broken("the upstream sent an empty answer".into()).into()),
            }
        }
        self.record.first_byte();
        self.abilities.health().answering(self.app.now_ms(), self.began.elapsed());
        match first.iter().find(|b| !b.is_ascii_whitespace()) {
            Some(b'{' | b'[') => self.piece(headers, body, first).await,
            Some(b'<') => Err(Failure::Broken(format!(
                "the upstream answered with an HTML page where an answer of the model was due; is api_base {} right",
                self.deployment.shown_url()
            ))
            .into()),
            _ => self.stream(headers, body, first).await,
        }
    }

    async fn next_chunk(&mut self, body: &mut Tapped) -> Result<Option<Bytes>, Failure> {
        let patience = Patience::between_pieces(&self.deployment.timeouts, self.prepared.stream, self.began);
        next_data(self.line, patience, self.prepared.same_dialect, body).await
    }

    /// What has arrived already is taken at once, so that a burst of events becomes one write. Before waiting for more, the
    /// client gets all there is.
    async fn next_in_stream(
        &mut self,
        body: &mut Tapped,
        sink: &mut Sink,
        flow: &mut Flow,
    ) -> Result<Option<Bytes>, Failure> {
        if self.line.waiting_bytes() < BURST {
            if let Some(ready) = body.frame().now_or_never() {
                return data_of(ready);
            }
            // The connection hands over one piece at a time and needs its turn for the next.
            self.line.gather().await;
            if let Some(ready) = body.frame().now_or_never() {
                return data_of(ready);
            }
        }
        if self.line.committed() {
            self.line.drained().await;
        }
        if let Some(until) = flow.holding() {
            let passthrough = self.prepared.same_dialect;
            let left = until.saturating_duration_since(Instant::now());
            match self.line.patient(left, passthrough, body.frame()).await {
                Ok(ready) => return data_of(ready),
                // Long enough: what was held back goes out, and the wait goes on.
                Err(_) => self.let_go(sink, flow),
            }
        }
        self.next_chunk(body).await
    }

    fn flow(&self) -> Flow {
        Flow::new(self.settings.hold, self.settings.hold_events, self.continues)
    }

    /// Ends the holding back.
    fn let_go(&mut self, sink: &mut Sink, flow: &mut Flow) {
        flow.may_go = true;
        match sink {
            Sink::Encoder => flow.release(self.line, self.record),
            Sink::Bytes => self.pass_bytes(flow),
            Sink::Collector(_) => {}
        }
    }

    fn pass_bytes(&mut self, flow: &mut Flow) {
        self.line.commit();
        self.line.content_sent = true;
        self.record.first_content();
        let bytes = std::mem::take(&mut flow.held_bytes);
        self.line.write(|out| out.extend_from_slice(&bytes));
    }

    // ---- one piece

    async fn piece(&mut self, headers: &HeaderMap, mut body: Tapped, first: Bytes) -> Result<Option<Whole>, Failed> {
        let mut whole = first.to_vec();
        while let Some(chunk) = self.next_chunk(&mut body).await? {
            if whole.len() + chunk.len() > MAX_PIECE {
                return Err(Failure::Broken("the upstream's answer is larger than 256 MB".into()).into());
            }
            whole.extend_from_slice(&chunk);
        }
        let mut sink = self.sink(false);
        let mut tally = self.tally();
        let mut flow = self.flow();
        let mut broken = None;
        let decoded = decode_response(self.prepared.dialect, &whole, self.quirks, &mut |event| {
            broken = broken.take().or(self.pass(event, &mut sink, &mut tally.shaper, &mut flow).err());
        });
        decoded.and(broken.map_or(Ok(()), Err)).map_err(failure)?;
        let usage = self.end(&mut sink, &mut tally, &mut flow)?;
        self.settle(usage, &tally.prompt);
        let body = match sink {
            Sink::Encoder => {
                self.line.drained().await;
                return Ok(None);
            }
            Sink::Collector(collector) => {
                collector.check().map_err(failure)?;
                collector.finish()
            }
            Sink::Bytes => forward_response(self.prepared.dialect, &whole, &usage).unwrap_or(whole),
        };
        Ok(Some(self.whole(headers, body)))
    }

    fn whole(&mut self, upstream: &HeaderMap, body: Vec<u8>) -> Whole {
        self.record.status = Some(200);
        let mut headers = super::reply::headers(self.record);
        upstream_limits::pass_on(upstream, &mut headers, self.record.admission.is_limited());
        Whole { status: StatusCode::OK, headers, body }
    }

    // ---- stream

    async fn stream(&mut self, headers: &HeaderMap, mut body: Tapped, first: Bytes) -> Result<Option<Whole>, Failed> {
        upstream_limits::pass_on(headers, &mut self.line.headers, self.record.admission.is_limited());
        let mut sink = self.sink(true);
        let mut tally = self.tally();
        let mut decoder = StreamDecoder::new(self.prepared.dialect, self.quirks);
        let mut reader = FrameReader::of(&first);
        let mut flow = self.flow();
        let mut no_events = (reader.is_text() && !may_be_events(&first)).then(Vec::new);
        let mut next = Some(first).filter(|f| !f.is_empty());
        let mut ended = false;
        while !ended {
            let chunk = match next.take() {
                Some(chunk) => Some(chunk),
                None => self.next_in_stream(&mut body, &mut sink, &mut flow).await?,
            };
            let at_end = chunk.is_none();
            if let Some(chunk) = chunk {
                if let Some(text) = no_events.as_mut().filter(|text| text.len() < EXCERPT_BYTES) {
                    text.extend_from_slice(&chunk);
                }
                reader.feed(&chunk);
            }
            while let Some(piece) = if at_end { reader.finish() } else { reader.next() } {
                match piece.map_err(failure)? {
                    Piece::Frame(frame) => {
                        ended |= is_end(&frame);
                        self.frame(&frame, &mut sink, &mut decoder, &mut tally, &mut flow).map_err(failure)?;
                        ended |= decoder.is_over();
                    }
                    Piece::KeepAlive(_) => {}
                }
            }
            ended |= at_end || tally.shaper.is_stopped();
        }
        let missing_end = decoder.missing_end();
        let mut last = Ok(());
        if !tally.shaper.is_stopped() {
            let finished = decoder.finish(&mut |event| {
                last =
                    std::mem::replace(&mut last, Ok(())).and(self.pass(event, &mut sink, &mut tally.shaper, &mut flow));
            });
            finished.and(last).map_err(|error| match no_events {
                Some(text) if error == AnswerError::Empty => Failure::Broken(format!(
                    "the upstream answered with text where an answer of the model was due: {}",
                    excerpt(&text)
                ))
                .into(),
                _ => failure(error),
            })?;
            spare(body);
            if let Sink::Bytes = sink
                && !missing_end.is_empty()
            {
                // Nor did the last frame have its blank line, perhaps.
                flow.held_bytes.extend_from_slice(if flow.unended { b"\n\n" } else { b"" });
                flow.held_bytes.extend_from_slice(missing_end);
            }
        }
        let usage = self.end(&mut sink, &mut tally, &mut flow)?;
        self.settle(usage, &tally.prompt);
        if let Sink::Collector(collector) = sink {
            collector.check().map_err(failure)?;
            return Ok(Some(self.whole(headers, collector.finish())));
        }
        self.line.drained().await;
        Ok(None)
    }

    fn frame(
        &mut self,
        frame: &Frame<'_>,
        sink: &mut Sink,
        decoder: &mut StreamDecoder,
        tally: &mut Tally,
        flow: &mut Flow,
    ) -> Result<(), AnswerError> {
        let mut broken = Ok(());
        decoder.push(frame, &mut |event| {
            broken = std::mem::replace(&mut broken, Ok(())).and(self.pass(event, sink, &mut tally.shaper, flow));
        })?;
        broken?;
        if let Sink::Bytes = sink {
            match forward_frame(self.prepared.dialect, frame, self.inbound.stream_usage, &|| tally.so_far()) {
                Forwarded::AsIs => {
                    flow.held_bytes.extend_from_slice(frame.raw);
                    flow.unended = !BLANK_LINES.iter().any(|blank| frame.raw.ends_with(blank));
                }
                Forwarded::Replace(bytes) => flow.held_bytes.extend_from_slice(&bytes),
                Forwarded::Drop => {}
            }
            if flow.may_go {
                self.pass_bytes(flow);
            }
        }
        Ok(())
    }

    // ---- events

    /// Client and upstream want the same kind of answer in the same dialect: bytes go on as they are.
    fn sink(&self, upstream_streams: bool) -> Sink {
        let same = self.prepared.same_dialect
            && upstream_streams == self.line.stream
            && !self.line.opened
            && !self.inbound.json_array
            && self.line.said.is_none();
        match (same, self.line.stream) {
            (true, _) => Sink::Bytes,
            (false, true) => Sink::Encoder,
            (false, false) => {
                Sink::Collector(Box::new(Collector::new(self.line.dialect, self.line.answer_head(), self.line.seal())))
            }
        }
    }

    fn pass(
        &mut self,
        event: Event<'_>,
        sink: &mut Sink,
        shaper: &mut Shaper,
        flow: &mut Flow,
    ) -> Result<(), AnswerError> {
        shaper.push(event, &mut |event| deliver(&event, sink, self.line, self.record, flow))
    }

    fn tally(&mut self) -> Tally {
        let shaper = Shaper::new(std::mem::take(&mut self.prepared.context));
        let prompt = Prompt {
            dialect: self.inbound.dialect,
            body: self.inbound.body.clone(),
            counted: self.prepared.counted_input,
            calibration: self.abilities.calibration.clone(),
        };
        Tally::new(shaper, prompt, self.price, self.record.broken.clone())
    }

    /// The answer is complete: what was held back, the usage, the end.
    fn end(&mut self, sink: &mut Sink, tally: &mut Tally, flow: &mut Flow) -> Result<Usage, Failed> {
        let shaper = &mut tally.shaper;
        shaper.finish(&mut |event| deliver(&event, sink, self.line, self.record, flow)).map_err(failure)?;
        self.keep_thoughts(shaper);
        let usage = tally.whole();
        if usage.estimated {
            self.record.change(Change::new(ChangeKind::Estimated, "usage"));
        }
        match sink {
            Sink::Encoder => {
                flow.release(self.line, self.record);
                self.line.encode(|encoder, out| {
                    encoder.push(&Event::Usage(usage), out);
                    encoder.finish(out);
                });
            }
            Sink::Collector(collector) => collector.push(&Event::Usage(usage)),
            Sink::Bytes => {
                if self.line.stream {
                    self.line.commit();
                    let bytes = std::mem::take(&mut flow.held_bytes);
                    self.line.write(|out| out.extend_from_slice(&bytes));
                }
            }
        }
        Ok(usage)
    }

    /// From here on the answer is paid for, whether or not the client takes it.
    fn settle(&mut self, usage: Usage, prompt: &Prompt) {
        self.line.is_whole();
        self.record.usage = usage;
        if let Some(price) = &self.price {
            let before = self.record.cost_nanos.unwrap_or(0);
            self.record.cost_nanos = Some(before.saturating_add(price.cost_nanos(&usage)));
        }
        if usage.estimated {
            return;
        }
        let theirs = usage.total_input();
        match prompt.exact() {
            Some(ours) => prompt.calibration.observe(theirs, ours),
            None if self.worth_counting() => {
                let (calibration, dialect, body) = (prompt.calibration.clone(), prompt.dialect, prompt.body.clone());
                tokio::task::spawn_blocking(move || {
                    calibration.alone(|| {
                        if let Some(ours) = bill::count(dialect, &body) {
                            calibration.observe(theirs, ours);
                        }
                    });
                });
            }
            None => {}
        }
    }

    /// What was estimated is counted afterwards, so that the next turn finds it known; what was not looked at is counted now and
    /// then, for clients that ask for counts.
    fn worth_counting(&self) -> bool {
        let wanted = self.prepared.counted_input.is_some() || self.abilities.calibration.wants_more();
        self.inbound.dialect == Dialect::Messages && wanted && tokens::is_warm()
    }

    /// The client may drop these thoughts, and the model may want them back with the next turn.
    fn keep_thoughts(&self, shaper: &Shaper) {
        if let Some(conversation) = &self.prepared.conversation {
            let (seal, family) = (self.line.seal(), &self.deployment.provider);
            conversation.remember(&self.app.recall, shaper.led_calls(), &seal, family);
        }
    }
}

/// How long to wait for the next bytes of an answer, and what it is called when they do not come.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    limit: Duration,
    phase: Phase,
}

impl Patience {
    pub fn idle(limit: Duration) -> Patience {
        Patience { limit, phase: Phase::Idle }
    }

    /// A stream may take as long as it likes, if it is never idle for too long; an answer in one piece has its time in total.
    pub fn between_pieces(timeouts: &Timeouts, stream: bool, began: Instant) -> Patience {
        match stream {
            true => Patience::idle(timeouts.idle),
            false => Patience { limit: timeouts.first_byte.saturating_sub(began.elapsed()), phase: Phase::Total },
        }
    }
}

/// The next bytes of an answer, `None` at its end.
pub(super) async fn next_data(
    line: &mut Line,
    patience: Patience,
    passthrough: bool,
    body: &mut Tapped,
) -> Result<Option<Bytes>, Failure> {
    loop {
        let next = line.patient(patience.limit, passthrough, body.frame()).await;
        let next = next.map_err(|_| Failure::TimedOut(patience.phase))?;
        match next {
            None => return Ok(None),
            Some(Err(_)) => return Err(broken_off()),
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    return Ok(Some(data));
                }
            }
        }
    }
}

fn data_of(next: Option<Result<http_body::Frame<Bytes>, BrokenOff>>) -> Result<Option<Bytes>, Failure> {
    match next {
        None => Ok(None),
        Some(Err(_)) => Err(broken_off()),
        Some(Ok(frame)) => Ok(Some(frame.into_data().unwrap_or_default())),
    }
}

fn broken_off() -> Failure {
    Failure::Broken("the upstream broke the connection before the answer was complete".into())
}

/// Whether a stream of events can begin so. What does not is words for people, of a proxy in between for example.
pub(super) fn may_be_events(first: &[u8]) -> bool {
    let first = first.trim_ascii_start();
    let first = first.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(first);
    let mut fields = [&b"data:"[..], b"event:", b"id:", b"retry:", b":"].into_iter();
    fields.any(|field| first.starts_with(field) || field.starts_with(first))
}

/// So much of a text as a message shows.
fn excerpt(text: &[u8]) -> String {
    const LONGEST: usize = 200;
    String::from_utf8_lossy(text).trim().chars().take(LONGEST).collect()
}

fn is_end(frame: &Frame<'_>) -> bool {
    frame.data == b"[DONE]"
        || matches!(frame.event, "message_stop" | "response.completed" | "response.incomplete" | "response.failed")
}

pub(super) fn failure(error: AnswerError) -> Failed {
    match error {
        AnswerError::Upstream(error) => Failure::Refused(*error).into(),
        other => Failure::Broken(other.to_string()).into(),
    }
}

/// After the end marker only the end of the transfer is due. Reading it lets the connection be used again.
fn spare(mut body: Tapped) {
    match body.frame().now_or_never() {
        Some(None) => {}
        _ => {
            tokio::spawn(async move {
                let rest = async { while let Some(Ok(_)) = body.frame().await {} };
                let _ = tokio::time::timeout(Duration::from_millis(500), rest).await;
            });
        }
    }
}
