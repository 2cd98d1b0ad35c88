//! The records of `__share_group_state`, as Kafka 4.3 writes and reads them.
//!
//! ```text
//! key     i16 type | group, topic id, partition (version 0)
//! value   i16 version (0) | body; null for a tombstone
//! ```
//!
//! | type | value |
//! |---|---|
//! | 0 | a snapshot: all that is kept of the share partition; the tombstone ends it |
//! | 1 | an update: what has changed since the last record |

use bytes::Bytes;
use net::wire::{EncodeError, Wire, from_bytes, to_bytes};

use super::batches::StateBatch;
use super::{Key, State};
use crate::group::records::{RecordError, owned, prefix, versioned, with_prefix};

const SNAPSHOT: i16 = 0;
const UPDATE: i16 = 1;
/// Of keys and values.
const VERSION: i16 = 0;

/// Value of type 0.
#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct SnapshotValue {
    pub snapshot_epoch: i32,
    pub state_epoch: i32,
    pub leader_epoch: i32,
    pub start_offset: i64,
    #[wire(versions = "0+", tag = 0, default = -1)]
    pub delivery_complete_count: i32,
    pub create_timestamp: i64,
    pub write_timestamp: i64,
    pub state_batches: Vec<StateBatch>,
}

/// Value of type 1.
#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct UpdateValue {
    /// Of the snapshot before it.
    pub snapshot_epoch: i32,
    /// -1 where it stays.
    pub leader_epoch: i32,
    /// -1 where it stays.
    pub start_offset: i64,
    #[wire(versions = "0+", tag = 0, default = -1)]
    pub delivery_complete_count: i32,
    pub state_batches: Vec<StateBatch>,
}

/// One record of the log.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// `None` ends the state.
    Snapshot(Key, Option<SnapshotValue>),
    Update(Key, UpdateValue),
    /// A type that Kafka 4.3 does not have: left by a later release that was gone back from. Kafka's loader ignores it too.
    Unknown(i16),
}

impl Record {
    /// Key and value as the log holds them.
    pub fn encode(&self) -> Result<(Bytes, Option<Bytes>), EncodeError> {
        let key = |kind, key| with_prefix(kind, &to_bytes(key, VERSION)?);
        Ok(match self {
            Record::Snapshot(of, value) => {
                let body = |value| with_prefix(VERSION, &to_bytes(value, VERSION)?);
                (key(SNAPSHOT, of)?, value.as_ref().map(body).transpose()?)
            }
            Record::Update(of, value) => {
                let body = with_prefix(VERSION, &to_bytes(value, VERSION)?)?;
                (key(UPDATE, of)?, Some(body))
            }
            // Never written by us.
            Record::Unknown(kind) => (with_prefix(*kind, &[])?, None),
        })
    }

    /// Reads one. What it holds is a copy: state must not keep pieces of the log in memory.
    pub fn decode(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Record, RecordError> {
        let (kind, body) = prefix(Bytes::copy_from_slice(key.ok_or(RecordError::NoKey)?))?;
        let key = || -> Result<Key, RecordError> {
            let key: Key = from_bytes(body, VERSION)?;
            Ok(Key { group: owned(&key.group), ..key })
        };
        let value = value.map(Bytes::copy_from_slice);
        Ok(match kind {
            SNAPSHOT => {
                Record::Snapshot(key()?, value.map(|value| versioned(value, VERSION)).transpose()?)
            }
            UPDATE => {
                let value = value.ok_or(RecordError::NoValue)?;
                Record::Update(key()?, versioned(value, VERSION)?)
            }
            other => Record::Unknown(other),
        })
    }
}

impl From<SnapshotValue> for State {
    fn from(value: SnapshotValue) -> State {
        State {
            snapshot_epoch: value.snapshot_epoch,
            state_epoch: value.state_epoch,
            leader_epoch: value.leader_epoch,
            start_offset: value.start_offset,
            delivery_complete_count: value.delivery_complete_count,
            create_timestamp: value.create_timestamp,
            write_timestamp: value.write_timestamp,
            batches: value.state_batches,
        }
    }
}

impl From<State> for SnapshotValue {
    fn from(state: State) -> SnapshotValue {
        SnapshotValue {
            snapshot_epoch: state.snapshot_epoch,
            state_epoch: state.state_epoch,
            leader_epoch: state.leader_epoch,
            start_offset: state.start_offset,
            delivery_complete_count: state.delivery_complete_count,
            create_timestamp: state.create_timestamp,
            write_timestamp: state.write_timestamp,
            state_batches: state.batches,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn there_and_back(record: &Record) {
        let (key, value) = record.encode().unwrap();
        assert_eq!(&Record::decode(Some(&key), value.as_deref()).unwrap(), record);
    }

    fn key() -> Key {
        Key { group: "g".into(), topic: uuid::Uuid::from_u128(1 << 64 | 2), partition: 3 }
    }

    #[test]
    fn what_is_written_is_read_back() {
        let batch =
            StateBatch { first_offset: 1, last_offset: 4, delivery_state: 2, delivery_count: 5 };
        let snapshot = SnapshotValue {
            snapshot_epoch: 1,
            start_offset: -1,
            state_batches: vec![batch],
            ..SnapshotValue::default()
        };
        there_and_back(&Record::Snapshot(key(), Some(snapshot)));
        there_and_back(&Record::Snapshot(key(), None));
        let update = UpdateValue { state_batches: vec![batch; 2], ..UpdateValue::default() };
        there_and_back(&Record::Update(key(), update));
        there_and_back(&Record::Unknown(2));
    }

    /// The coordinator of Kafka 4.3.1 reads these bytes as these records, and writes them so.
    #[test]
    fn bytes_are_kafkas() {
        let (bytes, _) = Record::Snapshot(key(), None).encode().unwrap();
        let expected = b"\0\0\0\x01g\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\0\x02\0\0\0\x03";
        assert_eq!(&bytes[..], expected);
        let update = UpdateValue {
            snapshot_epoch: 1,
            leader_epoch: 2,
            start_offset: 3,
            delivery_complete_count: 4,
            state_batches: Vec::new(),
        };
        let (_, bytes) = Record::Update(key(), update).encode().unwrap();
        let expected = b"\0\0\0\0\0\x01\0\0\0\x02\0\0\0\0\0\0\0\x03\x01\x01\0\x04\0\0\0\x04";
        assert_eq!(&bytes.unwrap()[..], expected);
    }

    #[test]
    fn what_cannot_be_read_is_told() {
        let (key, _) = Record::Snapshot(key(), None).encode().unwrap();
        let check = |key: Option<&[u8]>, value: Option<&[u8]>, expected: RecordError| {
            assert_eq!(Record::decode(key, value), Err(expected));
        };
        check(None, None, RecordError::NoKey);
        check(Some(b"\0"), None, RecordError::Cut);
        check(Some(&key), Some(b"\0\x01"), RecordError::Version(1));
        check(Some(&[&b"\0\x01"[..], &key[2..]].concat()), None, RecordError::NoValue);
        assert!(matches!(Record::decode(Some(&key), Some(b"\0\0\0")), Err(RecordError::Body(_))));
    }
}
