//! Kafka's record batch, version ("magic") 2: the unit that producers send, logs keep and fetches return.
//!
//! ```text
//!  0 i64 base offset              27 i64 base timestamp (the first record's)
//!  8 i32 length of what follows   35 i64 max timestamp
//! 12 i32 partition leader epoch   43 i64 producer id     (-1 none)
//! 16 i8  magic (2)                51 i16 producer epoch  (-1 none)
//! 17 u32 CRC-32C of bytes 21..    53 i32 base sequence   (-1 none; wraps after 2^31-1)
//! 21 i16 attributes               57 i32 record count    (0: emptied by the cleaner)
//! 23 i32 last offset delta        61     records
//!
//! attributes  0-2 codec (0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd)   3 log append time   4 transactional
//!             5 control   6 the base timestamp is a delete horizon   others: unused
//!
//! record      varint length of what follows, i8 attributes (0), varint timestamp delta, varint offset delta,
//!             varint key length (-1 null), key, varint value length (-1 null), value,
//!             varint headers, each: varint length, key, varint length (-1 null), value
//! ```
//! Integers are big endian, varints zigzag. Base offset and leader epoch lie outside the CRC: the broker overwrites them.
//! With a codec, all records are one compressed stream.
//!
//! - [`Batch::parse`] is the only way to a [`Batch`]: what it holds is whole, of magic 2, and matches its CRC.
//! - [`Validation`] decides whether a client may append it, as Kafka does; it works in steps, since a batch may be large.
//! - [`copy_stamped`] writes it where it will be kept, with its offset, epoch and, where the topic says so, time.
//! - [`Records`] and [`scan`] find what is inside.
//!
//! Nothing here does I/O, reads a clock, or panics on what a client or a disk holds.

mod builder;
mod control;
mod deflate;
mod error;
pub(crate) mod header;
mod inflate;
mod recompress;
mod record;
mod retained;
pub mod scan;
mod skim;
mod stamp;
#[cfg(test)]
mod tests;
mod validate;
mod varint;

use bytes::Bytes;

pub use builder::{BatchBuilder, NewRecord};
pub use control::{ControlType, EndTransaction, LeaderChange, control_key};
pub use error::{
    BatchError, Corruption, Invalidity, RecordError, RecordErrors, RecordReason, Unreadable,
};
pub use header::{
    Attributes, BATCH_LENGTH_MIN, BatchHeader, Codec, HEADER_BYTES, LENGTH_OVERHEAD, MAGIC,
    TimestampType, at,
};
pub use inflate::{INFLATED_BYTES_MAX, inflate};
pub use recompress::{Compression, recompress};
pub use record::{Header, Headers, PlainRecords, Record, RecordFields, Records};
pub(crate) use retained::{Retained, emptied};
pub use stamp::{Checked, Rewrite, copy_stamped, stamp};
pub use validate::{Progress, Rules, Validation};

use crate::units::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

/// The shortest batch that any version of the format ever had, after its length field. Below it the length is damage.
const OLDEST_LENGTH_MIN: i32 = 14;

/// One whole batch of magic 2 whose CRC holds. Cloning it copies no records.
#[derive(Clone, Debug)]
pub struct Batch {
    bytes: Bytes,
    header: BatchHeader,
}

impl Batch {
    /// Takes the one batch that `records` holds.
    ///
    /// As in Kafka, a second batch is refused, but an incomplete one after the first is cut off silently.
    pub fn parse(records: Bytes) -> Result<Batch, BatchError> {
        let size = frame(&records)?.ok_or(Invalidity::NoBatch)?;
        let magic = i8::from_be_bytes([records[at::MAGIC]]);
        if magic != MAGIC {
            return Err(Invalidity::OldMagic(magic).into());
        }
        if frame(&records[size..])?.is_some() {
            return Err(Invalidity::MoreThanOneBatch.into());
        }
        let bytes = if records.len() == size { records } else { records.slice(..size) };
        Self::check(bytes)
    }

    /// Takes the first of the batches in `records`, and says how many bytes it has. For logs, which hold many in a row.
    pub fn parse_first(records: &Bytes) -> Result<(Batch, usize), BatchError> {
        let size = frame(records)?.ok_or(Invalidity::NoBatch)?;
        let batch = Self::check(records.slice(..size))?;
        Ok((batch, size))
    }

    fn check(bytes: Bytes) -> Result<Batch, BatchError> {
        let Some(header) = BatchHeader::read(&bytes) else {
            let length = bytes.len().saturating_sub(LENGTH_OVERHEAD);
            return Err(Corruption::Length(i32::try_from(length).unwrap_or(i32::MAX)).into());
        };
        header.check()?;
        let computed = crc32c::crc32c(&bytes[at::ATTRIBUTES..]);
        if computed != header.crc {
            return Err(Corruption::Checksum { stored: header.crc, computed }.into());
        }
        Ok(Batch { bytes, header })
    }

