//! Kafka's clean-shutdown marker, and the checkpoint files beside it: how a clean stop of ours looks to Kafka, and how we
//! see that Kafka ran on the directory meanwhile.
//!
//! Kafka removes the marker early in its start and writes it anew at its clean stop. A clean manifest of ours records the
//! marker that we wrote (inode, change time, content): if another one is there, or none, the directory is not as we left
//! it, and the manifest is not to be believed.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::checkpoint::{CleanShutdown, OffsetCheckpoint};
use crate::core::Core;
use crate::error::OpenError;
use crate::manifest::Marker;
use crate::partition::Partition;
use crate::runtime::{Runtime, read_file};
use crate::units::Offset;

/// Kafka's name for it.
pub const MARKER_FILE: &str = ".kafka_cleanshutdown";

/// What Kafka's checkpoint files say of one partition after a clean stop.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CheckpointLine {
    pub topic: String,
    pub partition: i32,
    /// The recovery point, and the high watermark of a node without followers.
    pub end: Offset,
    pub log_start: Offset,
    /// Base of the first segment: a log start above it must be said.
    pub first_base: Offset,
    /// The first dirty offset of a log that was compacted.
    pub first_dirty: Option<Offset>,
}

impl CheckpointLine {
    pub(crate) fn of(partition: &Partition) -> Self {
        CheckpointLine {
            topic: partition.topic.to_string(),
            partition: partition.id.partition,
            end: partition.end,
            log_start: partition.log_start,
            first_base: partition.segments.front().map_or(partition.end, |segment| segment.base),
            first_dirty: Some(partition.cleaned_to)
                .filter(|to| partition.config.cleanup_compact && to.0 > 0),
        }
    }
}

/// Writes Kafka's checkpoint files and then the marker, durably. Once per directory, after all its stores are closed and
/// before any is sealed. Blocks: the shards serve nothing any more.
pub fn write_marker(
    directory: &Path,
    broker_epoch: i64,
    lines: &[CheckpointLine],
) -> io::Result<Marker> {
    let key = |line: &CheckpointLine| (line.topic.clone(), line.partition);
    let ends: BTreeMap<_, _> = lines.iter().map(|line| (key(line), line.end)).collect();
    let moved = lines.iter().filter(|line| line.log_start > line.first_base);
    let starts = moved.map(|line| (key(line), line.log_start)).collect();
    write_synced(
        &directory.join("recovery-point-offset-checkpoint"),
        OffsetCheckpoint { offsets: ends.clone() }.print(),
    )?;
    write_synced(
        &directory.join("replication-offset-checkpoint"),
        OffsetCheckpoint { offsets: ends }.print(),
    )?;
    write_synced(
        &directory.join("log-start-offset-checkpoint"),
        OffsetCheckpoint { offsets: starts }.print(),
    )?;
    let dirty = lines.iter().filter_map(|line| Some((key(line), line.first_dirty?))).collect();
    write_synced(
        &directory.join("cleaner-offset-checkpoint"),
        OffsetCheckpoint { offsets: dirty }.print(),
    )?;
    let content = CleanShutdown { broker_epoch }.print();
    let path = directory.join(MARKER_FILE);
    write_synced(&path, content.clone())?;
    let metadata = std::fs::metadata(&path)?;
    let changed = i128::from(metadata.ctime()) * 1_000_000_000 + i128::from(metadata.ctime_nsec());
    Ok(Marker { inode: metadata.ino(), changed, content: content.into_bytes() })
}

fn write_synced(path: &Path, content: String) -> io::Result<()> {
    let temporary = path.with_extension("tmp");
    let file = std::fs::File::create(&temporary)?;
    io::Write::write_all(&mut &file, content.as_bytes())?;
    file.sync_all()?;
    std::fs::rename(&temporary, path)?;
    match path.parent() {
        Some(directory) => std::fs::File::open(directory)?.sync_all(),
        None => Ok(()),
    }
}

/// What is there in place of the marker that a clean manifest records.
pub(crate) enum MarkerFound {
    Ours,
    Another,
    Removed,
}

pub(crate) async fn find<R: Runtime>(
    core: &Core<R>,
    marker: &Marker,
) -> Result<MarkerFound, OpenError> {
    find_in(&core.runtime, &core.options.directory, marker).await
}

pub(crate) async fn find_in<R: Runtime>(
    runtime: &R,
    directory: &Path,
    marker: &Marker,
) -> Result<MarkerFound, OpenError> {
    let path = directory.join(MARKER_FILE);
    let stat = match runtime.stat(&path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(MarkerFound::Removed),
        other => other.map_err(OpenError::io(&path))?,
    };
    let content = read_file(runtime, &path).await.map_err(OpenError::io(&path))?;
    let same =
        stat.inode == marker.inode && stat.changed == marker.changed && content == marker.content;
    Ok(if same { MarkerFound::Ours } else { MarkerFound::Another })
}

/// Removes our marker, durably: what follows is not a clean stop any more. Several stores of one directory may do this.
pub(crate) async fn remove<R: Runtime>(runtime: &R, directory: &Path) -> Result<(), OpenError> {
    let path = directory.join(MARKER_FILE);
    match runtime.unlink(&path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        other => other.map_err(OpenError::io(&path))?,
    }
    runtime.sync_directory(directory).await.map_err(OpenError::io(directory))
}

/// The refusal of a directory that is not as this log left it.
pub(crate) fn foreign(path: &Path, why: &str) -> OpenError {
    OpenError::Foreign(format!(
        "{}: {why}. What Kafka has written is taken over after a clean stop of Kafka's: start Kafka on it once more and stop it with \
         SIGTERM, or name an empty directory in log.dirs",
        path.display()
    ))
}
