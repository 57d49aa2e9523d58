//! Server-sent events: bytes in any pieces to whole frames.
//!
//! Follows the event stream format of the WHATWG HTML standard (section 9.2.6, read 2026-11), with what providers need
//! beyond it: a frame with a name and no data is delivered, so is a last frame without its blank line, and a bare JSON
//! object where a field should stand counts as data, because some servers answer so when they fail.

#[cfg(test)]
mod tests;

use std::ops::Range;

/// A frame longer than this is refused: no provider sends one, and memory must have a bound.
pub const MAX_FRAME_BYTES: usize = 32 << 20;

/// What an idle reader may keep allocated; ordinary frames fit.
const KEEP_BYTES: usize = 64 << 10;

const BOM: &[u8] = b"\xef\xbb\xbf";

/// One event as it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// The `event:` field, empty if there was none, U+FFFD if it was not UTF-8.
    pub event: &'a str,
    /// The `data:` lines, joined by line feeds.
    pub data: &'a [u8],
    /// The frame's own bytes with the blank line that ends it, for passing on.
    pub raw: &'a [u8],
}

/// What a reader finds in a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Piece<'a> {
    Frame(Frame<'a>),
    /// A comment, or fields without meaning here (`id:`, `retry:`): the upstream is alive. Holds the bytes.
    KeepAlive(&'a [u8]),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    #[error("the upstream sent a stream frame of more than {MAX_FRAME_BYTES} bytes")]
    TooLong,
}

/// Cuts a byte stream into frames: [`feed`](SseReader::feed) each chunk, then take pieces until there is none.
///
/// ```
/// use tollgate_dialect::frame::sse::{Piece, SseReader};
/// let mut reader = SseReader::default();
/// reader.feed(b": hello\n\ndata: {}\n\nda");
/// assert_eq!(reader.next(), Some(Ok(Piece::KeepAlive(b": hello\n"))));
/// let Some(Ok(Piece::Frame(frame))) = reader.next() else { panic!() };
/// assert_eq!(frame.data, b"{}");
/// assert_eq!(reader.next(), None);
/// ```
#[derive(Debug, Default)]
pub struct SseReader {
    buffer: Vec<u8>,
    /// Where the unfinished block begins in `buffer`; what lies before was delivered.
    start: usize,
    block: Block,
    /// The data of a frame with several `data:` lines.
    joined: Vec<u8>,
    /// The stream's first bytes were looked at for a byte order mark.
    begun: bool,
    ended: bool,
    failed: bool,
}

/// What is known of the unfinished block. Offsets count from its first byte.
#[derive(Debug, Default)]
struct Block {
    /// Where the line that is being read begins.
    line: usize,
    /// No line end was found before this.
    searched: usize,
    /// The line before ended with CR LF.
    crlf: bool,
    event: Option<Range<usize>>,
    data: Option<Range<usize>>,
    /// There were several data lines: they are in `joined`.
    many: bool,
}

/// A finished block.
struct Found {
    /// False for a keep-alive.
    frame: bool,
    length: usize,
}

impl SseReader {
    pub fn feed(&mut self, chunk: &[u8]) {
        if self.failed {
            return;
        }
        if self.start > 0 {
            self.buffer.drain(..self.start);
            self.start = 0;
        }
        if !self.block.many {
            self.joined.clear();
        }
        for kept in [&mut self.buffer, &mut self.joined] {
            if kept.capacity() > 4 * KEEP_BYTES && kept.len() < KEEP_BYTES {
                kept.shrink_to(KEEP_BYTES);
            }
        }
        self.buffer.extend_from_slice(chunk);
    }

    /// The next piece; `None` until more is fed. After an error there is nothing more.
    #[allow(clippy::should_implement_trait)] // an iterator cannot lend its items
    pub fn next(&mut self) -> Option<Result<Piece<'_>, SseError>> {
        self.skip_bom();
        let found = self.find_block();
        let begin = self.start;
        let length = found.as_ref().map_or(self.buffer.len() - begin, |f| f.length);
        if length > MAX_FRAME_BYTES {
            *self = SseReader { failed: true, ..SseReader::default() };
            return Some(Err(SseError::TooLong));
        }
        let found = found?;
        let block = self.take(length);
        let raw = &self.buffer[begin..begin + length];
        if !found.frame {
            return Some(Ok(Piece::KeepAlive(raw)));
        }
        let event = block.event.map_or("", |at| str::from_utf8(&raw[at]).unwrap_or("\u{FFFD}"));
        let data = if block.many { &self.joined[..] } else { block.data.map_or(&[][..], |at| &raw[at]) };
        Some(Ok(Piece::Frame(Frame { event, data, raw })))
    }

    /// The stream ended: delivers what is left, also without its blank line. Call until there is none.
    pub fn finish(&mut self) -> Option<Result<Piece<'_>, SseError>> {
        self.ended = true;
        self.next()
    }

    fn take(&mut self, length: usize) -> Block {
        self.start += length;
        std::mem::take(&mut self.block)
    }

    fn skip_bom(&mut self) {
        if self.begun || (self.buffer.len() < BOM.len() && BOM.starts_with(&self.buffer) && !self.ended) {
            return;
        }
        self.begun = true;
        if self.buffer.starts_with(BOM) {
            self.start = BOM.len();
        }
    }

    /// Reads line by line until the block is whole.
    fn find_block(&mut self) -> Option<Found> {
        if !self.begun {
            return None;
        }
        loop {
            let bytes = &self.buffer[self.start..];
            let Some((line, next)) = self.block.next_line(bytes, self.ended) else {
                // A CR at the very end is looked at again when its neighbour is there.
                self.block.searched = bytes.len() - usize::from(bytes.ends_with(b"\r"));
                return (self.ended && self.block.line > 0).then(|| self.block.found(self.block.line));
            };
            let first = self.block.line == 0;
            self.block.line = next;
            self.block.searched = next;
            self.block.crlf = bytes[..next].ends_with(b"\r\n");
            if line.is_empty() {
                if !first {
                    return Some(self.block.found(next));
                }
                // A blank line between blocks.
                self.take(next);
            } else if bytes[line.start] == b':' {
                // At once, and not with the frame after it: the upstream may be silent after a comment for long.
                if first {
                    return Some(Found { frame: false, length: next });
                }
            } else {
                self.block.field(bytes, line, &mut self.joined);
            }
        }
    }
}

