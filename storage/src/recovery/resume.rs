//! How the log goes on after recovery: its files, the link that begins the new id, and what was left to do.

use std::collections::BTreeSet;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;

use super::replay::{Replayed, Rewrite};
use super::{Opened, RecoveryReport, Row};
use crate::checkpoint::PartitionMetadata;
use crate::commit_log::commit::Reserve;
use crate::commit_log::committer;
use crate::commit_log::entry::{Entry, Kind, Link};
use crate::commit_log::files::{Used, manifest_path};
use crate::commit_log::marks::Marks;
use crate::commit_log::scan::Chain;
use crate::commit_log::{GroupSequence, LogId};
use crate::compaction::CLEANED;
use crate::core::{Core, GroupMemory};
use crate::error::OpenError;
use crate::given_up::is_waiting;
use crate::log::Log;
use crate::manifest::Manifest;
use crate::partition::Partition;
use crate::planted::{Bug, is};
use crate::removal::or_gone;
use crate::runtime::{Dsync, Runtime, block_up};
use crate::segment::Segment;
use crate::segment::files::{Kind as FileKind, file_name};
use crate::store::Placed;
use crate::units::{Offset, PartitionId, TopicId};

/// A new directory: one log file, whose blocks are zeroed only when it is used again, and a manifest that names the log.
pub(super) async fn begin<R: Runtime>(
    core: &Rc<Core<R>>,
    placed: Vec<Placed>,
    files: Vec<Opened<R>>,
    report: &mut RecoveryReport,
) -> Result<(), OpenError> {
    let now = core.runtime.now();
    for (id, topic, config) in placed {
        let directory = crate::store::directory_of(&core.options, &topic, id);
        let partition = Partition::new(id, &topic, directory, config, now);
        core.logs.borrow_mut().insert(id, Log::new(Rc::clone(core), partition));
        report.hit(Row::PartitionNew);
    }
    let other_sizes = take_files(core, files.into_iter().map(|opened| (opened, None)).collect());
    ensure_room(core).await?;
    let (id, next, shards) = {
        let commit = core.commit.borrow();
        (commit.id, commit.next, commit.shards)
    };
    let manifest = Manifest {
        id,
        first: next,
        previous: 0,
        mark: GroupSequence(0),
        shards,
        clean: None,
        partitions: Vec::new(),
    };
    let path = manifest_path(core.options.commit_directory(), core.options.name);
    manifest.write(&core.runtime, &path).await.map_err(OpenError::io(&path))?;
    let directory = core.options.commit_directory();
    crate::recycle::unlink(core, other_sizes).await.map_err(OpenError::io(directory))
}

