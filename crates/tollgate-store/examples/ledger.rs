//! Fills a ledger and asks it: `cargo xtask ledger`, of which this is the part that knows the store.
//!
//! `ledger fill PLACE ROWS`, then `ledger ask PLACE JOURNAL` in another process, so that the growth it tells of is that of asking.

use std::fmt::Write as _;
use std::time::Instant;

use jiff::tz::TimeZone;
use tollgate_policy::access::ScopeKind;
use tollgate_policy::budget::{Estimate, Pot};
use tollgate_policy::window::Window;
use tollgate_store::database::{Database, Kind};
use tollgate_store::ledger::apply::Applier;
use tollgate_store::ledger::{Begun, Charge, Counted, Entry, Payer, Status, Tokens};
use tollgate_store::meter::{Asking, Meter, Settings};
use tollgate_store::usage::{By, Export, Filter, Format, RowQuestion, SumQuestion, page, row, sums};

#[path = "../tests/support/postgres.rs"]
mod postgres;

type Failure = Box<dyn std::error::Error>;

/// Thirty days from 2026-11-01 UTC, 200 keys of 20 teams, five models with two deployments each: 2,000 parties, nearly all of which use
/// something every hour.
const START_MS: u64 = 1_793_491_200_000;
const DAY_MS: u64 = 86_400_000;
const DAYS: u64 = 30;
const KEYS: u64 = 200;
const MODELS: u64 = 5;
const PARTIES: u64 = 2 * KEYS * MODELS;
/// Rows that go the way of a gateway's, and in one transaction of it; rows that the database makes in one.
const GATEWAYS_WAY: u64 = 200_000;
const BATCH: u64 = 256;
const BULK: u64 = 250_000;
const USAGE: &str = "ledger fill PLACE ROWS | ledger ask PLACE JOURNAL | ledger postgres PID";

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["fill", place, rows] => fill(open(place).await?, rows.parse()?).await,
        ["ask", place, journal] => ask(open(place).await?, journal).await,
        // A server of its own, for as long as that process lives.
        ["postgres", pid] => {
            println!("{}", postgres::start_for(pid.parse()?)?);
            Ok(())
        }
        _ => Err(USAGE.into()),
    }
}

async fn open(place: &str) -> Result<Database, Failure> {
    Ok(match place.starts_with("postgres:") {
        true => Database::postgres(place).await?,
        false => Database::sqlite(place.as_ref()).await?,
    })
}

/// The first rows go the way of a gateway's, which is measured. The others are made in the database, and then summed up as these are:
/// all parties are there by then.
async fn fill(database: Database, rows: u64) -> Result<(), Failure> {
    let first = rows.min(GATEWAYS_WAY);
    let begun = Instant::now();
    let mut applier = Applier::new(database.clone(), TimeZone::UTC);
    for start in (0..first).step_by(BATCH as usize) {
        let entries: Vec<Entry> = (start..first.min(start + BATCH)).map(|number| entry(number, rows)).collect();
        applier.apply("measured", &entries).await?;
    }
    println!("| {first} rows written | {:.0} a second |", first as f64 / begun.elapsed().as_secs_f64());
    make_rows(&database, first, rows).await?;
    println!("| {rows} rows there | after {:.0} s |", begun.elapsed().as_secs_f64());
    Ok(())
}

async fn make_rows(database: &Database, first: u64, rows: u64) -> Result<(), Failure> {
    let mut connection = database.pool.acquire().await?;
    for statement in [
        "CREATE TEMPORARY TABLE numbered AS SELECT id, ROW_NUMBER() OVER (ORDER BY id) - 1 AS n FROM parties",
        "CREATE INDEX numbered_by_n ON numbered (n)",
    ] {
        sqlx::query(statement).execute(&mut *connection).await?;
    }
    let step = DAYS * DAY_MS / rows.max(1);
    for start in (first..rows).step_by(BULK as usize) {
        let (last, mixed) = (rows.min(start + BULK) - 1, "(i * 7919 + i / 1000)");
        let insert = format!(
            "WITH RECURSIVE numbers (i) AS \
             (SELECT CAST({start} AS BIGINT) UNION ALL SELECT i + 1 FROM numbers WHERE i < {last}) \
             INSERT INTO ledger (at_ms, charge, request_id, party, status, input_tokens, output_tokens, \
             cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_nanos, estimated, duration_ms, \
             first_token_ms, attempts, tags) \
             SELECT {START_MS} + i * {step}, '0123456789abcdef-' || i, 'req_0191' || (1000000000000000 + i), p.id, \
             CASE WHEN i % 50 = 0 THEN 'failed' ELSE 'answered' END, 1000 + {mixed} % 5000, {mixed} % 900, \
             {mixed} % 3000, 0, 0, 1000000 + {mixed} % 1000000, 0, {mixed} % 30000, {mixed} % 2000, 1, \
             '[\"tag-' || (i % 7) || '\"]' FROM numbers JOIN numbered p ON p.n = {mixed} % {PARTIES}"
        );
        sqlx::query(sqlx::AssertSqlSafe(insert)).execute(&mut *connection).await?;
    }
    for (name, key, of, hours) in [
        ("usage_hours", "hour_ms, party", "party", 1),
        ("usage_days", "day_ms, party", "party", 24),
        ("tag_hours", "hour_ms, tag", "SUBSTR(tags, 3, LENGTH(tags) - 4)", 1),
        ("tag_days", "day_ms, tag", "SUBSTR(tags, 3, LENGTH(tags) - 4)", 24),
    ] {
        let (long, from) = (hours * 3_600_000, START_MS + first * step);
        let sum_up = sum_up(name, key, of, long, from);
        sqlx::query(sqlx::AssertSqlSafe(sum_up)).execute(&mut *connection).await?;
    }
    if database.kind == Kind::Postgres {
        // As its own housekeeping would have done long before.
        sqlx::query("VACUUM ANALYZE").execute(&mut *connection).await?;
    }
    Ok(())
}

