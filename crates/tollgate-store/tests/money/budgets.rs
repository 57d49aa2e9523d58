//! Reserving, settling and giving back.

use std::slice::from_ref;

use tollgate_policy::access::{Increase, ScopeKind};
use tollgate_policy::budget::{CacheWrites, Estimate};
use tollgate_policy::price::Price;
use tollgate_policy::window::Window;
use tollgate_store::meter::Denied;

use crate::stage::{DOLLAR, NOON, Stage, cost, journals, key_budget, pot, reserve};

crate::contract! {
    s29_of_two_hundred_requests_at_once_ten_fit_the_budget
    several_gateways_together_never_spend_more_than_the_budget
    all_pots_are_held_or_none
    what_was_settled_is_in_ledger_hours_and_balance
    what_is_given_back_can_be_spent_again
    a_lease_that_is_used_up_leaves_nothing_behind
    however_busy_others_keep_the_database_a_budget_is_looked_at
    another_attempt_is_held_beside_what_the_first_cost_or_cut_or_refused
    s23_a_request_counts_in_the_window_it_began_in
    a_lower_cap_holds_at_once_and_a_higher_one_too
    an_increase_ends_when_it_was_to
    a_rolling_window_forgets_what_is_past
    a_budget_made_later_knows_what_was_spent_before
    a_deployments_budget_holds_besides_those_of_the_caller
    who_goes_to_another_deployment_leaves_the_budget_of_the_first
}

/// Ten cents each.
fn dime() -> Estimate {
    Estimate::flat(DOLLAR / 10)
}

async fn s29_of_two_hundred_requests_at_once_ten_fit_the_budget(stage: &Stage) {
    let meter = stage.gateway();
    let pots = [key_budget(DOLLAR)];
    let asked = (0..200).map(|_| {
        let (meter, pots) = (meter.clone(), pots.clone());
        tokio::spawn(async move { reserve(&meter, &pots, dime(), NOON).await })
    });
    let mut held = Vec::new();
    for task in asked.collect::<Vec<_>>() {
        match task.await.unwrap() {
            Ok(reservation) => held.push(reservation),
            Err(Denied::Budget(denial)) => assert!(denial.may_pass(), "nothing is spent yet: {denial}"),
            Err(other) => panic!("{other}"),
        }
    }
    assert_eq!(held.len(), 10);
    held.into_iter().for_each(|reservation| reservation.settle(cost(DOLLAR / 10)));
    let denied = reserve(&meter, &pots, dime(), NOON).await;
    assert!(matches!(denied, Err(Denied::Budget(denial)) if !denial.may_pass()));
    meter.close().await;
    assert_eq!(stage.spent(&pots[0]).await, DOLLAR as i64);
}

async fn several_gateways_together_never_spend_more_than_the_budget(stage: &Stage) {
    let meters = [stage.gateway(), stage.gateway(), stage.gateway()];
    let pots = [key_budget(DOLLAR), pot(ScopeKind::Team, "t", Window::Total, 2 * DOLLAR)];
    let mut tasks = Vec::new();
    for meter in &meters {
        for _ in 0..60 {
            let (meter, pots) = (meter.clone(), pots.clone());
            tasks.push(tokio::spawn(async move {
                let held = reserve(&meter, &pots, Estimate::flat(DOLLAR / 50), NOON).await.ok()?;
                tokio::task::yield_now().await;
                held.settle(cost(DOLLAR / 50));
                Some(())
            }));
        }
    }
    let mut accepted = 0;
    for task in tasks {
        accepted += task.await.unwrap().map_or(0, |()| 1);
    }
    for meter in meters {
        meter.close().await;
    }
    assert!((1..=50).contains(&accepted), "{accepted}");
    assert_eq!(stage.spent(&pots[0]).await, accepted * DOLLAR as i64 / 50);
    assert_eq!(stage.spent(&pots[1]).await, accepted * DOLLAR as i64 / 50);
    assert_eq!(stage.number("SELECT CAST(SUM(leased_nanos) AS BIGINT) FROM balances").await, 0);
    assert_eq!(stage.number("SELECT COUNT(*) FROM leases").await, 0);
    assert_eq!(stage.number("SELECT CAST(SUM(cost_nanos) AS BIGINT) FROM ledger").await, accepted * DOLLAR as i64 / 50);
}

