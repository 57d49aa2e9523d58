//! How the wire misbehaves while an answer is sent.

use std::time::Duration;

use bytes::Bytes;
use serde_json::Value;

use crate::connection::{Gone, Sender};

/// How a connection ends too early.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// TCP reset.
    Reset,
    /// The connection is closed although the body is not complete.
    Close,
    /// The body ends as if it were complete.
    Clean,
}

/// The form of the answer, whatever was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    Json,
    Sse,
}

/// One unit of a body that is played as written.
#[derive(Debug, Clone)]
pub enum Piece {
    Bytes(Bytes),
    Pause(Duration),
}

impl Piece {
    pub fn text(text: &str) -> Self {
        Self::Bytes(Bytes::copy_from_slice(text.as_bytes()))
    }
}

/// Deviations played on top of a reply. Frames are counted from 0; one JSON document counts as two frames
/// (its halves) when it is to be cut.
#[derive(Debug, Clone, Default)]
pub struct Faults {
    /// Ends the connection before any header.
    pub refuse: Option<Ending>,
    /// Silence before the headers.
    pub before_headers: Duration,
    /// Extra response headers.
    pub headers: Vec<(String, String)>,
    /// Pause before every frame.
    pub pace: Duration,
    /// Silence after this many frames.
    pub silence: Option<(usize, Duration)>,
    /// The end after this many frames.
    pub cut_after: Option<(usize, Ending)>,
    /// After this many frames an error frame with this JSON, then the end of the body.
    pub error_after: Option<(usize, Value)>,
    /// A comment line before every frame.
    pub comment: Option<String>,
    pub crlf: bool,
    /// `data:{…}` without the space.
    pub no_space: bool,
    /// No `event:` lines.
    pub no_event_names: bool,
    /// The body in pieces of this many bytes, also through characters.
    pub split_bytes: Option<usize>,
    /// The body in pieces of 1 to 40 bytes, drawn from this seed.
    pub split_seed: Option<u64>,
    /// The end marker (`[DONE]`, `message_stop`) is left out.
    pub no_end_marker: bool,
    pub shape: Option<Shape>,
}

/// One server-sent event.
#[derive(Debug, Clone)]
pub(crate) struct Frame {
    pub event: Option<&'static str>,
    pub data: String,
}

impl Frame {
    pub fn is_end_marker(&self) -> bool {
        self.data == "[DONE]" || self.event == Some("message_stop")
    }

    fn render(&self, faults: &Faults) -> Bytes {
        let newline = if faults.crlf { "\r\n" } else { "\n" };
        let space = if faults.no_space { "" } else { " " };
        let mut out = String::with_capacity(self.data.len() + 64);
        if let Some(comment) = &faults.comment {
            out.extend([":", space, comment.as_str(), newline, newline]);
        }
        if let Some(event) = self.event.filter(|_| !faults.no_event_names) {
            out.extend(["event:", space, event, newline]);
        }
        out.extend(["data:", space, self.data.as_str(), newline, newline]);
        Bytes::from(out)
    }
}

/// What is sent as the body of a response.
pub(crate) enum Content {
    Frames(Box<dyn Iterator<Item = Frame> + Send>),
    Pieces(Vec<Piece>),
}

/// Plays the content with its faults; stops early when the client has gone.
pub(crate) async fn play(content: Content, faults: Faults, error_event: Option<&'static str>, to: Sender) {
    let _gone = async {
        match content {
            Content::Frames(frames) => {
                let kept = frames.filter(|frame| !(faults.no_end_marker && frame.is_end_marker()));
                let units = kept.map(|frame| Piece::Bytes(frame.render(&faults)));
                play_units(units, &faults, error_event, &to).await
            }
            Content::Pieces(pieces) => play_units(pieces.into_iter(), &faults, error_event, &to).await,
        }
    }
    .await;
}

async fn play_units(
    units: impl Iterator<Item = Piece>,
    faults: &Faults,
    error_event: Option<&'static str>,
    to: &Sender,
) -> Result<(), Gone> {
    let mut sent = 0;
    for unit in units {
        match unit {
            Piece::Pause(pause) => to.pause(pause).await?,
            Piece::Bytes(bytes) => {
                if stop_here(sent, faults, error_event, to).await? {
                    return Ok(());
                }
                to.pause(faults.pace).await?;
                send(bytes, faults, to).await?;
                sent += 1;
            }
        }
    }
    stop_here(sent, faults, error_event, to).await.map(|_| ())
}

/// Plays the faults that are due after `sent` frames; true when the body is over.
async fn stop_here(sent: usize, faults: &Faults, error_event: Option<&'static str>, to: &Sender) -> Result<bool, Gone> {
    if let Some((_, silence)) = faults.silence.filter(|(after, _)| *after == sent) {
        to.pause(silence).await?;
    }
    if let Some((_, error)) = faults.error_after.as_ref().filter(|(after, _)| *after == sent) {
        let frame = Frame { event: error_event, data: error.to_string() };
        send(frame.render(faults), faults, to).await?;
        return Ok(true);
    }
    if let Some((_, ending)) = faults.cut_after.filter(|(after, _)| *after == sent) {
        to.end(ending).await?;
        return Ok(true);
    }
    Ok(false)
}

/// The next number of a linear congruential generator (Knuth's MMIX constants).
fn drawn(last: u64) -> u64 {
    last.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407)
}

async fn send(bytes: Bytes, faults: &Faults, to: &Sender) -> Result<(), Gone> {
    let size = faults.split_bytes.unwrap_or(bytes.len()).max(1);
    // Frames of one length are not all cut alike.
    let mut chance = faults.split_seed.map(|seed| bytes.iter().fold(seed, |seed, byte| drawn(seed ^ u64::from(*byte))));
    let mut rest = bytes;
    while !rest.is_empty() {
        let size = chance.as_mut().map_or(size, |chance| {
            *chance = drawn(*chance);
            1 + (*chance >> 33) as usize % 40
        });
        to.send(rest.split_to(size.min(rest.len()))).await?;
    }
    Ok(())
}
