//! What the gateway remembers between requests and restarts.

pub mod access;
pub mod affinity;
pub mod backup;
pub mod callers;
pub mod capture;
pub mod captures;
pub mod chain;
pub mod changes;
pub mod database;
pub mod entity;
pub mod import;
pub mod learned;
pub mod ledger;
pub mod limiter;
pub mod list;
pub mod meter;
pub mod recall;
pub mod record;
pub mod records;
pub mod responses;
pub mod shared;
pub mod usage;
pub mod uses;
pub mod vault;
