//! What the store promises, on SQLite and on PostgreSQL: one suite for both.
#![allow(clippy::unwrap_used, reason = "all of it is tests")]

#[path = "../support/postgres.rs"]
mod postgres;
mod stage;

/// Runs each test on both databases.
macro_rules! contract {
    ($($name:ident)*) => {
        mod on_sqlite {
            $(#[tokio::test] async fn $name() { super::$name(&crate::stage::Stage::sqlite().await).await })*
        }
        mod on_postgres {
            $(#[tokio::test] async fn $name() { super::$name(&crate::stage::Stage::postgres().await).await })*
        }
    };
}
use contract;

mod callers;
mod chains;
mod changes;
mod entities;
mod imports;
mod lists;
mod outage;
mod responses;
