//! What a crash leaves, and what is applied twice.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use tollgate_policy::budget::Estimate;

use crate::stage::{DOLLAR, NOON, Stage, cost, journals, key_budget, reserve};

crate::contract! {
    what_a_killed_gateway_had_settled_and_held_is_in_the_ledger_once
    a_journal_that_is_read_twice_is_applied_once
    a_request_that_is_dropped_costs_what_was_held
    a_gateway_that_lives_keeps_its_journal
}

async fn what_a_killed_gateway_had_settled_and_held_is_in_the_ledger_once(stage: &Stage) {
    // Twice, as a process that takes over can be killed too.
    let mut said = (0, 0);
    for _ in 0..2 {
        let (held, settled) = charge_and_be_killed(stage, 500);
        said = (said.0 + held, said.1 + settled);
    }
    let meter = stage.gateway();
    within(60, || journals(&stage.journal()) == 1).await;
    meter.close().await;
    let answered = stage.number("SELECT COUNT(*) FROM ledger WHERE status = 'answered'").await;
    let interrupted = stage.number("SELECT COUNT(*) FROM ledger WHERE status = 'interrupted'").await;
    // What was done but not said when the signal came is at most one request each time.
    assert!((said.1..=said.1 + 2).contains(&answered), "{answered} of {}", said.1);
    assert!((said.0..=said.0 + 2).contains(&interrupted), "{interrupted} of {}", said.0);
    assert_eq!(stage.number("SELECT spent_nanos FROM balances").await, answered + 1000 * interrupted);
    assert_eq!(stage.number("SELECT CAST(SUM(cost_nanos) AS BIGINT) FROM ledger").await, answered + 1000 * interrupted);
    assert_eq!(stage.number("SELECT CAST(SUM(requests) AS BIGINT) FROM usage_hours").await, answered + interrupted);
    assert_eq!(stage.number("SELECT leased_nanos FROM balances").await, 0);
    assert_eq!(stage.number("SELECT COUNT(*) FROM leases").await, 0);
}

/// How many requests it said that it held to the end, and settled.
fn charge_and_be_killed(stage: &Stage, lines: usize) -> (i64, i64) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_charging"))
        .arg(&stage.place)
        .arg(stage.journal())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut output = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut said: Vec<String> = output.by_ref().take(lines).collect();
    // SIGKILL.
    child.kill().unwrap();
    child.wait().unwrap();
    said.extend(output);
    let count = |word: &str| said.iter().filter(|line| *line == word).count() as i64;
    (count("held"), count("settled"))
}

async fn a_journal_that_is_read_twice_is_applied_once(stage: &Stage) {
    let meter = stage.gateway();
    let pots = [key_budget(DOLLAR)];
    for nanos in [1, 20, 300] {
        reserve(&meter, &pots, Estimate::flat(1000), NOON).await.unwrap().settle(cost(nanos));
    }
    reserve(&meter, &pots, Estimate::flat(1000), NOON).await.unwrap().release();
    meter.flush().await;
    // As it would be found by the next process, had this one died here.
    let own = std::fs::read_dir(stage.journal()).unwrap().next().unwrap().unwrap().path();
    copy(&own, &stage.journal().join("died"));
    meter.close().await;
    let meter = stage.gateway();
    within(60, || journals(&stage.journal()) == 1).await;
    meter.close().await;
    assert_eq!(stage.number("SELECT COUNT(*) FROM ledger").await, 3);
    assert_eq!(stage.spent(&pots[0]).await, 321);
    assert_eq!(stage.number("SELECT CAST(SUM(requests) AS BIGINT) FROM usage_hours").await, 3);
}

async fn a_request_that_is_dropped_costs_what_was_held(stage: &Stage) {
    let meter = stage.gateway();
    drop(reserve(&meter, &[key_budget(DOLLAR)], Estimate::flat(1000), NOON).await.unwrap());
    meter.close().await;
    assert_eq!(stage.number("SELECT cost_nanos FROM ledger WHERE status = 'interrupted'").await, 1000);
}

async fn a_gateway_that_lives_keeps_its_journal(stage: &Stage) {
    let (first, second) = (stage.gateway(), stage.gateway());
    let held = reserve(&first, &[key_budget(DOLLAR)], Estimate::flat(1000), NOON).await.unwrap();
    second.flush().await;
    second.close().await;
    assert_eq!(journals(&stage.journal()), 1);
    held.settle(cost(5));
    first.close().await;
    assert_eq!(stage.number("SELECT cost_nanos FROM ledger WHERE status = 'answered'").await, 5);
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for file in std::fs::read_dir(from).unwrap().flatten() {
        std::fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

async fn within(seconds: u64, done: impl Fn() -> bool) {
    let wait = async {
        while !done() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(seconds), wait).await.unwrap();
}
