//! May the request spend? What it can cost at most is held in all budgets of its caller, or it is turned away; where less is left its
//! answer is made shorter.

use std::sync::Arc;

use memchr::memmem;
use tollgate_dialect::error::{Change, ChangeKind};
use tollgate_dialect::json::Json;
use tollgate_policy::budget::{CacheWrites, Estimate, Pot, pots_of};
use tollgate_policy::failover::Trouble;
use tollgate_policy::price::Price;
use tollgate_store::ledger::Payer;
use tollgate_store::meter::{Asking, Denied, Reservation};

use super::admit::{self, Admitting};
use super::attempt::Driver;
use super::inbound::Inbound;
use super::output_limit;
use super::route::{self, Route};
use crate::app::Live;
use crate::bounds;
use crate::config::rewrite;
use crate::failure::Failure;
use crate::store::Store;

/// A request without a limit of its own, to a model of which none is known, is held for so much output, and gets no more.
pub(super) const USUAL_OUTPUT: u64 = 16 * 1024;
/// A shorter answer than this helps nobody.
const LEAST_OUTPUT: u64 = 256;
/// Upstreams count some more tokens than we do.
pub(super) const INPUT_MARGIN: f64 = 1.1;

pub async fn reserve(
    store: &Store,
    ask: &Admitting<'_>,
    inbound: &mut Inbound,
    route: &Route,
    at_ms: u64,
) -> Result<Reservation, Failure> {
    let live = ask.live;
    let mut pots: Vec<Pot> = ask.scopes().flat_map(|scope| pots_of(scope, &route.group)).collect();
    pots.extend(bounds::tags(&live.config, &inbound.wishes.tags).flat_map(|tag| pots_of(&tag, &route.group)));
    let capped = pots.iter().any(|pot| pot.max_nanos.is_some());
    let (price, most_output) = dearest(live, inbound, route, capped);
    let estimate = price.map_or_else(Estimate::default, |price| {
        // Without a budget nothing depends on it but what is billed should the process die.
        let counted = || match capped {
            true => admit::expected_input(live, inbound, route),
            false => inbound.body.len() as u64 / 4,
        };
        estimate(inbound, &price, most_output, counted)
    });
    let asking = Asking {
        request_id: ask.request_id.to_string(),
        payer: payer(ask, inbound.end_user.as_ref()),
        model: route.group.clone(),
        tags: inbound.wishes.tags.clone(),
        pots: &pots,
        estimate,
    };
    let reservation = store.meter.reserve(asking, at_ms).await.map_err(Failure::OverBudget)?;
    if capped && let Some(price) = price {
        shorten(inbound, &price, reservation.output_tokens());
    }
    Ok(reservation)
}

/// For a request that costs the same whatever its answer is.
pub async fn reserve_flat(
    store: &Store,
    ask: &Admitting<'_>,
    name: &str,
    cost_nanos: u64,
    at_ms: u64,
) -> Result<Reservation, Failure> {
    let pots: Vec<Pot> = ask.scopes().flat_map(|scope| pots_of(scope, name)).collect();
    let asking = Asking {
        request_id: ask.request_id.to_string(),
        payer: payer(ask, None),
        model: name.to_string(),
        tags: Vec::new(),
        pots: &pots,
        estimate: Estimate::flat(cost_nanos),
    };
    store.meter.reserve(asking, at_ms).await.map_err(Failure::OverBudget)
}

impl Driver {
    /// What attempts have cost that gave no whole answer is gone: another one is sent if the budgets pay for it beside that, with a shorter
    /// answer where less is left.
    pub(super) async fn afford(&mut self) -> Result<(), Failure> {
        let spent = self.recorder.spent_nanos();
        if spent == 0 {
            return Ok(());
        }
        // It is given what was said so far. Text has two bytes for a token at least, by and large.
        let more_input = self.continuing.as_ref().map_or(0, |said| said.len() as u64 / 2);
        match self.recorder.admission.reserve_again(&self.app, spent, more_input).await {
            Ok(None) => Ok(()),
            Ok(Some(output)) => {
                let affordable = output / choices(&self.inbound);
                cap_output(&mut self.inbound, affordable);
                Ok(())
            }
            Err(denied) => {
                self.recorder.then("gave up: the budget does not pay for another attempt");
                Err(Failure::OverBudget(denied))
            }
        }
    }
}

/// One deployment of a route that the request goes to.
pub struct Destination<'a> {
    pub live: &'a Live,
    pub route: &'a Route,
    pub index: usize,
    /// What other attempts have cost.
    pub spent_nanos: u64,
    /// Its budgets have to pay for the longest answer; else the answer is made as short as what is left.
    pub whole: bool,
}

