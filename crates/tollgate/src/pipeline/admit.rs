//! May the request begin? It takes its part of all limits of its caller, or is turned away.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use http::HeaderMap;
use tollgate_dialect::usage::Usage;
use tollgate_dialect::{Dialect, decode_request};
use tollgate_policy::limit::{Claims, Tokens};
use tollgate_store::limiter::{LimitDenial, LimitPermit};

use super::inbound::Inbound;
use super::rate_headers;
use super::route::Route;
use crate::app::{App, Live};
use crate::failure::Failure;
use crate::tokens;

/// What a request took from its limits. Dropped without being settled it gives all of it back.
#[derive(Default)]
pub struct Admission(Option<(Dialect, LimitPermit)>);

pub async fn admit(app: &App, live: &Live, inbound: &Inbound, route: &Route) -> Result<Admission, Failure> {
    let claims = Claims::of([&live.gateway], &[&inbound.model, &route.group]);
    if claims.is_empty() {
        return Ok(Admission::default());
    }
    let input_tokens = if claims.count_tokens() { expected_input(live, inbound, route) } else { 0 };
    let now_ms = unix_ms();
    match app.limiter.admit(claims.clone(), input_tokens, now_ms).await {
        Ok(permit) => Ok(Admission(Some((inbound.dialect, permit)))),
        Err(LimitDenial::Limit(denial)) => {
            let (retry_after, standing) = (denial.retry_after(now_ms), app.limiter.standing(&claims, now_ms));
            Err(Failure::OverLimit { denial, retry_after, standing })
        }
        Err(LimitDenial::Unknown) => Err(Failure::LimitsUnknown),
    }
}

/// As the first deployment counts. What cannot be counted is refused or corrected later.
fn expected_input(live: &Live, inbound: &Inbound, route: &Route) -> u64 {
    let Ok(request) = decode_request(inbound.dialect, &inbound.body) else { return 0 };
    let ours = tokens::count_quickly(&request).tokens;
    route.deployments.first().map_or(ours, |&index| live.abilities[index].calibration.calibrated(ours))
}

impl Admission {
    /// The request is over, after an upstream was asked. `usage`: what it took, if that is known.
    pub fn settle(&mut self, usage: Option<&Usage>) {
        let Some((_, permit)) = self.0.take() else { return };
        let took = |usage: &Usage| Tokens { input: usage.total_input(), output: usage.output.unwrap_or(0) };
        let actual = usage.map_or_else(|| permit.expected(), took);
        permit.settle(actual);
    }

    pub fn is_limited(&self) -> bool {
        self.0.is_some()
    }

    /// How the caller stands now.
    pub fn put_headers(&self, headers: &mut HeaderMap) {
        if let Some((dialect, permit)) = &self.0 {
            let now_ms = unix_ms();
            rate_headers::put(*dialect, &permit.standing(now_ms), now_ms, headers);
        }
    }
}

/// Keeps limits together with the other replicas, where the configuration in force says how.
pub async fn share_limits(app: Arc<App>) {
    app.limiter.share(unix_ms).await;
}

/// Milliseconds since 1970: windows of limits are those of the clock.
pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| u64::try_from(since.as_millis()).unwrap_or(u64::MAX))
}