    /// The builder's own batch needs no second look.
    fn built(bytes: Bytes, header: BatchHeader) -> Batch {
        Batch { bytes, header }
    }

    pub fn header(&self) -> &BatchHeader {
        &self.header
    }

    /// The whole batch, header included, as it was received.
    pub fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// The whole batch's size in bytes.
    pub fn size(&self) -> usize {
        self.bytes.len()
    }

    /// Everything after the header, compressed as the header says.
    pub fn payload(&self) -> Bytes {
        self.bytes.slice(HEADER_BYTES..)
    }

    /// The records, decompressed as they are asked for.
    pub fn records(&self) -> Records {
        Records::new(self.header, self.payload())
    }

    pub fn base_offset(&self) -> Offset {
        self.header.base_offset
    }

    pub fn last_offset_delta(&self) -> i32 {
        self.header.last_offset_delta
    }

    pub fn last_offset(&self) -> Offset {
        self.header.last_offset()
    }

    pub fn count(&self) -> i32 {
        self.header.count
    }

    pub fn producer_id(&self) -> ProducerId {
        self.header.producer_id
    }

    pub fn producer_epoch(&self) -> ProducerEpoch {
        self.header.producer_epoch
    }

    pub fn base_sequence(&self) -> Sequence {
        self.header.base_sequence
    }

    pub fn max_timestamp(&self) -> Timestamp {
        self.header.max_timestamp
    }

    /// None for the three codec numbers that mean nothing; validation refuses those.
    pub fn codec(&self) -> Option<Codec> {
        self.header.codec()
    }

    pub fn is_transactional(&self) -> bool {
        self.header.is_transactional()
    }

    pub fn is_control(&self) -> bool {
        self.header.is_control()
    }

    /// What the producer's state needs to know of this batch, at the offsets that its header has now.
    /// For the end of a transaction this reads the marker.
    pub fn info(&self) -> BatchInfo {
        let marker = if self.is_control() { EndTransaction::of(self) } else { None };
        BatchInfo::of(&self.header, marker)
    }
}

/// The size of the batch at the start of `bytes`, or None if it is not all there, by the rules of Kafka's own reader.
fn frame(bytes: &[u8]) -> Result<Option<usize>, BatchError> {
    let Some(length) = bytes.get(at::BATCH_LENGTH..LENGTH_OVERHEAD).and_then(|b| b.try_into().ok())
    else {
        return Ok(None);
    };
    let length = i32::from_be_bytes(length);
    if length < OLDEST_LENGTH_MIN {
        return Err(Corruption::Length(length).into());
    }
    let Some(&magic) = bytes.get(at::MAGIC) else {
        return Ok(None);
    };
    let magic = i8::from_be_bytes([magic]);
    if !(0..=MAGIC).contains(&magic) {
        return Err(Corruption::Magic(magic).into());
    }
    let size = usize::try_from(length).unwrap_or(usize::MAX).saturating_add(LENGTH_OVERHEAD);
    Ok((bytes.len() >= size).then_some(size))
}

/// What the state of producers must know of a batch: no records, no codec.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchInfo {
    pub producer_id: ProducerId,
    pub producer_epoch: ProducerEpoch,
    pub first_sequence: Sequence,
    pub last_sequence: Sequence,
    pub first_offset: Offset,
    pub last_offset: Offset,
    /// The batch's max timestamp, as it is or will be stored.
    pub timestamp: Timestamp,
    pub is_transactional: bool,
    pub is_control: bool,
    /// The end of a transaction, if this batch is one. None for other control batches, and for markers emptied by the cleaner.
    pub marker: Option<EndTransaction>,
}

impl BatchInfo {
    /// From a header alone. `marker` is what [`EndTransaction::of`] finds in a control batch.
    pub fn of(header: &BatchHeader, marker: Option<EndTransaction>) -> BatchInfo {
        BatchInfo {
            producer_id: header.producer_id,
            producer_epoch: header.producer_epoch,
            first_sequence: header.base_sequence,
            last_sequence: header.last_sequence(),
            first_offset: header.base_offset,
            last_offset: header.last_offset(),
            timestamp: header.max_timestamp,
            is_transactional: header.is_transactional(),
            is_control: header.is_control(),
            marker,
        }
    }

    /// The same batch at the place and time at which it is appended.
    pub fn appended_at(self, base_offset: Offset, timestamp: Timestamp) -> BatchInfo {
        let count = self.last_offset - self.first_offset;
        BatchInfo { first_offset: base_offset, last_offset: base_offset + count, timestamp, ..self }
    }
}
