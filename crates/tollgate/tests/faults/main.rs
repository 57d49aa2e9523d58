//! Every way in which an upstream fails, before every arrangement of deployments, for every kind of client.
//!
//! `table.rs` says what is to come of each, by hand; `docs/resilience.md` shows that table. `TOLLGATE_UPDATE_DOCS=1` writes
//! it there anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod attempts;
mod cell;
mod credentials;
mod matrix;
mod opened;
mod page;
mod phases;
mod reload;
mod script;
#[path = "../support/mod.rs"]
mod support;
mod table;
mod turns;
