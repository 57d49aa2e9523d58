//! Anthropic Messages, `POST /v1/messages`.
//!
//! Specification: platform.claude.com, API reference "Messages" and "Streaming messages", versions 2023-06-01 and 2026-10-21;
//! the SDK's types (PyPI anthropic 2.11.0, November 2026) where the pages are silent.
//!
//! Lossy in the canonical form: citations of a request's text blocks, `caller` and `toolset_name` of tool calls,
//! `input_examples`, `allowed_callers` and `eager_input_streaming` of tools, `task_budget`, and fields that a mid-conversation
//! system message has beside its content. The same-dialect lane ([`forward`]) keeps all of them.

pub mod forward;
pub mod hosted;
pub mod request;
pub mod response;
pub mod stream;
#[cfg(test)]
mod testing;
pub(crate) mod wire;
