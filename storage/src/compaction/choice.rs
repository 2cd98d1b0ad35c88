//! What is to be cleaned, and in which pieces: Kafka's rules (`LogCleanerManager`, `Cleaner.groupSegmentsBySize`), as functions of a
//! partition's state and the time.

use std::ops::Range;

use crate::partition::Partition;
use crate::segment::Segment;
use crate::units::Offset;

/// What of a log can be cleaned.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Cleanable {
    /// Nothing from here on was cleaned before.
    pub(super) first_dirty: Offset,
    /// The base of the first segment that cannot be cleaned yet.
    pub(super) end: Offset,
    /// The dirty share of what can be cleaned.
    pub(super) ratio: f64,
    /// `max.compaction.lag.ms` is over for some of it.
    pub(super) urgent: bool,
}

impl Partition {
    /// None where there is nothing to do. A segment can be cleaned when its files are final and everything in it is durable: the value
    /// that takes the place of an older one must not be lost when that one is gone.
    pub(super) fn cleanable(&self, now: i64) -> Option<Cleanable> {
        let config = &self.config;
        let is_held = self.held || self.truncating || self.is_marked();
        if !config.cleanup_compact || self.deleted || self.uncleanable || is_held {
            return None;
        }
        let first_dirty = if self.cleaned_to < self.log_start || self.cleaned_to > self.end {
            self.log_start
        } else {
            self.cleaned_to
        };
        let durable = self.durable.min(self.written);
        let final_ones =
            self.segments.iter().take(self.segments.len() - 1).take_while(|segment| {
                segment.finished && !segment.swapping && segment.next <= durable
            });
        let (mut clean, mut dirty, mut end, mut urgent) = (0, 0, self.segments[0].base, false);
        for segment in final_ones {
            let length = u64::from(segment.length);
            if segment.next > first_dirty {
                if config.min_compaction_lag_ms > 0
                    && newest(segment) > now.saturating_sub(config.min_compaction_lag_ms)
                {
                    break;
                }
                dirty += length;
                let oldest = segment.first_timestamp.0;
                urgent |= config.max_compaction_lag_ms < i64::MAX
                    && oldest > 0
                    && oldest < now.saturating_sub(config.max_compaction_lag_ms);
            } else {
                clean += length;
            }
            end = segment.next;
        }
        // The cleaner keeps offsets, and so a segment may end before its last one; the next one begins where it says.
        let end = self.segments.iter().map(|segment| segment.base).find(|base| *base >= end)?;
        if self.undecided == Some(end) {
            return None;
        }
        #[expect(clippy::cast_precision_loss, reason = "a share")]
        let ratio = if dirty == 0 { 0.0 } else { dirty as f64 / (clean + dirty) as f64 };
        let due = ratio > config.min_cleanable_dirty_ratio || (urgent && dirty > 0);
        due.then_some(Cleanable { first_dirty, end, ratio, urgent })
    }
}

fn newest(segment: &Segment) -> i64 {
    if segment.max_timestamp.0 >= 0 { segment.max_timestamp.0 } else { segment.opened }
}

/// What grouping must know of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Source {
    pub(super) base: Offset,
    pub(super) next: Offset,
    pub(super) length: u32,
    pub(super) index_bytes: u64,
    pub(super) time_index_bytes: u64,
    pub(super) newest: i64,
    pub(super) generation: u64,
}

impl Source {
    pub(super) fn of(segment: &Segment) -> Source {
        Source {
            base: segment.base,
            next: segment.next,
            length: segment.length,
            index_bytes: segment.offsets.length(),
            time_index_bytes: segment.times.length(),
            newest: newest(segment),
            generation: segment.generation,
        }
    }
}

