//! The vendors' own Python SDKs against the gateway, in front of strict simulated providers: Anthropic's, OpenAI's and Google's, each
//! with an upstream of its own dialect and of the other. `cargo xtask test --quick` leaves this file out.
//!
//! A test gives the calls as JSON and gets back what the SDK made of the answers; what went up is read from the simulator.

#[path = "../support/mod.rs"]
mod support;

mod answers;
mod clouds;
mod content;
mod counting;
mod desk;
mod documents;
mod errors;
mod google;
mod headers;
mod models;
mod responses;
mod sessions;
mod tools;
