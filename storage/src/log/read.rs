//! Reads: a plan of slices, made under the borrow, carried out by whoever sends it.
//!
//! What is in the tail is answered without suspending. Below it, the offset index says where to look, and the plan names
//! ranges of the segment's file that end at what is complete in it: bytes below `filed` never change. A range may end
//! inside a batch, as Kafka's do, but never holds a byte of a batch at or above `up_to`, nor of one that is marked as damaged. Where
//! compaction puts another segment in the place of one that is being looked at, the lookup begins anew; a plan that is made keeps its
//! files.

use bytes::{Bytes, BytesMut};

use super::Log;
use super::find::Lookup;
use crate::batch::BatchHeader;
use crate::batch::scan::FoundBatch;
use crate::error::ReadError;
use crate::partition::Partition;
use crate::runtime::Runtime;
use crate::segment::files::Kind;
use crate::units::Offset;

/// Slices smaller than this that follow each other are copied into one: an io vector costs more than they do.
const COPY_BELOW: usize = 1024;

/// Bytes to send, in order.
#[derive(Clone, Debug)]
pub struct ReadPlan<F> {
    pub slices: Vec<Slice<F>>,
    pub bytes: usize,
}

#[derive(Clone, Debug)]
pub enum Slice<F> {
    Memory(Bytes),
    File { file: F, position: u64, length: u64 },
}

impl<F> Default for ReadPlan<F> {
    fn default() -> Self {
        ReadPlan { slices: Vec::new(), bytes: 0 }
    }
}

impl<F> ReadPlan<F> {
    fn push_memory(&mut self, bytes: Bytes) {
        self.bytes += bytes.len();
        if bytes.len() < COPY_BELOW
            && let Some(Slice::Memory(last)) = self.slices.last_mut()
            && last.len() < COPY_BELOW
        {
            let mut both = BytesMut::with_capacity(2 * COPY_BELOW);
            both.extend_from_slice(last);
            both.extend_from_slice(&bytes);
            *last = both.freeze();
            return;
        }
        self.slices.push(Slice::Memory(bytes));
    }

    fn push_file(&mut self, file: F, position: u64, length: u64) {
        self.bytes += usize::try_from(length).unwrap_or(usize::MAX);
        self.slices.push(Slice::File { file, position, length });
    }
}

impl<R: Runtime> Log<R> {
    /// Whole batches from the one that holds `from`, below `up_to`, about `max_bytes`: the first batch even if it is
    /// larger, if `at_least_one`. An empty plan where nothing can be read yet. [`ReadError::OutOfRange`] also where the log start passes `from`
    /// while it is looked for, and the files go with it.
    pub async fn read(
        &self,
        from: Offset,
        up_to: Offset,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<ReadPlan<R::File>, ReadError> {
        self.check_range(from)?;
        {
            let state = self.state();
            if from >= up_to.min(state.end) {
                return Ok(ReadPlan::default());
            }
            if state.tail.first_offset().is_some_and(|first| first <= from) {
                return Ok(from_tail(&state, from, up_to, max_bytes, at_least_one));
            }
        }
        let found =
            self.look(async || self.read_files(from, up_to, max_bytes, at_least_one).await).await;
        if !found.as_ref().is_ok_and(|plan| plan.bytes > 0) {
            self.check_range(from)?;
        }
        found
    }

    fn check_range(&self, from: Offset) -> Result<(), ReadError> {
        let state = self.state();
        match from < state.log_start || from > state.end {
            true => Err(ReadError::OutOfRange {
                offset: from,
                log_start: state.log_start,
                end: state.end,
            }),
            false => Ok(()),
        }
    }

    /// A plan that begins below the tail, and may go on into it.
    async fn read_files(
        &self,
        from: Offset,
        up_to: Offset,
        max_bytes: usize,
        at_least_one: bool,
    ) -> Result<ReadPlan<R::File>, Lookup> {
        self.learn_damage().await;
        if let Some(mark) = self.state().mark_of(from) {
            return Err(self.damaged(mark.segment, mark.position).into());
        }
        let Some((segment, found)) = self.find_batch(from).await? else {
            return Ok(ReadPlan::default());
        };
        // The log start may have moved while the index was read.
        self.check_range(from)?;
        let mut plan = ReadPlan::default();
        if found.header.base_offset >= up_to {
            return Ok(plan);
        }
        let first = found.header.size();
        if first > max_bytes && !at_least_one {
            return Ok(plan);
        }
        let wanted = max_bytes.max(first) as u64;
        let start = found.position;
        let end = match self.limit(segment, start, up_to)? {
            Some(end) => end,
            None => self.position_of(segment, up_to).await?,
        };
        let end = end.min(start + wanted);
        self.plan_range(&mut plan, segment, start, end).await?;
        Ok(plan)
    }

    /// Where the segment ends, or what may be read of it, if that is known without looking.
    fn limit(&self, base: Offset, start: u64, up_to: Offset) -> Result<Option<u64>, ReadError> {
        let state = self.state();
        let Some(segment) = state.segment(base) else { return Ok(None) };
        let whole = (segment.next <= up_to).then_some(u64::from(segment.length));
        match state.mark_from(base, start) {
            Some(mark) if mark.position <= start => Err(self.damaged(base, mark.position)),
            Some(mark) if mark.from <= up_to => Ok(Some(mark.position)),
            _ => Ok(whole),
        }
    }

    /// Where the first batch at or above `up_to` begins: no byte from there on may be read.
    async fn position_of(&self, segment: Offset, up_to: Offset) -> Result<u64, Lookup> {
        match self.find_in_segment(segment, up_to).await? {
            Some(found) => Ok(found.position),
            None => {
                Ok(self.state().segment(segment).map_or(0, |segment| u64::from(segment.length)))
            }
        }
    }

    /// Adds `[start, end)` of a segment: the file as far as it goes, then memory.
    async fn plan_range(
        &self,
        plan: &mut ReadPlan<R::File>,
        base: Offset,
        start: u64,
        end: u64,
    ) -> Result<(), Lookup> {
        let filed_now = || self.state().segment(base).map(|segment| u64::from(segment.filed));
        let Some(filed) = filed_now() else { return Ok(()) };
        let file = if end.min(filed) > start {
            let file = self.core().files.readable(self.core(), self, base, Kind::Log).await;
            Some(file.map_err(|error| self.io_error(base, error))?)
        } else {
            None
        };
        // While the file was opened, memory may have been given back to it: from here on nothing waits.
        let Some(filed) = filed_now() else { return Ok(()) };
        let in_file = end.min(filed).saturating_sub(start);
        let filed = match file {
            Some(file) if in_file > 0 => {
                plan.push_file(file, start, in_file);
                self.missed(base, start, in_file);
                filed
            }
            _ => start,
        };
        let state = self.state();
        let from = start.max(filed);
        let mut at = u32::try_from(from).unwrap_or(u32::MAX);
        for piece in state.tail.pieces_from(base, at) {
            if u64::from(at) >= end || piece.position > at {
                break;
            }
            let cut = (at - piece.position) as usize;
            let take = (piece.bytes.len() - cut)
                .min(usize::try_from(end - u64::from(at)).unwrap_or(usize::MAX));
            plan.push_memory(piece.bytes.slice(cut..cut + take));
            at += u32::try_from(take).unwrap_or(u32::MAX);
        }
        Ok(())
    }
}

/// Everything that is asked for is in memory.
fn from_tail<F>(
    state: &Partition,
    from: Offset,
    up_to: Offset,
    max_bytes: usize,
    at_least_one: bool,
) -> ReadPlan<F> {
    let mut plan = ReadPlan::default();
    for (piece, span) in state.tail.batches_from(from) {
        let first = plan.slices.is_empty();
        if span.last >= up_to
            || (plan.bytes + piece.bytes.len() > max_bytes && !(first && at_least_one))
        {
            break;
        }
        plan.push_memory(piece.bytes.clone());
    }
    plan
}

impl Partition {
    /// The bytes `[at, end)` of a segment as far as memory has them.
    pub(crate) fn bytes_in_memory(&self, base: Offset, at: u64, end: u64) -> Bytes {
        let mut bytes = BytesMut::new();
        self.copy_from_tail(base, at, end, &mut bytes);
        bytes.freeze()
    }