/// Neighbours that together fit into one segment and its indexes.
pub(super) fn groups(
    sources: &[Source],
    bytes_max: u64,
    index_bytes_max: u64,
) -> Vec<Range<usize>> {
    let mut groups: Vec<Range<usize>> = Vec::new();
    let (mut bytes, mut index, mut times) = (0, 0, 0);
    for (at, source) in sources.iter().enumerate() {
        let fits = groups.last().is_some_and(|group| {
            bytes + u64::from(source.length) <= bytes_max
                && index + source.index_bytes <= index_bytes_max
                && times + source.time_index_bytes <= index_bytes_max
                && source.next - sources[group.start].base <= i64::from(i32::MAX)
        });
        match groups.last_mut().filter(|_| fits) {
            Some(group) => group.end = at + 1,
            None => {
                groups.push(at..at + 1);
                (bytes, index, times) = (0, 0, 0);
            }
        }
        bytes += u64::from(source.length);
        index += source.index_bytes;
        times += source.time_index_bytes;
    }
    groups
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use uuid::Uuid;

    use super::*;
    use crate::config::LogConfig;
    use crate::units::{PartitionId, Timestamp, TopicId};

    fn compacted(change: impl FnOnce(&mut LogConfig)) -> Partition {
        let mut config = LogConfig { cleanup_compact: true, ..LogConfig::default() };
        change(&mut config);
        let id = PartitionId { topic: TopicId(Uuid::from_u128(1)), partition: 0 };
        let mut partition = Partition::new(id, "t", PathBuf::new(), Arc::new(config), 0);
        partition.segments.clear();
        for number in 0..5 {
            let mut segment = Segment::new(Offset(number * 10), 0);
            segment.next = Offset(number * 10 + 10);
            segment.length = 100;
            segment.first_timestamp = Timestamp(1000 * (number + 1));
            segment.max_timestamp = Timestamp(1000 * (number + 1) + 500);
            segment.finished = number < 4;
            partition.segments.push_back(segment);
        }
        for end in [&mut partition.end, &mut partition.written, &mut partition.durable] {
            *end = Offset(50);
        }
        partition
    }

    fn range(partition: &Partition, now: i64) -> Option<(i64, i64)> {
        partition.cleanable(now).map(|found| (found.first_dirty.0, found.end.0))
    }

    #[test]
    fn only_final_and_durable_segments() {
        let mut partition = compacted(|_| ());
        assert_eq!(range(&partition, 9_999), Some((0, 40)));
        partition.durable = Offset(29);
        assert_eq!(range(&partition, 9_999), Some((0, 20)));
        partition.durable = Offset(50);
        partition.segments[3].finished = false;
        assert_eq!(range(&partition, 9_999), Some((0, 30)));
        partition.segments[1].swapping = true;
        assert_eq!(range(&partition, 9_999), Some((0, 10)));
        partition.uncleanable = true;
        assert_eq!(range(&partition, 9_999), None);
    }

    #[test]
    fn the_ratio_and_the_lags() {
        let mut partition = compacted(|_| ());
        for (cleaned_to, expected) in
            [(19, Some((19, 40))), (20, None), (40, None), (60, Some((0, 40)))]
        {
            partition.cleaned_to = Offset(cleaned_to);
            // At 20 half of it is clean: that is not more than the ratio.
            assert_eq!(range(&partition, 9_999), expected, "{cleaned_to}");
        }
        let mut partition = compacted(|config| config.max_compaction_lag_ms = 5_000);
        partition.cleaned_to = Offset(30);
        assert_eq!(range(&partition, 8_999), None);
        assert_eq!(range(&partition, 9_001), Some((30, 40)));
        let partition = compacted(|config| config.min_compaction_lag_ms = 5_000);
        assert_eq!(range(&partition, 7_600), Some((0, 20)));
        assert_eq!(range(&partition, 6_000), None);
        assert_eq!(range(&compacted(|config| config.cleanup_compact = false), 9_999), None);
    }

    #[test]
    fn neighbours_that_fit_are_one_group() {
        let source = |base: i64, length: u32| Source {
            base: Offset(base),
            next: Offset(base + 10),
            length,
            index_bytes: 8,
            time_index_bytes: 12,
            newest: 0,
            generation: 0,
        };
        let sources =
            [source(0, 60), source(10, 40), source(20, 1), source(30, 500), source(40, 0)];
        let found = |bytes, index| groups(&sources, bytes, index);
        assert_eq!(found(100, 1000), [0..2, 2..3, 3..4, 4..5]);
        assert_eq!(found(1000, 1000).first(), Some(&(0..5)));
        assert_eq!(found(1000, 24), [0..2, 2..4, 4..5]);
        let far = [source(0, 1), source(i64::from(i32::MAX), 1)];
        assert_eq!(groups(&far, 100, 1000), [0..1, 1..2]);
    }
}
