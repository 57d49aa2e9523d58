//! Transport units of streams.

pub mod eventstream;
pub mod sse;

use std::borrow::Cow;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;

use crate::bedrock_converse::decode_error;
use crate::error::AnswerError;
use eventstream::{EventStreamError, EventStreamReader, Message, MessageType};
use sse::{Frame, Piece, SseReader};

/// Cuts an upstream's stream into frames, whatever carries them.
#[derive(Debug)]
pub enum FrameReader {
    Sse(SseReader),
    EventStream {
        reader: EventStreamReader,
        /// An event that came wrapped.
        unwrapped: Vec<u8>,
    },
}

impl FrameReader {
    /// The first bytes of a stream tell what it is: those of AWS begin with a length, whose first byte no text has.
    pub fn of(first: &[u8]) -> FrameReader {
        match first.first() {
            Some(0 | 1) => FrameReader::EventStream { reader: EventStreamReader::default(), unwrapped: Vec::new() },
            _ => FrameReader::Sse(SseReader::default()),
        }
    }

    /// There are server-sent events in it.
    pub fn is_text(&self) -> bool {
        matches!(self, FrameReader::Sse(_))
    }

    pub fn feed(&mut self, chunk: &[u8]) {
        match self {
            FrameReader::Sse(reader) => reader.feed(chunk),
            FrameReader::EventStream { reader, .. } => reader.feed(chunk),
        }
    }

    /// The next piece; `None` until more is fed. After an error there is nothing more.
    #[allow(clippy::should_implement_trait)] // an iterator cannot lend its items
    pub fn next(&mut self) -> Option<Result<Piece<'_>, AnswerError>> {
        match self {
            FrameReader::Sse(reader) => Some(reader.next()?.map_err(|error| AnswerError::Malformed(error.to_string()))),
            FrameReader::EventStream { reader, unwrapped } => {
                Some(reader.next()?.map_err(broken).and_then(|message| piece(message, unwrapped)))
            }
        }
    }

    /// The stream ended: delivers what is left. Call until there is none.
    pub fn finish(&mut self) -> Option<Result<Piece<'_>, AnswerError>> {
        match self {
            FrameReader::Sse(reader) => {
                Some(reader.finish()?.map_err(|error| AnswerError::Malformed(error.to_string())))
            }
            FrameReader::EventStream { reader, .. } if reader.has_next() => self.next(),
            FrameReader::EventStream { reader, .. } => match std::mem::take(reader).finish() {
                Ok(()) => None,
                Err(error) => Some(Err(broken(error))),
            },
        }
    }
}

fn broken(error: EventStreamError) -> AnswerError {
    match error {
        EventStreamError::Truncated => AnswerError::Cut,
        error => AnswerError::Malformed(error.to_string()),
    }
}

/// What a failure in the stream says is for [`crate::decode_aws_error`], in whatever dialect the events are.
fn piece<'a>(message: Message<'a>, unwrapped: &'a mut Vec<u8>) -> Result<Piece<'a>, AnswerError> {
    let failed = |words: &[u8]| AnswerError::Upstream(Box::new(decode_error(200, message.name, words)));
    if let Some(event) = event_in(&message) {
        *unwrapped =
            event.ok_or_else(|| AnswerError::Malformed("a chunk of the event stream holds no event".into()))?;
        // The event says its name itself, and has no line that could be passed on.
        return Ok(Piece::Frame(Frame { event: "", data: unwrapped, raw: unwrapped }));
    }
    match message.kind {
        MessageType::Event => Ok(Piece::Frame(Frame { event: message.name, data: message.payload, raw: message.raw })),
        MessageType::Exception => Err(failed(message.payload)),
        MessageType::Error => Err(failed(message.error_message.as_bytes())),
    }
}

#[derive(Deserialize)]
struct Chunk<'a> {
    #[serde(borrow)]
    bytes: Cow<'a, str>,
}

/// `chunk` of Bedrock's `InvokeModelWithResponseStream`: `{"bytes": BASE64}` holds an event of the model's own API. `None`: the message
/// is another; `Some(None)`: it holds none.
pub fn event_in(message: &Message<'_>) -> Option<Option<Vec<u8>>> {
    if message.kind != MessageType::Event || message.name != "chunk" {
        return None;
    }
    let chunk = serde_json::from_slice::<Chunk<'_>>(message.payload).ok();
    Some(chunk.and_then(|chunk| STANDARD.decode(chunk.bytes.as_bytes()).ok()))
}

#[cfg(test)]
mod tests;
