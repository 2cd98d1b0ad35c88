//! Damage below the durable mark: bytes of a segment that were on stable storage and are not there any more.
//!
//! It is found by recovery (the commit log's, and extents that were not synced), by every read that begins in a file ([`chain`]: the
//! header at its start must be that of the offset asked for, at the place where the index has it), and by the scrubber ([`scrub`]),
//! which reads everything with its CRCs, and the indexes beside it. What a read suspects is decided as the scrubber does it
//! ([`examine`]).
//!
//! What is damaged is *marked*, durably, in a file of the partition ([`file`]), as a range of whole batches. From then on it is never
//! served and never cut: a fetch of its offsets is answered with an error, what lies before and behind it is served as ever, and the
//! cleaner leaves the partition alone. A mark goes with its offsets, when the log start passes it. An index that does not agree with
//! its log is not marked but built anew ([`indexes`]).
//!
//! A read that the disk answers with an error is no damage yet: its fetch fails, and may succeed later.

pub(crate) mod chain;
pub(crate) mod examine;
pub(crate) mod file;
pub(crate) mod indexes;
pub(crate) mod resync;
pub(crate) mod scrub;
#[cfg(test)]
mod tests;
pub(crate) mod walk;

use std::rc::Rc;

use crate::core::{Core, count};
use crate::error::ReadError;
use crate::log::Log;
use crate::partition::Partition;
use crate::planted::{Bug, is};
use crate::runtime::Runtime;
use crate::segment::Segment;
use crate::segment::files::{Kind, file_name};
use crate::units::Offset;

/// A range of a segment that is not to be served: whole batches, as far as that can be known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mark {
    /// Base offset of the segment.
    pub segment: Offset,
    /// Where the first bad batch begins in its file, and where the next good one does, or the segment ends.
    pub position: u64,
    pub end: u64,
    /// The offsets that are lost: from this one on,
    pub from: Offset,
    /// and below this one.
    pub to: Offset,
    /// When it was found, in milliseconds since 1970.
    pub found: i64,
    /// What was wrong, in a few words without line breaks.
    pub what: String,
}

/// What is known of a partition's damage.
#[derive(Debug, Default)]
pub(crate) struct Damage {
    /// The file that says what was found in earlier lives was looked for.
    known: bool,
    /// By segment and position, apart from each other.
    marks: Vec<Mark>,
    /// A read has a segment examined.
    pub(crate) examining: bool,
    /// When it was said last that the disk cannot read something of the log.
    told_unreadable: Option<i64>,
}

/// Readers try again and again.
const UNREADABLE_TOLD_EVERY_MS: i64 = 10_000;

impl Damage {
    /// False if it was covered already. Neighbours that touch it become one with it.
    fn add(&mut self, mark: Mark) -> bool {
        let covers = |old: &Mark| {
            old.segment == mark.segment && old.position <= mark.position && mark.end <= old.end
        };
        if self.marks.iter().any(covers) {
            return false;
        }
        let mut mark = mark;
        self.marks.retain(|old| {
            let apart =
                old.segment != mark.segment || old.end < mark.position || mark.end < old.position;
            if !apart {
                mark.position = mark.position.min(old.position);
                mark.end = mark.end.max(old.end);
                mark.from = mark.from.min(old.from);
                mark.to = mark.to.max(old.to);
            }
            apart
        });
        let place = (mark.segment, mark.position);
        let at = self.marks.partition_point(|old| (old.segment, old.position) < place);
        self.marks.insert(at, mark);
        true
    }
}

impl Partition {
    /// The marks that still matter.
    pub(crate) fn marks(&self) -> impl Iterator<Item = &Mark> {
        let start = self.log_start;
        self.damage.marks.iter().filter(move |mark| mark.to > start)
    }

    pub(crate) fn is_marked(&self) -> bool {
        self.marks().next().is_some()
    }

