//! `GET /health`: which deployments are well, in LiteLLM's shape, and how each stands here.

use std::sync::Arc;

use futures_util::future::join_all;
use http::{HeaderMap, Method};
use tokio::time::Instant;
use tollgate_dialect::json::Writer;
use tollgate_policy::health::{LastFailure, Rest, Standing};

use super::{Outcome, check};
use crate::app::{App, Live};
use crate::config::Config;
use crate::config::model::Deployment;
use crate::failure::Failure;
use crate::http::in_query;
use crate::pipeline::without_secrets;

/// With background checks from their last results; without them the deployments are checked now.
/// `?model=` and `?model_id=` restrict it.
pub async fn answer(
    app: &Arc<App>,
    live: &Arc<Live>,
    method: &Method,
    query: Option<&str>,
) -> Result<Vec<u8>, Failure> {
    let chosen = chosen(&live.config, query)?;
    if !live.config.settings.checks.background && method == Method::GET {
        join_all(chosen.iter().map(|&index| check(app, live, index))).await;
    }
    let now_ms = app.now_ms();
    let reports: Vec<Report<'_>> = chosen.iter().map(|&index| Report::of(live, index, now_ms)).collect();
    let (well, ill): (Vec<_>, Vec<_>) = reports.iter().partition(|report| report.error.is_none());
    let mut w = Writer::default();
    w.open_object();
    for (key, reports) in [("healthy_endpoints", &well), ("unhealthy_endpoints", &ill)] {
        w.key(key).open_array();
        reports.iter().for_each(|report| report.write(&mut w, now_ms));
        w.close_array();
    }
    w.key("healthy_count").number(well.len() as u64).key("unhealthy_count").number(ill.len() as u64);
    w.close_object();
    Ok(w.out)
}

fn chosen(config: &Config, query: Option<&str>) -> Result<Vec<usize>, Failure> {
    let all = || 0..config.deployments.len();
    let unknown = |model, nearest| Failure::UnknownModel { model, nearest, tier_hint: false };
    if let Some(id) = in_query(query, "model_id") {
        let found: Vec<usize> = all().filter(|&index| config.deployments[index].id == id).collect();
        return if found.is_empty() { Err(unknown(id, Vec::new())) } else { Ok(found) };
    }
    let Some(name) = in_query(query, "model") else { return Ok(all().collect()) };
    // LiteLLM takes the provider's name as well.
    let found: Vec<usize> = all().filter(|&index| label(&config.deployments[index]) == name).collect();
    if !found.is_empty() {
        return Ok(found);
    }
    match config.routes.resolve(&name) {
        Ok(route) => Ok(route.deployments.to_vec()),
        Err(why) => Err(unknown(name, why.nearest)),
    }
}

fn label(deployment: &Deployment) -> String {
    format!("{}/{}", deployment.provider, deployment.model)
}

/// One deployment as it stands.
struct Report<'l> {
    config: &'l Config,
    deployment: &'l Deployment,
    standing: Standing,
    last_failure: Option<LastFailure>,
    last: Option<Outcome>,
    /// Why it is not well.
    error: Option<String>,
}

impl Report<'_> {
    fn of(live: &Live, index: usize, now_ms: u64) -> Report<'_> {
        let abilities = &live.abilities[index];
        let standing = live.standing(index, now_ms, 0);
        let last_failure = abilities.health().last_failure().cloned();
        let last = abilities.check.last();
        let failed = last.as_ref().and_then(|last| last.found.clone().err());
        let error = failed.or_else(|| standing.rest.as_ref().map(|rest| resting(rest, now_ms)));
        let error = error.map(|words| without_secrets(words, &live.config));
        let deployment = &live.config.deployments[index];
        Report { config: &live.config, deployment, standing, last_failure, last, error }
    }

    fn write(&self, w: &mut Writer, now_ms: u64) {
        let deployment = self.deployment;
        w.open_object().key("model").str(&label(deployment));
        if self.config.settings.checks.details {
            w.key("api_base").str(&deployment.shown_url());
            if let Some(Outcome { found: Ok(headers), .. }) = &self.last {
                write_limits(w, headers);
            }
        }
        w.key("model_name").str(&deployment.group).key("model_id").str(&deployment.id);
        if let Some(error) = &self.error {
            w.key("error").str(error);
        }
        w.key("state");
        self.write_state(w, now_ms);
        w.close_object();
    }

    fn write_state(&self, w: &mut Writer, now_ms: u64) {
        let standing = &self.standing;
        w.open_object().key("resting");
        match &standing.rest {
            Some(rest) => {
                w.open_object().key("reason").str(rest.reason.word()).key("seconds").number(seconds(rest, now_ms));
                w.close_object()
            }
            None => w.null(),
        };
        w.key("in_flight").number(standing.in_flight.into());
        optional(w, "learned_limit", standing.learned_limit.map(u64::from));
        w.key("latency_ms").number(standing.latency_ms.round() as u64).key("last_error");
        match &self.last_failure {
            Some(last) => {
                let words = without_secrets(last.failure.words.clone(), self.config);
                w.open_object().key("words").str(&words);
                optional(w, "status", last.failure.status.map(u64::from));
                w.key("seconds_ago").number(now_ms.saturating_sub(last.at_ms) / 1000).close_object()
            }
            None => w.null(),
        };
        let checked = self.last.as_ref().map(|last| Instant::now().saturating_duration_since(last.at).as_secs());
        optional(w, "checked_seconds_ago", checked);
        w.close_object();
    }
}

fn optional(w: &mut Writer, key: &str, number: Option<u64>) {
    w.key(key);
    match number {
        Some(number) => w.number(number),
        None => w.null(),
    };
}

/// What is left of the provider's limits, as LiteLLM shows it.
fn write_limits(w: &mut Writer, headers: &HeaderMap) {
    let limits = ["x-ratelimit-", "anthropic-ratelimit-"];
    for (name, value) in headers.iter().filter(|(name, _)| limits.iter().any(|limit| name.as_str().starts_with(limit)))
    {
        if let Ok(value) = value.to_str() {
            w.key(name.as_str()).str(value);
        }
    }
}

fn seconds(rest: &Rest, now_ms: u64) -> u64 {
    rest.until_ms.saturating_sub(now_ms).div_ceil(1000)
}

fn resting(rest: &Rest, now_ms: u64) -> String {
    format!("rests for {} s ({}): {}", seconds(rest, now_ms), rest.reason.word(), rest.failure.words)
}
