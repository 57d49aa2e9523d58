//! A capture as it is.

use std::fmt::Write as _;

use serde_json::Value;
use tollgate_store::capture::{Body, Capture, Exchange};
use tollgate_store::record::Outcome;

use super::super::CliError;
use crate::cli::clock::utc;

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
