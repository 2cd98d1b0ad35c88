//! Directories of partitions that are not there any more.
//!
//! A partition's directory stays behind where a crash came between its deletion and the rename, and where the deletion took every
//! trace of it from manifest and log: a power cut keeps or loses each name by itself, so even `partition.metadata` may be missing. No
//! store can tell such a directory from one that belongs to another store. So it takes two steps:
//! - While a store recovers, before its tasks run, it renames those that have the names of its own partitions ([`rename_predecessors`]).
//! - Once for the whole log directory, when all its stores are open and none serves yet, those that have the name of no partition are
//!   renamed ([`clear`]).
//!
//! As with Kafka, what the log says was deleted is renamed to `-delete` and removed, here or at the next start. Whatever else no
//! partition has becomes a `-stray`, which nobody removes but the operator: that nothing here knows it is no proof that it is worthless.
//! Only what is recognisably a partition's directory is touched. A directory without a manifest of ours is not touched at all
//! ([`foreign_partition`]).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};

use crate::compaction::CLEANED;
use crate::core::Core;
use crate::log::Log;
use crate::moving::{Futures, partition_of};
use crate::recovery::RecoveryReport;
use crate::recovery::resume::topic_of;
use crate::retention::{DELETED, given_up_name};
use crate::runtime::Runtime;
use crate::segment::files::{Kind, directory_name};
use crate::store::Placed;
use crate::units::{PartitionId, TopicId};

/// What Kafka appends to the name of a directory that it does not know, and keeps.
pub(crate) const STRAY: &str = "stray";
/// The metadata log's partition. It belongs to the controller's store, which is opened before all others.
pub(crate) const METADATA: &str = "__cluster_metadata-0";

/// A partition's directory with something in it, in a log directory that has no manifest of this store: somebody else's. Only the metadata
/// log may have one, where a first start ended before every store had its manifest.
pub(crate) async fn foreign_partition<R: Runtime>(core: &Core<R>) -> io::Result<Option<PathBuf>> {
    let directory = &core.options.directory;
    for name in core.runtime.list(directory).await? {
        let path = directory.join(&name);
        let may_be = is_partition(&name) && name != METADATA;
        if may_be && core.runtime.stat(&path).await?.is_directory {
            let names = core.runtime.list(&path).await?;
            if names.iter().any(|name| name == "partition.metadata" || is_segment(name)) {
                return Ok(Some(path));
            }
        }
    }
    Ok(None)
}

/// Renames directories in which an earlier topic of the same name had its partition. Those of partitions that were `deleted` and came
/// back go, too, as long as they have nothing in files.
pub(crate) async fn rename_predecessors<R: Runtime>(
    core: &Core<R>,
    deleted: &BTreeSet<PartitionId>,
) -> io::Result<()> {
    let directory = &core.options.directory;
    let names = core.runtime.list(directory).await?;
    let logs: Vec<Log<R>> = core.logs.borrow().values().cloned().collect();
    let own = |log: &Log<R>| directory_name(&log.state().topic, log.id().partition);
    let has_files = |log: &Log<R>| log.state().segments.iter().any(|segment| segment.filed > 0);
    let without: BTreeMap<String, PartitionId> = logs
        .iter()
        .filter(|log| !log.state().has_directory && !has_files(log))
        .map(|log| (own(log), log.id()))
        .collect();
    let mut renamed = false;
    for name in names {
        let Some(id) = without.get(&name) else { continue };
        let path = directory.join(&name);
        let suffix = match topic_of(&core.runtime, &path).await {
            Some(topic) if topic != id.topic => STRAY,
            Some(_) if deleted.contains(id) => DELETED,
            _ => continue,
        };
        give_up(&core.runtime, directory, &name, suffix).await?;
        renamed = true;
    }
    if renamed { core.runtime.sync_directory(directory).await } else { Ok(()) }
}

/// Renames directories of partitions that are not in `known`, durably, and begins to remove those that were deleted before.
pub(crate) async fn clear<R: Runtime>(
    runtime: &R,
    directory: &Path,
    (known, topics): (&BTreeSet<String>, Option<&BTreeSet<TopicId>>),
) -> io::Result<()> {
    let mut deleted = Vec::new();
    let mut renamed = false;
    for name in runtime.list(directory).await? {
        let path = directory.join(&name);
        if is_deleted(&name) {
            deleted.push(path);
        } else if is_partition(&name) && !known.contains(&name) && is_stray(runtime, &path).await? {
            give_up(runtime, directory, &name, STRAY).await?;
            renamed = true;
        } else if let (Some(partition), Some(topics)) = (partition_of(&name), topics)
            && topic_of(runtime, &path).await.is_none_or(|topic| !topics.contains(&topic))
        {
            // The move of a partition that is no more.
            let to = given_up_name(runtime, partition, DELETED);
            runtime.rename(&path, &directory.join(to)).await?;
            renamed = true;
        }
    }
    if renamed {
        runtime.sync_directory(directory).await?;
    }
    if !deleted.is_empty() {
        runtime.spawn(crate::removal::all(runtime.clone(), deleted));
    }
    Ok(())
}

