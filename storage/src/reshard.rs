//! A change of the number of shards, between a clean stop and the first open under the new number.
//!
//! After a clean stop everything is in the segments, and what the logs would say stands in their manifests. So the partitions' states are
//! dealt out anew, into manifests of the new number, each of which names a fresh log as every clean manifest does. Several files change,
//! all or none: by a [`crate::plan`].
//!
//! After an unclean stop the logs hold what no segment has, in an order that only the old number can tell: then the start is refused.

use std::collections::BTreeMap;

use crate::commit_log::files::{LogDir, number_of};
use crate::commit_log::group::GroupHeader;
use crate::commit_log::{EntryId, GroupSequence, LogId};
use crate::config::StoreName;
use crate::error::{MANIFEST_DAMAGED, OpenError};
use crate::manifest::{Manifest, Marker};
use crate::marker::{self, MarkerFound};
use crate::plan;
use crate::planted::{Bug, is};
use crate::runtime::{BLOCK, How, Runtime, read_file};
use crate::units::PartitionId;

/// Makes the directory one of `shards` shards, if it is of another number; `owner` says which shard a partition goes to. Returns the old
/// number then. To be called before any shard's store is opened.
pub async fn reshard<R: Runtime>(
    runtime: &R,
    directory: LogDir<'_>,
    shards: u16,
    owner: impl Fn(PartitionId) -> u16,
) -> Result<Option<u16>, OpenError> {
    plan::carry_out(runtime, directory).await?;
    let old = manifests(runtime, directory).await?;
    let Some(count) =
        old.values().map(|manifest| manifest.shards).find(|count| *count != u32::from(shards))
    else {
        return Ok(None);
    };
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    let marker = all_clean(runtime, directory, &old).await?;
    let marker = marker.ok_or_else(|| {
        OpenError::Shards(format!(
            "{}: it was written with odradek.shards={count} and not stopped cleanly: start it once with odradek.shards={count}, stop it, \
             and then start it with odradek.shards={shards}",
            directory.path.display()
        ))
    })?;
    let dealt = deal_out(runtime, old, shards, &marker, owner);
    let named: Vec<_> = (0..).map(StoreName::Shard).zip(dealt).collect();
    if is(Bug::ShardsChangedOneByOne) {
        for (store, manifest) in &named {
            let path = directory.manifest(*store);
            manifest.write(runtime, &path).await.map_err(OpenError::io(&path))?;
        }
    }
    plan::decide(runtime, directory, named).await?;
    Ok(Some(count))
}

/// The manifests that are there, by shard.
pub(crate) async fn manifests<R: Runtime>(
    runtime: &R,
    directory: LogDir<'_>,
) -> Result<BTreeMap<u16, Manifest>, OpenError> {
    let commit = directory.commit;
    let names = runtime.list(commit).await.map_err(OpenError::io(commit))?;
    let mut found = BTreeMap::new();
    for shard in names.iter().filter_map(|name| shard_of_manifest(name)) {
        let path = directory.manifest(StoreName::Shard(shard));
        let bytes = read_file(runtime, &path).await.map_err(OpenError::io(&path))?;
        let what = MANIFEST_DAMAGED.to_owned();
        found.insert(shard, Manifest::decode(&bytes).ok_or(OpenError::Manifest { path, what })?);
    }
    Ok(found)
}

pub(crate) fn shard_of_manifest(name: &str) -> Option<u16> {
    name.strip_prefix("odradek-")?.strip_suffix(".manifest")?.parse().ok()
}

/// The marker under which all shards were stopped cleanly, if they were, and none has served since.
pub(crate) async fn all_clean<R: Runtime>(
    runtime: &R,
    directory: LogDir<'_>,
    old: &BTreeMap<u16, Manifest>,
) -> Result<Option<Marker>, OpenError> {
    let Some(first) = old.values().next() else { return Ok(None) };
    let complete = old.len() == first.shards as usize
        && old.keys().enumerate().all(|(number, shard)| number == usize::from(*shard))
        && old.values().all(|manifest| manifest.shards == first.shards);
    let Some(marker) = first.clean.clone().filter(|_| complete) else { return Ok(None) };
    if is(Bug::ShardsChangedUncleanly) {
        return Ok(Some(marker));
    }
    if !matches!(marker::find_in(runtime, directory.path, &marker).await?, MarkerFound::Ours) {
        return Ok(None);
    }
    for (shard, manifest) in old {
        let same = manifest.clean.as_ref() == Some(&marker);
        if !same || served(runtime, directory, StoreName::Shard(*shard), manifest.id).await? {
            return Ok(None);
        }
    }
    Ok(Some(marker))
}

/// Whether the log that the manifest names has begun: its first group is in the first block of a file.
pub(crate) async fn served<R: Runtime>(
    runtime: &R,
    directory: LogDir<'_>,
    store: StoreName,
    id: LogId,
) -> Result<bool, OpenError> {
    let directory = directory.of(store);
    let names = runtime.list(directory).await.map_err(OpenError::io(directory))?;
    for name in names.iter().filter(|name| number_of(store, name).is_some()) {
        let path = directory.join(name);
        let block = async {
            let file = runtime.open(&path, How::Read).await?;
            runtime.read_at(&file, 0, BLOCK).await
        };
        let block = block.await.map_err(OpenError::io(&path))?;
        if GroupHeader::decode(&block).is_some_and(|(header, _)| header.id == id) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The clean manifest of a store that begins a new log, without partitions. One that had a log goes on behind its last sequence.
pub(crate) fn fresh<R: Runtime>(
    runtime: &R,
    old: Option<&Manifest>,
    shards: u16,
    marker: &Marker,
) -> Manifest {
    let random = || u128::from(runtime.random());
    let behind = old.map_or(GroupSequence(0), |manifest| {
        manifest.mark.max(GroupSequence(manifest.first.0.saturating_sub(1)))
    });
    Manifest {
        id: LogId(random() << 64 | random()),
        first: behind.next(),
        previous: 0,
        mark: behind,
        shards: u32::from(shards),
        clean: Some(marker.clone()),
        partitions: Vec::new(),
    }
}

/// The new manifests, in the order of their shards.
fn deal_out<R: Runtime>(
    runtime: &R,
    old: BTreeMap<u16, Manifest>,
    shards: u16,
    marker: &Marker,
    owner: impl Fn(PartitionId) -> u16,
) -> Vec<Manifest> {
    let mut plan: Vec<Manifest> =
        (0..shards).map(|shard| fresh(runtime, old.get(&shard), shards, marker)).collect();
    for mut partition in old.into_values().flat_map(|manifest| manifest.partitions) {
        let last = plan.len() - 1;
        let manifest = &mut plan[usize::from(owner(partition.id)).min(last)];
        partition.replay = EntryId { group: manifest.first, ordinal: 0 };
        manifest.partitions.push(partition);
    }
    plan
}

#[cfg(test)]
mod tests;
