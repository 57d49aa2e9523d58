//! Transport units of streams.

pub mod sse;
