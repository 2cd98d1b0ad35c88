//! What is in a log directory, and what a start would do with it. Nothing is changed, not even the directory's lock is taken: of a
//! directory that a broker is running on it says what was there a moment ago.

use std::path::{Path, PathBuf};

use crate::adopt;
use crate::checkpoint::MetaProperties;
use crate::commit_log::files::{LogDir, number_of};
use crate::config::StoreName;
use crate::damage::{self, Mark};
use crate::error::OpenError;
use crate::manifest::{Manifest, PartitionState};
use crate::marker::{self, MarkerFound};
use crate::plan::PLAN;
use crate::reshard::{manifests, served};
use crate::runtime::looking::Looking;
use crate::runtime::{Runtime, read_file};
use crate::units::{Offset, TopicId};

/// See the head of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// Where the commit logs are, if not in the log directory.
    pub commit_apart: Option<PathBuf>,
    pub stores: Vec<InspectedStore>,
    /// As of the last manifests, in the order of their names; of Kafka's directories without offsets.
    pub partitions: Vec<InspectedPartition>,
    pub start: Start,
}

/// What a start would do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Start {
    /// There is nothing yet.
    New,
    /// Everything is in the segments: it serves at once.
    Clean,
    /// It reads the commit log first.
    Recover,
    /// Kafka wrote it, and left it cleanly: it is taken over where it lies.
    TakeOver,
    /// Manifests were being changed: the start ends that, then it is looked at again.
    CarryOut,
    /// It would refuse.
    Refuse(String),
}

/// One shard's log, or the controller's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedStore {
    pub name: StoreName,
    /// Of how many it is one.
    pub shards: u32,
    pub clean: bool,
    pub partitions: usize,
    pub log_files: usize,
    pub log_bytes: u64,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InspectedPartition {
    /// `<topic>-<partition>`
    pub name: String,
    pub topic: TopicId,
    /// Log start and end.
    pub offsets: Option<(Offset, Offset)>,
    pub segments: usize,
    pub bytes: u64,
    /// What is marked as damaged, and not served.
    pub damage: Vec<Mark>,
}

/// Blocks.
pub fn inspect(directory: &Path) -> Result<Inspection, OpenError> {
    futures::executor::block_on(look(directory))
}

async fn look(directory: &Path) -> Result<Inspection, OpenError> {
    let runtime = Looking;
    let names = runtime.list(directory).await.map_err(OpenError::io(directory))?;
    let commit = commit_directory(&runtime, directory).await?;
    let commit_apart = (commit != directory).then(|| commit.clone());
    let whole = LogDir { path: directory, commit: &commit };
    let mut found: Vec<(StoreName, Manifest)> = Vec::new();
    found.extend(adopt::controllers(&runtime, whole).await?.map(|m| (StoreName::Controller, m)));
    let shards = manifests(&runtime, whole).await?;
    found.extend(shards.into_iter().map(|(shard, manifest)| (StoreName::Shard(shard), manifest)));
    let kafkas = adopt::kafkas(&runtime, whole).await?;
    let start = match &kafkas {
        _ if names.iter().any(|name| name == PLAN) => Start::CarryOut,
        Some(kafkas) => match adopt::has_metadata(directory, kafkas) {
            Ok(()) => Start::TakeOver,
            Err(error) => Start::Refuse(error.to_string()),
        },
        None => start_of_ours(&runtime, whole, &names, &found).await?,
    };
    let mut partitions = match kafkas {
        Some(kafkas) => kafka_partitions(&runtime, directory, kafkas).await?,
        None => ours(&found),
    };
    for partition in &mut partitions {
        let path = directory.join(&partition.name);
        partition.damage = damage::file::read(&runtime, &path, partition.topic).await;
    }
    let mut stores = Vec::with_capacity(found.len());
    for (name, manifest) in &found {
        stores.push(store(&runtime, whole.of(*name), *name, manifest).await?);
    }
    Ok(Inspection { commit_apart, stores, partitions, start })
}

