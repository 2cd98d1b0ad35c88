//! A change of the number of shards, between a clean stop and the first open under the new number.
//!
//! After a clean stop everything is in the segments, and what the logs would say stands in their manifests. So the partitions' states are
//! dealt out anew, into manifests of the new number, each of which names a fresh log as every clean manifest does. Several files change:
//! what they are to become is first written into one, the *plan*, and that is what decides. Before it is renamed into place nothing has
//! changed; from then on every start carries it out, before it opens a store, until it is gone.
//!
//! ```text
//! odradek.reshard   0 u64 magic, 8 u32 length of the body, 12 u32 CRC-32C of the body, 16 body
//! body              u16 shards, then for each of them u32 + bytes of its manifest
//! ```
//! Little endian. Carrying it out: each manifest under its name, the manifests and log files of higher shards removed, the directory
//! synced, the plan removed.
//!
//! After an unclean stop the logs hold what no segment has, in an order that only the old number can tell: then the start is refused.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

use crate::commit_log::files::{manifest_path, number_of};
use crate::commit_log::group::GroupHeader;
use crate::commit_log::{EntryId, GroupSequence, LogId};
use crate::config::StoreName;
use crate::error::OpenError;
use crate::manifest::{Manifest, Marker};
use crate::marker::{self, MarkerFound};
use crate::runtime::{BLOCK, How, Runtime, read_file, replace_file};
use crate::units::PartitionId;

const PLAN: &str = "odradek.reshard";
const MAGIC: u64 = u64::from_le_bytes(*b"ODRRES01");
const HEAD_BYTES: usize = 16;

/// Makes the directory one of `shards` shards, if it is of another number; `owner` says which shard a partition goes to. Returns the old
/// number then. To be called before any shard's store is opened.
pub async fn reshard<R: Runtime>(
    runtime: &R,
    directory: &Path,
    shards: u16,
    owner: impl Fn(PartitionId) -> u16,
) -> Result<Option<u16>, OpenError> {
    carry_out(runtime, directory).await?;
    let old = manifests(runtime, directory).await?;
    let Some(count) =
        old.values().map(|manifest| manifest.shards).find(|count| *count != u32::from(shards))
    else {
        return Ok(None);
    };
    let count = u16::try_from(count).unwrap_or(u16::MAX);
    let marker = all_clean(runtime, directory, &old, count, shards).await?;
    let plan = deal_out(runtime, old, shards, &marker, owner);
    let path = directory.join(PLAN);
    replace_file(runtime, &path, &encode(&plan)).await.map_err(OpenError::io(&path))?;
    runtime.sync_directory(directory).await.map_err(OpenError::io(directory))?;
    carry_out(runtime, directory).await?;
    Ok(Some(count))
}

/// The manifests that are there, by shard.
async fn manifests<R: Runtime>(
    runtime: &R,
    directory: &Path,
) -> Result<BTreeMap<u16, Manifest>, OpenError> {
    let names = runtime.list(directory).await.map_err(OpenError::io(directory))?;
    let mut found = BTreeMap::new();
    for shard in names.iter().filter_map(|name| shard_of_manifest(name)) {
        let path = manifest_path(directory, StoreName::Shard(shard));
        let bytes = read_file(runtime, &path).await.map_err(OpenError::io(&path))?;
        let what =
            "the manifest is damaged; without it nothing says where the log begins".to_owned();
        found.insert(shard, Manifest::decode(&bytes).ok_or(OpenError::Manifest { path, what })?);
    }
    Ok(found)
}

fn shard_of_manifest(name: &str) -> Option<u16> {
    name.strip_prefix("odradek-")?.strip_suffix(".manifest")?.parse().ok()
}

/// All shards of the old number were stopped cleanly, under one marker, and none has served since.
async fn all_clean<R: Runtime>(
    runtime: &R,
    directory: &Path,
    old: &BTreeMap<u16, Manifest>,
    count: u16,
    shards: u16,
) -> Result<Marker, OpenError> {
    let unclean = || {
        OpenError::Shards(format!(
            "{}: it was written with odradek.shards={count} and not stopped cleanly: start it once with odradek.shards={count}, stop it, \
             and then start it with odradek.shards={shards}",
            directory.display()
        ))
    };
    let complete = (0..count).eq(old.keys().copied())
        && old.values().all(|manifest| manifest.shards == u32::from(count));
    let first = old.values().next().and_then(|manifest| manifest.clean.clone());
    let marker = first.filter(|_| complete).ok_or_else(unclean)?;
    if !matches!(marker::find_in(runtime, directory, &marker).await?, MarkerFound::Ours) {
        return Err(unclean());
    }
    for (shard, manifest) in old {
        let same = manifest.clean.as_ref() == Some(&marker);
        if !same || served(runtime, directory, *shard, manifest.id).await? {
            return Err(unclean());
        }
    }
    Ok(marker)
}

