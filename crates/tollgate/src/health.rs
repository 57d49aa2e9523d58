//! Health checks: one tiny real call to a deployment, in the background or when somebody asks for `/health`.
//!
//! What a check finds counts for the deployment like what a request finds, so a deployment that nobody asks is known to be away
//! before it is needed, and one that is back is known to be back.

pub mod report;
mod schedule;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderMap;
use tokio::time::{Instant, timeout};
use tollgate_policy::failover::{Failure, Phase};

use crate::app::{App, Live};
use crate::pipeline;
use schedule::Schedule;

/// How often is looked whose check is due: the least interval between two checks.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Output tokens that are asked for: one, and more where the target refuses so few (16 is the least of OpenAI's Responses;
/// models that always think refuse what leaves no room for it). The answer to a ping is short in any case.
const MAX_TOKENS: [u64; 3] = [1, 16, 4096];

/// The checks of one deployment.
#[derive(Default)]
pub struct Check {
    /// Held while one is under way.
    turn: tokio::sync::Mutex<()>,
    last: Mutex<Option<Outcome>>,
    /// What the deployment was last content with; 0: not known.
    max_tokens: AtomicU64,
}

#[derive(Clone, Debug)]
pub struct Outcome {
    pub at: Instant,
    /// The headers of the answer, or what people need to know.
    pub found: Result<HeaderMap, String>,
}

impl Check {
    pub fn last(&self) -> Option<Outcome> {
        self.last.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn remember(&self, outcome: Outcome) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(outcome);
    }
}

/// Checks every deployment once in an interval, as long as the configuration in force wants it.
pub async fn run(app: Arc<App>) {
    let mut schedule = Schedule::default();
    loop {
        let live = app.live();
        let checks = &live.config.settings.checks;
        if checks.background {
            let deployments = live.config.deployments.iter().enumerate();
            let checked = deployments.filter(|(_, d)| d.check.in_background && d.checked_model().is_some());
            let ids = checked.map(|(index, deployment)| (index, deployment.id.as_str()));
            for index in schedule.due(Instant::now(), checks.interval, ids, &mut pipeline::chance) {
                let (app, live) = (app.clone(), live.clone());
                tokio::spawn(async move { check(&app, &live, index).await });
            }
        }
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// Checks one deployment. If a check of it is under way, that one's result will do. A deployment that asked to be left alone is.
pub async fn check(app: &Arc<App>, live: &Arc<Live>, index: usize) {
    let deployment = &live.config.deployments[index];
    let own = &live.abilities[index].check;
    let Some(model) = deployment.checked_model() else { return };
    let asked = Instant::now();
    let _turn = own.turn.lock().await;
    if own.last().is_some_and(|last| last.at >= asked) {
        return;
    }
    let Ok(_place) = live.checks.acquire().await else { return };
    let rest = live.abilities[index].health().rest(app.now_ms()).map(|rest| rest.reason);
    if rest.is_some_and(|reason| reason.is_binding()) {
        return;
    }
    let limit = deployment.check.timeout;
    let found = match timeout(limit, ask(app, live, index, model)).await {
        Ok(found) => found,
        Err(_) => {
            app.attempt_failed(live, index, &Failure::TimedOut(Phase::FirstByte), "health check");
            Err(format!("no answer within {} s (model_info.health_check_timeout)", limit.as_secs_f64()))
        }
    };
    if let Err(words) = &found {
        tracing::warn!(deployment = %deployment.id, error = %words, "a health check failed");
    }
    own.remember(Outcome { at: Instant::now(), found });
}

async fn ask(app: &Arc<App>, live: &Arc<Live>, index: usize, model: &str) -> Result<HeaderMap, String> {
    let enough = &live.abilities[index].check.max_tokens;
    let least = enough.load(Ordering::Relaxed);
    let mut last = String::new();
    for max_tokens in MAX_TOKENS.into_iter().filter(|tokens| *tokens >= least) {
        match pipeline::check(app, live, index, model, max_tokens).await {
            Ok(headers) => {
                enough.store(max_tokens, Ordering::Relaxed);
                return Ok(headers);
            }
            Err(unanswered) if unanswered.refused => last = unanswered.words,
            Err(unanswered) => return Err(unanswered.words),
        }
    }
    Err(last)
}
