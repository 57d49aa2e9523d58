//! Every kind of client before every kind of upstream: what reaches the upstream, what reaches the client, and what is lost.
//!
//! `loss.rs` is the table of what cannot be carried; `docs/translation.md` shows it. `TOLLGATE_UPDATE_DOCS=1` writes it there anew.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

mod cases;
mod cell;
mod client;
mod converse;
mod loss;
mod page;
mod pairs;
mod recalled;
mod s12;
mod s17;
#[path = "../support/mod.rs"]
mod support;
mod switch;
mod thoughts;
mod upstream;