impl Destination<'_> {
    /// The request is held in the budgets of this deployment as well.
    pub async fn hold(
        &self,
        store: &Store,
        reservation: &mut Reservation,
        inbound: &mut Inbound,
    ) -> Result<(), Denied> {
        let (live, index) = (self.live, self.index);
        let (deployment, pots) = (&live.config.deployments[index], &live.abilities[index].pots);
        let model = || route::upstream_model(live, &self.route.name, deployment);
        let price = if pots.is_empty() { None } else { deployment.price_of(model) };
        let estimate = price.map_or_else(Estimate::default, |price| {
            let alone = Route::to_one(&deployment.group, index);
            let input = || admit::expected_input(live, inbound, &alone);
            estimate(inbound, &price, deployment.max_output_tokens, input).plus(self.spent_nanos)
        });
        let estimate = if self.whole { estimate.or_nothing() } else { estimate };
        let output_tokens = store.meter.hold_at(reservation, pots, estimate).await?;
        if let Some(price) = price.filter(|_| output_tokens < estimate.output_tokens()) {
            shorten(inbound, &price, output_tokens);
        }
        Ok(())
    }
}

/// The most that the request can cost at this price. `most_output`: the longest answer of the model, if that is known.
fn estimate(inbound: &Inbound, price: &Price, most_output: Option<u64>, input: impl FnOnce() -> u64) -> Estimate {
    let choices = choices(inbound);
    if let Some(asked) = inbound.operation.as_ref().filter(|asked| !asked.operation.writes_text()) {
        return asked.estimate(price, &inbound.body, choices);
    }
    let allowed = inbound.max_tokens.or(most_output).unwrap_or(USUAL_OUTPUT);
    let input = (input() as f64 * INPUT_MARGIN) as u64;
    let (output, least) = (allowed.saturating_mul(choices), LEAST_OUTPUT.min(allowed).saturating_mul(choices));
    Estimate::new(price, input, cache_writes(&inbound.body), output, least)
}

fn choices(inbound: &Inbound) -> u64 {
    inbound.choices.unwrap_or(1).max(1)
}

/// The answer is made as short as what is paid for. Where output is free no budget has a say in how long it is.
fn shorten(inbound: &mut Inbound, price: &Price, output_tokens: u64) {
    let writes = inbound.operation.as_ref().is_none_or(|asked| asked.operation.writes_text());
    let affordable = output_tokens / choices(inbound);
    if price.output > 0 && writes && inbound.max_tokens.is_none_or(|own| affordable < own) {
        cap_output(inbound, affordable);
    }
}

/// The highest price of all that may come to serve the request, and the longest answer that any of it gives.
fn dearest(live: &Live, inbound: &Inbound, route: &Route, with_fallbacks: bool) -> (Option<Price>, Option<u64>) {
    let mut further = Vec::new();
    if with_fallbacks && !inbound.wishes.disable_fallbacks {
        let fallbacks = &live.config.routing.fallbacks;
        let configured = Trouble::ALL.iter().flat_map(|trouble| fallbacks.of(*trouble, &[&route.name, &route.group]));
        let asked = inbound.wishes.fallbacks.iter().flatten();
        further.extend(configured.chain(asked).filter_map(|name| route::find(live, name, &inbound.wishes.tags).ok()));
    }
    let all = || {
        std::iter::once(route).chain(&further).flat_map(|route| route.deployments.iter().map(move |&at| (route, at)))
    };
    // A wildcard's model depends on the name that it is asked by.
    let price_of = |(route, index): (&Route, usize)| {
        let deployment = &live.config.deployments[index];
        deployment.price_of(|| route::upstream_model(live, &route.name, deployment))
    };
    let price = all().filter_map(price_of).reduce(|a, b| a.or_higher(&b));
    (price, all().filter_map(|(_, index)| live.config.deployments[index].max_output_tokens).max())
}

pub(super) fn cache_writes(body: &[u8]) -> CacheWrites {
    if memmem::find(body, b"\"cache_control\"").is_none() {
        CacheWrites::No
    } else if memmem::find(body, b"\"1h\"").is_none() {
        CacheWrites::Usual
    } else {
        CacheWrites::Long
    }
}

fn payer(ask: &Admitting<'_>, end_user: Option<&String>) -> Payer {
    let text = |text: Option<&String>| text.map_or_else(|| Arc::from(""), |text| Arc::from(text.as_str()));
    let end_user = text(end_user);
    let Some(chain) = &ask.caller.chain else { return Payer { end_user, ..Payer::default() } };
    Payer {
        key_hash: chain.key.account().into(),
        team_id: text(chain.key.team_id.as_ref()),
        user_id: text(chain.key.user_id.as_ref()),
        organisation_id: text(chain.organisation.as_ref().map(|organisation| &organisation.id)),
        end_user,
    }
}

/// The client's body with a limit that the budget pays for.
fn cap_output(inbound: &mut Inbound, tokens: u64) {
    let Ok(value) = Json::parse(&tokens.to_string()).map(Json::into_owned) else { return };
    let places = output_limit::places(inbound.dialect);
    let Some((body, place)) = rewrite::set_first_of(places, &value, &inbound.body) else { return };
    inbound.body = body.into();
    inbound.max_tokens = Some(tokens);
    inbound.changes.push(Change::new(ChangeKind::Clamped, place));
}
