//! A member of a consumer group, which speaks the consumer protocol or, during a migration, the classic one.
//!
//! ```text
//!               it is to give something up                         it has given all up
//!   Stable ────────────────────────────────▶ UnrevokedPartitions ─────────────┐
//!     ▲ │                                        ▲                            │
//!     │ └── what it is to get has an owner still ┼──────▶ UnreleasedPartitions ◀
//!     └──────── it has all of its target ────────┴─────────────────┘
//! ```

use std::collections::{BTreeMap, BTreeSet};

use bytestring::ByteString;
use uuid::Uuid;

use super::super::member::Protocols;
use super::super::records::consumer::{
    ClassicMember, ClassicMetadata, ClassicProtocol, CurrentValue, MemberMetadataValue,
    TopicPartition, TopicPartitions,
};

/// Partitions by topic.
pub(crate) type Assignment = BTreeMap<Uuid, BTreeSet<i32>>;
/// Partitions by topic, with the epoch in which each was assigned.
pub(crate) type Owned = BTreeMap<Uuid, BTreeMap<i32, i32>>;

/// The epoch with which a member joins.
pub(crate) const JOINING: i32 = 0;
/// The epoch with which a member leaves.
pub(crate) const LEAVING: i32 = -1;
/// The epoch with which a static member says that it will be back.
pub(crate) const LEAVING_FOR_NOW: i32 = -2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MemberState {
    Stable,
    UnrevokedPartitions,
    UnreleasedPartitions,
    /// Of a later release that was gone back from.
    Unknown,
}

/// What a classic member said when it joined.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Classic {
    pub(crate) session_timeout_ms: i32,
    /// Not empty.
    pub(crate) protocols: Protocols,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct ConsumerMember {
    pub(crate) id: ByteString,
    pub(crate) epoch: i32,
    pub(crate) previous_epoch: i32,
    pub(crate) instance: Option<ByteString>,
    pub(crate) rack: Option<ByteString>,
    pub(crate) rebalance_timeout_ms: i32,
    pub(crate) client_id: ByteString,
    pub(crate) client_host: ByteString,
    pub(crate) names: BTreeSet<ByteString>,
    /// Empty for none, as most clients say it.
    pub(crate) regex: Option<ByteString>,
    pub(crate) assignor: Option<ByteString>,
    pub(crate) state: MemberState,
    pub(crate) assigned: Owned,
    /// What it is to give up.
    pub(crate) revoking: Owned,
    /// If it speaks the classic protocol.
    pub(crate) classic: Option<Classic>,
}

impl MemberState {
    fn of(number: i8) -> MemberState {
        match number {
            0 => MemberState::Stable,
            1 => MemberState::UnrevokedPartitions,
            2 => MemberState::UnreleasedPartitions,
            _ => MemberState::Unknown,
        }
    }

    fn number(self) -> i8 {
        match self {
            MemberState::Stable => 0,
            MemberState::UnrevokedPartitions => 1,
            MemberState::UnreleasedPartitions => 2,
            MemberState::Unknown => 127,
        }
    }
}

impl ConsumerMember {
    pub(crate) fn new(id: ByteString) -> ConsumerMember {
        ConsumerMember {
            id,
            epoch: JOINING,
            previous_epoch: -1,
            instance: None,
            rack: None,
            rebalance_timeout_ms: -1,
            client_id: ByteString::new(),
            client_host: ByteString::new(),
            names: BTreeSet::new(),
            regex: Some(ByteString::new()),
            assignor: None,
            state: MemberState::Stable,
            assigned: Owned::new(),
            revoking: Owned::new(),
            classic: None,
        }
    }

    pub(crate) fn is_classic(&self) -> bool {
        self.classic.is_some()
    }

    /// The regular expression that it reads by, if there is one.
    pub(crate) fn regex(&self) -> Option<&ByteString> {
        self.regex.as_ref().filter(|regex| !regex.is_empty())
    }

    pub(crate) fn is_reconciled_to(&self, target_epoch: i32) -> bool {
        self.state == MemberState::Stable && self.epoch == target_epoch
    }

    /// The member in another epoch; it keeps the one before, since the answer that tells it may be lost.
    #[must_use]
    pub(crate) fn in_epoch(self, epoch: i32) -> ConsumerMember {
        ConsumerMember { previous_epoch: self.epoch, epoch, ..self }
    }

    /// What it has, and what it is giving up.
    pub(crate) fn held(&self) -> Assignment {
        let mut held = Assignment::new();
        for (topic, partitions) in self.assigned.iter().chain(&self.revoking) {
            held.entry(*topic).or_default().extend(partitions.keys());
        }
        held
    }

