//! The management API over real HTTP, on both databases: what LiteLLM's documentation sends works unchanged.

mod addresses;
mod cli;
mod export;
mod fixtures;
mod issuer;
mod last_active;
mod models;
#[path = "../../../tollgate-store/tests/support/postgres.rs"]
mod postgres;
mod retention;
mod rights;
mod s21;
mod s25;
mod s30;
mod sign_in;
mod spend;
mod stage;
#[path = "../support/mod.rs"]
mod support;
