//! How many share sessions the node has, over all its shards, and how many it may have (`group.share.max.share.sessions`).
//!
//! A count that shards share, as that of the connections is, and for the same reason: the sessions of a group are all on one shard, and a
//! limit that each shard held for its own part would refuse them while there is room. It is touched when a session begins or ends, never by
//! a fetch.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

#[derive(Debug)]
pub(crate) struct Slots {
    taken: AtomicUsize,
    max: usize,
}

/// One session's part of the count, until it is dropped.
#[derive(Debug)]
pub(super) struct Slot(Arc<Slots>);

impl Slots {
    pub(crate) fn new(max: usize) -> Arc<Slots> {
        Arc::new(Slots { taken: AtomicUsize::new(0), max })
    }

    /// `None` while there are as many as there may be.
    pub(super) fn take(self: &Arc<Slots>) -> Option<Slot> {
        let free = |taken| (taken < self.max).then_some(taken + 1);
        let taken = self.taken.fetch_update(Relaxed, Relaxed, free);
        taken.is_ok().then(|| Slot(Arc::clone(self)))
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.0.taken.fetch_sub(1, Relaxed);
    }
}
