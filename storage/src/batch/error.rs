//! Why a batch was refused, in the groups that Kafka answers differently.

use std::fmt;

use crate::units::{Offset, ProducerId, Sequence, Timestamp};

/// Each variant is one of Kafka's answers; what it carries says more to the reader of a log.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// The bytes are not what their writer wrote (CORRUPT_MESSAGE).
    #[error("{0}")]
    Corrupt(#[from] Corruption),
    /// Well transmitted, but not a batch that may be appended (INVALID_RECORD).
    #[error("{0}")]
    Invalid(#[from] Invalidity),
    /// MESSAGE_TOO_LARGE.
    #[error("the batch has {size} bytes, more than max.message.bytes of {max}")]
    TooLarge { size: usize, max: i32 },
    /// At least one record has a timestamp that the topic refuses (INVALID_TIMESTAMP, with the records named).
    #[error("{} records refused, some for their timestamp", .0.total)]
    Timestamps(RecordErrors),
    /// Records refused one by one for other reasons (INVALID_RECORD, with the records named).
    #[error("{} records refused", .0.total)]
    Records(RecordErrors),
    /// The compressed records cannot be read. Kafka has no code of its own for it (UNKNOWN_SERVER_ERROR).
    #[error("{0}")]
    Unreadable(#[from] Unreadable),
}

/// Damage: the writer cannot have meant this.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Corruption {
    #[error("a batch length of {0} is less than its header needs")]
    Length(i32),
    #[error("magic {0} is unknown")]
    Magic(i8),
    #[error("CRC-32C is {computed:08x}, the batch says {stored:08x}")]
    Checksum { stored: u32, computed: u32 },
}

/// What a client, or a peer, must not send.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Invalidity {
    #[error("there is no whole batch")]
    NoBatch,
    #[error("there is more than one batch")]
    MoreThanOneBatch,
    #[error("magic {0} is no longer served")]
    OldMagic(i8),
    #[error("the base offset should be 0, but is {0}")]
    BaseOffset(Offset),
    #[error("the last offset delta {0} is negative")]
    OffsetRange(i32),
    #[error("a batch cannot have {0} records")]
    Count(i32),
    #[error("the last offset delta {last_offset_delta} does not fit {count} records")]
    CountMismatch { count: i32, last_offset_delta: i32 },
    #[error("clients may not write control records")]
    ControlBatch,
    #[error("sequence {sequence} of producer {producer_id} is negative")]
    NegativeSequence { producer_id: ProducerId, sequence: Sequence },
    #[error("record {index}: {problem}")]
    Record { index: i32, problem: &'static str },
    #[error("record {index} has offset delta {found}")]
    OffsetDelta { index: i32, found: i32 },
    #[error("bytes follow the last record")]
    BytesRemain,
}

/// Why compressed records cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unreadable {
    #[error("compression codec {0} is unknown")]
    UnknownCodec(i16),
    #[error("the compressed records are damaged: {0}")]
    Stream(String),
    #[error("the records inflate to more than {0} bytes")]
    TooMuch(u64),
}

/// The records that a topic refuses. Every one is counted; the first [`RecordErrors::LISTED_MAX`] are listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecordErrors {
    pub total: usize,
    pub listed: Vec<RecordError>,
}

/// One refused record: its index in the batch, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordError {
    pub index: i32,
    pub reason: RecordReason,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RecordReason {
    /// A compacted topic needs keys.
    NoKey,
    /// The timestamp lies outside `from..=to`.
    OutOfRange { timestamp: Timestamp, offset: Offset, from: Timestamp, to: Timestamp },
    /// The producer claims a timestamp type that only a broker may set. Lengths are -1 for null.
    LogAppendTime {
        compressed: bool,
        offset: Offset,
        timestamp: Timestamp,
        key_length: i32,
        value_length: i32,
    },
}

impl RecordErrors {
    /// A batch has at most as many bad records as bytes; an answer need not list them all.
    pub const LISTED_MAX: usize = 1000;

    pub(crate) fn push(&mut self, index: i32, reason: RecordReason) {
        self.total += 1;
        if self.listed.len() < Self::LISTED_MAX {
            self.listed.push(RecordError { index, reason });
        }
    }

    /// What Kafka's answer says about the whole batch. `partition` is shown as `topic-number`.
    pub fn message(&self, timestamps: bool, topic: &str, partition: i32) -> String {
        if timestamps {
            return "One or more records have been rejected due to invalid timestamp".into();
        }
        let shown: Vec<String> = self
            .listed
            .iter()
            .take(3)
            .map(|e| {
                format!(
                    "RecordError(batchIndex={}, message='{}')",
                    e.index,
                    e.message(topic, partition)
                )
            })
            .collect();
        format!(
            "One or more records have been rejected due to {} record errors in total, and only showing the first three errors at most: [{}]",
            self.total,
            shown.join(", ")
        )
    }
}

impl RecordError {
    /// What Kafka's answer says about this record.
    pub fn message(&self, topic: &str, partition: i32) -> String {
        match &self.reason {
            RecordReason::NoKey => {
                format!(
                    "Compacted topic cannot accept message without key in topic partition {topic}-{partition}"
                )
            }
            RecordReason::OutOfRange { timestamp, offset, from, to } => format!(
                "Timestamp {timestamp} of message with offset {offset} is out of range. The timestamp should be within [{from}, {to}]"
            ),
            RecordReason::LogAppendTime {
                compressed,
                offset,
                timestamp,
                key_length,
                value_length,
            } => format!(
                "Invalid timestamp type in message {}. Producer should not set timestamp type to LogAppendTime.",
                ShownRecord {
                    compressed: *compressed,
                    offset,
                    timestamp,
                    key: *key_length,
                    value: *value_length
                }
            ),
        }
    }
}

/// A record as Kafka shows it: a null has 0 bytes where the whole record was read, -1 where it was skipped.
struct ShownRecord<'a> {
    compressed: bool,
    offset: &'a Offset,
    timestamp: &'a Timestamp,
    key: i32,
    value: i32,
}

impl fmt::Display for ShownRecord<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, key, value) = if self.compressed {
            ("PartialDefaultRecord", self.key, self.value)
        } else {
            ("DefaultRecord", self.key.max(0), self.value.max(0))
        };
        write!(
            f,
            "{name}(offset={}, timestamp={}, key={key} bytes, value={value} bytes)",
            self.offset, self.timestamp
        )
    }
}
