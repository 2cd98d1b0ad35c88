//! When an index entry is due, by Kafka's rule, so that our segments have the indexes that Kafka would have written.
//!
//! Before a batch is appended: if more than `index.interval.bytes` were appended since the last entry, this batch gets one in
//! the offset index, and the time index gets the largest timestamp so far, if it grew. The time index gets a last entry when
//! the segment is rolled or closed.

use crate::index::{OffsetEntry, OffsetIndex, TimeEntry, TimeIndex};
use crate::units::{Offset, Timestamp};

/// What the indexer must know of a batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Indexed {
    pub last_offset: Offset,
    pub max_timestamp: Timestamp,
    /// Where the batch starts in the segment.
    pub position: u32,
    pub size: u32,
}

/// Entries to append to the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Due {
    pub offset: Option<[u8; OffsetEntry::BYTES]>,
    pub time: Option<[u8; TimeEntry::BYTES]>,
}

/// Follows the appends to one segment.
#[derive(Clone, Copy, Debug)]
pub struct Indexer {
    base: Offset,
    interval_bytes: u64,
    bytes_since_entry: u64,
    largest: Option<TimeEntry>,
    last_written: Timestamp,
    offset_entries: usize,
    time_entries: usize,
}

impl Indexer {
    /// For an empty segment.
    pub fn new(base: Offset, interval_bytes: u32) -> Indexer {
        Indexer {
            base,
            interval_bytes: interval_bytes.into(),
            bytes_since_entry: 0,
            largest: None,
            last_written: Timestamp::NONE,
            offset_entries: 0,
            time_entries: 0,
        }
    }

    /// For a segment whose indexes were complete when it was closed. `largest` is more than the time index knows, if the
    /// batches after its last entry were looked at.
    pub fn resume(
        base: Offset,
        interval_bytes: u32,
        offsets: &OffsetIndex<'_>,
        times: &TimeIndex<'_>,
        largest: Option<TimeEntry>,
    ) -> Indexer {
        let last = times.last();
        let largest = [last, largest]
            .into_iter()
            .flatten()
            .reduce(|a, b| if b.timestamp > a.timestamp { b } else { a });
        Indexer {
            largest,
            last_written: last.map_or(Timestamp::NONE, |entry| entry.timestamp),
            offset_entries: offsets.len(),
            time_entries: times.len(),
            ..Indexer::new(base, interval_bytes)
        }
    }

    /// Takes note of a batch that is appended now, and says which entries that makes due.
    pub fn append(&mut self, batch: &Indexed) -> Due {
        if batch.max_timestamp > self.largest.map_or(Timestamp::NONE, |largest| largest.timestamp) {
            self.largest =
                Some(TimeEntry { timestamp: batch.max_timestamp, offset: batch.last_offset });
        }
        let mut due = Due::default();
        if self.bytes_since_entry > self.interval_bytes {
            let entry = OffsetEntry { offset: batch.last_offset, position: batch.position };
            due.offset = entry.encode(self.base);
            self.offset_entries += usize::from(due.offset.is_some());
            due.time = self.due_time();
            self.bytes_since_entry = 0;
        }
        self.bytes_since_entry += u64::from(batch.size);
        due
    }

    /// The entry that is due when the segment is rolled or closed.
    pub fn close(&mut self) -> Option<[u8; TimeEntry::BYTES]> {
        self.due_time()
    }

    fn due_time(&mut self) -> Option<[u8; TimeEntry::BYTES]> {
        let largest = self.largest.filter(|largest| largest.timestamp > self.last_written)?;
        let entry = largest.encode(self.base)?;
        self.last_written = largest.timestamp;
        self.time_entries += 1;
        Some(entry)
    }

    /// The segment's largest timestamp and the last offset of the batch that has it.
    pub fn largest(&self) -> Option<TimeEntry> {
        self.largest
    }

    /// Whether a batch that ends at `offset` can be indexed here. If not, the segment must be rolled.
    pub fn can_hold(&self, offset: Offset) -> bool {
        (0..=i64::from(i32::MAX)).contains(&(offset - self.base))
    }

    /// Whether an index of at most `index_bytes_max` (segment.index.bytes) has no room for another entry. The time index keeps
    /// room for its last one.
    pub fn is_full(&self, index_bytes_max: usize) -> bool {
        self.offset_entries >= index_bytes_max / OffsetEntry::BYTES
            || self.time_entries + 1 >= index_bytes_max / TimeEntry::BYTES
    }
}
