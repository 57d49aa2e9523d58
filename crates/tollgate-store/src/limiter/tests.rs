use std::sync::atomic::AtomicUsize;

use tollgate_policy::access::{Limits, Rates, Scope, ScopeKind};
use tollgate_policy::limit::Dimension;

use super::*;

/// 2026-11-26 02:20:10 UTC.
const NOW: u64 = 1_795_659_610_000;

fn scope(kind: ScopeKind, id: &str, rates: Rates) -> Scope {
    Scope { kind, id: id.into(), grants: Default::default(), limits: Limits { rates, ..Limits::default() } }
}

fn requests(n: u64) -> Rates {
    Rates { requests_per_minute: Some(n), ..Rates::default() }
}

fn places(n: u64) -> Rates {
    Rates { parallel_requests: Some(n), ..Rates::default() }
}

fn spent(input: u64, output: u64) -> Tokens {
    Tokens { input, output }
}

fn limit(denied: Result<LimitPermit, LimitDenial>) -> Denial {
    match denied {
        Err(LimitDenial::Limit(denial)) => denial,
        Err(LimitDenial::Unknown) => panic!("it should be known"),
        Ok(_) => panic!("admitted"),
    }
}

#[tokio::test]
async fn a_request_takes_from_all_limits_or_from_none() {
    let limiter = Limiter::default();
    let chain = [
        scope(ScopeKind::Key, "88dc", requests(10)),
        scope(ScopeKind::Team, "ops", Rates { tokens_per_minute: Some(100), ..requests(10) }),
        scope(ScopeKind::Organisation, "acme", places(2)),
    ];
    let claims = Claims::of(&chain, &["kimi"]);
    let permit = limiter.admit(claims.clone(), 60, NOW).await.unwrap();
    for _ in 0..3 {
        let denial = limit(limiter.admit(claims.clone(), 41, NOW).await);
        assert_eq!((denial.kind, denial.dimension), (ScopeKind::Team, Dimension::TokensPerMinute));
    }
    let standing = permit.standing(NOW);
    assert_eq!(standing.requests.map(|gauge| gauge.remaining), Some(9));
    assert_eq!(standing.tokens.map(|gauge| gauge.remaining), Some(40));
    permit.settle(spent(50, 30));
    assert_eq!(limiter.standing(&claims, NOW).tokens.map(|gauge| gauge.remaining), Some(20));
    // Its place is free again.
    let two =
        [limiter.admit(claims.clone(), 1, NOW).await.unwrap(), limiter.admit(claims.clone(), 1, NOW).await.unwrap()];
    assert_eq!(limit(limiter.admit(claims.clone(), 1, NOW).await).dimension, Dimension::ParallelRequests);
    drop(two);
    // Neither of them was sent.
    assert_eq!(limiter.standing(&claims, NOW).requests.map(|gauge| gauge.remaining), Some(9));
}

#[tokio::test]
async fn of_several_limits_the_one_that_lasts_longest_is_told() {
    let limiter = Limiter::default();
    let day = Rates { requests_per_day: Some(1), ..Rates::default() };
    let chain = [
        scope(ScopeKind::Key, "a", Rates { parallel_requests: Some(1), ..requests(1) }),
        scope(ScopeKind::Team, "t", day),
        scope(ScopeKind::User, "u", requests(1)),
    ];
    let claims = Claims::of(&chain, &["kimi"]);
    let _permit = limiter.admit(claims.clone(), 1, NOW).await.unwrap();
    let denial = limit(limiter.admit(claims, 1, NOW).await);
    assert_eq!((denial.kind, denial.dimension), (ScopeKind::Team, Dimension::RequestsPerDay));
}

#[tokio::test]
async fn without_limits_nothing_is_counted() {
    let limiter = Limiter::default();
    let claims = Claims::of(&[scope(ScopeKind::Key, "a", Rates::default())], &["kimi"]);
    let permit = limiter.admit(claims, 5, NOW).await.unwrap();
    assert_eq!(permit.standing(NOW), Standing::default());
    permit.settle(spent(1, 1));
    assert_eq!(limiter.accounts(), 0);
}

#[tokio::test]
async fn accounts_without_requests_vanish() {
    let limiter = Limiter::default();
    let claims = |n: u64| Claims::of(&[scope(ScopeKind::EndUser, &n.to_string(), requests(5))], &["kimi"]);
    for n in 0..5_000 {
        limiter.admit(claims(n), 1, NOW).await.unwrap().settle(spent(1, 1));
    }
    assert_eq!(limiter.accounts(), 5_000);
    for n in 5_000..6_000 {
        limiter.admit(claims(n), 1, NOW + 60_000).await.unwrap().settle(spent(1, 1));
    }
    assert_eq!(limiter.accounts(), 1_000);
}

#[test]
fn many_threads_are_admitted_exactly_as_often_as_the_limit_says() {
    let limiter = Limiter::default();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let (admitted, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let running = AtomicUsize::new(0);
    let handle = runtime.handle();
    std::thread::scope(|threads| {
        for n in 0..8 {
            let (limiter, admitted, running, most) = (&limiter, &admitted, &running, &most);
            threads.spawn(move || {
                let own = scope(ScopeKind::Key, &n.to_string(), requests(400));
                let shared = scope(ScopeKind::Team, "t", Rates { parallel_requests: Some(3), ..requests(1_000) });
                let claims = Claims::of(&[own, shared], &["kimi"]);
                loop {
                    let permit = match handle.block_on(limiter.admit(claims.clone(), 1, NOW)) {
                        Ok(permit) => permit,
                        denied => match limit(denied).dimension {
                            Dimension::ParallelRequests => continue,
                            _ => break,
                        },
                    };
                    admitted.fetch_add(1, Ordering::SeqCst);
                    let now = running.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    std::thread::yield_now();
                    running.fetch_sub(1, Ordering::SeqCst);
                    permit.settle(spent(1, 0));
                }
            });
        }
    });
    assert_eq!(admitted.into_inner(), 1_000);
    assert!(most.into_inner() <= 3);
}

#[tokio::test(start_paused = true)]
async fn while_redis_was_never_there_the_setting_decides_and_nobody_waits() {
    let address = Address::of_url("redis://127.0.0.1:1").unwrap();
    let claims = Claims::of(&[scope(ScopeKind::Key, "a", requests(2))], &["kimi"]);
    let began = tokio::time::Instant::now();
    let settings = Settings { address: Some(address.clone()), ..Settings::default() };
    let limiter = Limiter::new(settings);
    for _ in 0..2 {
        limiter.admit(claims.clone(), 1, NOW).await.unwrap().settle(spent(1, 1));
    }
    assert_eq!(limit(limiter.admit(claims.clone(), 1, NOW).await).remaining, 0);
    let refuse = Settings { address: Some(address), without_redis: WithoutRedis::Refuse, ..Settings::default() };
    limiter.configure(refuse);
    assert_eq!(limiter.admit(claims.clone(), 1, NOW + 60_000).await.err(), Some(LimitDenial::Unknown));
    limiter.configure(Settings::default());
    limiter.admit(claims, 1, NOW + 60_000).await.unwrap();
    assert_eq!(began.elapsed(), Duration::ZERO);
}
