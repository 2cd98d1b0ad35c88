//! The records of `__consumer_offsets`, as Kafka 4.3 writes and reads them.
//!
//! ```text
//! key     i16 type | body of that type, version 0
//! value   i16 version | body; null for a tombstone
//! ```
//!
//! | type | key | value |
//! |---|---|---|
//! | 0, 1 | group, topic, partition | the offset that the group has committed there |
//! | 2 | group | a classic group: its generation, its members and what each was assigned |
//! | 3-8, 16 | group, more | consumer groups (KIP-848): `records/consumer.rs` |
//! | 10-15 | group, more | share groups (KIP-932): `records/share.rs` |
//! | 17-23 | group, more | streams groups (KIP-1071): not read, but known by their group |
//!
//! We write offsets in version 4 (1 where the client says itself when they expire) and groups in version 3, as Kafka 4.3 does.

use bytes::{Buf, BufMut, Bytes, BytesMut};
use bytestring::ByteString;
use net::wire::{DecodeError, Decoder, EncodeError, Wire, from_bytes, to_bytes};
use uuid::Uuid;

pub use consumer::ConsumerRecord;
pub use share::ShareRecord;

pub mod consumer;
pub mod share;

const LEGACY_OFFSET_COMMIT: i16 = 0;
const OFFSET_COMMIT: i16 = 1;
const GROUP_METADATA: i16 = 2;
/// The last type that Kafka 4.3 has.
const LAST_TYPE: i16 = 23;

/// Kafka's choices of a value's version.
const OFFSET_VERSION: i16 = 4;
const EXPIRING_OFFSET_VERSION: i16 = 1;
const GROUP_VERSION: i16 = 3;

/// Key of types 0 and 1.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Wire)]
#[wire(versions = "0", flexible = "none")]
pub struct OffsetKey {
    pub group: ByteString,
    pub topic: ByteString,
    pub partition: i32,
}

/// Value of types 0 and 1.
#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-4", flexible = "4+")]
pub struct OffsetValue {
    pub offset: i64,
    /// -1 if it is not known.
    #[wire(versions = "3+", default = -1, ignorable)]
    pub leader_epoch: i32,
    pub metadata: ByteString,
    /// Milliseconds since 1970.
    pub commit_timestamp: i64,
    /// The client's own choice, -1 for none.
    #[wire(versions = "1", default = -1, ignorable)]
    pub expire_timestamp: i64,
    /// Nil if it is not known.
    #[wire(versions = "4+", tag = 0, ignorable)]
    pub topic_id: Uuid,
}

/// Key of type 2.
#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "none")]
pub struct GroupKey {
    pub group: ByteString,
}

/// Value of type 2.
#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-4", flexible = "4+")]
pub struct GroupValue {
    /// Empty for a group that only keeps offsets.
    pub protocol_type: ByteString,
    pub generation: i32,
    pub protocol: Option<ByteString>,
    pub leader: Option<ByteString>,
    /// When the group came into this state, milliseconds since 1970.
    #[wire(versions = "2+", default = -1, ignorable)]
    pub current_state_timestamp: i64,
    pub members: Vec<MemberValue>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct MemberValue {
    pub member_id: ByteString,
    #[wire(versions = "3+", ignorable)]
    pub group_instance_id: Option<ByteString>,
    pub client_id: ByteString,
    pub client_host: ByteString,
    /// Milliseconds; -1 for the session timeout.
    #[wire(versions = "1+", default = -1, ignorable)]
    pub rebalance_timeout: i32,
    /// Milliseconds.
    pub session_timeout: i32,
    pub subscription: Bytes,
    pub assignment: Bytes,
}

/// One record of the log.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// `None` takes back what was committed.
    Offset(OffsetKey, Option<OffsetValue>),
    /// `None` deletes the group.
    Group(ByteString, Option<GroupValue>),
    Consumer(ByteString, ConsumerRecord),
    Share(ByteString, ShareRecord),
    /// A record of a streams group. `live` is false for a tombstone.
    Other {
        group: ByteString,
        key: Bytes,
        live: bool,
    },
    /// A type that Kafka 4.3 does not have: left by a later release that was gone back from. Kafka's loader ignores it too.
    Unknown(i16),
}

