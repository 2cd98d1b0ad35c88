//! Group coordination: the classic protocol, the consumer protocol (KIP-848), share groups (KIP-932), and what groups have committed.
//!
//! A group belongs to one partition of `__consumer_offsets`, by the hash of its id, and lives on the shard that owns it. There a
//! [`Coordinator`] keeps the groups of the partition: a state machine without I/O, clock or randomness (`coordinator`).
//!
//! Read in this order: this file (what crosses), `classic` and `member` (a group), `records` (what is stored), `offsets` (what was
//! committed), `coordinator` (the machine), `join`, `sync`, `leave` (its life), `commit`, `questions`, `expiry`, `load`; `consumer` (groups of the
//! consumer protocol); `share` (share groups); then `machine` and `coordinator::host`, where it meets its partition and the clock.
//!
//! # Not obvious
//! - A group's members are in the log as of its last finished rebalance. A rebalance that is under way at a crash is forgotten: members
//!   find the generation before, and join again.
//! - A consumer group is what its records say: they are replayed when they are appended, and nothing has happened if they cannot be.
//! - A group is classic, a consumer group or a share group, never two of them: the maps of the coordinator are disjoint.
//! - Offsets are in force for later commits as soon as they are appended, but are shown only when they are durable.
//! - A JoinGroup waits for the other members, minutes perhaps: its answer is a message of its own, so that it does not hold one of
//!   the places that questions between shards have.

mod classic;
mod commit;
pub mod consumer;
mod coordinator;
mod expiry;
mod join;
mod leave;
mod load;
mod machine;
mod member;
pub mod message;
mod offsets;
pub(crate) mod parked;
mod planted;
mod questions;
pub mod records;
pub mod share;
#[cfg(test)]
mod simulation;
mod sync;
mod timers;

pub(crate) use coordinator::{ConsumerRules, Coordinator, Rules, ShareRules};
#[cfg(test)]
pub(crate) use coordinator::{Effects, Now, Then};
pub use offsets::Committed;

/// The topic in which groups are kept.
pub(crate) const TOPIC: &str = "__consumer_offsets";

pub(crate) use crate::coordinator::Waiter;

/// Why a request of a group is refused. Kafka's codes are given to these in `api`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("the group does not know the member")]
    UnknownMember,
    #[error("another generation")]
    IllegalGeneration,
    #[error("the group speaks another protocol")]
    InconsistentProtocol,
    #[error("the group rebalances")]
    Rebalancing,
    #[error("the member is to join again with the id that it was given")]
    MemberIdRequired,
    #[error("the group is full")]
    GroupFull,
    #[error("the instance has another member id by now")]
    FencedInstance,
    #[error("there is no such group")]
    GroupNotFound,
    #[error("the group has members")]
    NonEmpty,
    #[error("the group reads the topic")]
    Subscribed,
    #[error("the metadata beside the offset is too long")]
    MetadataTooLarge,
    #[error("a transaction that commits the offset is not decided")]
    Unstable,
    #[error("the group's partition is being loaded")]
    Loading,
    #[error("this shard does not coordinate the group")]
    NotCoordinator,
    #[error("what was to be recorded could not be")]
    NotAvailable,
    #[error("what was to be recorded is too large for the log")]
    TooLarge,
    #[error("the group speaks the consumer protocol, or another one")]
    NotClassicGroup,
    #[error("the group does not speak the consumer protocol")]
    NotConsumerGroup,
    #[error("the group is no share group")]
    NotShareGroup,
    #[error("the share coordinator keeps state for the group")]
    StateKept,
    #[error("the member is in another epoch, and must begin again")]
    FencedMemberEpoch,
    #[error("the member is in another epoch by now")]
    StaleMemberEpoch,
    #[error("the instance belongs to another member still")]
    UnreleasedInstance,
    #[error("a regular expression that is none")]
    InvalidRegex,
    #[error("members of this protocol use a later version")]
    UnsupportedVersion,
    #[error("what the member says of itself cannot be read")]
    Malformed,
}

/// A refusal with Kafka's text for the client; empty if it has none of its own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    pub refusal: Refusal,
    pub message: String,
}

impl Refused {
    pub(crate) fn new(refusal: Refusal, message: impl Into<String>) -> Refused {
        Refused { refusal, message: message.into() }
    }
}

/// The partition of `__consumer_offsets`, of `partitions`, to which a group belongs: Java's `hashCode` of its id.
pub(crate) fn partition_of(group: &str, partitions: i32) -> i32 {
    let step = |hash: i32, unit: u16| hash.wrapping_mul(31).wrapping_add(i32::from(unit));
    let hash = group.encode_utf16().fold(0, step);
    // Kafka takes the absolute value, and 0 where there is none.
    hash.checked_abs().unwrap_or(0) % partitions.max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `Utils.abs(group.hashCode()) % 50`, by Java.
    #[test]
    fn groups_lie_where_kafka_puts_them() {
        let check =
            |group: &str, expected: i32| assert_eq!(partition_of(group, 50), expected, "{group:?}");
        check("", 0);
        check("a", 47);
        check("console-consumer-12345", 6);
        check("grüße-🧵", 47);
        // Its hash is negative.
        check("my-group", 12);
        // Its hash is i32::MIN.
        check("polygenelubricants", 0);
    }
}
