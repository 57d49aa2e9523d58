//! Charges go into the database: each exactly once, however often it is tried. Rows of the ledger, hours, balances and leases are
//! written in one transaction, the latter only for rows that were not there.

use std::collections::{BTreeMap, HashMap, HashSet};

use jiff::tz::TimeZone;
use sqlx::{Any, AnyConnection, Transaction};
use tollgate_policy::budget::PotKey;
use tollgate_policy::window::{Window, hour_of};

use super::many::Many;
use super::opening::{end, name, open};
use super::party::{self, Parties};
use super::{Counted, Entry, Tokens};
use crate::database::{Database, Kind, StoreError};

/// Pots that are remembered to be open; when there are more, all are forgotten and looked for again.
const MOST_OPEN: usize = 200_000;

/// Writes the ledger for one gateway.
pub struct Applier {
    pub database: Database,
    pub zone: TimeZone,
    parties: Parties,
    open: HashSet<PotKey>,
    statements: Statements,
}

struct Statements {
    rows: Many,
    usage_hours: Many,
    usage_days: Many,
    tag_hours: Many,
    tag_days: Many,
    balances: Many,
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
        let statements = Statements::new(database.kind);
        Applier { database, zone, parties: Parties::default(), open: HashSet::new(), statements }
    }

    /// `replica`: whose leases cover the charges.
    pub async fn apply(&mut self, replica: &str, entries: &[Entry]) -> Result<Applied, StoreError> {
        if entries.is_empty() {
            return Ok(Applied::default());
        }
        let mut transaction = self.database.pool.begin().await?;
        let opened = self.open_pots(&mut transaction, entries).await?;
        let mut rows = party::of(entries);
        let parties = self.parties.write(&mut transaction, &rows).await?;
        let added = add_rows(&mut transaction, &self.statements, &rows).await?;
        rows.retain(|(entry, _)| added.contains(&entry.begun.charge));
        add_usage(&mut transaction, &self.statements, &rows, &self.zone).await?;
        let sums = sums(entries, &added);
        add_balances(&mut transaction, &self.statements, &sums).await?;
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
    ) -> Result<Vec<PotKey>, StoreError> {
        let counted = entries.iter().flat_map(|entry| &entry.begun.pots);
        let new = counted.filter(|counted| !self.open.contains(&counted.key));
        let new = by_name(new.map(|counted| (&counted.key, counted)).collect());
        for counted in new.values() {
            open(transaction, &counted.key, counted.end_ms, &self.zone).await?;
        }
        Ok(new.into_values().map(|counted| counted.key.clone()).collect())
    }
}

/// In the order in which all replicas go through pots.
fn by_name<T>(pots: HashMap<&PotKey, T>) -> BTreeMap<String, T> {
    pots.into_iter().map(|(key, of)| (name(key), of)).collect()
}

fn sums<'a>(entries: &'a [Entry], added: &HashSet<String>) -> BTreeMap<String, Sum<'a>> {
    let mut sums: HashMap<&PotKey, Sum<'a>> = HashMap::new();
    for entry in entries {
        let new = if added.contains(&entry.begun.charge) { entry.charge.cost_nanos as i64 } else { 0 };
        for counted in &entry.begun.pots {
            let sum = Sum { counted, cost: 0, held_cost: 0, settled: 0 };
            let sum = sums.entry(&counted.key).or_insert(sum);
            sum.cost += new;
            if counted.held {
                // It is the one that says that the pot has a cap.
                sum.counted = counted;
                sum.held_cost += new;
                sum.settled += entry.charge.cost_nanos;
            }
        }
    }
    by_name(sums)
}

impl Statements {
    fn new(kind: Kind) -> Statements {
        Statements {
            rows: Many::new(kind, 16, |places| {
                format!(
                    "INSERT INTO ledger (at_ms, charge, request_id, party, status, input_tokens, output_tokens, \
                     cache_read_tokens, cache_write_tokens, reasoning_tokens, cost_nanos, estimated, duration_ms, \
                     first_token_ms, attempts, tags) VALUES {places} ON CONFLICT (at_ms, charge) DO NOTHING RETURNING charge"
                )
            }),
            usage_hours: upsert(kind, "usage_hours", "hour_ms, party, status"),
            usage_days: upsert(kind, "usage_days", "day_ms, party, status"),
            tag_hours: upsert(kind, "tag_hours", "hour_ms, tag, status"),
            tag_days: upsert(kind, "tag_days", "day_ms, tag, status"),
            balances: Many::new(kind, 8, |places| {
                format!(
                    "INSERT INTO balances (pot, scope_kind, scope_id, model, period, start_ms, end_ms, spent_nanos) \
                     VALUES {places} ON CONFLICT (pot) DO UPDATE SET spent_nanos = balances.spent_nanos + excluded.spent_nanos"
                )
            }),
        }
    }
}

