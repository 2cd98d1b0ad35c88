//! One segment of a partition: Kafka's `.log` and the indexes beside it, and how far each has come.
//!
//! ```text
//! position   0 ............ filed ........ assigned ............ length
//!            in the file    being written  in memory and in the commit log
//! ```
//! `filed` may be read from the file. Blocks below `assigned` are never written again. `length` is what was appended.
//! A segment is *rolled* when a later one exists, and *finished* when its file has its last block, is cut to its length, and
//! its indexes are closed: from then on its files never change. The cleaner of compacted logs puts another segment in the place of
//! finished ones ([`crate::compaction`]).
//!
//! Read in this order: this file, [`index_tail`], [`files`] (names, and the cache of open files), [`drain`] (how bytes get
//! into the file), [`finish`] (how it becomes final).

use std::collections::VecDeque;
use std::rc::Rc;

use crate::batch::BatchHeader;
use crate::config::LogConfig;
use crate::runtime::{BLOCK_U64, block_down};
use crate::units::{Offset, Timestamp};
use index_tail::IndexTail;

pub(crate) mod drain;
pub(crate) mod files;
pub(crate) mod finish;
pub(crate) mod index_tail;

const OFFSET_ENTRY_BYTES: u64 = 8;
const TIME_ENTRY_BYTES: u64 = 12;

/// See the head of the file.
#[derive(Clone, Debug)]
pub(crate) struct Segment {
    pub(crate) base: Offset,
    /// The offset after its last record.
    pub(crate) next: Offset,
    pub(crate) length: u32,
    pub(crate) filed: u32,
    pub(crate) assigned: u32,
    /// Writes between `filed` and `assigned`: (start, end, complete).
    writes: VecDeque<(u32, u32, bool)>,
    /// The first batch's max timestamp, which `segment.ms` counts from.
    pub(crate) first_timestamp: Timestamp,
    pub(crate) max_timestamp: Timestamp,
    /// The last offset of the batch that has it.
    pub(crate) max_timestamp_at: Offset,
    /// When it was opened, in wall-clock milliseconds: for a segment without timestamps.
    pub(crate) opened: i64,
    pub(crate) offsets: IndexTail,
    pub(crate) times: IndexTail,
    /// The newest timestamp in the time index.
    pub(crate) indexed_timestamp: Timestamp,
    /// Bytes since the last entry of the offset index.
    pub(crate) since_entry: u32,
    pub(crate) finished: bool,
    /// Extents may be written below this position: the file is there, durably named, and has the blocks.
    pub(crate) allocated: u64,
    /// Its transaction index, once somebody has asked.
    pub(crate) aborted: Option<Rc<[u8]>>,
    /// Which of the segments that had this base offset it is: the partition's count of swaps when it was made.
    pub(crate) generation: u64,
    /// The cleaner made it, and its files still have (or may have, after a crash) the names under which it wrote them.
    pub(crate) swapping: bool,
    /// Kafka's cleaner was here before us: batches are missing between others.
    pub(crate) has_gaps: bool,
}

impl Segment {
    pub(crate) fn new(base: Offset, opened: i64) -> Self {
        Segment {
            base,
            next: base,
            length: 0,
            filed: 0,
            assigned: 0,
            writes: VecDeque::new(),
            first_timestamp: Timestamp(-1),
            max_timestamp: Timestamp(-1),
            max_timestamp_at: base,
            opened,
            offsets: IndexTail::default(),
            times: IndexTail::default(),
            indexed_timestamp: Timestamp(-1),
            since_entry: 0,
            finished: false,
            allocated: 0,
            aborted: None,
            generation: 0,
            swapping: false,
            has_gaps: false,
        }
    }

