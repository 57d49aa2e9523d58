//! `POST /v1/messages/count_tokens` and Gemini's `:countTokens`, for every model, without asking anyone.

use std::sync::LazyLock;

use hyper::body::Incoming;
use tokio::sync::Semaphore;
use tollgate_dialect::{Dialect, decode_count_request, encode_count};

use super::authenticate::Caller;
use super::recorder::Recorder;
use super::reply::{self, Reply};
use super::{access, inbound};
use crate::app::Live;
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
    live: &Live,
    caller: Caller,
    dialect: Dialect,
    model: Option<String>,
    request: http::Request<Incoming>,
    record: &mut Recorder,
) -> Result<Reply, Failure> {
    let path = request.uri().path().to_string();
    let mut inbound = inbound::read(live, dialect, model, request).await?;
    record.requested(&inbound);
    let caller = caller.calling(live, &path, &inbound.model);
    let first = access::route(live, &caller, &path, &mut inbound)?.deployments.first().copied();
    let body = inbound.body.clone();
    let count = move || decode_count_request(dialect, &body).map(|request| tokens::count_request(&request));
    let counted = if inbound.body.len() <= COUNT_HERE {
        count()
    } else {
        let _turn = COUNTING.acquire().await.map_err(|_| Failure::Internal("counting tokens is over"))?;
        tokio::task::spawn_blocking(count).await.map_err(|_| Failure::Internal("counting tokens failed"))?
    };
    let ours = counted?;
    let tokens = first.map_or(ours, |index| live.abilities[index].calibration.calibrated(ours));
    Ok(reply::json(encode_count(dialect, tokens), record))
}
