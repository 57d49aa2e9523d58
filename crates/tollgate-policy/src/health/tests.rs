use super::*;
use tollgate_dialect::error::{Scope, UpstreamError};

fn refused(kind: ErrorKind, temporary: bool, retry_after_s: Option<u64>) -> Failure {
    Failure::Refused(UpstreamError {
        status: 429,
        kind,
        scope: Scope::Unsaid,
        message: "slow down".into(),
        code: None,
        param: None,
        overflow: None,
        retry_after: retry_after_s.map(Duration::from_secs),
        temporary,
    })
}

fn broken() -> Failure {
    Failure::Broken("cut".into())
}

fn resting(health: &Health, now_ms: u64) -> Option<(RestReason, u64)> {
    health.rest(now_ms).map(|rest| (rest.reason, rest.until_ms - now_ms))
}

#[test]
fn s26_a_deployment_rests_as_long_as_the_upstream_asks_and_nothing_ends_that() {
    let mut health = Health::default();
    health.failed(1000, &refused(ErrorKind::RateLimited, true, Some(30)), &RestRules::default());
    assert_eq!(resting(&health, 1000), Some((RestReason::Asked, 30_000)));
    assert_eq!(health.rest(1000).unwrap().failure.words, "slow down");
    // Neither a shorter rest, nor an answer that was already under way.
    health.failed(2000, &refused(ErrorKind::RateLimited, true, Some(1)), &RestRules::default());
    health.answered(3000, 10);
    assert_eq!(resting(&health, 3000), Some((RestReason::Asked, 28_000)));
    assert_eq!(resting(&health, 31_000), None);
}

#[test]
fn what_an_upstream_asks_for_is_kept_also_where_cooldowns_are_off() {
    let rules = RestRules { disabled: true, ..RestRules::default() };
    let mut health = Health::default();
    assert!(health.failed(0, &refused(ErrorKind::RateLimited, true, Some(30)), &rules).is_some());
    let mut health = Health::default();
    assert!(health.failed(0, &refused(ErrorKind::RateLimited, true, None), &rules).is_none());
    for _ in 0..10 {
        assert!(health.failed(0, &broken(), &rules).is_none());
    }
}

#[test]
fn failures_are_borne_up_to_a_number_within_a_minute_and_rests_in_a_row_double() {
    let rules = RestRules::default();
    let mut health = Health::default();
    let mut now = 0;
    for expected in [5_000, 10_000, 20_000] {
        for _ in 0..3 {
            assert!(health.failed(now, &broken(), &rules).is_none());
        }
        health.failed(now, &broken(), &rules);
        assert_eq!(resting(&health, now), Some((RestReason::Failing, expected)));
        now += 30_000;
    }
    health.answered(now, 1);
    for _ in 0..4 {
        health.failed(now, &broken(), &rules);
    }
    assert_eq!(resting(&health, now), Some((RestReason::Failing, 5_000)), "an answer ends the row");
}

#[test]
fn failures_of_different_minutes_do_not_add_up() {
    let mut health = Health::default();
    for minute in 0..10 {
        for _ in 0..3 {
            assert!(health.failed(minute * MINUTE_MS, &broken(), &RestRules::default()).is_none());
        }
    }
}

#[test]
fn an_answer_ends_a_rest_that_was_only_guessed() {
    let mut health = Health::default();
    health.failed(0, &refused(ErrorKind::NotFound, false, None), &RestRules::default());
    assert_eq!(resting(&health, 0), Some((RestReason::Gone, 600_000)));
    health.answered(1, 1);
    assert_eq!(resting(&health, 1), None);
}

#[test]
fn what_the_upstream_asks_for_does_not_end_a_longer_guess() {
    let mut health = Health::default();
    health.failed(0, &refused(ErrorKind::NotFound, false, None), &RestRules::default());
    health.failed(0, &refused(ErrorKind::RateLimited, true, Some(30)), &RestRules::default());
    assert_eq!(resting(&health, 0), Some((RestReason::Asked, 30_000)));
    assert_eq!(resting(&health, 30_000), Some((RestReason::Gone, 570_000)));
}

