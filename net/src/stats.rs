//! What the connections of a shard have done: plain counters, read by the shard itself.

use std::cell::Cell;

use crate::connection::CloseReason;

/// A counter, or a level, of one shard.
#[derive(Debug, Default)]
pub struct Count(Cell<u64>);

impl Count {
    pub fn add(&self, n: u64) {
        self.0.set(self.0.get().wrapping_add(n));
    }

    pub(crate) fn subtract(&self, n: u64) {
        self.0.set(self.0.get().wrapping_sub(n));
    }

    pub fn get(&self) -> u64 {
        self.0.get()
    }
}

#[derive(Debug, Default)]
pub struct NetStats {
    /// Connections that are open.
    pub connections: Count,
    pub connections_opened: Count,
    /// Accepted while there were as many as there may be, or more in a second: each was served later.
    pub connections_delayed: Count,
    /// Closed at once, since their address had as many as it may have.
    pub connections_refused: Count,
    /// By reason, in the order of `CloseReason::ALL`.
    closed: [Count; CloseReason::ALL.len()],
    pub accept_errors: Count,
    pub requests: Count,
    pub received_bytes: Count,
    /// Times that a socket was asked for bytes.
    pub receives: Count,
    /// Times that answers were handed to the kernel, from memory.
    pub sends: Count,
    /// Bytes sent, by the path that they took.
    pub memory_bytes: Count,
    pub sendfile_bytes: Count,
    pub read_bytes: Count,
    pub splice_bytes: Count,
    /// Of those by `sendfile`, bytes that were first read ahead for the readers that follow.
    pub read_ahead_bytes: Count,
}

impl NetStats {
    pub fn closed(&self, reason: CloseReason) -> u64 {
        self.closed[reason as usize].get()
    }

    pub(crate) fn count_closed(&self, reason: CloseReason) {
        self.closed[reason as usize].add(1);
    }
}
