//! A count by the upstream itself: OpenAI's `POST /responses/input_tokens` (openai/resources/responses/input_tokens.py of SDK 3.52.0, 2026-11).
//! It costs nothing and is asked for once, for a short time: what does not come of it the gateway counts itself.

use std::sync::Arc;
use std::time::Duration;

use http::Uri;
use http_body_util::{BodyExt, Limited};
use tollgate_dialect::Dialect;
use tollgate_dialect::json::members;
use tollgate_policy::balance::Session;
use tollgate_policy::failover::{Failure as AttemptFailure, Phase};

use super::attempt::Driver;
use super::exchange::{Address, Ended, Failed, lacks_path, upstream_request};
use super::prepare;
use super::route::{self, Placed, Route};
use crate::app::{App, Live};
use crate::failure::Failure;
use crate::gate::Slot;

const PATH: &str = "/responses/input_tokens";
/// A client that asks for a count holds its request back until it has it.
const PATIENCE: Duration = Duration::from_secs(5);
const LONGEST_ANSWER: usize = 64 << 10;

/// A deployment that counts.
pub struct Counter {
    placed: Vec<Placed>,
    index: usize,
    /// A request like others, but that it waits for no turn.
    slot: Slot,
}

/// `None`: the deployment that would be asked next for an answer has no counter, or no room.
pub fn find(app: &App, live: &Live, route: &Route) -> Option<Counter> {
    let placed = route.ranked(app, live, Session::default(), 0);
    let index = placed.iter().find(|placed| placed.verdict.is_usable())?.index;
    let abilities = &live.abilities[index];
    if route.speaks(app, live, index) != Dialect::Responses || abilities.lacks_counter() {
        return None;
    }
    let slot = abilities.gate.enter(std::iter::once((index, abilities.standing())), 0)?;
    Some(Counter { placed, index, slot })
}

impl Driver {
    /// The upstream's answer, as it is. `None`: it gave none. That counts for nothing else that the deployment is asked.
    pub(super) async fn counted_upstream(
        &mut self,
        live: &Arc<Live>,
        route: &Route,
        counter: Counter,
    ) -> Option<Vec<u8>> {
        let Counter { placed, index, slot } = counter;
        self.nth = slot.nth;
        self.recorder.route(route.taken(live, "the name asked for".into(), self.recorder.elapsed_ms(), &placed));
        let model = route::upstream_model(live, &route.name, &live.config.deployments[index]);
        let answer = tokio::time::timeout(PATIENCE, self.ask_counter(live, index, &model)).await;
        let answer = answer.unwrap_or_else(|_| Err(AttemptFailure::TimedOut(Phase::FirstByte).into()));
        if let Err(Ended::Failed(Failed { failure: AttemptFailure::Refused(error), .. })) = &answer
            && lacks_path(error)
        {
            live.abilities[index].has_no_counter();
        }
        let failure = answer.as_ref().err().map(|ended| self.failure_for_record(live, ended));
        let failed = failure.is_some();
        self.recorder.attempt_ended(failure);
        if failed {
            self.recorder.then("counted by the gateway itself");
        }
        answer.ok()
    }

    async fn ask_counter(&mut self, live: &Arc<Live>, index: usize, model: &str) -> Result<Vec<u8>, Ended> {
        let deployment = &live.config.deployments[index];
        let known = self.app.known(live, index, model);
        let mut prepared =
            prepare::as_it_is(&self.inbound, deployment, &known, model, &live.seal).map_err(Ended::Final)?;
        let body = std::mem::take(&mut prepared.body);
        self.note(live, index, &prepared, &[], model, body.len());
        let to = Address { dialect: Dialect::Responses, model, stream: false };
        let mut request = upstream_request(deployment, to, &known, &[], body.into())?;
        let url: Uri = deployment
            .url(PATH)
            .parse()
            .map_err(|_| Ended::Final(Failure::Internal("a deployment's URL cannot be built")))?;
        *request.uri_mut() = url;
        let answer = self.answer_to(live, index, Dialect::Responses, request, false, true).await?;
        self.recorder.first_byte();
        let read = Limited::new(answer.into_body(), LONGEST_ANSWER).collect().await;
        let broken = |why: &str| Ended::from(AttemptFailure::Broken(why.to_string()));
        let body = read.map_err(|_| broken("the count broke off"))?.to_bytes();
        if !is_count(&body) {
            return Err(broken("the answer is no count of tokens"));
        }
        Ok(body.to_vec())
    }
}

/// `{"object": "response.input_tokens", "input_tokens": 11}`
fn is_count(body: &[u8]) -> bool {
    let members = std::str::from_utf8(body).ok().and_then(|text| members(text).ok()).unwrap_or_default();
    members.iter().any(|(name, value)| *name == "input_tokens" && value.parse::<u64>().is_ok())
}
