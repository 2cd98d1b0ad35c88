//! The state of a partition's producers as a file (`<offset>.snapshot`): what it was before that offset.
//!
//! ```text
//! i16 version (1), u32 CRC-32C of everything behind it, i32 entries, each:
//!   i64 producer id, i16 epoch, i32 last sequence (-1 none), i64 last offset (-1 none), i32 last - first sequence,
//!   i64 last timestamp, i32 coordinator epoch (-1 none), i64 first offset of the open transaction (-1 none)
//! ```
//! Only the last batch of a producer is kept. A file that is damaged is to be deleted, and an older one taken.
//!
//! The manifest keeps more, with the same checksum over it, behind the entries and in their order:
//! ```text
//! each: u8 batches, each: i32 last sequence, i64 last offset, i32 last - first sequence, i64 timestamp
//! ```
//! These are the producer's batches before its last. A producer whose answers a crash took sends all that it had in flight again, up to five
//! batches, and what it sends again may lie below the manifest's LEO: with the last alone the others would look out of order.

use crate::producer::{BatchMark, PRODUCERS_MAX, ProducerEntry, ProducerStates};
use crate::units::{Offset, ProducerEpoch, ProducerId, Sequence, Timestamp};

const VERSION: i16 = 1;
const HEAD_BYTES: usize = 2 + 4;
const ENTRIES_AT: usize = HEAD_BYTES + 4;
const ENTRY_BYTES: usize = 46;
const MARK_BYTES: usize = 24;

/// Why a snapshot cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SnapshotError {
    #[error("the snapshot has only {0} bytes")]
    TooShort(usize),
    #[error("the snapshot's version {0} is unknown")]
    Version(i16),
    #[error("the snapshot's CRC-32C is {computed:08x}, it says {stored:08x}")]
    Checksum { stored: u32, computed: u32 },
    #[error("the snapshot says that it has {0} producers")]
    Count(i32),
}

impl ProducerStates {
    /// The file's content for a snapshot at [`ProducerStates::end`]. The same state gives the same bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        sealed(self.entries())
    }

    /// What the manifest keeps: the same, and each producer's batches before its last.
    pub fn remembered(&self) -> Vec<u8> {
        let mut out = self.entries();
        for entry in self.producers.values() {
            let earlier = entry.batches().split_last().map_or(&[][..], |(_, earlier)| earlier);
            out.push(u8::try_from(earlier.len()).unwrap_or(0));
            earlier.iter().for_each(|mark| put_mark(&mut out, mark));
        }
        sealed(out)
    }

    fn entries(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(ENTRIES_AT + self.producers.len() * ENTRY_BYTES);
        out.extend(VERSION.to_be_bytes());
        out.extend([0; 4]);
        out.extend(i32::try_from(self.producers.len()).unwrap_or(i32::MAX).to_be_bytes());
        for (id, entry) in &self.producers {
            put_entry(&mut out, *id, entry);
        }
        out
    }

    /// Reads a snapshot taken at `offset`, of either kind, leaving out what has expired by `now`.
    pub fn from_snapshot(
        offset: Offset,
        bytes: &[u8],
        now: Timestamp,
        expiration_ms: i64,
    ) -> Result<ProducerStates, SnapshotError> {
        let mut states = ProducerStates::new(offset);
        let (entries, mut behind) = entries(bytes)?;
        for entry in entries.iter().take(PRODUCERS_MAX) {
            let earlier = earlier(&mut behind).ok_or(SnapshotError::TooShort(bytes.len()))?;
            let (id, entry) = take_entry(entry, earlier);
            if entry.is_expired(now, expiration_ms) {
                continue;
            }
            if let Some(first) = entry.open_transaction {
                states.open.insert(first, id);
            }
            states.producers.insert(id, Box::new(entry));
        }
        Ok(states)
    }
}

fn sealed(mut out: Vec<u8>) -> Vec<u8> {
    let crc = crc32c::crc32c(&out[HEAD_BYTES..]);
    out[2..HEAD_BYTES].copy_from_slice(&crc.to_be_bytes());
    out
}

