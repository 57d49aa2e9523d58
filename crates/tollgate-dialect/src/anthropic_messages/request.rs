//! Requests: a client's body to the canonical form, and the canonical form to an upstream's body.

mod blocks;
mod carried;
mod control;
mod decode;
mod encode;
mod schema;
pub(crate) mod turns;

pub(crate) use carried::unwrapped;
pub use decode::{decode, decode_count};
pub use encode::encode;
pub(super) use encode::fitting_tokens;
pub(crate) use encode::{continues_without_thoughts, mark};
pub(crate) use schema::output_schema;

pub use super::wire::ATTRIBUTION;
pub use blocks::{arguments_of, input_of, is_input};
pub(super) use control::budget_for;
pub(crate) use control::{Form, choose, nearest, told};
pub(super) use turns::is_spoilt;

#[cfg(test)]
mod tests;
