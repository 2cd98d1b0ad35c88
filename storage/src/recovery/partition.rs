//! What replaying the log asks of a partition, and nothing else does.

use crate::commit_log::entry::Entry;
use crate::partition::Partition;
use crate::units::Offset;

impl Partition {
    /// As [`Partition::start_at`], for segments that may not have been finished when the process stopped. Those whose files were changing
    /// their names go, too: the files may have gone already, under either name.
    pub(super) fn start_at_replayed(&mut self, start: Offset) {
        let active = self.active().base;
        for segment in self
            .segments
            .iter_mut()
            .filter(|segment| segment.base != active && segment.next <= start)
        {
            segment.finished = true;
            segment.swapping = false;
        }
        self.start_at(start);
    }

    /// Planted: the batch goes where the partition ends, whatever its entry says.
    pub(super) fn at_its_end(&self, entry: &Entry, known: Offset) -> Entry {
        let active = self.active();
        let position = match self.tail.pieces().next_back() {
            Some(last) if last.segment == active.base => last.end(),
            _ if entry.base >= known => active.length,
            _ => active.settled(),
        };
        Entry { segment: active.base, position, ..*entry }
    }

    /// Retention rolls a segment that is too old as a whole, and gives it up, although nothing was appended since that would name the
    /// next one. So its files may be gone. Nothing of it can be read: the log goes on in another.
    pub(super) fn leave_what_is_below_the_start(&mut self, now: i64) {
        if self.active().length > 0 && self.log_start >= self.end {
            self.roll(now);
            self.start_at_replayed(self.log_start);
        }
    }

    /// The first bytes that neither a segment's file nor memory has.
    pub(super) fn hole(&self) -> Option<(Offset, u32)> {
        self.segments.iter().filter(|segment| !segment.is_filed()).find_map(|segment| {
            let mut at = segment.filed;
            for piece in self.tail.pieces_from(segment.base, at) {
                if piece.position > at {
                    break;
                }
                at = piece.end();
            }
            (at != segment.length).then_some((segment.base, at))
        })
    }
}
