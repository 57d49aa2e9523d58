//! The gateway. Read `pipeline.rs` first.

mod admin;
pub mod answers;
pub mod app;
mod bounds;
pub mod capture;
pub mod cli;
pub mod config;
mod credentials;
pub mod diagnosis;
pub mod failure;
pub mod gate;
pub mod health;
pub mod http;
mod kept;
pub mod pipeline;
pub mod probe;
pub mod registry;
mod rests;
pub mod server;
pub mod sign_in;
pub mod signatures;
pub mod store;
pub mod telemetry;
pub mod tokens;
mod unix_time;
pub mod upstream;
