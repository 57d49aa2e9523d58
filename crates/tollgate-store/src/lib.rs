//! What the gateway remembers between requests and restarts.

pub mod affinity;
pub mod capture;
pub mod captures;
pub mod database;
pub mod learned;
pub mod ledger;
pub mod meter;
pub mod recall;
pub mod record;
pub mod records;
pub mod shared;
pub mod usage;
