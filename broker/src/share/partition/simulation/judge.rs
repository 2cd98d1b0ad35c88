//! What must be true after each step, and in the end.

use std::time::Duration;

use super::super::{Kind, Want};
use super::world::{Checked, World, check};

impl World {
    /// The runs cover what they should, and nothing that is not done with lies below the start.
    pub(super) fn is_whole(&mut self) -> Checked {
        let (start, end) = (self.partition.start(), self.partition.end());
        let mut at = start;
        for (first, run) in self.partition.runs.iter() {
            check(first == at && run.last >= first, || {
                format!("the runs have a hole or overlap at {at}: {:?}", self.partition)
            })?;
            at = run.last + 1;
        }
        check(at == end, || format!("the runs end at {at}, and not at {end}"))?;
        let lost =
            self.records.range(..start).find(|(_, record)| !record.done && !record.may_be_done);
        check(lost.is_none(), || format!("the start {start} has passed {lost:?}"))
    }

    /// No more faults: everything comes to be done with.
    pub(super) fn come_to_rest(&mut self) -> Checked {
        let want = Want { records_max: 50, strict: false, entry_records: 50 };
        for _ in 0..2_000 {
            while let Some(change) = self.writes.pop_front() {
                self.store_as(&[change], true, true)?;
            }
            if self.partition.start() == self.log_end {
                return Ok(());
            }
            let offsets = self.acquire_as(0, want, true)?;
            let batches: Vec<_> =
                offsets.into_iter().map(|offset| (offset, offset, vec![Kind::Accept])).collect();
            if batches.is_empty() && self.writes.is_empty() {
                self.now += Duration::from_millis(5);
                self.expire()?;
            }
            check(self.say(0, &batches)?, || format!("{batches:?} are refused"))?;
            self.is_whole()?;
        }
        Err(format!("it never ends: {:?}, the log ends at {}", self.partition, self.log_end))
    }
}
