//! The records of share groups (KIP-932), version 0 of each, and what a tombstone of each takes back.
//!
//! | type | key | value |
//! |---|---|---|
//! | 10 | group, member | what a member says of itself |
//! | 11 | group | the group's epoch, and the hash of the topics that it reads |
//! | 12 | group | the epoch that the target assignment is made for |
//! | 13 | group, member | what a member is to read |
//! | 14 | group, member | what it reads, and in which epoch |
//! | 15 | group | for which partitions the share coordinator keeps state, begins to, or is to stop |

use bytes::Bytes;
use bytestring::ByteString;
use net::wire::{EncodeError, Wire, from_bytes};
use uuid::Uuid;

use super::RecordError;
use super::consumer::{
    OfGroup, OfMember, TargetEpochValue, TargetValue, of, of_group, read, written,
};

const MEMBER: i16 = 10;
const EPOCH: i16 = 11;
const TARGET_EPOCH: i16 = 12;
const TARGET: i16 = 13;
const CURRENT: i16 = 14;
const STATES: i16 = 15;

/// A record of a share group; `None` is the tombstone.
#[derive(Clone, Debug, PartialEq)]
pub enum ShareRecord {
    Member(ByteString, Option<ShareMemberValue>),
    Epoch(Option<ShareEpochValue>),
    TargetEpoch(Option<TargetEpochValue>),
    Target(ByteString, Option<TargetValue>),
    Current(ByteString, Option<ShareCurrentValue>),
    States(Option<StatesValue>),
}

/// Value of type 10.
#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct ShareMemberValue {
    pub rack_id: Option<ByteString>,
    pub client_id: ByteString,
    pub client_host: ByteString,
    pub subscribed_topic_names: Vec<ByteString>,
}

/// Value of type 11.
#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct ShareEpochValue {
    pub epoch: i32,
    pub metadata_hash: i64,
}

/// Value of type 14.
#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct ShareCurrentValue {
    pub member_epoch: i32,
    pub previous_member_epoch: i32,
    /// 0, stable: there is no other.
    pub state: i8,
    pub assigned_partitions: Vec<TopicPartitions>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct TopicPartitions {
    pub topic_id: Uuid,
    pub partitions: Vec<i32>,
}

/// Value of type 15.
#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct StatesValue {
    pub initializing_topics: Vec<TopicPartitionsInfo>,
    pub initialized_topics: Vec<TopicPartitionsInfo>,
    pub deleting_topics: Vec<TopicInfo>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct TopicPartitionsInfo {
    pub topic_id: Uuid,
    pub topic_name: ByteString,
    pub partitions: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct TopicInfo {
    pub topic_id: Uuid,
    pub topic_name: ByteString,
}

impl ShareRecord {
    /// Whether it is no tombstone.
    pub(crate) fn is_live(&self) -> bool {
        use ShareRecord::{Current, Epoch, Member, States, Target, TargetEpoch};
        match self {
            Member(_, value) => value.is_some(),
            Epoch(value) => value.is_some(),
            TargetEpoch(value) => value.is_some(),
            Target(_, value) => value.is_some(),
            Current(_, value) => value.is_some(),
            States(value) => value.is_some(),
        }
    }

    /// Whether records of this type are a share group's.
    pub(super) fn has(kind: i16) -> bool {
        matches!(kind, MEMBER..=STATES)
    }

    pub(super) fn encode(&self, group: &ByteString) -> Result<(Bytes, Option<Bytes>), EncodeError> {
        use ShareRecord::{Current, Epoch, Member, States, Target, TargetEpoch};
        Ok(match self {
            Member(member, value) => (of(MEMBER, group, member)?, written(value.as_ref())?),
            Epoch(value) => (of_group(EPOCH, group)?, written(value.as_ref())?),
            TargetEpoch(value) => (of_group(TARGET_EPOCH, group)?, written(value.as_ref())?),
            Target(member, value) => (of(TARGET, group, member)?, written(value.as_ref())?),
            Current(member, value) => (of(CURRENT, group, member)?, written(value.as_ref())?),
            States(value) => (of_group(STATES, group)?, written(value.as_ref())?),
        })
    }

    /// `kind` is one that `has` knows; `body` and `value` are copies.
    pub(super) fn decode(
        kind: i16,
        body: Bytes,
        value: Option<Bytes>,
    ) -> Result<(ByteString, ShareRecord), RecordError> {
        use ShareRecord::{Current, Epoch, Member, States, Target, TargetEpoch};
        if let EPOCH | TARGET_EPOCH | STATES = kind {
            let OfGroup { group } = from_bytes(body, 0)?;
            let record = match kind {
                EPOCH => Epoch(read(value)?),
                TARGET_EPOCH => TargetEpoch(read(value)?),
                _ => States(read(value)?),
            };
            return Ok((group, record));
        }
        let OfMember { group, member } = from_bytes(body, 0)?;
        let record = match kind {
            MEMBER => Member(member, read(value)?),
            TARGET => Target(member, read(value)?),
            _ => Current(member, read(value)?),
        };
        Ok((group, record))
    }
}
