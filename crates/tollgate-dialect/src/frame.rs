//! Transport units of streams.

pub mod eventstream;
pub mod sse;
