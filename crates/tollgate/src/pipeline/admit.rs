//! May the request begin? It takes its part of all limits and budgets of its caller, or is turned away.

use std::sync::Arc;

use http::{HeaderMap, HeaderName, HeaderValue};
use tollgate_dialect::usage::Usage;
use tollgate_dialect::{Dialect, decode_request};
use tollgate_policy::access::{Scope, ScopeKind};
use tollgate_policy::budget::pots_of;
use tollgate_policy::limit::{Claims, Tokens};
use tollgate_policy::price::dollars;
use tollgate_store::chain::Spent;
use tollgate_store::ledger::Charge;
use tollgate_store::limiter::{LimitDenial, LimitPermit};
use tollgate_store::meter::{Denied, Reservation};

use super::authenticate::Caller;
use super::inbound::Inbound;
use super::route::Route;
use super::tenant::Tenant;
use super::{rate_headers, spend};
use crate::app::{App, Live};
use crate::failure::Failure;
use crate::tokens as counting;
use crate::unix_time::unix_ms;

/// What a request took from its limits and holds in its budgets. It is to be settled or released: dropped, it gives its part of the
/// limits back and is taken to have cost all that it held.
#[derive(Default)]
pub struct Admission {
    limited: Option<(Dialect, LimitPermit)>,
    reserved: Option<Reservation>,
    /// Of a virtual key.
    key: Option<KeySpend>,
}

/// What a key had spent before the request, and where its cost is added up.
struct KeySpend {
    before: u64,
    spent: Spent,
}

/// Who asks to be admitted.
pub struct Admitting<'a> {
    pub app: &'a App,
    pub live: &'a Live,
    pub caller: &'a Caller,
    /// The customer of the caller that the request names.
    pub end_user: Option<Scope>,
    pub request_id: &'a str,
}

impl Admitting<'_> {
    /// Takes its part of every limit, then of every budget. `inbound`: its answer may be made shorter.
    pub async fn admit(&self, inbound: &mut Inbound, route: &Route) -> Result<Admission, Failure> {
        let now_ms = unix_ms();
        let limited = self.within_limits(inbound, route, now_ms).await?;
        let reserved = match self.app.store() {
            Some(store) => Some(spend::reserve(store, self, inbound, route, now_ms).await?),
            None => None,
        };
        Ok(Admission { limited, reserved, key: self.key_spend(now_ms) })
    }

    /// In the window of its budget, where it has one, else since the beginning.
    fn key_spend(&self, now_ms: u64) -> Option<KeySpend> {
        let (chain, store) = (self.caller.chain.as_ref()?, self.app.store()?);
        let own = chain.scopes.iter().find(|scope| scope.kind == ScopeKind::Key)?;
        let pots = if own.limits.budget.is_some() { pots_of(own, "") } else { Vec::new() };
        let budget = pots.into_iter().find(|pot| pot.model.is_empty() && pot.max_nanos.is_some());
        let seen = budget.and_then(|pot| store.meter.seen(&pot, now_ms));
        Some(KeySpend { before: seen.unwrap_or_else(|| chain.spent.nanos()), spent: chain.spent.clone() })
    }

    /// For a request that costs the same whatever its answer is, to what is no model: `name`.
    pub async fn admit_flat(&self, name: &str, cost_nanos: u64) -> Result<Admission, Failure> {
        let now_ms = unix_ms();
        let claims = Claims::of(self.scopes(), &[name]);
        let limited = match claims.is_empty() {
            true => None,
            false => Some((Dialect::Chat, self.permit(claims, 0, now_ms).await?)),
        };
        let reserved = match self.app.store() {
            Some(store) => Some(spend::reserve_flat(store, self, name, cost_nanos, now_ms).await?),
            None => None,
        };
        Ok(Admission { limited, reserved, key: self.key_spend(now_ms) })
    }

    /// All that may hold the request back, but for its tags and its deployment.
    pub fn scopes(&self) -> impl Iterator<Item = &Scope> {
        std::iter::once(&self.live.gateway).chain(self.caller.scopes()).chain(&self.end_user)
    }

    async fn within_limits(
        &self,
        inbound: &Inbound,
        route: &Route,
        now_ms: u64,
    ) -> Result<Option<(Dialect, LimitPermit)>, Failure> {
        let scopes = self.scopes();
        let claims = Claims::of(scopes, &[&inbound.model, &route.group]);
        if claims.is_empty() {
            return Ok(None);
        }
        let input_tokens = if claims.count_tokens() { expected_input(self.live, inbound, route) } else { 0 };
        Ok(Some((inbound.dialect, self.permit(claims, input_tokens, now_ms).await?)))
    }

    async fn permit(&self, claims: Claims, input_tokens: u64, now_ms: u64) -> Result<LimitPermit, Failure> {
        let limiter = &self.app.limiter;
        match limiter.admit(claims.clone(), input_tokens, now_ms).await {
            Ok(permit) => Ok(permit),
            Err(LimitDenial::Limit(denial)) => {
                let (retry_after, standing) = (denial.retry_after(now_ms), limiter.standing(&claims, now_ms));
                Err(Failure::OverLimit { denial, retry_after, standing })
            }
            Err(LimitDenial::Unknown) => Err(Failure::LimitsUnknown),
        }
    }
}

