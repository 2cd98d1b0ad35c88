//! The batches of a segment that is to be cleaned, read through the page cache in bounded pieces, each checked with its CRC.

use bytes::Bytes;

use super::choice::Source;
use super::filter::FilterError;
use super::{Damage, Trouble};
use crate::batch::scan::{Front, front};
use crate::batch::{Batch, BatchError};
use crate::log::Log;
use crate::pace::Paced;
use crate::runtime::Runtime;
use crate::segment::files::{Kind, file_name};
use crate::units::Offset;

/// See the head of the file.
pub(super) struct SegmentBatches<'a, R: Runtime> {
    log: &'a Log<R>,
    source: &'a Source,
    pace: &'a Paced<R>,
    /// Where the next batch begins.
    position: u64,
    buffer: Bytes,
    /// The offset from which the next batch must be.
    next: Offset,
}

impl<'a, R: Runtime> SegmentBatches<'a, R> {
    pub(super) fn new(log: &'a Log<R>, source: &'a Source, pace: &'a Paced<R>) -> Self {
        let (position, buffer) = (0, Bytes::new());
        SegmentBatches { log, source, pace, position, buffer, next: source.base }
    }

    /// None at the end of the segment.
    pub(super) async fn next(&mut self) -> Result<Option<Batch>, Trouble> {
        let length = u64::from(self.source.length);
        let mut least = crate::batch::HEADER_BYTES;
        loop {
            if self.position == length {
                return Ok(None);
            }
            match front(&self.buffer) {
                Front::Whole(_) => break,
                Front::Partial { size } => least = least.max(size),
                Front::Empty => {}
                Front::Bad(error) => return Err(self.damaged(&error)),
            }
            if least as u64 > length - self.position {
                return Err(self.damage("a batch ends behind the end of its segment".to_owned()));
            }
            self.fill(least).await?;
        }
        let (batch, size) =
            Batch::parse_first(&self.buffer).map_err(|error| self.damaged(&error))?;
        if batch.base_offset() < self.next || batch.last_offset() >= self.source.next {
            return Err(self.damage(format!(
                "a batch has the offsets {} to {}, where {} to {} are expected",
                batch.base_offset().0,
                batch.last_offset().0,
                self.next.0,
                self.source.next.0 - 1
            )));
        }
        self.next = batch.last_offset().next();
        self.position += size as u64;
        self.buffer = self.buffer.slice(size..);
        Ok(Some(batch))
    }

    async fn fill(&mut self, least: usize) -> Result<(), Trouble> {
        let core = self.log.core();
        let left = u64::from(self.source.length) - self.position;
        let want = self.pace.io_bytes().max(least).min(usize::try_from(left).unwrap_or(usize::MAX));
        self.pace.moved(want).await?;
        let read = async {
            let file = core.files.readable(core, self.log, self.source.base, Kind::Log).await?;
            core.runtime.read_at(&file, self.position, want).await
        };
        let read = read.await;
        self.unmoved()?;
        let bytes = read.map_err(|error| self.damage(format!("it cannot be read: {error}")))?;
        if bytes.len() < want {
            return Err(self.damage("the file is shorter than its segment".to_owned()));
        }
        self.buffer = bytes;
        Ok(())
    }

    /// Whether the log still has this segment: retention and deletion may be faster.
    fn unmoved(&self) -> Result<(), Trouble> {
        let state = self.log.state();
        let same = |segment: &crate::segment::Segment| segment.generation == self.source.generation;
        match state.segment(self.source.base).is_some_and(same) && !state.deleted {
            true => Ok(()),
            false => Err(Trouble::Moved),
        }
    }

    fn damaged(&self, error: &BatchError) -> Trouble {
        self.damage(error.to_string())
    }

    /// What befell the batch that came last.
    pub(super) fn trouble(&self, error: FilterError<Trouble>) -> Trouble {
        match error {
            FilterError::Damaged(error) => self.damaged(&error),
            FilterError::Stopped(trouble) => trouble,
        }
    }

    /// At the batch that is next.
    fn damage(&self, what: String) -> Trouble {
        let file = self.log.state().directory.join(file_name(self.source.base, Kind::Log));
        let segment = self.source.base;
        Trouble::Damaged(Damage { segment, file, position: self.position, offset: self.next, what })
    }
}
