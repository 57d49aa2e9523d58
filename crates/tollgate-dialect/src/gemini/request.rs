//! Requests: a client's body to the canonical form, and the canonical form to an upstream's body.

mod config;
mod contents;
mod decode;
mod decode_config;
mod decode_contents;
mod decode_tools;
mod encode;
mod media;
mod thinking;
mod tools;

pub use config::excess_stops;
pub use decode::{decode, decode_count};
pub use encode::encode;

pub(super) use config::fitting_tokens;
pub(super) use decode_config::thinking as decode_thinking;
pub(super) use thinking::of_target as write_thinking;

#[cfg(test)]
mod tests;
