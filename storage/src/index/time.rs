//! The time index (`.timeindex`): from a time to an offset before which no record is as late.
//!
//! ```text
//! entry   i64 largest timestamp so far, i32 last offset of the batch that has it - base
//! ```
//! The timestamps grow strictly, the offsets do not shrink. A closed segment that holds timestamps has at least one entry, and
//! the last one is its largest timestamp.

use crate::index::{Entries, IndexError, i32_at, i64_at};
use crate::units::{Offset, Timestamp};

/// One entry: everything up to and including the batch that ends at `offset` is at most as late as `timestamp`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeEntry {
    pub timestamp: Timestamp,
    pub offset: Offset,
}

impl TimeEntry {
    pub const BYTES: usize = 12;

    /// None if the offset is too far from the segment's base to be written.
    pub fn encode(&self, base: Offset) -> Option<[u8; Self::BYTES]> {
        let relative = i32::try_from(self.offset - base).ok().filter(|relative| *relative >= 0)?;
        let mut entry = [0; Self::BYTES];
        entry[..8].copy_from_slice(&self.timestamp.0.to_be_bytes());
        entry[8..].copy_from_slice(&relative.to_be_bytes());
        Some(entry)
    }

    pub(crate) fn decode(base: Offset, entry: &[u8; Self::BYTES]) -> TimeEntry {
        TimeEntry {
            timestamp: Timestamp(i64_at(entry, 0)),
            offset: base + i64::from(i32_at(entry, 8)),
        }
    }
}

/// The bytes of an index file, searched in place.
#[derive(Clone, Copy, Debug)]
pub struct TimeIndex<'a> {
    base: Offset,
    entries: Entries<'a, { TimeEntry::BYTES }>,
    length: usize,
}

impl<'a> TimeIndex<'a> {
    pub fn new(base: Offset, bytes: &'a [u8]) -> TimeIndex<'a> {
        TimeIndex { base, entries: Entries::new(bytes), length: bytes.len() }
    }

    /// How many entries are filled in.
    pub fn len(&self) -> usize {
        self.entries.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = TimeEntry> + 'a {
        let base = self.base;
        self.entries.entries.iter().map(move |entry| TimeEntry::decode(base, entry))
    }

    /// The segment's largest timestamp, if the segment is closed.
    pub fn last(&self) -> Option<TimeEntry> {
        self.entries.entries.last().map(|entry| TimeEntry::decode(self.base, entry))
    }

    /// The last entry that is not later than `target`: the first record of that time or later lies at or after its offset.
    /// The segment's base if there is none.
    pub fn lookup(&self, target: Timestamp) -> TimeEntry {
        let base = self.base;
        self.entries
            .last_where(|entry| i64_at(entry, 0) <= target.0)
            .map_or(TimeEntry { timestamp: Timestamp::NONE, offset: base }, |entry| {
                TimeEntry::decode(base, entry)
            })
    }

    /// The file's length in bytes once everything from `offset` on is gone.
    pub fn truncated_length(&self, offset: Offset) -> usize {
        let base = self.base;
        self.entries.entries.partition_point(|e| TimeEntry::decode(base, e).offset < offset)
            * TimeEntry::BYTES
    }

    /// Whether it can belong to a segment whose last offset is `last`.
    pub fn check(&self, last: Offset) -> Result<(), IndexError> {
        if !self.length.is_multiple_of(TimeEntry::BYTES) {
            return Err(IndexError::Length { length: self.length, entry_size: TimeEntry::BYTES });
        }
        let (mut timestamp, mut offset) = (Timestamp::NONE, self.base);
        for (index, entry) in self.iter().enumerate() {
            if entry.timestamp <= timestamp || entry.offset < offset {
                return Err(IndexError::Order { index });
            }
            if entry.offset > last {
                return Err(IndexError::Outside { index });
            }
            (timestamp, offset) = (entry.timestamp, entry.offset);
        }
        Ok(())
    }
}