async fn all_pots_are_held_or_none(stage: &Stage) {
    let meter = stage.gateway();
    let small = pot(ScopeKind::Team, "t", Window::Day, DOLLAR / 20);
    let denied = reserve(&meter, &[key_budget(DOLLAR), small], dime(), NOON).await;
    let Err(Denied::Budget(denial)) = denied else { panic!("the team cannot pay") };
    assert_eq!(denial.pot.key.kind, ScopeKind::Team);
    assert_eq!(denial.to_string(), "the budget of team `t` is $0.05 (day): $0 spent, and this request needs $0.1");
    assert_eq!(denial.pot.end_ms, Some(NOON + 12 * 3_600_000));
    let whole = reserve(&meter, &[key_budget(DOLLAR)], Estimate::flat(DOLLAR), NOON).await;
    assert!(whole.is_ok(), "the key has it all");
}

async fn what_was_settled_is_in_ledger_hours_and_balance(stage: &Stage) {
    let meter = stage.gateway();
    let pots = [key_budget(DOLLAR)];
    for nanos in [1, 20, 300] {
        reserve(&meter, &pots, dime(), NOON).await.unwrap().settle(cost(nanos));
    }
    // It costs nothing and is held against nothing.
    reserve(&meter, &pots, Estimate::flat(0), NOON).await.unwrap().settle(cost(0));
    reserve(&meter, &pots, dime(), NOON).await.unwrap().release();
    meter.close().await;
    assert_eq!(stage.spent(&pots[0]).await, 321);
    assert_eq!(stage.number("SELECT COUNT(*) FROM ledger").await, 4);
    assert_eq!(stage.number("SELECT CAST(SUM(cost_nanos) AS BIGINT) FROM usage_hours").await, 321);
    assert_eq!(stage.number("SELECT CAST(SUM(requests) AS BIGINT) FROM usage_hours").await, 4);
    assert_eq!(stage.number("SELECT requests FROM tag_hours WHERE tag = 'blue'").await, 4);
    assert_eq!(journals(&stage.journal()), 0);
}

async fn what_is_given_back_can_be_spent_again(stage: &Stage) {
    let meter = stage.gateway();
    let pots = [key_budget(DOLLAR)];
    let all = Estimate::flat(DOLLAR);
    let held = reserve(&meter, &pots, all, NOON).await.unwrap();
    assert!(reserve(&meter, &pots, dime(), NOON).await.is_err());
    held.release();
    let held = reserve(&meter, &pots, all, NOON).await.unwrap();
    held.settle(cost(DOLLAR / 2));
    // The half that it did not cost.
    let held = reserve(&meter, &pots, Estimate::flat(DOLLAR / 2), NOON).await.unwrap();
    held.settle(cost(DOLLAR / 2));
    assert!(reserve(&meter, &pots, Estimate::flat(1), NOON).await.is_err());
}

async fn a_lease_that_is_used_up_leaves_nothing_behind(stage: &Stage) {
    let meter = stage.gateway();
    reserve(&meter, &[key_budget(DOLLAR)], Estimate::flat(DOLLAR), NOON).await.unwrap().settle(cost(DOLLAR));
    meter.flush().await;
    assert_eq!(stage.number("SELECT COUNT(*) FROM leases").await, 0);
    assert_eq!(stage.number("SELECT leased_nanos FROM balances").await, 0);
}

async fn however_busy_others_keep_the_database_a_budget_is_looked_at(stage: &Stage) {
    let meter = stage.gateway();
    let mut all = Vec::new();
    for _ in 0..stage.database.pool.options().get_max_connections() {
        all.push(stage.database.pool.acquire().await.unwrap());
    }
    assert!(reserve(&meter, &[key_budget(DOLLAR)], dime(), NOON).await.is_ok());
    assert!(!meter.is_away());
}

