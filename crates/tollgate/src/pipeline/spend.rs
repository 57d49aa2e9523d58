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
use super::inbound::Inbound;
use super::output_limit;
use super::route::{self, Route};
use crate::app::Live;
use crate::bounds;
use crate::config::rewrite;
use crate::failure::Failure;
use crate::store::Store;

/// A request without a limit of its own, to a model of which none is known, is held for so much output, and gets no more.
const USUAL_OUTPUT: u64 = 16 * 1024;
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
        payer: payer(ask, inbound),
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

/// The request goes to a deployment: it is held in the budgets of that one as well. `whole`: they have to pay for the longest answer.
pub async fn at_deployment(
    store: &Store,
    live: &Live,
    reservation: &mut Reservation,
    inbound: &mut Inbound,
    index: usize,
    whole: bool,
) -> Result<(), Denied> {
    let (deployment, abilities) = (&live.config.deployments[index], &live.abilities[index]);
    let price = deployment.price.filter(|_| !abilities.pots.is_empty());
    let estimate = price.map_or_else(Estimate::default, |price| {
        let alone = Route { name: deployment.group.clone(), group: deployment.group.clone(), deployments: vec![index] };
        estimate(inbound, &price, deployment.max_output_tokens, || admit::expected_input(live, inbound, &alone))
    });
    // Where no text is written there is nothing to make shorter.
    let estimate = if whole { estimate.or_nothing() } else { estimate };
    let output_tokens = store.meter.hold_at(reservation, &abilities.pots, estimate).await?;
    if let Some(price) = price.filter(|_| output_tokens < estimate.output_tokens()) {
        shorten(inbound, &price, output_tokens);
    }
    Ok(())
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
    let mut all = route.deployments.clone();
    if with_fallbacks && !inbound.wishes.disable_fallbacks {
        let fallbacks = &live.config.routing.fallbacks;
        let configured = Trouble::ALL.iter().flat_map(|trouble| fallbacks.of(*trouble, &[&route.name, &route.group]));
        let asked = inbound.wishes.fallbacks.iter().flatten();
        for name in configured.chain(asked) {
            all.extend(
                route::find(live, name, &inbound.wishes.tags).map(|route| route.deployments).unwrap_or_default(),
            );
        }
    }
    let deployments = || all.iter().map(|&index| &live.config.deployments[index]);
    let price = deployments().filter_map(|deployment| deployment.price).reduce(|a, b| a.or_higher(&b));
    (price, deployments().filter_map(|deployment| deployment.max_output_tokens).max())
}

fn cache_writes(body: &[u8]) -> CacheWrites {
    if memmem::find(body, b"\"cache_control\"").is_none() {
        CacheWrites::No
    } else if memmem::find(body, b"\"1h\"").is_none() {
        CacheWrites::Usual
    } else {
        CacheWrites::Long
    }
}

fn payer(ask: &Admitting<'_>, inbound: &Inbound) -> Payer {
    let text = |text: Option<&String>| text.map_or_else(|| Arc::from(""), |text| Arc::from(text.as_str()));
    let end_user = text(inbound.end_user.as_ref());
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