/// Whether the log that the manifest names has begun: its first group is in the first block of a file.
async fn served<R: Runtime>(
    runtime: &R,
    directory: &Path,
    shard: u16,
    id: LogId,
) -> Result<bool, OpenError> {
    let names = runtime.list(directory).await.map_err(OpenError::io(directory))?;
    for name in names.iter().filter(|name| number_of(StoreName::Shard(shard), name).is_some()) {
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

/// The new manifests, in the order of their shards. A shard that had a log goes on behind its last sequence.
fn deal_out<R: Runtime>(
    runtime: &R,
    old: BTreeMap<u16, Manifest>,
    shards: u16,
    marker: &Marker,
    owner: impl Fn(PartitionId) -> u16,
) -> Vec<Manifest> {
    let random = || u128::from(runtime.random());
    let empty = |shard: u16| {
        let behind = old.get(&shard).map_or(GroupSequence(0), |manifest| {
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
    };
    let mut plan: Vec<Manifest> = (0..shards).map(empty).collect();
    for mut partition in old.into_values().flat_map(|manifest| manifest.partitions) {
        let last = plan.len() - 1;
        let manifest = &mut plan[usize::from(owner(partition.id)).min(last)];
        partition.replay = EntryId { group: manifest.first, ordinal: 0 };
        manifest.partitions.push(partition);
    }
    plan
}

/// Does what the plan says, if there is one. May be done again.
async fn carry_out<R: Runtime>(runtime: &R, directory: &Path) -> Result<(), OpenError> {
    let path = directory.join(PLAN);
    let bytes = match read_file(runtime, &path).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other.map_err(OpenError::io(&path))?,
    };
    let damaged = || OpenError::Manifest {
        path: path.clone(),
        what: "the plan of another number of shards is damaged".into(),
    };
    let plan = decode(&bytes).ok_or_else(damaged)?;
    for (shard, manifest) in (0..).zip(&plan) {
        let path = manifest_path(directory, StoreName::Shard(shard));
        manifest.write(runtime, &path).await.map_err(OpenError::io(&path))?;
    }
    for path in retired(runtime, directory, plan.len()).await? {
        runtime.unlink(&path).await.map_err(OpenError::io(&path))?;
    }
    runtime.sync_directory(directory).await.map_err(OpenError::io(directory))?;
    runtime.unlink(&path).await.map_err(OpenError::io(&path))?;
    runtime.sync_directory(directory).await.map_err(OpenError::io(directory))
}

/// Manifests, log files and spares of shards that are no more.
async fn retired<R: Runtime>(
    runtime: &R,
    directory: &Path,
    shards: usize,
) -> Result<Vec<PathBuf>, OpenError> {
    let names = runtime.list(directory).await.map_err(OpenError::io(directory))?;
    let of_shard = |name: &str| -> Option<usize> {
        let rest = name.strip_prefix("odradek-")?;
        let (shard, _) = rest.split_once(['-', '.'])?;
        shard.parse().ok()
    };
    let gone = names.iter().filter(|name| of_shard(name).is_some_and(|shard| shard >= shards));
    Ok(gone.map(|name| directory.join(name)).collect())
}

fn encode(plan: &[Manifest]) -> Vec<u8> {
    let mut body = u16::try_from(plan.len()).unwrap_or(u16::MAX).to_le_bytes().to_vec();
    for manifest in plan {
        let bytes = manifest.encode();
        body.extend(u32::try_from(bytes.len()).unwrap_or(u32::MAX).to_le_bytes());
        body.extend(bytes);
    }
    let mut out = MAGIC.to_le_bytes().to_vec();
    out.extend(u32::try_from(body.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend(crc32c::crc32c(&body).to_le_bytes());
    out.extend(body);
    out
}

/// `None` for anything that `encode` did not write whole.
fn decode(bytes: &bytes::Bytes) -> Option<Vec<Manifest>> {
    let number = |at: usize| Some(u32::from_le_bytes(*bytes.get(at..)?.first_chunk()?));
    let magic = u64::from_le_bytes(*bytes.first_chunk()?);
    let body = bytes.get(HEAD_BYTES..HEAD_BYTES + number(8)? as usize)?;
    if magic != MAGIC || number(12)? != crc32c::crc32c(body) {
        return None;
    }
    let count = u16::from_le_bytes(*body.first_chunk()?);
    let mut at = HEAD_BYTES + 2;
    let mut plan = Vec::new();
    for _ in 0..count {
        let length = number(at)? as usize;
        plan.push(Manifest::decode(&bytes.slice(at + 4..at + 4 + length))?);
        at += 4 + length;
    }
    Some(plan)
}

#[cfg(test)]
mod tests;
