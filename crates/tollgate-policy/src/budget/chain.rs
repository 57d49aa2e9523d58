//! The pots of a scope.

use std::sync::Arc;

use super::Pot;
use crate::access::{Budget, Scope};
use crate::glob::Glob;
use crate::window::Window;

/// What a request for `model` spends from: a counter of all that the scope ever spends, and its budgets. Every budget of a model
/// that matches holds.
pub fn pots_of(scope: &Scope, model: &str) -> Vec<Pot> {
    let id: Arc<str> = scope.id.as_str().into();
    let all: Arc<str> = "".into();
    let pot = |model: &Arc<str>, budget: &Budget| Pot {
        kind: scope.kind,
        id: id.clone(),
        model: model.clone(),
        window: budget.window,
        max_nanos: Some(budget.max_nanos),
        increase: None,
        soft_nanos: None,
    };
    let limits = &scope.limits;
    let mut pots = vec![Pot { max_nanos: None, ..pot(&all, &Budget { max_nanos: 0, window: Window::Total }) }];
    let increased = limits.budget.iter().map(|budget| Pot { increase: limits.increase, ..pot(&all, budget) });
    let further = limits.budgets.iter().map(|budget| pot(&all, budget));
    let of_models = limits.model_budgets.iter().filter(|(pattern, _)| Glob::new(pattern).matches(model));
    let of_models = of_models.map(|(pattern, budget)| pot(&pattern.as_str().into(), budget));
    for pot in increased.chain(further).chain(of_models) {
        add(&mut pots, pot);
    }
    if let Some(soft) = limits.soft_budget_nanos {
        let window = limits.budget.map_or(Window::Total, |budget| budget.window);
        for pot in pots.iter_mut().filter(|pot| pot.model.is_empty() && pot.window == window) {
            pot.soft_nanos = Some(soft);
        }
    }
    pots
}

/// Of two caps on the same pot the lower one holds.
fn add(pots: &mut Vec<Pot>, pot: Pot) {
    match pots.iter_mut().find(|known| known.window == pot.window && known.model == pot.model) {
        Some(known) if known.max_nanos.is_none_or(|max| Some(max) > pot.max_nanos) => *known = pot,
        Some(_) => {}
        None => pots.push(pot),
    }
}
