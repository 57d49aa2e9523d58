//! The answer of an endpoint that is no conversation: its bytes go on, and what it took is read from them.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use tokio::time::Instant;
use tollgate_dialect::frame::sse::{Frame, Piece, SseReader};
use tollgate_dialect::json::members;
use tollgate_dialect::operation::{Operation, is_complete, rounded, text_bytes};
use tollgate_dialect::{Dialect, decode_error};
use tollgate_policy::failover::Failure;

use super::attempt::Whole;
use super::exchange::Failed;
use super::fare::Fare;
use super::line::Line;
use super::recorder::Recorder;
use super::relay::{MAX_PIECE, Patience, may_be_events, next_data};
use super::tap::Tapped;
use super::{reply, upstream_limits};
use crate::config::model::Deployment;

pub struct Passing<'p> {
    pub fare: Fare,
    pub line: &'p mut Line,
    pub record: &'p mut Recorder,
    pub deployment: &'p Deployment,
    pub stream: bool,
    /// When the request went up.
    pub began: Instant,
}

impl Passing<'_> {
    pub async fn run(mut self, answer: http::Response<Tapped>) -> Result<Option<Whole>, Failed> {
        let (parts, mut body) = answer.into_parts();
        let headers = &parts.headers;
        let kind = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or("");
        let is_sound = self.fare.operation == Operation::Speech && !kind.contains("json");
        let first = loop {
            match self.next(&mut body).await? {
                // Some servers send blanks until the answer is there.
                Some(chunk) if chunk.is_empty() || (!is_sound && chunk.iter().all(u8::is_ascii_whitespace)) => {}
                Some(chunk) => break chunk,
                None => return Err(Failure::Broken("the upstream sent an empty answer".into()).into()),
            }
        };
        self.record.first_byte();
        match first.iter().find(|b| !b.is_ascii_whitespace()) {
            Some(b'{' | b'[') if !is_sound => self.piece(headers, body, first).await,
            _ if kind.contains("text/html") => Err(Failure::Broken(format!(
                "the upstream answered with an HTML page where an answer of the model was due; is api_base {} right",
                self.deployment.shown_url()
            ))
            .into()),
            _ if kind.contains("text/event-stream") || (self.stream && may_be_events(&first)) => {
                self.events(headers, body, first).await
            }
            _ if is_sound || self.fare.operation == Operation::Transcriptions => self.bytes(headers, body, first).await,
            _ => Err(Failure::Broken("the upstream's answer is no JSON".into()).into()),
        }
    }

    async fn next(&mut self, body: &mut Tapped) -> Result<Option<Bytes>, Failure> {
        let patience = Patience::between_pieces(&self.deployment.timeouts, self.stream, self.began);
        next_data(self.line, patience, true, body).await
    }

    /// JSON in one piece.
    async fn piece(&mut self, headers: &HeaderMap, mut body: Tapped, first: Bytes) -> Result<Option<Whole>, Failed> {
        let mut whole = first.to_vec();
        while let Some(chunk) = self.next(&mut body).await? {
            add(&mut whole, &chunk)?;
        }
        let text = std::str::from_utf8(&whole).unwrap_or("");
        if serde_json::from_str::<serde::de::IgnoredAny>(text).is_err() {
            return Err(Failure::Broken("the upstream's answer is no complete JSON".into()).into());
        }
        refused(text)?;
        self.read(text);
        self.fare.settle(self.record, true);
        let whole = rounded(text).unwrap_or_else(|| text.as_bytes().to_vec());
        let headers = self.headers(headers);
        Ok(hand_over(self.line, self.record, headers, whole).await)
    }

    /// A stream of events. Nothing of it is sent before its first good one.
    async fn events(&mut self, headers: &HeaderMap, mut body: Tapped, first: Bytes) -> Result<Option<Whole>, Failed> {
        self.line.headers = self.headers(headers);
        let mut reader = SseReader::default();
        let mut next = Some(first);
        let (mut complete, mut over) = (false, false);
        while !over {
            let chunk = match next.take() {
                Some(chunk) => Some(chunk),
                None => self.next(&mut body).await?,
            };
            over = chunk.is_none();
            reader.feed(&chunk.unwrap_or_default());
            while let Some(piece) = if over { reader.finish() } else { reader.next() } {
                if let Piece::Frame(frame) = piece.map_err(|error| Failure::Broken(error.to_string()))? {
                    over |= frame.data == b"[DONE]";
                    complete |= self.event(&frame)? || frame.data == b"[DONE]";
                }
            }
            if self.line.committed() {
                self.line.drained().await;
            }
        }
        if !complete {
            return Err(Failure::Broken("the upstream's stream ended before the answer was complete".into()).into());
        }
        self.fare.settle(self.record, true);
        self.line.is_whole();
        Ok(None)
    }

    /// True: the answer is complete with it.
    fn event(&mut self, frame: &Frame<'_>) -> Result<bool, Failed> {
        let text = std::str::from_utf8(frame.data).unwrap_or("");
        refused(text)?;
        self.read(text);
        self.fare.settle(self.record, false);
        self.begin();
        let data = rounded(text);
        self.line.write(|out| match data {
            None => out.extend_from_slice(frame.raw),
            Some(data) => {
                if !frame.event.is_empty() {
                    out.extend_from_slice(format!("event: {}\n", frame.event).as_bytes());
                }
                out.extend([b"data: ", &data[..], b"\n\n"].concat());
            }
        });
        Ok(is_complete(text))
    }

    /// Sound, subtitles, text: as they come. The length goes with them, where it is known, so that a cut shows.
    async fn bytes(&mut self, headers: &HeaderMap, mut body: Tapped, first: Bytes) -> Result<Option<Whole>, Failed> {
        self.fare.settle(self.record, true);
        self.line.headers = self.headers(headers);
        if let Some(length) = headers.get(CONTENT_LENGTH) {
            self.line.headers.insert(CONTENT_LENGTH, length.clone());
        }
        self.line.bare = true;
        self.begin();
        let mut next = Some(first);
        while let Some(chunk) = next {
            self.line.write(|out| out.extend_from_slice(&chunk));
            self.line.drained().await;
            // Sound goes on to the client as it comes, at the pace of the client.
            let patience = Patience::idle(self.deployment.timeouts.idle);
            next = next_data(self.line, patience, true, &mut body).await?;
        }
        self.line.is_whole();
        Ok(None)
    }

    /// From here on no other deployment can take over.
    fn begin(&mut self) {
        if !self.line.content_sent {
            self.line.commit();
            self.line.content_sent = true;
            self.record.first_content();
        }
    }

    fn headers(&self, upstream: &HeaderMap) -> HeaderMap {
        let mut headers = reply::headers(self.record);
        upstream_limits::pass_on(upstream, &mut headers, self.record.admission.is_limited());
        if let Some(kind) = upstream.get(CONTENT_TYPE) {
            headers.insert(CONTENT_TYPE, kind.clone());
        }
        headers
    }

    fn read(&mut self, answer: &str) {
        self.fare.took.read(self.fare.operation, answer);
        if self.fare.operation.writes_text() {
            self.fare.text_bytes += text_bytes(answer);
        }
    }
}

