//! Requests: what clients send ([`decode`]) and what upstreams get ([`encode`]).

mod decode;
mod decode_items;
mod decode_tools;
mod encode;
mod items;
mod params;
mod tools;

pub use decode::{decode, decode_count};
pub use encode::encode;
pub(super) use params::{LEAST_TOKENS, fitting_tokens};

#[cfg(test)]
mod tests;