async fn another_attempt_is_held_beside_what_the_first_cost_or_cut_or_refused(stage: &Stage) {
    let meter = stage.gateway();
    let pots = [key_budget(1000)];
    // 400 tokens of output at a nano-dollar each, 100 at least.
    let estimate = Estimate::new(&Price::new(0, 1_000_000), 0, CacheWrites::No, 400, 100);
    let mut held = reserve(&meter, &pots, estimate, NOON).await.unwrap();
    let other = reserve(&meter, &pots, Estimate::flat(200), NOON).await.unwrap();
    assert_eq!(meter.reserve_again(&mut held, 0, 0).await.unwrap(), None, "the first cost nothing");
    assert_eq!(held.held_nanos(), 400);
    // 300 are gone, and 400 may be needed once more.
    assert_eq!(meter.reserve_again(&mut held, 300, 0).await.unwrap(), None);
    assert_eq!((held.held_nanos(), held.output_tokens()), (700, 400));
    assert_eq!(meter.reserve_again(&mut held, 300, 0).await.unwrap(), None, "it is held already");
    assert_eq!(held.held_nanos(), 700);
    // Of the 1000 are 200 another's: 800 less 550 pay for 250 tokens.
    assert_eq!(meter.reserve_again(&mut held, 550, 0).await.unwrap(), Some(250));
    assert_eq!((held.held_nanos(), held.output_tokens()), (800, 250));
    let balance = meter.balance(&pots[0], NOON).await.unwrap();
    assert_eq!((balance.spent_nanos, balance.held_nanos), (0, 1000));
    // Less than the least is left.
    let denied = meter.reserve_again(&mut held, 701, 0).await;
    assert!(matches!(denied, Err(Denied::Budget(denial)) if denial.asked_nanos == 1));
    assert_eq!((held.held_nanos(), held.output_tokens()), (800, 250), "nothing changed");
    other.release();
    // A request whose gateway dies is taken to have cost all of it.
    drop(held);
    meter.flush().await;
    assert_eq!(stage.spent(&pots[0]).await, 800);
    assert_eq!(stage.number("SELECT CAST(SUM(cost_nanos) AS BIGINT) FROM ledger").await, 800);
}

async fn s23_a_request_counts_in_the_window_it_began_in(stage: &Stage) {
    let meter = stage.gateway();
    let pots = [key_budget(DOLLAR)];
    // 2026-12-01 00:00 UTC.
    let midnight = 1_796_083_200_000;
    let last = reserve(&meter, &pots, dime(), midnight - 100).await.unwrap();
    let across = reserve(&meter, &pots, dime(), midnight - 50).await.unwrap();
    let first = reserve(&meter, &pots, dime(), midnight + 100).await.unwrap();
    for (reservation, nanos) in [(first, 7), (last, 11), (across, 13)] {
        reservation.settle(cost(nanos));
    }
    meter.close().await;
    let november = "SELECT spent_nanos FROM balances WHERE start_ms = 1793491200000";
    let december = "SELECT spent_nanos FROM balances WHERE start_ms = 1796083200000";
    assert_eq!((stage.number(november).await, stage.number(december).await), (24, 7));
    let rows = "SELECT CAST(SUM(cost_nanos) AS BIGINT) FROM ledger WHERE at_ms < 1796083200000";
    assert_eq!(stage.number(rows).await, 24);
}

async fn a_lower_cap_holds_at_once_and_a_higher_one_too(stage: &Stage) {
    let meter = stage.gateway();
    reserve(&meter, &[key_budget(DOLLAR)], dime(), NOON).await.unwrap().settle(cost(DOLLAR / 10));
    assert!(reserve(&meter, &[key_budget(DOLLAR / 10)], dime(), NOON).await.is_err());
    assert!(reserve(&meter, &[key_budget(DOLLAR / 5)], dime(), NOON).await.is_ok());
}

async fn an_increase_ends_when_it_was_to(stage: &Stage) {
    let meter = stage.gateway();
    let mut budget = pot(ScopeKind::Key, "k", Window::Total, DOLLAR / 10);
    budget.increase = Some(Increase { nanos: DOLLAR / 10, until_ms: NOON + 1000 });
    let pots = [budget];
    for _ in 0..2 {
        reserve(&meter, &pots, dime(), NOON + 999).await.unwrap().settle(cost(DOLLAR / 20));
    }
    assert!(reserve(&meter, &pots, Estimate::flat(1), NOON + 1000).await.is_err());
    assert!(reserve(&meter, &pots, Estimate::flat(1), NOON + 999).await.is_ok());
}

async fn a_rolling_window_forgets_what_is_past(stage: &Stage) {
    let meter = stage.gateway();
    let pots = [pot(ScopeKind::Key, "k", Window::Rolling(3600), DOLLAR)];
    let minute = 60_000;
    for at in [0, 20 * minute] {
        reserve(&meter, &pots, Estimate::flat(DOLLAR / 2), NOON + at).await.unwrap().settle(cost(DOLLAR / 2));
    }
    meter.flush().await;
    for at in [40 * minute, 60 * minute] {
        assert!(reserve(&meter, &pots, dime(), NOON + at).await.is_err(), "{at}");
    }
    // The first half is more than an hour ago, and a part of a minute.
    let half = reserve(&meter, &pots, Estimate::flat(DOLLAR / 2), NOON + 61 * minute).await.unwrap();
    assert!(reserve(&meter, &pots, Estimate::flat(1), NOON + 61 * minute).await.is_err());
    half.settle(cost(1));
}

