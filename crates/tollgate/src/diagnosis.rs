//! From a record to its likely cause and the next step: what somebody at 2 a.m. needs in a minute.

use serde::Serialize;
use tollgate_store::record::{Attempt, Outcome, Record};

#[cfg(test)]
mod tests;

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Diagnosis {
    pub cause: String,
    pub next_step: String,
}

/// What each kind of failure means and what to do. One row each.
const KINDS: &[(&str, &str, &str)] = &[
    (
        "unreachable",
        "no connection to the upstream could be made, or it broke before an answer",
        "check api_base and the network from this machine: `curl -sv URL`; a local model server may not run",
    ),
    (
        "connect_timeout",
        "the upstream did not accept a connection in time",
        "check api_base, firewalls and proxies; a second deployment of the route would take over",
    ),
    (
        "first_byte_timeout",
        "the upstream sent nothing within the limit",
        "raise litellm_params.timeout (or stream_timeout for streams), or add a deployment or fallback that answers faster",
    ),
    (
        "idle_timeout",
        "the upstream's stream went silent for longer than the limit",
        "raise litellm_params.stream_timeout if the model thinks so long, else ask the provider with its request id",
    ),
    (
        "total_timeout",
        "the upstream had not ended its answer in one piece within the limit",
        "raise litellm_params.timeout, ask for a stream, or let force_stream: always stream upstream",
    ),
    (
        "broken_answer",
        "the upstream's answer was none: cut, empty, or not in its dialect",
        "look at the upstream's words above; an HTML page means a wrong api_base; cuts come from proxies in between",
    ),
    (
        "invalid_request",
        "the provider refuses the request itself, so it was sent to nobody else",
        "read the upstream's words; a parameter can be dropped with drop_params or a rewrite rule; `tollgate explain \"TEXT\"` knows many of them",
    ),
    (
        "context_overflow",
        "the conversation is longer than the model's window",
        "let the client compact (Claude Code does so by itself), or set litellm_settings.context_window_fallbacks",
    ),
    (
        "content_policy",
        "the provider refuses what the request says",
        "change the prompt, or set litellm_settings.content_policy_fallbacks",
    ),
    (
        "credential_refused",
        "the provider refuses the gateway's credential",
        "check the deployment's api_key: is the variable set where the gateway runs, is the key still valid, may it use this model?",
    ),
    (
        "no_credit",
        "the provider's account has no money or quota left",
        "add credit with the provider, or add a deployment with another account",
    ),
    (
        "model_gone",
        "the provider does not have this model, or no longer",
        "correct the deployment's model name; the provider's list of models says what there is",
    ),
    ("too_large", "the provider refuses the request for its size", "send less or smaller images and files"),
    (
        "rate_limited",
        "the provider limits the rate of requests or tokens",
        "wait as long as it asks, spread the load over more deployments or credentials, or raise the limit with the provider",
    ),
    (
        "temporarily_unavailable",
        "the provider has no capacity for the model at the moment",
        "add a deployment at another provider to the route, or a fallback",
    ),
    ("upstream_timeout", "the upstream itself gave up waiting", "try again later, or add a fallback"),
    (
        "upstream_error",
        "the upstream failed by its own fault",
        "try again later, add a fallback, and give the provider its request id",
    ),
    (
        "not_sent",
        "the request cannot be said in the target's dialect",
        "drop the named parameter (drop_params: true), or choose a deployment that has it",
    ),
    (
        "resting",
        "every deployment of the route rests because its upstream asked for it",
        "wait for the time in retry-after, or add a deployment or a fallback",
    ),
    (
        "queue_full",
        "the route's deployments have as many requests as they take, and as many wait for their turn as may",
        "add a deployment or a fallback, or raise max_parallel_requests where the provider takes more; tollgate_settings.fair_queue.max_waiting only lets more wait",
    ),
    (
        "queue_timeout",
        "the route's deployments had as many requests as they take for as long as the request might wait",
        "add a deployment or a fallback, or raise max_parallel_requests where the provider takes more; tollgate_settings.fair_queue.max_wait_s lets requests wait longer",
    ),
];

fn kind(word: &str) -> Option<(&'static str, &'static str)> {
    KINDS.iter().find(|(kind, _, _)| *kind == word).map(|(_, meaning, next)| (*meaning, *next))
}

pub fn diagnose(record: &Record) -> Diagnosis {
    match record.outcome {
        Outcome::UnderWay => under_way(record),
        Outcome::Answered => answered(record),
        Outcome::ClientWentAway => went_away(record),
        Outcome::Failed => failed(record),
    }
}