fn rest(reason: RestReason, until_ms: u64) -> Rest {
    Rest { until_ms, reason, failure: RestFailure::default() }
}

#[test]
fn another_replica_can_lengthen_a_rest_and_never_shorten_it() {
    for reason in [RestReason::Failing, RestReason::Asked] {
        let mut health = Health::default();
        health.begin_rest(rest(reason, 20_000));
        health.told(rest(reason, 5_000));
        assert_eq!(resting(&health, 0), Some((reason, 20_000)));
        health.told(rest(reason, 60_000));
        assert_eq!(resting(&health, 0), Some((reason, 60_000)));
    }
}

#[test]
fn what_another_replica_guessed_ends_with_its_word_and_our_own_guess_stays() {
    let mut health = Health::default();
    health.begin_rest(rest(RestReason::Failing, 5_000));
    health.told(rest(RestReason::Gone, 60_000));
    health.told_over();
    assert_eq!(resting(&health, 0), Some((RestReason::Failing, 5_000)));
    health.told(rest(RestReason::Asked, 60_000));
    health.told_over();
    assert_eq!(resting(&health, 0), Some((RestReason::Asked, 60_000)));
}

#[test]
fn an_answer_tells_whether_it_ended_a_rest() {
    let mut health = Health::default();
    assert!(!health.answered(0, 1));
    health.told(rest(RestReason::Gone, 60_000));
    assert!(health.answered(1, 1));
    assert_eq!(resting(&health, 1), None);
    health.begin_rest(rest(RestReason::Failing, 5_000));
    assert!(!health.answered(5_000, 1), "it was over by itself");
    health.begin_rest(rest(RestReason::Asked, 60_000));
    assert!(!health.answered(6_000, 1));
}

#[test]
fn the_last_failure_is_the_deployments_and_not_a_requests() {
    let mut health = Health::default();
    health.failed(5, &broken(), &RestRules::default());
    health.failed(6, &refused(ErrorKind::InvalidRequest, false, None), &RestRules::default());
    let last = health.last_failure().unwrap();
    assert_eq!((last.at_ms, last.failure.words.as_str()), (5, "cut"));
}

#[test]
fn what_the_headers_say_to_be_used_up_is_left_alone_although_the_answer_was_good() {
    let mut health = Health::default();
    let reset = Duration::from_secs(20);
    let spent = headroom::Spent { reset, next: reset };
    health.remains(0, 0, &headroom::Remaining { requests: Some(0), spent: Some(spent) });
    health.answered(5_000, 100);
    assert_eq!(resting(&health, 5_000), Some((RestReason::Spent, 15_000)));
    assert!(!RestReason::Spent.is_binding());
}

#[test]
fn a_refused_key_is_the_deployments_affair_only_where_the_words_name_the_model() {
    for kind in [ErrorKind::Authentication, ErrorKind::Billing] {
        for (scope, reason) in
            [(Scope::Unsaid, None), (Scope::Account, None), (Scope::Model, Some(RestReason::Credential))]
        {
            let Failure::Refused(error) = refused(kind, false, None) else { unreachable!() };
            let failure = Failure::Refused(UpstreamError { scope, ..error });
            let rest = Health::default().failed(0, &failure, &RestRules::default());
            assert_eq!(rest.map(|rest| rest.reason), reason, "{scope:?}");
        }
    }
}

#[test]
fn of_a_deployments_rest_and_its_credentials_the_longer_counts_and_what_was_asked_for_before_all() {
    use RestReason::{Account, Asked, Failing};
    let row = |own: Option<(RestReason, u64)>, of_credential: Option<u64>| {
        let standing = Standing { rest: own.map(|(reason, until_ms)| rest(reason, until_ms)), ..Standing::default() };
        let of_credential = of_credential.map(|until_ms| rest(Account, until_ms));
        standing.with_credential(of_credential.as_ref()).rest.map(|rest| (rest.reason, rest.until_ms))
    };
    assert_eq!(row(None, None), None);
    assert_eq!(row(None, Some(5)), Some((Account, 5)));
    assert_eq!(row(Some((Failing, 9)), Some(5)), Some((Failing, 9)));
    assert_eq!(row(Some((Failing, 4)), Some(5)), Some((Account, 5)));
    assert_eq!(row(Some((Asked, 4)), Some(5)), Some((Asked, 4)));
}

