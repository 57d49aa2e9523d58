//! The database away for a while: nobody who is known is kept waiting, and no spending is lost or counted twice.

use std::path::Path;
use std::time::Duration;

use serde_json::json;
use sqlx::pool::PoolConnection;
use sqlx::{Any, raw_sql};

use crate::budgets::{DOLLAR, House, Kind, hundred_tokens, within};
use crate::postgres::Postgres;
use crate::stage::Client;
use crate::support::isolated;

/// How long after its return all that was spent is in the database.
const APPLIED_WITHIN: Duration = Duration::from_secs(5);
const AWAY: &str = "the database is away: budgets go by what it last said";

/// What keeps the gateway from its database.
enum Outage {
    /// Another process writes to the file and does not come to an end.
    Locked(PoolConnection<Any>),
    Stopped(Box<Postgres>),
}

impl Outage {
    async fn end(self) -> Option<Box<Postgres>> {
        match self {
            Outage::Locked(mut connection) => {
                raw_sql("ROLLBACK").execute(&mut *connection).await.unwrap();
                None
            }
            Outage::Stopped(mut server) => {
                server.start_again();
                Some(server)
            }
        }
    }
}

async fn s24(kind: Kind) {
    let server = (kind == Kind::Postgres).then(|| Box::new(Postgres::start()));
    let url = server.as_ref().map(|server| server.url());
    let house = House::open_at(url.as_deref(), hundred_tokens(), json!({})).await;
    // By way of the gateway, which so knows of it at once, and does not have to look again a second later.
    let made = house.make_key(&json!({"max_budget": 100})).await;
    assert_eq!(made.status, 200, "{}", made.text());
    let body = Client::Chat.hello(json!({"max_tokens": 100}));
    let ask = async |times: usize| {
        for _ in 0..times {
            let answer = within(Duration::from_secs(10), "an answer", house.ask(Client::Chat, &body)).await;
            assert_eq!(answer.status, 200, "{}", answer.text());
        }
    };
    ask(3).await;
    assert_eq!(house.spent(3 * DOLLAR / 10).await, 3 * DOLLAR / 10);

    let outage = match server {
        Some(mut server) => {
            server.stop();
            Outage::Stopped(server)
        }
        None => {
            let mut connection = house.database.pool.acquire().await.unwrap();
            raw_sql("BEGIN EXCLUSIVE").execute(&mut *connection).await.unwrap();
            Outage::Locked(connection)
        }
    };
    ask(10).await;
    house.fleet.gateway.logged(AWAY).await;
    ask(10).await;
    let journal = journal_of(&house.fleet.gateway.data_dir().join("journal"));
    assert_eq!(journal.matches("\"settle\"").count(), 23, "what was spent is on the disk: {journal}");

    let _server = outage.end().await;
    within(APPLIED_WITHIN, "all that was spent", async {
        while house.spent(23 * DOLLAR / 10).await < 23 * DOLLAR / 10 {}
    })
    .await;
    // As often as it is tried, each once.
    ask(1).await;
    assert_eq!(house.spent(24 * DOLLAR / 10).await, 24 * DOLLAR / 10);
    let count: i64 = sqlx::query_scalar("SELECT COUNT(*) FROM ledger").fetch_one(&house.database.pool).await.unwrap();
    let balance = "SELECT spent_nanos FROM balances WHERE scope_kind = 'key'";
    let balance: i64 = sqlx::query_scalar(balance).fetch_one(&house.database.pool).await.unwrap();
    assert_eq!((count, balance), (24, 24 * DOLLAR as i64 / 10));
}

/// All that is in the journals below a folder.
fn journal_of(root: &Path) -> String {
    let folders = std::fs::read_dir(root).unwrap().flatten().filter(|entry| entry.path().is_dir());
    let files = folders.flat_map(|folder| std::fs::read_dir(folder.path()).unwrap().flatten());
    files.map(|file| std::fs::read_to_string(file.path()).unwrap()).collect()
}

#[test]
fn s24_while_the_database_is_away_spending_is_in_the_journal_and_soon_after_in_the_ledger_once_on_sqlite() {
    isolated(|| s24(Kind::Sqlite));
}

#[test]
fn s24_while_the_database_is_away_spending_is_in_the_journal_and_soon_after_in_the_ledger_once_on_postgres() {
    isolated(|| s24(Kind::Postgres));
}
