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

    /// The manifest carries `mark`, durably.
    pub(crate) fn recorded(&mut self, mark: GroupSequence) {
        self.recorded = self.recorded.max(mark);
    }
}
