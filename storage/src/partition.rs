//! The state of one partition's log: offsets, segments, the tail, producers and epochs. No I/O, no clock.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use crate::commit_log::{EntryId, GroupSequence};
use crate::config::LogConfig;
use crate::damage::Damage;
use crate::epochs::LeaderEpochs;
use crate::producer::ProducerStates;
use crate::segment::Segment;
use crate::tail::{Piece, Tail};
use crate::units::{Offset, PartitionId};

/// Bytes of the segment that were logged a second time, so that an older log file can be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Relogged {
    pub(crate) segment: Offset,
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) entry: EntryId,
}

/// See the head of the file.
pub(crate) struct Partition {
    pub(crate) id: PartitionId,
    pub(crate) topic: Rc<str>,
    pub(crate) directory: PathBuf,
    pub(crate) config: Arc<LogConfig>,
    pub(crate) log_start: Offset,
    /// LEO: the offset of the next record.
    pub(crate) end: Offset,
    pub(crate) written: Offset,
    pub(crate) durable: Offset,
    /// Oldest first, never empty; the last one is active.
    pub(crate) segments: VecDeque<Segment>,
    pub(crate) tail: Tail,
    pub(crate) epochs: LeaderEpochs,
    pub(crate) producers: ProducerStates,
    /// Producers' states at rolls, until the files are written: (the segment that ended, its end, the file's content).
    pub(crate) snapshots: Vec<(Offset, Offset, Vec<u8>)>,
    pub(crate) relogged: Option<Relogged>,
    pub(crate) deleted: bool,
    /// Its directory exists, durably named, with `partition.metadata` in it.
    pub(crate) has_directory: bool,
    pub(crate) making_directory: bool,
    /// There may be files of segments in the directory that are not the log's.
    pub(crate) unchecked: bool,
    /// The group under construction that touched it last, and where in that group's list it stands.
    pub(crate) touched: Option<(GroupSequence, usize)>,
    /// It is in the drain's queue, or being drained.
    pub(crate) draining: bool,
    pub(crate) preparing: bool,
    /// For `flush.messages`: records since the last sync that this topic asked for.
    pub(crate) unflushed: i64,
    /// Compaction: the first dirty offset. What is below was cleaned.
    pub(crate) cleaned_to: Offset,
    /// The base of the first segment that the cleaner has never written anew. Positions that the commit log names in older ones are
    /// those of files that are gone.
    pub(crate) rewritten: Offset,
    /// How many times the cleaner has put a segment in the place of others, or a truncation has.
    pub(crate) swaps: u64,
    /// How many times its end was cut off.
    pub(crate) truncations: u64,
    /// The last swap is done, and no manifest says so yet.
    pub(crate) swap_unrecorded: bool,
    /// It is moving to another directory, or from one: nothing of it is removed or compacted meanwhile.
    pub(crate) held: bool,
    /// Its end is being cut off: until that is done, nothing is appended, removed or compacted.
    pub(crate) truncating: bool,
    /// The cleaner met what it cannot read: it is not cleaned any more.
    pub(crate) uncleanable: bool,
    /// Up to this end nothing can be cleaned, for want of a transaction's end.
    pub(crate) undecided: Option<Offset>,
    pub(crate) damage: Damage,
}

impl Partition {
    /// An empty log that starts at 0.
    pub(crate) fn new(
        id: PartitionId,
        topic: &str,
        directory: PathBuf,
        config: Arc<LogConfig>,
        now: i64,
    ) -> Self {
        Partition {
            id,
            topic: topic.into(),
            directory,
            config,
            log_start: Offset(0),
            end: Offset(0),
            written: Offset(0),
            durable: Offset(0),
            segments: VecDeque::from([Segment::new(Offset(0), now)]),
            tail: Tail::default(),
            epochs: LeaderEpochs::new(),
            producers: ProducerStates::new(Offset(0)),
            snapshots: Vec::new(),
            relogged: None,
            deleted: false,
            has_directory: false,
            making_directory: false,
            unchecked: false,
            touched: None,
            draining: false,
            preparing: false,
            unflushed: 0,
            cleaned_to: Offset(0),
            rewritten: Offset(0),
            swaps: 0,
            truncations: 0,
            swap_unrecorded: false,
            held: false,
            truncating: false,
            uncleanable: false,
            undecided: None,
            damage: Damage::default(),
        }
    }

    pub(crate) fn active(&self) -> &Segment {
        self.segments.back().expect("a log has at least one segment")
    }

    pub(crate) fn active_mut(&mut self) -> &mut Segment {
        self.segments.back_mut().expect("a log has at least one segment")
    }

    pub(crate) fn segment(&self, base: Offset) -> Option<&Segment> {
        let index = self.segments.binary_search_by_key(&base, |segment| segment.base).ok()?;
        self.segments.get(index)
    }

    pub(crate) fn segment_mut(&mut self, base: Offset) -> Option<&mut Segment> {
        let index = self.segments.binary_search_by_key(&base, |segment| segment.base).ok()?;
        self.segments.get_mut(index)
    }

    pub(crate) fn roll(&mut self, now: i64) {
        let end = self.end;
        let ended = self.active_mut();
        ended.add_time_entry();
        let base = ended.base;
        if !self.producers.is_empty() {
            self.snapshots.push((base, end, self.producers.snapshot()));
        }
        let mut next = Segment::new(end, now);
        // A segment that was truncated may have had this base offset.
        next.generation = self.swaps;
        self.segments.push_back(next);
    }

    /// Bytes that no segment file has.
    pub(crate) fn dirty_bytes(&self) -> u64 {
        // Not up to the first that is in its file: one that was just rolled is, being empty.
        let unfinished = self.segments.iter().rev().take_while(|segment| !segment.finished);
        unfinished.map(|segment| u64::from(segment.length - segment.filed)).sum()
    }

    pub(crate) fn size_bytes(&self) -> u64 {
        self.segments.iter().map(|segment| u64::from(segment.length)).sum()
    }

    /// The first entry of those that hold what the segments' files do not.
    pub(crate) fn replay_start(&self) -> Option<EntryId> {
        self.tail.pieces().filter_map(|piece| self.entry_of(piece)).min()
    }

    /// The entry that a dirty piece is replayed from: the one that logged it again, if all that is dirty of it is there.
    pub(crate) fn entry_of(&self, piece: &Piece) -> Option<EntryId> {
        let settled = self.segment(piece.segment)?.settled();
        if piece.end() <= settled {
            return None;
        }
        let from = piece.position.max(settled);
        match self.relogged {
            Some(again)
                if again.segment == piece.segment
                    && again.start <= from
                    && piece.end() <= again.end =>
            {
                Some(again.entry)
            }
            _ => Some(piece.entry),
        }
    }

    /// The producers' state at the end of a segment that was rolled, once.
    pub(crate) fn take_snapshot(&mut self, base: Offset) -> Option<(Offset, Vec<u8>)> {
        let index = self.snapshots.iter().position(|(segment, ..)| *segment == base)?;
        let (_, end, content) = self.snapshots.swap_remove(index);
        Some((end, content))
    }

    /// The segment that holds `offset`.
    pub(crate) fn segment_of(&self, offset: Offset) -> Option<&Segment> {
        let after = self.segments.partition_point(|segment| segment.base <= offset);
        self.segments.get(after.checked_sub(1)?)
    }
}
