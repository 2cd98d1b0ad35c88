//! Lookups by offset and by time: through the indexes, then through the batches.

use super::Log;
use super::find::Lookup;
use crate::batch::scan::{MaxTimestampScan, Step, TimestampScan};
use crate::error::ReadError;
use crate::index::TimeIndex;
use crate::planted::{Bug, is};
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
        self.look(async || self.seek_timestamp(timestamp, up_to).await).await
    }

    async fn seek_timestamp(
        &self,
        timestamp: Timestamp,
        up_to: Offset,
    ) -> Result<Option<FoundOffset>, Lookup> {
        self.learn_damage().await;
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

    /// Damage on the way is an error: the record may be there.
    async fn seek_in_segment(
        &self,
        base: Offset,
        timestamp: Timestamp,
    ) -> Result<Option<FoundOffset>, Lookup> {
        let start = self.seek_start(base, timestamp).await?;
        let from = self.log_start();
        let mut scan = TimestampScan::new(timestamp, from, start);
        let mut want = FEED_BYTES;
        loop {
            let position = scan.position();
            let bytes = self.segment_bytes(base, position, want).await?;
            match scan.feed(&bytes, SLICE_BYTES) {
                Ok(Step::Found(found)) => {
                    return Ok(Some(FoundOffset {
                        offset: found.offset,
                        timestamp: found.timestamp,
                    }));
                }
                Ok(Step::Feed { at_least }) if bytes.len() < at_least && bytes.len() < want => {
                    if self.is_end(base, scan.position()) {
                        return Ok(None);
                    }
                    if bytes.is_empty() || scan.position() == position {
                        return Err(self.suspect(base, position));
                    }
                }
                Ok(Step::Feed { at_least }) => want = at_least.max(FEED_BYTES),
                Ok(Step::Busy) => self.core().runtime.sleep(std::time::Duration::ZERO).await,
                Err(_) => return Err(self.suspect(base, scan.position())),
            }
        }
    }

    /// The batch up to which everything in the segment is older than this time, says the time index. It is believed if that batch has
    /// the time that the index gives it.
    async fn seek_start(&self, base: Offset, timestamp: Timestamp) -> Result<u64, Lookup> {
        let times = self.index_bytes(base, Kind::TimeIndex).await?;
        let below = TimeIndex::new(base, &times).lookup(Timestamp(timestamp.0 - 1));
        if below.timestamp == Timestamp::NONE {
            return Ok(0);
        }
        if let Some(mark) = self.state().mark_of(below.offset) {
            return Err(self.damaged(base, mark.position).into());
        }
        match self.find_in_segment(base, below.offset).await? {
            Some(found)
                if found.header.max_timestamp == below.timestamp || is(Bug::HeaderBelieved) =>
            {
                Ok(found.position)
            }
            _ => {
                let what = "the time index names a batch with another time".to_owned();
                Err(Lookup::Suspect { base, position: 0, what })
            }
        }
    }

    fn is_end(&self, base: Offset, position: u64) -> bool {
        self.state().segment(base).is_none_or(|segment| u64::from(segment.length) <= position)
    }

    fn suspect(&self, base: Offset, position: u64) -> Lookup {
        Lookup::Suspect { base, position, what: "a batch cannot be read".to_owned() }
    }

    /// The record with the largest timestamp below `up_to`: the first that has it.
    pub async fn max_timestamp_offset(
        &self,
        up_to: Offset,
    ) -> Result<Option<FoundOffset>, ReadError> {
        self.look(async || match self.seek_max(up_to, false).await {
            // Compaction may have emptied the batch that has it: then the batches are asked.
            Ok(None) if self.state().rewritten > Offset(0) => self.seek_max(up_to, true).await,
            other => other,
        })
        .await
    }

    async fn seek_max(&self, up_to: Offset, exactly: bool) -> Result<Option<FoundOffset>, Lookup> {
        self.learn_damage().await;
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
    ) -> Result<Option<(Timestamp, Offset)>, Lookup> {
        let end = match self.find_in_segment(base, up_to).await? {
            Some(found) => found.position,
            None => self.state().segment(base).map_or(0, |segment| u64::from(segment.length)),
        };
        let mut scan = MaxTimestampScan::new(0, end);
        let mut want = FEED_BYTES;
        loop {
            let position = scan.position();
            if position >= end {
                return Ok(scan.found());
            }
            let bytes = self.segment_bytes(base, position, want).await?;
            match scan.feed(&bytes) {
                Ok(Step::Found(found)) => return Ok(found),
                Ok(Step::Feed { at_least }) if bytes.len() < at_least && bytes.len() < want => {
                    if bytes.is_empty() || scan.position() == position {
                        return Err(self.suspect(base, position));
                    }
                }
                Ok(Step::Feed { at_least }) => want = at_least.max(FEED_BYTES),
                Ok(Step::Busy) => {}
                Err(_) => return Err(self.suspect(base, scan.position())),
            }
        }
    }
}
