//! Thoughts that a client dropped, to be given back to the model that had them.
//!
//! Several vendors refuse a conversation whose earlier tool calls come back without the reasoning that led to them, and not
//! every client keeps it. So it is kept here for a while, bounded in size, under a key that only the same conversation of the
//! same caller can make again (tool call ids alone repeat: Kimi's begin with `functions.Bash:0` in every conversation).

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

/// SHA-256 over caller, route, beginning of the conversation and the call itself.
pub type RecallKey = [u8; 32];

/// The thoughts that led to one call.
#[derive(Debug, PartialEq, Eq)]
pub struct Recalled {
    pub thoughts: Vec<Thought>,
    /// So many of them stand before the text of their message, the others directly before the call.
    pub before_text: usize,
}

/// One block, as a client that keeps everything would have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Thought {
    /// An escaped JSON string, without quotes.
    pub escaped_text: Box<str>,
    /// The same. Its maker's signature, or an envelope of ours.
    pub escaped_signature: Box<str>,
    pub kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Words alone: the envelope says whose, and holds nothing.
    Plain,
    /// With its maker's state.
    Signed,
    /// The state is all there is.
    Redacted,
}

impl Recalled {
    /// Bytes, with what the cache itself needs of an entry.
    fn weight(&self) -> usize {
        let thoughts = self
            .thoughts
            .iter()
            .map(|thought| size_of::<Thought>() + thought.escaped_text.len() + thought.escaped_signature.len());
        96 + size_of::<Recalled>() + thoughts.sum::<usize>()
    }
}

pub struct Recall {
    cache: Cache<RecallKey, Arc<Recalled>>,
}

const MAX_BYTES: u64 = 64 * 1024 * 1024;
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Recall {
    fn default() -> Self {
        let weigher = |_: &RecallKey, value: &Arc<Recalled>| u32::try_from(value.weight()).unwrap_or(u32::MAX);
        Recall { cache: Cache::builder().max_capacity(MAX_BYTES).weigher(weigher).time_to_idle(IDLE).build() }
    }
}

impl Recall {
    pub fn remember(&self, key: RecallKey, value: Arc<Recalled>) {
        self.cache.insert(key, value);
    }

    pub fn find(&self, key: &RecallKey) -> Option<Arc<Recalled>> {
        self.cache.get(key)
    }

    pub fn forget(&self, key: &RecallKey) {
        self.cache.invalidate(key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_signatures_count() {
        let thought = |text: usize, signature: usize| Thought {
            escaped_text: "x".repeat(text).into(),
            escaped_signature: "s".repeat(signature).into(),
            kind: Kind::Signed,
        };
        let weight = |thoughts| Recalled { thoughts, before_text: 0 }.weight();
        let (none, some) = (weight(vec![]), weight(vec![thought(1000, 300), thought(0, 20)]));
        assert_eq!(some - none, 1320 + 2 * size_of::<Thought>());
    }

    #[test]
    fn what_is_forgotten_is_not_found() {
        let (recall, key) = (Recall::default(), [1; 32]);
        recall.remember(key, Arc::new(Recalled { thoughts: Vec::new(), before_text: 0 }));
        assert!(recall.find(&key).is_some());
        recall.forget(&key);
        assert!(recall.find(&key).is_none());
    }
}
