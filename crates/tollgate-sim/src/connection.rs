//! The socket and the response body: both can end as no well-behaved server ends them.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::Frame;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::mpsc;

use crate::faults::Ending;
use crate::server::InFlight;

/// Whether the connection is to be reset rather than closed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Reset(Arc<AtomicBool>);

impl Reset {
    pub fn order(&self) {
        self.0.store(true, Ordering::Release);
    }
}

/// A TCP stream that is reset on drop when that was ordered.
pub(crate) struct Socket {
    stream: TcpStream,
    reset: Reset,
}

impl Socket {
    pub fn new(stream: TcpStream, reset: Reset) -> Self {
        Self { stream, reset }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.reset.0.load(Ordering::Acquire) {
            // The only failure is a socket that is gone already.
            let _ = self.stream.set_zero_linger();
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl AsyncWrite for Socket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.reset.0.load(Ordering::Acquire) {
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

/// The client has closed the connection.
#[derive(Debug)]
pub(crate) struct Gone;

/// The connection is ended on purpose.
#[derive(Debug)]
pub(crate) struct Cut;

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("cut by the script")
    }
}

impl std::error::Error for Cut {}

/// The writing end of a [`Body`].
pub(crate) struct Sender {
    to: mpsc::Sender<Result<Bytes, Cut>>,
    reset: Reset,
}

impl Sender {
    pub async fn send(&self, bytes: Bytes) -> Result<(), Gone> {
        self.to.send(Ok(bytes)).await.map_err(|_| Gone)
    }

    pub async fn pause(&self, time: Duration) -> Result<(), Gone> {
        if time.is_zero() {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(time) => Ok(()),
            () = self.to.closed() => Err(Gone),
        }
    }

    pub async fn end(&self, ending: Ending) -> Result<(), Gone> {
        match ending {
            Ending::Clean => Ok(()),
            Ending::Close => self.to.send(Err(Cut)).await.map_err(|_| Gone),
            Ending::Reset => {
                self.reset.order();
                self.to.send(Err(Cut)).await.map_err(|_| Gone)
            }
        }
    }
}

/// A response body fed by a [`Sender`]. Each piece is flushed before the next is taken, so that a cut after n frames
/// comes after n frames on the wire too.
pub(crate) struct Body {
    from: mpsc::Receiver<Result<Bytes, Cut>>,
    flush_first: bool,
    request: InFlight,
}

pub(crate) fn body(reset: Reset, request: InFlight) -> (Sender, Body) {
    let (to, from) = mpsc::channel(1);
    (Sender { to, reset }, Body { from, flush_first: false, request })
}

impl http_body::Body for Body {
    type Data = Bytes;
    type Error = Cut;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Cut>>> {
        if std::mem::take(&mut self.flush_first) {
            cx.waker().wake_by_ref();
            return Poll::Pending;
        }
        let next = std::task::ready!(self.from.poll_recv(cx));
        self.flush_first = true;
        if !matches!(next, Some(Ok(_))) {
            self.request.finished();
        }
        Poll::Ready(next.map(|piece| piece.map(Frame::data)))
    }
}
