//! Records for a member: read from the log where the machine says, and acquired.
//!
//! The log is read in pieces, until the member has what it wished for: what lies behind is not read for nothing. Fetches of one share
//! partition read one after another, so that none reads what another takes meanwhile.

use std::collections::HashSet;
use std::rc::Rc;

use bytes::Bytes;
use storage::ReadError;
use storage::batch::{Batch, BatchHeader, ControlType};
use storage::index::AbortedTransaction;
use storage::units::{Offset, ProducerId};

use super::super::message::{Looked, Standing, Taken, Trouble, Wish};
use super::super::partition::{Acquired, Member, ReadBatch, Want};
use super::led::Led;
use crate::partition::ReadRefusal;
use crate::shard::Shard;

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

/// The part of the log that members may see.
struct Visible {
    start: Offset,
    up_to: Offset,
    high_watermark: Offset,
    read_committed: bool,
}

/// A batch in a piece of the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Found {
    batch: ReadBatch,
    /// Where it begins in the piece, and where it ends.
    from: usize,
    to: usize,
}

impl Wish {
    /// What is left of it.
    pub(crate) fn without(self, batches: &[Bytes], acquired: &[Acquired]) -> Wish {
        let bytes: usize = batches.iter().map(Bytes::len).sum();
        Wish {
            records_max: i32::try_from(i64::from(self.records_max) - records(acquired))
                .unwrap_or(0),
            bytes_max: self.bytes_max.saturating_sub(bytes),
            at_least_one: false,
            ..self
        }
    }
}

impl Led {
    /// How many bytes lie where a member would read, without reading them.
    pub(super) async fn look(
        self: &Rc<Self>,
        shard: &Rc<Shard>,
        bytes_max: usize,
    ) -> Result<Looked, Trouble> {
        let visible = self.visible(shard);
        let standing = self.standing(shard, &visible)?;
        let Some(from) = self.next(shard, &visible).filter(|from| *from < visible.up_to) else {
            return Ok(Looked { bytes: 0, standing });
        };
        let plan = self.partition.log().read(from, visible.up_to, bytes_max, true).await;
        let bytes = match plan {
            Ok(plan) => plan.bytes.min(bytes_max),
            Err(ReadError::OutOfRange { .. }) => 0,
            Err(error) => return Err(refusal(&error).into()),
        };
        Ok(Looked { bytes, standing })
    }

    pub(super) async fn take(
        self: &Rc<Self>,
        shard: &Rc<Shard>,
        member: &Member,
        wish: Wish,
    ) -> Result<Taken, Trouble> {
        let mut turn = self.reading.enter();
        if !turn.is_front() {
            turn.come().await;
        }
        self.expire(shard);
        let visible = self.visible(shard);
        let nothing = |led: &Rc<Led>| led.standing(shard, &visible).map(Taken::Nothing);
        let Some(mut at) = self.next(shard, &visible) else { return nothing(self) };
        let mut left = wish.bytes_max.min(wish.part_bytes_max);
        if wish.records_max <= 0 || at >= visible.up_to {
            return nothing(self);
        }
        let mut given = Given::default();
        loop {
            let Some(piece) = self.piece(at, &visible, left.min(PIECE)).await? else { break };
            let may_exceed = wish.at_least_one && !given.begun;
            if piece.bytes.len() > left && !may_exceed {
                break;
            }
            let Some(last) = piece.found.last() else { break };
            let (next, size) = (Offset(last.batch.last + 1), piece.bytes.len());
            let want = Want {
                records_max: wish.records_max.saturating_sub(given.records()),
                strict: wish.strict,
                entry_records: wish.range_records,
            };
            let batches: Vec<_> = piece.found.iter().map(|found| found.batch).collect();
            let acquired = self.with(shard, |machine, now| {
                let acquired = machine.acquire(member, at.0, &batches, want, now);
                let goes_on = machine.may_acquire() && machine.next_fetch_offset() >= next.0;
                (acquired, goes_on)
            });
            let Some((acquired, goes_on)) = acquired else {
                return Err(ReadRefusal::NotHere.into());
            };
            // What was delivered before is given in small portions: they end here.
            let is_first = acquired.iter().all(|range| range.deliveries == 1);
            given.add(piece, acquired, wish.range_records);
            left = left.saturating_sub(size);
            let is_over = given.records() >= wish.records_max || left == 0 || next >= visible.up_to;
            if is_over || !goes_on || !is_first {
                break;
            }
            at = next;
        }
        self.arm(shard);
        if given.acquired.is_empty() {
            return nothing(self);
        }
        Ok(Taken::Records { batches: given.batches, acquired: given.acquired })
    }

    /// Where a member would read; `None` if nothing can be acquired now.
    fn next(&self, shard: &Shard, visible: &Visible) -> Option<Offset> {
        self.with(shard, |machine, _| {
            if machine.next_fetch_offset() < visible.start.0 {
                // Records were deleted that nobody will get any more.
                machine.log_starts_at(visible.start.0);
            }
            machine.may_acquire().then(|| Offset(machine.next_fetch_offset()))
        })
        .flatten()
    }

    /// Or what went wrong with taking it up, told once.
    fn standing(&self, shard: &Shard, visible: &Visible) -> Result<Standing, Trouble> {
        if let Some(trouble) = self.trouble() {
            shard.shares.remove(shard, self);
            return Err(trouble);
        }
        let acquirable = self.with(shard, |machine, _| machine.may_acquire()).unwrap_or(false);
        let high_watermark = visible.high_watermark;
        Ok(Standing { changes: self.changes(), high_watermark, acquirable })
    }

