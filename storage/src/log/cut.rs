//! Where a log is cut, and what it was there: the segment that holds the place, its indexes, the producers.
//!
//! A producer's state is only known for the end of a log. So the newest snapshot that is not behind the place is taken, and the batches from
//! there on are applied to it, as Kafka does: at most a segment, where the snapshots are there. Segments that were compacted do not have all
//! batches: a producer that has none behind them is forgotten, rather than taken for what it was before.

use bytes::Bytes;

use super::Log;
use super::find::Lookup;
use crate::batch::Batch;
use crate::batch::scan::{Front, front};
use crate::error::TruncateError;
use crate::index::{OffsetIndex, TimeIndex};
use crate::manifest::SegmentState;
use crate::producer::ProducerStates;
use crate::runtime::{Runtime, read_file};
use crate::segment::files::{Kind, file_name};
use crate::units::{Offset, Timestamp};

/// One read of a segment.
const READ_BYTES: usize = 256 << 10;

/// What is left of a log.
pub(super) struct Cut {
    pub(super) end: Offset,
    /// Its last segment, as it is then; none where nothing is left.
    pub(super) kept: Option<SegmentState>,
    pub(super) producers: ProducerStates,
}

/// What a segment holds below a place.
struct Below {
    /// Where it is.
    position: u64,
    end: Offset,
    first_timestamp: Timestamp,
    max_timestamp: Timestamp,
    max_timestamp_at: Offset,
}

impl<R: Runtime> Log<R> {
    /// Where the log is cut so that it ends at `to`, or where the batch begins that holds it. The log stands still, and `to` is in it.
    pub(super) async fn find_cut(&self, to: Offset) -> Result<Cut, TruncateError> {
        let (log_start, rewritten, bases) = {
            let state = self.state();
            let below = state.segments.iter().map(|segment| segment.base);
            let bases = below.take_while(|base| *base < to).collect::<Vec<Offset>>();
            (state.log_start, state.rewritten, bases)
        };
        // Of what the cleaner has been at, the last segment alone is looked at, and not for producers.
        let cleaned = bases.partition_point(|base| *base < rewritten);
        let known = &bases[cleaned.min(bases.len().saturating_sub(1))..];
        let (mut producers, from) = self.producers_before(known).await;
        let mut below = None;
        for base in known.iter().filter(|base| **base >= from) {
            below = Some(self.walk(*base, to, &mut producers).await?);
        }
        if cleaned == bases.len() {
            producers = ProducerStates::new(to);
        }
        let Some((last, below)) = bases.last().zip(below) else {
            return self.cut_of(log_start, None, producers);
        };
        if below.end <= log_start {
            return self.cut_of(log_start, None, producers);
        }
        let kept = if below.end > *last {
            // Where the segment has no file yet, its indexes have none either: the entry holds them. A replay takes a log without files
            // for one without a directory.
            if self.state().segment(*last).is_some_and(|segment| segment.filed > 0) {
                self.file_indexes(*last).await?;
            }
            self.kept(*last, &below).await?
        } else {
            // The one before it stays as it is.
            let before = bases.len().checked_sub(2).map(|index| bases[index]);
            let state = self.state();
            before.and_then(|base| state.segment(base)).map(SegmentState::of)
        };
        self.cut_of(below.end, kept, producers)
    }

    /// The producers go through the same bytes as in a replay, so that they are the same.
    fn cut_of(
        &self,
        end: Offset,
        kept: Option<SegmentState>,
        producers: ProducerStates,
    ) -> Result<Cut, TruncateError> {
        let core = self.core();
        let (now, expiration) = (core.runtime.now(), core.producer_expiration_ms.get());
        let known = producers.remembered();
        let producers = ProducerStates::from_snapshot(end, &known, Timestamp(now), expiration);
        let producers = producers.map_err(|error| self.uncut(error.to_string()))?;
        Ok(Cut { end, kept, producers })
    }

    /// The producers' state where one of these segments begins, the last one for which it is known, and where that is.
    async fn producers_before(&self, bases: &[Offset]) -> (ProducerStates, Offset) {
        let first = bases.first().copied().unwrap_or(Offset(0));
        let last = bases.last().copied().unwrap_or(first);
        if self.state().producers.is_empty() {
            return (ProducerStates::new(last), last);
        }
        let core = self.core();
        let (now, expiration) = (core.runtime.now(), core.producer_expiration_ms.get());
        let directory = self.state().directory.clone();
        for base in bases.iter().rev() {
            let path = directory.join(file_name(*base, Kind::Snapshot));
            // One that is damaged is as good as none.
            let Ok(bytes) = read_file(&core.runtime, &path).await else { continue };
            let states = ProducerStates::from_snapshot(*base, &bytes, Timestamp(now), expiration);
            if let Ok(states) = states {
                return (states, *base);
            }
        }
        (ProducerStates::new(first), first)
    }