    /// Kafka's rule for a new segment before this batch (LogSegment.shouldRoll).
    pub(crate) fn is_full(
        &self,
        size: u32,
        last: Offset,
        timestamp: Timestamp,
        config: &LogConfig,
        now: i64,
    ) -> bool {
        if self.length == 0 {
            return false;
        }
        let bytes_max = u32::try_from(config.segment_bytes).unwrap_or(0);
        let since = if self.first_timestamp.0 >= 0 {
            timestamp.0 - self.first_timestamp.0
        } else {
            now - self.opened
        };
        let index_bytes = u64::try_from(config.segment_index_bytes).unwrap_or(0);
        self.length > bytes_max.saturating_sub(size)
            || since > config.roll_ms() - config.segment_jitter_ms
            || self.offsets.length() + OFFSET_ENTRY_BYTES > index_bytes
            || self.times.length() + 2 * TIME_ENTRY_BYTES > index_bytes
            || last.0 - self.base.0 > i64::from(i32::MAX)
    }

    /// Accounts for a batch at the end, and adds its index entries by Kafka's rules (LogSegment.append).
    pub(crate) fn append(&mut self, header: &BatchHeader, size: u32, config: &LogConfig) {
        let last = header.last_offset();
        if self.length == 0 {
            self.first_timestamp = header.max_timestamp;
        }
        if header.max_timestamp > self.max_timestamp {
            self.max_timestamp = header.max_timestamp;
            self.max_timestamp_at = last;
        }
        if self.since_entry > u32::try_from(config.index_interval_bytes).unwrap_or(0) {
            let relative = i32::try_from(last.0 - self.base.0).unwrap_or(i32::MAX);
            self.offsets.push(&entry_of(relative, self.length));
            self.add_time_entry();
            self.since_entry = 0;
        }
        self.since_entry = self.since_entry.saturating_add(size);
        self.length += size;
        self.next = last.next();
    }

    /// An entry for the newest timestamp so far, if it is newer than the last entry's.
    pub(crate) fn add_time_entry(&mut self) {
        if self.max_timestamp > self.indexed_timestamp {
            let relative = i32::try_from(self.max_timestamp_at.0 - self.base.0).unwrap_or(i32::MAX);
            let mut entry = [0; 12];
            entry[..8].copy_from_slice(&self.max_timestamp.0.to_be_bytes());
            entry[8..].copy_from_slice(&relative.to_be_bytes());
            self.times.push(&entry);
            self.indexed_timestamp = self.max_timestamp;
        }
    }

    /// Gives `[assigned, end)` to a write.
    pub(crate) fn assign(&mut self, end: u32) {
        debug_assert!(self.assigned < end && u64::from(self.assigned).is_multiple_of(BLOCK_U64));
        self.writes.push_back((self.assigned, end, false));
        self.assigned = end;
    }

    /// The write that ends here is complete. Returns how far the file may be read now beyond what it was.
    pub(crate) fn complete(&mut self, end: u32) -> u32 {
        let before = self.filed;
        if let Some(write) = self.writes.iter_mut().find(|write| write.1 == end) {
            write.2 = true;
        }
        while let Some((_, end, true)) = self.writes.front().copied() {
            self.filed = end;
            self.writes.pop_front();
        }
        self.filed - before
    }

    /// The segment has these bytes in its file and nothing beyond: how it looks after recovery or a clean stop.
    pub(crate) fn settle(&mut self, filed: u32) {
        self.writes.clear();
        self.filed = filed;
        self.assigned = u32::try_from(block_down(u64::from(filed))).unwrap_or(filed);
    }

    /// Bytes below are never written again. Those between here and `filed` are in the file, but their block is to be
    /// written once more, with what follows them.
    pub(crate) fn settled(&self) -> u32 {
        if self.is_filed() {
            self.filed
        } else {
            u32::try_from(block_down(u64::from(self.filed))).unwrap_or(0)
        }
    }

    pub(crate) fn is_filed(&self) -> bool {
        self.filed == self.length
    }
}

fn entry_of(relative: i32, position: u32) -> [u8; 8] {
    let mut entry = [0; 8];
    entry[..4].copy_from_slice(&relative.to_be_bytes());
    entry[4..].copy_from_slice(&position.to_be_bytes());
    entry
}