fn sum_up(name: &str, key: &str, of: &str, long: u64, from: u64) -> String {
    let columns =
        ["input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "reasoning_tokens", "cost_nanos"];
    let add = columns.map(|column| format!("{column} = {name}.{column} + excluded.{column}"));
    format!(
        "INSERT INTO {name} ({key}, status, requests, {}) \
         SELECT (at_ms / {long}) * {long}, {of}, status, COUNT(*), {} FROM ledger WHERE at_ms >= {from} GROUP BY 1, 2, 3 \
         ON CONFLICT ({key}, status) DO UPDATE SET requests = {name}.requests + excluded.requests, {}",
        columns.join(", "),
        columns.map(|column| format!("CAST(SUM({column}) AS BIGINT)")).join(", "),
        add.join(", ")
    )
}

fn entry(number: u64, rows: u64) -> Entry {
    // Spread without a pattern that one column shares with another.
    let mixed = number.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 20;
    let key = mixed % KEYS;
    let payer = Payer {
        key_hash: format!("{key:064x}").into(),
        team_id: format!("team-{}", key % 20).into(),
        user_id: format!("user-{}", key % 50).into(),
        organisation_id: format!("org-{}", key % 2).into(),
        end_user: "".into(),
    };
    let model = (mixed / KEYS) % MODELS;
    let counter = |kind, id: &str| Counted {
        key: pot(kind, id, None).key(Window::Total.span(0, &TimeZone::UTC)),
        end_ms: None,
        held: false,
        soft_nanos: None,
    };
    let pots = vec![counter(ScopeKind::Key, &payer.key_hash), counter(ScopeKind::Team, &payer.team_id)];
    let begun = Begun {
        charge: format!("0123456789abcdef-{number}"),
        request_id: format!("req_{number:032x}"),
        at_ms: START_MS + number * (DAYS * DAY_MS / rows.max(1)),
        payer,
        model: format!("model-{model}"),
        tags: vec![format!("tag-{}", mixed % 7)],
        pots,
    };
    let charge = Charge {
        deployment: format!("deployment-{model}-{}", (mixed / (KEYS * MODELS)) % 2),
        provider: "openai".to_string(),
        upstream_model: format!("upstream-{model}"),
        tokens: Tokens {
            input: 1000 + mixed % 5000,
            output: mixed % 900,
            cache_read: mixed % 3000,
            ..Tokens::default()
        },
        cost_nanos: 1_000_000 + mixed % 1_000_000,
        estimated: false,
        status: if mixed.is_multiple_of(50) { Status::Failed } else { Status::Answered },
        duration_ms: mixed % 30_000,
        first_token_ms: Some(mixed % 2_000),
        attempts: 1,
    };
    Entry { begun, charge }
}

fn pot(kind: ScopeKind, id: &str, max_nanos: Option<u64>) -> Pot {
    let window = if max_nanos.is_some() { Window::Month } else { Window::Total };
    Pot { kind, id: id.into(), model: "".into(), window, max_nanos, increase: None, soft_nanos: None }
}

async fn ask(database: Database, journal: &str) -> Result<(), Failure> {
    let month = |by: &[By], filter| SumQuestion {
        from_ms: START_MS,
        to_ms: START_MS + DAYS * DAY_MS,
        by: by.to_vec(),
        filter,
        most: None,
    };
    let team = || Filter { team_id: Some("team-3".to_string()), ..Filter::default() };
    let key = || Filter { key_hash: Some(format!("{:064x}", 7)), ..Filter::default() };
    let questions = [
        ("all of the month", month(&[], Filter::default())),
        ("by day", month(&[By::Day], Filter::default())),
        ("by day and model", month(&[By::Day, By::Model], Filter::default())),
        ("by key", month(&[By::Key], Filter::default())),
        ("by day and key", month(&[By::Day, By::Key], Filter::default())),
        ("by team, model and status", month(&[By::Team, By::Model, By::Status], Filter::default())),
        ("a team by day and model", month(&[By::Day, By::Model], team())),
        ("a key by day", month(&[By::Day], key())),
        ("by tag and day", month(&[By::Tag, By::Day], Filter::default())),
    ];
    // The first question of all is not the one to be measured: the connection is made for it.
    sums(&database, &TimeZone::UTC, &SumQuestion { to_ms: START_MS, ..month(&[], Filter::default()) }).await?;
    let before = resident_kb();
    let mut report = String::new();
    for (name, question) in questions {
        let (lines, ms) = timed(async || Ok(sums(&database, &TimeZone::UTC, &question).await?.len())).await?;
        writeln!(report, "| {name} ({lines} lines) | {ms:.0} ms |")?;
    }
    let whole = RowQuestion { from_ms: START_MS, to_ms: START_MS + DAYS * DAY_MS, most: 100, ..RowQuestion::default() };
    let deep = page(&database, &RowQuestion { to_ms: START_MS + DAY_MS, ..whole.clone() }).await?.next;
    let rare = Filter { status: Some(Status::Failed), ..key() };
    for (name, question) in [
        ("the latest 100 rows", whole.clone()),
        ("100 rows, 29 days deep", RowQuestion { after: deep, ..whole.clone() }),
        ("the latest 100 rows of a key", RowQuestion { filter: key(), ..whole.clone() }),
        ("the latest 100 failed rows of a key", RowQuestion { filter: rare, ..whole.clone() }),
    ] {
        let (_, ms) = timed(async || Ok(page(&database, &question).await?.rows.len())).await?;
        writeln!(report, "| {name} | {ms:.0} ms |")?;
    }
    let (_, ms) = timed(async || Ok(row(&database, &format!("req_{:032x}", 4_999)).await?.len())).await?;
    writeln!(report, "| a row by its request | {ms:.0} ms |")?;
    println!("{report}| growth of the process by all of these | {} MB |", (peak_kb() - before) / 1024);

    let day = RowQuestion { to_ms: START_MS + DAY_MS, ..whole };
    for (name, format) in [("CSV", Format::Csv), ("JSON Lines", Format::JsonLines), ("Parquet", Format::Parquet)] {
        let (bytes, ms) = timed(async || {
            let mut export = Export::new(database.clone(), day.clone(), format)?;
            let mut bytes = 0;
            while let Some(piece) = export.next().await? {
                bytes += piece.len();
            }
            Ok(bytes)
        })
        .await?;
        println!("| a day as {name} ({} MB) | {ms:.0} ms |", bytes / 1_000_000);
    }
    println!("| growth of the process with exports | {} MB |", (peak_kb() - before) / 1024);
    path_of_a_request(database, journal).await
}

/// What a request waits for while the ledger is written beside it.
async fn path_of_a_request(database: Database, journal: &str) -> Result<(), Failure> {
    let meter = Meter::open(database, Settings::new(journal.into()))?;
    let counters = [pot(ScopeKind::Key, "measured", None), pot(ScopeKind::Team, "measured", None)];
    let budgets = [ScopeKind::Key, ScopeKind::Team, ScopeKind::User, ScopeKind::Organisation];
    let budgets = budgets.map(|kind| pot(kind, "measured", Some(u64::MAX / 4)));
    let pots: Vec<Pot> = counters.into_iter().chain(budgets).collect();
    let (mut reserve, mut settle) = (Vec::new(), Vec::new());
    for number in 0..20_000_u64 {
        let asking = Asking {
            request_id: format!("req_{number:032x}"),
            payer: Payer { key_hash: "measured".into(), team_id: "measured".into(), ..Payer::default() },
            model: "model-1".to_string(),
            tags: Vec::new(),
            pots: &pots,
            estimate: Estimate::flat(1_000_000),
        };
        let begun = Instant::now();
        let reservation = meter.reserve(asking, START_MS + DAYS * DAY_MS + number).await?;
        reserve.push(begun.elapsed());
        let charge = Charge { cost_nanos: 900_000, deployment: "deployment-1-0".to_string(), ..Charge::default() };
        let begun = Instant::now();
        reservation.settle(charge);
        settle.push(begun.elapsed());
        if number % 20 == 0 {
            tokio::time::sleep(std::time::Duration::from_millis(1)).await;
        }
    }
    for (name, mut times) in [("to reserve from four budgets", reserve), ("to settle", settle)] {
        times.sort_unstable();
        let at = |share: f64| times[(times.len() as f64 * share) as usize].as_nanos() as f64 / 1000.0;
        println!("| {name}: median, 99 in 100 | {:.1} µs, {:.1} µs |", at(0.5), at(0.99));
    }
    meter.close().await;
    Ok(())
}

/// The better of two, as the page cache of the machine is not ours.
async fn timed<T>(work: impl AsyncFn() -> Result<T, Failure>) -> Result<(T, f64), Failure> {
    let mut best = f64::MAX;
    let mut last = None;
    for _ in 0..2 {
        let begun = Instant::now();
        last = Some(work().await?);
        best = best.min(begun.elapsed().as_secs_f64() * 1000.0);
    }
    Ok((last.ok_or("nothing was asked")?, best))
}

fn resident_kb() -> u64 {
    status("VmRSS:")
}

fn peak_kb() -> u64 {
    status("VmHWM:").max(resident_kb())
}

fn status(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name));
    line.and_then(|line| line.trim().strip_suffix(" kB")?.parse().ok()).unwrap_or(0)
}