/// The entries, and what is behind them.
fn entries(bytes: &[u8]) -> Result<(&[[u8; ENTRY_BYTES]], &[u8]), SnapshotError> {
    let too_short = SnapshotError::TooShort(bytes.len());
    let version = i16::from_be_bytes(*bytes.first_chunk().ok_or(too_short)?);
    if version != VERSION {
        return Err(SnapshotError::Version(version));
    }
    let stored = bytes
        .get(2..)
        .and_then(|rest| rest.first_chunk())
        .map(|crc| u32::from_be_bytes(*crc))
        .ok_or(too_short)?;
    let checked = bytes.get(HEAD_BYTES..).ok_or(too_short)?;
    let computed = crc32c::crc32c(checked);
    if computed != stored {
        return Err(SnapshotError::Checksum { stored, computed });
    }
    let (count, rest) = checked.split_first_chunk().ok_or(too_short)?;
    let count = i32::from_be_bytes(*count);
    let bad = SnapshotError::Count(count);
    let length = usize::try_from(count).ok().and_then(|n| n.checked_mul(ENTRY_BYTES)).ok_or(bad)?;
    let (entries, behind) = rest.split_at_checked(length).ok_or(bad)?;
    Ok((entries.as_chunks().0, behind))
}

/// The batches before the last of the next producer: none where nothing is behind the entries. `None`: cut short.
fn earlier<'a>(behind: &mut &'a [u8]) -> Option<&'a [[u8; MARK_BYTES]]> {
    let Some((count, rest)) = behind.split_first() else { return Some(&[]) };
    let (marks, rest) = rest.split_at_checked(usize::from(*count) * MARK_BYTES)?;
    *behind = rest;
    Some(marks.as_chunks().0)
}

fn put_entry(out: &mut Vec<u8>, id: ProducerId, entry: &ProducerEntry) {
    let last = entry.last();
    out.extend(id.0.to_be_bytes());
    out.extend(entry.epoch.0.to_be_bytes());
    out.extend(entry.last_sequence().0.to_be_bytes());
    out.extend(last.map_or(-1, |mark| mark.last_offset.0).to_be_bytes());
    out.extend(last.map_or(0, |mark| mark.offset_delta).to_be_bytes());
    out.extend(entry.last_timestamp.0.to_be_bytes());
    out.extend(entry.coordinator_epoch.to_be_bytes());
    out.extend(entry.open_transaction.map_or(-1, |offset| offset.0).to_be_bytes());
}

fn put_mark(out: &mut Vec<u8>, mark: &BatchMark) {
    out.extend(mark.last_sequence.0.to_be_bytes());
    out.extend(mark.last_offset.0.to_be_bytes());
    out.extend(mark.offset_delta.to_be_bytes());
    out.extend(mark.timestamp.0.to_be_bytes());
}

fn take_mark(bytes: &[u8; MARK_BYTES]) -> BatchMark {
    let long = |at: usize| i64::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
    let int = |at: usize| i32::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
    BatchMark {
        last_sequence: Sequence(int(0)),
        last_offset: Offset(long(4)),
        offset_delta: int(12),
        timestamp: Timestamp(long(16)),
    }
}

fn take_entry(
    bytes: &[u8; ENTRY_BYTES],
    earlier: &[[u8; MARK_BYTES]],
) -> (ProducerId, ProducerEntry) {
    let long = |at: usize| i64::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
    let int = |at: usize| i32::from_be_bytes(std::array::from_fn(|i| bytes[at + i]));
    let last_timestamp = Timestamp(long(26));
    let mut entry = ProducerEntry {
        epoch: ProducerEpoch(i16::from_be_bytes([bytes[8], bytes[9]])),
        coordinator_epoch: int(34),
        last_timestamp,
        open_transaction: Some(Offset(long(38))).filter(|offset| *offset >= Offset::ZERO),
        ..ProducerEntry::default()
    };
    let last_offset = Offset(long(14));
    earlier.iter().for_each(|mark| entry.push_mark(take_mark(mark)));
    if last_offset >= Offset::ZERO {
        entry.push_mark(BatchMark {
            last_sequence: Sequence(int(10)),
            last_offset,
            offset_delta: int(22),
            timestamp: last_timestamp,
        });
    }
    (ProducerId(long(0)), entry)
}