#[test]
fn a_request_that_is_at_fault_says_nothing_about_the_deployment() {
    let mut health = Health::default();
    for _ in 0..100 {
        let fault = refused(ErrorKind::InvalidRequest, false, None);
        assert!(health.failed(0, &fault, &RestRules::default()).is_none());
    }
}

#[test]
fn a_class_can_have_a_number_of_failures_of_its_own() {
    let rules = RestRules { allowed_fails_by_class: vec![(Class::Timeout, 0)], ..RestRules::default() };
    let mut health = Health::default();
    assert!(health.failed(0, &Failure::TimedOut(crate::failover::Phase::FirstByte), &rules).is_some());
}

#[test]
fn a_rate_limit_shows_how_many_requests_at_once_are_too_many() {
    let mut health = Health::default();
    for _ in 0..16 {
        assert!(health.take_slot(0));
    }
    assert!(health.has_room(0));
    assert_eq!(health.standing(0).learned_limit, None);
    health.failed(0, &refused(ErrorKind::RateLimited, true, None), &RestRules::default());
    health.give_slot_back();
    assert_eq!(health.standing(0).learned_limit, Some(15));
    assert!(!health.has_room(0) && health.standing(0).full);
    health.give_slot_back();
    assert!(health.has_room(0) && !health.standing(0).full);
}

#[test]
fn the_smaller_of_the_configured_and_the_learned_limit_holds() {
    let mut health = Health::default();
    health.limit(Limits { parallel: Some(2), ..Limits::default() });
    assert!(health.take_slot(0) && health.take_slot(0));
    assert!(!health.has_room(0) && !health.take_slot(0));
    health.failed(0, &refused(ErrorKind::RateLimited, true, None), &RestRules::default());
    health.give_slot_back();
    assert!(!health.has_room(0), "two at once were refused");
}

#[test]
fn what_rests_or_has_used_up_its_minute_is_not_ready_and_only_a_rest_that_was_asked_for_bars() {
    let mut health = Health::default();
    assert!(health.is_ready(0) && health.is_usable(0));
    health.begin_rest(rest(RestReason::Failing, 10));
    assert!(!health.is_ready(0) && health.is_usable(0) && health.is_ready(10));
    health.begin_rest(rest(RestReason::Asked, 20));
    assert!(!health.is_usable(10) && health.is_usable(20));
    health.limit(Limits { tokens: Some(100), ..Limits::default() });
    health.answered(20, 100);
    assert!(!health.is_ready(20) && health.is_usable(20) && health.is_ready(60_020));
}

#[test]
fn a_slow_answer_counts_at_once_and_is_forgotten_slowly() {
    let mut health = Health::default();
    health.answering(0, Duration::from_millis(100));
    health.answering(0, Duration::from_millis(2000));
    assert_eq!(health.standing(0).latency_ms, 2000.0);
    // After the decay time the old value has a weight of 1/e: 2000/e + 100(1 - 1/e) = 798.9.
    health.answering(10_000, Duration::from_millis(100));
    assert!((health.standing(0).latency_ms - 798.97).abs() < 0.1, "{}", health.standing(0).latency_ms);
}

#[test]
fn requests_and_tokens_are_counted_by_the_minute() {
    let mut health = Health::default();
    for at_ms in [1000, 3000] {
        assert!(health.take_slot(0));
        health.began(at_ms);
        health.answered(at_ms + 500, 250);
    }
    let standing = health.standing(4000);
    assert_eq!((standing.in_flight, standing.tokens_this_minute, standing.over_its_minute), (2, 500, false));
    health.limit(Limits { requests: Some(2), ..Limits::default() });
    assert!(health.standing(4000).over_its_minute);
    assert!(!health.standing(70_000).over_its_minute);
}

#[test]
fn every_reason_has_a_word_of_its_own() {
    use RestReason::*;
    for reason in [Asked, RateLimited, Spent, Failing, Credential, Account, CredentialFailing, Gone] {
        assert_eq!(RestReason::from_word(reason.word()), Some(reason));
    }
}