/// What calls of the gateway itself are told apart by in the ledger, which names no key for them: LiteLLM's word (1.109.1) for health
/// checks, and one of ours.
pub const TAG_OF_CHECKS: &str = "litellm-internal-health-check";
pub const TAG_OF_PROBES: &str = "tollgate-probe";

/// A call of the gateway itself: no rate holds it back, and the gateway pays.
pub async fn own(
    app: &App,
    live: &Live,
    tag: &str,
    inbound: &mut Inbound,
    route: &Route,
    request_id: &str,
) -> Result<Admission, Failure> {
    inbound.wishes.tags = vec![tag.to_string()];
    let Some(store) = app.store() else { return Ok(Admission::default()) };
    let caller = Caller::master(Tenant::default(), None);
    let asking = Admitting { app, live, caller: &caller, end_user: None, request_id };
    let reserved = spend::reserve(store, &asking, inbound, route, unix_ms()).await?;
    Ok(Admission { limited: None, reserved: Some(reserved), key: None })
}

/// As the first deployment counts. What cannot be counted is refused or corrected later.
pub fn expected_input(live: &Live, inbound: &Inbound, route: &Route) -> u64 {
    let ours = match &inbound.operation {
        Some(asked) => asked.input_tokens(&inbound.body),
        None => match decode_request(inbound.dialect, &inbound.body) {
            Ok(request) => counting::count_quickly(&request).tokens,
            Err(_) => return 0,
        },
    };
    route.deployments.first().map_or(ours, |&index| live.abilities[index].calibration.calibrated(ours))
}

/// What counts of a usage.
pub fn tokens(usage: &Usage) -> Tokens {
    Tokens { input: usage.total_input(), output: usage.output.unwrap_or(0) }
}

impl Admission {
    /// Before another attempt, of whose output is returned what is paid for, if it is less than before.
    pub async fn reserve_again(&mut self, app: &App, spent: u64, more_input: u64) -> Result<Option<u64>, Denied> {
        match (&mut self.reserved, app.store()) {
            (Some(reservation), Some(store)) => store.meter.reserve_again(reservation, spent, more_input).await,
            _ => Ok(None),
        }
    }

    /// The request is over, after an upstream was asked. `usage`: what it took, if that is known.
    pub fn settle(&mut self, usage: Option<&Usage>, charge: Charge) {
        if let Some(key) = &self.key {
            key.spent.add(charge.cost_nanos);
        }
        if let Some(reservation) = self.reserved.take() {
            reservation.settle(charge);
        }
        let Some((_, permit)) = self.limited.take() else { return };
        let actual = usage.map_or_else(|| permit.expected(), tokens);
        permit.settle(actual);
    }

    /// Nothing was asked of any upstream.
    pub fn release(&mut self) {
        if let Some(reservation) = self.reserved.take() {
            reservation.release();
        }
        self.limited = None;
    }

    /// What it holds in budgets.
    pub fn reservation(&mut self) -> Option<&mut Reservation> {
        self.reserved.as_mut()
    }

    pub fn is_limited(&self) -> bool {
        self.limited.is_some()
    }

    /// How the caller stands now. `cost_nanos`: of this request, where it is known already.
    pub fn put_headers(&self, cost_nanos: Option<u64>, headers: &mut HeaderMap) {
        if let Some(key) = &self.key {
            let spent = dollars(key.before.saturating_add(cost_nanos.unwrap_or(0)));
            headers.extend(
                HeaderValue::from_str(&spent).map(|spent| (HeaderName::from_static("x-litellm-key-spend"), spent)),
            );
        }
        if let Some((dialect, permit)) = &self.limited {
            let now_ms = unix_ms();
            rate_headers::put(*dialect, &permit.standing(now_ms), now_ms, headers);
        }
    }
}

/// Keeps limits together with the other replicas, where the configuration in force says how.
pub async fn share_limits(app: Arc<App>) {
    app.limiter.share(unix_ms).await;
}
