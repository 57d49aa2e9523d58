//! Requests that are no HTTP, or too much of it, get a whole answer too.
//!
//! The HTTP library answers what it cannot parse by itself, with a bare status line and nothing in the log. A client that gets
//! such an answer shows "invalid response" and nobody learns why. So the connection is wrapped: that bare answer is recognised
//! as it is written, and a complete one goes out in its place, with a request id that is also in the log.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tollgate_dialect::error::{ErrorKind, PublicError};
use tollgate_dialect::{Dialect, encode_error};

pub struct Guarded {
    stream: TcpStream,
    /// The first bytes of the request that is being read, to tell its dialect.
    beginning: Vec<u8>,
    /// The rest of an answer of ours that did not fit into the socket at once.
    pending: Vec<u8>,
}

const REMEMBERED: usize = 512;

impl Guarded {
    pub fn new(stream: TcpStream) -> Guarded {
        Guarded { stream, beginning: Vec::new(), pending: Vec::new() }
    }

    fn answer(&self, status: &str) -> Vec<u8> {
        let code: u16 = status.parse().unwrap_or(400);
        let head = String::from_utf8_lossy(&self.beginning);
        let dialect = match &head {
            head if head.contains("/messages") => Dialect::Messages,
            head if head.contains("/responses") => Dialect::Responses,
            head if head.contains("enerateContent")
                || head.contains("mbedContent")
                || head.contains(":countTokens") =>
            {
                Dialect::Gemini
            }
            _ => Dialect::Chat,
        };
        let id = format!("req_{}", uuid::Uuid::now_v7().simple());
        let (kind, reason, message) = match code {
            431 => (
                ErrorKind::TooLarge,
                "Request Header Fields Too Large",
                "The request's headers are too large or too many for this gateway.",
            ),
            414 => (ErrorKind::TooLarge, "URI Too Long", "The request's URL is too long for this gateway."),
            413 => (ErrorKind::TooLarge, "Content Too Large", "The request is too large for this gateway."),
            408 => (ErrorKind::Timeout, "Request Timeout", "The request's headers did not arrive in time."),
            _ if self.beginning.first() == Some(&0x16) => (
                ErrorKind::InvalidRequest,
                "Bad Request",
                "This port speaks plain HTTP, not TLS: use http:// in the base URL.",
            ),
            _ => (ErrorKind::InvalidRequest, "Bad Request", "The request is not valid HTTP."),
        };
        tracing::warn!(request_id = %id, status = code, error = message, "request rejected before it could be read");
        let error = PublicError { should_retry: Some(false), ..PublicError::new(code, kind, message) };
        let body = encode_error(dialect, &error, &id);
        let mut answer = format!(
            "HTTP/1.1 {code} {reason}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nrequest-id: {id}\r\n\
             x-request-id: {id}\r\nx-should-retry: false\r\nconnection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        answer.extend_from_slice(&body);
        answer
    }

    fn flush_pending(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.pending.is_empty() {
            match Pin::new(&mut self.stream).poll_write(cx, &self.pending) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                Poll::Ready(Ok(written)) => {
                    self.pending.drain(..written);
                }
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => return Poll::Pending,
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The status of an answer that the HTTP library made by itself: an error head with an empty body and none of our headers.
fn bare_status(bytes: &[u8]) -> Option<&str> {
    let text = std::str::from_utf8(bytes.get(..bytes.len().min(400))?).ok()?;
    let status = text.strip_prefix("HTTP/1.1 ").or_else(|| text.strip_prefix("HTTP/1.0 "))?.get(..3)?;
    let is_bare = status.starts_with('4')
        && bytes.len() < 400
        && text.ends_with("\r\n\r\n")
        && text.contains("content-length: 0")
        && !text.contains("x-request-id");
    is_bare.then_some(status)
}

impl AsyncRead for Guarded {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let before = buf.filled().len();
        let polled = Pin::new(&mut self.stream).poll_read(cx, buf);
        if self.beginning.len() < REMEMBERED {
            let fresh = &buf.filled()[before..];
            let room = REMEMBERED - self.beginning.len();
            self.beginning.extend_from_slice(&fresh[..fresh.len().min(room)]);
        }
        polled
    }
}

impl AsyncWrite for Guarded {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        std::task::ready!(self.flush_pending(cx))?;
        if let Some(status) = bare_status(buf) {
            self.pending = self.answer(status);
            let _ = self.flush_pending(cx)?;
            return Poll::Ready(Ok(buf.len()));
        }
        self.beginning.clear();
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.flush_pending(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        std::task::ready!(self.flush_pending(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let guarded = self.get_mut();
        std::task::ready!(guarded.flush_pending(cx))?;
        if let [only] = bufs
            && bare_status(only).is_some()
        {
            return Pin::new(guarded).poll_write(cx, only);
        }
        guarded.beginning.clear();
        Pin::new(&mut guarded.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
