//! A connection to Redis, over which rounds go.

use std::time::Duration;

use redis::aio::MultiplexedConnection;
use redis::{AsyncConnectionConfig, Client, RedisError};
use tollgate_policy::limit::{Dimension, Report, Round};

use crate::shared::Address;

const CONNECT_WITHIN: Duration = Duration::from_secs(1);
const ROUND_WITHIN: Duration = Duration::from_secs(1);

/// A replica that did not call for so long is gone, and its places are free.
const GONE_AFTER_MS: u64 = 15_000;

/// How long the counter of a window is kept after its end: the replicas' clocks may differ.
const AFTERWARDS_MS: u64 = 60_000;
/// How long places that nobody tells of again are kept.
const PLACES_MS: u64 = 60_000;

const REPLICAS: &str = "tollgate:limit:replicas";
const SCRIPT: &str = include_str!("round.lua");

/// Lua's numbers are exact up to here.
const MOST: u64 = 1 << 53;

pub struct Link {
    connection: MultiplexedConnection,
    script: String,
    me: String,
}

/// What came of a round.
#[derive(Debug, PartialEq)]
pub struct Answer {
    /// For how long Redis has known replicas: one that lost its data begins anew.
    pub age_ms: u64,
    /// By report: what the others hold, and what this replica holds.
    pub counters: Vec<(u64, u64)>,
    /// By request: admitted, or the number of the line without room.
    pub verdicts: Vec<Result<(), usize>>,
}

impl Link {
    pub async fn open(address: &Address, me: &str) -> Result<Link, RedisError> {
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_WITHIN))
            .set_response_timeout(Some(ROUND_WITHIN));
        let client = Client::open(address.info())?;
        let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
        let script = redis::cmd("SCRIPT").arg("LOAD").arg(SCRIPT).query_async(&mut connection).await?;
        Ok(Link { connection, script, me: me.to_string() })
    }

    pub async fn go(&mut self, round: &Round, now_ms: u64) -> Result<Answer, RedisError> {
        let mut call = redis::cmd("EVALSHA");
        call.arg(&self.script).arg(round.reports.len() + 1).arg(REPLICAS);
        for report in &round.reports {
            call.arg(key(report));
        }
        call.arg(&self.me).arg(GONE_AFTER_MS).arg(round.reports.len());
        for report in &round.reports {
            let places = report.dimension == Dimension::ParallelRequests;
            let (used, held) = (report.used.min(MOST), report.held.min(MOST));
            call.arg(used).arg(held).arg(lives_ms(report, now_ms)).arg(u8::from(places));
        }
        call.arg(round.asks.len());
        for lines in &round.asks {
            call.arg(lines.len());
            for line in lines {
                let (room, count, limit) = (line.room.min(MOST), line.count.min(MOST), line.limit.min(MOST));
                call.arg(line.report).arg(room).arg(count).arg(limit).arg(u8::from(line.waits));
            }
        }
        let numbers: Vec<u64> = call.query_async(&mut self.connection).await?;
        read(round, &numbers).ok_or_else(|| {
            RedisError::from((redis::ErrorKind::UnexpectedReturnType, "the script answers something else"))
        })
    }
}

/// `tollgate:limit:DIMENSION:WINDOW:ACCOUNT`.
fn key(report: &Report) -> String {
    format!("tollgate:limit:{}:{}:{}", report.dimension.word(), report.window, report.account)
}

fn lives_ms(report: &Report, now_ms: u64) -> u64 {
    let ends_at_ms = report.dimension.ends_at_ms(report.window);
    ends_at_ms.map_or(PLACES_MS, |end| end.saturating_sub(now_ms) + AFTERWARDS_MS)
}

fn read(round: &Round, numbers: &[u64]) -> Option<Answer> {
    let (age_ms, numbers) = numbers.split_first()?;
    let (counters, verdicts) = numbers.split_at_checked(round.reports.len() * 2)?;
    let verdict = |(&number, lines): (&u64, &Vec<_>)| match usize::try_from(number).ok()?.checked_sub(1) {
        None => Some(Ok(())),
        Some(line) => (line < lines.len()).then_some(Err(line)),
    };
    (verdicts.len() == round.asks.len()).then_some(())?;
    Some(Answer {
        age_ms: *age_ms,
        counters: counters.chunks_exact(2).map(|pair| (pair[0], pair[1])).collect(),
        verdicts: verdicts.iter().zip(&round.asks).map(verdict).collect::<Option<_>>()?,
    })
}
