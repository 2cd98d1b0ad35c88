//! Whether the offset index and the time index agree with their segment, and how they are built anew where they do not.
//!
//! Every entry must be true: it names a batch by its position and last offset, or a batch that has the largest timestamp so far. Entries
//! that are missing only make lookups slower. A lookup, too, checks the entry that it goes by, so that a wrong one never leads astray
//! (`log/find.rs`).

use std::io;
use std::rc::Rc;

use super::Mark;
use super::examine::Trouble;
use crate::batch::BatchHeader;
use crate::core::{Core, count};
use crate::index::{OffsetEntry, TimeEntry, TimeIndex};
use crate::log::Log;
use crate::recycle::{let_go, take_alone};
use crate::runtime::{Runtime, is_full};
use crate::segment::Segment;
use crate::segment::files::{Kind, file_name};
use crate::segment::finish::write_indexes;
use crate::segment::index_tail::IndexTail;
use crate::units::{Offset, Timestamp};

/// Which of the two is wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) offsets: bool,
    pub(crate) times: bool,
}

impl Wrong {
    pub(crate) fn any(self) -> bool {
        self.offsets || self.times
    }

    pub(crate) fn or(self, other: Wrong) -> Wrong {
        Wrong { offsets: self.offsets || other.offsets, times: self.times || other.times }
    }
}

/// Compares the entries with the batches of a walk.
pub(crate) struct Compare<'a> {
    base: Offset,
    offsets: &'a [[u8; OffsetEntry::BYTES]],
    times: &'a [[u8; TimeEntry::BYTES]],
    newest: Timestamp,
    wrong: Wrong,
}

impl<'a> Compare<'a> {
    pub(crate) fn new(base: Offset, offsets: &'a [u8], times: &'a [u8]) -> Compare<'a> {
        let ((offsets, odd), (times, odd_time)) = (offsets.as_chunks(), times.as_chunks());
        let wrong = Wrong { offsets: !odd.is_empty(), times: !odd_time.is_empty() };
        Compare { base, offsets, times, newest: Timestamp::NONE, wrong }
    }

    pub(crate) fn batch(&mut self, position: u64, header: &BatchHeader) {
        while let Some((entry, rest)) = self.next_offset() {
            if u64::from(entry.position) > position {
                break;
            }
            let is_this = u64::from(entry.position) == position;
            self.wrong.offsets |= !is_this || entry.offset != header.last_offset();
            self.offsets = rest;
        }
        while let Some((entry, rest)) = self.next_time() {
            if entry.offset > header.last_offset() {
                break;
            }
            let is_newest =
                self.newest <= entry.timestamp && entry.timestamp == header.max_timestamp;
            self.wrong.times |= entry.offset < header.base_offset || !is_newest;
            self.times = rest;
        }
        self.newest = self.newest.max(header.max_timestamp);
    }

    /// Nothing is known of the entries for what is damaged.
    pub(crate) fn skip(&mut self, mark: &Mark) {
        while let Some((entry, rest)) = self.next_offset() {
            if u64::from(entry.position) >= mark.end {
                break;
            }
            self.wrong.offsets |= u64::from(entry.position) < mark.position;
            self.offsets = rest;
        }
        while let Some((entry, rest)) = self.next_time() {
            if entry.offset >= mark.to {
                break;
            }
            self.wrong.times |= entry.offset < mark.from;
            self.newest = self.newest.max(entry.timestamp);
            self.times = rest;
        }
    }

    /// The walk has come to this place, which is the end of a `whole` segment. What is left is for what comes behind it.
    pub(crate) fn end(self, at: (u64, Offset), end: (u64, Offset), whole: bool) -> Wrong {
        let offsets = self.offsets.iter().any(|entry| {
            let position = u64::from(OffsetEntry::decode(self.base, entry).position);
            whole || !(at.0..end.0).contains(&position)
        });
        let times = self.times.iter().any(|entry| {
            let offset = TimeEntry::decode(self.base, entry).offset;
            whole || !(at.1..end.1).contains(&offset)
        });
        self.wrong.or(Wrong { offsets, times })
    }

    fn next_offset(&self) -> Option<(OffsetEntry, &'a [[u8; OffsetEntry::BYTES]])> {
        let (entry, rest) = self.offsets.split_first()?;
        Some((OffsetEntry::decode(self.base, entry), rest))
    }

    fn next_time(&self) -> Option<(TimeEntry, &'a [[u8; TimeEntry::BYTES]])> {
        let (entry, rest) = self.times.split_first()?;
        Some((TimeEntry::decode(self.base, entry), rest))
    }
}

