//! Three marks, and what each of them allows.
//!
//! | mark | it moves when | who may rely on it |
//! |---|---|---|
//! | written | the group and its extents are complete | acknowledgement under `written` |
//! | durable | everything up to it is synced | acknowledgement under `sync` |
//! | recorded | a durable group, or the manifest, carries it | anything that destroys: blocks to write again, files to rename |

use std::collections::VecDeque;

use super::GroupSequence;

/// See the head of the file. Always `recorded <= durable <= written`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Marks {
    pub(crate) written: GroupSequence,
    pub(crate) durable: GroupSequence,
    pub(crate) recorded: GroupSequence,
    /// The groups that were the first to carry a mark, with it, until they are durable themselves.
    carried: VecDeque<(GroupSequence, GroupSequence)>,
}

impl Marks {
    pub(crate) fn at(sequence: GroupSequence) -> Self {
        Marks { written: sequence, durable: sequence, recorded: sequence, carried: VecDeque::new() }
    }

    /// `sequence` is complete; it carries `mark`. `durable`: it was written with DSYNC and nothing unsynced precedes it.
    pub(crate) fn completed(
        &mut self,
        sequence: GroupSequence,
        mark: GroupSequence,
        durable: bool,
    ) {
        debug_assert_eq!(sequence, self.written.next());
        self.written = sequence;
        if self.carried.back().is_none_or(|(_, last)| *last < mark) {
            self.carried.push_back((sequence, mark));
        }
        if durable {
            self.synced(sequence);
        }
    }

    /// Every sync up to `sequence` has returned.
    pub(crate) fn synced(&mut self, sequence: GroupSequence) {
        debug_assert!(sequence <= self.written);
        self.durable = self.durable.max(sequence);
        while let Some((_, mark)) =
            self.carried.front().filter(|(carrier, _)| *carrier <= self.durable).copied()
        {
            self.carried.pop_front();
            self.recorded(mark);
        }
    }

    /// Whether a group that is complete carries the durable mark already: what it takes for it to be recorded is a sync, not another group.
    pub(crate) fn is_carried(&self) -> bool {
        self.carried.back().is_some_and(|(_, mark)| *mark >= self.durable)
    }

    /// The manifest carries `mark`, durably.
    pub(crate) fn recorded(&mut self, mark: GroupSequence) {
        self.recorded = self.recorded.max(mark);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_group_carries_a_mark_until_a_sync() {
        let mut marks = Marks::at(GroupSequence(5));
        let next = |marks: &mut Marks| {
            let (sequence, mark) = (marks.written.next(), marks.durable);
            marks.completed(sequence, mark, false);
        };
        assert!(!marks.is_carried());
        next(&mut marks);
        assert!(marks.is_carried());
        next(&mut marks);
        marks.synced(GroupSequence(7));
        assert_eq!((marks.recorded, marks.is_carried()), (GroupSequence(5), false));
        next(&mut marks);
        assert!(marks.is_carried());
    }
}
