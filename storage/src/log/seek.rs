//! Lookups by offset and by time: through the indexes, then through the batches.

use bytes::Bytes;

use super::Log;
use crate::batch::scan::{MaxTimestampScan, Step, TimestampScan};
use crate::error::ReadError;
use crate::index::{OffsetIndex, TimeIndex};
use crate::runtime::Runtime;
use crate::segment::files::Kind;
use crate::units::{Offset, Timestamp};

/// A record found by its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundOffset {
    pub offset: Offset,
    pub timestamp: Timestamp,
}

const FEED_BYTES: usize = 64 << 10;
/// Record bytes that are looked at before other tasks of the shard have their turn.
const SLICE_BYTES: usize = 256 << 10;

impl<R: Runtime> Log<R> {
    /// The first record of this time or later, below `up_to`; exact, inside compressed batches too.
    pub async fn offset_for_timestamp(
        &self,
        timestamp: Timestamp,
        up_to: Offset,
    ) -> Result<Option<FoundOffset>, ReadError> {
        loop {
            let swaps = self.swaps();
            let found = self.seek_timestamp(timestamp, up_to).await;
            if !self.is_disturbed(swaps) {
                return found;
            }
        }
    }

    async fn seek_timestamp(
        &self,
        timestamp: Timestamp,
        up_to: Offset,
    ) -> Result<Option<FoundOffset>, ReadError> {
        let candidates: Vec<Offset> = {
            let state = self.state();
            let candidates =
                state.segments.iter().filter(|segment| segment.max_timestamp >= timestamp);
            candidates.map(|segment| segment.base).collect()
        };
        for base in candidates {
            if let Some(found) = self.seek_in_segment(base, timestamp).await? {
                return Ok(Some(found).filter(|found| found.offset < up_to));
            }
        }
        Ok(None)
    }

    async fn seek_in_segment(
        &self,
        base: Offset,
        timestamp: Timestamp,
    ) -> Result<Option<FoundOffset>, ReadError> {
        // Everything up to the entry before this time is older.
        let times = self.index_bytes(base, Kind::TimeIndex).await?;
        let below = TimeIndex::new(base, &times).lookup(Timestamp(timestamp.0 - 1));
        let start = self.index_lookup(base, below.offset).await?;
        let from = self.log_start();
        let mut scan = TimestampScan::new(timestamp, from, u64::from(start));
        let mut want = FEED_BYTES;
        loop {
            let bytes = self.segment_bytes(base, scan.position(), want).await?;
            match scan.feed(&bytes, SLICE_BYTES) {
                Ok(Step::Found(found)) => {
                    return Ok(Some(FoundOffset {
                        offset: found.offset,
                        timestamp: found.timestamp,
                    }));
                }
                Ok(Step::Feed { at_least }) if bytes.len() < at_least && bytes.len() < want => {
                    return Ok(None);
                }
                Ok(Step::Feed { at_least }) => want = at_least.max(FEED_BYTES),
                Ok(Step::Busy) => self.core().runtime.sleep(std::time::Duration::ZERO).await,
                Err(_) => return Err(self.damaged(base, scan.position())),
            }
        }
    }

    /// The record with the largest timestamp below `up_to`: the first that has it.
    pub async fn max_timestamp_offset(
        &self,
        up_to: Offset,
    ) -> Result<Option<FoundOffset>, ReadError> {
        loop {
            let swaps = self.swaps();
            let found = match self.seek_max(up_to, false).await {
                // Compaction may have emptied the batch that has it: then the batches are asked.
                Ok(None) if self.state().rewritten > Offset(0) => self.seek_max(up_to, true).await,
                other => other,
            };
            if !self.is_disturbed(swaps) {
                return found;
            }
        }
    }

    async fn seek_max(
        &self,
        up_to: Offset,
        exactly: bool,
    ) -> Result<Option<FoundOffset>, ReadError> {
        let mut best: Option<(Timestamp, Offset)> = None;
        let segments: Vec<(Offset, Offset, Timestamp)> = {
            let state = self.state();
            state
                .segments
                .iter()
                .map(|segment| (segment.base, segment.next, segment.max_timestamp))
                .collect()
        };
        for (base, next, max) in segments {
            if base >= up_to || best.is_some_and(|(timestamp, _)| timestamp >= max) || max.0 < 0 {
                continue;
            }
            let found = if next <= up_to && !exactly {
                Some((max, base))
            } else {
                self.max_in_segment(base, up_to).await?
            };
            if let Some(found) = found.filter(|found| best.is_none_or(|best| found.0 > best.0)) {
                best = Some((found.0, base));
            }
        }
        match best {
            Some((timestamp, base)) => self.seek_in_segment(base, timestamp).await,
            None => Ok(None),
        }
    }

    /// Of the batches below `up_to` in this segment, the largest max timestamp.
    async fn max_in_segment(
        &self,
        base: Offset,
        up_to: Offset,
    ) -> Result<Option<(Timestamp, Offset)>, ReadError> {
        let end = match self.find_in_segment(base, up_to).await? {
            Some(found) => found.position,
            None => self.state().segment(base).map_or(0, |segment| u64::from(segment.length)),
        };
        let mut scan = MaxTimestampScan::new(0, end);
        let mut want = FEED_BYTES;
        loop {
            let bytes = self.segment_bytes(base, scan.position(), want).await?;
            match scan.feed(&bytes) {
                Ok(Step::Found(found)) => return Ok(found),
                Ok(Step::Feed { at_least }) if bytes.len() < at_least && bytes.len() < want => {
                    return Ok(None);
                }
                Ok(Step::Feed { at_least }) => want = at_least.max(FEED_BYTES),
                Ok(Step::Busy) => {}
                Err(_) => return Err(self.damaged(base, scan.position())),
            }
        }
    }

    /// A position in the segment at or before the batch that holds `offset`.
    pub(super) async fn index_lookup(
        &self,
        base: Offset,
        offset: Offset,
    ) -> Result<u32, ReadError> {
        let bytes = self.index_bytes(base, Kind::OffsetIndex).await?;
        Ok(OffsetIndex::new(base, &bytes).lookup(offset).position)
    }

    /// All entries of an index: those in its file, then those that are still in memory.
    async fn index_bytes(&self, base: Offset, kind: Kind) -> Result<Bytes, ReadError> {
        let (start, tail) = {
            let state = self.state();
            let Some(segment) = state.segment(base) else { return Ok(Bytes::new()) };
            let index = if kind == Kind::OffsetIndex { &segment.offsets } else { &segment.times };
            (index.start(), Bytes::copy_from_slice(index.bytes()))
        };
        let start = usize::try_from(start).unwrap_or(0);
        if start == 0 {
            return Ok(tail);
        }
        let core = self.core();
        let file = core
            .files
            .readable(core, self, base, kind)
            .await
            .map_err(|error| self.io_error(base, error))?;
        let filed = core
            .runtime
            .read_at(&file, 0, start)
            .await
            .map_err(|error| self.io_error(base, error))?;
        if tail.is_empty() {
            return Ok(filed);
        }
        Ok([filed, tail].concat().into())
    }
}
