//! Reading the client's body.

use bytes::{Bytes, BytesMut};
use http_body::Body as _;
use http_body_util::BodyExt;
use hyper::body::Incoming;

use crate::failure::Failure;

/// Anthropic's own limit is 32 MB; a little more, so that a body of exactly that size with its framing passes.
pub const DEFAULT_LIMIT: usize = 32 * 1024 * 1024 + 64 * 1024;
/// What is still read of a body that is too large, so that the client has sent all and sees the answer.
const DISCARD_LIMIT: usize = 256 * 1024 * 1024;

pub async fn read(mut body: Incoming, limit: usize) -> Result<Bytes, Failure> {
    let announced = body.size_hint().upper().unwrap_or(0);
    if announced > limit as u64 {
        discard(body, announced).await;
        return Err(Failure::BodyTooLarge { limit });
    }
    let mut whole = BytesMut::new();
    let mut only: Option<Bytes> = None;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| Failure::BodyUnreadable(error.to_string()))?;
        let Ok(data) = frame.into_data() else { continue };
        if whole.len() + data.len() + only.as_ref().map_or(0, Bytes::len) > limit {
            discard(body, DISCARD_LIMIT as u64).await;
            return Err(Failure::BodyTooLarge { limit });
        }
        match only.take() {
            None if whole.is_empty() => {
                whole.reserve(0);
                only = Some(data);
            }
            first => {
                if let Some(first) = first {
                    whole.reserve((announced as usize).max(first.len() + data.len()));
                    whole.extend_from_slice(&first);
                }
                whole.extend_from_slice(&data);
            }
        }
    }
    Ok(only.unwrap_or_else(|| whole.freeze()))
}

/// Most clients only read an answer after they have sent everything; without this they would see a broken connection.
async fn discard(mut body: Incoming, announced: u64) {
    if announced > DISCARD_LIMIT as u64 {
        return;
    }
    let mut seen = 0;
    while let Some(Ok(frame)) = body.frame().await {
        seen += frame.data_ref().map_or(0, Bytes::len);
        if seen > DISCARD_LIMIT {
            return;
        }
    }
}
