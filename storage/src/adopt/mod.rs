//! Taking over a log directory that Kafka has written: between its clean stop and our next start.
//!
//! A clean stop of ours leaves Kafka's files and, beside them, manifests that say what is in them. So it is enough to find out what
//! is in Kafka's and to write the manifests: not a byte of Kafka's files is moved or copied, and only indexes that are missing or
//! damaged are built anew. Kafka's marker of its clean stop becomes the one that the manifests name. All manifests come into
//! being at once, by a [`crate::plan`]; until then the directory is as Kafka left it, and it may start on it again.
//!
//! It is done for a directory with Kafka's marker and
//! - no manifest at all: it was never ours; or
//! - manifests that are all clean, under another marker, with logs that say nothing but that a start began: Kafka ran on it after our
//!   clean stop, or after a take-over that came to nothing.
//!
//! A move to another of `log.dirs` that Kafka has not ended has left a future log, in a directory named `-future`. It is taken over, too, as
//! ours would be ([`crate::moving`]): as in Kafka the move goes on, or, where the metadata says that the partition is there by now, the
//! directory gets the partition's name. It may have less than it should: then the move begins anew.
//!
//! Without its marker Kafka was killed, or runs: the directory is refused where it always was, when a store is opened.
//!
//! Read in this order: this file, [`partition`] (what a partition's files say of it), [`segment`] (what a segment's do).

mod partition;
mod segment;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use bytes::{Bytes, BytesMut};
use futures::{StreamExt, stream};

use crate::checkpoint::{OffsetCheckpoint, PartitionMetadata};
use crate::commit_log::EntryId;
use crate::commit_log::files::{LogDir, number_of};
use crate::commit_log::scan::Scan;
use crate::config::StoreName;
use crate::error::OpenError;
use crate::manifest::{Manifest, Marker, PartitionState};
use crate::marker::{self, MARKER_FILE, MarkerFound};
use crate::moving::partition_of;
use crate::plan::{self, PLAN};
use crate::recovery::resume::topic_of;
use crate::reshard::{fresh, manifests, served};
use crate::runtime::{Runtime, read_file};
use crate::segment::files::{Kind, file_name};
use crate::strays::{METADATA, is_partition, is_segment};
use crate::units::{Offset, PartitionId, TopicId};

/// The controller's store is one shard.
const CONTROLLER_SHARDS: u16 = 1;

/// Takes the directory over if it is Kafka's; `owner` says which of the `shards` a partition goes to, `holds_metadata` whether the
/// metadata log is to be in it. Returns how many partitions
/// it has, the metadata log's not counted. To be called before any store is opened, and before [`crate::reshard`].
pub async fn adopt<R: Runtime>(
    runtime: &R,
    directory: LogDir<'_>,
    shards: u16,
    owner: impl Fn(PartitionId) -> u16,
    holds_metadata: bool,
) -> Result<Option<usize>, OpenError> {
    plan::carry_out(runtime, directory).await?;
    let Some(directories) = kafkas(runtime, directory).await? else { return Ok(None) };
    if holds_metadata {
        has_metadata(directory.path, &directories)?;
    } else if directories.iter().any(|found| found.topic == TOPIC) {
        return Err(OpenError::Foreign(format!(
            "{}: {METADATA} is in it, but metadata.log.dir (or the first of log.dirs) names another directory: name this one there",
            directory.path.display()
        )));
    }
    let Some(marker) = read_marker(runtime, directory.path).await? else { return Ok(None) };
    let old = all_manifests(runtime, directory).await?;
    let starts = log_starts(runtime, directory.path).await?;
    let names = (0..shards).map(StoreName::Shard).map(|name| (name, shards));
    let mut new: BTreeMap<StoreName, Manifest> = names
        .chain(holds_metadata.then_some((StoreName::Controller, CONTROLLER_SHARDS)))
        .map(|(name, shards)| (name, fresh(runtime, old.get(&name), shards, &marker)))
        .collect();
    let count =
        directories.iter().filter(|found| found.topic != TOPIC && !found.is_future()).count();
    let mut states = stream::iter(directories)
        .map(|found| state(runtime, directory.path, found, &starts))
        .buffered(AT_ONCE);
    while let Some(found) = states.next().await {
        let mut found = found?;
        let store = match found.topic.as_str() {
            TOPIC => StoreName::Controller,
            _ => StoreName::Shard(owner(found.id).min(shards - 1)),
        };
        let manifest = new.get_mut(&store).expect("there is one for every store");
        found.replay = EntryId { group: manifest.first, ordinal: 0 };
        manifest.partitions.push(found);
    }
    drop(states);
    plan::decide(runtime, directory, new.into_iter().collect()).await?;
    Ok(Some(count))
}

