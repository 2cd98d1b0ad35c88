//! Finds batches in segments: by the offset index, then from header to header, each checked for being in its place.
//!
//! What does not fit is a suspicion, no more: the index may be wrong, or the log, or neither, where Kafka's cleaner left gaps. The
//! segment is then examined as the scrubber does it, once, and the lookup begins anew, with what came of that.

use std::io;

use bytes::{Bytes, BytesMut};

use super::Log;
use crate::batch::scan::{FoundBatch, Step};
use crate::damage::chain::HeaderScan;
use crate::damage::examine::{Trouble, examine};
use crate::error::ReadError;
use crate::pace::Paced;
use crate::planted::{Bug, is};
use crate::runtime::Runtime;
use crate::segment::files::{Kind, file_name};
use crate::units::Offset;

/// One read while looking for a batch.
const SCAN_BYTES: usize = 16 << 10;
/// One read while a segment is examined.
const EXAMINE_BYTES: usize = 256 << 10;
/// How often a lookup begins anew before what it suspects is taken for damage.
const EXAMINATIONS_MAX: usize = 3;

/// Why a lookup came to nothing.
#[derive(Debug)]
pub(crate) enum Lookup {
    Read(ReadError),
    /// Something does not fit in this segment, at this position.
    Suspect {
        base: Offset,
        position: u64,
        what: String,
    },
}

impl From<ReadError> for Lookup {
    fn from(error: ReadError) -> Self {
        Lookup::Read(error)
    }
}

impl<R: Runtime> Log<R> {
    /// Looks until nothing disturbs it. What it suspects is examined first.
    pub(super) async fn look<T>(
        &self,
        look: impl AsyncFn() -> Result<T, Lookup>,
    ) -> Result<T, ReadError> {
        let mut examinations = 0;
        loop {
            let swaps = self.swaps();
            let found = look().await;
            if self.is_disturbed(swaps) {
                continue;
            }
            match found {
                Ok(found) => return Ok(found),
                Err(Lookup::Read(error)) => {
                    if matches!(error, ReadError::Io(..)) {
                        self.tell_unreadable(&error);
                    }
                    return Err(error);
                }
                Err(Lookup::Suspect { base, position, what }) => {
                    examinations += 1;
                    let file = self.path_of(base);
                    if examinations > EXAMINATIONS_MAX || is(Bug::SuspicionNotExamined) {
                        tracing::error!(
                            file,
                            position,
                            what,
                            "it cannot be read, and nothing was found"
                        );
                        return Err(self.damaged(base, position));
                    }
                    tracing::warn!(
                        file,
                        position,
                        what,
                        "something does not fit; the segment is examined"
                    );
                    self.examine(base, position).await?;
                }
            }
        }
    }

    /// One examination at a time; who comes meanwhile waits for it.
    async fn examine(&self, base: Offset, position: u64) -> Result<(), ReadError> {
        let core = &self.0.core;
        loop {
            let settled = core.events.settled.listen();
            if core.check_online().is_err() || core.stopped.get() {
                return Err(self.damaged(base, position));
            }
            if !std::mem::replace(&mut self.state_mut().damage.examining, true) {
                break;
            }
            settled.await;
        }
        let pace = Paced::new(core, f64::MAX, EXAMINE_BYTES);
        let examined = examine(core, self, base, &pace).await;
        self.state_mut().damage.examining = false;
        core.events.settled.notify();
        match examined {
            Ok(_) | Err(Trouble::Moved) => Ok(()),
            Err(Trouble::Stopped) => Err(self.damaged(base, position)),
            Err(Trouble::Unreadable(_, error)) => Err(self.io_error(base, error)),
        }
    }

    /// The batch that holds `offset`, or the first one after it, and its segment.
    pub(super) async fn find_batch(
        &self,
        offset: Offset,
    ) -> Result<Option<(Offset, FoundBatch)>, Lookup> {
        let mut offset = offset;
        loop {
            let base = {
                let state = self.state();
                let Some(segment) = state.segment_of(offset) else { return Ok(None) };
                segment.base
            };
            if let Some(found) = self.find_in_segment(base, offset).await? {
                return Ok(Some((base, found)));
            }
            // Compaction may have left a segment that ends before its last offset.
            let state = self.state();
            match state.segments.iter().find(|segment| segment.base > base) {
                Some(segment) => offset = segment.base,
                None => return Ok(None),
            }
        }
    }

