//! The event stream of AWS, `application/vnd.amazon.eventstream`: bytes in any pieces to whole messages.
//!
//! A message is `[total u32][headers u32][CRC-32 of these 8 bytes][headers][payload][CRC-32 of all before]`, big-endian; a
//! header is `[length u8][name][type u8][value]`. botocore 1.44.5, `eventstream.py`, which also has the bounds (read 2026-11).
//!
//! Written out here, as the server-sent events are: the format is a page, and the AWS SDK's crate for it would bring a tree of its types.

mod crc32;
#[cfg(test)]
mod tests;
#[cfg(test)]
pub(crate) mod wire;

/// Longer headers are refused, as in botocore.
pub const MAX_HEADERS_BYTES: usize = 128 << 10;
/// A longer payload is refused, as in botocore.
pub const MAX_PAYLOAD_BYTES: usize = 24 << 20;

/// The two lengths and their checksum.
const PRELUDE: usize = 12;
const CRC: usize = 4;

/// What an idle reader may keep allocated; ordinary messages fit.
const KEEP_BYTES: usize = 64 << 10;

/// What a message says of itself in `:message-type`. None, and any other word, counts as an event.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MessageType {
    Event,
    /// A failure that the service's model knows. It ends the stream.
    Exception,
    /// Any other failure. It ends the stream.
    Error,
}

/// One message as it came. Names are empty where there was none, U+FFFD where it was no UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    pub kind: MessageType,
    /// `:event-type`, `:exception-type` or `:error-code`, as `kind` says.
    pub name: &'a str,
    /// `:error-message` of an error, which has no payload.
    pub error_message: &'a str,
    pub payload: &'a [u8],
    /// The message's own bytes.
    pub raw: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EventStreamError {
    #[error("a message of the event stream has a wrong checksum")]
    Checksum,
    #[error("a message of the event stream has {headers} bytes of headers and {payload} of payload")]
    TooLong { headers: usize, payload: usize },
    #[error("a message of the event stream has lengths or headers that cannot be")]
    Malformed,
    #[error("the event stream ended within a message")]
    Truncated,
}

/// Cuts a byte stream into messages: [`feed`](Self::feed) each chunk, then take messages until there is none.
///
/// ```
/// use tollgate_dialect::frame::eventstream::EventStreamReader;
/// let mut reader = EventStreamReader::default();
/// let message = b"\0\0\0\x10\0\0\0\0\x05\xc2\x48\xeb\x7d\x98\xc8\xff";
/// reader.feed(&message[..5]);
/// assert_eq!(reader.next(), None);
/// reader.feed(&message[5..]);
/// assert!(reader.next().unwrap().unwrap().payload.is_empty());
/// assert_eq!(reader.finish(), Ok(()));
/// ```
#[derive(Debug, Default)]
pub struct EventStreamReader {
    buffer: Vec<u8>,
    /// Where the unfinished message begins in `buffer`; what lies before was delivered.
    start: usize,
    /// The lengths of the unfinished message, as soon as they were checked.
    lengths: Option<Lengths>,
    failed: Option<EventStreamError>,
}

#[derive(Clone, Copy, Debug)]
struct Lengths {
    total: usize,
    headers: usize,
}

impl EventStreamReader {
    pub fn feed(&mut self, chunk: &[u8]) {
        if self.failed.is_some() {
            return;
        }
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        if self.buffer.capacity() > 4 * KEEP_BYTES && self.buffer.len() < KEEP_BYTES {
            self.buffer.shrink_to(KEEP_BYTES);
        }
        self.buffer.extend_from_slice(chunk);
    }

