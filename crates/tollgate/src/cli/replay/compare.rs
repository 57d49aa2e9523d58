//! A request then and now.

use serde::Serialize;
use serde_json::Value;
use tollgate_dialect::quirks::Quirks;
use tollgate_store::capture::{Capture, Exchange};
use tollgate_store::record::{self, Record, Usage};

use super::answer::Said;
use super::diff::{self, Difference};

#[derive(Debug, Serialize)]
pub struct Comparison {
    pub request: String,
    /// What became of the captured body: it may not be what the client sent.
    pub notes: Vec<String>,
    pub then: Side,
    pub now: Side,
    /// Of the bodies that went up; `None`: there is one at most.
    pub body: Option<Vec<Difference>>,
}

#[derive(Debug, Default, Serialize)]
pub struct Side {
    /// `None`: nobody was asked.
    pub deployment: Option<Asked>,
    pub ending: Ending,
    /// What the client was answered.
    pub status: Option<u16>,
    pub error: Option<String>,
    pub said: Said,
    pub usage: Usage,
    pub changes: Vec<String>,
    pub cures: Vec<String>,
    pub first_content_ms: Option<u64>,
    pub ended_ms: Option<u64>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Asked {
    pub id: String,
    pub provider: String,
    pub model: String,
    pub url: String,
    pub body_bytes: u64,
}

/// How it ended; two of the same kind are equal.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    Answered,
    Failed {
        /// The word of the record: `rate_limited`, `unreachable` …; empty: it was refused before anyone was asked.
        kind: String,
        status: Option<u16>,
    },
    #[default]
    ClientWentAway,
}

impl Comparison {
    pub fn same(&self) -> bool {
        self.then.ending == self.now.ending
    }
}

/// `deployment`: whose attempt of then is meant, if it had one; else the last. `quirks` by deployment.
pub fn compare(then: &Capture, now: &Capture, deployment: Option<&str>, quirks: &[(String, Quirks)]) -> Comparison {
    let of = |exchange: &Exchange| Some(exchange.attempt.deployment.as_str()) == deployment;
    let meant = then.exchanges.iter().rposition(of).map_or(then.exchanges.len(), |at| at + 1);
    let (before, after) = (&then.exchanges[..meant], &now.exchanges[..]);
    let json = |exchange: &Exchange| {
        let text = exchange.body.text();
        serde_json::from_str(&text).unwrap_or_else(|_| Value::String(text.into_owned()))
    };
    Comparison {
        request: then.record.id.clone(),
        notes: then.notes.clone(),
        then: side(then, before, quirks),
        now: side(now, after, quirks),
        body: before.last().zip(after.last()).map(|(before, after)| diff::diff(&json(before), &json(after))),
    }
}

/// `exchanges`: up to the one that is compared.
fn side(capture: &Capture, exchanges: &[Exchange], quirks: &[(String, Quirks)]) -> Side {
    let record = &capture.record;
    let Some(Exchange { attempt, .. }) = exchanges.last() else { return of_request(record, None) };
    let is_last = exchanges.len() == capture.exchanges.len();
    let side = match &attempt.failure {
        Some(failure) if !is_last => Side {
            ending: Ending::of(failure),
            status: failure.status,
            error: Some(failure.words.clone()),
            ended_ms: attempt.ended_ms.map(|ended| ended.saturating_sub(attempt.began_ms)),
            ..Side::default()
        },
        _ => of_request(record, attempt.failure.as_ref()),
    };
    Side {
        deployment: Some(Asked {
            id: attempt.deployment.clone(),
            provider: attempt.provider.clone(),
            model: attempt.model.clone(),
            url: attempt.url.clone(),
            body_bytes: attempt.body_bytes,
        }),
        said: said(exchanges, quirks),
        cures: attempt.cures.clone(),
        ..side
    }
}

/// What an answer says, with the text that it goes on from.
fn said(exchanges: &[Exchange], quirks: &[(String, Quirks)]) -> Said {
    let of = |exchange: &Exchange| {
        let own = quirks.iter().find(|(id, _)| *id == exchange.attempt.deployment);
        Said::of(exchange, &own.map(|(_, quirks)| quirks.clone()).unwrap_or_default())
    };
    let Some((last, earlier)) = exchanges.split_last() else { return Said::default() };
    let mut said = of(last);
    if last.attempt.continues {
        let begins = earlier.iter().rposition(|exchange| !exchange.attempt.continues).unwrap_or(0);
        let before: String = earlier[begins..].iter().map(|exchange| of(exchange).text).collect();
        said.text.insert_str(0, &before);
    }
    said
}

/// The request as a whole, whose last attempt failed in this way.
fn of_request(record: &Record, failure: Option<&record::AttemptFailure>) -> Side {
    let ending = match record.outcome {
        record::Outcome::Answered => Ending::Answered,
        record::Outcome::ClientWentAway | record::Outcome::UnderWay => Ending::ClientWentAway,
        record::Outcome::Failed => match failure {
            Some(failure) => Ending::of(failure),
            None => Ending::Failed { kind: String::new(), status: record.status },
        },
    };
    Side {
        ending,
        status: record.status,
        error: record.error.clone(),
        usage: record.usage,
        changes: record.changes.clone(),
        first_content_ms: record.first_content_ms,
        ended_ms: record.ended_ms,
        ..Side::default()
    }
}

impl Ending {
    fn of(failure: &record::AttemptFailure) -> Ending {
        Ending::Failed { kind: failure.kind.clone(), status: failure.status }
    }
}

impl std::fmt::Display for Ending {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Ending::Answered => f.write_str("answered"),
            Ending::ClientWentAway => f.write_str("the client went away"),
            Ending::Failed { kind, status } => {
                let kind = if kind.is_empty() { "before anyone was asked" } else { kind };
                match status {
                    Some(status) => write!(f, "failed ({kind}, status {status})"),
                    None => write!(f, "failed ({kind})"),
                }
            }
        }
    }
}