    /// The first batch of the segment that ends at or after `offset`.
    pub(super) async fn find_in_segment(
        &self,
        base: Offset,
        offset: Offset,
    ) -> Result<Option<FoundBatch>, Lookup> {
        if let Some(found) = self.state().find_in_tail(base, offset) {
            return Ok(Some(found));
        }
        let entry = self.index_lookup(base, offset).await?;
        let mut scan = {
            let state = self.state();
            let Some(segment) = state.segment(base) else { return Ok(None) };
            HeaderScan::new(&state, segment, entry, offset)
        };
        let mut want = SCAN_BYTES;
        loop {
            let position = scan.position();
            let suspect = |what| Lookup::Suspect { base, position, what };
            let bytes = self.segment_bytes(base, position, want).await?;
            let (fed, ends) = {
                let state = self.state();
                let Some(segment) = state.segment(base) else { return Ok(None) };
                let length = u64::from(segment.length);
                if position > length {
                    return Err(suspect("the index leads behind the segment".to_owned()));
                }
                (scan.feed(&bytes, length, &state.epochs), scan.position() == length)
            };
            match fed {
                Ok(Step::Found(found)) => return Ok(Some(found)),
                Ok(Step::Feed { .. }) if ends => return Ok(None),
                Ok(Step::Feed { at_least }) if bytes.len() < at_least.min(want) => {
                    return Err(suspect("the segment ends inside a batch".to_owned()));
                }
                Ok(Step::Feed { at_least }) => want = at_least.max(SCAN_BYTES),
                Ok(Step::Busy) => {}
                Err(what) => return Err(suspect(what)),
            }
        }
    }

    /// All entries of an index: those in its file, then those that are still in memory.
    pub(crate) async fn index_bytes(&self, base: Offset, kind: Kind) -> Result<Bytes, Lookup> {
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
        let suspect = |what| {
            let what = format!("{}: {what}", kind.suffix());
            Lookup::Suspect { base, position: 0, what }
        };
        // Whatever is wrong with an index, it can be built anew.
        let core = self.core();
        let file = core.files.readable(core, self, base, kind).await;
        let file = file.map_err(|error| suspect(error.to_string()))?;
        let filed = core.runtime.read_at(&file, 0, start).await;
        let filed = filed.map_err(|error| suspect(error.to_string()))?;
        if filed.len() < start {
            return Err(suspect("it is shorter than it was".to_owned()));
        }
        if tail.is_empty() {
            return Ok(filed);
        }
        Ok([filed, tail].concat().into())
    }

    /// Bytes of a segment wherever they are: fewer than asked for only at the segment's end, and where damage is marked.
    pub(super) async fn segment_bytes(
        &self,
        base: Offset,
        position: u64,
        length: usize,
    ) -> Result<Bytes, Lookup> {
        let mut whole = BytesMut::new();
        loop {
            let at = position + whole.len() as u64;
            let (filed, end) = {
                let state = self.state();
                let Some(segment) = state.segment(base) else { return Ok(Bytes::new()) };
                let mut end = u64::from(segment.length);
                if let Some(mark) = state.mark_from(base, position) {
                    if mark.position <= position {
                        return Err(self.damaged(base, mark.position).into());
                    }
                    end = end.min(mark.position);
                }
                (u64::from(segment.filed), end.min(position + length as u64))
            };
            if at >= end {
                return Ok(whole.freeze());
            }
            if at >= filed {
                let before = whole.len();
                self.state().copy_from_tail(base, at, end, &mut whole);
                if whole.len() == before {
                    return Err(self.damaged(base, at).into());
                }
                continue;
            }
            let in_file = usize::try_from(end.min(filed) - at).unwrap_or(0);
            let read = self.read_file(base, at, in_file).await?;
            if at == position && in_file as u64 == end - position {
                return Ok(read);
            }
            whole.extend_from_slice(&read);
        }
    }

    async fn read_file(&self, base: Offset, at: u64, length: usize) -> Result<Bytes, Lookup> {
        let suspect =
            |position, what: &str| Err(Lookup::Suspect { base, position, what: what.to_owned() });
        let file = match self.core().files.readable(self.core(), self, base, Kind::Log).await {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                return suspect(0, "the file is missing");
            }
            other => other.map_err(|error| self.io_error(base, error))?,
        };
        let read = self.core().runtime.read_at(&file, at, length).await;
        let read = read.map_err(|error| self.io_error(base, error))?;
        if read.len() < length {
            return suspect(at + read.len() as u64, "the file ends inside the segment");
        }
        Ok(read)
    }

    pub(super) fn io_error(&self, base: Offset, error: io::Error) -> ReadError {
        ReadError::Io(self.path_of(base), error)
    }

    pub(super) fn damaged(&self, base: Offset, position: u64) -> ReadError {
        ReadError::Damaged { file: self.path_of(base), position }
    }

    pub(super) fn path_of(&self, base: Offset) -> String {
        self.state().directory.join(file_name(base, Kind::Log)).display().to_string()
    }
}
