//! Simulated model providers over real HTTP on 127.0.0.1.
//!
//! A [`Sim`] plays an OpenAI-compatible chat provider, OpenAI's Responses API, an Anthropic provider and Google's Gemini. It refuses what a strict vendor refuses,
//! in the vendor's words, answers from a script, and plays faults: cuts, silence, odd streams, odd usage, error statuses.
//! It reads requests as plain JSON values and shares no code with the gateway's codecs, so that a mistake there shows here.
//!
//! ```no_run
//! # async fn example() {
//! use tollgate_sim::{Answer, Sim, SimConfig, Step};
//! let sim = Sim::start(SimConfig::default().step(Step::answer(Answer::text("hello")))).await;
//! // … point a client at sim.base_url() …
//! assert!(sim.requests().is_empty());
//! # }
//! ```

mod aws;
mod azure;
mod bucket;
mod chat;
mod connection;
mod converse;
mod demo;
mod draw;
mod embed;
mod faults;
mod form;
mod gemini;
mod google;
mod invoke;
mod messages;
mod operations;
mod places;
mod plan;
mod prompt;
mod rank;
mod refusal;
mod responses;
mod rule;
mod script;
mod server;
mod tokens;
mod vertex;

pub use aws::{Aws, Grants};
pub use azure::{API_VERSION, Azure, Identity};
pub use bucket::Rate;
pub use chat::{Strictness as ChatStrictness, Words};
pub use converse::Strictness as ConverseStrictness;
pub use demo::coding_agent;
pub use faults::{Ending, Faults, Piece, Shape};
pub use gemini::{Strictness as GeminiStrictness, call_signature, vertex_call_signature};
pub use google::Google;
pub use invoke::{chunk, exception};
pub use messages::{Strictness as MessagesStrictness, signature};
pub use responses::encrypted;
pub use rule::Rule;
pub use script::{Answer, Arguments, Finish, Match, Part, Reply, Step, Thinking, ToolCall, ToolDeltas, Usage, Uses};
pub use server::{Provider, Recorded, Sim, SimConfig};
pub use tokens::Tokens;
