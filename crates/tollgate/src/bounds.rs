//! What bounds a deployment itself, whoever calls: its rates, its places at all replicas, its budgets and its provider's.

use tollgate_policy::access::{Budget, Grants, Limits, Rates, Scope, ScopeKind};
use tollgate_policy::budget::{Pot, pots_of};
use tollgate_policy::health;
use tollgate_policy::limit::Claims;

use crate::config::model::{Config, Deployment};

/// Limits that hold. Requests at once are counted by the gate; here only where replicas have to count them together.
pub fn claims(config: &Config, deployment: &Deployment) -> Claims {
    let rates = if config.routing.enforces_rates { deployment.bounds.rates } else { Rates::default() };
    let together = deployment.limits.parallel.filter(|_| config.redis.is_some());
    let rates = Rates { parallel_requests: together.map(u64::from), ..rates };
    Claims::of([&scope(ScopeKind::Deployment, &deployment.id, Limits { rates, ..Limits::default() })], &[])
}

/// Limits that only decide who is asked first.
pub fn soft(config: &Config, deployment: &Deployment) -> health::Limits {
    match config.routing.enforces_rates {
        true => health::Limits { parallel: deployment.limits.parallel, ..health::Limits::default() },
        false => deployment.limits,
    }
}

pub fn pots(config: &Config, deployment: &Deployment) -> Vec<Pot> {
    // LiteLLM knows providers as they are written.
    let providers = [&deployment.provider, &deployment.written_provider];
    let of_provider = providers.into_iter().find_map(|name| config.settings.provider_budgets.get_key_value(name));
    let provider = of_provider.map(|(name, budget)| of_budget(ScopeKind::Provider, name, *budget));
    let own = deployment.bounds.budget.map(|budget| of_budget(ScopeKind::Deployment, &deployment.id, budget));
    own.into_iter().chain(provider).flat_map(|scope| pots_of(&scope, &deployment.group)).collect()
}

/// The tags of a request that have a budget.
pub fn tags<'a>(config: &'a Config, tags: &'a [String]) -> impl Iterator<Item = Scope> + 'a {
    let budgets = &config.settings.tag_budgets;
    let named = budgets.iter().filter(|(name, _)| tags.contains(name));
    named.map(|(name, budget)| of_budget(ScopeKind::Tag, name, *budget))
}

fn of_budget(kind: ScopeKind, id: &str, budget: Budget) -> Scope {
    scope(kind, id, Limits { budget: Some(budget), ..Limits::default() })
}

fn scope(kind: ScopeKind, id: &str, limits: Limits) -> Scope {
    Scope { kind, id: id.to_string(), grants: Grants::default(), limits }
}
