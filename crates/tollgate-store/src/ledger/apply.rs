//! Charges go into the database: each exactly once, however often it is tried. Rows of the ledger, hours, balances and leases are
//! written in one transaction, the latter only for rows that were not there.

use std::collections::{BTreeMap, HashSet};

use jiff::tz::TimeZone;
use sqlx::{Any, AnyConnection, Transaction};
use tollgate_policy::budget::PotKey;
use tollgate_policy::window::{Window, hour_of};

use super::opening::{end, name, open};
use super::party::{self, Parties};
use super::{Counted, Entry, Tokens};
use crate::database::{Database, StoreError};

/// Pots that are remembered to be open; when there are more, all are forgotten and looked for again.
const MOST_OPEN: usize = 200_000;

/// Writes the ledger for one gateway.
pub struct Applier {
    pub database: Database,
    pub zone: TimeZone,
    parties: Parties,
    open: HashSet<String>,
}

/// What came of a batch.
#[derive(Debug, Default)]
pub struct Applied {
    /// Of the pots that requests were held against.
    pub held: Vec<PotCharged>,
    pub alerts: Vec<Alert>,
    /// Rows that were not in the ledger before.
    pub added: usize,
}

#[derive(Debug, PartialEq, Eq)]
pub struct PotCharged {
    pub key: PotKey,
    pub cost_nanos: u64,
    /// Taken from the replica's lease.
    pub covered_nanos: u64,
}

/// A soft budget is spent. Told once per window, by one replica.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Alert {
    pub key: PotKey,
    pub soft_nanos: u64,
}

/// Sums of one pot in a batch.
struct Sum<'a> {
    counted: &'a Counted,
    /// Of rows that are new.
    cost: i64,
    /// Of those, what was held against the cap.
    held_cost: i64,
    /// Of all rows that were held against the cap.
    settled: u64,
}

impl Applier {
    pub fn new(database: Database, zone: TimeZone) -> Applier {
        Applier { database, zone, parties: Parties::default(), open: HashSet::new() }
    }

    /// `replica`: whose leases cover the charges.
    pub async fn apply(&mut self, replica: &str, entries: &[Entry]) -> Result<Applied, StoreError> {
        if entries.is_empty() {
            return Ok(Applied::default());
        }
        let mut transaction = self.database.pool.begin().await?;
        let opened = self.open_pots(&mut transaction, entries).await?;
        let all: Vec<&Entry> = entries.iter().collect();
        let parties = self.parties.write(&mut transaction, &all).await?;
        let added = add_rows(&mut transaction, &all).await?;
        let fresh: Vec<&Entry> = all.into_iter().filter(|entry| added.contains(&entry.begun.charge)).collect();
        add_usage(&mut transaction, &fresh, &self.zone).await?;
        let sums = sums(entries, &added);
        add_balances(&mut transaction, &sums).await?;
        let mut applied = Applied { added: added.len(), ..Applied::default() };
        for (pot, sum) in &sums {
            let key = &sum.counted.key;
            if sum.counted.held {
                let covered_nanos = cover(&mut transaction, replica, pot, sum.held_cost).await?;
                applied.held.push(PotCharged { key: key.clone(), cost_nanos: sum.settled, covered_nanos });
            }
            if let Some(soft_nanos) = sum.counted.soft_nanos
                && tell(&mut transaction, pot, soft_nanos).await?
            {
                applied.alerts.push(Alert { key: key.clone(), soft_nanos });
            }
        }
        transaction.commit().await?;
        self.parties.learn(parties);
        if self.open.len() + opened.len() > MOST_OPEN {
            self.open.clear();
        }
        self.open.extend(opened);
        Ok(applied)
    }

    /// Before the rows are there: what a pot opens with does not include them.
    async fn open_pots(
        &self,
        transaction: &mut Transaction<'_, Any>,
        entries: &[Entry],
    ) -> Result<Vec<String>, StoreError> {
        let counted = entries.iter().flat_map(|entry| &entry.begun.pots);
        let new: BTreeMap<String, &Counted> =
            counted.map(|counted| (name(&counted.key), counted)).filter(|(pot, _)| !self.open.contains(pot)).collect();
        for counted in new.values() {
            open(transaction, &counted.key, counted.end_ms, &self.zone).await?;
        }
        Ok(new.into_keys().collect())
    }
}