/// What a store has of partitions that are in other directories by now: their logs, if it has any, are named in the report, what is only
/// left of their names is renamed. No task of the store runs yet.
pub(crate) async fn clear_moved<R: Runtime>(
    core: &Core<R>,
    elsewhere: &[Placed],
    futures: Futures,
    report: &mut RecoveryReport,
) -> io::Result<()> {
    futures.remove_unused(core, &elsewhere.iter().map(|(id, ..)| *id).collect()).await?;
    let mut gone = BTreeMap::new();
    for (id, topic, _) in elsewhere {
        match core.log(*id) {
            Some(log) => {
                log.state_mut().held = log.is_future();
                report.elsewhere.push(*id);
            }
            None => drop(gone.insert(directory_name(topic, id.partition), id.topic)),
        }
    }
    if gone.is_empty() {
        return Ok(());
    }
    let directory = &core.options.directory;
    let mut renamed = false;
    for name in core.runtime.list(directory).await? {
        let Some(id) = gone.get(&name) else { continue };
        if topic_of(&core.runtime, &directory.join(&name)).await == Some(*id) {
            give_up(&core.runtime, directory, &name, DELETED).await?;
            renamed = true;
        }
    }
    if renamed { core.runtime.sync_directory(directory).await } else { Ok(()) }
}

/// Renames a partition's directory. The caller syncs the log directory.
async fn give_up<R: Runtime>(
    runtime: &R,
    directory: &Path,
    name: &str,
    suffix: &str,
) -> io::Result<()> {
    let (path, to) = (directory.join(name), directory.join(given_up_name(runtime, name, suffix)));
    runtime.rename(&path, &to).await?;
    if suffix == STRAY {
        tracing::warn!(
            path = %path.display(), kept_as = %to.display(),
            "no topic has this directory: it is kept under another name until somebody removes it"
        );
    }
    Ok(())
}

/// `<topic>-<partition>.<32 hex>-delete`
fn is_deleted(name: &str) -> bool {
    let Some((partition, random)) =
        name.strip_suffix("-delete").and_then(|name| name.rsplit_once('.'))
    else {
        return false;
    };
    // Kafka shortens a long name when it deletes it, so that the number may be gone.
    let is_known = is_partition(partition) || partition.len() >= 255 - 40;
    is_known && random.len() == 32 && random.bytes().all(|b| b.is_ascii_hexdigit())
}

/// `<topic>-<partition>`
pub(crate) fn is_partition(name: &str) -> bool {
    name.rsplit_once('-').is_some_and(|(_, number)| number.parse::<u32>().is_ok())
}

/// `<20 digits>.log`
pub(crate) fn is_segment(name: &str) -> bool {
    let base = name.strip_suffix(Kind::Log.suffix());
    base.is_some_and(|base| base.len() == 20 && base.bytes().all(|b| b.is_ascii_digit()))
}

async fn is_stray<R: Runtime>(runtime: &R, path: &Path) -> io::Result<bool> {
    if !runtime.stat(path).await?.is_directory {
        return Ok(false);
    }
    if topic_of(runtime, path).await.is_some() {
        return Ok(true);
    }
    // It never held a byte that counts: that would have made its metadata durable, too.
    Ok(runtime.list(path).await?.iter().all(|name| is_ours(name)))
}

/// What a partition's directory may hold.
fn is_ours(name: &str) -> bool {
    let added = [".deleted", ".tmp", CLEANED];
    let name = added.iter().find_map(|suffix| name.strip_suffix(suffix)).unwrap_or(name);
    let base = Kind::ALL.iter().find_map(|kind| name.strip_suffix(kind.suffix()));
    base.is_some_and(|base| base.parse::<u64>().is_ok())
        || ["partition.metadata", "leader-epoch-checkpoint", crate::damage::file::NAME]
            .contains(&name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_partitions_directories_are_touched() {
        let hex = "0123456789abcdef0123456789ABCDEF";
        for (name, expected) in [
            (format!("t-0.{hex}-delete"), true),
            (format!("my.topic-12.{hex}-delete"), true),
            (format!("{}.{hex}-delete", "t".repeat(215)), true),
            (format!("t.{hex}-delete"), false),
            (format!("t-0.{}-delete", &hex[1..]), false),
            (format!("t-0.{hex}-future"), false),
            ("t-0".to_owned(), false),
            ("please-delete".to_owned(), false),
        ] {
            assert_eq!(is_deleted(&name), expected, "{name}");
        }
        for (name, expected) in [
            ("00000000000000000042.log", true),
            ("00000000000000000042.snapshot.deleted", true),
            ("partition.metadata.tmp", true),
            ("00000000000000000042.timeindex.cleaned", true),
            ("leader-epoch-checkpoint", true),
            ("notes.log", false),
            ("2024.tar", false),
        ] {
            assert_eq!(is_ours(name), expected, "{name}");
        }
    }
}
