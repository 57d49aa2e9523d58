//! One tiny real call to one deployment, made as a client's would be: same encoder, same headers, same repairs.

use std::sync::Arc;

use http::HeaderMap;
use tollgate_dialect::error::ErrorKind;
use tollgate_policy::failover::Failure as AttemptFailure;

use super::admit;
use super::attempt::Driver;
use super::exchange::Ended;
use super::inbound;
use super::recorder::Recorder;
use super::reply;
use super::route::Route;
use crate::app::{App, Live};

/// A check without an answer.
pub struct Unanswered {
    /// For people, without secrets.
    pub words: String,
    /// The request was refused as it is: one for more tokens may be taken.
    pub refused: bool,
}

/// Asks the deployment for so few tokens, under the provider's name for the model. What comes of it counts for the
/// deployment like any request. On success, the headers of the answer.
pub async fn check(
    app: &Arc<App>,
    live: &Arc<Live>,
    index: usize,
    model: &str,
    max_tokens: u64,
) -> Result<HeaderMap, Unanswered> {
    let deployment = &live.config.deployments[index];
    let mut inbound = inbound::ping(deployment.dialect, &deployment.group, max_tokens);
    let mut recorder = Recorder::of_check(app.clone(), &deployment.group);
    let route = Route::to_one(&deployment.group, index);
    match admit::own(app, live, admit::TAG_OF_CHECKS, &mut inbound, &route, &recorder.id).await {
        Ok(admission) => recorder.admission = admission,
        Err(failure) => {
            let words = format!("it was not checked: {}", reply::public(&failure, &live.config).message);
            return Err(Unanswered { words, refused: false });
        }
    }
    let mut driver = Driver::new(app.clone(), live.clone(), inbound, route, recorder);
    let sent_ms = app.now_ms();
    // It is counted like any request, and waits for no turn.
    let slot = live.abilities[index].gate.enter_beyond(live.abilities[index].door(index, 0));
    driver.nth = slot.nth;
    let ended = driver.serve(live, index, model).await;
    let (failure, refused) = match ended {
        Ok(whole) => {
            app.attempt_answered(live, index, sent_ms, &driver.recorder.usage);
            return Ok(whole.map(|whole| whole.headers).unwrap_or_default());
        }
        Err(Ended::Final(failure)) => (failure, false),
        Err(Ended::Failed(attempt)) => {
            app.attempt_failed(live, index, &attempt.failure, &driver.recorder.id);
            let refused = matches!(&attempt.failure, AttemptFailure::Refused(e) if e.kind == ErrorKind::InvalidRequest);
            (driver.explain(live, index, attempt), refused)
        }
    };
    let public = reply::public(&failure, &live.config);
    driver.recorder.status = Some(public.status);
    Err(Unanswered { words: public.message, refused })
}
