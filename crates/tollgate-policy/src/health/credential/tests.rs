use super::*;
use crate::failover::{Class, Phase};
use tollgate_dialect::error::UpstreamError;

const RULES: fn() -> RestRules = RestRules::default;

fn refused(status: u16, kind: ErrorKind, scope: Scope) -> Failure {
    Failure::Refused(UpstreamError {
        status,
        kind,
        scope,
        message: "no".into(),
        code: None,
        param: None,
        overflow: None,
        retry_after: None,
        temporary: status == 429 || status >= 500,
    })
}

fn broken() -> Failure {
    refused(500, ErrorKind::Api, Scope::Unsaid)
}

fn limited(scope: Scope) -> Failure {
    refused(429, ErrorKind::RateLimited, scope)
}

fn forbidden(scope: Scope) -> Failure {
    refused(403, ErrorKind::Permission, scope)
}

/// The credential fails with a model while another one at the address works.
fn fails(credential: &mut CredentialHealth, now_ms: u64, model: &str, failure: &Failure) -> Option<(RestReason, u64)> {
    let failed = Failed { model, failure, others_worked_at_ms: Some(now_ms) };
    credential.failed(now_ms, &failed, &RULES()).map(|rest| (rest.reason, rest.until_ms - now_ms))
}

/// Models fail one after the other, a second apart: the number of the failure with which the credential rests, from 1.
fn rests_with(failure: &Failure, models: &str) -> Option<(usize, RestReason)> {
    let mut credential = CredentialHealth::default();
    models.chars().enumerate().find_map(|(n, model)| {
        let rest = fails(&mut credential, n as u64 * 1000, &model.to_string(), failure)?;
        Some((n + 1, rest.0))
    })
}

#[test]
fn what_is_said_of_the_account_rests_the_credential_at_once_and_what_is_said_of_a_model_never() {
    use RestReason::{Account, Credential};
    let rows = [
        (limited(Scope::Account), Some((1, Account))),
        (limited(Scope::Unsaid), Some((4, Account))),
        (limited(Scope::Model), None),
        (forbidden(Scope::Account), Some((1, Credential))),
        (forbidden(Scope::Unsaid), Some((4, Credential))),
        (forbidden(Scope::Model), None),
        (refused(401, ErrorKind::Authentication, Scope::Unsaid), Some((1, Credential))),
        (refused(402, ErrorKind::Billing, Scope::Unsaid), Some((1, Credential))),
        (refused(429, ErrorKind::Billing, Scope::Model), None),
        (refused(404, ErrorKind::NotFound, Scope::Unsaid), None),
        (refused(400, ErrorKind::InvalidRequest, Scope::Unsaid), None),
    ];
    for (failure, expected) in rows {
        assert_eq!(rests_with(&failure, "aaabbb"), expected, "{failure:?}");
    }
}

#[test]
fn failures_rest_the_credential_when_more_are_not_borne_and_no_single_model_makes_them() {
    let failing = |n| Some((n, RestReason::CredentialFailing));
    // Three failures are borne; two of one model count.
    let rows = [
        ("aaaaaaaaaa", None),
        ("abab", failing(4)),
        ("aabb", failing(4)),
        ("abcd", failing(4)),
        ("aaaaab", None),
        ("aaaaabb", failing(7)),
        ("aaabc", failing(5)),
    ];
    let all = [broken(), Failure::Unreachable("x".into()), Failure::Broken("x".into()), Failure::TimedOut(Phase::Idle)];
    for failure in all {
        for (models, expected) in rows {
            assert_eq!(rests_with(&failure, models), expected, "{models}");
        }
    }
    assert_eq!(rests_with(&refused(500, ErrorKind::Api, Scope::Model), "abababab"), None);
}

#[test]
fn how_many_failures_are_borne_is_the_configurations_and_the_classs() {
    let rules = RestRules { allowed_fails: 9, allowed_fails_by_class: vec![(Class::Timeout, 0)], ..RULES() };
    let mut credential = CredentialHealth::default();
    let timed_out = Failure::TimedOut(Phase::FirstByte);
    let mut fails = |now_ms, model, failure| {
        credential.failed(now_ms, &Failed { model, failure, others_worked_at_ms: Some(now_ms) }, &rules).is_some()
    };
    // None is borne, and still one model is not the credential.
    assert_eq!([fails(0, "b", &timed_out), fails(0, "b", &timed_out)], [false, false]);
    assert_eq!([fails(0, "a", &broken()), fails(1, "b", &broken()), fails(2, "b", &timed_out)], [false, false, true]);
}

#[test]
fn where_no_other_credential_works_at_the_address_it_is_the_provider() {
    for (others_worked_at_ms, rests) in [(None, false), (Some(999), false), (Some(1000), true)] {
        let mut credential = CredentialHealth::default();
        let mut rested = false;
        // `b` begins to fail at 1000.
        for (n, model) in ["a", "b", "a", "b", "a", "b"].into_iter().enumerate() {
            let failed = Failed { model, failure: &broken(), others_worked_at_ms };
            rested |= credential.failed(n as u64 * 1000, &failed, &RULES()).is_some();
        }
        assert_eq!(rested, rests, "{others_worked_at_ms:?}");
    }
}

