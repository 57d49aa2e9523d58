//! What is there when all is quiet: the provider's log, the ledger, the balances.

use std::collections::BTreeMap;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::callers::{Kind, Scope};
use super::postgres;
use super::stage::Stage;
use super::traffic::Sent;
use super::trouble::Trouble;

/// How often balances are looked at while requests race.
const LOOK_EVERY: Duration = Duration::from_millis(250);
const STEP: Duration = Duration::from_millis(10);
const QUIET_WITHIN: Duration = Duration::from_secs(90);
/// Nothing changed for so long.
const QUIET_FOR: Duration = Duration::from_secs(3);

/// A request that reached the provider.
#[derive(Debug)]
pub struct Served {
    pub marker: String,
    pub from: Instant,
    pub until: Instant,
}

/// A line of the ledger.
#[derive(Debug)]
pub struct Row {
    pub at_ms: u64,
    pub charge: String,
    pub status: String,
    pub input: u64,
    pub output: u64,
    pub cost_nanos: u64,
    pub key: String,
    pub team: String,
    pub user: String,
    pub marker: String,
}

impl Row {
    /// Whether it is one of the scope's.
    pub fn is_of(&self, kind: &str, id: &str) -> bool {
        match kind {
            "key" => self.key == id,
            "team" => self.team == id,
            "user" => self.user == id,
            "gateway" => true,
            _ => false,
        }
    }

    pub fn is_of_scope(&self, scope: &Scope) -> bool {
        self.is_of(scope.kind.word(), &scope.id)
    }
}

/// What a scope has spent and holds within a window.
#[derive(Clone, Debug)]
pub struct Balance {
    pub kind: String,
    pub id: String,
    pub window: String,
    pub start_ms: u64,
    pub end_ms: u64,
    pub spent_nanos: i64,
    pub held_nanos: i64,
}

/// The most that was ever seen spent and held together, by pot.
#[derive(Debug, Default)]
pub struct Seen {
    /// How late the provider and its log can be: how much longer a short sleep beside them took.
    pub late: Duration,
    pub most: BTreeMap<(String, String, String, u64), i64>,
}

pub struct Facts {
    pub sent: Vec<Sent>,
    pub served: Vec<Served>,
    pub seen: Seen,
    pub trouble: Trouble,
    pub rows: Vec<Row>,
    pub balances: Vec<Balance>,
    pub leases: u64,
    /// Requests and cost by the hours and by the days.
    pub sums: [(u64, u64); 2],
}

/// Looks at the balances until the last answer is there.
pub async fn look(database: String, burst: watch::Receiver<usize>) -> Seen {
    let mut seen = Seen::default();
    while burst.has_changed().is_ok() {
        seen.late = seen.late.max(lateness(LOOK_EVERY).await);
        // It may be away.
        let Ok(balances) = balances(&database).await else { continue };
        for balance in balances {
            let together = balance.spent_nanos + balance.held_nanos;
            let pot = (balance.kind, balance.id, balance.window, balance.start_ms);
            let most = seen.most.entry(pot).or_default();
            *most = together.max(*most);
        }
    }
    seen
}

/// In steps, so that none is missed.
async fn lateness(during: Duration) -> Duration {
    let (began, mut most) = (Instant::now(), Duration::ZERO);
    while began.elapsed() < during {
        let slept = Instant::now();
        sleep(STEP).await;
        most = most.max(slept.elapsed().saturating_sub(STEP));
    }
    most
}

/// Waits until nothing changes any more.
pub async fn gather(stage: &Stage, sent: Vec<Sent>, seen: Seen, trouble: Trouble) -> Result<Facts, String> {
    quiet(stage).await?;
    let database = &stage.database;
    let count = ask(database, "SELECT COUNT(*) FROM leases").await?;
    Ok(Facts {
        sent,
        served: served(stage),
        seen,
        trouble,
        rows: rows(database).await?,
        balances: balances(database).await?,
        leases: number(&count[0][0])?,
        sums: [sums(database, "usage_hours").await?, sums(database, "usage_days").await?],
    })
}

