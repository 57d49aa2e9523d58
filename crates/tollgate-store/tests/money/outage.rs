//! The database goes away and comes back.

use std::slice::from_ref;

use tokio::time::{Duration, timeout};
use tollgate_policy::access::ScopeKind;
use tollgate_policy::budget::Estimate;
use tollgate_policy::window::Window;
use tollgate_store::database::Database;
use tollgate_store::meter::{Denied, Meter, Settings};

use crate::proxy::Proxy;
use crate::stage::{DOLLAR, NOON, Stage, cost, key_budget, pot, reserve};

#[tokio::test(flavor = "multi_thread")]
async fn while_the_database_is_away_known_budgets_hold_and_nothing_is_lost() {
    let place = crate::postgres::new_database();
    let proxy = Proxy::start(&place).await;
    let direct = Stage { database: Database::postgres(&place).await.unwrap(), ..Stage::sqlite().await };
    let database = Database::postgres(&proxy.url).await.unwrap();
    let settings = Settings { journal_bytes: 100_000, ..Settings::new(direct.journal()) };
    let meter = Meter::open(database, settings).unwrap();
    let pots = [key_budget(DOLLAR)];
    let dime = Estimate::flat(DOLLAR / 10);
    reserve(&meter, &pots, dime, NOON).await.unwrap().settle(cost(DOLLAR / 10));
    meter.flush().await;

    proxy.cut();
    for _ in 0..9 {
        reserve(&meter, &pots, dime, NOON).await.unwrap().settle(cost(DOLLAR / 10));
    }
    let denied = reserve(&meter, &pots, dime, NOON).await;
    assert!(matches!(&denied, Err(Denied::Budget(denial)) if !denial.may_pass()), "{:?}", denied.err());
    // Of this one the database never said how it stands.
    let unknown = pot(ScopeKind::Team, "unknown", Window::Total, DOLLAR);
    assert!(matches!(reserve(&meter, from_ref(&unknown), dime, NOON).await, Err(Denied::Away)));
    // A month later is a window that nobody has spent from.
    let later = NOON + 40 * 86_400_000;
    reserve(&meter, &pots, dime, later).await.unwrap().settle(cost(7));
    assert_eq!(direct.number("SELECT COUNT(*) FROM ledger").await, 1);
    assert!(meter.is_away() && meter.journal_bytes() > 0);

    proxy.mend();
    timeout(Duration::from_secs(60), meter.flush()).await.unwrap();
    assert!(!meter.is_away());
    assert_eq!(direct.number("SELECT COUNT(*) FROM ledger").await, 11);
    assert_eq!(direct.spent(&pots[0]).await, DOLLAR as i64 + 7);
    assert!(reserve(&meter, &[unknown], dime, NOON).await.is_ok());
    meter.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_waits_for_a_database_that_hangs() {
    let stage = Stage::sqlite().await;
    let meter = stage.gateway();
    let pots = [key_budget(DOLLAR)];
    reserve(&meter, &pots, Estimate::flat(1), NOON).await.unwrap().settle(cost(1));
    let mut other = stage.database.pool.acquire().await.unwrap();
    sqlx::raw_sql("BEGIN EXCLUSIVE").execute(&mut *other).await.unwrap();
    let seen = async {
        while !meter.is_away() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    timeout(Duration::from_secs(60), seen).await.unwrap();
    // The meter asks for it all the time, three seconds long.
    let many = async {
        for _ in 0..200 {
            reserve(&meter, &pots, Estimate::flat(1), NOON).await.unwrap().settle(cost(1));
        }
    };
    timeout(Duration::from_secs(20), many).await.expect("not one of them waits for it");
    sqlx::raw_sql("ROLLBACK").execute(&mut *other).await.unwrap();
    timeout(Duration::from_secs(60), meter.flush()).await.unwrap();
    assert_eq!(stage.spent(&pots[0]).await, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_too_slow_for_a_whole_batch_gets_smaller_ones() {
    let stage = Stage::postgres().await;
    // 256 rows, a batch, take 4 s, and a gateway waits for 3.
    let slow = "CREATE FUNCTION slow() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.016); RETURN NEW; END $$; \
                CREATE TRIGGER slow BEFORE INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION slow()";
    sqlx::raw_sql(slow).execute(&stage.database.pool).await.unwrap();
    let meter = stage.gateway();
    for _ in 0..256 {
        reserve(&meter, &[], Estimate::flat(1000), NOON).await.unwrap().settle(cost(1));
    }
    timeout(Duration::from_secs(60), meter.flush()).await.expect("it all arrives in the end");
    assert_eq!(stage.number("SELECT COUNT(*) FROM ledger").await, 256);
    assert_eq!(stage.number("SELECT CAST(SUM(requests) AS BIGINT) FROM usage_hours").await, 256);
    meter.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_journal_stops_what_costs_and_only_that() {
    let place = crate::postgres::new_database();
    let proxy = Proxy::start(&place).await;
    let stage = Stage { database: Database::postgres(&place).await.unwrap(), ..Stage::sqlite().await };
    let database = Database::postgres(&proxy.url).await.unwrap();
    let settings = Settings { journal_bytes: 20_000, ..Settings::new(stage.journal()) };
    let meter = Meter::open(database, settings).unwrap();
    meter.flush().await;
    proxy.cut();
    let mut settled = 0;
    let denied = loop {
        match reserve(&meter, &[], Estimate::flat(1000), NOON).await {
            Ok(reservation) => reservation.settle(cost(1)),
            Err(denied) => break denied,
        }
        settled += 1;
        assert!(settled < 100, "20 KB hold fewer");
    };
    assert!(matches!(denied, Denied::Journal(_)), "{denied}");
    assert_eq!(denied.to_string(), "the journal of spending is full: the database was away for too long");
    reserve(&meter, &[], Estimate::flat(0), NOON).await.unwrap().settle(cost(0));
    proxy.mend();
    timeout(Duration::from_secs(60), meter.flush()).await.unwrap();
    assert_eq!(stage.number("SELECT CAST(SUM(cost_nanos) AS BIGINT) FROM ledger").await, settled);
    meter.close().await;
}
