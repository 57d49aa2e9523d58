//! What goes wrong, and when: one gateway dies and comes back, and so does PostgreSQL.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, sleep, timeout};

use super::facts::unix_ms;
use super::journal::{self, Word};
use super::postgres::Postgres;
use super::stage::Stage;

/// The gateway that dies.
pub const VICTIM: usize = 1;
/// After the burst went out: its requests are at the provider, and none is answered.
const AMIDST: Duration = Duration::from_millis(60);
const LOOK_EVERY: Duration = Duration::from_millis(5);
/// What is to be seen before something breaks is waited for so long.
const AWAITED: Duration = Duration::from_secs(10);

#[derive(Debug)]
pub struct Trouble {
    /// What the dead process left.
    pub left: BTreeMap<String, Word>,
    pub dead_for: Duration,
    /// From when to when the database was away; and the same in milliseconds since 1970.
    pub away: (Instant, Instant),
    pub away_ms: (u64, u64),
}

/// `burst` tells which of `bursts` is going out.
pub async fn make(stage: &mut Stage, mut burst: watch::Receiver<usize>, bursts: usize) -> Result<Trouble, String> {
    let mut reached = async |eighths: usize| {
        let reached = burst.wait_for(|burst| *burst >= bursts * eighths / 8).await;
        drop(reached.map_err(|_| "the run is too short for what is to break")?);
        sleep(AMIDST).await;
        Ok::<_, String>(())
    };
    reached(2).await?;
    // On a slow machine it takes longer until there is something under way.
    let journal = stage.gateways[VICTIM].journal();
    let busy = async {
        while !journal::read(&journal).is_ok_and(|words| words.values().any(|word| matches!(word, Word::Open(_)))) {
            sleep(LOOK_EVERY).await;
        }
    };
    // Whether it was is looked at in the end.
    let _ = timeout(AWAITED, busy).await;
    let died = Instant::now();
    stage.gateways[VICTIM].kill().await?;
    let left = journal::read(&journal)?;
    reached(4).await?;
    stage.gateways[VICTIM].start_again().await?;
    let dead_for = died.elapsed();
    reached(5).await?;
    let (from, from_ms) = (Instant::now(), unix_ms());
    with(&stage.postgres, Postgres::stop).await?;
    reached(6).await?;
    let meanwhile = stage.sim.wait_until(|all| all.iter().any(|request| request.at > from.into_std()));
    let _ = timeout(AWAITED, meanwhile).await;
    with(&stage.postgres, Postgres::start_again).await?;
    Ok(Trouble { left, dead_for, away: (from, Instant::now()), away_ms: (from_ms, unix_ms()) })
}

/// Beside the provider and the clients, which go on.
async fn with(postgres: &Arc<Mutex<Postgres>>, what: fn(&mut Postgres)) -> Result<(), String> {
    let postgres = postgres.clone();
    let done = spawn_blocking(move || what(&mut postgres.lock().unwrap_or_else(PoisonError::into_inner)));
    done.await.map_err(|error| format!("PostgreSQL: {error}"))
}
