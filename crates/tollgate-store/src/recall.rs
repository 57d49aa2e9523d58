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

#[derive(Debug, PartialEq, Eq)]
pub struct Recalled {
    /// The thinking as an escaped JSON string, without quotes.
    pub escaped_text: String,
}

pub struct Recall {
    cache: Cache<RecallKey, Arc<Recalled>>,
}

const MAX_BYTES: u64 = 64 * 1024 * 1024;
const IDLE: Duration = Duration::from_secs(24 * 60 * 60);

impl Default for Recall {
    fn default() -> Self {
        let weigher = |_: &RecallKey, value: &Arc<Recalled>| {
            let bytes = 96 + value.escaped_text.len();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
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
}
