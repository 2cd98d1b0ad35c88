//! The records of consumer groups (KIP-848), version 0 of each, and what a tombstone of each takes back.
//!
//! | type | key | value |
//! |---|---|---|
//! | 3 | group | the group's epoch, and the hash of the topics that it reads |
//! | 4 | group | topics, as Kafka 4.0 wrote them: read over, and taken back with the next epoch |
//! | 5 | group, member | what a member says of itself |
//! | 6 | group | the epoch that the target assignment is made for |
//! | 7 | group, member | what a member is to own |
//! | 8 | group, member | what it owns, in which epoch, and what it is to give up |
//! | 16 | group, regular expression | the topics that match |

use bytes::Bytes;
use bytestring::ByteString;
use net::wire::{DecodeError, Decoder, EncodeError, Encoder, Wire, from_bytes, to_bytes};
use uuid::Uuid;

use super::{RecordError, versioned, with_prefix};

const EPOCH: i16 = 3;
const TOPICS: i16 = 4;
const MEMBER: i16 = 5;
const TARGET_EPOCH: i16 = 6;
const TARGET: i16 = 7;
const CURRENT: i16 = 8;
const REGEX: i16 = 16;

/// A record of a consumer group; `None` is the tombstone.
#[derive(Clone, Debug, PartialEq)]
pub enum ConsumerRecord {
    Epoch(Option<EpochValue>),
    /// Whether there is one; what it says is of no use any more, and it is only ever taken back.
    Topics {
        live: bool,
    },
    Member(ByteString, Option<MemberMetadataValue>),
    TargetEpoch(Option<TargetEpochValue>),
    Target(ByteString, Option<TargetValue>),
    Current(ByteString, Option<CurrentValue>),
    Regex(ByteString, Option<RegexValue>),
}

/// Value of type 3.
#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct EpochValue {
    pub epoch: i32,
    #[wire(versions = "0+", tag = 0)]
    pub metadata_hash: i64,
}

/// Value of type 5.
#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct MemberMetadataValue {
    pub instance_id: Option<ByteString>,
    pub rack_id: Option<ByteString>,
    pub client_id: ByteString,
    pub client_host: ByteString,
    pub subscribed_topic_names: Vec<ByteString>,
    pub subscribed_topic_regex: Option<ByteString>,
    #[wire(default = -1)]
    pub rebalance_timeout_ms: i32,
    pub server_assignor: Option<ByteString>,
    #[wire(versions = "0+", tag = 0, default = ClassicMember(Some(ClassicMetadata::default())))]
    pub classic_member_metadata: ClassicMember,
}

/// A tagged struct that may be null: Kafka's classes put 1 before it, 0 for null, and leave it out if it is all defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassicMember(pub Option<ClassicMetadata>);

impl Wire for ClassicMember {
    fn decode(d: &mut Decoder, version: i16) -> Result<ClassicMember, DecodeError> {
        match d.unsigned_varint()? {
            0 => Ok(ClassicMember(None)),
            _ => Ok(ClassicMember(Some(ClassicMetadata::decode(d, version)?))),
        }
    }

    fn encode(&self, e: &mut Encoder, version: i16) -> Result<(), EncodeError> {
        e.unsigned_varint(u32::from(self.0.is_some()));
        self.0.as_ref().map_or(Ok(()), |metadata| metadata.encode(e, version))
    }
}

/// Of a member that speaks the classic protocol.
#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ClassicMetadata {
    pub session_timeout_ms: i32,
    pub supported_protocols: Vec<ClassicProtocol>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ClassicProtocol {
    pub name: ByteString,
    pub metadata: Bytes,
}

/// Value of type 6.
#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct TargetEpochValue {
    pub assignment_epoch: i32,
    /// When it was made, milliseconds since 1970; 0 if it is not known.
    #[wire(versions = "0+", tag = 0, ignorable)]
    pub assignment_timestamp: i64,
}

/// Value of type 7.
#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct TargetValue {
    pub topic_partitions: Vec<TopicPartition>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct TopicPartition {
    pub topic_id: Uuid,
    pub partitions: Vec<i32>,
}

/// Value of type 8.
#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct CurrentValue {
    pub member_epoch: i32,
    pub previous_member_epoch: i32,
    /// 0 stable, 1 has partitions to give up, 2 waits for partitions.
    pub state: i8,
    pub assigned_partitions: Vec<TopicPartitions>,
    pub partitions_pending_revocation: Vec<TopicPartitions>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct TopicPartitions {
    pub topic_id: Uuid,
    pub partitions: Vec<i32>,
    /// In which epoch each was assigned; old records do not say.
    #[wire(versions = "0+", tag = 0, default = Some(Vec::new()))]
    pub assignment_epochs: Option<Vec<i32>>,
}

