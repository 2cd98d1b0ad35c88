//! What the configuration says of groups: the classic protocol, and the topic in which they are kept.

use storage::batch::Codec;

use crate::group::Rules;

/// `group.*` and `offsets.*`. Times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Groups {
    pub session_min_ms: i32,
    pub session_max_ms: i32,
    /// The most members of a group.
    pub size_max: usize,
    pub initial_delay_ms: i32,
    /// UTF-16 units of the text beside an offset.
    pub metadata_max: usize,
    pub retention_ms: i64,
    pub expiry_every_ms: u64,
    /// How long an answer waits for what it rests on to be durable.
    pub commit_timeout_ms: u64,
    /// Bytes of the log that are read at once while groups are loaded.
    pub load_bytes: usize,
    pub codec: Codec,
    pub partitions: i32,
    /// As far as there are brokers.
    pub replication_factor: i16,
    pub segment_bytes: i32,
}

impl Groups {
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            initial_delay_ms: self.initial_delay_ms,
            size_max: self.size_max,
            metadata_max: self.metadata_max,
            retention_ms: self.retention_ms,
            expiry_every_ms: self.expiry_every_ms,
        }
    }
}
