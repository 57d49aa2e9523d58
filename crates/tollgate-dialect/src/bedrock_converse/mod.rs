//! Amazon Bedrock's `Converse` and `ConverseStream`, spoken to upstreams only.
//!
//! Specification: docs.aws.amazon.com, Bedrock runtime API, `Converse`; botocore 1.44.8, `bedrock-runtime/2023-09-30` (both November
//! 2026). What the service refuses in which words: botocore's constraints and users' reports of the same time.
//!
//! The model and whether a stream is wanted stand in the path. A stream is an event stream of AWS ([`crate::frame::eventstream`]); texts and
//! thoughts have no event that begins them, and the usage comes behind `messageStop`, in `metadata`, which is the end.
//!
//! Lossy: images by URL (refused), titles and context of search results (kept as text), the choice of no tool once the
//! conversation has calls, a limit to one call at a time, citations, media that a model makes, server tools, `strict`.

mod errors;
pub mod request;
pub mod response;
mod state;
mod stop;
pub mod stream;
#[cfg(test)]
mod testing;
mod usage;
mod wire;

pub use errors::decode_error;
