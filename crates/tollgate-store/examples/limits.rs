//! What limits cost a request on one node: `cargo run --profile release-fast -p tollgate-store --example limits`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use tollgate_policy::access::{Limits, Rates, Scope, ScopeKind};
use tollgate_policy::limit::{Claims, Tokens};
use tollgate_store::limiter::Limiter;

const TIMES: u32 = 300_000;
/// Callers that take turns.
const KEYS: usize = 1_000;
const NOW_MS: u64 = 1_795_659_610_000;

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
    let plenty = Some(u64::MAX / 2);
    let limited =
        Rates { requests_per_minute: plenty, tokens_per_minute: plenty, parallel_requests: plenty, ..Rates::default() };
    let cases = [
        ("no limit", Rates::default()),
        ("three scopes with requests per minute", Rates { requests_per_minute: plenty, ..Rates::default() }),
        ("three scopes with requests, tokens and places", limited),
    ];
    for (name, rates) in cases {
        let chains: Vec<[Scope; 3]> = (0..KEYS).map(|n| chain(n, rates)).collect();
        for threads in [1, 2] {
            let limiter = Limiter::default();
            let took: Duration = std::thread::scope(|scope| {
                let threads: Vec<_> = (0..threads)
                    .map(|_| scope.spawn(|| runtime.handle().block_on(measured(&limiter, &chains))))
                    .collect();
                threads.into_iter().map(|thread| thread.join().expect("it ends")).max().unwrap_or_default()
            });
            println!("{name}, {threads} threads: {} ns a request", took.as_nanos() / u128::from(TIMES));
        }
    }
}

fn chain(n: usize, rates: Rates) -> [Scope; 3] {
    let scope = |kind, id: String| Scope {
        kind,
        id,
        grants: Default::default(),
        limits: Limits { rates, ..Limits::default() },
    };
    [
        scope(ScopeKind::Key, format!("{n:064x}")),
        scope(ScopeKind::Team, format!("team-{}", n % 10)),
        scope(ScopeKind::Organisation, "acme".into()),
    ]
}

/// The claims of the caller, admission and settlement.
async fn measured(limiter: &Limiter, chains: &[[Scope; 3]]) -> Duration {
    let began = Instant::now();
    for (_, chain) in (0..TIMES).zip(chains.iter().cycle()) {
        let claims = Claims::of(chain, &["kimi"]);
        if let Ok(permit) = limiter.admit(claims, 100, NOW_MS).await {
            black_box(permit).settle(Tokens { input: 90, output: 10 });
        }
    }
    began.elapsed()
}
