//! Whether all of it adds up.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::callers::{Kind, Limit, Scope};
use super::client::Outcome;
use super::facts::{Balance, Facts, Row};
use super::journal::Word;
use super::rates;
use super::report::Report;
use super::stage::{MODELS, Stage};
use super::trouble::VICTIM;

/// How long after its return a gateway may not have seen yet that the database is there.
const SEEN_WITHIN_MS: u64 = 5_000;

pub fn audit(stage: &Stage, facts: &Facts) -> Report {
    let mut report = Report::default();
    outcomes(stage, facts, &mut report);
    let rows = by_marker(&facts.rows);
    one_line_each(facts, &rows, &mut report);
    figures(facts, &rows, &mut report);
    dead_process(facts, &mut report);
    balances(facts, &mut report);
    for scope in &stage.scopes {
        budgets(scope, facts, &mut report);
        rates::audit(scope, facts, &mut report);
        something_was_refused(stage, scope, facts, &mut report);
    }
    let outages = stage.gateways.iter().map(|gateway| gateway.log().matches("requests are refused where").count());
    report.figure("times that a gateway found Redis too slow", outages.sum::<usize>());
    report.figure("s that the provider itself was late at most", format!("{:.2}", facts.seen.late.as_secs_f64()));
    report
}

fn by_marker(rows: &[Row]) -> HashMap<&str, Vec<&Row>> {
    let mut by_marker: HashMap<&str, Vec<&Row>> = HashMap::new();
    rows.iter().for_each(|row| by_marker.entry(&row.marker).or_default().push(row));
    by_marker
}

/// What clients saw. Only the gateway that was killed may break a connection.
fn outcomes(stage: &Stage, facts: &Facts, report: &mut Report) {
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    for sent in &facts.sent {
        let word = match &sent.outcome {
            Outcome::Whole => "answered".to_string(),
            Outcome::Left => "left by the client".to_string(),
            Outcome::Refused(status, reason) => {
                let fine = [402, 429, 503].contains(status);
                let name = stage.scopes[sent.caller].name;
                report.check(fine, || format!("{} of {name} got a {status} {reason}", sent.marker));
                format!("refused: {status} {reason}")
            }
            Outcome::Cut(why) => {
                report.check(sent.gateway == VICTIM, || format!("{} was cut: {why}", sent.marker));
                "cut by the kill".to_string()
            }
        };
        *counts.entry(word).or_default() += 1;
    }
    report.figure("requests", facts.sent.len());
    counts.into_iter().for_each(|(word, count)| report.figure(format!("  {word}"), count));
}

/// What the provider served is in the ledger once, and nothing else is.
fn one_line_each(facts: &Facts, rows: &HashMap<&str, Vec<&Row>>, report: &mut Report) {
    let (mut lost, mut double, mut unasked, mut served) = (0, 0, 0, HashSet::new());
    for request in &facts.served {
        let marker = request.marker.as_str();
        report.check(served.insert(marker), || format!("{marker} was sent to the provider twice"));
        match rows.get(marker).map_or(0, Vec::len) {
            1 => {}
            0 => {
                lost += 1;
                report.problem(format!("{marker} was served and is not in the ledger"));
            }
            lines => {
                double += 1;
                report.problem(format!("{marker} is in the ledger {lines} times"));
            }
        }
    }
    for row in facts.rows.iter().filter(|row| !served.contains(row.marker.as_str())) {
        unasked += 1;
        // Killed between the hold and the request to the provider.
        report.check(row.status == "interrupted", || format!("{} is in the ledger and was not served", row.marker));
    }
    report.figure("requests that reached the provider", facts.served.len());
    report.figure("lines in the ledger", facts.rows.len());
    report.figure("  of requests that were held and never sent", unasked);
    report.figure("lost, double", format!("{lost}, {double}"));
}

/// Lines say what the provider said.
fn figures(facts: &Facts, rows: &HashMap<&str, Vec<&Row>>, report: &mut Report) {
    let mut statuses: BTreeMap<&str, usize> = BTreeMap::new();
    facts.rows.iter().for_each(|row| *statuses.entry(&row.status).or_default() += 1);
    statuses.into_iter().for_each(|(status, count)| report.figure(format!("  {status}"), count));
    for sent in &facts.sent {
        let Some(row) = rows.get(sent.marker.as_str()).and_then(|rows| rows.first()) else {
            let answered = matches!(sent.outcome, Outcome::Whole | Outcome::Left);
            report.check(!answered, || format!("{} was answered and is not in the ledger", sent.marker));
            continue;
        };
        let model = &MODELS[sent.model];
        let said = (model.input, model.output, model.cost_nanos());
        let fits = match row.status.as_str() {
            "answered" => (row.input, row.output, row.cost_nanos) == said,
            // Input as we count it, and of the output what was seen.
            "aborted" => sent.outcome != Outcome::Whole && row.output <= model.output,
            // Whatever had reached the client.
            "interrupted" => sent.gateway == VICTIM,
            _ => false,
        };
        report.check(fits, || format!("{:?}, and the provider said {said:?} to {sent:?}", row));
    }
    let costs = || facts.rows.iter().map(|row| row.cost_nanos).sum::<u64>();
    for (name, sums) in ["hours", "days"].into_iter().zip(facts.sums) {
        let all = (facts.rows.len() as u64, costs());
        report.check(sums == all, || format!("the {name} sum up to {sums:?}, and the ledger to {all:?}"));
    }
    report.figure("nano-dollars in the ledger", costs());
}

