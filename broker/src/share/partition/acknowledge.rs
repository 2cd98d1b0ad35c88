//! What a member says of the records that it has.

use std::time::Duration;

use super::planted::Bug;
use super::{Change, Partition, State, released_state};

/// What is said of one record, by its number in the protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
pub enum Kind {
    /// There is no record at this offset.
    Gap = 0,
    Accept = 1,
    /// To be delivered again.
    Release = 2,
    /// Never to be delivered again.
    Reject = 3,
    /// More time is needed (KIP-1222).
    Renew = 4,
}

impl Kind {
    pub(crate) fn of(number: i8) -> Option<Kind> {
        [Kind::Gap, Kind::Accept, Kind::Release, Kind::Reject, Kind::Renew]
            .into_iter()
            .find(|kind| *kind as i8 == number)
    }
}

/// Of consecutive offsets: one kind for all, or one for each.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Acknowledgement<'a> {
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) kinds: &'a [Kind],
}

/// Why nothing of a request was done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// INVALID_REQUEST: neither one kind, nor one for each offset; or offsets backwards.
    Malformed,
    /// INVALID_REQUEST: these records were never acquired.
    FirstNeverAcquired,
    LastNeverAcquired,
    /// INVALID_RECORD_STATE: nothing is in flight.
    NothingInFlight,
    /// INVALID_RECORD_STATE: another member has it.
    NotTheOwner,
    /// INVALID_RECORD_STATE: nobody has it any more, or an earlier word of it is not stored yet.
    NotAcquired,
    /// INVALID_RECORD_STATE: the group does not allow it.
    NotRenewable,
}

impl Partition {
    /// All of the acknowledgements, or none. `None` if there is nothing to store. Offsets below the start are passed over: they are done with.
    pub(crate) fn acknowledge(
        &mut self,
        member: &str,
        acknowledgements: &[Acknowledgement],
        now: Duration,
    ) -> Result<Option<Change>, Refusal> {
        let id = self.last_change + 1;
        let mut any = false;
        let mut renewed = Vec::new();
        for acknowledgement in acknowledgements {
            if let Err(refusal) = self.mark(member, acknowledgement, id, &mut any, &mut renewed) {
                // What was marked is as it was.
                self.last_change = id;
                self.written(id, self.has(Bug::HalfARequest));
                return Err(refusal);
            }
        }
        let later = now.saturating_add(self.limits.lock);
        for (first, last) in renewed {
            for (_, run) in self.runs.range_mut(first, last) {
                if let State::Acquired { until, .. } = &mut run.state {
                    *until = later;
                }
            }
        }
        self.may_be_available = true;
        let change = self.changed(any, id);
        if change.is_none() {
            self.find_earliest();
            self.runs.merge();
        }
        Ok(change)
    }

    fn mark(
        &mut self,
        member: &str,
        acknowledgement: &Acknowledgement,
        id: u64,
        any: &mut bool,
        renewed: &mut Vec<(i64, i64)>,
    ) -> Result<(), Refusal> {
        let &Acknowledgement { first, last, kinds } = acknowledgement;
        let offsets = last
            .checked_sub(first)
            .and_then(|length| usize::try_from(length).ok())
            .and_then(|length| length.checked_add(1));
        let offsets = offsets.ok_or(Refusal::Malformed)?;
        if kinds.is_empty() || kinds.len() > 1 && kinds.len() != offsets {
            return Err(Refusal::Malformed);
        }
        if last < self.start {
            return Ok(());
        }
        if self.end == self.start {
            return Err(Refusal::NothingInFlight);
        }
        if first >= self.end {
            return Err(Refusal::FirstNeverAcquired);
        }
        if last >= self.end {
            return Err(Refusal::LastNeverAcquired);
        }
        let mut at = first;
        for alike in kinds.chunk_by(|left, right| left == right) {
            let to = if kinds.len() == 1 { last } else { at + alike.len() as i64 - 1 };
            if to >= self.start {
                self.mark_alike(member, at.max(self.start), to, alike[0], id, any, renewed)?;
            }
            at = to + 1;
        }
        Ok(())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "what is said of these offsets, and what comes of it"
    )]
    fn mark_alike(
        &mut self,
        member: &str,
        first: i64,
        last: i64,
        kind: Kind,
        id: u64,
        any: &mut bool,
        renewed: &mut Vec<(i64, i64)>,
    ) -> Result<(), Refusal> {
        let (renewable, deliveries_max) = (self.limits.renewable, self.deliveries_max());
        let anyone = self.has(Bug::AnyoneAcknowledges);
        for (_, run) in self.runs.range_mut(first, last) {
            match &run.state {
                State::Acquired { member: owner, .. } if **owner != *member && !anyone => {
                    return Err(Refusal::NotTheOwner);
                }
                State::Acquired { .. } => {}
                _ => return Err(Refusal::NotAcquired),
            }
            let state = match kind {
                Kind::Gap | Kind::Reject => State::Archived,
                Kind::Accept => State::Acknowledged,
                Kind::Release => released_state(run.deliveries, deliveries_max),
                Kind::Renew if renewable => continue,
                Kind::Renew => return Err(Refusal::NotRenewable),
            };
            run.change(state, Some(id));
            *any = true;
        }
        if kind == Kind::Renew {
            renewed.push((first, last));
        }
        Ok(())
    }
}