/// Why a record cannot be read. Kafka's coordinator does not load a partition with such a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    #[error("a record without a key")]
    NoKey,
    #[error("a record without a value")]
    NoValue,
    #[error("a key or value that is cut short")]
    Cut,
    #[error("version {0} of its value, which Kafka 4.3 does not have")]
    Version(i16),
    #[error(transparent)]
    Body(#[from] DecodeError),
}

impl Record {
    /// Key and value as the log holds them.
    pub fn encode(&self) -> Result<(Bytes, Option<Bytes>), EncodeError> {
        Ok(match self {
            Record::Offset(key, value) => {
                let versioned = |value: &OffsetValue| match value.expire_timestamp {
                    -1 => with_prefix(OFFSET_VERSION, &to_bytes(value, OFFSET_VERSION)?),
                    _ => with_prefix(
                        EXPIRING_OFFSET_VERSION,
                        &to_bytes(value, EXPIRING_OFFSET_VERSION)?,
                    ),
                };
                let key = with_prefix(OFFSET_COMMIT, &to_bytes(key, 0)?)?;
                (key, value.as_ref().map(versioned).transpose()?)
            }
            Record::Group(group, value) => {
                let key = to_bytes(&GroupKey { group: group.clone() }, 0)?;
                let versioned =
                    |value| with_prefix(GROUP_VERSION, &to_bytes(value, GROUP_VERSION)?);
                (with_prefix(GROUP_METADATA, &key)?, value.as_ref().map(versioned).transpose()?)
            }
            Record::Consumer(group, record) => record.encode(group)?,
            Record::Share(group, record) => record.encode(group)?,
            // Never written by us.
            Record::Other { key, .. } => (key.clone(), None),
            Record::Unknown(kind) => (with_prefix(*kind, &[])?, None),
        })
    }

    /// Reads one. What it holds is a copy: state must not keep pieces of the log in memory.
    pub fn decode(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Record, RecordError> {
        let whole = Bytes::copy_from_slice(key.ok_or(RecordError::NoKey)?);
        let (kind, body) = prefix(whole.clone())?;
        let value = value.map(Bytes::copy_from_slice);
        Ok(match kind {
            LEGACY_OFFSET_COMMIT | OFFSET_COMMIT => {
                let last = if kind == OFFSET_COMMIT { 4 } else { 0 };
                Record::Offset(
                    owned_key(from_bytes(body, 0)?),
                    value.map(|v| versioned(v, last)).transpose()?,
                )
            }
            GROUP_METADATA => {
                let key: GroupKey = from_bytes(body, 0)?;
                let value = value.map(|value| versioned(value, 4)).transpose()?;
                Record::Group(owned(&key.group), value)
            }
            kind if ConsumerRecord::has(kind) => {
                let (group, record) = ConsumerRecord::decode(kind, body, value)?;
                Record::Consumer(group, record)
            }
            kind if ShareRecord::has(kind) => {
                let (group, record) = ShareRecord::decode(kind, body, value)?;
                Record::Share(group, record)
            }
            3..=LAST_TYPE => {
                let group = ByteString::decode(&mut Decoder::new(body), 0)?;
                Record::Other { group: owned(&group), key: whole, live: value.is_some() }
            }
            other => Record::Unknown(other),
        })
    }
}

/// A string with memory of its own. What a request brings is a slice of its frame, and must not keep that in memory.
pub fn owned(text: &ByteString) -> ByteString {
    ByteString::from(text.to_string())
}

fn owned_key(key: OffsetKey) -> OffsetKey {
    OffsetKey { group: owned(&key.group), topic: owned(&key.topic), partition: key.partition }
}

pub(crate) fn with_prefix(number: i16, body: &[u8]) -> Result<Bytes, EncodeError> {
    let mut bytes = BytesMut::with_capacity(2 + body.len());
    bytes.put_i16(number);
    bytes.put_slice(body);
    Ok(bytes.freeze())
}

pub(crate) fn prefix(mut bytes: Bytes) -> Result<(i16, Bytes), RecordError> {
    if bytes.len() < 2 {
        return Err(RecordError::Cut);
    }
    let number = bytes.get_i16();
    Ok((number, bytes))
}

pub(crate) fn versioned<T: Wire>(value: Bytes, last: i16) -> Result<T, RecordError> {
    let (version, body) = prefix(value)?;
    if !(0..=last).contains(&version) {
        return Err(RecordError::Version(version));
    }
    Ok(from_bytes(body, version)?)
}

#[cfg(test)]
mod tests;
