//! Requests: a client's body to the canonical form, and the canonical form to an upstream's body.

mod blocks;
mod carried;
mod control;
mod decode;
mod encode;
mod schema;
pub(crate) mod turns;
mod web_search;

pub use decode::{decode, decode_count};
pub use encode::encode;
pub(super) use encode::fitting_tokens;
pub use web_search::is_wish as is_search_wish;

pub use super::wire::ATTRIBUTION;
pub use blocks::{arguments_of, input_of, is_input};
pub(super) use control::{Form, budget_for, choose, nearest};
pub(super) use turns::is_spoilt;

#[cfg(test)]
mod tests;
