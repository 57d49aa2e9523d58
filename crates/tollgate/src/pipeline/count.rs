//! `POST /v1/messages/count_tokens`, Gemini's `:countTokens` and `POST /v1/responses/input_tokens`, for every model, without asking anyone but an
//! upstream that counts the client's own words ([`super::counter`]).

use std::sync::{Arc, LazyLock};

use bytes::Bytes;
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tollgate_dialect::error::{Change, ChangeKind};
use tollgate_dialect::{Dialect, decode_count_request, encode_count};

use super::attempt::Driver;
use super::authenticate::Caller;
use super::recorder::Recorder;
use super::reply::{self, Reply};
use super::{access, counter, inbound, kept};
use crate::app::{App, Live};
use crate::failure::Failure;
use crate::tokens;

/// Bodies above this are counted on another thread, so that they hold up nobody's stream: this much takes 0.1 ms, and 2 ms if
/// somebody took pains to make it slow.
const COUNT_HERE: usize = 16 * 1024;

/// Claude Code asks for 25 counts at once. More threads than cores make them no faster, and each keeps megabytes for good.
static COUNTING: LazyLock<Semaphore> = LazyLock::new(|| {
    let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    Semaphore::new(cores.min(4))
});

/// `model`: from the path, where it stands there.
pub async fn answer(
    app: &Arc<App>,
    live: &Arc<Live>,
    caller: Caller,
    (dialect, model): (Dialect, Option<String>),
    request: http::Request<Incoming>,
    record: &mut Recorder,
) -> Result<Reply, Failure> {
    let path = request.uri().path().to_string();
    let mut inbound = inbound::read(live, dialect, model, request).await?;
    record.requested(&inbound);
    let caller = caller.calling(live, &path, &inbound.model);
    let route = access::route(live, &caller, &path, &mut inbound)?;
    let first = route.deployments.first().copied();
    if dialect != Dialect::Responses {
        let tokens = counted_here(live, dialect, &inbound.body, first).await?;
        return Ok(reply::json(encode_count(dialect, tokens), record));
    }
    inbound.kept = inbound.kept.map(|wish| kept::Wish { keep: false, ..wish });
    kept::go_on(app, live, &caller, &route, &mut inbound).await?;
    let Some(counter) = counter::find(app, live, &route) else {
        let tokens = counted_here(live, dialect, &inbound.body, first).await?;
        record.change(Change::new(ChangeKind::Estimated, "input_tokens"));
        return Ok(reply::json(encode_count(dialect, tokens), record));
    };
    let mut driver = Driver::new(app.clone(), live.clone(), inbound, route.clone(), record.take());
    let counted = match driver.counted_upstream(live, &route, counter).await {
        Some(counted) => Ok(counted),
        None => {
            driver.recorder.change(Change::new(ChangeKind::Estimated, "input_tokens"));
            let counted = counted_here(live, dialect, &driver.inbound.body, first).await;
            counted.map(|tokens| encode_count(dialect, tokens))
        }
    };
    match counted {
        Ok(counted) => Ok(reply::json(counted, &mut driver.recorder)),
        Err(failure) => Ok(reply::error(dialect, &failure, &live.config, &mut driver.recorder).into()),
    }
}

/// By our own count, as the first deployment would count.
async fn counted_here(live: &Live, dialect: Dialect, body: &Bytes, first: Option<usize>) -> Result<u64, Failure> {
    let owned = body.clone();
    let count = move || decode_count_request(dialect, &owned).map(|request| tokens::count_request(&request));
    let counted = if body.len() <= COUNT_HERE {
        count()
    } else {
        let _turn = COUNTING.acquire().await.map_err(|_| Failure::Internal("counting tokens is over"))?;
        tokio::task::spawn_blocking(count).await.map_err(|_| Failure::Internal("counting tokens failed"))?
    };
    let ours = counted?;
    Ok(first.map_or(ours, |index| live.abilities[index].calibration.calibrated(ours)))
}