    /// Adds the bytes `[at, end)` of a segment as far as memory has them.
    pub(super) fn copy_from_tail(&self, base: Offset, at: u64, end: u64, out: &mut BytesMut) {
        let mut at = u32::try_from(at).unwrap_or(u32::MAX);
        for piece in self.tail.pieces_from(base, at) {
            if piece.position > at || u64::from(at) >= end {
                return;
            }
            let part = &piece.bytes[(at - piece.position) as usize..];
            let room = usize::try_from(end - u64::from(at)).unwrap_or(usize::MAX);
            out.extend_from_slice(&part[..part.len().min(room)]);
            at = piece.end();
        }
    }

    pub(super) fn find_in_tail(&self, base: Offset, offset: Offset) -> Option<FoundBatch> {
        if self.tail.first_offset()? > offset {
            return None;
        }
        let (piece, _) = self.tail.batches_from(offset).next()?;
        if piece.segment != base {
            return None;
        }
        let header = BatchHeader::read(&piece.bytes)?;
        Some(FoundBatch { position: u64::from(piece.position), header })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::rc::Rc;
    use std::time::Duration;

    use super::*;
    use crate::simulation::hand::{append, disk, open, run};

    /// Found by the simulation: retention took the segment while a reader looked for it, and the answer was that there is nothing to read yet.
    #[test]
    fn what_retention_takes_meanwhile_is_out_of_range() {
        let counts = Rc::new([Cell::new(0), Cell::new(0)]);
        for seed in 0..100 {
            let counts = Rc::clone(&counts);
            run(seed, &disk(), async move |runtime| {
                let (store, log) = open(&runtime).await;
                append(&store, &log, 12_000).await.ticket.await.unwrap();
                log.state_mut().roll(runtime.now());
                log.request_drain();
                while !log.state().segments[0].finished {
                    runtime.sleep(Duration::from_millis(1)).await;
                }
                append(&store, &log, 10).await.ticket.await.unwrap();
                log.state_mut().tail.drop_below(Offset(1), 0);
                let retention = async {
                    runtime.sleep(Duration::from_micros(seed)).await;
                    log.advance_log_start(Offset(1)).unwrap();
                };
                let read = log.read(Offset(0), log.end(), 1 << 20, true);
                let served = match futures::join!(read, retention).0 {
                    Ok(plan) if plan.bytes > 0 => true,
                    Err(ReadError::OutOfRange { .. }) => false,
                    other => panic!("seed {seed}: {:?}", other.map(|plan| plan.bytes)),
                };
                let count = &counts[usize::from(served)];
                count.set(count.get() + 1);
            });
        }
        assert!(counts.iter().all(|count| count.get() > 0), "{counts:?}");
    }
}
