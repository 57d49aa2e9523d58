//! The driver: route after route, one deployment after the other, until one answers.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, StatusCode};
use tollgate_dialect::AnswerHead;
use tollgate_dialect::usage::Usage;
use tollgate_policy::balance::{Session, Verdict, mixed};
use tollgate_policy::failover::{Treatment, Trouble, treatment};
use tollgate_policy::retry;

use super::exchange::{Ended, Failed};
use super::inbound::Inbound;
use super::line::{DEFAULT_COMMIT_AFTER, Line, Outlet};
use super::recorder::Recorder;
use super::route::{self, Placed, Route};
use super::said::Said;
use super::tries::Tries;
use super::turn::Turn;
use super::{fit, session};
use crate::app::{App, Live};
use crate::config::model::MidStream;
use crate::failure::{Failure, PhaseSettings};
use crate::unix_time::unix_ms;

/// A client does not wait longer than this for a deployment that asks for a rest: it is told how long to wait instead.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// So often an answer that broke off is continued.
const MAX_CONTINUATIONS: u32 = 3;

/// An answer in one piece.
pub struct Whole {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Vec<u8>,
}

pub struct Driver {
    pub(super) app: Arc<App>,
    pub(super) live: Arc<Live>,
    pub(super) inbound: Inbound,
    first: Option<Route>,
    pub(super) recorder: Recorder,
    pub(super) line: Line,
    /// The upstream was asked for a stream, last.
    pub(super) upstream_streams: bool,
    /// What an attempt that broke off has given to the client: the next goes on from there.
    pub(super) continuing: Option<String>,
    continuations: u32,
    /// Which of its deployment's requests the attempt under way is.
    pub(super) nth: u64,
}

/// A route that is to be asked, and why.
struct Leg {
    route: Route,
    why: String,
}

/// A route could not answer.
struct LegFailed {
    failure: Failure,
    /// The list of fallbacks that may help; `None`: nothing would.
    trouble: Option<Trouble>,
}

impl Driver {
    pub fn new(app: Arc<App>, live: Arc<Live>, inbound: Inbound, route: Route, recorder: Recorder) -> Driver {
        let settings = &live.config.settings;
        let commit_after = settings.commit_after.unwrap_or(DEFAULT_COMMIT_AFTER);
        let head = AnswerHead {
            id: recorder.id.trim_start_matches("req_").to_string(),
            model: inbound.model.clone(),
            created: unix_ms() / 1000,
            stream_usage: inbound.stream_usage,
            json_array: inbound.json_array,
            ..AnswerHead::default()
        };
        let mut line = Line::new(inbound.dialect, inbound.stream, commit_after, head, live.seal.clone());
        let continues = settings.mid_stream == MidStream::Continue && inbound.operation.is_none();
        line.said = (continues && inbound.stream).then(Said::default);
        let upstream_streams = inbound.stream;
        Driver {
            app,
            live,
            inbound,
            first: Some(route),
            recorder,
            line,
            upstream_streams,
            continuing: None,
            continuations: 0,
            nth: 0,
        }
    }

    pub fn outlet(&self) -> Outlet {
        self.line.outlet.clone()
    }