/// The partitions' directories, if the directory is Kafka's to take over.
pub(crate) async fn kafkas<R: Runtime>(
    runtime: &R,
    directory: LogDir<'_>,
) -> Result<Option<Vec<Found>>, OpenError> {
    // The usual start of ours ends here: the metadata's manifest names the marker that is there, or the stop was not clean.
    if let Some(manifest) = controllers(runtime, directory).await? {
        let Some(marker) = &manifest.clean else { return Ok(None) };
        if matches!(marker::find_in(runtime, directory.path, marker).await?, MarkerFound::Ours) {
            return Ok(None);
        }
    }
    let is_marked = read_marker(runtime, directory.path).await?.is_some();
    if !is_marked || !is_left_by_kafka(runtime, directory).await? {
        return Ok(None);
    }
    let found = partitions(runtime, directory.path).await?;
    Ok(Some(found).filter(|found| !found.is_empty()))
}

/// Refuses what holds partitions, but not the metadata that says what they are.
pub(crate) fn has_metadata(directory: &Path, found: &[Found]) -> Result<(), OpenError> {
    if found.iter().any(|found| found.topic == TOPIC) {
        return Ok(());
    }
    let first = found.first().map_or("partitions", |first| &first.name);
    Err(OpenError::Foreign(format!(
        "{}: Kafka has written {first} here, but there is no {METADATA}: it is one of several log.dirs, or its node had no controller beside it. \
         Take a directory over that has the metadata, or name an empty one in log.dirs",
        directory.display(),
    )))
}

async fn all_manifests<R: Runtime>(
    runtime: &R,
    directory: LogDir<'_>,
) -> Result<BTreeMap<StoreName, Manifest>, OpenError> {
    let shards = manifests(runtime, directory).await?.into_iter();
    let mut all: BTreeMap<StoreName, Manifest> =
        shards.map(|(shard, manifest)| (StoreName::Shard(shard), manifest)).collect();
    if let Some(manifest) = controllers(runtime, directory).await? {
        all.insert(StoreName::Controller, manifest);
    }
    Ok(all)
}

async fn state<R: Runtime>(
    runtime: &R,
    directory: &Path,
    found: Found,
    starts: &OffsetCheckpoint,
) -> Result<PartitionState, OpenError> {
    let is_future = found.is_future();
    let Found { name, id, topic } = found;
    // The checkpoint speaks of the log that is served.
    let start = starts.offsets.get(&(topic.clone(), id.partition)).filter(|_| !is_future).copied();
    partition::state(runtime, &directory.join(name), (id, topic), start).await
}

/// Partitions that are looked at at once.
const AT_ONCE: usize = 16;

/// The metadata log's topic.
const TOPIC: &str = "__cluster_metadata";

/// A partition's directory.
pub(crate) struct Found {
    pub(crate) name: String,
    pub(crate) id: PartitionId,
    topic: String,
}

impl Found {
    fn is_future(&self) -> bool {
        partition_of(&self.name).is_some()
    }
}

async fn read_marker<R: Runtime>(
    runtime: &R,
    directory: &Path,
) -> Result<Option<Marker>, OpenError> {
    let path = directory.join(MARKER_FILE);
    let stat = match runtime.stat(&path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(OpenError::io(&path))?,
    };
    let content = read_file(runtime, &path).await.map_err(OpenError::io(&path))?.to_vec();
    Ok(Some(Marker { inode: stat.inode, changed: stat.changed, content }))
}

pub(crate) async fn controllers<R: Runtime>(
    runtime: &R,
    directory: LogDir<'_>,
) -> Result<Option<Manifest>, OpenError> {
    let path = directory.manifest(StoreName::Controller);
    match read_file(runtime, &path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        // One that is damaged is the store's to refuse.
        other => Ok(Manifest::decode(&other.map_err(OpenError::io(&path))?)),
    }
}

