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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Invocation, load};

    /// What the machine goes by, with these settings over the defaults.
    fn rules(pairs: &[(&str, &str)]) -> ShareRules {
        let overrides = pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let needed = [("log.dirs", "/nowhere"), ("listeners", "PLAINTEXT://127.0.0.1:0")];
        let needed = needed.map(|(key, value)| (key.to_owned(), value.to_owned()));
        let overrides = needed.into_iter().chain(overrides).collect();
        let loaded = load(&Invocation { file: None, overrides });
        loaded.map_err(|refused| refused.to_string()).unwrap().config.groups.rules().share
    }

    #[test]
    fn every_key_of_share_groups_is_in_force() {
        let limits = |session, heartbeat, assignment| {
            let keys = [
                "share.session.timeout.ms",
                "share.heartbeat.interval.ms",
                "share.assignment.interval.ms",
            ];
            keys.into_iter().zip([session, heartbeat, assignment]).collect()
        };
        let defaults = ShareRules {
            session_ms: 45_000,
            heartbeat_ms: 5_000,
            assignment_interval_ms: 1_000,
            limits: limits((45_000, 60_000), (5_000, 15_000), (0, 15_000)),
            size_max: 200,
            initialize_retry_ms: 30_000,
        };
        assert_eq!(rules(&[]), defaults);
        let changed = rules(&[
            ("group.share.session.timeout.ms", "50000"),
            ("group.share.min.session.timeout.ms", "40000"),
            ("group.share.max.session.timeout.ms", "70000"),
            ("group.share.heartbeat.interval.ms", "6000"),
            ("group.share.min.heartbeat.interval.ms", "4000"),
            ("group.share.max.heartbeat.interval.ms", "16000"),
            ("group.share.assignment.interval.ms", "2000"),
            ("group.share.min.assignment.interval.ms", "10"),
            ("group.share.max.assignment.interval.ms", "3000"),
            ("group.share.max.size", "7"),
            ("group.share.initialize.retry.interval.ms", "9000"),
        ]);
        let expected = ShareRules {
            session_ms: 50_000,
            heartbeat_ms: 6_000,
            assignment_interval_ms: 2_000,
            limits: limits((40_000, 70_000), (4_000, 16_000), (10, 3_000)),
            size_max: 7,
            initialize_retry_ms: 9_000,
        };
        assert_eq!(changed, expected);
        // State is not begun again before a write has timed out.
        let soon = rules(&[("group.share.initialize.retry.interval.ms", "1")]);
        assert_eq!(soon.initialize_retry_ms, 5_000);
    }
}