fn said(cause: impl Into<String>, next_step: impl Into<String>) -> Diagnosis {
    Diagnosis { cause: cause.into(), next_step: next_step.into() }
}

fn under_way(record: &Record) -> Diagnosis {
    if let Some(what) = in_queue(record) {
        return said(
            format!("under way: {what}"),
            "wait; GET /metrics shows how many wait, and max_parallel_requests with the providers' rate limits decide how many go at once",
        );
    }
    let Some(attempt) = record.attempts.last() else {
        return said("it has not been sent to a deployment yet", "look again in a moment");
    };
    let what = waiting(record, attempt);
    said(format!("under way: {what}"), "look again in a moment; if it stays so, the upstream is silent")
}

fn in_queue(record: &Record) -> Option<String> {
    let queue = record.queue.as_ref()?;
    let before = queue.before?;
    Some(format!("waiting for its turn at {}, {before} before it, for {} ms so far", queue.route, queue.waited_ms))
}

/// What an attempt that has not ended waits for.
fn waiting(record: &Record, attempt: &Attempt) -> String {
    let deployment = who(attempt);
    match (attempt.ended_ms, attempt.first_byte_ms, record.first_content_ms) {
        (Some(_), _, _) if !attempt.then.is_empty() => attempt.then.clone(),
        (Some(_), _, _) => format!("{deployment} has failed, another is about to be asked"),
        (None, None, _) => format!("waiting for the first byte of {deployment}, asked at {} ms", attempt.began_ms),
        (None, Some(at), None) => format!("{deployment} began to answer at {at} ms, without content yet"),
        (None, Some(_), Some(at)) => format!("{deployment} is answering since {at} ms"),
    }
}

fn answered(record: &Record) -> Diagnosis {
    let failures: Vec<&Attempt> = record.attempts.iter().filter(|attempt| attempt.failure.is_some()).collect();
    let Some(first) = failures.first() else {
        return said("nothing is wrong: the first deployment that was asked has answered", "none");
    };
    let (meaning, next) = of_attempt(first);
    let last = record.attempts.last().map_or_else(String::new, who);
    said(format!("{}: {meaning}; {last} answered in the end", who(first)), next)
}

fn went_away(record: &Record) -> Diagnosis {
    let after = record.ended_ms.unwrap_or(0);
    let of_attempts = || record.attempts.last().map(|attempt| waiting(record, attempt));
    let what = in_queue(record).or_else(of_attempts).unwrap_or_else(|| "nobody was asked yet".to_string());
    let next = match record.first_content_ms {
        None if in_queue(record).is_some() => {
            "if that was the client's time limit: raise it, or let more go at once (max_parallel_requests, a further deployment)"
        }
        None => {
            "if that was the client's time limit: raise it, or lower litellm_params.stream_timeout so that another deployment is asked in time"
        }
        Some(_) => "none, if the user stopped the answer",
    };
    said(format!("the client closed the connection after {after} ms; until then: {what}"), next)
}

fn failed(record: &Record) -> Diagnosis {
    // What the client was told is the first route's failure; its attempt says most.
    let reason = record.reason.as_deref();
    let told = record.attempts.iter().find(|attempt| {
        attempt.failure.as_ref().is_some_and(|failure| reason.is_none_or(|reason| failure.kind == reason))
    });
    match (told, reason.and_then(kind)) {
        (Some(attempt), _) => {
            let (meaning, next) = of_attempt(attempt);
            let others = record.attempts.len() - 1;
            let others = match others {
                0 => String::new(),
                1 => " (one further attempt failed too)".to_string(),
                n => format!(" ({n} further attempts failed too)"),
            };
            said(format!("{}: {meaning}{others}", who(attempt)), next)
        }
        (None, Some((meaning, next))) => said(meaning, next),
        (None, None) => said(
            "the gateway refused the request before asking a deployment",
            "the error's message says what to change and which setting decides",
        ),
    }
}

/// An id alone, which may be a hash, says little to people.
fn who(attempt: &Attempt) -> String {
    match attempt.model.as_str() {
        "" => attempt.deployment.clone(),
        model => format!("{} ({}/{model})", attempt.deployment, attempt.provider),
    }
}

fn of_attempt(attempt: &Attempt) -> (String, String) {
    let Some(failure) = &attempt.failure else { return (String::new(), String::new()) };
    let (meaning, next) = kind(&failure.kind).unwrap_or(("it failed", "look at the upstream's words"));
    let status = failure.status.map(|status| format!(" (status {status})")).unwrap_or_default();
    (format!("{meaning}{status}"), next.to_string())
}