    /// The media type of an answer in pieces.
    pub fn stream_type(&self) -> &'static str {
        if self.inbound.json_array { "application/json; charset=utf-8" } else { "text/event-stream; charset=utf-8" }
    }

    /// `None`: the answer went out as a stream. A failure is an answer too; after the commit it is told in the stream.
    /// In a box, as futures are copied whole when they are made.
    pub async fn run(mut self: Box<Self>) -> Option<Whole> {
        let ended = self.routes().await;
        self.recorder.ended = true;
        if let Some(id) = ended.as_ref().err().and_then(Failure::deployment) {
            self.recorder.deployment = Some(id.to_owned());
        }
        match ended {
            Ok(whole) => {
                self.recorder.status.get_or_insert(200);
                whole
            }
            Err(failure) if self.line.committed() => {
                let public = super::reply::public(&failure, &self.live.config);
                let id = self.recorder.id.clone();
                if self.line.bare {
                    self.line.cut();
                } else {
                    self.line.encode(|encoder, out| encoder.fail(&public, &id, out));
                }
                self.recorder.status.get_or_insert(200);
                self.recorder.reason = failure.reason();
                self.recorder.error = Some(public.message);
                None
            }
            Err(failure) => {
                Some(super::reply::error(self.inbound.dialect, &failure, &self.live.config, &mut self.recorder))
            }
        }
    }

    /// The route that was asked for, then its fallbacks, then theirs. The client is told the first route's failure: it is the
    /// cause of all that followed.
    async fn routes(&mut self) -> Result<Option<Whole>, Failure> {
        let first = self.first.take().ok_or(Failure::Internal("a driver runs once"))?;
        let mut seen = vec![first.group.clone()];
        let mut legs = VecDeque::from([Leg { route: first, why: "the name asked for".into() }]);
        let mut cause: Option<Failure> = None;
        while let Some(leg) = legs.pop_front() {
            let LegFailed { failure, trouble } = match self.leg(&leg).await {
                Ok(whole) => return Ok(whole),
                Err(failed) => failed,
            };
            if let Some(trouble) = trouble.filter(|_| !self.line.content_sent || self.continuing.is_some()) {
                for name in self.fallbacks(trouble, &leg.route) {
                    let Ok(route) = route::find(&self.live, &name, &self.inbound.wishes.tags) else { continue };
                    if seen.len() <= self.live.config.routing.fallbacks.max && !seen.contains(&route.group) {
                        seen.push(route.group.clone());
                        let why = format!("fallback ({}) of {}", word(trouble), leg.route.group);
                        legs.push_back(Leg { route, why });
                    }
                }
            }
            if let Some(next) = legs.front() {
                self.recorder.then(&format!("went to the route {}: {}", next.route.group, next.why));
            }
            match &mut cause {
                None => cause = Some(failure),
                Some(cause) if failure.may_pass() => cause.others_may_answer(),
                Some(_) => {}
            }
        }
        Err(cause.unwrap_or(Failure::Internal("a request without a route")))
    }

    fn fallbacks(&self, trouble: Trouble, route: &Route) -> Vec<String> {
        let wishes = &self.inbound.wishes;
        if wishes.disable_fallbacks {
            return Vec::new();
        }
        if let Some(asked) = wishes.fallbacks.as_ref().filter(|_| route.name == self.inbound.model) {
            return asked.clone();
        }
        self.live.config.routing.fallbacks.of(trouble, &[&route.name, &route.group]).to_vec()
    }

    /// Asks the deployments of one route: each once, then again as often as the policy and the route's budget allow.
    async fn leg(&mut self, leg: &Leg) -> Result<Option<Whole>, LegFailed> {
        let live = self.live.clone();
        let key = self.conversation_key(&leg.route);
        let last = key.and_then(|(key, _)| self.app.affinity.find(key));
        let session = match key {
            Some((key, true)) => Session { key: Some(key), last: last.as_deref() },
            _ => Session::default(),
        };
        let (fitting, otherwise) = match &self.inbound.operation {
            Some(asked) => (asked.able(&self.app, &live, &leg.route), Trouble::General),
            None => (fit::fitting(&self.app, &live, &leg.route, &self.inbound), Trouble::ContextWindow),
        };
        let fitting = fitting.map_err(|failure| LegFailed { failure, trouble: Some(otherwise) })?;
        let unfit = if self.inbound.operation.is_some() { Verdict::Unable } else { Verdict::TooSmall };
        if let Some(&first) = leg.route.deployments.first() {
            live.abilities[first].retries().deposit();
        }
        let tokens = self.expected_tokens(&live, &leg.route);
        let mut tries = Tries::default();
        let mut shown = false;
        let mut failed: Option<(Failure, Treatment)> = None;
        loop {
            let mut placed = leg.route.ranked(&self.app, &live, session, tokens);
            for placed in placed.iter_mut().filter(|placed| !fitting.contains(&placed.index)) {
                placed.verdict = unfit;
            }
            if !std::mem::replace(&mut shown, true) {
                let at_ms = self.recorder.elapsed_ms();
                self.recorder.route(leg.route.taken(&live, leg.why.clone(), at_ms, &placed));
            }
            let may_ask = |placed: &&Placed| placed.verdict.is_usable() && tries.may_ask(placed.index);
            let wanted: Vec<usize> = placed.iter().filter(may_ask).map(|placed| placed.index).collect();
            if wanted.is_empty() {
                let Some(pause) = self.pause(leg, &tries, &placed, failed.as_ref().map(|(_, done)| *done)) else {
                    return Err(exhausted(leg, failed, &placed, self.app.now_ms()));
                };
                self.recorder.then(&format!("waited {} ms, then asked again", pause.as_millis()));
                let _ = self.line.patient(pause, false, std::future::pending::<()>()).await;
                tries.again();
                continue;
            }
            if tries.is_retry() && !self.may_retry(leg, &mut tries, failed.as_ref().map(|(_, done)| *done)) {
                return Err(exhausted(leg, failed, &placed, self.app.now_ms()));
            }
            let next = match self.turn(&live, &leg.route, &wanted, tokens).await {
                Turn::Come(next) => next,
                Turn::Barred => continue,
                Turn::Refused(_) if failed.is_some() => return Err(exhausted(leg, failed, &placed, self.app.now_ms())),
                Turn::Refused(failure) => return Err(LegFailed { failure, trouble: Some(Trouble::General) }),
            };
            if failed.is_some() {
                self.recorder.then(&format!("asked {}", live.config.deployments[next].id));
            }
            tries.ask(next);
            let sent_ms = self.app.now_ms();
            let model = route::upstream_model(&live, &leg.route.name, &live.config.deployments[next]);
            let before = self.recorder.broken.used();
            // The slot is free when its deployment knows what came of the attempt.
            match self.serve(&live, next, &model).await {
                Ok(whole) => {
                    self.answered(&live, next, sent_ms, key.map(|(key, _)| key));
                    let took = self.recorder.usage;
                    self.recorder.leave(Some(&took));
                    return Ok(whole);
                }
                Err(Ended::Final(failure)) => {
                    self.recorder.toll = None;
                    return Err(LegFailed { failure, trouble: None });
                }
                Err(Ended::Failed(attempt)) => {
                    let done = treatment(&attempt.failure);
                    let told = self.recorder.failure_without_quotes(&attempt.failure);
                    self.app.attempt_failed(&live, next, &told, &self.recorder.id);
                    // What it had begun to answer is used, though it is no answer.
                    let used = self.recorder.broken.used();
                    let took = if used.attempts > before.attempts { used.usage } else { Usage::default() };
                    self.recorder.leave(Some(&took));
                    let failure = self.explain(&live, next, attempt);
                    let broke_off = self.line.content_sent && !self.go_on(done);
                    if broke_off || (!done.fails_over && done.falls_back.is_none()) {
                        // The request ends here, and its line in the log tells of this failure.
                        return Err(LegFailed { failure, trouble: None });
                    }
                    tracing::warn!(request_id = %self.recorder.id, deployment = %live.config.deployments[next].id, error = %self.recorder.without_quotes(&super::reply::public(&failure, &live.config).message), "attempt failed");
                    if !done.fails_over {
                        return Err(LegFailed { failure, trouble: done.falls_back });
                    }
                    if !done.retries {
                        tries.done.push(next);
                    }
                    // Of several failures the client is told one that may pass, so that it does not give up in vain.
                    if failed.as_ref().is_none_or(|(_, before)| done.retries || !before.retries) {
                        failed = Some((failure, done));
                    }
                }
            }
        }
    }

    /// The conversation's key on this route, and whether it is known to be one; `None`: there is nothing to choose.
    fn conversation_key(&mut self, route: &Route) -> Option<(u64, bool)> {
        self.live.config.routing.affinity.filter(|_| route.deployments.len() > 1)?;
        if self.inbound.conversation.key.is_none() {
            self.inbound.conversation = session::by_beginning(self.inbound.dialect, &self.inbound.body);
        }
        let conversation = self.inbound.conversation;
        Some((mixed(conversation.key?, &route.group), conversation.named))
    }

    fn answered(&self, live: &Live, index: usize, sent_ms: u64, conversation: Option<u64>) {
        self.app.attempt_answered(live, index, sent_ms, &self.recorder.usage);
        if let Some(conversation) = conversation {
            self.app.affinity.remember(conversation, &live.config.deployments[index].id.as_str().into());
        }
    }

    /// Content is with the client and the attempt broke off: true if another may go on from there.
    fn go_on(&mut self, done: Treatment) -> bool {
        if !done.fails_over || self.continuations >= MAX_CONTINUATIONS {
            return false;
        }
        self.continuing = self.line.said.as_ref().and_then(Said::to_continue);
        self.continuations += 1;
        self.continuing.is_some()
    }

    /// How long to wait before the deployments are asked again; `None`: they are not.
    fn pause(&self, leg: &Leg, tries: &Tries, placed: &[Placed], done: Option<Treatment>) -> Option<Duration> {
        let retries = self.retries(leg, done);
        if tries.retries >= retries || tries.round >= retries {
            return None;
        }
        let now_ms = self.app.now_ms();
        let wait = |placed: &Placed| match &placed.rest {
            Some(rest) if !placed.verdict.is_usable() => Duration::from_millis(rest.until_ms.saturating_sub(now_ms)),
            _ => Duration::ZERO,
        };
        let may_serve = |placed: &&Placed| {
            !matches!(placed.verdict, Verdict::TooSmall | Verdict::Unable) && !tries.done.contains(&placed.index)
        };
        let again = placed.iter().filter(may_serve);
        let shortest = again.map(wait).min().filter(|wait| *wait <= LONGEST_WAIT)?;
        let least = shortest.max(self.live.config.routing.shortest_pause);
        Some(retry::pause(tries.round, least, route::chance()))
    }

    /// The most requests beyond one for each deployment.
    fn retries(&self, leg: &Leg, done: Option<Treatment>) -> u32 {
        if let Some(asked) = self.inbound.wishes.num_retries {
            return asked;
        }
        let config = &self.live.config;
        let otherwise = leg.route.deployments.iter().map(|&i| config.deployments[i].num_retries).max().unwrap_or(0);
        let policy = config.routing.retries_of(&leg.route.group);
        done.map_or(otherwise, |done| policy.retries(done.class, otherwise))
    }

    fn may_retry(&self, leg: &Leg, tries: &mut Tries, done: Option<Treatment>) -> bool {
        let Some(&first) = leg.route.deployments.first() else { return false };
        if tries.retries >= self.retries(leg, done) {
            return false;
        }
        tries.retries += 1;
        let affordable = self.live.abilities[first].retries().withdraw(self.app.now_ms());
        if !affordable {
            self.recorder.then("gave up: the route's budget of retries is used up");
        }
        affordable
    }

    pub(super) fn explain(&self, live: &Live, index: usize, attempt: Failed) -> Failure {
        let deployment = &live.config.deployments[index];
        Failure::Attempt {
            failure: attempt.failure,
            raw: attempt.raw,
            id: deployment.id.clone(),
            deployment: deployment.group.clone(),
            provider: deployment.provider.clone(),
            timeouts: PhaseSettings {
                first_byte: super::exchange::first_byte(deployment, self.upstream_streams),
                idle: deployment.timeouts.idle,
                stream: self.upstream_streams,
                stream_timeout_given: deployment.timeouts.of_streams,
            },
            others_may_answer: false,
        }
    }
}

