//! A partition's leader epochs: at which offset each began. A follower, or a consumer, asks where an epoch ended to find
//! out whether what it has was lost (KIP-101, KIP-279, KIP-320).
//!
//! Both epochs and start offsets grow strictly. The list is kept in `leader-epoch-checkpoint`, in Kafka's text format:
//! ```text
//! 0
//! <number of lines that follow>
//! <epoch> <start offset>
//! ```

use crate::checkpoint::{CheckpointError, lines, print_lines};
use crate::units::{Epoch, Offset};

/// One epoch, and the offset of its first record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochStart {
    pub epoch: Epoch,
    pub start: Offset,
}

/// Where an epoch ended: the answer to OffsetForLeaderEpoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEnd {
    /// The largest known epoch that is not above the one asked for.
    pub epoch: Epoch,
    /// The offset after its last record.
    pub end: Offset,
}

/// The epochs of one partition. Small: an entry for each election since the log's start that was followed by an append.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    entries: Vec<EpochStart>,
}

impl LeaderEpochs {
    pub fn new() -> LeaderEpochs {
        LeaderEpochs::default()
    }

    /// Epochs that were written before, in order. As when they came one by one, an entry wins over those that contradict it.
    pub fn from_entries(entries: impl IntoIterator<Item = EpochStart>) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::new();
        for entry in entries {
            epochs.assign(entry.epoch, entry.start);
        }
        epochs
    }

    pub fn entries(&self) -> &[EpochStart] {
        &self.entries
    }

    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub fn latest(&self) -> Option<EpochStart> {
        self.entries.last().copied()
    }

    pub fn earliest(&self) -> Option<EpochStart> {
        self.entries.first().copied()
    }

    /// Says that `epoch` begins at `start`. Returns whether that is news; then the checkpoint is to be written. Entries that it
    /// contradicts, a later epoch or one that began at or after `start`, are removed: they held no data, or lost it.
    pub fn assign(&mut self, epoch: Epoch, start: Offset) -> bool {
        if epoch < Epoch(0) || start < Offset::ZERO {
            return false;
        }
        if self.latest().is_some_and(|latest| latest.epoch == epoch && latest.start <= start) {
            return false;
        }
        while self.latest().is_some_and(|latest| latest.epoch >= epoch || latest.start >= start) {
            self.entries.pop();
        }
        self.entries.push(EpochStart { epoch, start });
        true
    }

    /// Where `epoch` ended, given the log's end. None if that is not known: for no epoch, and for one above all that are
    /// known. For one below all that are known, the log's first epoch's start: what it had is gone.
    pub fn end_of(&self, epoch: Epoch, log_end: Offset) -> Option<EpochEnd> {
        if epoch == Epoch::NONE {
            return None;
        }
        if self.latest()?.epoch == epoch {
            return Some(EpochEnd { epoch, end: log_end });
        }
        let above = self.entries.partition_point(|entry| entry.epoch <= epoch);
        let end = self.entries.get(above)?.start;
        let found = above
            .checked_sub(1)
            .and_then(|i| self.entries.get(i))
            .map_or(epoch, |entry| entry.epoch);
        Some(EpochEnd { epoch: found, end })
    }

    /// The epoch in which the record at `offset` was written.
    pub fn epoch_of(&self, offset: Offset) -> Option<Epoch> {
        let after = self.entries.partition_point(|entry| entry.start <= offset);
        self.entries.get(after.checked_sub(1)?).map(|entry| entry.epoch)
    }

    /// Whether both say the same of the last record below `end`: then all that both logs have below it is the same.
    pub(crate) fn agrees_below(&self, other: &LeaderEpochs, end: Offset) -> bool {
        let last = Offset(end.0 - 1);
        self.epoch_of(last).is_none_or(|epoch| other.epoch_of(last) == Some(epoch))
    }

    /// The log now ends at `end`: epochs that began there or later are forgotten. Returns whether any was.
    pub fn truncate_end(&mut self, end: Offset) -> bool {
        if end < Offset::ZERO {
            return false;
        }
        let kept = self.entries.partition_point(|entry| entry.start < end);
        let changed = kept < self.entries.len();
        self.entries.truncate(kept);
        changed
    }

    /// The log now starts at `start`: the epoch to which that offset belongs is the first, and starts there. Returns whether
    /// anything changed.
    pub fn truncate_start(&mut self, start: Offset) -> bool {
        let covered = self.entries.partition_point(|entry| entry.start <= start);
        let Some(last) = covered.checked_sub(1) else {
            return false;
        };
        let changed = last > 0 || self.entries.first().is_some_and(|first| first.start != start);
        self.entries.drain(..last);
        if let Some(first) = self.entries.first_mut() {
            first.start = start;
        }
        changed
    }

    /// The text of `leader-epoch-checkpoint`.
    pub fn print(&self) -> String {
        print_lines(self.entries.iter().map(|entry| format!("{} {}", entry.epoch, entry.start)))
    }

    /// Reads `leader-epoch-checkpoint`. An empty file is an empty list.
    pub fn parse(text: &[u8]) -> Result<LeaderEpochs, CheckpointError> {
        let entries = lines(text, |words| match words {
            [epoch, start] => Some(EpochStart {
                epoch: Epoch(epoch.parse().ok()?),
                start: Offset(start.parse().ok()?),
            })
            .filter(|entry| entry.epoch >= Epoch(0) && entry.start >= Offset::ZERO),
            _ => None,
        })?;
        Ok(LeaderEpochs::from_entries(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        LeaderEpochs::from_entries(
            entries.iter().map(|&(e, s)| EpochStart { epoch: Epoch(e), start: Offset(s) }),
        )
    }

    fn list(epochs: &LeaderEpochs) -> Vec<(i32, i64)> {
        epochs.entries().iter().map(|e| (e.epoch.0, e.start.0)).collect()
    }

    #[test]
    fn a_new_epoch_removes_what_contradicts_it() {
        let check = |before: &[(i32, i64)], (epoch, start), news: bool, after: &[(i32, i64)]| {
            let mut cache = epochs(before);
            assert_eq!(
                cache.assign(Epoch(epoch), Offset(start)),
                news,
                "{before:?} + {epoch} {start}"
            );
            assert_eq!(list(&cache), after, "{before:?} + {epoch} {start}");
        };
        check(&[], (0, 0), true, &[(0, 0)]);
        check(&[(0, 0)], (0, 0), false, &[(0, 0)]);
        check(&[(0, 0)], (0, 5), false, &[(0, 0)]);
        check(&[(0, 5)], (0, 3), true, &[(0, 3)]);
        check(&[(0, 0)], (2, 0), true, &[(2, 0)]);
        check(&[(0, 0), (2, 10)], (3, 20), true, &[(0, 0), (2, 10), (3, 20)]);
        check(&[(0, 0), (2, 10), (3, 20)], (4, 10), true, &[(0, 0), (4, 10)]);
        check(&[(0, 0), (2, 10), (3, 20)], (1, 15), true, &[(0, 0), (1, 15)]);
        check(&[(0, 0)], (-1, 5), false, &[(0, 0)]);
        check(&[(0, 0)], (1, -5), false, &[(0, 0)]);
    }

    #[test]
    fn the_end_of_an_epoch() {
        let cache = epochs(&[(2, 11), (4, 20), (7, 50)]);
        let check = |epoch, expected: Option<(i32, i64)>| {
            let found = cache.end_of(Epoch(epoch), Offset(90)).map(|e| (e.epoch.0, e.end.0));
            assert_eq!(found, expected, "{epoch}");
        };
        check(-1, None);
        check(0, Some((0, 11)));
        check(1, Some((1, 11)));
        check(2, Some((2, 20)));
        check(3, Some((2, 20)));
        check(4, Some((4, 50)));
        check(6, Some((4, 50)));
        check(7, Some((7, 90)));
        check(8, None);
        assert_eq!(LeaderEpochs::new().end_of(Epoch(0), Offset(90)), None);
    }

    #[test]
    fn truncation() {
        let check_end = |end, after: &[(i32, i64)]| {
            let mut cache = epochs(&[(2, 6), (3, 8), (4, 11)]);
            let changed = cache.truncate_end(Offset(end));
            assert_eq!(list(&cache), after, "{end}");
            assert_eq!(changed, after.len() < 3);
        };
        check_end(12, &[(2, 6), (3, 8), (4, 11)]);
        check_end(11, &[(2, 6), (3, 8)]);
        check_end(9, &[(2, 6), (3, 8)]);
        check_end(6, &[]);
        check_end(0, &[]);
        let check_start = |start, changed, after: &[(i32, i64)]| {
            let mut cache = epochs(&[(2, 6), (3, 8), (4, 11)]);
            assert_eq!(cache.truncate_start(Offset(start)), changed, "{start}");
            assert_eq!(list(&cache), after, "{start}");
        };
        check_start(5, false, &[(2, 6), (3, 8), (4, 11)]);
        check_start(6, false, &[(2, 6), (3, 8), (4, 11)]);
        check_start(7, true, &[(2, 7), (3, 8), (4, 11)]);
        check_start(8, true, &[(3, 8), (4, 11)]);
        check_start(9, true, &[(3, 9), (4, 11)]);
        check_start(99, true, &[(4, 99)]);
    }

    #[test]
    fn epochs_of_offsets() {
        let cache = epochs(&[(2, 6), (3, 8)]);
        assert_eq!(cache.epoch_of(Offset(5)), None);
        assert_eq!(cache.epoch_of(Offset(6)), Some(Epoch(2)));
        assert_eq!(cache.epoch_of(Offset(7)), Some(Epoch(2)));
        assert_eq!(cache.epoch_of(Offset(800)), Some(Epoch(3)));
    }

    #[test]
    fn the_file() {
        let cache = epochs(&[(0, 1020), (2, 2043)]);
        assert_eq!(cache.print(), "0\n2\n0 1020\n2 2043\n");
        assert_eq!(LeaderEpochs::parse(cache.print().as_bytes()), Ok(cache));
        assert_eq!(LeaderEpochs::parse(b""), Ok(LeaderEpochs::new()));
        assert_eq!(LeaderEpochs::new().print(), "0\n0\n");
        for bad in [
            "1\n0\n",
            "0\n1\n",
            "0\n1\n0 0 0\n",
            "0\n1\nx 0\n",
            "0\n1\n-1 0\n",
            "x\n",
            "0\n1\n0 0\n1 1\n",
        ] {
            assert!(LeaderEpochs::parse(bad.as_bytes()).is_err(), "{bad:?}");
        }
    }
}
