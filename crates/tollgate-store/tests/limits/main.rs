//! Limits that several replicas hold together, over a real Redis.

mod outage;
mod race;
mod replica;
mod support;
