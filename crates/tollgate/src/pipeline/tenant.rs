//! In whose name a request waits.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;

/// Whoever shares a key shares a place in every round.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tenant {
    pub id: u64,
}

impl Tenant {
    /// The requests that one of its turns has.
    pub const WEIGHT: u32 = 1;

    /// By the key that it presented; the number says nothing about the key, and is another one in each process.
    pub fn of_key(key: &str) -> Tenant {
        static SEED: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        Tenant { id: SEED.hash_one(key) }
    }
}
