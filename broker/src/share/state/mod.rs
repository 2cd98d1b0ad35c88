//! The share coordinator: the state of share partitions, kept in `__share_group_state`.
//!
//! A **share partition** is a partition as one share group sees it. Its state (from where on records are delivered, and what became of
//! those beyond) belongs to the partition's leader, which reads it when it begins, and has it written with each change. Here it is kept:
//! a share partition belongs to one partition of `__share_group_state`, by the hash of its [`Key`], and its [`coordinator`] to the shard
//! that owns that partition.
//!
//! Read in this order: this file (what is kept), `records` (how), `batches` (how changes are put together), `message` (what is asked),
//! `coordinator` (the machine).
//!
//! # Not obvious
//! - State begins with Initialize. Reads and writes of what was never initialised are refused.
//! - Two epochs fence: the state epoch goes up with each Initialize, so that a leader that works on state from before writes nothing;
//!   the leader epoch keeps an earlier leader out as soon as a later one has read.
//! - The topic is not compacted. Each snapshot makes all earlier records of its share partition needless, and what lies below the last
//!   snapshot of every one is deleted; share partitions without traffic are written anew for that.

pub mod batches;
mod coordinator;
pub mod message;
pub mod records;

use bytestring::ByteString;
use net::wire::Wire;
use storage::units::TopicId;
use uuid::Uuid;

pub(crate) use coordinator::{Rules, ShareCoordinator};

use self::batches::StateBatch;

/// The topic in which state is kept.
pub(crate) const TOPIC: &str = "__share_group_state";

/// A share partition.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Wire)]
#[wire(versions = "0", flexible = "none")]
pub struct Key {
    pub group: ByteString,
    pub topic: Uuid,
    pub partition: i32,
}

/// What is kept of a share partition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct State {
    /// Counts the snapshots.
    pub snapshot_epoch: i32,
    pub state_epoch: i32,
    pub leader_epoch: i32,
    /// From here on records are delivered; -1 where the group's reset policy is to decide.
    pub start_offset: i64,
    /// How many records beyond it are done with; -1 where it is not known.
    pub delivery_complete_count: i32,
    /// When the first snapshot of this run of them was written, and the last one; milliseconds since 1970. They part when state is
    /// written anew although nothing has changed.
    pub create_timestamp: i64,
    pub write_timestamp: i64,
    pub batches: Vec<StateBatch>,
}

/// Why a request for a share partition is refused. Kafka's codes are given to these in `api`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("The partition id cannot be a negative number.")]
    NegativePartition,
    #[error("Read operation on uninitialized share partition not allowed.")]
    ReadUninitialized,
    #[error("Write operation on uninitialized share partition not allowed.")]
    WriteUninitialized,
    #[error("a later leader has been here")]
    FencedLeaderEpoch,
    #[error("the state was begun anew")]
    FencedStateEpoch,
    #[error("there is no such topic or partition")]
    UnknownPartition,
    #[error("the client may not ask this")]
    Unauthorized,
    #[error(transparent)]
    Unserved(#[from] crate::coordinator::Unserved),
}

/// The partition of `__share_group_state`, of `partitions`, to which a share partition belongs.
pub(crate) fn partition_of(key: &Key, partitions: i32) -> i32 {
    crate::group::partition_of(&key.text(), partitions)
}

impl Key {
    /// `group:topic id:partition`, as FindCoordinator has it.
    pub(crate) fn text(&self) -> String {
        format!("{}:{}:{}", self.group, TopicId(self.topic), self.partition)
    }

    /// The inverse. The group may have colons in it; it may not be blank.
    pub(crate) fn parse(text: &str) -> Option<Key> {
        let mut parts = text.rsplitn(3, ':');
        let partition = parts.next()?.parse().ok()?;
        let topic = TopicId::parse(parts.next()?)?.0;
        let group = parts.next().filter(|group| !group.trim().is_empty())?;
        Some(Key { group: group.into(), topic, partition })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Uuid.toString` and `Utils.abs(key.hashCode()) % 50`, by Kafka.
    #[test]
    fn share_partitions_lie_where_kafka_puts_them() {
        let check = |group: &str, topic: u128, partition: i32, text: &str, expected: i32| {
            let key = Key { group: group.into(), topic: Uuid::from_u128(topic), partition };
            assert_eq!(key.text(), text);
            assert_eq!(Key::parse(text), Some(key.clone()));
            assert_eq!(partition_of(&key, 50), expected, "{text}");
        };
        check("g", 1 << 64 | 2, 0, "g:AAAAAAAAAAEAAAAAAAAAAg:0", 31);
        check("share-group", u128::MAX, 7, "share-group:_____________________w:7", 38);
        let digits = 0x0123_4567_89ab_cdef_fedc_ba98_7654_3210;
        check("grüße-🧵", digits, i32::MAX, "grüße-🧵:ASNFZ4mrze_-3LqYdlQyEA:2147483647", 14);
        check("a:b", 1 << 127 | (u128::MAX >> 65), 12, "a:b:gAAAAAAAAAB__________w:12", 25);
    }

    #[test]
    fn what_is_no_key() {
        for text in [
            "",
            "g",
            "g:AAAAAAAAAAEAAAAAAAAAAg",
            "g:AAAAAAAAAAEAAAAAAAAAAg:",
            "g:AAAAAAAAAAEAAAAAAAAAAg:x",
            "g:AAAAAAAAAAEAAAAAAAAAAg:2147483648",
            "g:topic:0",
            ":AAAAAAAAAAEAAAAAAAAAAg:0",
            " :AAAAAAAAAAEAAAAAAAAAAg:0",
        ] {
            assert_eq!(Key::parse(text), None, "{text:?}");
        }
    }
}
