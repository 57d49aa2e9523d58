//! Requests: what clients send ([`decode`]) and what upstreams get ([`encode`]).

mod arguments;
mod decode;
mod decode_messages;
mod encode;
mod marks;
mod messages;
pub(super) mod params;
pub(crate) mod parts;
pub(super) mod reasoning;
pub(crate) mod tools;

pub use decode::decode;
pub(super) use decode::{Members, WireThinking, effort_wish, parse};
pub(super) use decode_messages::thinking_text;
pub use encode::encode;

use crate::json::Text;
use crate::quirks::Quirks;

/// The stop sequences that the target does not take and that must be looked for in its answer.
pub fn excess_stops<'r, 'a>(stop: &'r [Text<'a>], quirks: &Quirks) -> &'r [Text<'a>] {
    let sent = if quirks.refuses.iter().any(|r| r == "stop") { 0 } else { quirks.max_stop.unwrap_or(usize::MAX) };
    stop.get(sent..).unwrap_or(&[])
}

#[cfg(test)]
mod tests;
