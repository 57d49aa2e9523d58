//! Which deployment answered a conversation last: its provider has the prompt cached.

use std::sync::Arc;
use std::time::Duration;

use moka::sync::Cache;

pub struct Affinity {
    last: Cache<u64, Arc<str>>,
}

const MAX_CONVERSATIONS: u64 = 100_000;

impl Affinity {
    /// Forgets a conversation when nobody asked for it for `idle`.
    pub fn new(idle: Duration) -> Affinity {
        Affinity { last: Cache::builder().max_capacity(MAX_CONVERSATIONS).time_to_idle(idle).build() }
    }

    pub fn remember(&self, conversation: u64, deployment: &Arc<str>) {
        self.last.insert(conversation, deployment.clone());
    }

    pub fn find(&self, conversation: u64) -> Option<Arc<str>> {
        self.last.get(&conversation)
    }
}
