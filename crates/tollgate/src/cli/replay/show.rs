//! A capture as it is.

use std::fmt::Write as _;

use serde_json::Value;
use tollgate_store::capture::{Body, Capture, Exchange};
use tollgate_store::record::Outcome;

use super::super::CliError;

pub fn json(capture: &Capture) -> Result<String, CliError> {
    let text = serde_json::to_string_pretty(capture).map_err(|error| CliError::failure(error.to_string()))?;
    Ok(text + "\n")
}

pub fn text(capture: &Capture) -> String {
    let mut out = String::new();
    write(capture, &mut out).expect("writing to a string");
    out
}

fn write(capture: &Capture, out: &mut String) -> std::fmt::Result {
    let record = &capture.record;
    writeln!(out, "{}  {}  {} {}", record.id, utc(record.began_at_ms), record.method, record.path)?;
    let outcome = match record.outcome {
        Outcome::Answered => "answered",
        Outcome::Failed => "failed",
        Outcome::ClientWentAway => "the client went away",
        Outcome::UnderWay => "under way",
    };
    let status = record.status.map(|status| format!(", status {status}")).unwrap_or_default();
    let time = record.ended_ms.map(|ms| format!(", {ms} ms")).unwrap_or_default();
    let error = record.error.as_ref().map(|error| format!(": {error}")).unwrap_or_default();
    let stream = if record.stream { ", streamed" } else { "" };
    writeln!(out, "  model    {} ({}{stream})", record.model, record.dialect)?;
    writeln!(out, "  outcome  {outcome}{status}{time}{error}")?;
    if !record.changes.is_empty() {
        writeln!(out, "  changes  {}", record.changes.join(", "))?;
    }
    for note in &capture.notes {
        writeln!(out, "  note     {note}")?;
    }
    writeln!(out, "\nThe client sent")?;
    headers(&capture.headers, out)?;
    body(&capture.body, out)?;
    for (number, exchange) in capture.exchanges.iter().enumerate() {
        attempt(number + 1, exchange, out)?;
    }
    Ok(())
}

fn attempt(number: usize, exchange: &Exchange, out: &mut String) -> std::fmt::Result {
    let attempt = &exchange.attempt;
    writeln!(
        out,
        "\nAttempt {number}: {}, {}/{} @ {}",
        attempt.deployment, attempt.provider, attempt.model, attempt.url
    )?;
    if let Some(failure) = &attempt.failure {
        writeln!(out, "  failed: {} {}", failure.kind, failure.words)?;
    }
    if !attempt.then.is_empty() {
        writeln!(out, "  then: {}", attempt.then)?;
    }
    writeln!(out, "\nWhat went up ({})", exchange.dialect)?;
    body(&exchange.body, out)?;
    let Some(answer) = &exchange.answer else { return writeln!(out, "\nNothing came back") };
    writeln!(out, "\nWhat came back: status {}", answer.status)?;
    headers(&answer.headers, out)?;
    writeln!(out, "{}", answer.raw.trim_end())?;
    if answer.left_out_bytes > 0 {
        writeln!(out, "… and {} bytes that were too many to keep", answer.left_out_bytes)?;
    }
    if answer.broke_off {
        writeln!(out, "(here the connection broke)")?;
    }
    Ok(())
}

fn headers(headers: &[(String, String)], out: &mut String) -> std::fmt::Result {
    headers.iter().try_for_each(|(name, value)| writeln!(out, "  {name}: {value}"))
}

fn body(body: &Body, out: &mut String) -> std::fmt::Result {
    let text = body.text();
    match serde_json::from_str::<Value>(&text) {
        Ok(json) => writeln!(out, "{json:#}"),
        Err(_) => writeln!(out, "{text}"),
    }
}

/// Milliseconds since 1970 as a date and a time of day, UTC.
fn utc(ms: u64) -> String {
    let (days, of_day) = (ms / 86_400_000, ms % 86_400_000);
    // Years begin in March, so that a leap day is the last of its year; eras have 400 years.
    let day = days + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = (year + era * 400 + u64::from(month >= 10), if month < 10 { month + 3 } else { month - 9 });
    let (hour, minute, second) = (of_day / 3_600_000, of_day / 60_000 % 60, of_day / 1000 % 60);
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{:03}Z", of_day % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By `date -u -d @SECONDS`.
    #[test]
    fn times_are_dates() {
        assert_eq!(utc(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(utc(951_782_400_000), "2000-02-29T00:00:00.000Z");
        assert_eq!(utc(1_772_323_199_999), "2026-02-28T23:59:59.999Z");
        assert_eq!(utc(1_772_323_200_000), "2026-03-01T00:00:00.000Z");
    }
}
