//! `cargo xtask chaos` with few requests, so that it keeps working and what it shows stays true.

#[path = "../../../xtask/src/chaos/drill.rs"]
mod drill;
#[path = "support/mod.rs"]
mod support;

use support::isolated;

#[test]
fn while_a_gateway_is_killed_and_postgres_is_away_no_budget_or_limit_is_overshot_and_each_request_is_paid_for_once() {
    isolated(|| async {
        let plan = drill::Plan { requests: 320, seed: 1, binary: env!("CARGO_BIN_EXE_tollgate").into() };
        let report = drill::run(&plan, |_| ()).await.unwrap_or_else(|error| panic!("{error}"));
        assert!(report.problems.is_empty(), "{report}");
    });
}
