//! The 61 bytes before a batch's records, as numbers. The layout is drawn in [`super`].

use crate::batch::{BatchError, Corruption};
use crate::units::{Epoch, Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// Where each field starts, from the first byte of the batch.
pub mod at {
    pub const BASE_OFFSET: usize = 0;
    pub const BATCH_LENGTH: usize = 8;
    pub const LEADER_EPOCH: usize = 12;
    pub const MAGIC: usize = 16;
    pub const CRC: usize = 17;
    pub const ATTRIBUTES: usize = 21;
    pub const LAST_OFFSET_DELTA: usize = 23;
    pub const BASE_TIMESTAMP: usize = 27;
    pub const MAX_TIMESTAMP: usize = 35;
    pub const PRODUCER_ID: usize = 43;
    pub const PRODUCER_EPOCH: usize = 51;
    pub const BASE_SEQUENCE: usize = 53;
    pub const COUNT: usize = 57;
    pub const RECORDS: usize = 61;
}

/// The only version of the format that is served.
pub const MAGIC: i8 = 2;
/// The header's size.
pub const HEADER_BYTES: usize = at::RECORDS;
/// What `batch_length` does not count: itself and the base offset.
pub const LENGTH_OVERHEAD: usize = at::LEADER_EPOCH;
/// The smallest `batch_length`: a batch without records.
pub const BATCH_LENGTH_MIN: i32 = 49;

const _: () = assert!(BATCH_LENGTH_MIN as usize == HEADER_BYTES - LENGTH_OVERHEAD);

/// How a batch's records are compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

impl Codec {
    pub const ALL: [Codec; 5] = [Codec::None, Codec::Gzip, Codec::Snappy, Codec::Lz4, Codec::Zstd];

    pub const fn from_bits(bits: i16) -> Option<Codec> {
        match bits {
            0 => Some(Codec::None),
            1 => Some(Codec::Gzip),
            2 => Some(Codec::Snappy),
            3 => Some(Codec::Lz4),
            4 => Some(Codec::Zstd),
            _ => None,
        }
    }

    pub const fn bits(self) -> i16 {
        self as i16
    }

    /// Kafka's name, as in `compression.type`.
    pub const fn name(self) -> &'static str {
        match self {
            Codec::None => "none",
            Codec::Gzip => "gzip",
            Codec::Snappy => "snappy",
            Codec::Lz4 => "lz4",
            Codec::Zstd => "zstd",
        }
    }
}

/// Who set the timestamps: the producer, or the broker at append.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum TimestampType {
    #[default]
    CreateTime,
    LogAppendTime,
}

/// The batch's flags.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Attributes(pub i16);

impl Attributes {
    pub const CODEC: i16 = 0x07;
    pub const LOG_APPEND_TIME: i16 = 0x08;
    pub const TRANSACTIONAL: i16 = 0x10;
    pub const CONTROL: i16 = 0x20;
    pub const DELETE_HORIZON: i16 = 0x40;
    const KNOWN: i16 = 0x7f;

    pub const fn codec_bits(self) -> i16 {
        self.0 & Self::CODEC
    }

    /// None for the three values that mean nothing.
    pub const fn codec(self) -> Option<Codec> {
        Codec::from_bits(self.codec_bits())
    }

    pub const fn has(self, flag: i16) -> bool {
        self.0 & flag != 0
    }

    pub const fn timestamp_type(self) -> TimestampType {
        if self.has(Self::LOG_APPEND_TIME) {
            TimestampType::LogAppendTime
        } else {
            TimestampType::CreateTime
        }
    }

    pub const fn with_codec(self, codec: Codec) -> Attributes {
        Attributes((self.0 & !Self::CODEC) | codec.bits())
    }

    /// What a broker writes when it has to rewrite the attributes: bits without a meaning are dropped then, and only then.
    pub const fn with_timestamp_type(self, timestamp_type: TimestampType) -> Attributes {
        let cleared = self.0 & Self::KNOWN & !Self::LOG_APPEND_TIME;
        match timestamp_type {
            TimestampType::CreateTime => Attributes(cleared),
            TimestampType::LogAppendTime => Attributes(cleared | Self::LOG_APPEND_TIME),
        }
    }
}

/// A batch's header. Reading one checks nothing but that the bytes are there; [`BatchHeader::check`] does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    pub base_offset: Offset,
    /// Bytes after this field.
    pub batch_length: i32,
    pub leader_epoch: Epoch,
    pub magic: i8,
    /// CRC-32C of everything from the attributes on.
    pub crc: u32,
    pub attributes: Attributes,
    pub last_offset_delta: i32,
    pub base_timestamp: Timestamp,
    pub max_timestamp: Timestamp,
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub base_sequence: Sequence,
    pub count: i32,
}

