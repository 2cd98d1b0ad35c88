//! What a recovery decided, counted by row of its table.

use std::fmt;

use crate::units::PartitionId;

/// One case of recovery. Every directory, end of a log, extent, partition and entry falls under exactly one row of its kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(usize)]
pub enum Row {
    /// Directory: no manifest, no log file. It becomes ours.
    NewDirectory,
    /// Directory: log files without a batch, no manifest. A start died before it served; begun again.
    NeverServed,
    /// Directory: a clean manifest, our marker, no group since. Nothing more is read.
    CleanStop,
    /// Directory: a clean manifest, and groups of the log that it names. They are replayed.
    ServedSinceCleanStop,
    /// Directory: no clean manifest. The log is replayed.
    UncleanStop,
    /// End of the log: no header of a next group.
    EndOfLog,
    /// End of the log: a header of the next group whose body is bad, above every mark. Cut.
    TornGroup,
    /// End of the log: an extent above every mark is bad. Its group is cut.
    TornExtent,
    /// A group of an old id followed where a link continues the log: it counts for nothing.
    LinkOutranks,
    /// The log ends with a link: another follows it. Groups that were lost behind it might have left some that are still there, and a
    /// first group with the same content would be followed by those.
    EmptyLink,
    /// The log ends with other groups: it goes on under a new id, with a link.
    NewLink,
    /// Extent: at or below the mark. Not read.
    ExtentTrusted,
    /// Extent: above the mark, read, good.
    ExtentGood,
    /// Extent: bytes of the log below it are written to the segment again.
    ExtentRewritten,
    /// Batch: not in the manifest's state. Replayed whole.
    BatchNew,
    /// Batch: the manifest's state has it, its segment's file does not.
    BatchToMemory,
    /// Batch: the segment's file has it.
    BatchFiled,
    /// Fragment: its bytes are known already.
    FragmentKnown,
    /// Fragment: it is where a partition's bytes begin, or reaches further than the one that is.
    FragmentFirst,
    /// Fragment: it comes in front of what was logged before it.
    FragmentBefore,
    /// Fragment: a later one holds its bytes, and more.
    FragmentSuperseded,
    /// Log start: moved.
    LogStart,
    /// Truncate: the log ends earlier.
    Truncated,
    /// Delete: what came before counts for nothing. The partition is placed here again.
    Deleted,
    /// Entry: before the one from which its partition replays.
    EntrySkipped,
    /// Entry: of a partition that is not placed here any more.
    EntryForeign,
    /// Entry: names a place in a segment that compaction has written anew since.
    EntryOfCleaned,
    /// Segment: compaction had put it in the place of others, and its files did not have its names yet. They get them.
    SwapCompleted,
    /// Partition: the log names it. It gets a higher leader epoch.
    PartitionReplayed,
    /// Partition: only the manifest names it.
    PartitionUntouched,
    /// Partition: placed here, not known yet.
    PartitionNew,
    /// Partition: known, not placed here any more.
    PartitionStray,
}

impl Row {
    pub const ALL: [Row; 32] = [
        Row::NewDirectory,
        Row::NeverServed,
        Row::CleanStop,
        Row::ServedSinceCleanStop,
        Row::UncleanStop,
        Row::EndOfLog,
        Row::TornGroup,
        Row::TornExtent,
        Row::LinkOutranks,
        Row::EmptyLink,
        Row::NewLink,
        Row::ExtentTrusted,
        Row::ExtentGood,
        Row::ExtentRewritten,
        Row::BatchNew,
        Row::BatchToMemory,
        Row::BatchFiled,
        Row::FragmentKnown,
        Row::FragmentFirst,
        Row::FragmentBefore,
        Row::FragmentSuperseded,
        Row::LogStart,
        Row::Truncated,
        Row::Deleted,
        Row::EntrySkipped,
        Row::EntryForeign,
        Row::EntryOfCleaned,
        Row::SwapCompleted,
        Row::PartitionReplayed,
        Row::PartitionUntouched,
        Row::PartitionNew,
        Row::PartitionStray,
    ];
}

/// What recovery did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RecoveryReport {
    /// The partitions that the log names after an unclean stop. A reader may have seen offsets of theirs that are lost: they
    /// get a higher leader epoch before they are served.
    pub raise_epochs: Vec<PartitionId>,
    /// Of the partitions that are elsewhere, those that the log knows: see [`crate::Store::open_among`].
    pub elsewhere: Vec<PartitionId>,
    /// How often each row was hit, by [`Row`].
    pub rows: [u64; Row::ALL.len()],
    pub groups: u64,
    pub bytes_read: u64,
    pub milliseconds: u64,
}

impl RecoveryReport {
    pub(crate) fn hit(&mut self, row: Row) {
        self.rows[row as usize] += 1;
    }

    pub(crate) fn add(&mut self, row: Row, times: u64) {
        self.rows[row as usize] += times;
    }

    /// Whether the stop before was clean, or there was none.
    #[must_use]
    pub fn is_clean(&self) -> bool {
        [Row::NewDirectory, Row::NeverServed, Row::CleanStop]
            .iter()
            .any(|row| self.rows[*row as usize] > 0)
    }
}

impl fmt::Display for RecoveryReport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} groups, {} bytes read, {} ms;",
            self.groups, self.bytes_read, self.milliseconds
        )?;
        for row in Row::ALL.into_iter().filter(|row| self.rows[*row as usize] > 0) {
            write!(f, " {row:?} {}", self.rows[row as usize])?;
        }
        Ok(())
    }
}
