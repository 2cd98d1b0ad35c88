//! The records of the cluster metadata log, as Kafka 4.3 writes and reads them.
//!
//! A data record of `__cluster_metadata-0` has no key; its value is
//! ```text
//! uv frame version = 1 | uv key | uv version | body (flexible encoding of that key and version)
//! ```
//! `Record` is the closed set of them: whatever Kafka 4.3 may have written decodes, in every version; what Odradek writes
//! has the version of `metadata.version` 30. A key that is not known here is an error and not skipped: a log that a
//! later release has written means something that this one cannot know.
//! `control` has the bodies of the control records (their key names the type, see `storage`).

pub mod cluster;
pub mod control;
pub mod security;
pub mod topics;

use bytes::{Buf, BufMut, Bytes, BytesMut};
use net::wire::{DecodeError, EncodeError, from_bytes, to_bytes};

pub use cluster::*;
pub use security::*;
pub use topics::*;

/// The only frame version there is.
const FRAME: u32 = 1;

/// Why a record of the metadata log could not be read.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    #[error("metadata record with frame version {0}: only 1 is known")]
    Frame(u32),
    #[error(
        "metadata record of type {0}, which Kafka 4.3 does not have: a later release wrote this log"
    )]
    Key(u32),
    #[error(
        "metadata record {name} in version {version}, which Kafka 4.3 does not have: a later release wrote this log"
    )]
    Version { name: &'static str, version: u32 },
    #[error("metadata record {name}: {source}")]
    Body { name: &'static str, source: DecodeError },
    #[error("metadata record whose frame is cut short")]
    Cut,
}

macro_rules! records {
    ($($variant:ident($body:ident) = $key:literal, versions 0..=$max:literal;)*) => {
        /// One record of the metadata log.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Record { $($variant($body),)* }

        impl Record {
            /// The record's type, as its frame names it.
            pub fn key(&self) -> u32 {
                match self { $(Record::$variant(_) => $key,)* }
            }

            /// The record's name, for messages.
            pub fn name(&self) -> &'static str {
                match self { $(Record::$variant(_) => stringify!($variant),)* }
            }

            fn latest(&self) -> i16 {
                match self { $(Record::$variant(_) => $max,)* }
            }

            fn encode_body(&self, version: i16) -> Result<Bytes, EncodeError> {
                match self { $(Record::$variant(body) => to_bytes(body, version),)* }
            }

            fn decode_body(key: u32, version: u32, body: Bytes) -> Result<Record, RecordError> {
                match key {
                    $($key => {
                        let name = stringify!($variant);
                        let known = i16::try_from(version).ok().filter(|v| (0..=$max).contains(v));
                        let version = known.ok_or(RecordError::Version { name, version })?;
                        let body = from_bytes::<$body>(body, version);
                        body.map(Record::$variant).map_err(|source| RecordError::Body { name, source })
                    })*
                    other => Err(RecordError::Key(other)),
                }
            }
        }

        $(impl From<$body> for Record {
            fn from(body: $body) -> Record { Record::$variant(body) }
        })*
    };
}

records! {
    RegisterBroker(RegisterBrokerRecord) = 0, versions 0..=4;
    UnregisterBroker(UnregisterBrokerRecord) = 1, versions 0..=0;
    Topic(TopicRecord) = 2, versions 0..=0;
    Partition(PartitionRecord) = 3, versions 0..=2;
    Config(ConfigRecord) = 4, versions 0..=0;
    PartitionChange(PartitionChangeRecord) = 5, versions 0..=2;
    FenceBroker(FenceBrokerRecord) = 7, versions 0..=0;
    UnfenceBroker(UnfenceBrokerRecord) = 8, versions 0..=0;
    RemoveTopic(RemoveTopicRecord) = 9, versions 0..=0;
    DelegationToken(DelegationTokenRecord) = 10, versions 0..=0;
    UserScramCredential(UserScramCredentialRecord) = 11, versions 0..=0;
    FeatureLevel(FeatureLevelRecord) = 12, versions 0..=0;
    ClientQuota(ClientQuotaRecord) = 14, versions 0..=0;
    ProducerIds(ProducerIdsRecord) = 15, versions 0..=0;
    BrokerRegistrationChange(BrokerRegistrationChangeRecord) = 17, versions 0..=3;
    AccessControlEntry(AccessControlEntryRecord) = 18, versions 0..=0;
    RemoveAccessControlEntry(RemoveAccessControlEntryRecord) = 19, versions 0..=0;
    NoOp(NoOpRecord) = 20, versions 0..=0;
    ZkMigrationState(ZkMigrationStateRecord) = 21, versions 0..=0;
    RemoveUserScramCredential(RemoveUserScramCredentialRecord) = 22, versions 0..=0;
    BeginTransaction(BeginTransactionRecord) = 23, versions 0..=0;
    EndTransaction(EndTransactionRecord) = 24, versions 0..=0;
    AbortTransaction(AbortTransactionRecord) = 25, versions 0..=0;
    RemoveDelegationToken(RemoveDelegationTokenRecord) = 26, versions 0..=0;
    RegisterController(RegisterControllerRecord) = 27, versions 0..=0;
    ClearElr(ClearElrRecord) = 28, versions 0..=0;
    UnregisterController(UnregisterControllerRecord) = 29, versions 0..=0;
}

impl Record {
    /// The version that a controller of Kafka 4.3 at `metadata.version` 30 writes this record in.
    pub fn version(&self) -> i16 {
        match self {
            // Kafka takes the lowest version that can say it.
            Record::BrokerRegistrationChange(change) => match change {
                c if c.cordoned_log_dirs.is_some() => 3,
                c if !c.log_dirs.is_empty() => 2,
                c if c.in_controlled_shutdown != 0 => 1,
                _ => 0,
            },
            other => other.latest(),
        }
    }

    /// The value of a data record: frame, then body.
    pub fn encode(&self) -> Result<Bytes, EncodeError> {
        let version = self.version();
        let body = self.encode_body(version)?;
        let mut value = BytesMut::with_capacity(3 + body.len());
        for number in [FRAME, self.key(), u32::from(version.unsigned_abs())] {
            put_unsigned_varint(&mut value, number);
        }
        value.put(body);
        Ok(value.freeze())
    }

    /// Reads the value of a data record; all of it must be used up.
    pub fn decode(mut value: Bytes) -> Result<Record, RecordError> {
        let frame = unsigned_varint(&mut value)?;
        if frame != FRAME {
            return Err(RecordError::Frame(frame));
        }
        let key = unsigned_varint(&mut value)?;
        let version = unsigned_varint(&mut value)?;
        Record::decode_body(key, version, value)
    }
}

fn put_unsigned_varint(to: &mut BytesMut, mut number: u32) {
    while number >= 0x80 {
        to.put_u8(number.to_le_bytes()[0] | 0x80);
        number >>= 7;
    }
    to.put_u8(number.to_le_bytes()[0]);
}

fn unsigned_varint(from: &mut Bytes) -> Result<u32, RecordError> {
    let mut number = 0;
    for shift in [0, 7, 14, 21, 28] {
        let byte = if from.has_remaining() { from.get_u8() } else { return Err(RecordError::Cut) };
        number |= u32::from(byte & 0x7f) << shift;
        if byte & 0x80 == 0 {
            return Ok(number);
        }
    }
    Err(RecordError::Cut)
}

#[cfg(test)]
pub(crate) mod tests;
