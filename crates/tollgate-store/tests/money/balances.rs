//! What is told of balances, and how they are corrected.

use std::slice::from_ref;

use tollgate_policy::access::ScopeKind;
use tollgate_policy::budget::{Estimate, Pot};
use tollgate_policy::window::Window;
use tollgate_store::ledger::retention::{forget_balances, forget_rows};
use tollgate_store::meter::Balance;
use tollgate_store::usage::{SumQuestion, sums};

use crate::stage::{DOLLAR, NOON, Stage, cost, key_budget, pot, reserve};

crate::contract! {
    a_balance_has_what_is_spent_and_what_is_held
    spending_from_before_counts_and_is_brought_in_once
    a_pot_of_any_kind_opens_with_what_its_scope_spent
    a_reset_makes_all_windows_as_new
    a_soft_budget_is_told_of_once_per_window
    old_rows_go_and_their_hours_stay
    old_balances_go_when_they_count_nowhere
}

fn counter() -> Pot {
    Pot { max_nanos: None, ..pot(ScopeKind::Key, "k", Window::Total, 0) }
}

async fn a_balance_has_what_is_spent_and_what_is_held(stage: &Stage) {
    let meter = stage.gateway();
    let pots = [counter(), key_budget(1000)];
    reserve(&meter, &pots, Estimate::flat(600), NOON).await.unwrap().settle(cost(400));
    let held = reserve(&meter, &pots, Estimate::flat(600), NOON).await.unwrap();
    let balance = Balance { spent_nanos: 400, held_nanos: 600 };
    assert_eq!(meter.balance(&pots[1], NOON).await.unwrap(), balance);
    meter.flush().await;
    assert_eq!(meter.balance(&pots[1], NOON).await.unwrap(), balance);
    held.release();
    assert_eq!(meter.balance(&pots[0], NOON).await.unwrap().spent_nanos, 400);
    // Nobody has asked for a day's yet.
    let day = pot(ScopeKind::Key, "k", Window::Day, 1);
    assert_eq!(meter.balance(&day, NOON).await.unwrap().spent_nanos, 400);
    assert_eq!(meter.balance(&day, NOON + 86_400_000).await.unwrap(), Balance::default());
    let totals = meter.totals(ScopeKind::Key, &["k", "other"]).await.unwrap();
    assert_eq!(totals.into_iter().collect::<Vec<_>>(), [("k".to_string(), 400)]);
}

async fn spending_from_before_counts_and_is_brought_in_once(stage: &Stage) {
    let meter = stage.gateway();
    let pots = [counter(), key_budget(1000)];
    reserve(&meter, &pots, Estimate::flat(100), NOON).await.unwrap().settle(cost(100));
    meter.flush().await;
    for made in [true, false] {
        let brought = meter.adjust("import key k", ScopeKind::Key, "k", "", 700, NOON).await.unwrap();
        assert_eq!(brought, made);
    }
    assert_eq!(meter.balance(&pots[0], NOON).await.unwrap().spent_nanos, 800);
    // A pot that opens later knows of it too, and one of another month does not.
    let day = pot(ScopeKind::Key, "k", Window::Day, 1000);
    assert!(reserve(&meter, from_ref(&day), Estimate::flat(201), NOON).await.is_err());
    assert!(reserve(&meter, &[day], Estimate::flat(200), NOON).await.is_ok());
    assert!(reserve(&meter, &pots, Estimate::flat(1000), NOON + 40 * 86_400_000).await.is_ok());
}

async fn a_pot_of_any_kind_opens_with_what_its_scope_spent(stage: &Stage) {
    let meter = stage.gateway();
    reserve(&meter, &[], Estimate::flat(100), NOON).await.unwrap().settle(cost(100));
    meter.flush().await;
    // Whose the request was: see `reserve` and `cost`.
    for (kind, id, spent) in [
        (ScopeKind::Gateway, "gateway", 100),
        (ScopeKind::Key, "k", 100),
        (ScopeKind::Team, "t", 100),
        (ScopeKind::Member, "t/u", 100),
        (ScopeKind::User, "u", 100),
        (ScopeKind::Organisation, "o", 100),
        (ScopeKind::EndUser, "e", 100),
        (ScopeKind::Tag, "blue", 100),
        (ScopeKind::Deployment, "d1", 100),
        (ScopeKind::Key, "other", 0),
        (ScopeKind::Tag, "red", 0),
    ] {
        let balance = meter.balance(&pot(kind, id, Window::Month, 1), NOON).await.unwrap();
        assert_eq!(balance.spent_nanos, spent, "{kind:?} {id}");
    }
    for (model, spent) in [("gpt-*", 100), ("gpt-x", 100), ("claude-*", 0)] {
        let pot = Pot { model: model.into(), ..key_budget(1) };
        assert_eq!(meter.balance(&pot, NOON).await.unwrap().spent_nanos, spent, "{model}");
    }
}

