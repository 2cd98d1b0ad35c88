//! The broker's marks on a batch: its offset, its leader epoch and, where the topic's rules ask for it, its time.
//!
//! Offset and epoch lie outside the CRC. Where attributes or the max timestamp change, the CRC is not computed anew from the
//! bytes but moved by the difference that the change makes: cheaper for large batches, and damage that happened since the
//! batch was checked still shows.

use crate::batch::{
    Attributes, Batch, BatchHeader, Codec, HEADER_BYTES, Invalidity, TimestampType, at,
};
use crate::units::{Epoch, Offset, Timestamp};

/// A batch that may be appended, and what must be changed on the way. Made by [`crate::batch::Validation`], or, for
/// batches that this broker made itself, by [`Checked::own`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checked {
    /// The max timestamp that the stored batch will have, unless the stamp brings an append time.
    pub max_timestamp: Timestamp,
    pub rewrite: Rewrite,
}

/// What the stamp changes inside the CRC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rewrite {
    /// Nothing.
    None,
    /// The producer's max timestamp, or its claim of a timestamp type, is wrong.
    Corrected(Attributes),
    /// The topic keeps append times.
    LogAppendTime(Attributes),
}

impl Checked {
    /// For a batch that this broker built: it stays as it is.
    pub fn own(batch: &Batch) -> Result<Checked, Invalidity> {
        let header = batch.header();
        if header.count < 1 {
            return Err(Invalidity::Count(header.count));
        }
        if header.last_offset_delta != header.count - 1 {
            return Err(Invalidity::CountMismatch {
                count: header.count,
                last_offset_delta: header.last_offset_delta,
            });
        }
        Ok(Checked { max_timestamp: header.max_timestamp, rewrite: Rewrite::None })
    }

    /// Compares what the header says with what the records hold.
    pub(crate) fn new(
        header: &BatchHeader,
        topic: TimestampType,
        max_timestamp: Timestamp,
    ) -> Checked {
        let attributes = header.attributes.with_timestamp_type(topic);
        let rewrite = match topic {
            TimestampType::LogAppendTime => Rewrite::LogAppendTime(attributes),
            TimestampType::CreateTime
                if header.timestamp_type() == topic && header.max_timestamp == max_timestamp =>
            {
                Rewrite::None
            }
            TimestampType::CreateTime => Rewrite::Corrected(attributes),
        };
        Checked { max_timestamp, rewrite }
    }

    /// The same for the batch in another codec.
    pub(crate) fn with_codec(self, codec: Codec) -> Checked {
        let rewrite = match self.rewrite {
            Rewrite::None => Rewrite::None,
            Rewrite::Corrected(attributes) => Rewrite::Corrected(attributes.with_codec(codec)),
            Rewrite::LogAppendTime(attributes) => {
                Rewrite::LogAppendTime(attributes.with_codec(codec))
            }
        };
        Checked { rewrite, ..self }
    }

    /// The max timestamp of the batch once it is stamped with this append time.
    pub fn stored_timestamp(&self, append_time: Option<Timestamp>) -> Timestamp {
        match self.rewrite {
            Rewrite::LogAppendTime(_) => append_time.unwrap_or(self.max_timestamp),
            Rewrite::None | Rewrite::Corrected(_) => self.max_timestamp,
        }
    }
}

/// Copies the batch to `destination`, which has its size, and stamps the copy.
pub fn copy_stamped(
    batch: &Batch,
    destination: &mut [u8],
    base_offset: Offset,
    leader_epoch: Epoch,
    checked: &Checked,
    append_time: Option<Timestamp>,
) {
    destination.copy_from_slice(batch.bytes());
    stamp(destination, base_offset, leader_epoch, checked, append_time);
}

/// Stamps a whole batch in place. `append_time` counts only where the topic keeps append times.
///
/// # Panics
/// If `batch` is shorter than a header: it is a copy of a [`Batch`].
pub fn stamp(
    batch: &mut [u8],
    base_offset: Offset,
    leader_epoch: Epoch,
    checked: &Checked,
    append_time: Option<Timestamp>,
) {
    assert!(batch.len() >= HEADER_BYTES, "only whole batches are stamped");
    batch[at::BASE_OFFSET..at::BATCH_LENGTH].copy_from_slice(&base_offset.0.to_be_bytes());
    batch[at::LEADER_EPOCH..at::MAGIC].copy_from_slice(&leader_epoch.0.to_be_bytes());
    match checked.rewrite {
        Rewrite::None => {}
        Rewrite::Corrected(attributes) | Rewrite::LogAppendTime(attributes) => {
            rewrite(batch, attributes, checked.stored_timestamp(append_time));
        }
    }
}

/// From the first byte under the CRC to the last that a stamp may change.
const CHANGED: std::ops::Range<usize> = at::ATTRIBUTES..at::PRODUCER_ID;

fn rewrite(batch: &mut [u8], attributes: Attributes, max_timestamp: Timestamp) {
    let before = crc32c::crc32c(&batch[CHANGED]);
    batch[at::ATTRIBUTES..at::LAST_OFFSET_DELTA].copy_from_slice(&attributes.0.to_be_bytes());
    batch[at::MAX_TIMESTAMP..at::PRODUCER_ID].copy_from_slice(&max_timestamp.0.to_be_bytes());
    let difference = before ^ crc32c::crc32c(&batch[CHANGED]);
    // CRCs are linear: crc(A + B) = shift(crc(A), len(B)) ^ crc(B), and only A has changed.
    let moved = crc_shift(difference, batch.len() - CHANGED.end);
    for (byte, change) in batch[at::CRC..at::ATTRIBUTES].iter_mut().zip(moved.to_be_bytes()) {
        *byte ^= change;
    }
}

/// What a difference between two CRCs becomes when the same `bytes` bytes follow both messages: the product with x^(8 bytes)
/// modulo the polynomial. At most one multiplication for each bit of the length.
fn crc_shift(difference: u32, bytes: usize) -> u32 {
    let mut shifted = difference;
    let mut bits = bytes;
    for power in POWERS {
        if bits & 1 != 0 {
            shifted = multiply(power, shifted);
        }
        bits >>= 1;
    }
    shifted
}

/// CRC-32C's polynomial; the highest bit is x^0, as in the CRC itself.
const POLYNOMIAL: u32 = 0x82f6_3b78;
/// x^8, x^16, x^32, ..: what each bit of a length in bytes stands for. Batches are shorter than 2^31.
const POWERS: [u32; 31] = {
    let mut powers = [1 << (31 - 8); 31];
    let mut i = 1;
    while i < powers.len() {
        powers[i] = multiply(powers[i - 1], powers[i - 1]);
        i += 1;
    }
    powers
};

const fn multiply(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    let mut bit = 1 << 31;
    while bit != 0 {
        if a & bit != 0 {
            product ^= b;
        }
        b = if b & 1 != 0 { (b >> 1) ^ POLYNOMIAL } else { b >> 1 };
        bit >>= 1;
    }
    product
}
