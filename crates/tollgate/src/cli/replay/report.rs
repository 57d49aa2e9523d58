//! A comparison, for people and for programs.

use std::fmt::Write as _;

use serde_json::json;

use super::answer::Call;
use super::compare::{Asked, Comparison, Side};
use super::diff::{Difference, pair, short};

/// Differences of the bodies that are shown.
const MAX_DIFFERENCES: usize = 40;

pub fn json(comparison: &Comparison) -> String {
    let mut value = json!(comparison);
    value["same"] = comparison.same().into();
    format!("{value:#}\n")
}

pub fn text(comparison: &Comparison) -> String {
    let Comparison { request, notes, then, now, .. } = comparison;
    let mut out = format!("{request}\n");
    for note in notes {
        line(&mut out, "note", note);
    }
    line(&mut out, "then", &asked(then.deployment.as_ref()));
    line(&mut out, "now", &asked(now.deployment.as_ref()));
    body(comparison, &mut out);
    outcome(comparison, &mut out);
    rows(then, now, &mut out);
    out
}

fn line(out: &mut String, name: &str, value: &str) {
    writeln!(out, "  {name:<11} {value}").expect("writing to a string");
}

fn asked(asked: Option<&Asked>) -> String {
    asked.map_or("nobody was asked".into(), |a| format!("{}: {}/{} @ {}", a.id, a.provider, a.model, a.url))
}

fn body(comparison: &Comparison, out: &mut String) {
    let Some(differences) = &comparison.body else { return };
    let bytes = |side: &Side| side.deployment.as_ref().map_or(0, |asked| asked.body_bytes);
    out.push_str(&match differences.len() {
        0 => format!("\nBody that went up: the same ({} bytes)\n", bytes(&comparison.now)),
        1 => "\nBody that went up: 1 difference\n".into(),
        n => format!("\nBody that went up: {n} differences\n"),
    });
    for shown in differences.iter().take(MAX_DIFFERENCES).flat_map(Difference::lines) {
        out.push_str(&format!("  {shown}\n"));
    }
    if let more @ 1.. = differences.len().saturating_sub(MAX_DIFFERENCES) {
        out.push_str(&format!("  … and {more} more; --json has all\n"));
    }
}

fn outcome(comparison: &Comparison, out: &mut String) {
    let (then, now) = (&comparison.then.ending, &comparison.now.ending);
    out.push_str(&match comparison.same() {
        true => format!("\nOutcome: the same ({now})\n"),
        false => format!("\nOutcome: different ({then} → {now})\n"),
    });
}

fn rows(then: &Side, now: &Side, out: &mut String) {
    let mut row = |name: &str, of: fn(&Side) -> String| {
        let (before, after) = (of(then), of(now));
        match before == after {
            true if after.is_empty() => {}
            true => line(out, name, &short(&after, 0)),
            false => {
                let (before, after) = pair(&before, &after);
                let or = |text: String| if text.is_empty() { "-".to_string() } else { text };
                let (before, after) = (or(before), or(after));
                if before.len() + after.len() <= 100 {
                    return line(out, name, &format!("{before} → {after}"));
                }
                line(out, name, &before);
                line(out, "", &format!("→ {after}"));
            }
        }
    };
    row("status", |side| side.status.map(|s| s.to_string()).unwrap_or_default());
    row("error", |side| side.error.clone().unwrap_or_default());
    row("stop", |side| side.said.stop.unwrap_or_default().into());
    row("tools", |side| side.said.tools.iter().map(call).collect::<Vec<_>>().join("; "));
    row("thinking", |side| characters(&side.said.thinking));
    row("text", |side| side.said.text.clone());
    row("usage", usage);
    row("changes", |side| side.changes.join(", "));
    row("repaired", |side| side.cures.join(", "));
    row("time", time);
}

fn call(call: &Call) -> String {
    format!("{} {}", call.name, call.input)
}

fn characters(text: &str) -> String {
    if text.is_empty() { String::new() } else { format!("{} characters", text.chars().count()) }
}

fn usage(side: &Side) -> String {
    let usage = &side.usage;
    if *usage == Default::default() {
        return String::new();
    }
    let cached = if usage.cached_tokens > 0 { format!(" ({} cached)", usage.cached_tokens) } else { String::new() };
    let counted = if usage.estimated { ", estimated" } else { "" };
    format!("{} tokens in{cached}, {} out{counted}", usage.input_tokens, usage.output_tokens)
}

fn time(side: &Side) -> String {
    let first = side.first_content_ms.map(|ms| format!("first content after {ms} ms, "));
    side.ended_ms.map_or(String::new(), |ms| format!("{}all after {ms} ms", first.unwrap_or_default()))
}