async fn a_reset_makes_all_windows_as_new(stage: &Stage) {
    let meter = stage.gateway();
    let pots = [counter(), key_budget(1000)];
    reserve(&meter, &pots, Estimate::flat(1000), NOON - 40 * 86_400_000).await.unwrap().settle(cost(1000));
    reserve(&meter, &pots, Estimate::flat(1000), NOON).await.unwrap().settle(cost(900));
    meter.set_spent("reset 1", ScopeKind::Key, "k", 0, NOON).await.unwrap();
    assert_eq!(meter.balance(&pots[0], NOON).await.unwrap().spent_nanos, 0);
    assert_eq!(meter.balance(&pots[1], NOON).await.unwrap().spent_nanos, 0);
    assert!(meter.balance(&pots[1], NOON - 40 * 86_400_000).await.unwrap().spent_nanos == 1000, "what is past stays");
}

async fn a_soft_budget_is_told_of_once_per_window(stage: &Stage) {
    let meters = [stage.gateway(), stage.gateway()];
    let mut alerts = meters.each_ref().map(|meter| meter.alerts());
    let pots = [Pot { soft_nanos: Some(500), ..key_budget(DOLLAR) }];
    for meter in &meters {
        for _ in 0..3 {
            reserve(meter, &pots, Estimate::flat(200), NOON).await.unwrap().settle(cost(200));
            meter.flush().await;
        }
    }
    let told: Vec<_> = alerts.iter_mut().filter_map(|alerts| alerts.try_recv().ok()).collect();
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].soft_nanos, told[0].key.window), (500, Window::Month));
    assert!(alerts.iter_mut().all(|alerts| alerts.try_recv().is_err()));
    let next = NOON + 40 * 86_400_000;
    reserve(&meters[0], &pots, Estimate::flat(600), next).await.unwrap().settle(cost(600));
    meters[0].flush().await;
    assert!(alerts[0].try_recv().is_ok(), "it is another month");
}

async fn old_rows_go_and_their_hours_stay(stage: &Stage) {
    let meter = stage.gateway();
    for index in 0..1500 {
        reserve(&meter, &[], Estimate::flat(1), NOON + index).await.unwrap().settle(cost(1));
    }
    meter.flush().await;
    let before = NOON + 1200;
    assert!(forget_rows(&stage.database, before).await.unwrap(), "there are more");
    assert_eq!(stage.number("SELECT COUNT(*) FROM ledger").await, 500);
    assert!(!forget_rows(&stage.database, before).await.unwrap());
    assert_eq!(stage.number("SELECT COUNT(*) FROM ledger").await, 300);
    let question = SumQuestion { to_ms: u64::MAX, ..SumQuestion::default() };
    let sums = sums(&stage.database, &jiff::tz::TimeZone::UTC, &question).await.unwrap();
    assert_eq!(sums[0].sums.requests, 1500);
}

async fn old_balances_go_when_they_count_nowhere(stage: &Stage) {
    let meter = stage.gateway();
    let windows = [Window::Total, Window::Day, Window::Every(60), Window::Rolling(86_400 * 10)];
    let pots = windows.map(|window| pot(ScopeKind::Key, "k", window, DOLLAR));
    reserve(&meter, &pots, Estimate::flat(1), NOON).await.unwrap().settle(cost(1));
    meter.close().await;
    let left = async || {
        let select = "SELECT period FROM balances WHERE start_ms > 0 OR period = 'total' ORDER BY period";
        let rows: Vec<(String,)> = sqlx::query_as(select).fetch_all(&stage.database.pool).await.unwrap();
        rows.into_iter().map(|(period,)| period).collect::<Vec<_>>().join(", ")
    };
    let day = 86_400_000;
    for (days, expected) in [
        (1, "day, every 60 s, rolling 864000 s, total"),
        (3, "day, rolling 864000 s, total"),
        (13, "day, total"),
        (402, "total"),
    ] {
        forget_balances(&stage.database, NOON + days * day).await.unwrap();
        assert_eq!(left().await, expected, "after {days} days");
    }
}