#[test]
fn an_answer_to_any_model_ends_the_row() {
    for failure in [broken(), limited(Scope::Unsaid), forbidden(Scope::Unsaid)] {
        let mut credential = CredentialHealth::default();
        for (n, model) in "abababab".chars().enumerate() {
            assert_eq!(fails(&mut credential, n as u64 * 10, &model.to_string(), &failure), None, "{failure:?}");
            credential.answered(n as u64 * 10 + 5, n as u64 * 10 + 2);
        }
        // One to a request that was sent before says nothing.
        fails(&mut credential, 100, "a", &failure);
        fails(&mut credential, 100, "a", &failure);
        credential.answered(110, 99);
        let rests = [101, 102].map(|now_ms| fails(&mut credential, now_ms, "b", &failure)).into_iter().flatten();
        assert_eq!(rests.count(), 1, "{failure:?}");
    }
}

#[test]
fn failures_that_are_far_apart_do_not_add_up() {
    for (failure, ms) in [(limited(Scope::Unsaid), 10_000), (forbidden(Scope::Unsaid), 60_000)] {
        for (apart, rests) in [(ms - 1, true), (ms, false)] {
            let mut credential = CredentialHealth::default();
            fails(&mut credential, 5, "a", &failure);
            assert_eq!(fails(&mut credential, 5 + apart, "b", &failure).is_some(), rests, "{failure:?} {apart}");
        }
    }
}

#[test]
fn rests_grow_until_an_answer_and_not_by_what_was_under_way() {
    for (failure, lengths) in [
        (limited(Scope::Account), [5_000, 10_000, 20_000, 40_000]),
        (refused(401, ErrorKind::Authentication, Scope::Unsaid), [60_000, 120_000, 240_000, 300_000]),
    ] {
        let reason = if matches!(failure, Failure::Refused(ref e) if e.status == 429) {
            RestReason::Account
        } else {
            RestReason::Credential
        };
        let mut credential = CredentialHealth::default();
        let mut now = 0;
        for length in lengths {
            assert_eq!(fails(&mut credential, now, "a", &failure), Some((reason, length)));
            assert!(fails(&mut credential, now, "b", &failure).is_none(), "it rests already");
            now += length;
            assert_eq!(credential.rest(now), None);
        }
        credential.answered(now, now);
        assert_eq!(fails(&mut credential, now, "a", &failure), Some((reason, lengths[0])));
    }
}

#[test]
fn what_the_upstream_names_is_the_length_and_what_lasts_the_day_is_long() {
    let Failure::Refused(error) = limited(Scope::Account) else { unreachable!() };
    let wait = |seconds| UpstreamError { retry_after: Some(Duration::from_secs(seconds)), ..error.clone() };
    let today = UpstreamError { temporary: false, ..error.clone() };
    // A guess about the other models is never longer than 300 s.
    for (error, length) in [(wait(20), 20_000), (wait(7200), 300_000), (today, 300_000)] {
        let mut credential = CredentialHealth::default();
        let failure = Failure::Refused(error);
        for now in [0, 400_000] {
            assert_eq!(fails(&mut credential, now, "a", &failure), Some((RestReason::Account, length)));
        }
    }
    // A longer one counts also while it rests.
    let mut credential = CredentialHealth::default();
    fails(&mut credential, 0, "a", &limited(Scope::Account));
    assert_eq!(fails(&mut credential, 1000, "a", &Failure::Refused(wait(20))), Some((RestReason::Account, 20_000)));
}

#[test]
fn an_answer_to_a_request_that_was_sent_since_ends_the_rest() {
    let mut credential = CredentialHealth::default();
    fails(&mut credential, 1000, "a", &limited(Scope::Account));
    assert!(!credential.answered(2000, 999));
    assert!(credential.rest(2000).is_some());
    assert!(credential.answered(2000, 1000));
    assert_eq!(credential.rest(2000), None);
    assert!(!credential.answered(2001, 2001), "there was none to end");
    assert_eq!(credential.worked_at_ms(), Some(2001));
}

#[test]
fn another_replica_can_lengthen_a_rest_and_its_word_ends_only_its_own() {
    let rest = |until_ms| Rest { until_ms, reason: RestReason::Account, failure: RestFailure::default() };
    let mut credential = CredentialHealth::default();
    fails(&mut credential, 0, "a", &limited(Scope::Account));
    credential.told(0, rest(3_000));
    assert_eq!(credential.rest(0).unwrap().until_ms, 5_000);
    credential.told(0, rest(9_000));
    credential.told(0, rest(8_000));
    assert_eq!(credential.rest(0).unwrap().until_ms, 9_000);
    credential.told_over();
    assert_eq!(credential.rest(0).unwrap().until_ms, 5_000);
    credential.told(0, rest(9_000));
    assert!(credential.answered(1, 1));
    assert_eq!(credential.rest(1), None);
}

#[test]
fn where_cooldowns_are_off_no_credential_rests() {
    let rules = RestRules { disabled: true, ..RULES() };
    let failure = refused(401, ErrorKind::Authentication, Scope::Unsaid);
    let failed = Failed { model: "a", failure: &failure, others_worked_at_ms: None };
    assert_eq!(CredentialHealth::default().failed(0, &failed, &rules), None);
}
