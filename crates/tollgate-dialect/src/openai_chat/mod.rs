//! OpenAI chat completions, and what the world's "compatible" servers make of it.
//!
//! Specified by `openai/types/chat` of the openai Python package 3.52.0 and
//! <https://platform.openai.com/docs/api-reference/chat> (2026-11-21); the deviations are those of [`crate::quirks`] and, in
//! answers, whatever the decoder tolerates without being told.
//!
//! Lossy towards an upstream: cache marks, citations, server tools and their blocks (kept as text), signatures of other
//! vendors, media inside tool results (moved behind them). Lossy towards a client: signatures, redacted thoughts, citations
//! and server blocks, which chat has no field for.

mod errors;
mod finish;
pub mod forward;
pub mod request;
pub mod response;
pub mod stream;
mod usage;
mod wire;
