//! A harness for end-to-end tests of the real binary: its own network, the gateway as a process, real clients, plain HTTP.
//!
//! Everything runs inside [`isolated`], on 127.0.0.1 only.
#![allow(dead_code, unused_imports, reason = "each test binary uses a part of it")]

pub mod chat_checker;
pub mod checker;
pub mod client;
pub mod clock;
pub mod fleet;
pub mod gateway;
pub mod http;
pub mod network;
pub mod redis;
pub mod responses_checker;
pub mod stage;
pub mod upstreams;

pub use client::{Run, Session, installed, run};
pub use gateway::Gateway;
pub use network::isolated;
pub use redis::Redis;