    /// In which epoch it was given a partition that it owns, or is giving up.
    pub(crate) fn assignment_epoch(&self, topic: Uuid, partition: i32) -> Option<i32> {
        let of = |owned: &Owned| owned.get(&topic)?.get(&partition).copied();
        of(&self.assigned).or_else(|| of(&self.revoking))
    }

    /// What it said of itself, as a record.
    pub(crate) fn metadata_value(&self) -> MemberMetadataValue {
        let classic = |classic: &Classic| ClassicMetadata {
            session_timeout_ms: classic.session_timeout_ms,
            supported_protocols: classic
                .protocols
                .iter()
                .map(|(name, metadata)| ClassicProtocol {
                    name: name.clone(),
                    metadata: metadata.clone(),
                })
                .collect(),
        };
        MemberMetadataValue {
            instance_id: self.instance.clone(),
            rack_id: self.rack.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            subscribed_topic_names: self.names.iter().cloned().collect(),
            subscribed_topic_regex: self.regex.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            server_assignor: self.assignor.clone(),
            classic_member_metadata: ClassicMember(self.classic.as_ref().map(classic)),
        }
    }

    /// The same with what a record says that it said.
    #[must_use]
    pub(crate) fn with_metadata(self, value: &MemberMetadataValue) -> ConsumerMember {
        let classic = |classic: &ClassicMetadata| Classic {
            session_timeout_ms: classic.session_timeout_ms,
            protocols: classic
                .supported_protocols
                .iter()
                .map(|protocol| (protocol.name.clone(), protocol.metadata.clone()))
                .collect(),
        };
        ConsumerMember {
            instance: value.instance_id.clone(),
            rack: value.rack_id.clone(),
            client_id: value.client_id.clone(),
            client_host: value.client_host.clone(),
            names: value.subscribed_topic_names.iter().cloned().collect(),
            regex: value.subscribed_topic_regex.clone(),
            rebalance_timeout_ms: value.rebalance_timeout_ms,
            assignor: value.server_assignor.clone(),
            classic: value.classic_member_metadata.0.as_ref().map(classic),
            ..self
        }
    }

    /// What it owns, as a record.
    pub(crate) fn current_value(&self) -> CurrentValue {
        CurrentValue {
            member_epoch: self.epoch,
            previous_member_epoch: self.previous_epoch,
            state: self.state.number(),
            assigned_partitions: told(&self.assigned),
            partitions_pending_revocation: told(&self.revoking),
        }
    }

    /// The same with what a record says that it owns.
    #[must_use]
    pub(crate) fn with_current(self, value: &CurrentValue) -> ConsumerMember {
        ConsumerMember {
            epoch: value.member_epoch,
            previous_epoch: value.previous_member_epoch,
            state: MemberState::of(value.state),
            assigned: read(&value.assigned_partitions, value.member_epoch),
            revoking: read(&value.partitions_pending_revocation, value.member_epoch),
            ..self
        }
    }
}

fn told(owned: &Owned) -> Vec<TopicPartitions> {
    let topic = |(topic_id, partitions): (&Uuid, &BTreeMap<i32, i32>)| TopicPartitions {
        topic_id: *topic_id,
        partitions: partitions.keys().copied().collect(),
        assignment_epochs: Some(partitions.values().copied().collect()),
    };
    owned.iter().map(topic).collect()
}

/// Records before Kafka 4.3 do not say in which epoch a partition was assigned: it is the member's then.
fn read(topics: &[TopicPartitions], member_epoch: i32) -> Owned {
    let topic = |topic: &TopicPartitions| {
        let epochs = topic.assignment_epochs.as_deref().unwrap_or_default();
        let known = epochs.len() == topic.partitions.len();
        let epoch = |at: usize| if known { epochs[at] } else { member_epoch.max(0) };
        let partitions = topic.partitions.iter().enumerate();
        (topic.topic_id, partitions.map(|(at, partition)| (*partition, epoch(at))).collect())
    };
    topics.iter().map(topic).collect()
}

/// A target assignment, as a record.
pub(crate) fn target_value(target: &Assignment) -> Vec<TopicPartition> {
    let topic = |(topic_id, partitions): (&Uuid, &BTreeSet<i32>)| TopicPartition {
        topic_id: *topic_id,
        partitions: partitions.iter().copied().collect(),
    };
    target.iter().map(topic).collect()
}

/// A target assignment that a record tells.
pub(crate) fn target_of(topics: &[TopicPartition]) -> Assignment {
    topics.iter().map(|t| (t.topic_id, t.partitions.iter().copied().collect())).collect()
}

/// All partitions of a target, said to be assigned in this epoch.
pub(crate) fn owned_in(target: &Assignment, epoch: i32) -> Owned {
    let of = |partitions: &BTreeSet<i32>| partitions.iter().map(|p| (*p, epoch)).collect();
    target.iter().map(|(topic, partitions)| (*topic, of(partitions))).collect()
}
