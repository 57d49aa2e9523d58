use super::*;

fn refused(kind: ErrorKind, retry_after: Option<Duration>) -> Failure {
    Failure::Refused(UpstreamError {
        status: 400,
        kind,
        message: "words".into(),
        code: None,
        param: None,
        overflow: None,
        retry_after,
        temporary: matches!(kind, ErrorKind::RateLimited | ErrorKind::Overloaded),
    })
}

#[test]
fn s26_a_deployment_rests_for_as_long_as_it_asks() {
    let half_a_minute = Duration::from_secs(30);
    assert_eq!(rest(&refused(ErrorKind::RateLimited, Some(half_a_minute))), Some(half_a_minute));
    assert_eq!(rest(&refused(ErrorKind::Overloaded, None)), Some(Duration::ZERO));
    assert_eq!(rest(&Failure::Broken("an end before the end".into())), Some(Duration::ZERO));
}

#[test]
fn what_would_be_refused_again_is_not_asked_again() {
    use ErrorKind::{Authentication, Billing, ContextOverflow, InvalidRequest, NotFound, Permission};
    for kind in [Authentication, Billing, ContextOverflow, InvalidRequest, NotFound, Permission] {
        assert_eq!(rest(&refused(kind, None)), None, "{kind:?}");
    }
    let Failure::Refused(error) = refused(ErrorKind::RateLimited, None) else { unreachable!() };
    let spent_for_today = Failure::Refused(UpstreamError { temporary: false, ..error });
    assert_eq!(rest(&spent_for_today), None);
}
