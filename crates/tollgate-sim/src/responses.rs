//! OpenAI's Responses API, as OpenAI serves it to callers that keep nothing there. Words of refusals: OpenAI's API and SDK
//! 3.52.0 (2026-11-21).

mod answer;
mod beside;
mod items;
mod validate;

use std::hash::{DefaultHasher, Hash, Hasher};

pub(crate) use answer::{frames, whole};
pub(crate) use beside::Beside;
pub(crate) use validate::check;

/// The encrypted form of a thinking text, which this provider gives and takes back beside its summary.
pub fn encrypted(thinking: &str) -> String {
    let mut hasher = DefaultHasher::new();
    "tollgate-sim responses".hash(&mut hasher);
    thinking.hash(&mut hasher);
    format!("gAAAsim{:016x}==", hasher.finish())
}

#[cfg(test)]
mod tests;