/// What the journal of the killed process said is what is in the ledger.
fn dead_process(facts: &Facts, report: &mut Report) {
    let rows: HashMap<&str, &Row> = facts.rows.iter().map(|row| (row.charge.as_str(), row)).collect();
    let (mut open, mut held) = (0, 0);
    for (charge, word) in &facts.trouble.left {
        let row = rows.get(charge.as_str());
        let fits = match (word, row) {
            (Word::Released, row) => row.is_none(),
            (Word::Ended(nanos), Some(row)) => row.cost_nanos == *nanos && row.status != "interrupted",
            (Word::Open(nanos), Some(row)) => row.cost_nanos == *nanos && row.status == "interrupted",
            (_, None) => false,
        };
        report.check(fits, || format!("the dead process said {word:?} of {charge}, and the ledger says {row:?}"));
        if let Word::Open(nanos) = word {
            open += 1;
            held += nanos;
        }
    }
    report
        .check(open > 0, || "the gateway was killed while it had nothing to do: the run shows nothing of that".into());
    report.figure("under way when the gateway was killed, at what was held", format!("{open}, {held} nano-dollars"));
    report.figure("s that it was dead", format!("{:.1}", facts.trouble.dead_for.as_secs_f64()));
    let (from_ms, to_ms) = facts.trouble.away_ms;
    report.figure("s that PostgreSQL was away", format!("{:.1}", (to_ms - from_ms) as f64 / 1e3));
    let away = facts.trouble.away.0.into_std()..facts.trouble.away.1.into_std();
    let meanwhile = facts.served.iter().filter(|served| away.contains(&served.from)).count();
    report.check(meanwhile > 0, || "no request was served while PostgreSQL was away".to_string());
    report.figure("  requests served meanwhile", meanwhile);
}

/// Each is the sum of its lines, and nothing is held any more.
fn balances(facts: &Facts, report: &mut Report) {
    for balance in &facts.balances {
        let lines = facts.rows.iter().filter(|row| row.is_of(&balance.kind, &balance.id));
        let lines = lines.filter(|row| (balance.start_ms..balance.end_ms).contains(&row.at_ms));
        let sum: i64 = lines.map(|row| row.cost_nanos as i64).sum();
        report.check(balance.spent_nanos == sum, || format!("the lines of {balance:?} sum up to {sum}"));
        report.check(balance.held_nanos == 0, || format!("at rest there is something held: {balance:?}"));
    }
    report.check(facts.leases == 0, || format!("{} leases are left", facts.leases));
    report.figure("balances that are the sum of their lines", facts.balances.len());
}

/// No budget was ever overshot.
fn budgets(scope: &Scope, facts: &Facts, report: &mut Report) {
    for limit in &scope.limits {
        let Limit::Budget(nanos, every) = *limit else { continue };
        let cap = nanos as i64;
        let of_budget: Vec<&Balance> = facts.balances.iter().filter(|balance| balance.is_of(scope, every)).collect();
        let (kind, name) = (scope.kind.word(), scope.name);
        let most = of_budget.iter().map(|balance| balance.spent_nanos).max().unwrap_or(0);
        let windows = of_budget.len();
        report.figure(format!("{kind} {name}: budget of {nanos}, {windows} windows"), format!("{most} spent at most"));
        for balance in of_budget {
            let pot = (balance.kind.clone(), balance.id.clone(), balance.window.clone(), balance.start_ms);
            let seen = facts.seen.most.get(&pot).copied().unwrap_or(0);
            let over = balance.spent_nanos.max(seen) - cap;
            if over > 0 {
                // While the database is away several gateways may believe in the same rest.
                let away = spent_away(scope, balance, facts);
                report.figure(format!("  more than that, of {away} spent while PostgreSQL was away"), over);
                report.check(over <= away, || {
                    format!("{kind} {name} has a budget of {nanos}: {over} more in {balance:?}")
                });
            }
        }
    }
}

fn spent_away(scope: &Scope, balance: &Balance, facts: &Facts) -> i64 {
    let (from_ms, to_ms) = facts.trouble.away_ms;
    let window = from_ms.max(balance.start_ms)..(to_ms + SEEN_WITHIN_MS).min(balance.end_ms);
    let rows = facts.rows.iter().filter(|row| row.is_of_scope(scope) && window.contains(&row.at_ms));
    rows.map(|row| row.cost_nanos as i64).sum()
}

/// A limit that nobody ran into was not tried. On a machine that is too slow for Redis they are not even reached.
fn something_was_refused(stage: &Stage, scope: &Scope, facts: &Facts, report: &mut Report) {
    if scope.kind != Kind::Key || scope.name == "free" {
        return;
    }
    let of_scope = facts.sent.iter().filter(|sent| stage.scopes[sent.caller].id == scope.id);
    let refused = of_scope.filter(|sent| matches!(sent.outcome, Outcome::Refused(..))).count();
    report.check(refused > 0, || format!("{} ran into none of its limits: the run shows nothing of them", scope.name));
}