/// Whether what is in the files is Kafka's word, and no manifest's.
async fn is_left_by_kafka<R: Runtime>(
    runtime: &R,
    directory: LogDir<'_>,
) -> Result<bool, OpenError> {
    for (store, manifest) in &all_manifests(runtime, directory).await? {
        let Some(marker) = &manifest.clean else { return Ok(false) };
        let other =
            matches!(marker::find_in(runtime, directory.path, marker).await?, MarkerFound::Another);
        if !other || went_on(runtime, directory, *store, manifest).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether the store's log holds anything that may have been acknowledged: a start that came to nothing leaves none.
async fn went_on<R: Runtime>(
    runtime: &R,
    directory: LogDir<'_>,
    store: StoreName,
    manifest: &Manifest,
) -> Result<bool, OpenError> {
    if !served(runtime, directory, store, manifest.id).await? {
        return Ok(false);
    }
    let directory = directory.of(store);
    let mut scan = Scan::new(manifest.id, manifest.first);
    let names = runtime.list(directory).await.map_err(OpenError::io(directory))?;
    for name in names.iter().filter(|name| number_of(store, name).is_some()) {
        let path = directory.join(name);
        scan.look_at(&read_file(runtime, &path).await.map_err(OpenError::io(&path))?);
    }
    scan.follow_links();
    let chain = scan.chain(manifest.id, manifest.first, manifest.previous);
    Ok(chain.holds_more_than_a_start())
}

/// The metadata log of a directory that is Kafka's to take over, to be looked at before: its start, and all its batches.
pub async fn metadata_of_kafka<R: Runtime>(
    runtime: &R,
    directory: LogDir<'_>,
) -> Result<Option<(Offset, Bytes)>, OpenError> {
    let names = runtime.list(directory.path).await.map_err(OpenError::io(directory.path))?;
    if names.iter().any(|name| name == PLAN) {
        return Ok(None);
    }
    let Some(found) = kafkas(runtime, directory).await? else { return Ok(None) };
    has_metadata(directory.path, &found)?;
    let path = directory.path.join(METADATA);
    let names = runtime.list(&path).await.map_err(OpenError::io(&path))?;
    let bases = partition::bases(&names);
    let mut bytes = BytesMut::new();
    for base in &bases {
        let path = path.join(file_name(*base, Kind::Log));
        bytes.extend_from_slice(&read_file(runtime, &path).await.map_err(OpenError::io(&path))?);
    }
    Ok(Some((bases.first().copied().unwrap_or_default(), bytes.freeze())))
}

/// The directories that hold a partition, or its future log, in the order of their names.
async fn partitions<R: Runtime>(runtime: &R, directory: &Path) -> Result<Vec<Found>, OpenError> {
    let mut names = runtime.list(directory).await.map_err(OpenError::io(directory))?;
    names.retain(|name| is_partition(partition_of(name).unwrap_or(name)));
    names.sort_unstable();
    let mut found: Vec<Found> = Vec::with_capacity(names.len());
    for name in names {
        let path = directory.join(&name);
        if !runtime.stat(&path).await.map_err(OpenError::io(&path))?.is_directory {
            continue;
        }
        let held = runtime.list(&path).await.map_err(OpenError::io(&path))?;
        if !held.iter().any(|name| is_segment(name)) {
            continue;
        }
        let future = partition_of(&name);
        if future.is_some() && topic_of(runtime, &path).await.is_none() {
            // The move had hardly begun. The start removes it.
            continue;
        }
        let topic = topic_id(runtime, &path, &name).await?;
        let partition = future.unwrap_or(&name);
        let (of, number) = partition.rsplit_once('-').expect("it is a partition's name");
        let partition = number.parse().map_err(|_| {
            OpenError::Foreign(format!("{}: no partition has this number", path.display()))
        })?;
        let id = PartitionId { topic, partition };
        if future.is_none() || found.iter().all(|found| found.id != id) {
            found.push(Found { id, topic: of.to_owned(), name: name.clone() });
        }
    }
    Ok(found)
}

async fn topic_id<R: Runtime>(runtime: &R, path: &Path, name: &str) -> Result<TopicId, OpenError> {
    if name == METADATA {
        return Ok(TopicId::METADATA);
    }
    let path = path.join("partition.metadata");
    let text = read_file(runtime, &path).await.map_err(OpenError::io(&path))?;
    let read = PartitionMetadata::parse(&text);
    Ok(read.map_err(|error| OpenError::Foreign(format!("{}: {error}", path.display())))?.topic)
}

/// Where logs start above their first segment: where there is no line, they start with it.
async fn log_starts<R: Runtime>(
    runtime: &R,
    directory: &Path,
) -> Result<OffsetCheckpoint, OpenError> {
    let path = directory.join("log-start-offset-checkpoint");
    let text = match read_file(runtime, &path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            return Ok(OffsetCheckpoint::default());
        }
        other => other.map_err(OpenError::io(&path))?,
    };
    let read = OffsetCheckpoint::parse(&text);
    read.map_err(|error| OpenError::Foreign(format!("{}: {error}", path.display())))
}

/// What cannot be taken over as it is, and what to do.
fn damaged(path: &Path, position: u64, what: &str) -> OpenError {
    OpenError::Foreign(format!(
        "{}, byte {position}: {what}. Start Kafka on this directory once more and stop it with SIGTERM: it recovers its files, then they can be \
         taken over",
        path.display()
    ))
}

/// The offset that a log with these segments gives next.
fn next_offset(segments: &[crate::manifest::SegmentState]) -> Offset {
    segments.last().map_or(Offset(0), |last| last.next)
}