    /// Goes through a segment's batches below `to`, and applies them to the producers.
    async fn walk(
        &self,
        base: Offset,
        to: Offset,
        producers: &mut ProducerStates,
    ) -> Result<Below, TruncateError> {
        let mut below = Below {
            position: 0,
            end: base,
            first_timestamp: Timestamp(-1),
            max_timestamp: Timestamp(-1),
            max_timestamp_at: base,
        };
        let next = self.state().segment(base).map_or(base, |segment| segment.next);
        let (mut bytes, mut least) = (Bytes::new(), READ_BYTES);
        loop {
            let batch = match front(&bytes) {
                Front::Whole(_) => Batch::parse_first(&bytes),
                Front::Bad(error) => Err(error),
                Front::Partial { .. } | Front::Empty => {
                    let read = self.segment_bytes(base, below.position, least).await;
                    let read = read.map_err(|error| self.uncut(describe(&error)))?;
                    if read.is_empty() {
                        // Compaction may have left nothing at its end.
                        below.end = next.min(to);
                        return Ok(below);
                    }
                    if read.len() <= bytes.len() {
                        return Err(self.uncut("a segment ends inside a batch".to_owned()));
                    }
                    least = match front(&read) {
                        Front::Partial { size } => size.max(READ_BYTES),
                        _ => READ_BYTES,
                    };
                    bytes = read;
                    continue;
                }
            };
            let (batch, size) = batch.map_err(|error| self.uncut(error.to_string()))?;
            if batch.last_offset() >= to {
                below.end = to.min(batch.base_offset());
                return Ok(below);
            }
            producers.apply(&batch.info());
            if below.position == 0 {
                below.first_timestamp = batch.max_timestamp();
            }
            if batch.max_timestamp() > below.max_timestamp {
                below.max_timestamp = batch.max_timestamp();
                below.max_timestamp_at = batch.last_offset();
            }
            below.position += size as u64;
            bytes = bytes.slice(size..);
        }
    }

    /// The segment as it is when it ends there.
    async fn kept(
        &self,
        base: Offset,
        below: &Below,
    ) -> Result<Option<SegmentState>, TruncateError> {
        let offsets = self.index_bytes(base, Kind::OffsetIndex).await;
        let offsets = offsets.map_err(|error| self.uncut(describe(&error)))?;
        let times = self.index_bytes(base, Kind::TimeIndex).await;
        let times = times.map_err(|error| self.uncut(describe(&error)))?;
        let state = self.state();
        let Some(segment) = state.segment(base) else { return Ok(None) };
        let mut kept = SegmentState::of(segment);
        let position = u32::try_from(below.position).unwrap_or(u32::MAX);
        if position == kept.length && below.end == kept.next {
            return Ok(Some(kept));
        }
        let times_length = TimeIndex::new(base, &times).truncated_length(below.end);
        let last = TimeIndex::new(base, &times[..times_length]).last();
        kept.next = below.end;
        kept.length = position;
        kept.filed = kept.filed.min(position);
        kept.first_timestamp = below.first_timestamp;
        kept.max_timestamp = below.max_timestamp;
        kept.max_timestamp_at = below.max_timestamp_at;
        let offsets_length = OffsetIndex::new(base, &offsets).truncated_length(below.end);
        (kept.offsets, kept.more_offsets) = split(&offsets[..offsets_length], kept.offsets);
        (kept.times, kept.more_times) = split(&times[..times_length], kept.times);
        kept.indexed_timestamp = last.map_or(Timestamp(-1), |last| last.timestamp);
        kept.finished = false;
        let mut segment = kept.open();
        segment.add_time_entry();
        Ok(Some(SegmentState::of(&segment)))
    }

    fn uncut(&self, what: String) -> TruncateError {
        TruncateError::Unreadable { directory: self.state().directory.clone(), what }
    }
}

/// How many bytes of an index its file has, and those that it does not have.
fn split(index: &[u8], filed: u64) -> (u64, Vec<u8>) {
    let in_file = usize::try_from(filed).unwrap_or(usize::MAX).min(index.len());
    (in_file as u64, index[in_file..].to_vec())
}

fn describe(error: &Lookup) -> String {
    match error {
        Lookup::Read(error) => error.to_string(),
        Lookup::Suspect { base, position, what } => {
            format!("segment {}: {what} at {position}", base.0)
        }
    }
}