/// Value of type 16.
#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct RegexValue {
    pub topics: Vec<ByteString>,
    /// Of the metadata in which it was looked for.
    pub version: i64,
    /// When, milliseconds since 1970.
    pub timestamp: i64,
}

/// Key of types 3, 4 and 6.
#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "none")]
pub(super) struct OfGroup {
    pub(super) group: ByteString,
}

/// Key of types 5, 7, 8 (a member) and 16 (a regular expression).
#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "none")]
pub(super) struct OfMember {
    pub(super) group: ByteString,
    pub(super) member: ByteString,
}

impl ConsumerRecord {
    /// Whether it is no tombstone.
    pub(crate) fn is_live(&self) -> bool {
        use ConsumerRecord::{Current, Epoch, Member, Regex, Target, TargetEpoch, Topics};
        match self {
            Epoch(value) => value.is_some(),
            Topics { live } => *live,
            Member(_, value) => value.is_some(),
            TargetEpoch(value) => value.is_some(),
            Target(_, value) => value.is_some(),
            Current(_, value) => value.is_some(),
            Regex(_, value) => value.is_some(),
        }
    }

    /// Whether records of this type are a consumer group's.
    pub(super) fn has(kind: i16) -> bool {
        matches!(kind, EPOCH..=CURRENT | REGEX)
    }

    pub(super) fn encode(&self, group: &ByteString) -> Result<(Bytes, Option<Bytes>), EncodeError> {
        use ConsumerRecord::{Current, Epoch, Member, Regex, Target, TargetEpoch, Topics};
        Ok(match self {
            Epoch(value) => (of_group(EPOCH, group)?, written(value.as_ref())?),
            Topics { .. } => (of_group(TOPICS, group)?, None),
            Member(member, value) => (of(MEMBER, group, member)?, written(value.as_ref())?),
            TargetEpoch(value) => (of_group(TARGET_EPOCH, group)?, written(value.as_ref())?),
            Target(member, value) => (of(TARGET, group, member)?, written(value.as_ref())?),
            Current(member, value) => (of(CURRENT, group, member)?, written(value.as_ref())?),
            Regex(regex, value) => (of(REGEX, group, regex)?, written(value.as_ref())?),
        })
    }

    /// `kind` is one that `has` knows; `body` and `value` are copies.
    pub(super) fn decode(
        kind: i16,
        body: Bytes,
        value: Option<Bytes>,
    ) -> Result<(ByteString, ConsumerRecord), RecordError> {
        use ConsumerRecord::{Current, Epoch, Member, Regex, Target, TargetEpoch, Topics};
        if let EPOCH | TOPICS | TARGET_EPOCH = kind {
            let OfGroup { group } = from_bytes(body, 0)?;
            let record = match kind {
                EPOCH => Epoch(read(value)?),
                TOPICS => Topics { live: value.is_some() },
                _ => TargetEpoch(read(value)?),
            };
            return Ok((group, record));
        }
        let OfMember { group, member } = from_bytes(body, 0)?;
        let record = match kind {
            MEMBER => Member(member, read(value)?),
            TARGET => Target(member, read(value)?),
            CURRENT => Current(member, read(value)?),
            _ => Regex(member, read(value)?),
        };
        Ok((group, record))
    }
}

pub(super) fn of_group(kind: i16, group: &ByteString) -> Result<Bytes, EncodeError> {
    with_prefix(kind, &to_bytes(&OfGroup { group: group.clone() }, 0)?)
}

pub(super) fn of(kind: i16, group: &ByteString, member: &ByteString) -> Result<Bytes, EncodeError> {
    let key = OfMember { group: group.clone(), member: member.clone() };
    with_prefix(kind, &to_bytes(&key, 0)?)
}

/// In version 0, the only one.
pub(super) fn written(value: Option<&impl Wire>) -> Result<Option<Bytes>, EncodeError> {
    value.map(|value| with_prefix(0, &to_bytes(value, 0)?)).transpose()
}

pub(super) fn read<T: Wire>(value: Option<Bytes>) -> Result<Option<T>, RecordError> {
    value.map(|value| versioned(value, 0)).transpose()
}