/// Everything after the chain was replayed.
pub(super) async fn resume<R: Runtime>(
    core: &Rc<Core<R>>,
    manifest: &Manifest,
    chain: Chain,
    (replayed, placed): (Replayed, Vec<Placed>),
    files: Vec<Opened<R>>,
    report: &mut RecoveryReport,
) -> Result<(), OpenError> {
    debug_assert!(placed.iter().all(|(id, ..)| replayed.partitions.contains_key(id)));
    let touched = replayed.touched;
    for (id, partition) in replayed.partitions {
        core.logs.borrow_mut().insert(id, Log::new(Rc::clone(core), partition));
    }
    let bytes = chain.groups.iter().map(|linked| linked.group.header.footprint()).sum::<u64>();
    account(core, &touched, chain.end, bytes);
    let after_clean_stop = manifest.clean.is_some() && chain.groups.is_empty();
    let (fresh, other_sizes) = take_chain(core, manifest, &chain, files, after_clean_stop);
    ensure_room(core).await?;
    if is(Bug::OldIdUsedAgain) && !after_clean_stop {
        core.commit.borrow_mut().files.skip_to_free_file();
    } else {
        report.hit(if chain.ends_with_link { Row::EmptyLink } else { Row::NewLink });
        // A start that follows a clean stop is recognised by this group in the first block of a file. A process that dies whenever it is
        // started takes no more than a block each time.
        if !chain.ends_with_link {
            core.commit.borrow_mut().files.skip_to_free_file();
        }
        let old = Link { id: chain.id, end: chain.end };
        let id = if after_clean_stop { manifest.id } else { fresh };
        write_link(core, id, old).await?;
    }
    let directory = core.options.directory.clone();
    for rewrite in replayed.rewrites {
        write_again(core, rewrite).await.map_err(OpenError::io(&directory))?;
    }
    let unlinked = crate::recycle::unlink(core, other_sizes).await;
    unlinked.map_err(OpenError::io(core.options.commit_directory()))?;
    core.commit.borrow_mut().marks.recorded(chain.end);
    let logs: Vec<Log<R>> = core.logs.borrow().values().cloned().collect();
    for log in &logs {
        let completed = crate::compaction::complete(core, log).await;
        let directory = log.state().directory.clone();
        report.add(Row::SwapCompleted, completed.map_err(OpenError::io(&directory))?);
    }
    if !after_clean_stop {
        let renamed = crate::strays::rename_predecessors(core, &replayed.deleted).await;
        renamed.map_err(OpenError::io(&core.options.directory))?;
        report.raise_epochs = touched.iter().copied().collect();
        report.raise_epochs.sort_unstable();
        for log in core.logs.borrow().values() {
            log.state_mut().unchecked = true;
        }
        for id in &touched {
            let Some(log) = core.log(*id) else { continue };
            let directory = log.state().directory.clone();
            if is(Bug::DirectoryIsList) {
                let taken = take_from_directory(core, &log).await;
                taken.map_err(OpenError::io(&directory))?;
            }
            remove_unknown_files(core, &log).await.map_err(OpenError::io(&directory))?;
        }
        let truncated: Vec<Log<R>> =
            replayed.truncated.iter().filter_map(|id| core.log(*id)).collect();
        if !truncated.is_empty() && !is(Bug::TruncationReplayedAgain) {
            // No manifest before that is done. It takes the store's other tasks, which do not run yet.
            core.leaving.set(true);
            core.runtime.spawn(leave_truncations_behind(Rc::clone(core), truncated, chain.end));
        }
    }
    Ok(())
}

/// The start ended with the group `last`.
async fn leave_truncations_behind<R: Runtime>(
    core: Rc<Core<R>>,
    truncated: Vec<Log<R>>,
    last: GroupSequence,
) {
    for log in truncated {
        if let Err(error) = crate::recycle::leave_behind(&core, &log, last).await {
            core.go_offline(&format!("a log that was truncated cannot be drained: {error}"));
        }
    }
    core.leaving.set(false);
    core.events.settled.notify();
    core.events.recycle.notify();
}

/// Planted: segments are what the directory holds.
async fn take_from_directory<R: Runtime>(core: &Core<R>, log: &Log<R>) -> io::Result<()> {
    let directory = log.state().directory.clone();
    let names = match core.runtime.list(&directory).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    for name in names {
        let base = name.strip_suffix(FileKind::Log.suffix()).and_then(|base| base.parse().ok());
        let Some(base) = base.map(Offset) else { continue };
        let length = core.runtime.stat(&directory.join(&name)).await?.length;
        let mut state = log.state_mut();
        if length == 0 || state.segment(base).is_some() {
            continue;
        }
        let index = state.segments.partition_point(|segment| segment.base < base);
        let mut segment = Segment::new(base, 0);
        segment.next = state.segments.get(index).map_or(base, |next| next.base);
        segment.length = u32::try_from(length).unwrap_or(u32::MAX);
        segment.settle(segment.length);
        segment.finished = index < state.segments.len();
        state.end = state.end.max(base);
        state.segments.insert(index, segment);
    }
    Ok(())
}

/// Blocks below an extent, whose bytes the log has, are written once more: nothing says that they were synced.
async fn write_again<R: Runtime>(core: &Core<R>, rewrite: Rewrite) -> io::Result<()> {
    let Some(log) = core.log(rewrite.id) else { return Ok(()) };
    let file = core.files.writable(core, &log, rewrite.segment).await?;
    let bytes = crate::buffers::padded(&rewrite.bytes);
    core.runtime.write_at(&file, bytes, u64::from(rewrite.start), Dsync::No).await?;
    core.files.note_written(&log, rewrite.segment, FileKind::Log);
    Ok(())
}

