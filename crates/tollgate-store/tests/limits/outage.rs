use tollgate_policy::limit::Dimension;
use tollgate_store::limiter::{LimitDenial, Settings, WithoutRedis};
use tollgate_store::shared::Address;

use crate::replica::{Replica, denied, key, requests, until};
use crate::support::redis::Redis;

#[tokio::test]
async fn while_redis_is_away_each_replica_holds_the_limit_by_itself() {
    let mut redis = Redis::start().await;
    let [a, b] = Replica::several(&redis, WithoutRedis::Local).await;
    let claims = key("k", requests(10));
    assert_eq!((a.ask_often(&claims, 4).await, b.ask_often(&claims, 4).await), (4, 4));
    redis.kill().await;
    // Whether it is seen by the connection or by a request that waits in vain.
    assert_eq!(a.ask_often(&claims, 20).await, 6);
    let denial = denied(a.admit(&claims, 1).await).expect("ten were admitted here");
    assert_eq!((denial.dimension, denial.limit, denial.remaining), (Dimension::RequestsPerMinute, 10, 0));
    assert_eq!(b.ask_often(&claims, 3).await, 3);
    redis.start_again().await;
    a.together().await;
    b.together().await;
    // All seventeen are known now.
    assert_eq!(b.ask_often(&claims, 5).await, 0);
    assert_eq!(Replica::start(&redis, WithoutRedis::Local).await.ask_often(&claims, 5).await, 0);
}

#[tokio::test]
async fn where_the_setting_is_to_refuse_nothing_beyond_the_limit_is_admitted_whatever_redis_loses() {
    let mut redis = Redis::start().await;
    let [a, b] = Replica::several(&redis, WithoutRedis::Refuse).await;
    let claims = key("k", requests(10));
    assert_eq!((a.ask_often(&claims, 4).await, b.ask_often(&claims, 4).await), (4, 4));
    redis.kill().await;
    assert_eq!(a.ask(&claims).await, Err(LimitDenial::Unknown));
    assert_eq!(b.ask(&claims).await, Err(LimitDenial::Unknown));
    redis.start_again().await;
    let mut more = 0;
    until("requests are admitted again", async || {
        more += a.ask_often(&claims, 5).await + b.ask_often(&claims, 5).await;
        denied(a.admit(&claims, 1).await).is_some() && denied(b.admit(&claims, 1).await).is_some()
    })
    .await;
    assert_eq!(more, 2);
}

#[tokio::test]
async fn a_redis_that_loses_its_data_while_it_runs_is_told_everything_before_more_is_admitted() {
    let redis = Redis::start().await;
    let [a, b] = Replica::several(&redis, WithoutRedis::Refuse).await;
    let claims = key("k", requests(10));
    assert_eq!((a.ask_often(&claims, 5).await, b.ask_often(&claims, 5).await), (5, 5));
    redis.command("FLUSHALL").await.unwrap();
    a.away().await;
    a.together().await;
    assert_eq!(a.ask_often(&claims, 5).await + b.ask_often(&claims, 5).await, 0);
}

#[tokio::test]
async fn a_redis_that_does_not_answer_in_time_is_away() {
    let redis = Redis::start().await;
    let address = Some(Address::of_url(&redis.url()).unwrap());
    let a = Replica::with(Settings { address, ..Settings::default() }).await;
    let claims = key("k", requests(3));
    redis.command("CLIENT PAUSE 5000 ALL").await.unwrap();
    assert_eq!(a.ask_often(&claims, 3).await, 3);
    assert!(!a.limiter.is_shared());
    a.together().await;
    until("nothing is left", async || a.ask(&claims).await.is_err()).await;
}