    /// The next message; `None` until more is fed. After an error there is nothing more.
    #[allow(clippy::should_implement_trait)] // an iterator cannot lend its items
    pub fn next(&mut self) -> Option<Result<Message<'_>, EventStreamError>> {
        if self.failed.is_some() {
            return None;
        }
        let begin = self.start;
        match self.whole() {
            Ok(lengths) => {
                let Lengths { total, headers } = lengths?;
                let raw = &self.buffer[begin..begin + total];
                match Message::read(raw, headers) {
                    Some(message) => Some(Ok(message)),
                    None => {
                        self.failed = Some(EventStreamError::Malformed);
                        Some(Err(EventStreamError::Malformed))
                    }
                }
            }
            Err(error) => {
                *self = EventStreamReader { failed: Some(error), ..EventStreamReader::default() };
                Some(Err(error))
            }
        }
    }

    /// A message, or an error, is there that [`next`](Self::next) has not given yet.
    pub fn has_next(&self) -> bool {
        let bytes = &self.buffer[self.start..];
        if self.failed.is_some() {
            return false;
        }
        match (self.lengths, bytes.first_chunk::<PRELUDE>()) {
            (Some(lengths), _) => bytes.len() >= lengths.total,
            (None, Some(prelude)) => Lengths::read(prelude).map_or(true, |lengths| bytes.len() >= lengths.total),
            (None, None) => false,
        }
    }

    /// The stream ended.
    ///
    /// # Errors
    /// [`EventStreamError::Truncated`] in the midst of a message, and the error there was.
    pub fn finish(&self) -> Result<(), EventStreamError> {
        match self.failed {
            Some(error) => Err(error),
            None if self.start < self.buffer.len() => Err(EventStreamError::Truncated),
            None => Ok(()),
        }
    }

    /// The lengths of the next message, once it is there whole and its checksums are right. Then it counts as delivered.
    fn whole(&mut self) -> Result<Option<Lengths>, EventStreamError> {
        let bytes = &self.buffer[self.start..];
        let lengths = match self.lengths {
            Some(lengths) => lengths,
            None => {
                let Some(prelude) = bytes.first_chunk::<PRELUDE>() else { return Ok(None) };
                Lengths::read(prelude)?
            }
        };
        self.lengths = Some(lengths);
        let Some(message) = bytes.get(..lengths.total) else { return Ok(None) };
        if !has_checksum(message) {
            return Err(EventStreamError::Checksum);
        }
        self.lengths = None;
        self.start += lengths.total;
        Ok(Some(lengths))
    }
}

impl Lengths {
    /// Refuses what is too long before it is waited for: memory must have a bound.
    fn read(prelude: &[u8; PRELUDE]) -> Result<Lengths, EventStreamError> {
        if !has_checksum(prelude) {
            return Err(EventStreamError::Checksum);
        }
        let [t0, t1, t2, t3, h0, h1, h2, h3, ..] = *prelude;
        let total = u32::from_be_bytes([t0, t1, t2, t3]) as usize;
        let headers = u32::from_be_bytes([h0, h1, h2, h3]) as usize;
        let around = PRELUDE + CRC;
        let payload = total.checked_sub(around).and_then(|rest| rest.checked_sub(headers));
        let payload = payload.ok_or(EventStreamError::Malformed)?;
        if headers > MAX_HEADERS_BYTES || payload > MAX_PAYLOAD_BYTES {
            return Err(EventStreamError::TooLong { headers, payload });
        }
        Ok(Lengths { total, headers })
    }
}

/// True if the last four bytes are the checksum of those before.
fn has_checksum(bytes: &[u8]) -> bool {
    bytes.split_last_chunk::<CRC>().is_some_and(|(data, crc)| crc32::of(data) == u32::from_be_bytes(*crc))
}

impl<'a> Message<'a> {
    /// `raw` is a whole message. `None`: its headers cannot be read.
    fn read(raw: &'a [u8], headers: usize) -> Option<Message<'a>> {
        let (mut rest, payload) = raw.get(PRELUDE..raw.len() - CRC)?.split_at_checked(headers)?;
        let (mut kind, mut event, mut exception, mut code, mut error_message) = ("", "", "", "", "");
        while !rest.is_empty() {
            let (name, value) = header(&mut rest)?;
            match name {
                b":message-type" => kind = value,
                b":event-type" => event = value,
                b":exception-type" => exception = value,
                b":error-code" => code = value,
                b":error-message" => error_message = value,
                _ => {}
            }
        }
        let (kind, name) = match kind {
            "exception" => (MessageType::Exception, exception),
            "error" => (MessageType::Error, code),
            _ => (MessageType::Event, event),
        };
        Some(Message { kind, name, error_message, payload, raw })
    }
}

/// Takes one header off. Only strings are ever looked at; any other value is an empty one.
fn header<'a>(rest: &mut &'a [u8]) -> Option<(&'a [u8], &'a str)> {
    let length = take(rest, 1)?[0];
    let name = take(rest, usize::from(length))?;
    let value = match take(rest, 1)?[0] {
        0 | 1 => "",
        2 => take(rest, 1).map(|_| "")?,
        3 => take(rest, 2).map(|_| "")?,
        4 => take(rest, 4).map(|_| "")?,
        5 | 8 => take(rest, 8).map(|_| "")?,
        9 => take(rest, 16).map(|_| "")?,
        kind @ (6 | 7) => {
            let [high, low] = *take(rest, 2)?.first_chunk()?;
            let bytes = take(rest, usize::from(u16::from_be_bytes([high, low])))?;
            if kind == 7 { str::from_utf8(bytes).unwrap_or("\u{FFFD}") } else { "" }
        }
        _ => return None,
    };
    Some((name, value))
}

fn take<'a>(rest: &mut &'a [u8], length: usize) -> Option<&'a [u8]> {
    let (taken, after) = rest.split_at_checked(length)?;
    *rest = after;
    Some(taken)
}
