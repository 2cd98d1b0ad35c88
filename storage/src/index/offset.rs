//! The offset index (`.index`): from an offset to a place in the segment at or before it.
//!
//! ```text
//! entry   i32 last offset of a batch - base, i32 position of that batch's first byte
//! ```
//! Both grow strictly. The segment's first batch has no entry: it lies at 0.

use crate::index::{Entries, IndexError, i32_at};
use crate::units::Offset;

/// One entry: a batch's last offset and its position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OffsetEntry {
    pub offset: Offset,
    pub position: u32,
}

impl OffsetEntry {
    pub const BYTES: usize = 8;

    /// None if the offset or the position is too far from the segment's start to be written.
    pub fn encode(&self, base: Offset) -> Option<[u8; Self::BYTES]> {
        let relative = i32::try_from(self.offset - base).ok().filter(|relative| *relative >= 0)?;
        let position = i32::try_from(self.position).ok()?;
        let mut entry = [0; Self::BYTES];
        entry[..4].copy_from_slice(&relative.to_be_bytes());
        entry[4..].copy_from_slice(&position.to_be_bytes());
        Some(entry)
    }

    pub(crate) fn decode(base: Offset, entry: &[u8; Self::BYTES]) -> OffsetEntry {
        let position = u32::try_from(i32_at(entry, 4)).unwrap_or(u32::MAX);
        OffsetEntry { offset: base + i64::from(i32_at(entry, 0)), position }
    }
}

/// The bytes of an index file, searched in place.
#[derive(Clone, Copy, Debug)]
pub struct OffsetIndex<'a> {
    base: Offset,
    entries: Entries<'a, { OffsetEntry::BYTES }>,
    length: usize,
}

impl<'a> OffsetIndex<'a> {
    pub fn new(base: Offset, bytes: &'a [u8]) -> OffsetIndex<'a> {
        OffsetIndex { base, entries: Entries::new(bytes), length: bytes.len() }
    }

    /// How many entries are filled in.
    pub fn len(&self) -> usize {
        self.entries.entries.len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    pub fn iter(&self) -> impl Iterator<Item = OffsetEntry> + 'a {
        let base = self.base;
        self.entries.entries.iter().map(move |entry| OffsetEntry::decode(base, entry))
    }

    pub fn last(&self) -> Option<OffsetEntry> {
        self.entries.entries.last().map(|entry| OffsetEntry::decode(self.base, entry))
    }

    /// The last entry at or before `target`: reading from its position on finds the batch that holds `target`.
    /// The segment's start if there is none.
    pub fn lookup(&self, target: Offset) -> OffsetEntry {
        let base = self.base;
        self.entries
            .last_where(|entry| OffsetEntry::decode(base, entry).offset <= target)
            .map_or(OffsetEntry { offset: base, position: 0 }, |entry| {
                OffsetEntry::decode(base, entry)
            })
    }

    /// The first entry whose batch starts at or after `position`: a bound for how far a read may reach.
    pub fn first_from_position(&self, position: u64) -> Option<OffsetEntry> {
        let count = self
            .entries
            .entries
            .partition_point(|e| u64::from(u32::try_from(i32_at(e, 4)).unwrap_or(0)) < position);
        self.entries.entries.get(count).map(|entry| OffsetEntry::decode(self.base, entry))
    }

    /// The file's length in bytes once everything from `offset` on is gone.
    pub fn truncated_length(&self, offset: Offset) -> usize {
        let base = self.base;
        self.entries.entries.partition_point(|e| OffsetEntry::decode(base, e).offset < offset)
            * OffsetEntry::BYTES
    }

    /// Whether it can belong to a segment of `segment_bytes`.
    pub fn check(&self, segment_bytes: u64) -> Result<(), IndexError> {
        if !self.length.is_multiple_of(OffsetEntry::BYTES) {
            return Err(IndexError::Length { length: self.length, entry_size: OffsetEntry::BYTES });
        }
        let (mut offset, mut position) = (-1, 0);
        for (index, entry) in self.entries.entries.iter().enumerate() {
            let (next_offset, next_position) = (i32_at(entry, 0), i32_at(entry, 4));
            if next_offset <= offset || next_position <= position {
                return Err(IndexError::Order { index });
            }
            if u64::try_from(next_position).map_or(true, |position| position >= segment_bytes) {
                return Err(IndexError::Outside { index });
            }
            (offset, position) = (next_offset, next_position);
        }
        Ok(())
    }
}
