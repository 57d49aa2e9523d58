//! The acceptance rows over real HTTP: the gateway as users start it, before strict simulated providers.
//!
//! A test that shows a row begins with the row's id.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod aws;
mod azure;
mod budgets;
mod calls;
mod cli;
mod converse;
mod deployments;
mod drawing;
mod embeddings;
mod endpoints;
mod explain;
mod failures;
mod gemini;
mod health;
mod keys;
mod limits;
mod month_end;
mod names;
mod outage;
mod output_limits;
mod overflow;
mod params;
mod pass_through;
#[path = "../../../tollgate-store/tests/support/postgres.rs"]
mod postgres;
mod probe;
mod queue;
mod records;
mod repairs;
mod replay;
mod replicas;
mod responses;
mod retries;
mod routing;
mod rules;
mod secrets;
#[path = "../support/mod.rs"]
mod support;
mod thinking;
mod tiers;
mod vertex;

use support::{fleet, stage};
