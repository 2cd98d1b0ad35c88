//! Records that were read are given to a member.

use std::time::Duration;

use super::planted::Bug;
use super::{Member, Partition, State};

/// Offsets of one record batch of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ReadBatch {
    pub(crate) first: i64,
    pub(crate) last: i64,
    /// Not for members: of an aborted transaction where the group reads what is committed.
    pub(crate) hidden: bool,
}

/// What a member asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Want {
    /// Records: the batch with the last of them is given whole, unless `strict`.
    pub(crate) records_max: i32,
    /// No record more (the acquire mode `record_limit`, KIP-1206).
    pub(crate) strict: bool,
    /// Records of one entry of the answer, about (`BatchSize`).
    pub(crate) entry_records: i32,
}

/// Consecutive records that a member has now, all delivered so often, this time included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Acquired {
    pub first: i64,
    pub last: i64,
    pub deliveries: i16,
}

/// What has been given in this call.
struct Given {
    entries: Vec<Acquired>,
    records: i64,
    /// The next records begin an entry of their own.
    entry_full: bool,
    /// Nothing more may be given with these.
    closed: bool,
    /// These fail again and again: how many more of them may be given now, and nothing else.
    portion: Option<i64>,
}

impl Partition {
    /// Gives `member` what is available of `batches`, which were read from the offset `from` on, in order; none lies below
    /// another's end. Offsets among them that the log does not hold any more (compaction), and those of hidden batches, are done with.
    pub(crate) fn acquire(
        &mut self,
        member: &Member,
        from: i64,
        batches: &[ReadBatch],
        want: Want,
        now: Duration,
    ) -> Vec<Acquired> {
        let mut given = Given {
            entries: Vec::new(),
            records: 0,
            entry_full: false,
            closed: false,
            portion: None,
        };
        let mut at = from.max(self.start);
        for batch in batches {
            if batch.last < at {
                continue;
            }
            if given.closed || given.room(want) <= 0 {
                break;
            }
            self.skip(at, batch.first - 1);
            at = at.max(batch.first);
            if batch.hidden {
                self.skip(at, batch.last);
            } else {
                self.give(member, at, batch.last, want, now, &mut given);
                // What was left of a batch is an entry of its own.
                given.entry_full |= want.strict && at > batch.first;
            }
            at = batch.last + 1;
        }
        self.runs.merge();
        self.advance();
        given.entries
    }

    /// Offsets that nobody will get.
    fn skip(&mut self, first: i64, last: i64) {
        if last < first {
            return;
        }
        if self.has(Bug::HolesForgotten) {
            return self.extend(last + 1, State::Available, 0);
        }
        for (_, run) in self.runs.range_mut(first, last.min(self.end - 1)) {
            if run.state == State::Available && run.pending.is_none() {
                run.state = State::Archived;
            }
        }
        self.extend(last + 1, State::Archived, 0);
    }

    /// What is available from `first` to `last`, all of one batch.
    fn give(
        &mut self,
        member: &Member,
        first: i64,
        last: i64,
        want: Want,
        now: Duration,
        given: &mut Given,
    ) {
        let until = now.saturating_add(self.limits.lock);
        let mut at = first;
        while at <= last && !given.closed {
            let left = if want.strict { given.room(want) } else { i64::MAX };
            if left <= 0 {
                return;
            }
            at = if at < self.end {
                self.give_again(member, at, last.min(self.end - 1), left, until, given)
            } else {
                let free = self.limits.in_flight_max - (at - self.start);
                given.closed = free <= 0 || given.portion.is_some();
                let left = if want.strict { left.min(free) } else { left };
                if given.closed { at } else { self.give_new(member, at, last, left, until, given) }
            };
        }
        given.entry_full |= given
            .entries
            .last()
            .is_some_and(|entry| entry.last - entry.first + 1 >= i64::from(want.entry_records));
    }

    /// The run at `at`, if it is available, but no further than `last`. Gives where to go on.
    fn give_again(
        &mut self,
        member: &Member,
        at: i64,
        last: i64,
        left: i64,
        until: Duration,
        given: &mut Given,
    ) -> i64 {
        let deliveries_max = self.deliveries_max();
        let Some(run) = self.runs.at(at).cloned() else { return last + 1 };
        if !self.is_available(&run) {
            return run.last + 1;
        }
        let fails = few_at_once(1, run.deliveries, deliveries_max).is_some();
        let alone = is_last(run.deliveries, deliveries_max);
        // Such records come alone, neither behind others nor before them.
        given.closed = match given.portion {
            Some(_) => !fails || alone,
            None => fails && given.records > 0,
        };
        if given.closed {
            return at;
        }
        if fails && given.portion.is_none() {
            given.portion = few_at_once(run.last - at + 1, run.deliveries, deliveries_max);
        }
        let few = given.portion.unwrap_or(i64::MAX).min(left);
        let end = run.last.min(last).min(at.saturating_add(few - 1));
        let deliveries = run.deliveries.saturating_add(1);
        for (_, run) in self.runs.range_mut(at, end) {
            run.state = State::Acquired { member: member.clone(), until };
            run.deliveries = deliveries;
        }
        self.earliest = self.earliest.min(until);
        given.add(at, end, deliveries);
        if let Some(portion) = &mut given.portion {
            *portion -= end - at + 1;
            given.closed = *portion <= 0;
        }
        end + 1
    }

    /// Records that were never acquired, from the end on. Gives where to go on.
    fn give_new(
        &mut self,
        member: &Member,
        first: i64,
        last: i64,
        left: i64,
        until: Duration,
        given: &mut Given,
    ) -> i64 {
        let end = last.min(first.saturating_add(left - 1));
        self.extend(end + 1, State::Acquired { member: member.clone(), until }, 1);
        self.earliest = self.earliest.min(until);
        given.add(first, end, 1);
        end + 1
    }
}

impl Given {
    /// How many more records may be given.
    fn room(&self, want: Want) -> i64 {
        i64::from(want.records_max) - self.records
    }

    fn add(&mut self, first: i64, last: i64, deliveries: i16) {
        self.records += last - first + 1;
        let full = std::mem::take(&mut self.entry_full);
        match self.entries.last_mut() {
            Some(entry) if !full && entry.last + 1 == first && entry.deliveries == deliveries => {
                entry.last = last;
            }
            _ => self.entries.push(Acquired { first, last, deliveries }),
        }
    }
}

/// A record that fails again and again may be what makes its member fail: so what was delivered for half of its deliveries
/// is given in smaller and smaller portions. `None` before.
fn few_at_once(records: i64, deliveries: i16, deliveries_max: i16) -> Option<i64> {
    let limit = (deliveries_max / 2 + deliveries_max % 2).max(2);
    let beyond = deliveries.checked_sub(limit).filter(|beyond| *beyond >= 0)?;
    if is_last(deliveries, deliveries_max) {
        return Some(1);
    }
    let shift = u32::from(beyond.unsigned_abs()) + 1;
    Some(records.checked_shr(shift).unwrap_or(0).max(1))
}

/// The last delivery is one of a single record.
fn is_last(deliveries: i16, deliveries_max: i16) -> bool {
    deliveries_max > 2 && deliveries == deliveries_max - 1
}