async fn a_budget_made_later_knows_what_was_spent_before(stage: &Stage) {
    let meter = stage.gateway();
    let counter = [tollgate_policy::budget::Pot { max_nanos: None, ..pot(ScopeKind::Key, "k", Window::Total, 0) }];
    // The first within the hour in which the window begins, one before it, one in a later hour.
    let start = NOON + 30 * 60_000;
    for (at, nanos) in [(start - 1, 1000), (start, 200), (start + 3_600_000, 30)] {
        reserve(&meter, &counter, dime(), at).await.unwrap().settle(cost(nanos));
    }
    meter.flush().await;
    assert_eq!(stage.spent(&counter[0]).await, 1230);
    // Five hours from 12:30 on: 1970-01-01 is 99,760 times 5 hours and 12 hours and a half before, give or take none.
    let mut day = pot(ScopeKind::Key, "k", Window::Day, 1235);
    assert!(reserve(&meter, from_ref(&day), Estimate::flat(6), NOON).await.is_err());
    assert!(reserve(&meter, from_ref(&day), Estimate::flat(5), NOON).await.is_ok());
    day.window = Window::Every(1800);
    day.max_nanos = Some(201);
    assert!(reserve(&meter, from_ref(&day), Estimate::flat(2), start).await.is_err());
    assert!(reserve(&meter, &[day], Estimate::flat(1), start).await.is_ok());
}

async fn a_deployments_budget_holds_besides_those_of_the_caller(stage: &Stage) {
    let meters = [stage.gateway(), stage.gateway()];
    let of_deployment = [pot(ScopeKind::Deployment, "d1", Window::Total, DOLLAR)];
    let of_key = [key_budget(100 * DOLLAR)];
    let mut held = Vec::new();
    for n in 0..24 {
        let meter = &meters[n % 2];
        let mut reservation = reserve(meter, &of_key, dime(), NOON).await.unwrap();
        match meter.hold_at(&mut reservation, &of_deployment, dime()).await {
            Ok(_) => held.push(reservation),
            Err(Denied::Budget(denial)) => {
                assert_eq!(denial.pot.key.kind, ScopeKind::Deployment);
                reservation.release();
            }
            Err(other) => panic!("{other}"),
        }
    }
    // A part may lie idle at one of the two.
    let count = held.len() as i64;
    assert!((5..=10).contains(&count), "{count}");
    held.into_iter().for_each(|reservation| reservation.settle(cost(DOLLAR / 20)));
    for meter in meters {
        meter.close().await;
    }
    for pot in of_key.iter().chain(&of_deployment) {
        assert_eq!(stage.spent(pot).await, count * DOLLAR as i64 / 20);
    }
    assert_eq!(stage.number("SELECT CAST(SUM(leased_nanos) AS BIGINT) FROM balances").await, 0);
}

async fn who_goes_to_another_deployment_leaves_the_budget_of_the_first(stage: &Stage) {
    let meter = stage.gateway();
    let at = |id: &str| pot(ScopeKind::Deployment, id, Window::Total, DOLLAR);
    let (one, other, whole) = (at("d1"), at("d2"), Estimate::flat(DOLLAR));
    let mut first = reserve(&meter, &[], whole, NOON).await.unwrap();
    let mut second = reserve(&meter, &[], whole, NOON).await.unwrap();
    let mut third = reserve(&meter, &[], whole, NOON).await.unwrap();
    meter.hold_at(&mut first, from_ref(&one), whole).await.unwrap();
    assert!(meter.hold_at(&mut second, from_ref(&one), whole).await.is_err());
    meter.hold_at(&mut first, from_ref(&other), whole).await.unwrap();
    meter.hold_at(&mut second, from_ref(&one), whole).await.unwrap();
    // One that has no room there stays where it is, and one without a budget holds nothing.
    assert!(meter.hold_at(&mut first, from_ref(&one), whole).await.is_err());
    meter.hold_at(&mut second, &[], whole).await.unwrap();
    meter.hold_at(&mut third, from_ref(&one), whole).await.unwrap();
    first.settle(cost(1));
    second.settle(cost(20));
    third.settle(cost(300));
    meter.close().await;
    assert_eq!((stage.spent(&one).await, stage.spent(&other).await), (300, 1));
    assert_eq!(stage.number("SELECT CAST(SUM(leased_nanos) AS BIGINT) FROM balances").await, 0);
}
