//! What the configuration says of groups: the classic and the consumer protocol, and the topic in which they are kept.

use std::collections::BTreeMap;

use storage::batch::Codec;

use crate::group::consumer::assign::Assignor;
use crate::group::{ConsumerRules, Rules, ShareRules};

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
    pub consumer: ConsumerGroups,
    pub share: ShareGroups,
}

/// `group.consumer.*`. Times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerGroups {
    /// The protocol is among `group.coordinator.rebalance.protocols`.
    pub served: bool,
    pub session_ms: i32,
    pub heartbeat_ms: i32,
    pub assignment_interval_ms: i32,
    /// The least and the most that a group may have for itself, by its key.
    pub limits: BTreeMap<&'static str, (i32, i32)>,
    pub size_max: usize,
    /// The first is the default.
    pub assignors: Vec<Assignor>,
    pub upgrade: bool,
    pub downgrade: bool,
    pub regex_refresh_ms: i64,
}

/// `group.share.*`. Times in milliseconds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareGroups {
    pub session_ms: i32,
    pub heartbeat_ms: i32,
    pub assignment_interval_ms: i32,
    /// The least and the most that a group may have for itself, by its key.
    pub limits: BTreeMap<&'static str, (i32, i32)>,
    pub size_max: usize,
    /// After which state that has not come to be is begun again.
    pub initialize_retry_ms: i64,
}

impl Groups {
    pub(crate) fn rules(&self) -> Rules {
        Rules {
            initial_delay_ms: self.initial_delay_ms,
            size_max: self.size_max,
            metadata_max: self.metadata_max,
            retention_ms: self.retention_ms,
            expiry_every_ms: self.expiry_every_ms,
            consumer: ConsumerRules {
                session_ms: self.consumer.session_ms,
                heartbeat_ms: self.consumer.heartbeat_ms,
                assignment_interval_ms: self.consumer.assignment_interval_ms,
                limits: self.consumer.limits.clone(),
                size_max: self.consumer.size_max,
                assignors: self.consumer.assignors.clone(),
                upgrade: self.consumer.upgrade,
                downgrade: self.consumer.downgrade,
                regex_refresh_ms: self.consumer.regex_refresh_ms,
            },
            share: ShareRules {
                session_ms: self.share.session_ms,
                heartbeat_ms: self.share.heartbeat_ms,
                assignment_interval_ms: self.share.assignment_interval_ms,
                limits: self.share.limits.clone(),
                size_max: self.share.size_max,
                initialize_retry_ms: self.share.initialize_retry_ms,
            },
        }
    }
}