/// Where the shards have their commit logs.
async fn commit_directory(runtime: &Looking, directory: &Path) -> Result<PathBuf, OpenError> {
    let path = directory.join("meta.properties");
    let id = read_file(runtime, &path).await.ok();
    match id.and_then(|text| MetaProperties::parse(&text).ok()?.directory_id) {
        Some(id) => crate::apart::look(runtime, directory, id).await,
        None => Ok(directory.to_owned()),
    }
}

async fn start_of_ours(
    runtime: &Looking,
    directory: LogDir<'_>,
    names: &[String],
    found: &[(StoreName, Manifest)],
) -> Result<Start, OpenError> {
    if found.is_empty() {
        let foreign = names.iter().find(|name| crate::strays::is_partition(name));
        return Ok(foreign.map_or(Start::New, |name| {
            let path = directory.path.join(name);
            Start::Refuse(marker::foreign(&path, "it was not written by this log").to_string())
        }));
    }
    if !found.iter().any(|(name, _)| *name == StoreName::Controller) {
        return Ok(Start::Refuse(format!(
            "{}: it is missing, and without the metadata nothing says which partitions the data belongs to",
            directory.manifest(StoreName::Controller).display()
        )));
    }
    let mut start = Start::Clean;
    for (name, manifest) in found {
        let Some(marker) = &manifest.clean else {
            start = Start::Recover;
            continue;
        };
        let went_on = served(runtime, directory, *name, manifest.id).await?;
        match marker::find_in(runtime, directory.path, marker).await? {
            MarkerFound::Ours | MarkerFound::Removed if went_on => start = Start::Recover,
            MarkerFound::Ours => {}
            MarkerFound::Removed | MarkerFound::Another => {
                let why = "Kafka ran on it after our clean stop, or it is a copy";
                return Ok(Start::Refuse(marker::foreign(directory.path, why).to_string()));
            }
        }
    }
    Ok(start)
}

async fn store(
    runtime: &Looking,
    directory: &Path,
    name: StoreName,
    manifest: &Manifest,
) -> Result<InspectedStore, OpenError> {
    let names = runtime.list(directory).await.map_err(OpenError::io(directory))?;
    let files = names.iter().filter(|file| number_of(name, file).is_some());
    let lengths: Vec<u64> = files
        .map(|file| std::fs::metadata(directory.join(file)).map_or(0, |metadata| metadata.len()))
        .collect();
    Ok(InspectedStore {
        name,
        shards: manifest.shards,
        clean: manifest.clean.is_some(),
        partitions: manifest.partitions.len(),
        log_files: lengths.len(),
        log_bytes: lengths.iter().sum(),
    })
}

fn ours(found: &[(StoreName, Manifest)]) -> Vec<InspectedPartition> {
    let states = found.iter().flat_map(|(_, manifest)| &manifest.partitions);
    let mut all: Vec<InspectedPartition> = states.map(of_state).collect();
    all.sort_by(|a, b| a.name.cmp(&b.name));
    all
}

fn of_state(state: &PartitionState) -> InspectedPartition {
    InspectedPartition {
        name: format!("{}-{}", state.topic, state.id.partition),
        topic: state.id.topic,
        offsets: Some((state.log_start, state.end)),
        segments: state.segments.len(),
        bytes: state.segments.iter().map(|segment| u64::from(segment.length)).sum(),
        damage: Vec::new(),
    }
}

async fn kafka_partitions(
    runtime: &Looking,
    directory: &Path,
    found: Vec<adopt::Found>,
) -> Result<Vec<InspectedPartition>, OpenError> {
    let mut all = Vec::with_capacity(found.len());
    for adopt::Found { name, id, .. } in found {
        let path = directory.join(&name);
        let (mut segments, mut bytes) = (0, 0);
        for file in runtime.list(&path).await.map_err(OpenError::io(&path))? {
            if crate::strays::is_segment(&file) {
                segments += 1;
                bytes +=
                    runtime.stat(&path.join(&file)).await.map_err(OpenError::io(&path))?.length;
            }
        }
        let (topic, offsets, damage) = (id.topic, None, Vec::new());
        all.push(InspectedPartition { name, topic, offsets, segments, bytes, damage });
    }
    Ok(all)
}