/// The counts of what is in memory only.
fn account<R: Runtime>(
    core: &Core<R>,
    touched: &BTreeSet<PartitionId>,
    end: GroupSequence,
    bytes: u64,
) {
    let mut logs = Vec::new();
    let (mut dirty, mut dirty_logs) = (0, 0);
    for log in core.logs.borrow().values() {
        let more = log.state().dirty_bytes();
        dirty += more;
        dirty_logs += usize::from(more > 0);
        if touched.contains(&log.id()) || !log.state().tail.is_empty() {
            logs.push(log.clone());
        }
    }
    for log in &logs {
        log.drain_if_large();
    }
    core.counts.dirty_bytes.set(usize::try_from(dirty).unwrap_or(usize::MAX));
    core.counts.dirty_logs.set(dirty_logs);
    let bytes = usize::try_from(bytes).unwrap_or(usize::MAX);
    core.counts.kept_bytes.set(bytes);
    core.memory.borrow_mut().push_back(GroupMemory { sequence: end, bytes, logs });
}

/// Puts the files in order: those with groups of the chain, then the others, which are free. Returns a new id, and the files that are of
/// another size than is asked for now.
fn take_chain<R: Runtime>(
    core: &Core<R>,
    manifest: &Manifest,
    chain: &Chain,
    files: Vec<Opened<R>>,
    after_clean_stop: bool,
) -> (LogId, Vec<u32>) {
    let mut previous = manifest.previous;
    let mut used: Vec<Option<InUse>> = vec![None; files.len()];
    for linked in &chain.groups {
        let header = &linked.group.header;
        let end = linked.position + header.footprint();
        let first = (header.sequence, header.id, previous);
        let entry = used[linked.file].get_or_insert(InUse { first, last: header.sequence, end });
        (entry.last, entry.end) = (header.sequence, end);
        previous = linked.group.checksum;
    }
    let other_sizes = take_files(core, files.into_iter().zip(used).collect());
    let mut commit = core.commit.borrow_mut();
    let fresh = commit.id;
    commit.id = if chain.groups.is_empty() && after_clean_stop { manifest.id } else { chain.id };
    commit.next = chain.end.next();
    commit.previous = chain.checksum;
    commit.last_content = chain.end;
    let mut marks = Marks::at(chain.end);
    marks.recorded = manifest.mark.min(chain.end);
    commit.marks = marks;
    (fresh, other_sizes)
}

/// What a file has of the chain: its first group, with that one's log and the checksum that it names, its last, and where that ends.
#[derive(Clone, Copy)]
struct InUse {
    first: (GroupSequence, LogId, u32),
    last: GroupSequence,
    end: u64,
}

/// Returns those that are of another size than is asked for now, or were not made whole: they are not used again.
fn take_files<R: Runtime>(core: &Core<R>, files: Vec<(Opened<R>, Option<InUse>)>) -> Vec<u32> {
    let bytes = core.options.log_file_bytes;
    let mut commit = core.commit.borrow_mut();
    let mut in_use: Vec<(InUse, Opened<R>)> = Vec::new();
    let mut other_sizes = Vec::new();
    for (opened, used) in files {
        match used {
            Some(used) => in_use.push((used, opened)),
            None => other_sizes.extend(commit.files.release(opened.file)),
        }
    }
    in_use.sort_by_key(|(used, _)| used.first.0);
    for (InUse { first: (first, id, previous), last, end }, opened) in in_use {
        commit.files.cursor = if opened.file.length == bytes { block_up(end) } else { bytes };
        commit.files.used.push_back(Used { file: opened.file, first, id, previous, last });
    }
    other_sizes
}

/// The log has a file to go on with, and what recycling needs.
async fn ensure_room<R: Runtime>(core: &Core<R>) -> Result<(), OpenError> {
    loop {
        let room = core.commit.borrow().files.room();
        if room >= core.kept_for_recycling() + core.options.log_file_bytes / 2 {
            return Ok(());
        }
        crate::recycle::add_file(core, false)
            .await
            .map_err(OpenError::io(core.options.commit_directory()))?;
    }
}

