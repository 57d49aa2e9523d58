//! What is left of deployments' own limits, and what their budgets have spent, as far as this gateway knows without asking anybody.

use std::collections::BTreeMap;

use tollgate_policy::price::dollars;

use super::Page;
use crate::app::{App, Live};
use crate::unix_time::unix_ms;

pub fn write(page: &mut Page, app: &App, live: &Live) {
    limits(page, app, live);
    budgets(page, app, live);
}

fn limits(page: &mut Page, app: &App, live: &Live) {
    let name = "tollgate_deployment_limit_remaining";
    page.family(name, "gauge", "What is left of the deployment's own limit in its window.");
    let now_ms = unix_ms();
    for (deployment, abilities) in live.config.deployments.iter().zip(&live.abilities) {
        if abilities.claims.is_empty() {
            continue;
        }
        let standing = app.limiter.standing(&abilities.claims, now_ms);
        let gauges = [
            ("requests", standing.requests),
            ("tokens", standing.tokens),
            ("input_tokens", standing.input_tokens),
            ("output_tokens", standing.output_tokens),
        ];
        for (limit, gauge) in gauges {
            let Some(gauge) = gauge else { continue };
            let labels = [("route", &*deployment.group), ("deployment", &*deployment.id), ("limit", limit)];
            page.value(name, &labels, gauge.remaining);
        }
    }
}

fn budgets(page: &mut Page, app: &App, live: &Live) {
    let Some(store) = app.store() else { return };
    let now_ms = unix_ms();
    let mut known = BTreeMap::new();
    for pot in live.abilities.iter().flat_map(|abilities| &abilities.pots) {
        let spent = pot.cap_nanos(now_ms).and_then(|cap| Some((store.meter.seen(pot, now_ms)?, cap)));
        if let Some(amounts) = spent {
            known.insert((pot.kind.word(), &*pot.id, pot.window.word()), amounts);
        }
    }
    let families = [
        ("tollgate_budget_spent_dollars", "Spent of a budget of deployments in its window, by all gateways."),
        ("tollgate_budget_dollars", "The whole budget."),
    ];
    for (n, (name, help)) in families.into_iter().enumerate() {
        page.family(name, "gauge", help);
        for ((scope, id, window), (spent, cap)) in &known {
            let labels = [("scope", *scope), ("id", *id), ("window", window.as_str())];
            page.value(name, &labels, dollars(if n == 0 { *spent } else { *cap }));
        }
    }
}
