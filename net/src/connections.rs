//! How many connections a process has, over all its shards and listeners, and how many it may have (`max.connections`).
//!
//! The one count that shards share: a limit of the broker's that each shard held for its own part would refuse clients while
//! others have room, since the kernel spreads connections by chance.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// The count, and its limit, which may change at any time.
#[derive(Debug)]
pub struct Connections {
    open: AtomicUsize,
    max: AtomicUsize,
}

/// One connection's part of the count, until it is dropped.
#[derive(Debug)]
pub(crate) struct Counted(Arc<Connections>);

impl Connections {
    pub fn new(max: usize) -> Arc<Connections> {
        Arc::new(Connections { open: AtomicUsize::new(0), max: AtomicUsize::new(max) })
    }

    /// From now on so many at most; those that are open stay.
    pub fn set_max(&self, max: usize) {
        self.max.store(max, Relaxed);
    }

    /// `None` while there are as many as there may be.
    pub(crate) fn try_count(self: &Arc<Connections>) -> Option<Counted> {
        let max = self.max.load(Relaxed);
        let counted =
            self.open.fetch_update(Relaxed, Relaxed, |open| (open < max).then_some(open + 1));
        counted.is_ok().then(|| Counted(Arc::clone(self)))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.open.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_may_be() {
        let connections = Connections::new(2);
        let first = connections.try_count();
        let second = connections.try_count();
        assert!(first.is_some() && second.is_some());
        assert!(connections.try_count().is_none());
        drop(first);
        let third = connections.try_count();
        assert!(third.is_some());
        connections.set_max(1);
        drop(second);
        assert!(connections.try_count().is_none(), "those that are open stay, and count");
        drop(third);
        assert!(connections.try_count().is_some());
    }
}
