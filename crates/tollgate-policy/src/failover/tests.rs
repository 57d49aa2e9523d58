use super::*;
use tollgate_dialect::error::Scope;

fn refused(kind: ErrorKind, temporary: bool, retry_after: Option<Duration>) -> Failure {
    Failure::Refused(UpstreamError {
        status: 400,
        kind,
        scope: Scope::Unsaid,
        message: "words".into(),
        code: None,
        param: None,
        overflow: None,
        retry_after,
        temporary,
    })
}

#[test]
fn a_request_that_is_itself_at_fault_is_never_sent_twice() {
    for kind in [ErrorKind::InvalidRequest, ErrorKind::TooLarge] {
        let done = treatment(&refused(kind, false, None));
        assert!(!done.fails_over && !done.retries && done.falls_back.is_none(), "{kind:?}");
    }
}

#[test]
fn what_does_not_fit_or_is_not_allowed_goes_to_the_routes_meant_for_it_and_to_no_other_deployment() {
    let overflow = treatment(&refused(ErrorKind::ContextOverflow, false, None));
    assert_eq!((overflow.fails_over, overflow.retries), (false, false));
    assert_eq!(overflow.falls_back, Some(Trouble::ContextWindow));
    let policy = treatment(&refused(ErrorKind::ContentPolicy, false, None));
    assert_eq!((policy.fails_over, policy.retries), (false, false));
    assert_eq!(policy.falls_back, Some(Trouble::ContentPolicy));
}

#[test]
fn what_would_be_refused_again_goes_elsewhere_and_is_not_asked_again() {
    use ErrorKind::{Authentication, Billing, NotFound, Permission};
    for kind in [Authentication, Billing, NotFound, Permission] {
        let done = treatment(&refused(kind, false, None));
        assert!(done.fails_over && !done.retries, "{kind:?}");
        assert_eq!(done.falls_back, Some(Trouble::General), "{kind:?}");
    }
    // Spent for today.
    assert!(!treatment(&refused(ErrorKind::RateLimited, false, None)).retries);
}

#[test]
fn what_may_pass_is_asked_again() {
    use ErrorKind::{Api, Overloaded, RateLimited, Timeout};
    for kind in [RateLimited, Overloaded, Timeout, Api] {
        assert!(treatment(&refused(kind, true, None)).retries, "{kind:?}");
    }
    let failures =
        [Failure::Unreachable("refused".into()), Failure::TimedOut(Phase::FirstByte), Failure::Broken("cut".into())];
    for failure in failures {
        let done = treatment(&failure);
        assert!(done.fails_over && done.retries, "{failure:?}");
    }
    // A vendor that names a time means that it passes.
    assert!(treatment(&refused(ErrorKind::RateLimited, false, Some(Duration::from_secs(5)))).retries);
}

#[test]
fn s26_the_asked_rest_is_the_upstreams_own() {
    let half_a_minute = Duration::from_secs(30);
    assert_eq!(asked_rest(&refused(ErrorKind::RateLimited, true, Some(half_a_minute))), Some(half_a_minute));
    assert_eq!(asked_rest(&refused(ErrorKind::Authentication, false, Some(half_a_minute))), None);
    assert_eq!(asked_rest(&Failure::Broken("an end before the end".into())), None);
}