/// No deployment of the route is left to ask.
fn exhausted(leg: &Leg, failed: Option<(Failure, Treatment)>, placed: &[Placed], now_ms: u64) -> LegFailed {
    if let Some((mut failure, done)) = failed {
        if let Some(earliest) = earliest(placed, now_ms) {
            failure.wait_at_most(earliest);
        }
        return LegFailed { failure, trouble: done.falls_back };
    }
    let resting = placed.iter().filter_map(|placed| placed.rest.as_ref()).min_by_key(|rest| rest.until_ms);
    let failure = match resting {
        Some(rest) => Failure::Resting {
            route: leg.route.group.clone(),
            retry_after: Duration::from_millis(rest.until_ms.saturating_sub(now_ms)),
            failure: rest.failure.clone(),
        },
        None => Failure::Internal("a route without deployments"),
    };
    LegFailed { failure, trouble: Some(Trouble::General) }
}

/// After what time one of the deployments may be asked again, where all have asked to be left alone.
fn earliest(placed: &[Placed], now_ms: u64) -> Option<Duration> {
    let waits = placed.iter().map(|placed| placed.rest.as_ref().filter(|_| !placed.verdict.is_usable()));
    let earliest = waits.map(|rest| rest.map(|rest| rest.until_ms)).collect::<Option<Vec<u64>>>()?.into_iter().min()?;
    Some(Duration::from_millis(earliest.saturating_sub(now_ms)))
}

fn word(trouble: Trouble) -> &'static str {
    match trouble {
        Trouble::General => "general",
        Trouble::ContextWindow => "context window",
        Trouble::ContentPolicy => "content policy",
    }
}