fn sums<'a>(entries: &'a [Entry], added: &HashSet<String>) -> BTreeMap<String, Sum<'a>> {
    let mut sums: BTreeMap<String, Sum<'a>> = BTreeMap::new();
    for entry in entries {
        let new = if added.contains(&entry.begun.charge) { entry.charge.cost_nanos as i64 } else { 0 };
        for counted in &entry.begun.pots {
            let sum = Sum { counted, cost: 0, held_cost: 0, settled: 0 };
            let sum = sums.entry(name(&counted.key)).or_insert(sum);
            sum.cost += new;
            if counted.held {
                // It is the one that says that the pot has a cap.
                sum.counted = counted;
                sum.held_cost += new;
                sum.settled += entry.charge.cost_nanos;
            }
        }
    }
    sums
}

/// Statements for many rows are made for these numbers of rows only, so that the database knows them by heart.
fn chunks<T>(mut rows: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = [32, 4, 1].into_iter().find(|size| *size <= rows.len())?;
        let (chunk, rest) = rows.split_at(size);
        rows = rest;
        Some(chunk)
    })
}

/// `($1, $2), ($3, $4)`.
fn places(rows: usize, columns: usize) -> String {
    let row = |row: usize| {
        let places: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
        format!("({})", places.join(", "))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(", ")
}

/// The charges of the rows that were not there.
async fn add_rows(connection: &mut AnyConnection, entries: &[&Entry]) -> Result<HashSet<String>, StoreError> {
    let mut added = HashSet::with_capacity(entries.len());
    for chunk in chunks(entries) {
        let insert = format!(
            "INSERT INTO ledger (at_ms, charge, request_id, party, status, input_tokens, output_tokens, \
             cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_nanos, estimated, duration_ms, \
             first_token_ms, attempts, tags) VALUES {} ON CONFLICT (at_ms, charge) DO NOTHING RETURNING charge",
            places(chunk.len(), 16)
        );
        let mut query = sqlx::query_as(sqlx::AssertSqlSafe(insert));
        for Entry { begun, charge } in chunk {
            query = query
                .bind(begun.at_ms as i64)
                .bind(begun.charge.as_str())
                .bind(begun.request_id.as_str())
                .bind(party::id(&begun.payer, &begun.model, charge))
                .bind(charge.status.word());
            for count in counts(&charge.tokens) {
                query = query.bind(count);
            }
            query = query
                .bind(charge.cost_nanos as i64)
                .bind(i64::from(charge.estimated))
                .bind(charge.duration_ms as i64)
                .bind(charge.first_token_ms.map_or(-1, |ms| ms as i64))
                .bind(i64::from(charge.attempts))
                .bind(serde_json::to_string(&begun.tags)?);
        }
        let rows: Vec<(String,)> = query.fetch_all(&mut *connection).await?;
        added.extend(rows.into_iter().map(|(charge,)| charge));
    }
    Ok(added)
}

fn counts(tokens: &Tokens) -> [i64; 5] {
    [tokens.input, tokens.output, tokens.cache_read, tokens.cache_write, tokens.reasoning].map(|count| count as i64)
}

/// Requests, tokens of each kind, cost.
type Sums = [i64; 7];

/// Into hours and days, of parties and of tags.
async fn add_usage(connection: &mut AnyConnection, entries: &[&Entry], zone: &TimeZone) -> Result<(), StoreError> {
    let mut by_party: BTreeMap<(i64, i64, &str), Sums> = BTreeMap::new();
    let mut by_tag: BTreeMap<(i64, &str, &str), Sums> = BTreeMap::new();
    for Entry { begun, charge } in entries {
        let [input, output, read, write, reasoning] = counts(&charge.tokens);
        let row = [1, input, output, read, write, reasoning, charge.cost_nanos as i64];
        let (hour, status) = (hour_of(begun.at_ms, zone) as i64, charge.status.word());
        add(by_party.entry((hour, party::id(&begun.payer, &begun.model, charge), status)).or_default(), &row);
        begun.tags.iter().for_each(|tag| add(by_tag.entry((hour, tag, status)).or_default(), &row));
    }
    add_sums(connection, "usage_hours (hour_ms, party", &by_party).await?;
    add_sums(connection, "usage_days (day_ms, party", &of_days(&by_party, zone)).await?;
    add_sums(connection, "tag_hours (hour_ms, tag", &by_tag).await?;
    add_sums(connection, "tag_days (day_ms, tag", &of_days(&by_tag, zone)).await
}

fn add(sums: &mut Sums, more: &Sums) {
    sums.iter_mut().zip(more).for_each(|(sum, more)| *sum += more);
}

/// Days are made of whole hours.
fn of_days<'a, T: Ord + Copy>(
    hours: &BTreeMap<(i64, T, &'a str), Sums>,
    zone: &TimeZone,
) -> BTreeMap<(i64, T, &'a str), Sums> {
    let mut days = BTreeMap::new();
    for ((hour, of, status), sums) in hours {
        let day = Window::Day.span(*hour as u64, zone).start_ms as i64;
        add(days.entry((day, *of, *status)).or_default(), sums);
    }
    days
}

/// `table`: its name and the first two columns of its key, the third of which is the status.
async fn add_sums<'a, T>(
    connection: &mut AnyConnection,
    table: &str,
    sums: &BTreeMap<(i64, T, &'a str), Sums>,
) -> Result<(), StoreError>
where
    T: Copy + sqlx::Encode<'a, Any> + sqlx::Type<Any>,
{
    let rows: Vec<_> = sums.iter().collect();
    for chunk in chunks(&rows) {
        let mut query = sqlx::query(sqlx::AssertSqlSafe(upsert(table, chunk.len())));
        for ((time, of, status), sums) in chunk {
            query = sums.iter().fold(query.bind(*time).bind(*of).bind(*status), |query, sum| query.bind(*sum));
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

fn upsert(table: &str, rows: usize) -> String {
    const COLUMNS: [&str; 7] = [
        "requests",
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "cost_nanos",
    ];
    let (name, key) = table.split_once(" (").unwrap_or((table, ""));
    let sums: Vec<String> =
        COLUMNS.iter().map(|column| format!("{column} = {name}.{column} + excluded.{column}")).collect();
    format!(
        "INSERT INTO {name} ({key}, status, {}) VALUES {} ON CONFLICT ({key}, status) DO UPDATE SET {}",
        COLUMNS.join(", "),
        places(rows, 10),
        sums.join(", ")
    )
}

async fn add_balances(connection: &mut AnyConnection, sums: &BTreeMap<String, Sum<'_>>) -> Result<(), StoreError> {
    let rows: Vec<_> = sums.iter().filter(|(_, sum)| sum.cost != 0).collect();
    for chunk in chunks(&rows) {
        let insert = format!(
            "INSERT INTO balances (pot, scope_kind, scope_id, model, period, start_ms, end_ms, spent_nanos) VALUES {} \
             ON CONFLICT (pot) DO UPDATE SET spent_nanos = balances.spent_nanos + excluded.spent_nanos",
            places(chunk.len(), 8)
        );
        let mut query = sqlx::query(sqlx::AssertSqlSafe(insert));
        for (pot, sum) in chunk {
            let key = &sum.counted.key;
            query = query
                .bind(pot.as_str())
                .bind(key.kind.word())
                .bind(key.id.as_ref())
                .bind(key.model.as_ref())
                .bind(key.window.word())
                .bind(key.start_ms as i64)
                .bind(end(sum.counted.end_ms))
                .bind(sum.cost);
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

/// Takes from the replica's lease what is now spent. More than the lease is spent all the same.
async fn cover(connection: &mut AnyConnection, replica: &str, pot: &str, cost: i64) -> Result<u64, StoreError> {
    if cost == 0 {
        return Ok(0);
    }
    let select = "SELECT nanos FROM leases WHERE replica = $1 AND pot = $2";
    let found: Option<(i64,)> = sqlx::query_as(select).bind(replica).bind(pot).fetch_optional(&mut *connection).await?;
    let covered = found.map_or(0, |(nanos,)| nanos.min(cost));
    if covered > 0 {
        // Nobody comes back for one that is used up.
        let delete = "DELETE FROM leases WHERE replica = $1 AND pot = $2 AND nanos = $3";
        let gone = sqlx::query(delete).bind(replica).bind(pot).bind(covered).execute(&mut *connection).await?;
        if gone.rows_affected() == 0 {
            let update = "UPDATE leases SET nanos = nanos - $3 WHERE replica = $1 AND pot = $2";
            sqlx::query(update).bind(replica).bind(pot).bind(covered).execute(&mut *connection).await?;
        }
        let update = "UPDATE balances SET leased_nanos = leased_nanos - $2 WHERE pot = $1";
        sqlx::query(update).bind(pot).bind(covered).execute(&mut *connection).await?;
    }
    Ok(covered as u64)
}

/// Whether it is for us to tell.
async fn tell(connection: &mut AnyConnection, pot: &str, soft_nanos: u64) -> Result<bool, StoreError> {
    let update = "UPDATE balances SET told_nanos = $2 WHERE pot = $1 AND spent_nanos >= $2 AND told_nanos < $2";
    let done = sqlx::query(update).bind(pot).bind(soft_nanos as i64).execute(connection).await?;
    Ok(done.rows_affected() == 1)
}
