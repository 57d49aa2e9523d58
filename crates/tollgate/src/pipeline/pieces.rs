//! A file on its way out, a piece at a time: the next one is made when the one before was taken.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderValue;
use http::header::{CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_TYPE};
use tollgate_store::usage::{Export, UsageError};

use super::recorder::Recorder;
use super::reply::{self, Cut, Reply, ReplyBody};
use crate::admin::File;

type Made = (Export, Result<Option<Vec<u8>>, UsageError>);

pub struct Pieces {
    request_id: String,
    first: Vec<u8>,
    /// `None`: it is over.
    making: Option<Pin<Box<dyn Future<Output = Made> + Send>>>,
}

async fn make(mut export: Export) -> Made {
    let piece = export.next().await;
    (export, piece)
}

impl Pieces {
    /// The client learns of a file that cannot be made to its end by a connection that ends before the body does.
    pub fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Cut>>> {
        if !self.first.is_empty() {
            return Poll::Ready(Some(Ok(std::mem::take(&mut self.first).into())));
        }
        while let Some(making) = &mut self.making {
            let (export, piece) = ready!(making.as_mut().poll(cx));
            self.making = None;
            match piece {
                Ok(Some(piece)) => {
                    self.making = Some(Box::pin(make(export)));
                    if !piece.is_empty() {
                        return Poll::Ready(Some(Ok(piece.into())));
                    }
                }
                Ok(None) => {}
                Err(error) => {
                    tracing::error!(request_id = %self.request_id, %error, "a file of usage broke off");
                    return Poll::Ready(Some(Err(Cut)));
                }
            }
        }
        Poll::Ready(None)
    }
}

pub fn reply(file: File, record: &mut Recorder) -> Reply {
    record.status = Some(200);
    record.ended = true;
    let pieces = Pieces { request_id: record.id.clone(), first: file.first, making: Some(Box::pin(make(file.rest))) };
    let mut reply = http::Response::new(ReplyBody::Pieces(pieces));
    *reply.headers_mut() = reply::headers(record);
    let headers = reply.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(file.kind));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    if let Ok(disposition) = HeaderValue::from_str(&format!("attachment; filename=\"{}\"", file.name)) {
        headers.insert(CONTENT_DISPOSITION, disposition);
    }
    reply
}
