//! How many model calls are answered at once, and how many may be.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use crate::server::lock;

#[derive(Debug, Default)]
pub(crate) struct Places {
    taken: Mutex<usize>,
    most: AtomicUsize,
}

/// One call that is being answered. Its place is free as soon as the last piece of the answer is on its way.
#[derive(Debug)]
pub(crate) struct Place(Arc<Places>);

impl Places {
    /// `None`: so many are taken already.
    pub fn take(self: &Arc<Self>, limit: Option<usize>) -> Option<Place> {
        let mut taken = lock(&self.taken);
        if limit.is_some_and(|limit| *taken >= limit) {
            return None;
        }
        *taken += 1;
        self.most.fetch_max(*taken, Ordering::Relaxed);
        Some(Place(Arc::clone(self)))
    }

    pub fn most(&self) -> usize {
        self.most.load(Ordering::Relaxed)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *lock(&self.0.taken) -= 1;
    }
}
