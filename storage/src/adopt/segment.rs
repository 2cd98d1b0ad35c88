//! What a segment's files say of it.
//!
//! A closed segment is described by its indexes up to their last entry, and by the batches from there on: some kilobytes are
//! read, however large it is. Where an index is missing or not to be believed, all batches are read, and both indexes are written
//! anew.

use std::path::{Path, PathBuf};

use bytes::Bytes;

use super::damaged;
use crate::batch::scan::{Front, front};
use crate::batch::{BatchHeader, HEADER_BYTES};
use crate::config::LogConfig;
use crate::error::OpenError;
use crate::index::{OffsetEntry, OffsetIndex, TimeEntry, TimeIndex};
use crate::runtime::{How, Runtime, read_file, replace_file};
use crate::segment::Segment;
use crate::segment::files::{Kind, file_name};
use crate::segment::index_tail::IndexTail;
use crate::units::{Offset, Timestamp};

/// Bytes of a segment that are read at once.
const WINDOW: usize = 1 << 20;

/// The segment at `base`; `last` for the one to which more is appended.
pub(super) async fn scan<R: Runtime>(
    runtime: &R,
    directory: &Path,
    base: Offset,
    last: bool,
) -> Result<Segment, OpenError> {
    let mut file = SegmentFile::open(runtime, directory, base).await?;
    let offsets = index(runtime, directory, base, Kind::OffsetIndex).await?;
    let times = index(runtime, directory, base, Kind::TimeIndex).await?;
    let offsets = OffsetIndex::new(base, &offsets);
    let times = TimeIndex::new(base, &times);
    let may_be_believed = offsets.check(file.length).is_ok()
        && times.check(Offset(i64::MAX)).is_ok()
        && (offsets.is_empty() || !times.is_empty() || is_timeless(&mut file).await?);
    let read = if may_be_believed {
        from_indexes(&mut file, base, offsets, times).await.ok()
    } else {
        None
    };
    let mut segment = match read {
        Some(segment) => segment,
        None => from_batches(&mut file, directory, base, last).await?,
    };
    let stat = runtime.stat(&file.path).await.map_err(OpenError::io(&file.path))?;
    segment.opened = i64::try_from(stat.changed / 1_000_000).unwrap_or(0);
    segment.finished = !last;
    segment.settle(segment.length);
    Ok(segment)
}

/// Records without timestamps have no entry in the time index.
async fn is_timeless<R: Runtime>(file: &mut SegmentFile<'_, R>) -> Result<bool, OpenError> {
    Ok(file.header(0).await?.is_some_and(|first| first.max_timestamp == Timestamp::NONE))
}

/// Fails where the indexes do not lead to batches.
async fn from_indexes<R: Runtime>(
    file: &mut SegmentFile<'_, R>,
    base: Offset,
    offsets: OffsetIndex<'_>,
    times: TimeIndex<'_>,
) -> Result<Segment, OpenError> {
    let mut segment = Segment::new(base, 0);
    if let Some(first) = file.header(0).await? {
        segment.first_timestamp = first.max_timestamp;
    }
    segment.length = offsets.last().map_or(0, |entry| entry.position);
    if let Some(entry) = times.last() {
        segment.indexed_timestamp = entry.timestamp;
        segment.max_timestamp = entry.timestamp;
        segment.max_timestamp_at = entry.offset;
    }
    segment.offsets = IndexTail::filed((OffsetEntry::BYTES * offsets.len()) as u64);
    segment.times = IndexTail::filed((TimeEntry::BYTES * times.len()) as u64);
    while let Some(header) = file.header(u64::from(segment.length)).await? {
        take(&mut segment, &header);
    }
    Ok(segment)
}

/// Reads every batch, and writes both indexes.
async fn from_batches<R: Runtime>(
    file: &mut SegmentFile<'_, R>,
    directory: &Path,
    base: Offset,
    last: bool,
) -> Result<Segment, OpenError> {
    let (mut segment, config) = (Segment::new(base, 0), LogConfig::default());
    while let Some(header) = file.header(u64::from(segment.length)).await? {
        segment.append(&header, size(&header), &config);
    }
    if !last {
        segment.add_time_entry();
    }
    let runtime = file.runtime;
    write_index(runtime, directory, base, Kind::OffsetIndex, &mut segment.offsets).await?;
    write_index(runtime, directory, base, Kind::TimeIndex, &mut segment.times).await?;
    Ok(segment)
}

