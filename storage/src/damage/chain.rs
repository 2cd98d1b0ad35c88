//! What must hold of a batch's header at its place in a segment, and the scan that finds a batch so.
//!
//! The CRC covers neither the base offset nor the leader epoch, and says nothing of a batch that is whole, but in another's place. So
//! headers are compared with what is known without them: the batch before, the segment, the offset index, the leader epochs.

use crate::batch::BatchHeader;
use crate::batch::scan::{FoundBatch, Step};
use crate::epochs::LeaderEpochs;
use crate::index::OffsetEntry;
use crate::partition::Partition;
use crate::planted::{Bug, is};
use crate::segment::Segment;
use crate::units::Offset;

/// See the head of the file: what is known of the next batch.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    /// The offset with which it begins, or the smallest that it may begin with.
    pub(crate) next: Offset,
    /// Offsets may be missing before it.
    pub(crate) gaps: bool,
    /// It ends below.
    pub(crate) below: Offset,
    /// It ends with this offset, says the index.
    pub(crate) last: Option<Offset>,
}

impl Chain {
    /// At the start of a segment.
    pub(crate) fn of(partition: &Partition, segment: &Segment) -> Chain {
        let gaps = partition.may_have_gaps(segment);
        Chain { next: segment.base, gaps, below: segment.next, last: None }
    }

    /// Where the index says that a batch begins.
    pub(crate) fn at(self, entry: OffsetEntry) -> Chain {
        Chain { gaps: true, last: Some(entry.offset), ..self }
    }

    pub(crate) fn check(&self, header: &BatchHeader, epochs: &LeaderEpochs) -> Result<(), String> {
        header.check().map_err(|error| error.to_string())?;
        if is(Bug::HeaderBelieved) {
            return Ok(());
        }
        let (base, last) = (header.base_offset, header.last_offset());
        if last < base || base < self.next || last >= self.below || (base > self.next && !self.gaps)
        {
            return Err(format!(
                "a batch of the offsets {} to {} where {} to {} can be",
                base.0,
                last.0,
                self.next.0,
                self.below.0 - 1
            ));
        }
        if self.last.is_some_and(|expected| expected != last) {
            return Err(format!(
                "a batch that ends with offset {}, and the index says {:?}",
                last.0, self.last
            ));
        }
        match epochs.epoch_of(base) {
            Some(epoch) if epoch != header.leader_epoch => Err(format!(
                "a batch of leader epoch {} where {} is",
                header.leader_epoch.0, epoch.0
            )),
            _ => Ok(()),
        }
    }

    /// A batch was good.
    pub(crate) fn step(&mut self, header: &BatchHeader, gaps: bool) {
        *self = Chain { next: header.last_offset().next(), gaps, last: None, ..*self };
    }
}

/// Finds the first batch of a segment that contains an offset or comes after it, from a place that the index names on.
#[derive(Debug)]
pub(crate) struct HeaderScan {
    target: Offset,
    position: u64,
    chain: Chain,
    gaps: bool,
}

impl HeaderScan {
    pub(crate) fn new(
        partition: &Partition,
        segment: &Segment,
        entry: Option<OffsetEntry>,
        target: Offset,
    ) -> HeaderScan {
        let mut chain = Chain::of(partition, segment);
        let gaps = chain.gaps;
        let mut position = 0;
        if let Some(entry) = entry {
            position = u64::from(entry.position);
            chain = chain.at(entry);
        }
        // What is marked is jumped over.
        if let Some(mark) = partition.mark_before(segment.base, target)
            && mark.end > position
        {
            position = mark.end;
            chain = Chain { next: mark.to, gaps, last: None, ..chain };
        }
        HeaderScan { target, position, chain, gaps }
    }

    pub(crate) fn position(&self) -> u64 {
        self.position
    }

    /// Takes bytes from its position on, of a segment of so many bytes.
    pub(crate) fn feed(
        &mut self,
        bytes: &[u8],
        length: u64,
        epochs: &LeaderEpochs,
    ) -> Result<Step<FoundBatch>, String> {
        let mut rest = bytes;
        while let Some(header) = BatchHeader::read(rest) {
            self.chain.check(&header, epochs)?;
            if self.position + header.size() as u64 > length {
                return Err(format!(
                    "a batch of {} bytes that ends behind the segment",
                    header.size()
                ));
            }
            if header.last_offset() >= self.target {
                return Ok(Step::Found(FoundBatch { position: self.position, header }));
            }
            self.chain.step(&header, self.gaps);
            self.position += header.size() as u64;
            rest = rest.get(header.size()..).unwrap_or_default();
        }
        Ok(Step::Feed { at_least: crate::batch::HEADER_BYTES })
    }
}
