use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::sleep;
use tollgate_policy::access::Rates;
use tollgate_policy::limit::{Dimension, Tokens};
use tollgate_store::limiter::WithoutRedis;

use crate::replica::{Replica, denied, deployment, key, requests, until};
use crate::support::redis::Redis;

/// Futures of all replicas at once, each one asking again and again.
async fn all<F: Future<Output = ()>>(racers: impl IntoIterator<Item = F>) {
    let mut racers: Vec<_> = racers.into_iter().map(Box::pin).collect();
    std::future::poll_fn(|cx| {
        racers.retain_mut(|racer| racer.as_mut().poll(cx).is_pending());
        if racers.is_empty() { std::task::Poll::Ready(()) } else { std::task::Poll::Pending }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replicas_that_race_admit_together_exactly_what_the_limit_says() {
    let redis = Redis::start().await;
    let replicas: [Replica; 4] = Replica::several(&redis, WithoutRedis::Refuse).await;
    for (id, limit) in [("few", 7), ("many", 700)] {
        let claims = key(id, requests(limit));
        let admitted = AtomicUsize::new(0);
        let racers = (0..32).map(|n| {
            let (replica, claims, admitted) = (&replicas[n % 4], &claims, &admitted);
            async move {
                admitted.fetch_add(replica.ask_often(claims, 60).await, Ordering::Relaxed);
            }
        });
        all(racers).await;
        assert!(admitted.load(Ordering::Relaxed) as u64 <= limit);
        // What one replica held ahead and did not use comes to the others.
        until("the whole limit is used", async || {
            admitted.fetch_add(replicas[0].ask_often(&claims, 10).await, Ordering::Relaxed);
            admitted.load(Ordering::Relaxed) as u64 >= limit
        })
        .await;
        for replica in &replicas {
            let denial = denied(replica.admit(&claims, 1).await).expect("the limit is used up");
            assert_eq!((denial.dimension, denial.limit, denial.remaining), (Dimension::RequestsPerMinute, limit, 0));
        }
        assert_eq!(admitted.into_inner() as u64, limit);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn places_are_never_more_than_the_limit_and_pass_from_one_replica_to_another() {
    let redis = Redis::start().await;
    let replicas: [Replica; 3] = Replica::several(&redis, WithoutRedis::Refuse).await;
    let claims = key("k", Rates { parallel_requests: Some(4), ..Rates::default() });
    let (running, most, served) = (AtomicUsize::new(0), AtomicUsize::new(0), AtomicUsize::new(0));
    let racers = (0..24).map(|n| {
        let (replica, claims, running, most, served) = (&replicas[n % 3], &claims, &running, &most, &served);
        async move {
            for _ in 0..40 {
                let Ok(permit) = replica.admit(claims, 1).await else {
                    yield_now().await;
                    continue;
                };
                most.fetch_max(running.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                sleep(Duration::from_millis(2)).await;
                running.fetch_sub(1, Ordering::SeqCst);
                served.fetch_add(1, Ordering::SeqCst);
                permit.settle(Tokens::default());
            }
        }
    });
    all(racers).await;
    assert_eq!(most.into_inner(), 4);
    assert!(served.into_inner() > 8);
    for replica in &replicas {
        until("all four places are free for each", async || {
            let mut permits = Vec::new();
            while let Ok(permit) = replica.admit(&claims, 1).await {
                permits.push(permit);
            }
            permits.len() == 4
        })
        .await;
    }
}

#[tokio::test]
async fn all_limits_of_a_caller_are_taken_at_once_or_none() {
    let redis = Redis::start().await;
    let [a, b] = Replica::several(&redis, WithoutRedis::Refuse).await;
    let tokens = |requests, tokens| Rates {
        requests_per_minute: Some(requests),
        tokens_per_minute: Some(tokens),
        ..Rates::default()
    };
    let claims = key("k", tokens(3, 100));
    assert!(a.admit(&claims, 60).await.is_ok_and(|permit| {
        permit.settle(Tokens { input: 60, output: 0 });
        true
    }));
    for _ in 0..5 {
        let denial = denied(b.admit(&claims, 60).await).expect("40 tokens are left");
        assert_eq!(denial.dimension, Dimension::TokensPerMinute);
    }
    // None of those took a request.
    until("both requests are left", async || b.ask_often(&claims, 2).await == 2).await;
    assert_eq!(denied(b.admit(&claims, 1).await).unwrap().dimension, Dimension::RequestsPerMinute);
}

#[tokio::test]
async fn what_an_answer_took_is_known_to_the_others() {
    let redis = Redis::start().await;
    let [a, b] = Replica::several(&redis, WithoutRedis::Refuse).await;
    let claims = key("k", Rates { tokens_per_minute: Some(1000), ..Rates::default() });
    let permit = a.admit(&claims, 100).await.expect("there is room");
    assert!(b.ask(&claims).await.is_ok());
    permit.settle(Tokens { input: 100, output: 5000 });
    until("the other replica knows", async || b.ask(&claims).await.is_err()).await;
    assert_eq!(b.limiter.standing(&claims, crate::replica::NOW).tokens.map(|gauge| gauge.remaining), Some(0));
}

#[tokio::test]
async fn places_of_a_replica_that_is_gone_are_free_again() {
    let redis = Redis::start().await;
    let [a, b] = Replica::several(&redis, WithoutRedis::Refuse).await;
    let claims = key("k", Rates { parallel_requests: Some(2), ..Rates::default() });
    let taken = vec![a.admit(&claims, 1).await.ok().unwrap(), a.admit(&claims, 1).await.ok().unwrap()];
    assert!(denied(b.admit(&claims, 1).await).is_some());
    let replicas = redis.command("HKEYS tollgate:limit:replicas").await.unwrap();
    let counter = "tollgate:limit:parallel_requests:0:key:1:k";
    let holder = redis.command(&format!("HKEYS {counter}")).await.unwrap();
    let id = holder.lines().nth(2).unwrap().trim();
    assert!(replicas.contains(id), "{replicas} {holder}");
    a.die(taken);
    // As if 15 seconds had passed without a call.
    until("the call is old", async || {
        redis.command(&format!("HSET tollgate:limit:replicas {id} 0")).await.unwrap();
        b.admit(&claims, 1).await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn redis_holds_a_counter_no_longer_than_its_window() {
    let redis = Redis::start().await;
    let [a] = Replica::several(&redis, WithoutRedis::Refuse).await;
    let rates = Rates {
        requests_per_minute: Some(10),
        tokens_per_day: Some(1000),
        parallel_requests: Some(1),
        ..Rates::default()
    };
    let claims = key("k", rates);
    let permit = a.admit(&claims, 1).await.expect("there is room");
    let ttl = async |name: &str| {
        let answer = redis.command(&format!("TTL tollgate:limit:{name}:key:1:k")).await.unwrap();
        answer.trim().trim_start_matches(':').parse::<i64>().unwrap()
    };
    // The minute's end is 50 s away, and clocks may differ by a minute.
    assert!((100..=110).contains(&ttl("requests_per_minute:29927660").await));
    // 2026-11-27 00:00:00 is 77,990 s away.
    assert!((78_040..=78_050).contains(&ttl("tokens_per_day:20783").await));
    assert!((50..=60).contains(&ttl("parallel_requests:0").await));
    permit.settle(Tokens::default());
    until("the place is told to be free", async || ttl("parallel_requests:0").await == -2).await;
}

/// A replica that asks again as soon as a place of its own is free does not keep those of another from theirs.
#[tokio::test]
async fn replicas_take_turns_for_a_place_that_requests_wait_for() {
    let redis = Redis::start().await;
    let [a, b] = Replica::several(&redis, WithoutRedis::Refuse).await;
    for limit in [1, 2, 4] {
        let claims = deployment(&format!("d{limit}"), Rates { parallel_requests: Some(limit), ..Rates::default() });
        let mut held = Vec::new();
        for _ in 0..limit {
            held.push(a.admit(&claims, 1).await.expect("alone it takes them all"));
        }
        // Half of them come to the other, one as each ends, and of one alone the turn.
        for _ in 0..limit.div_ceil(2) {
            assert!(denied(b.admit(&claims, 1).await).is_some());
            held.pop().unwrap().settle(Tokens::default());
            assert!(denied(a.admit(&claims, 1).await).is_some(), "it is the other's turn");
            held.insert(0, b.admit(&claims, 1).await.expect("it waited longer"));
        }
        if limit > 1 {
            // Both have as many, and both wait: each keeps its part.
            assert!(denied(a.admit(&claims, 1).await).is_some() && denied(b.admit(&claims, 1).await).is_some());
            held.pop().unwrap().settle(Tokens::default());
            assert!(denied(b.admit(&claims, 1).await).is_some(), "it has more than the other");
            assert!(a.admit(&claims, 1).await.is_ok());
        }
    }
}

#[tokio::test]
async fn who_does_not_ask_any_more_keeps_nobody_from_a_place() {
    let redis = Redis::start().await;
    let [a, b] = Replica::several(&redis, WithoutRedis::Refuse).await;
    let claims = deployment("d", Rates { parallel_requests: Some(1), ..Rates::default() });
    let permit = a.admit(&claims, 1).await.expect("there is room");
    assert!(denied(b.admit(&claims, 1).await).is_some());
    permit.settle(Tokens::default());
    until("the other is not waited for", async || a.admit(&claims, 1).await.is_ok()).await;
}
