//! What the configuration says of share groups: the coordinator of their state, and the topic in which it is kept.

use storage::batch::Codec;

use crate::share::state::Rules;

/// `share.coordinator.*`. Times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareState {
    /// Updates of a share partition between two snapshots.
    pub updates_per_snapshot: i32,
    pub prune_every_ms: u64,
    pub cold_after_ms: u64,
    /// How long an answer waits for what it rests on to be durable.
    pub write_timeout_ms: u64,
    /// Bytes of the log that are read at once while state is loaded.
    pub load_bytes: usize,
    pub codec: Codec,
    pub partitions: i32,
    /// As far as there are brokers.
    pub replication_factor: i16,
    /// No more than there are replicas.
    pub min_insync_replicas: i16,
    pub segment_bytes: i32,
}

impl ShareState {
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            updates_per_snapshot: self.updates_per_snapshot,
            prune_every_ms: self.prune_every_ms,
            cold_after_ms: self.cold_after_ms,
        }
    }
}