fn upsert(kind: Kind, table: &str, key: &str) -> Many {
    const COLUMNS: [&str; 7] = [
        "requests",
        "input_tokens",
        "output_tokens",
        "cache_read_tokens",
        "cache_write_tokens",
        "reasoning_tokens",
        "cost_nanos",
    ];
    let sums = COLUMNS.map(|column| format!("{column} = {table}.{column} + excluded.{column}")).join(", ");
    let columns = COLUMNS.join(", ");
    Many::new(kind, 10, |places| {
        format!("INSERT INTO {table} ({key}, {columns}) VALUES {places} ON CONFLICT ({key}) DO UPDATE SET {sums}")
    })
}

/// The charges of the rows that were not there.
async fn add_rows(
    connection: &mut AnyConnection,
    statements: &Statements,
    rows: &[(&Entry, i64)],
) -> Result<HashSet<String>, StoreError> {
    let mut added = HashSet::with_capacity(rows.len());
    for (insert, part) in statements.rows.parts(rows) {
        let mut query = sqlx::query_as(insert);
        for (Entry { begun, charge }, party) in part {
            query = query
                .bind(begun.at_ms as i64)
                .bind(begun.charge.as_str())
                .bind(begun.request_id.as_str())
                .bind(*party)
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
async fn add_usage(
    connection: &mut AnyConnection,
    statements: &Statements,
    rows: &[(&Entry, i64)],
    zone: &TimeZone,
) -> Result<(), StoreError> {
    let mut by_party: BTreeMap<(i64, i64, &str), Sums> = BTreeMap::new();
    let mut by_tag: BTreeMap<(i64, &str, &str), Sums> = BTreeMap::new();
    for (Entry { begun, charge }, party) in rows {
        let [input, output, read, write, reasoning] = counts(&charge.tokens);
        let row = [1, input, output, read, write, reasoning, charge.cost_nanos as i64];
        let (hour, status) = (hour_of(begun.at_ms, zone) as i64, charge.status.word());
        add(by_party.entry((hour, *party, status)).or_default(), &row);
        begun.tags.iter().for_each(|tag| add(by_tag.entry((hour, tag, status)).or_default(), &row));
    }
    add_sums(connection, &statements.usage_hours, &by_party).await?;
    add_sums(connection, &statements.usage_days, &of_days(&by_party, zone)).await?;
    add_sums(connection, &statements.tag_hours, &by_tag).await?;
    add_sums(connection, &statements.tag_days, &of_days(&by_tag, zone)).await
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

async fn add_sums<'a, T>(
    connection: &mut AnyConnection,
    upsert: &Many,
    sums: &BTreeMap<(i64, T, &'a str), Sums>,
) -> Result<(), StoreError>
where
    T: Copy + sqlx::Encode<'a, Any> + sqlx::Type<Any>,
{
    let rows: Vec<_> = sums.iter().collect();
    for (upsert, part) in upsert.parts(&rows) {
        let mut query = sqlx::query(upsert);
        for ((time, of, status), sums) in part {
            query = sums.iter().fold(query.bind(*time).bind(*of).bind(*status), |query, sum| query.bind(*sum));
        }
        query.execute(&mut *connection).await?;
    }
    Ok(())
}

async fn add_balances(
    connection: &mut AnyConnection,
    statements: &Statements,
    sums: &BTreeMap<String, Sum<'_>>,
) -> Result<(), StoreError> {
    let rows: Vec<_> = sums.iter().filter(|(_, sum)| sum.cost != 0).collect();
    for (upsert, part) in statements.balances.parts(&rows) {
        let mut query = sqlx::query(upsert);
        for (pot, sum) in part {
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