/// More of an answer in one piece.
pub(super) fn add(whole: &mut Vec<u8>, chunk: &[u8]) -> Result<(), Failure> {
    if whole.len() + chunk.len() > MAX_PIECE {
        return Err(Failure::Broken("the upstream's answer is larger than 256 MB".into()));
    }
    whole.extend_from_slice(chunk);
    Ok(())
}

/// An answer in one piece; `None`: its client was promised a stream, and has it.
pub(super) async fn hand_over(
    line: &mut Line,
    record: &mut Recorder,
    headers: HeaderMap,
    whole: Vec<u8>,
) -> Option<Whole> {
    if line.committed() {
        line.write(|out| out.extend([b"data: ", &whole[..], b"\n\ndata: [DONE]\n\n"].concat()));
        line.is_whole();
        line.drained().await;
        return None;
    }
    record.status = Some(200);
    Some(Whole { status: StatusCode::OK, headers, body: whole })
}

/// An error that stands where an answer was due.
fn refused(answer: &str) -> Result<(), Failed> {
    let members = members(answer).unwrap_or_default();
    let is_error = members.iter().any(|(name, value)| *name == "error" && *value != "null")
        || members.iter().any(|(name, value)| *name == "type" && *value == "\"error\"");
    if is_error {
        return Err(Failure::Refused(decode_error(Dialect::Chat, 200, answer.as_bytes())).into());
    }
    Ok(())
}
