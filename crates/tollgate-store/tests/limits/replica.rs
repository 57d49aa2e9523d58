//! One of several gateways, as far as its limits go.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};
use tollgate_policy::access::{Limits, Rates, Scope, ScopeKind};
use tollgate_policy::limit::{Claims, Denial, Tokens};
use tollgate_store::limiter::{LimitDenial, LimitPermit, Limiter, Settings, WithoutRedis};
use tollgate_store::shared::Address;

use crate::support::redis::Redis;

/// 2026-11-26 02:20:10 UTC. It stands still, so that no window ends within a test.
pub const NOW: u64 = 1_795_659_610_000;

pub struct Replica {
    pub limiter: Limiter,
    sharing: JoinHandle<()>,
}

impl Replica {
    /// With a patience that no load of the machine exhausts.
    pub async fn start(redis: &Redis, without_redis: WithoutRedis) -> Replica {
        let address = Some(Address::of_url(&redis.url()).expect("an address"));
        let answer_within = Duration::from_secs(20);
        Replica::with(Settings { address, without_redis, answer_within }).await
    }

    pub async fn with(settings: Settings) -> Replica {
        let limiter = Limiter::new(settings);
        let own = limiter.clone();
        let sharing = tokio::spawn(async move { own.share(|| NOW).await });
        let replica = Replica { limiter, sharing };
        replica.together().await;
        replica
    }

    pub async fn several<const N: usize>(redis: &Redis, without_redis: WithoutRedis) -> [Replica; N] {
        let mut replicas = Vec::new();
        for _ in 0..N {
            replicas.push(Replica::start(redis, without_redis).await);
        }
        replicas.try_into().unwrap_or_else(|_| unreachable!())
    }

    pub async fn together(&self) {
        until("limits are shared", async || self.limiter.is_shared()).await;
    }

    pub async fn away(&self) {
        until("Redis is seen to be away", async || !self.limiter.is_shared()).await;
    }

    pub async fn admit(&self, claims: &Claims, input: u64) -> Result<LimitPermit, LimitDenial> {
        self.limiter.admit(claims.clone(), input, NOW).await
    }

    /// A request of one token that ends at once.
    pub async fn ask(&self, claims: &Claims) -> Result<(), LimitDenial> {
        self.admit(claims, 1).await.map(|permit| permit.settle(Tokens { input: 1, output: 0 }))
    }

    /// How many of so many requests are admitted.
    pub async fn ask_often(&self, claims: &Claims, times: usize) -> usize {
        let mut admitted = 0;
        for _ in 0..times {
            admitted += usize::from(self.ask(claims).await.is_ok());
        }
        admitted
    }

    /// It is gone without a word.
    pub fn die(self, permits: Vec<LimitPermit>) {
        self.sharing.abort();
        permits.into_iter().for_each(std::mem::forget);
    }
}

impl Drop for Replica {
    fn drop(&mut self) {
        self.sharing.abort();
    }
}

pub fn key(id: &str, rates: Rates) -> Claims {
    claims(ScopeKind::Key, id, rates)
}

pub fn deployment(id: &str, rates: Rates) -> Claims {
    claims(ScopeKind::Deployment, id, rates)
}

fn claims(kind: ScopeKind, id: &str, rates: Rates) -> Claims {
    let limits = Limits { rates, ..Limits::default() };
    Claims::of(&[Scope { kind, id: id.into(), grants: Default::default(), limits }], &["kimi"])
}

pub fn requests(n: u64) -> Rates {
    Rates { requests_per_minute: Some(n), ..Rates::default() }
}

pub fn denied(answer: Result<LimitPermit, LimitDenial>) -> Option<Denial> {
    match answer {
        Err(LimitDenial::Limit(denial)) => Some(denial),
        _ => None,
    }
}

pub async fn until(what: &str, mut fits: impl AsyncFnMut() -> bool) {
    let waiting = async {
        while !fits().await {
            sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(Duration::from_secs(30), waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}
