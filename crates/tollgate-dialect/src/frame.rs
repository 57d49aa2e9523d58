//! Transport units of streams.

pub mod eventstream;
pub mod sse;

use crate::bedrock_converse::decode_error;
use crate::error::AnswerError;
use eventstream::{EventStreamError, EventStreamReader, Message, MessageType};
use sse::{Frame, Piece, SseReader};

/// Cuts an upstream's stream into frames, whatever carries them.
#[derive(Debug)]
pub enum FrameReader {
    Sse(SseReader),
    EventStream(EventStreamReader),
}

impl FrameReader {
    /// The first bytes of a stream tell what it is: those of AWS begin with a length, whose first byte no text has.
    pub fn of(first: &[u8]) -> FrameReader {
        match first.first() {
            Some(0 | 1) => FrameReader::EventStream(EventStreamReader::default()),
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
            FrameReader::EventStream(reader) => reader.feed(chunk),
        }
    }

    /// The next piece; `None` until more is fed. After an error there is nothing more.
    #[allow(clippy::should_implement_trait)] // an iterator cannot lend its items
    pub fn next(&mut self) -> Option<Result<Piece<'_>, AnswerError>> {
        match self {
            FrameReader::Sse(reader) => Some(reader.next()?.map_err(|error| AnswerError::Malformed(error.to_string()))),
            FrameReader::EventStream(reader) => Some(reader.next()?.map_err(broken).and_then(piece)),
        }
    }

    /// The stream ended: delivers what is left. Call until there is none.
    pub fn finish(&mut self) -> Option<Result<Piece<'_>, AnswerError>> {
        match self {
            FrameReader::Sse(reader) => {
                Some(reader.finish()?.map_err(|error| AnswerError::Malformed(error.to_string())))
            }
            FrameReader::EventStream(reader) if reader.has_next() => self.next(),
            FrameReader::EventStream(reader) => match std::mem::take(reader).finish() {
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
fn piece<'a>(message: Message<'a>) -> Result<Piece<'a>, AnswerError> {
    let failed = |words: &[u8]| AnswerError::Upstream(Box::new(decode_error(200, message.name, words)));
    match message.kind {
        MessageType::Event => Ok(Piece::Frame(Frame { event: message.name, data: message.payload, raw: message.raw })),
        MessageType::Exception => Err(failed(message.payload)),
        MessageType::Error => Err(failed(message.error_message.as_bytes())),
    }
}

#[cfg(test)]
mod tests;
