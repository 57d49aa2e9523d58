//! Tool call ids that no client can mistake for another.

use std::collections::HashSet;

use sha2::{Digest, Sha256};

use crate::json::Text;

/// Gives every call of an answer an id that occurs nowhere else in the conversation.
///
/// Claude Code 2.1.329 drops the second of two calls with one id, and loses the result of a call whose id is an older one
/// plus `_` and digits (observed 2026-11). So an id in use gets a suffix of another form, and so does an upstream's own id
/// of that form. The same conversation and answer give the same ids.
#[derive(Debug)]
pub(super) struct Ids {
    taken: HashSet<String>,
    seed: String,
    /// How many were given.
    given: u64,
}

impl Ids {
    pub(super) fn new(taken: HashSet<String>, seed: String) -> Ids {
        Ids { taken, seed, given: 0 }
    }

    pub(super) fn next(&mut self, upstream: &Text<'_>) -> Text<'static> {
        let wished = upstream.decode();
        let (wished, token) = if wished.trim().is_empty() {
            let made = self.synthesize();
            let token = Text::plain(&made);
            (made, token)
        } else {
            (wished.into_owned(), upstream.borrowed().into_owned())
        };
        if self.is_free(&wished) {
            self.take(wished);
            return token;
        }
        let free = (1u32..).map(|n| format!("{wished}-u{n}")).find(|id| self.is_free(id)).expect("a set is finite");
        let token = Text::plain(&free);
        self.take(free);
        token
    }

    fn take(&mut self, id: String) {
        self.taken.insert(id);
        self.given += 1;
    }

    fn is_free(&self, id: &str) -> bool {
        let stem = id.trim_end_matches(|c: char| c.is_ascii_digit());
        let looks_derived = stem.len() < id.len() && stem.strip_suffix('_').is_some_and(|s| self.taken.contains(s));
        !looks_derived && !self.taken.contains(id)
    }

    fn synthesize(&self) -> String {
        let hash = Sha256::new().chain_update(&self.seed).chain_update(self.given.to_be_bytes()).finalize();
        let hex: String = hash[..8].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("call_{hex}")
    }
}
