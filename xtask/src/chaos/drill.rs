//! Three gateways before one provider, with one PostgreSQL and one Redis between them. Requests of callers with small budgets and
//! limits race through all three, some of whose clients leave in the middle. Meanwhile one gateway is killed and started again on
//! its disk, and PostgreSQL goes away and comes back. When all is quiet, what the provider served, what the journal of the dead
//! process says, the ledger and the balances have to agree.
//!
//! Used by `cargo xtask chaos`, and smaller by a test of the gateway.
#![allow(dead_code, reason = "what is shared with other tests has more than is used here")]
#![allow(clippy::duplicate_mod, reason = "what starts PostgreSQL is a file that everybody can include")]

mod audit;
mod callers;
mod client;
mod facts;
mod gateway;
mod journal;
#[path = "../../../crates/tollgate-store/tests/support/postgres.rs"]
mod postgres;
mod rates;
#[path = "../../../crates/tollgate/tests/support/redis.rs"]
mod redis;
mod report;
mod stage;
mod traffic;
mod trouble;

use std::path::PathBuf;
use std::time::Duration;

use tokio::sync::watch;

pub use report::Report;
use stage::Stage;
use traffic::{BURST, Traffic};

#[derive(Clone, Debug)]
pub struct Plan {
    pub requests: usize,
    /// Of who asks whom for what, and when they leave.
    pub seed: u64,
    /// The gateway.
    pub binary: PathBuf,
}

/// A run lasts so long at least, so that what breaks has time to.
const AT_LEAST: Duration = Duration::from_secs(8);
/// Bursts come no faster.
const BURST_EVERY: Duration = Duration::from_millis(100);

/// `progress` hears how many requests were sent.
///
/// # Errors
/// The run itself could not be done. What does not add up in one that was done is in the report.
pub async fn run(plan: &Plan, progress: impl Fn(usize)) -> Result<Report, String> {
    let bursts = plan.requests.div_ceil(BURST);
    let mut stage = Stage::set(plan).await?;
    let traffic = Traffic::new(plan, &stage);
    let (told, burst) = watch::channel(0);
    let every = (AT_LEAST / u32::try_from(bursts.max(1)).unwrap_or(u32::MAX)).max(BURST_EVERY);
    let looking = facts::look(stage.database.clone(), burst.clone());
    let (sent, (seen, trouble)) = tokio::join!(traffic.send(every, told, progress), async {
        tokio::join!(looking, trouble::make(&mut stage, burst, bursts))
    });
    let trouble = trouble?;
    let facts = facts::gather(&stage, sent, seen, trouble).await?;
    let report = audit::audit(&stage, &facts);
    if !report.problems.is_empty() {
        eprintln!("what the gateways said is kept in {}", stage.keep().display());
    }
    Ok(report)
}
