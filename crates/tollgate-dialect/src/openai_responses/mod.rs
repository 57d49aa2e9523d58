//! OpenAI Responses, `POST /v1/responses`.
//!
//! Specified by `openai/types/responses` of the openai Python package 3.52.0 and
//! <https://platform.openai.com/docs/api-reference/responses> (2026-11-21); what Codex 0.169.0 sends and needs decides where
//! the pages are silent.
//!
//! What `previous_response_id` and an `item_reference` stand for is kept by the gateway ([`kept`]); `conversation`, `prompt` and what
//! the gateway does not know work only in the same-dialect lane ([`forward`]), `background` nowhere, and every body that is written
//! says `store: false`. A `compaction` is of use in that lane alone; elsewhere the model is told that it is missing. Lossy in the
//! canonical form: the `phase` of assistant messages, descriptions of namespaces, items of hosted tools in an answer, annotations,
//! `logprobs`, and an answer's echo of the request's parameters.

mod ending;
pub mod forward;
pub mod kept;
pub mod request;
pub mod response;
mod state;
pub mod stream;
mod usage;
pub(crate) mod wire;
