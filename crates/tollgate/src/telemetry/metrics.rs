//! `GET /metrics`: numbers for Prometheus, in its text format (prometheus.io, "Exposition formats", version 0.0.4, seen 2026-11).

mod bounds;

use std::collections::BTreeMap;
use std::fmt::{Display, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::app::{App, Live};
use crate::gate::Gate;

pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Upper bounds of the buckets, in milliseconds.
const BOUNDS_MS: [u64; 12] = [10, 50, 100, 500, 1000, 2500, 5000, 10_000, 30_000, 60_000, 120_000, 300_000];

/// How often something took how long.
#[derive(Default)]
pub struct Histogram {
    /// Each for what its bound holds and the one before does not; the last for all that is longer.
    buckets: [AtomicU64; BOUNDS_MS.len() + 1],
    sum_ms: AtomicU64,
}

impl Histogram {
    pub fn observe(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        let bucket = BOUNDS_MS.iter().position(|bound| ms <= *bound).unwrap_or(BOUNDS_MS.len());
        self.buckets[bucket].fetch_add(1, Ordering::Relaxed);
        self.sum_ms.fetch_add(ms, Ordering::Relaxed);
    }
}

/// The page as it is written.
#[derive(Default)]
struct Page(String);

impl Page {
    /// The head of a family of numbers, before its first one.
    fn family(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP {name} {help}\n# TYPE {name} {kind}");
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        self.0.push_str(name);
        for (n, (label, text)) in labels.iter().enumerate() {
            let text = text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
            let _ = write!(self.0, "{}{label}=\"{text}\"", if n == 0 { '{' } else { ',' });
        }
        let _ = writeln!(self.0, "{} {value}", if labels.is_empty() { "" } else { "}" });
    }

    fn histogram(&mut self, name: &str, route: &str, histogram: &Histogram) {
        let mut count = 0;
        for (n, bucket) in histogram.buckets.iter().enumerate() {
            count += bucket.load(Ordering::Relaxed);
            let bound = BOUNDS_MS.get(n).map_or("+Inf".to_string(), |ms| seconds(*ms));
            self.value(&format!("{name}_bucket"), &[("route", route), ("le", &bound)], count);
        }
        self.value(&format!("{name}_sum"), &[("route", route)], seconds(histogram.sum_ms.load(Ordering::Relaxed)));
        self.value(&format!("{name}_count"), &[("route", route)], count);
    }
}

fn seconds(ms: u64) -> String {
    (ms as f64 / 1000.0).to_string()
}

/// Everything, as it is now.
pub fn page(app: &App, live: &Live) -> String {
    let mut page = Page::default();
    totals(&mut page, app);
    queues(&mut page, live);
    deployments(&mut page, live);
    bounds::write(&mut page, app, live);
    page.0
}

fn totals(page: &mut Page, app: &App) {
    let of = |total: &AtomicU64| total.load(Ordering::Relaxed);
    let totals = &app.totals;
    page.family("tollgate_requests_total", "counter", "Requests that a model has answered.");
    page.value("tollgate_requests_total", &[], of(&totals.requests));
    page.family("tollgate_tokens_total", "counter", "Tokens of prompts and answers.");
    page.value("tollgate_tokens_total", &[("direction", "input")], of(&totals.input_tokens));
    page.value("tollgate_tokens_total", &[("direction", "output")], of(&totals.output_tokens));
    page.family("tollgate_cost_dollars_total", "counter", "Cost, as far as prices are known.");
    page.value("tollgate_cost_dollars_total", &[], tollgate_policy::price::dollars(of(&totals.cost_nanos)));
}

fn queues(page: &mut Page, live: &Live) {
    let deployments = live.config.deployments.iter().zip(&live.abilities);
    let gates: BTreeMap<&str, &Arc<Gate>> = deployments.map(|(d, abilities)| (&*d.group, &abilities.gate)).collect();
    page.family("tollgate_queue_waiting", "gauge", "Requests that wait for their turn.");
    for (route, gate) in &gates {
        page.value("tollgate_queue_waiting", &[("route", route)], gate.waiting());
    }
    let waits = "tollgate_queue_wait_seconds";
    page.family(
        waits,
        "histogram",
        "How long requests have waited whose turn came; those that did not wait are not counted.",
    );
    for (route, gate) in &gates {
        page.histogram(waits, route, &gate.counts.waits);
    }
    let refused = "tollgate_queue_refused_total";
    page.family(refused, "counter", "Requests refused because the queue was full, or after waiting too long.");
    for (route, gate) in &gates {
        let of = |count: &AtomicU64| count.load(Ordering::Relaxed);
        page.value(refused, &[("route", route), ("reason", "full")], of(&gate.counts.refused_full));
        page.value(refused, &[("route", route), ("reason", "too_long")], of(&gate.counts.refused_too_long));
    }
}

fn deployments(page: &mut Page, live: &Live) {
    let standings: Vec<_> = live.config.deployments.iter().zip(&live.abilities).collect();
    let in_flight = "tollgate_requests_in_flight";
    page.family(in_flight, "gauge", "Requests that a deployment carries.");
    for (deployment, abilities) in &standings {
        let labels = [("route", &*deployment.group), ("deployment", &*deployment.id)];
        page.value(in_flight, &labels, abilities.health().in_flight());
    }
    let learned = "tollgate_deployment_learned_limit";
    page.family(learned, "gauge", "Requests at once that a deployment takes, as its rate limits have shown.");
    for (deployment, abilities) in &standings {
        if let Some(most) = abilities.health().learned_limit() {
            page.value(learned, &[("route", &*deployment.group), ("deployment", &*deployment.id)], most);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_histogram_counts_upwards_and_ends_with_all() {
        let histogram = Histogram::default();
        for ms in [10, 11, 600_000] {
            histogram.observe(Duration::from_millis(ms));
        }
        let mut page = Page::default();
        page.histogram("w", "kimi", &histogram);
        for line in [
            "w_bucket{route=\"kimi\",le=\"0.01\"} 1\n",
            "w_bucket{route=\"kimi\",le=\"0.05\"} 2\n",
            "w_bucket{route=\"kimi\",le=\"300\"} 2\n",
            "w_bucket{route=\"kimi\",le=\"+Inf\"} 3\n",
            "w_sum{route=\"kimi\"} 600.021\n",
            "w_count{route=\"kimi\"} 3\n",
        ] {
            assert!(page.0.contains(line), "{line} is not in {}", page.0);
        }
    }

    #[test]
    fn labels_are_escaped_and_a_number_may_have_none() {
        let mut page = Page::default();
        page.family("n", "gauge", "Some number.");
        page.value("n", &[], 1);
        page.value("n", &[("a", "x\"y\\z\n")], 2);
        assert_eq!(page.0, "# HELP n Some number.\n# TYPE n gauge\nn 1\nn{a=\"x\\\"y\\\\z\\n\"} 2\n");
    }
}
