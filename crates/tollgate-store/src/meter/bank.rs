//! The database's side of leases: one replica at a time changes a pot, and no lease is given that would let the sum pass the cap.

use jiff::tz::TimeZone;
use sqlx::AnyConnection;
use tollgate_policy::budget::{Leased, PotKey, Standing, Visit, lease};
use tollgate_policy::window::Window;

use crate::database::{Database, StoreError};
use crate::ledger::opening::{name, open};

/// Does what all visits ask for, in one transaction.
pub async fn visit(
    database: &Database,
    zone: &TimeZone,
    replica: &str,
    replicas: u32,
    visits: &[Visit],
) -> Result<Vec<Leased>, StoreError> {
    let mut transaction = database.pool.begin().await?;
    let mut named: Vec<(String, usize)> = visits.iter().enumerate().map(|(i, visit)| (name(&visit.key), i)).collect();
    // Everybody locks in the same order: two replicas never wait for each other.
    named.sort_unstable();
    let mut leased = vec![None; visits.len()];
    for (pot, index) in named {
        let visit = &visits[index];
        let (spent, all, own) = stand(&mut transaction, zone, replica, &pot, visit).await?;
        let standing = Standing { spent_nanos: positive(spent), others_nanos: positive(all - own), replicas };
        let nanos = lease(visit.cap_nanos, standing, visit);
        change(&mut transaction, replica, &pot, own, nanos as i64).await?;
        leased[index] = Some(Leased { nanos, standing });
    }
    transaction.commit().await?;
    Ok(leased.into_iter().flatten().collect())
}

/// Spent, leased by all, and leased by this replica. From here to the end of the transaction nobody else changes the pot.
async fn stand(
    connection: &mut AnyConnection,
    zone: &TimeZone,
    replica: &str,
    pot: &str,
    visit: &Visit,
) -> Result<(i64, i64, i64), StoreError> {
    let key = &visit.key;
    let rolls = matches!(key.window, Window::Rolling(_));
    if rolls {
        lock_window(connection, zone, key).await?;
    }
    let (mut spent, mut all) = match lock(connection, pot).await? {
        Some(found) => found,
        None => {
            open(connection, key, visit.end_ms, zone).await?;
            lock(connection, pot).await?.unwrap_or_default()
        }
    };
    if rolls {
        (spent, all) = parts(connection, key).await?;
    }
    let own = "SELECT nanos FROM leases WHERE replica = $1 AND pot = $2";
    let own: Option<(i64,)> = sqlx::query_as(own).bind(replica).bind(pot).fetch_optional(connection).await?;
    Ok((spent, all, own.map_or(0, |(nanos,)| nanos)))
}

async fn lock(connection: &mut AnyConnection, pot: &str) -> Result<Option<(i64, i64)>, StoreError> {
    let update = "UPDATE balances SET leased_nanos = leased_nanos WHERE pot = $1 RETURNING spent_nanos, leased_nanos";
    Ok(sqlx::query_as(update).bind(pot).fetch_optional(connection).await?)
}

/// Two replicas may be in different parts of a rolling window, so what they lock is a row of its own, the part at 0.
async fn lock_window(connection: &mut AnyConnection, zone: &TimeZone, key: &PotKey) -> Result<(), StoreError> {
    let anchor = PotKey { start_ms: 0, ..key.clone() };
    if lock(connection, &name(&anchor)).await?.is_none() {
        open(connection, &anchor, Some(0), zone).await?;
        lock(connection, &name(&anchor)).await?;
    }
    Ok(())
}

/// Spent and leased in all parts of a rolling window.
pub async fn parts(connection: &mut AnyConnection, key: &PotKey) -> Result<(i64, i64), StoreError> {
    let select = "SELECT CAST(COALESCE(SUM(spent_nanos), 0) AS BIGINT), CAST(COALESCE(SUM(leased_nanos), 0) AS BIGINT) \
                  FROM balances WHERE scope_kind = $1 AND scope_id = $2 AND model = $3 AND period = $4 AND start_ms >= $5";
    Ok(sqlx::query_as(select)
        .bind(key.kind.word())
        .bind(key.id.as_ref())
        .bind(key.model.as_ref())
        .bind(key.window.word())
        .bind(key.window.counts_from_ms(key.start_ms) as i64)
        .fetch_one(connection)
        .await?)
}

async fn change(
    connection: &mut AnyConnection,
    replica: &str,
    pot: &str,
    old: i64,
    new: i64,
) -> Result<(), StoreError> {
    if old == new {
        return Ok(());
    }
    let update = "UPDATE balances SET leased_nanos = leased_nanos + $2 WHERE pot = $1";
    sqlx::query(update).bind(pot).bind(new - old).execute(&mut *connection).await?;
    if new == 0 {
        let delete = "DELETE FROM leases WHERE replica = $1 AND pot = $2";
        sqlx::query(delete).bind(replica).bind(pot).execute(connection).await?;
    } else {
        let insert = "INSERT INTO leases (replica, pot, nanos) VALUES ($1, $2, $3) \
                      ON CONFLICT (replica, pot) DO UPDATE SET nanos = excluded.nanos";
        sqlx::query(insert).bind(replica).bind(pot).bind(new).execute(connection).await?;
    }
    Ok(())
}

/// Says that the replica is alive, and returns everybody's beat.
pub async fn beat(database: &Database, replica: &str, beat: i64) -> Result<Vec<(String, i64)>, StoreError> {
    let insert = "INSERT INTO replicas (id, beat) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET beat = excluded.beat";
    sqlx::query(insert).bind(replica).bind(beat).execute(&database.pool).await?;
    Ok(sqlx::query_as("SELECT id, beat FROM replicas").fetch_all(&database.pool).await?)
}

/// All leases of a replica that is gone go back.
pub async fn give_back_all(database: &Database, replica: &str) -> Result<(), StoreError> {
    let mut transaction = database.pool.begin().await?;
    // A write first: SQLite then waits for its turn here instead of failing later.
    sqlx::query("DELETE FROM replicas WHERE id = $1").bind(replica).execute(&mut *transaction).await?;
    let select = "SELECT pot FROM leases WHERE replica = $1 ORDER BY pot";
    let pots: Vec<(String,)> = sqlx::query_as(select).bind(replica).fetch_all(&mut *transaction).await?;
    for (pot,) in pots {
        lock(&mut transaction, &pot).await?;
        // Read again under the lock: somebody else may have been faster.
        let delete = "DELETE FROM leases WHERE replica = $1 AND pot = $2 RETURNING nanos";
        let gone: Option<(i64,)> =
            sqlx::query_as(delete).bind(replica).bind(&pot).fetch_optional(&mut *transaction).await?;
        let update = "UPDATE balances SET leased_nanos = leased_nanos - $2 WHERE pot = $1";
        let nanos = gone.map_or(0, |(nanos,)| nanos);
        sqlx::query(update).bind(&pot).bind(nanos).execute(&mut *transaction).await?;
    }
    transaction.commit().await?;
    Ok(())
}

fn positive(nanos: i64) -> u64 {
    nanos.max(0) as u64
}