/// The first group of the new id. It is durable when this returns, before anything else is written.
async fn write_link<R: Runtime>(core: &Core<R>, id: LogId, old: Link) -> Result<(), OpenError> {
    {
        let mut commit = core.commit.borrow_mut();
        if id != old.id {
            commit.id = id;
        }
        let nobody = PartitionId { topic: TopicId::default(), partition: 0 };
        let payload = old.encode();
        let entry =
            Entry { payload: crate::tail::length(&payload), ..Entry::new(Kind::Link, nobody) };
        let room = commit.reserve(payload.len(), 0, Reserve::Use);
        room.map_err(|what| OpenError::Io {
            path: core.options.commit_directory().to_owned(),
            source: io::Error::other(what),
        })?;
        commit.add(&entry, &[&payload], payload.len());
    }
    let sealed = core.commit.borrow_mut().seal_next();
    let dsync = if is(Bug::LinkNotDurable) { Dsync::No } else { Dsync::Yes };
    match sealed {
        Some(sealed) => committer::write(core, sealed, dsync)
            .await
            .map_err(OpenError::io(core.options.commit_directory())),
        None => Ok(()),
    }
}

/// The topic whose partition this directory is, by the file in it.
pub(crate) async fn topic_of<R: Runtime>(
    runtime: &R,
    directory: &std::path::Path,
) -> Option<TopicId> {
    let path = directory.join("partition.metadata");
    let text: Bytes = crate::runtime::read_file(runtime, &path).await.ok()?;
    PartitionMetadata::parse(&text).ok().map(|metadata| metadata.topic)
}

/// The directory is not the list of segments: files that neither the manifest nor the log names are renamed, before their
/// names can be used again. After an unclean stop this is done for the partitions that the log names at once, for others
/// before their first write, and at a clean stop: what retention has given up since keeps its name until that is recorded, as ever.
pub(crate) async fn remove_unknown_files<R: Runtime>(
    core: &Core<R>,
    log: &Log<R>,
) -> io::Result<()> {
    if !std::mem::replace(&mut log.state_mut().unchecked, false) {
        return Ok(());
    }
    let removed = remove_unknown(core, log).await;
    // Who tries again, looks again.
    log.state_mut().unchecked |= removed.is_err();
    removed
}

async fn remove_unknown<R: Runtime>(core: &Core<R>, log: &Log<R>) -> io::Result<()> {
    let directory = log.state().directory.clone();
    if topic_of(&core.runtime, &directory).await.is_some_and(|topic| topic != log.id().topic) {
        // The directory will be ours when that partition's is renamed.
        log.state_mut().unchecked = true;
        return Ok(());
    }
    let names = match core.runtime.list(&directory).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        other => other?,
    };
    let known: BTreeSet<String> = {
        let state = log.state();
        // The cleaner may have left a segment without batches; it keeps the place of those that it was made from.
        let used = state.segments.iter().filter(|segment| segment.length > 0 || segment.finished);
        let bases = used.map(|segment| segment.base);
        bases.flat_map(|base| FileKind::ALL.map(|kind| file_name(base, kind))).collect()
    };
    let is_segment = |name: &String| FileKind::ALL.iter().any(|kind| name.ends_with(kind.suffix()));
    let is_deleted = |name: &&String| name.ends_with(".deleted");
    let mut deleted: Vec<_> = names.iter().filter(is_deleted).map(|n| directory.join(n)).collect();
    let before = deleted.len();
    // The cleaner may use that name again at once.
    for name in names.iter().filter(|name| name.ends_with(CLEANED)) {
        deleted.extend(crate::removal::aside(&core.runtime, &directory.join(name)).await?);
    }
    for name in names.iter().filter(|name| is_segment(name) && !known.contains(*name)) {
        let to = directory.join(format!("{name}.deleted"));
        let from = directory.join(name);
        if is_waiting(core, &from, None) {
            continue;
        }
        or_gone(core.runtime.rename(&from, &to).await)?;
        deleted.push(to);
    }
    if deleted.len() > before {
        core.runtime.sync_directory(&directory).await?;
    }
    let mut large = Vec::new();
    for path in deleted {
        let length = core.runtime.stat(&path).await.map_or(0, |stat| stat.length);
        if length > core.options.removal_bytes && !core.closing.get() {
            large.push(path);
        } else {
            or_gone(core.runtime.unlink(&path).await)?;
        }
    }
    // What takes its time does not hold up the start. A stop that comes first removes it: a start after that would not look for it.
    if !large.is_empty() {
        crate::removal::later(log.core(), large, Duration::ZERO);
    }
    Ok(())
}
