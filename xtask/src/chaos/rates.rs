//! Whether more was admitted than the limits allow.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use super::callers::{Limit, Scope};
use super::facts::{Facts, Row, Served};
use super::report::Report;
use super::stage::MODELS;

const MINUTE_MS: u64 = 60_000;
const DAY_MS: u64 = 24 * 60 * MINUTE_MS;
/// A request that waits for Redis at a window's end counts in the next one; it waits no longer than this.
const STRAGGLES_MS: u64 = 100;
/// The provider notices a little late that an answer was read to its end, or that nobody reads it any more: later still by
/// what it was late itself, on a machine with more to do than it can.
const NOTICED_WITHIN: Duration = Duration::from_millis(250);

pub fn audit(scope: &Scope, facts: &Facts, report: &mut Report) {
    let rows: Vec<&Row> = facts.rows.iter().filter(|row| row.is_of_scope(scope)).collect();
    for limit in &scope.limits {
        let (most, allowed) = match *limit {
            Limit::Budget(..) => continue,
            Limit::PerMinute(allowed) => (requests(&rows, MINUTE_MS, allowed), allowed),
            Limit::PerDay(allowed) => (requests(&rows, DAY_MS, allowed), allowed),
            Limit::TokensPerMinute(allowed) => (tokens(&rows), allowed + unforeseen(scope)),
            Limit::AtOnce(allowed) => (at_once(&rows, facts), allowed),
        };
        let (kind, name) = (scope.kind.word(), scope.name);
        report.figure(format!("{kind} {name}: {limit:?}"), format!("{most} at most"));
        report.check(most <= allowed, || format!("{kind} {name} has {limit:?}, and {most} were admitted"));
    }
}

/// The most requests of one window. Of a window that has too many those that began last are the next one's.
fn requests(rows: &[&Row], length_ms: u64, allowed: u64) -> u64 {
    let mut windows: BTreeMap<u64, (u64, u64)> = BTreeMap::new();
    for row in rows {
        let (all, late) = windows.entry(row.at_ms / length_ms).or_default();
        *all += 1;
        *late += u64::from(length_ms - row.at_ms % length_ms <= STRAGGLES_MS);
    }
    let (mut most, mut from_before) = (0, (0, 0));
    for (window, (all, late)) in windows {
        let before = if from_before.0 + 1 == window { from_before.1 } else { 0 };
        let moved = (all + before).saturating_sub(allowed).min(late);
        most = most.max(all + before - moved);
        from_before = (window, moved);
    }
    most
}

fn tokens(rows: &[&Row]) -> u64 {
    let mut minutes: BTreeMap<u64, u64> = BTreeMap::new();
    for row in rows {
        *minutes.entry(row.at_ms / MINUTE_MS).or_default() += row.input + row.output;
    }
    minutes.into_values().max().unwrap_or(0)
}

/// Output cannot be foreseen: of each request that ran at the same time as the last that was admitted. What the process that was
/// killed had not told of its own is forgotten as well.
fn unforeseen(scope: &Scope) -> u64 {
    let at_once = scope.limits.iter().find_map(|limit| match limit {
        Limit::AtOnce(most) => Some(*most),
        _ => None,
    });
    let model = &MODELS[scope.model];
    2 * at_once.unwrap_or(0) * (model.input + model.output)
}

/// The most that were with the provider at the same time, for longer than it takes to notice that one is over.
fn at_once(rows: &[&Row], facts: &Facts) -> u64 {
    let markers: std::collections::BTreeSet<&str> = rows.iter().map(|row| row.marker.as_str()).collect();
    let served: Vec<&Served> = facts.served.iter().filter(|served| markers.contains(served.marker.as_str())).collect();
    let mut steps: Vec<(Instant, i64)> = Vec::new();
    for served in served {
        // One that took no longer is not seen to be there at all.
        let until = served.until.checked_sub(NOTICED_WITHIN + 2 * facts.seen.late).filter(|until| *until > served.from);
        if let Some(until) = until {
            steps.extend([(served.from, 1), (until, -1)]);
        }
    }
    steps.sort();
    let (mut now, mut most) = (0, 0);
    for (_, step) in steps {
        now += step;
        most = most.max(now);
    }
    most as u64
}
