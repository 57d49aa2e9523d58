//! The acceptance rows over real HTTP: the gateway as users start it, before strict simulated providers.
//!
//! A test that shows a row begins with the row's id.

mod calls;
mod cli;
mod explain;
mod failures;
mod gemini;
mod health;
mod keys;
mod names;
mod output_limits;
mod overflow;
mod params;
mod probe;
mod records;
mod repairs;
mod replay;
mod replicas;
mod routing;
mod rules;
#[path = "../support/mod.rs"]
mod support;
mod thinking;
mod tiers;

use support::{fleet, stage};
