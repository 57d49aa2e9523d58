//! A request's record as text.

use std::fmt::Write;

use tollgate_store::record::{Attempt, Outcome, Record, RouteTaken};

use crate::cli::clock::utc;
use crate::diagnosis::diagnose;

#[cfg(test)]
mod tests;

/// Everything about one request.
pub fn whole(record: &Record) -> String {
    let mut out = String::new();
    head(&mut out, record);
    if !record.routes.is_empty() {
        out.push_str("\nRoutes\n");
        record.routes.iter().for_each(|route| route_lines(&mut out, route));
    }
    if !record.attempts.is_empty() {
        out.push_str("\nAttempts\n");
        for (number, attempt) in record.attempts.iter().enumerate() {
            attempt_lines(&mut out, number, record.attempts_left_out, attempt);
        }
    }
    if !record.changes.is_empty() {
        let _ = writeln!(out, "\nChanges\n  {}", record.changes.join(", "));
    }
    usage(&mut out, record);
    if let Some(error) = &record.error {
        let _ = writeln!(out, "\nThe client was told\n  {error}");
    }
    let diagnosis = diagnose(record);
    let _ = writeln!(out, "\nCause\n  {}\n\nNext step\n  {}", diagnosis.cause, diagnosis.next_step);
    out
}

/// One line for a list.
pub fn line(record: &Record) -> String {
    let outcome = match (record.outcome, record.status) {
        (Outcome::Failed, Some(status)) => format!("failed {status}"),
        (outcome, _) => words(outcome).to_string(),
    };
    let time = record.ended_ms.map_or_else(|| "-".to_string(), duration);
    let (id, began, model) = (&record.id, utc(record.began_at_ms), &record.model);
    format!("{id}  {began}  {outcome:<14} {time:>8}  {model}  {}", diagnose(record).cause)
}

fn head(out: &mut String, record: &Record) {
    let took = record.ended_ms.map_or_else(String::new, |ms| format!(" after {}", duration(ms)));
    let status = record.status.map_or_else(String::new, |status| format!(" with {status}"));
    let _ = writeln!(out, "{}  {}{status}{took}", record.id, words(record.outcome));
    let _ = write!(out, "  {} {}", record.method, record.path);
    if !record.model.is_empty() {
        let stream = if record.stream { ", stream" } else { "" };
        let _ = write!(out, "  model {} ({}{stream}, {})", record.model, record.dialect, size(record.request_bytes));
    }
    if !record.client.is_empty() {
        let _ = write!(out, "  from {}", record.client);
    }
    if record.began_at_ms > 0 {
        let _ = write!(out, "\n  began {} UTC", utc(record.began_at_ms));
    }
    if let Some(queue) = &record.queue {
        let _ = write!(out, ", waited {} for its turn at {}", duration(queue.waited_ms), queue.route);
        if let Some(before) = queue.before {
            let _ = write!(out, " ({before} before it)");
        }
    }
    if let Some(ms) = record.first_content_ms {
        let _ = write!(out, ", first content after {}", duration(ms));
    }
    out.push('\n');
}

fn route_lines(out: &mut String, route: &RouteTaken) {
    let _ = writeln!(out, "  {} ({}), at {}", route.route, route.why, duration(route.at_ms));
    for candidate in &route.candidates {
        let model = format!("{}/{}", candidate.provider, candidate.model);
        let _ = writeln!(out, "    {}  {model}  {}", candidate.deployment, candidate.verdict);
    }
}

fn attempt_lines(out: &mut String, index: usize, left_out: u64, attempt: &Attempt) {
    // The first is always kept; what was left out came after it.
    let number = if index == 0 { 1 } else { index as u64 + 1 + left_out };
    let _ =
        writeln!(out, "  {number}. {}  {}/{}  {}", attempt.deployment, attempt.provider, attempt.model, attempt.url);
    let stream = if attempt.stream { ", as a stream" } else { "" };
    let _ = write!(out, "     sent {} at {}{stream}", size(attempt.body_bytes), duration(attempt.began_ms));
    if attempt.continues {
        out.push_str(", going on where another broke off");
    }
    if !attempt.cures.is_empty() {
        let _ = write!(out, ", repaired: {}", attempt.cures.join(", "));
    }
    let since = |ms: u64| duration(ms.saturating_sub(attempt.began_ms));
    if let Some(ms) = attempt.first_byte_ms {
        let _ = write!(out, "; first byte after {}", since(ms));
    }
    match (&attempt.failure, attempt.ended_ms) {
        (None, None) => out.push_str("; under way\n"),
        (None, Some(ms)) => {
            let _ = writeln!(out, "; answered after {}", since(ms));
        }
        (Some(failure), ended) => {
            let status = failure.status.map_or_else(String::new, |status| format!(" ({status})"));
            let after = ended.map_or_else(String::new, |ms| format!(" after {}", since(ms)));
            let _ = writeln!(out, "; failed{after}: {}{status}", failure.kind);
            if !failure.words.is_empty() {
                let _ = writeln!(out, "     the upstream said: {}", failure.words);
            }
            if let Some(ms) = failure.retry_after_ms {
                let _ = writeln!(out, "     it asked for a rest of {}", duration(ms));
            }
            if let Some(id) = &failure.upstream_request_id {
                let _ = writeln!(out, "     its own id: {id}");
            }
        }
    }
    if !attempt.then.is_empty() {
        let _ = writeln!(out, "     then: {}", attempt.then);
    }
}

fn usage(out: &mut String, record: &Record) {
    let usage = &record.usage;
    if usage.input_tokens == 0 && usage.output_tokens == 0 {
        return;
    }
    let _ = write!(
        out,
        "\nUsage\n  {} tokens in ({} of them cached), {} out",
        usage.input_tokens, usage.cached_tokens, usage.output_tokens
    );
    if usage.estimated {
        out.push_str(", partly our own count");
    }
    match record.cost_nanos {
        Some(nanos) => {
            let _ = writeln!(out, "; ${}", tollgate_policy::price::dollars(nanos));
        }
        None => out.push_str("; no price is known\n"),
    }
}

fn words(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::UnderWay => "under way",
        Outcome::Answered => "answered",
        Outcome::Failed => "failed",
        Outcome::ClientWentAway => "client went away",
    }
}

fn duration(ms: u64) -> String {
    match ms {
        0..10_000 => format!("{ms} ms"),
        10_000..600_000 => format!("{}.{} s", ms / 1000, ms % 1000 / 100),
        _ => format!("{} min", ms / 60_000),
    }
}

fn size(bytes: u64) -> String {
    match bytes {
        0..1024 => format!("{bytes} bytes"),
        1024..1_048_576 => format!("{} KB", bytes / 1024),
        _ => format!("{} MB", bytes / 1_048_576),
    }
}
