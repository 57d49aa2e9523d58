use super::*;
use crate::access::{Limits, Rates, Scope};

mod replicas;

/// 2026-11-26 02:20:10 UTC, a Thursday (`date -u -d @1795659610`).
pub const NOW: u64 = 1_795_659_610_000;

pub fn scope(kind: ScopeKind, id: &str, rates: Rates) -> Scope {
    let limits = Limits { rates, ..Limits::default() };
    Scope { kind, id: id.into(), grants: Default::default(), limits }
}

fn key(rates: Rates) -> Claims {
    Claims::of(&[scope(ScopeKind::Key, "88dc", rates)], &["kimi"])
}

fn only(claims: &Claims) -> &Claim {
    claims.iter().next().unwrap()
}

fn input(tokens: u64) -> Tokens {
    Tokens { input: tokens, output: 0 }
}

/// Takes what fits.
fn admit(account: &mut Account, claims: &Claims, tokens: Tokens, now_ms: u64) -> Fit {
    let fit = account.fit(only(claims), tokens, now_ms, Holding::Alone);
    if fit == Fit::Yes {
        account.take(only(claims), tokens, now_ms);
    }
    fit
}

fn denied(fit: Fit) -> Denial {
    match fit {
        Fit::No(denial) => denial,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_minute_is_one_of_the_clock_and_a_day_one_of_utc() {
    let rates = Rates { requests_per_minute: Some(2), requests_per_day: Some(3), ..Rates::default() };
    let (claims, mut account) = (key(rates), Account::default());
    assert_eq!(admit(&mut account, &claims, input(1), NOW), Fit::Yes);
    assert_eq!(admit(&mut account, &claims, input(1), NOW + 49_999), Fit::Yes);
    let denial = denied(admit(&mut account, &claims, input(1), NOW + 49_999));
    assert_eq!((denial.dimension, denial.limit, denial.remaining), (Dimension::RequestsPerMinute, 2, 0));
    // 02:21:00.
    assert_eq!(denial.resets_at_ms, Some(1_795_659_660_000));
    assert_eq!(denial.retry_after(NOW), Duration::from_secs(50));
    assert_eq!(denial.retry_after(NOW + 49_999), Duration::from_secs(1));
    assert_eq!(admit(&mut account, &claims, input(1), NOW + 50_000), Fit::Yes);
    // The minute would let one more pass, the day does not: until 2026-11-27 00:00:00.
    let denial = denied(admit(&mut account, &claims, input(1), NOW + 50_000));
    assert_eq!((denial.dimension, denial.resets_at_ms), (Dimension::RequestsPerDay, Some(1_795_737_600_000)));
    assert_eq!(admit(&mut account, &claims, input(1), 1_795_737_600_000), Fit::Yes);
}

#[test]
fn tokens_are_taken_as_expected_and_corrected_to_what_was_used() {
    let rates = Rates { tokens_per_minute: Some(1000), ..Rates::default() };
    let (claims, mut account) = (key(rates), Account::default());
    assert_eq!(admit(&mut account, &claims, input(600), NOW), Fit::Yes);
    let denial = denied(admit(&mut account, &claims, input(401), NOW));
    assert_eq!((denial.remaining, denial.needed, denial.is_final()), (400, 401, false));
    account.settle(only(&claims), NOW, input(600), Tokens { input: 500, output: 250 });
    assert_eq!(account.used(Dimension::TokensPerMinute, NOW), 750);
    // Used up exactly: then nothing passes, however small.
    assert_eq!(admit(&mut account, &claims, input(250), NOW), Fit::Yes);
    assert_eq!(denied(admit(&mut account, &claims, input(0), NOW)).remaining, 0);
    assert!(denied(admit(&mut account, &claims, input(1001), NOW)).is_final());
}

#[test]
fn input_and_output_have_limits_of_their_own() {
    let rates = Rates { input_tokens_per_minute: Some(100), output_tokens_per_minute: Some(50), ..Rates::default() };
    let (claims, mut account) = (key(rates), Account::default());
    assert_eq!(admit(&mut account, &claims, input(60), NOW), Fit::Yes);
    assert_eq!(denied(admit(&mut account, &claims, input(41), NOW)).dimension, Dimension::InputTokensPerMinute);
    // Output is known when it is there, and may then be more than was left.
    account.settle(only(&claims), NOW, input(60), Tokens { input: 60, output: 70 });
    let denial = denied(admit(&mut account, &claims, input(1), NOW));
    assert_eq!((denial.dimension, denial.remaining), (Dimension::OutputTokensPerMinute, 0));
}

#[test]
fn what_a_stream_takes_after_the_minutes_end_belongs_to_the_minute_that_it_began_in() {
    let rates = Rates {
        tokens_per_minute: Some(100),
        tokens_per_day: Some(1000),
        parallel_requests: Some(1),
        ..Rates::default()
    };
    let (claims, mut account) = (key(rates), Account::default());
    assert_eq!(admit(&mut account, &claims, input(10), NOW), Fit::Yes);
    let later = NOW + 60_000;
    // Its place is taken until it ends.
    assert_eq!(denied(admit(&mut account, &claims, input(10), later)).dimension, Dimension::ParallelRequests);
    account.settle(only(&claims), NOW, input(10), Tokens { input: 10, output: 90 });
    assert_eq!(account.used(Dimension::TokensPerMinute, later), 0);
    assert_eq!(account.used(Dimension::TokensPerDay, later), 100);
    assert_eq!(admit(&mut account, &claims, input(100), later), Fit::Yes);
}

#[test]
fn what_was_never_sent_is_given_back() {
    let rates = Rates {
        requests_per_minute: Some(1),
        tokens_per_minute: Some(10),
        parallel_requests: Some(1),
        ..Rates::default()
    };
    let (claims, mut account) = (key(rates), Account::default());
    for _ in 0..3 {
        assert_eq!(admit(&mut account, &claims, input(10), NOW), Fit::Yes);
        account.release(only(&claims), NOW, input(10));
    }
    assert_eq!(account.used(Dimension::TokensPerMinute, NOW), 0);
}

#[test]
fn the_others_should_know_of_a_free_place_and_of_what_was_used_beyond_what_they_know() {
    let rates = Rates { tokens_per_minute: Some(1000), parallel_requests: Some(5), ..Rates::default() };
    let (claims, mut account) = (key(rates), Account::default());
    let claim = only(&claims).clone();
    // Told: a place, and 200 tokens held of which 100 are used.
    account.take(&claim, input(100), NOW);
    let held = |dimension| if dimension == Dimension::ParallelRequests { 1 } else { 200 };
    let hold = |account: &mut Account| {
        let mut round = Round::default();
        round.tell(&claim.account, account, Telling::All, NOW);
        round.reports.iter().for_each(|report| report.answered(account, 0, held(report.dimension), NOW));
    };
    hold(&mut account);
    assert!(account.settle(&claim, NOW, input(100), input(100)), "the place is free");
    account.take(&claim, input(10), NOW);
    hold(&mut account);
    assert!(account.release(&claim, NOW, input(10)), "the place is free");
    let tokens = key(Rates { tokens_per_minute: Some(1000), ..Rates::default() });
    let only_tokens = only(&tokens);
    account.take(only_tokens, input(50), NOW);
    assert!(!account.settle(only_tokens, NOW, input(50), Tokens { input: 50, output: 50 }), "200 are known");
    account.take(only_tokens, input(0), NOW);
    assert!(account.settle(only_tokens, NOW, input(0), Tokens { input: 0, output: 1 }), "201 are not");
}

#[test]
fn a_place_is_free_whenever_another_request_ends() {
    let (claims, mut account) = (key(Rates { parallel_requests: Some(1), ..Rates::default() }), Account::default());
    assert_eq!(admit(&mut account, &claims, input(1), NOW), Fit::Yes);
    let denial = denied(admit(&mut account, &claims, input(1), NOW));
    assert_eq!((denial.resets_at_ms, denial.retry_after(NOW)), (None, Duration::from_secs(1)));
}

#[test]
fn an_account_is_idle_when_its_windows_are_over_and_its_places_free() {
    let rates = Rates { requests_per_minute: Some(9), parallel_requests: Some(1), ..Rates::default() };
    let (claims, mut account) = (key(rates), Account::default());
    assert_eq!(admit(&mut account, &claims, input(1), NOW), Fit::Yes);
    assert!(!account.is_idle(NOW + 50_000));
    account.settle(only(&claims), NOW, input(1), input(1));
    assert!(!account.is_idle(NOW + 49_999));
    assert!(account.is_idle(NOW + 50_000));
}

#[test]
fn an_account_is_not_forgotten_while_the_others_are_asked_for_one_of_its_places() {
    let (claims, mut account) = (key(Rates { parallel_requests: Some(1), ..Rates::default() }), Account::default());
    let asking = |account: &mut Account| {
        let (mut round, mut lines) = (Round::default(), Vec::new());
        round.lines((0, only(&claims)), account, input(1), NOW, &mut lines);
        round.ask(lines);
        round
    };
    let round = asking(&mut account);
    assert!(!account.is_idle(NOW), "the place that is granted has to be put down");
    round.reports[0].unanswered(&mut account);
    assert!(account.is_idle(NOW));
    let round = asking(&mut account);
    round.reports[0].take(&mut account, &round.asks[0][0]);
    round.reports[0].answered(&mut account, 0, 1, NOW);
    assert!(!account.is_idle(NOW));
    account.settle(only(&claims), NOW, input(1), input(1));
    assert!(!account.is_idle(NOW), "the others do not know yet that the place is free");
}

#[test]
fn a_clock_that_is_put_back_a_little_opens_no_window_again_and_one_that_was_far_ahead_is_not_believed() {
    let (claims, mut account) = (key(Rates { requests_per_minute: Some(1), ..Rates::default() }), Account::default());
    assert_eq!(admit(&mut account, &claims, input(1), NOW), Fit::Yes);
    denied(admit(&mut account, &claims, input(1), NOW - 20_000));
    assert_eq!(admit(&mut account, &claims, input(1), NOW - 86_400_000), Fit::Yes);
}

#[test]
fn a_model_has_its_own_line_else_the_most_specific_pattern_which_its_models_share() {
    let rates = |n| Rates { requests_per_minute: Some(n), ..Rates::default() };
    let mut scope = scope(ScopeKind::Team, "ops", Rates::default());
    scope.limits.model_rates =
        [("*", 1), ("openai/*", 2), ("openai/gpt-5", 3)].map(|(name, n)| (name.to_string(), rates(n))).into();
    let of = |model: &str| {
        let claims = Claims::of([&scope], &[model]);
        let claim = only(&claims);
        (claim.account.to_string(), claim.lines().next().unwrap().1)
    };
    assert_eq!(of("openai/gpt-5"), ("team:3:ops:openai/gpt-5".into(), 3));
    assert_eq!(of("openai/gpt-4"), ("team:3:ops:openai/*".into(), 2));
    assert_eq!(of("kimi"), ("team:3:ops:*".into(), 1));
    // An alias is no way around the limit of its route.
    let claims = Claims::of([&scope], &["fast", "openai/gpt-5"]);
    assert_eq!(only(&claims).model.as_deref(), Some("openai/gpt-5"));
    scope.limits.model_rates.remove("*");
    assert!(Claims::of([&scope], &["kimi"]).is_empty());
}

#[test]
fn no_two_scopes_share_an_account() {
    let rates = Rates { requests_per_minute: Some(1), ..Rates::default() };
    let mut with_model = scope(ScopeKind::Key, "a", rates);
    with_model.limits.model_rates = [("b".to_string(), rates)].into();
    let scopes = [with_model, scope(ScopeKind::Key, "a:b", rates), scope(ScopeKind::Team, "a", rates)];
    let claims = Claims::of(&scopes, &["b"]);
    let names: std::collections::BTreeSet<&str> = claims.iter().map(|claim| &*claim.account).collect();
    assert_eq!((claims.iter().count(), names.len()), (4, 4));
}

#[test]
fn of_each_sort_the_limit_with_the_least_left_is_shown() {
    let rates = |minute, day| Rates {
        requests_per_minute: Some(minute),
        requests_per_day: day,
        output_tokens_per_minute: Some(500),
        ..Rates::default()
    };
    let scopes = [scope(ScopeKind::Key, "k", rates(10, None)), scope(ScopeKind::Team, "t", rates(50, Some(8)))];
    let claims = Claims::of(&scopes, &["kimi"]);
    let mut accounts = [Account::default(), Account::default()];
    let standing = |accounts: &[Account; 2]| {
        let mut standing = Standing::default();
        claims.iter().zip(accounts).for_each(|(claim, account)| standing.add(claim, Some(account), NOW));
        standing
    };
    let day = Gauge { limit: 8, remaining: 8, resets_at_ms: 1_795_737_600_000 };
    assert_eq!(standing(&accounts).requests, Some(day));
    for _ in 0..3 {
        accounts[0].take(only(&claims), Tokens { input: 0, output: 7 }, NOW);
    }
    let minute = Gauge { limit: 10, remaining: 7, resets_at_ms: 1_795_659_660_000 };
    let standing = standing(&accounts);
    assert_eq!((standing.requests, standing.tokens), (Some(minute), None));
    assert_eq!(standing.output_tokens.map(|gauge| gauge.remaining), Some(479));
}

#[test]
fn no_replica_keeps_a_place_to_itself_that_others_wait_for() {
    let rates = Rates { parallel_requests: Some(2), requests_per_minute: Some(10), ..Rates::default() };
    for (kind, again) in [(ScopeKind::Key, Fit::Yes), (ScopeKind::Deployment, Fit::Ask)] {
        let claims = Claims::of(&[scope(kind, "d", rates)], &[]);
        let claim = only(&claims);
        let mut account = Account::default();
        let mut round = Round::default();
        let mut lines = Vec::new();
        round.lines((0, claim), &mut account, input(1), NOW, &mut lines);
        assert_eq!(lines.iter().filter(|line| line.waits).count(), usize::from(kind == ScopeKind::Deployment));
        lines.iter().for_each(|line| round.reports[line.report].take(&mut account, line));
        round.reports.iter().for_each(|report| report.answered(&mut account, 0, 2, NOW));
        account.settle(claim, NOW, input(1), input(1));
        // Two are held, none is used: the second request of the minute, and a place.
        assert_eq!(account.fit(claim, input(1), NOW, Holding::Shared), again, "{kind:?}");
        assert_eq!(account.fit(claim, input(1), NOW, Holding::Kept), Fit::Yes, "the others cannot be asked");
    }
}
