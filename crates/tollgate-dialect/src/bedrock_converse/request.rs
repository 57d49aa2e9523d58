//! Requests: the canonical form to an upstream's body.

mod blocks;
mod config;
mod documents;
mod encode;
mod extra;
mod media;
mod native;
mod thinking;
mod tools;

pub use config::excess_stops;
pub use encode::encode;

#[cfg(test)]
mod tests;