    /// The mark that holds this offset.
    pub(crate) fn mark_of(&self, offset: Offset) -> Option<&Mark> {
        if is(Bug::MarkNotAsked) {
            return None;
        }
        self.damage.marks.iter().find(|mark| mark.from <= offset && offset < mark.to)
    }

    /// The first mark of a segment that ends behind `position`.
    pub(crate) fn mark_from(&self, segment: Offset, position: u64) -> Option<&Mark> {
        if is(Bug::MarkNotAsked) {
            return None;
        }
        self.damage.marks.iter().find(|mark| mark.segment == segment && mark.end > position)
    }

    /// The last mark of a segment whose offsets all lie below `offset`.
    pub(crate) fn mark_before(&self, segment: Offset, offset: Offset) -> Option<&Mark> {
        self.damage.marks.iter().rfind(|mark| mark.segment == segment && mark.to <= offset)
    }

    /// Which segment it is, to tell it from one that compaction puts in its place.
    pub(crate) fn generation(&self, base: Offset) -> Option<u64> {
        let segment = self.segment(base).filter(|segment| !segment.swapping);
        segment.map(|segment| segment.generation).filter(|_| !self.deleted)
    }

    /// Batches may be missing between others: compaction has been here, ours or Kafka's.
    pub(crate) fn may_have_gaps(&self, segment: &Segment) -> bool {
        segment.has_gaps || segment.base < self.rewritten || self.config.cleanup_compact
    }
}

impl<R: Runtime> Log<R> {
    /// What of the log is damaged, as far as that was found.
    #[must_use]
    pub fn damage(&self) -> Vec<Mark> {
        self.state().marks().cloned().collect()
    }

    /// A read failed: somebody must see to the drive. Said now and then.
    pub(crate) fn tell_unreadable(&self, error: &ReadError) {
        let now = self.core().runtime.now();
        let told = &mut self.state_mut().damage.told_unreadable;
        if told.is_none_or(|told| now - told >= UNREADABLE_TOLD_EVERY_MS) {
            *told = Some(now);
            tracing::error!(%error, "the disk cannot read this, and the fetch is refused: check the drive");
        }
    }

    /// Reads what was marked in earlier lives, once.
    pub(crate) async fn learn_damage(&self) {
        if self.state().damage.known {
            return;
        }
        let (directory, topic) = (self.state().directory.clone(), self.id().topic);
        let found = file::read(&self.core().runtime, &directory, topic).await;
        let mut state = self.state_mut();
        if !std::mem::replace(&mut state.damage.known, true) {
            for mark in found {
                state.damage.add(mark);
            }
        }
    }
}

/// Marks what was found, durably when this returns, and says so to whoever reads the log.
pub(crate) async fn mark<R: Runtime>(core: &Rc<Core<R>>, log: &Log<R>, found: Vec<Mark>) {
    log.learn_damage().await;
    let mut is_news = false;
    for mark in found {
        let path = {
            let mut state = log.state_mut();
            if state.generation(mark.segment).is_none() || !state.damage.add(mark.clone()) {
                continue;
            }
            state.directory.join(file_name(mark.segment, Kind::Log))
        };
        is_news = true;
        count(&core.counts.damage_found, 1);
        tracing::error!(
            file = %path.display(), position = mark.position, end = mark.end, offset = mark.from.0, to = mark.to.0, what = %mark.what,
            "records are damaged on the disk: fetches of these offsets are answered with CORRUPT_MESSAGE from now on, all others are served. \
             A consumer goes on by seeking to the offset `to`. Check the drive. Then either take them out of the log (kafka-delete-records.sh \
             with the offset `to`; everything before it goes, too), or delete the topic and produce it anew, or put back a good copy of the \
             file while the broker is stopped, and remove {} beside it",
            file::NAME
        );
    }
    if is_news && !is(Bug::MarkInMemoryOnly) {
        file::write(core, log).await;
    }
}