/// Puts what was built in the place of what is wrong: in memory, where a lookup sees it at once, and in the files. Entries that
/// came since are kept.
pub(super) async fn replace<R: Runtime>(
    core: &Rc<Core<R>>,
    log: &Log<R>,
    (base, generation): (Offset, u64),
    built: &Segment,
    wrong: Wrong,
) -> Result<(), Trouble> {
    take_alone(core, log).await.map_err(|_| Trouble::Stopped)?;
    if core.closing.get() {
        // What a stop leaves in the files is final.
        let_go(core, log);
        return Err(Trouble::Stopped);
    }
    let replaced = {
        let mut state = log.state_mut();
        let here = state.generation(base) == Some(generation);
        state.segment_mut(base).filter(|_| here).map(|segment| {
            if wrong.offsets {
                let later = later_offsets(base, segment.offsets.bytes(), built.offsets.bytes());
                segment.offsets = IndexTail::anew(built.offsets.bytes(), later);
            }
            if wrong.times {
                let later = later_times(base, segment.times.bytes(), built.times.bytes());
                segment.times = IndexTail::anew(built.times.bytes(), later);
                // The newest one may have to come again, when the segment ends.
                let last = TimeIndex::new(base, segment.times.bytes()).last();
                segment.indexed_timestamp = last.map_or(Timestamp::NONE, |last| last.timestamp);
            }
            segment.finished
        })
    };
    let written = match replaced {
        Some(finished) => {
            // Who reads an index now holds on to what is being overwritten; each entry is still checked.
            core.files.forget(log, Some(base));
            write_indexes(core, log, base, finished).await
        }
        None => Ok(()),
    };
    let_go(core, log);
    report(core, log, base, wrong, written);
    replaced.map(|_| ()).ok_or(Trouble::Moved)
}

fn report<R: Runtime>(
    core: &Core<R>,
    log: &Log<R>,
    base: Offset,
    wrong: Wrong,
    written: io::Result<()>,
) {
    for (kind, wrong) in [(Kind::OffsetIndex, wrong.offsets), (Kind::TimeIndex, wrong.times)] {
        if wrong {
            count(&core.counts.indexes_rebuilt, 1);
            let path = log.state().directory.join(file_name(base, kind));
            tracing::warn!(file = %path.display(), "an index did not agree with its log, and was built anew: check the drive");
        }
    }
    match written {
        Err(error) if !is_full(&error) => {
            core.go_offline(&format!("an index cannot be built anew: {error}"));
        }
        // Without room it stays in memory, to be written with what comes.
        _ => {}
    }
}

fn later_offsets<'a>(base: Offset, here: &'a [u8], built: &[u8]) -> &'a [u8] {
    const N: usize = OffsetEntry::BYTES;
    let last = built.as_chunks::<N>().0.last().map(|entry| OffsetEntry::decode(base, entry));
    let is_known = |entry: &[u8; N]| {
        last.is_some_and(|last| OffsetEntry::decode(base, entry).position <= last.position)
    };
    let entries = here.as_chunks::<N>().0;
    &here[N * entries.iter().take_while(|entry| is_known(entry)).count()..]
}

fn later_times<'a>(base: Offset, here: &'a [u8], built: &[u8]) -> &'a [u8] {
    const N: usize = TimeEntry::BYTES;
    let last = built.as_chunks::<N>().0.last().map(|entry| TimeEntry::decode(base, entry));
    let is_known = |entry: &[u8; N]| {
        last.is_some_and(|last| TimeEntry::decode(base, entry).timestamp <= last.timestamp)
    };
    let entries = here.as_chunks::<N>().0;
    &here[N * entries.iter().take_while(|entry| is_known(entry)).count()..]
}