async fn quiet(stage: &Stage) -> Result<(), String> {
    let begun = Instant::now();
    let (mut last, mut since) = (Vec::new(), Instant::now());
    while begun.elapsed() < QUIET_WITHIN {
        let standing = "SELECT (SELECT COUNT(*) FROM ledger), (SELECT COUNT(*) FROM leases), \
                        (SELECT COALESCE(SUM(leased_nanos), 0) FROM balances), (SELECT COALESCE(SUM(spent_nanos), 0) FROM balances)";
        let now = ask(&stage.database, standing).await?.swap_remove(0);
        if now != last {
            (last, since) = (now, Instant::now());
        }
        let at_rest = last[1] == "0" && last[2] == "0";
        let ended = stage.sim.requests().iter().all(|request| request.finished.or(request.closed_early).is_some());
        if at_rest && ended && since.elapsed() >= QUIET_FOR {
            break;
        }
        sleep(LOOK_EVERY).await;
    }
    Ok(())
}

fn served(stage: &Stage) -> Vec<Served> {
    let requests = stage.sim.requests().into_iter();
    let served = requests.map(|request| {
        let body = request.json();
        let said = body["messages"][0]["content"].as_str().unwrap_or_default();
        let marker = said.split(' ').next().unwrap_or_default().to_string();
        let until = request.finished.or(request.closed_early).unwrap_or_else(Instant::now);
        Served { marker, from: request.at, until }
    });
    served.collect()
}

async fn rows(database: &str) -> Result<Vec<Row>, String> {
    let select = "SELECT at_ms, charge, status, input_tokens, output_tokens, cost_nanos, key_hash, team_id, user_id, tags \
                  FROM ledger JOIN parties ON id = party ORDER BY at_ms";
    let row = |row: Vec<String>| {
        let tags: Vec<String> = serde_json::from_str(&row[9]).map_err(|error| error.to_string())?;
        Ok(Row {
            at_ms: number(&row[0])?,
            input: number(&row[3])?,
            output: number(&row[4])?,
            cost_nanos: number(&row[5])?,
            marker: tags.into_iter().next().unwrap_or_default(),
            charge: row[1].clone(),
            status: row[2].clone(),
            key: row[6].clone(),
            team: row[7].clone(),
            user: row[8].clone(),
        })
    };
    ask(database, select).await?.into_iter().map(row).collect()
}

async fn balances(database: &str) -> Result<Vec<Balance>, String> {
    let select =
        "SELECT scope_kind, scope_id, period, start_ms, end_ms, spent_nanos, leased_nanos FROM balances ORDER BY pot";
    let balance = |row: Vec<String>| {
        Ok(Balance {
            start_ms: number(&row[3])?,
            end_ms: number(&row[4])?,
            spent_nanos: number(&row[5])?,
            held_nanos: number(&row[6])?,
            kind: row[0].clone(),
            id: row[1].clone(),
            window: row[2].clone(),
        })
    };
    ask(database, select).await?.into_iter().map(balance).collect()
}

async fn sums(database: &str, table: &str) -> Result<(u64, u64), String> {
    let select = format!("SELECT COALESCE(SUM(requests), 0), COALESCE(SUM(cost_nanos), 0) FROM {table}");
    let row = ask(database, &select).await?.swap_remove(0);
    Ok((number(&row[0])?, number(&row[1])?))
}

async fn ask(database: &str, select: &str) -> Result<Vec<Vec<String>>, String> {
    let (database, select) = (database.to_string(), select.to_string());
    spawn_blocking(move || postgres::rows(&database, &select)).await.map_err(|error| error.to_string())?
}

fn number<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

pub fn unix_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

impl Balance {
    /// Whether the window of a budget that a scope has.
    pub fn is_of(&self, scope: &Scope, every: Option<u64>) -> bool {
        let window = every.map_or_else(|| "total".to_string(), |seconds| format!("every {seconds} s"));
        let kind: Kind = scope.kind;
        (self.kind.as_str(), self.id.as_str(), self.window.as_str())
            == (kind.word(), scope.id.as_str(), window.as_str())
    }
}