impl Block {
    /// The next line without its end, and where the line after it begins; `None` if the end is not there yet.
    ///
    /// CR, LF and CR LF all end a line. A CR that is the last byte so far may be half of a CR LF, so it waits for the next
    /// byte, except where it completes a block whose lines do not end with CR LF: a frame must not be held up by a
    /// byte that never comes. Whether it waits depends on the block only, so chunk borders never change a frame.
    fn next_line(&self, bytes: &[u8], ended: bool) -> Option<(Range<usize>, usize)> {
        let Some(found) = memchr::memchr2(b'\n', b'\r', &bytes[self.searched..]) else {
            let rest = ended && self.line < bytes.len();
            return rest.then_some((self.line..bytes.len(), bytes.len()));
        };
        let end = self.searched + found;
        let line = self.line..end;
        if bytes[end] == b'\n' || (line.is_empty() && !self.crlf) {
            return Some((line, end + 1));
        }
        match bytes.get(end + 1) {
            Some(b'\n') => Some((line, end + 2)),
            Some(_) => Some((line, end + 1)),
            None => ended.then_some((line, end + 1)),
        }
    }

    fn field(&mut self, bytes: &[u8], line: Range<usize>, joined: &mut Vec<u8>) {
        let text = &bytes[line.clone()];
        let (name, value) = match memchr::memchr(b':', text) {
            _ if text[0] == b'{' => (&b"data"[..], line),
            None => (text, line.end..line.end),
            Some(colon) => {
                let space = usize::from(text.get(colon + 1) == Some(&b' '));
                (&text[..colon], line.start + colon + 1 + space..line.end)
            }
        };
        match name {
            b"event" => self.event = Some(value),
            b"data" => match &self.data {
                None => self.data = Some(value),
                Some(first) => {
                    if !self.many {
                        self.many = true;
                        joined.clear();
                        joined.extend_from_slice(&bytes[first.clone()]);
                    }
                    joined.push(b'\n');
                    joined.extend_from_slice(&bytes[value]);
                }
            },
            _ => {}
        }
    }

    fn found(&self, length: usize) -> Found {
        Found { frame: self.data.is_some() || self.event.is_some(), length }
    }
}