impl BatchHeader {
    /// The header at the start of `bytes`; None if there are fewer than [`HEADER_BYTES`].
    pub fn read(bytes: &[u8]) -> Option<BatchHeader> {
        let h: &[u8; HEADER_BYTES] = bytes.first_chunk()?;
        Some(BatchHeader {
            base_offset: Offset(i64_at(h, at::BASE_OFFSET)),
            batch_length: i32_at(h, at::BATCH_LENGTH),
            leader_epoch: Epoch(i32_at(h, at::LEADER_EPOCH)),
            magic: i8::from_be_bytes([h[at::MAGIC]]),
            crc: u32::from_be_bytes([h[at::CRC], h[at::CRC + 1], h[at::CRC + 2], h[at::CRC + 3]]),
            attributes: Attributes(i16_at(h, at::ATTRIBUTES)),
            last_offset_delta: i32_at(h, at::LAST_OFFSET_DELTA),
            base_timestamp: Timestamp(i64_at(h, at::BASE_TIMESTAMP)),
            max_timestamp: Timestamp(i64_at(h, at::MAX_TIMESTAMP)),
            producer_id: ProducerId(i64_at(h, at::PRODUCER_ID)),
            producer_epoch: ProducerEpoch(i16_at(h, at::PRODUCER_EPOCH)),
            base_sequence: Sequence(i32_at(h, at::BASE_SEQUENCE)),
            count: i32_at(h, at::COUNT),
        })
    }

    /// What must hold before the length is believed.
    pub fn check(&self) -> Result<(), BatchError> {
        if self.batch_length < BATCH_LENGTH_MIN {
            return Err(Corruption::Length(self.batch_length).into());
        }
        if self.magic != MAGIC {
            return Err(Corruption::Magic(self.magic).into());
        }
        Ok(())
    }

    /// The whole batch's size in bytes. Meaningful only after [`BatchHeader::check`]; 0 for a negative length.
    pub fn size(&self) -> usize {
        usize::try_from(self.batch_length).map_or(0, |length| length + LENGTH_OVERHEAD)
    }

    /// The offset of the last record, even if compaction has removed it.
    pub fn last_offset(&self) -> Offset {
        self.base_offset + i64::from(self.last_offset_delta)
    }

    /// The sequence of the last record; none if the batch has none.
    pub fn last_sequence(&self) -> Sequence {
        if self.base_sequence == Sequence::NONE {
            Sequence::NONE
        } else {
            self.base_sequence.plus(self.last_offset_delta)
        }
    }

    pub fn codec(&self) -> Option<Codec> {
        self.attributes.codec()
    }

    pub fn timestamp_type(&self) -> TimestampType {
        self.attributes.timestamp_type()
    }

    pub fn is_transactional(&self) -> bool {
        self.attributes.has(Attributes::TRANSACTIONAL)
    }

    pub fn is_control(&self) -> bool {
        self.attributes.has(Attributes::CONTROL)
    }

    /// When a tombstone or a marker in this batch may go, if the cleaner has said so. `base_timestamp` is that time then.
    pub fn delete_horizon(&self) -> Option<Timestamp> {
        self.attributes.has(Attributes::DELETE_HORIZON).then_some(self.base_timestamp)
    }

    /// The timestamp of a record: the broker's for the whole batch, or the base plus the record's delta.
    pub fn timestamp(&self, delta: i64) -> Timestamp {
        match self.timestamp_type() {
            TimestampType::CreateTime => Timestamp(self.base_timestamp.0.wrapping_add(delta)),
            TimestampType::LogAppendTime => self.max_timestamp,
        }
    }

    /// Writes the header into the first [`HEADER_BYTES`] of `out`.
    pub(crate) fn write(&self, out: &mut [u8; HEADER_BYTES]) {
        put(out, at::BASE_OFFSET, self.base_offset.0.to_be_bytes());
        put(out, at::BATCH_LENGTH, self.batch_length.to_be_bytes());
        put(out, at::LEADER_EPOCH, self.leader_epoch.0.to_be_bytes());
        put(out, at::MAGIC, self.magic.to_be_bytes());
        put(out, at::CRC, self.crc.to_be_bytes());
        put(out, at::ATTRIBUTES, self.attributes.0.to_be_bytes());
        put(out, at::LAST_OFFSET_DELTA, self.last_offset_delta.to_be_bytes());
        put(out, at::BASE_TIMESTAMP, self.base_timestamp.0.to_be_bytes());
        put(out, at::MAX_TIMESTAMP, self.max_timestamp.0.to_be_bytes());
        put(out, at::PRODUCER_ID, self.producer_id.0.to_be_bytes());
        put(out, at::PRODUCER_EPOCH, self.producer_epoch.0.to_be_bytes());
        put(out, at::BASE_SEQUENCE, self.base_sequence.0.to_be_bytes());
        put(out, at::COUNT, self.count.to_be_bytes());
    }
}

fn put<const N: usize>(out: &mut [u8; HEADER_BYTES], at: usize, bytes: [u8; N]) {
    out[at..at + N].copy_from_slice(&bytes);
}

fn i64_at(h: &[u8; HEADER_BYTES], at: usize) -> i64 {
    i64::from_be_bytes(std::array::from_fn(|i| h[at + i]))
}

fn i32_at(h: &[u8; HEADER_BYTES], at: usize) -> i32 {
    i32::from_be_bytes(std::array::from_fn(|i| h[at + i]))
}

fn i16_at(h: &[u8; HEADER_BYTES], at: usize) -> i16 {
    i16::from_be_bytes(std::array::from_fn(|i| h[at + i]))
}