/// Accounts for a batch that the indexes need no entry for.
fn take(segment: &mut Segment, header: &BatchHeader) {
    if header.max_timestamp > segment.max_timestamp {
        segment.max_timestamp = header.max_timestamp;
        segment.max_timestamp_at = header.last_offset();
    }
    segment.length += size(header);
    segment.since_entry += size(header);
    segment.next = header.last_offset().next();
}

/// Of a batch that lies in a segment, all of it.
fn size(header: &BatchHeader) -> u32 {
    u32::try_from(header.size()).expect("a segment is smaller than 2 GiB")
}

/// An index's bytes; none where it is missing, which is no index to believe where the segment has batches.
async fn index<R: Runtime>(
    runtime: &R,
    directory: &Path,
    base: Offset,
    kind: Kind,
) -> Result<Bytes, OpenError> {
    let path = directory.join(file_name(base, kind));
    match read_file(runtime, &path).await {
        // A length that no index has: it fails its check.
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Bytes::from_static(&[0])),
        other => other.map_err(OpenError::io(&path)),
    }
}

async fn write_index<R: Runtime>(
    runtime: &R,
    directory: &Path,
    base: Offset,
    kind: Kind,
    entries: &mut IndexTail,
) -> Result<(), OpenError> {
    let path = directory.join(file_name(base, kind));
    let bytes = entries.unwritten().to_vec();
    replace_file(runtime, &path, &bytes).await.map_err(OpenError::io(&path))?;
    runtime.sync_directory(directory).await.map_err(OpenError::io(directory))?;
    tracing::info!(path = %path.display(), bytes = bytes.len(), "an index was built anew");
    *entries = IndexTail::filed(bytes.len() as u64);
    Ok(())
}

/// A segment's `.log`, of which a window is in memory.
pub(super) struct SegmentFile<'a, R: Runtime> {
    runtime: &'a R,
    file: R::File,
    pub(super) path: PathBuf,
    pub(super) length: u64,
    window: Bytes,
    window_at: u64,
}

impl<'a, R: Runtime> SegmentFile<'a, R> {
    pub(super) async fn open(
        runtime: &'a R,
        directory: &Path,
        base: Offset,
    ) -> Result<Self, OpenError> {
        let path = directory.join(file_name(base, Kind::Log));
        let file = runtime.open(&path, How::Read).await.map_err(OpenError::io(&path))?;
        let length = runtime.length(&file).await.map_err(OpenError::io(&path))?;
        if length > i32::MAX as u64 {
            return Err(damaged(&path, length, "the segment is longer than Kafka's can be"));
        }
        Ok(SegmentFile { runtime, file, path, length, window: Bytes::new(), window_at: 0 })
    }

    /// The header of the batch at `position`, which is all there; none at the end of the file.
    pub(super) async fn header(&mut self, position: u64) -> Result<Option<BatchHeader>, OpenError> {
        if position >= self.length {
            return Ok(None);
        }
        let bytes = self.bytes(position, HEADER_BYTES).await?;
        let header = match front(&bytes) {
            Front::Whole(header) => Some(header),
            Front::Partial { .. } => BatchHeader::read(&bytes),
            Front::Empty => None,
            Front::Bad(error) => {
                return Err(damaged(&self.path, position, &format!("{error:?}")));
            }
        };
        let cut_off = || damaged(&self.path, position, "a batch is cut off");
        let header = header.ok_or_else(cut_off)?;
        if position + header.size() as u64 > self.length {
            return Err(cut_off());
        }
        Ok(Some(header))
    }

    /// So many bytes from `position` on, or fewer at the end of the file.
    pub(super) async fn bytes(&mut self, position: u64, length: usize) -> Result<Bytes, OpenError> {
        let end = (position + length as u64).min(self.length);
        let window_end = self.window_at + self.window.len() as u64;
        if position < self.window_at || end > window_end {
            let more = length.max(WINDOW);
            let read = self.runtime.read_at(&self.file, position, more).await;
            self.window = read.map_err(OpenError::io(&self.path))?;
            self.window_at = position;
        }
        let from = usize::try_from(position - self.window_at).unwrap_or(usize::MAX);
        let to = usize::try_from(end - self.window_at).unwrap_or(usize::MAX);
        let to = to.min(self.window.len());
        Ok(self.window.slice(from.min(to)..to))
    }
}
