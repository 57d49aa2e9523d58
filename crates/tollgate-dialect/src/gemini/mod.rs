//! Gemini's `generateContent` and `streamGenerateContent`.
//!
//! Specification: <https://ai.google.dev/api/generate-content>, <https://ai.google.dev/gemini-api/docs/thought-signatures> and
//! the types of PyPI google-genai 3.4.0 (all November 2026). Every field name is read in both spellings of protobuf's JSON
//! form, `camelCase` and `snake_case`; the first one is written.
//!
//! The model and whether a stream is wanted stand in the path, not in the body. A stream is server-sent events (`alt=sse`),
//! else one JSON array whose items come as they are made. Nothing marks the end but a `finishReason`.
//!
//! Lossy in the canonical form: signatures of texts and thoughts (those of calls are kept), `videoMetadata`,
//! `mediaResolution`, code that the model ran itself (kept as text), the shape of a function response beside `output` and
//! `error`, `response` and `behavior` of declarations, ratings, grounding, further candidates and media that a model makes.
//! The same-dialect lane ([`forward`]) keeps all of them.

mod code;
mod errors;
mod finish;
pub mod forward;
pub mod request;
pub mod response;
pub(crate) mod signature;
pub mod stream;
#[cfg(test)]
mod testing;
mod usage;
mod wire;
