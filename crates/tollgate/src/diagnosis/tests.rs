use super::*;
use tollgate_dialect::error::{ErrorKind, Scope, UpstreamError};
use tollgate_policy::failover::{Failure, Phase, reason};
use tollgate_store::record::AttemptFailure;

fn attempt(deployment: &str, kind: Option<&str>) -> Attempt {
    Attempt {
        deployment: deployment.into(),
        ended_ms: Some(9),
        failure: kind.map(|kind| AttemptFailure { kind: kind.into(), status: Some(500), ..Default::default() }),
        ..Attempt::default()
    }
}

#[test]
fn every_kind_of_failure_has_a_cause_and_a_next_step() {
    let error = |kind| {
        Failure::Refused(UpstreamError {
            status: 400,
            kind,
            scope: Scope::Unsaid,
            message: String::new(),
            code: None,
            param: None,
            overflow: None,
            retry_after: None,
            temporary: false,
        })
    };
    use ErrorKind::*;
    let kinds = [
        InvalidRequest,
        ContextOverflow,
        ContentPolicy,
        Authentication,
        Billing,
        Permission,
        NotFound,
        TooLarge,
        RateLimited,
        Overloaded,
        Timeout,
        Api,
    ];
    let mut failures: Vec<Failure> = kinds.into_iter().map(error).collect();
    failures.extend([Phase::Connect, Phase::FirstByte, Phase::Idle, Phase::Total].map(Failure::TimedOut));
    failures.extend([Failure::Unreachable(String::new()), Failure::Broken(String::new())]);
    for failure in failures {
        assert!(kind(reason(&failure)).is_some(), "{failure:?}");
    }
}

#[test]
fn the_cause_of_a_failure_is_that_of_the_route_asked_first() {
    let record = Record {
        outcome: Outcome::Failed,
        reason: Some("rate_limited".into()),
        attempts: vec![attempt("a", Some("rate_limited")), attempt("b", Some("upstream_error"))],
        ..Record::default()
    };
    let found = diagnose(&record);
    assert!(found.cause.starts_with("a: the provider limits the rate"), "{found:?}");
    assert!(found.cause.ends_with("(one further attempt failed too)"), "{found:?}");
}

#[test]
fn an_answer_after_failures_names_the_failure_and_who_answered() {
    let record = Record {
        outcome: Outcome::Answered,
        attempts: vec![attempt("a", Some("first_byte_timeout")), attempt("b", None)],
        ..Record::default()
    };
    let found = diagnose(&record);
    assert_eq!(found.cause, "a: the upstream sent nothing within the limit (status 500); b answered in the end");
}

#[test]
fn what_a_request_under_way_waits_for_is_said() {
    let mut record = Record {
        attempts: vec![Attempt { deployment: "a".into(), began_ms: 3, ..Attempt::default() }],
        ..Record::default()
    };
    assert_eq!(diagnose(&record).cause, "under way: waiting for the first byte of a, asked at 3 ms");
    record.attempts[0].first_byte_ms = Some(50);
    record.first_content_ms = Some(60);
    assert_eq!(diagnose(&record).cause, "under way: a is answering since 60 ms");
    record.outcome = Outcome::ClientWentAway;
    record.ended_ms = Some(900);
    assert!(diagnose(&record).cause.starts_with("the client closed the connection after 900 ms"));
}