    fn visible(&self, shard: &Shard) -> Visible {
        let read_committed = self.rules(shard).read_committed;
        let (log, high_watermark) = (self.partition.log(), self.partition.high_watermark());
        let up_to = match read_committed {
            true => log.last_stable(high_watermark),
            false => high_watermark,
        };
        Visible { start: log.log_start(), up_to, high_watermark, read_committed }
    }

    /// Whole batches from `at` on, at least one; `None` where there is nothing to read.
    async fn piece(
        &self,
        at: Offset,
        visible: &Visible,
        bytes_max: usize,
    ) -> Result<Option<Piece>, Trouble> {
        let log = self.partition.log();
        let failed = |error: ReadError| Trouble::from(refusal(&error));
        // First what was aborted: when compaction has removed the data, it is no longer listed.
        let aborted = match visible.read_committed {
            true => log.aborted(at, visible.up_to).await.map_err(failed)?,
            false => Vec::new(),
        };
        let bytes = match log.read_copied(at, visible.up_to, bytes_max).await {
            Ok(bytes) => bytes,
            // The state may begin behind the log's end.
            Err(ReadError::OutOfRange { .. }) => return Ok(None),
            Err(error) => return Err(failed(error)),
        };
        let mut found = find(&bytes, &aborted).ok_or(ReadRefusal::Corrupt)?;
        // The log gives about so many.
        let mut is_first = true;
        found.retain(|found| std::mem::take(&mut is_first) || found.to <= bytes_max);
        let bytes = bytes.slice(..found.last().map_or(0, |found| found.to));
        Ok(Some(Piece { bytes, found }))
    }
}

struct Piece {
    bytes: Bytes,
    found: Vec<Found>,
}

/// What one fetch gets.
#[derive(Default)]
struct Given {
    /// A piece was looked at.
    begun: bool,
    batches: Vec<Bytes>,
    acquired: Vec<Acquired>,
    /// Batches behind those, which go with them if more is acquired behind.
    behind: Vec<Bytes>,
}

impl Given {
    fn records(&self) -> i32 {
        i32::try_from(records(&self.acquired)).unwrap_or(i32::MAX)
    }

    fn add(&mut self, piece: Piece, acquired: Vec<Acquired>, range_records: i32) {
        self.begun = true;
        let Piece { bytes, found } = piece;
        let (Some(first), Some(last)) = (acquired.first(), acquired.last()) else {
            if !self.batches.is_empty() {
                self.behind.push(bytes);
            }
            return;
        };
        let holds = |offset: i64| {
            move |found: &&Found| found.batch.first <= offset && offset <= found.batch.last
        };
        let end = bytes.len();
        let from = found.iter().find(holds(first.first)).map_or(0, |found| found.from);
        let to = found.iter().find(holds(last.last)).map_or(end, |found| found.to);
        let from = if self.batches.is_empty() { from } else { 0 };
        self.batches.append(&mut self.behind);
        self.batches.push(bytes.slice(from..to));
        if to < end {
            self.behind.push(bytes.slice(to..end));
        }
        let mut acquired = acquired.into_iter();
        if let Some(before) = self.acquired.last_mut()
            && let Some(range) = acquired.next()
        {
            let adjoins = before.last + 1 == range.first && before.deliveries == range.deliveries;
            if adjoins && before.last - before.first + 1 < i64::from(range_records) {
                before.last = range.last;
            } else {
                self.acquired.push(range);
            }
        }
        self.acquired.extend(acquired);
    }
}

fn records(acquired: &[Acquired]) -> i64 {
    acquired.iter().map(|range| range.last - range.first + 1).sum()
}

/// The whole batches of a piece of the log, the hidden ones marked: those of control records, and of transactions in `aborted`.
/// `None` if it cannot be read.
fn find(bytes: &Bytes, aborted: &[AbortedTransaction]) -> Option<Vec<Found>> {
    let mut coming: Vec<_> = aborted.to_vec();
    coming.sort_unstable_by_key(|transaction| std::cmp::Reverse(transaction.first_offset));
    let mut open: HashSet<ProducerId> = HashSet::new();
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(header) = BatchHeader::read(bytes.get(at..)?) {
        header.check().ok()?;
        let to = at.checked_add(header.size())?;
        if to > bytes.len() {
            // A torn one at the end.
            break;
        }
        let (first, last) = (header.base_offset, header.last_offset());
        while coming.last().is_some_and(|transaction| transaction.first_offset <= last) {
            open.extend(coming.pop().map(|transaction| transaction.producer_id));
        }
        if header.is_control() && ends_aborted(&bytes.slice(at..to)) {
            open.remove(&header.producer_id);
        }
        let is_aborted = header.is_transactional() && open.contains(&header.producer_id);
        let hidden = header.is_control() || is_aborted;
        let batch = ReadBatch { first: first.0, last: last.0, hidden };
        found.push(Found { batch, from: at, to });
        at = to;
    }
    Some(found)
}

/// Whether this batch is the marker of an aborted transaction.
fn ends_aborted(bytes: &Bytes) -> bool {
    let Ok((batch, _)) = Batch::parse_first(bytes) else { return false };
    let record = batch
        .records()
        .next_record()
        .ok()
        .flatten()
        .and_then(|record| record.key.and_then(ControlType::parse));
    record == Some(ControlType::Abort)
}

fn refusal(error: &ReadError) -> ReadRefusal {
    match error {
        ReadError::OutOfRange { .. } => ReadRefusal::OutOfRange,
        ReadError::Damaged { .. } => ReadRefusal::Corrupt,
        ReadError::Io(..) => ReadRefusal::Offline,
    }
}

#[cfg(test)]
mod tests;
