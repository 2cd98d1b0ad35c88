//! A batch that compaction has taken records from, in the bytes that Kafka's cleaner writes (`MemoryRecords.filterTo`).
//!
//! - Offsets, epochs, sequence and codec stay. The first record may have an offset delta above 0, and the last one may be missing.
//! - The base timestamp is the first remaining record's, or the delete horizon (KIP-534): then attribute bit 6 is set, and the records'
//!   deltas count from there. The max timestamp is that of what remains; a broker's append time stays.
//! - A batch of which nothing is left may have to stay for what its header says: 61 bytes, a count of 0, no codec, no base timestamp.

use super::builder::{count, seal};
use super::deflate::Deflate;
use super::varint::{put_int, put_long};
use super::{
    Attributes, Batch, BatchHeader, Codec, HEADER_BYTES, LENGTH_OVERHEAD, Record, TimestampType,
};
use crate::units::Timestamp;

/// Collects the remaining records of one batch, in order.
pub(crate) struct Retained {
    header: BatchHeader,
    largest: Timestamp,
    out: Deflate,
    body: Vec<u8>,
}

impl Retained {
    /// `first` is the time of the first record that remains.
    pub(crate) fn new(
        original: &BatchHeader,
        first: Timestamp,
        delete_horizon: Option<Timestamp>,
    ) -> Retained {
        let codec = original.codec().unwrap_or(Codec::None);
        let mut header = *original;
        header.attributes = known(original.attributes);
        header.base_timestamp = first;
        header.count = 0;
        if let Some(horizon) = delete_horizon {
            header.attributes.0 |= Attributes::DELETE_HORIZON;
            header.base_timestamp = horizon;
        }
        Retained {
            header,
            largest: Timestamp::NONE,
            out: Deflate::new(codec.into()),
            body: Vec::new(),
        }
    }

    pub(crate) fn push(&mut self, record: &Record<'_>) {
        self.largest = self.largest.max(record.timestamp);
        let body = &mut self.body;
        body.clear();
        body.push(0);
        put_long(body, record.timestamp.0.wrapping_sub(self.header.base_timestamp.0));
        let delta = record.offset - self.header.base_offset;
        put_int(body, i32::try_from(delta).expect("it was read from a 32-bit delta"));
        for part in [record.key, record.value] {
            put_int(body, part.map_or(-1, |part| count(part.len())));
            body.extend_from_slice(part.unwrap_or_default());
        }
        let (headers, bytes) = record.headers.raw();
        put_int(body, headers);
        body.extend_from_slice(bytes);
        let mut length = Vec::with_capacity(5);
        put_int(&mut length, count(body.len()));
        self.out.write(&length);
        self.out.write(body);
        self.header.count += 1;
    }

    pub(crate) fn finish(self) -> Batch {
        let Retained { mut header, largest, out, .. } = self;
        if header.timestamp_type() == TimestampType::CreateTime {
            header.max_timestamp = largest;
        }
        let payload = out.finish();
        header.batch_length = count(payload.len() + HEADER_BYTES - LENGTH_OVERHEAD);
        seal(header, &payload)
    }
}

/// What is left of a batch without records.
pub(crate) fn emptied(original: &BatchHeader) -> Batch {
    let mut header = *original;
    let attributes = known(original.attributes).0 & !Attributes::CODEC;
    header.attributes = Attributes(attributes);
    header.base_timestamp = Timestamp::NONE;
    header.count = 0;
    header.batch_length = count(HEADER_BYTES - LENGTH_OVERHEAD);
    seal(header, &[])
}

/// A rewritten batch has the attributes that mean something, and no horizon unless it gets one.
fn known(attributes: Attributes) -> Attributes {
    let kept = attributes.with_timestamp_type(attributes.timestamp_type());
    Attributes(kept.0 & !Attributes::DELETE_HORIZON)
}
