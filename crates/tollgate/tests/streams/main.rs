//! Answers on their way through the gateway, over real HTTP, from a simulated provider that misbehaves.

#![allow(clippy::unwrap_used, reason = "a test that cannot go on ends")]

#[path = "../support/mod.rs"]
mod support;

mod cut;
mod errors;
mod gone;
mod memory;
mod odd;
mod packed;
mod prefix;
mod reasoning;
mod silence;
mod stage;
mod usage;

use support::{chat_checker, checker};
