//! Recovery: from what a stop left in the directory to logs that can be served.
//!
//! It begins when no write of the process before can still land: the directory's lock lives in the ring. Then:
//! 1. Log files, the segments that have extents, and their directories are synced before they are read: what reads well
//!    after a kill may be in the drive's cache only, and a later power cut would take it from under newer groups.
//! 2. The groups that follow the manifest are found ([`crate::commit_log::scan`]), extents that nothing says are durable are
//!    read and checked ([`extents`]).
//! 3. The first bad group or extent ends the log, **if** it lies above every mark that any good group, or the manifest,
//!    carries: a tear, cut. Otherwise it is rot, and the directory is refused.
//! 4. Each partition replays from its own entry ([`replay`]). What the log holds below an extent goes to the segment again.
//!    Where Kafka has written since, nothing is served ([`foreign`]).
//! 5. The log goes on under a new id, whose first group, a link, is durable before anything else is written ([`resume`]).
//!
//! Every decision is one [`Row`] of a table; the report counts how often each was taken.

use std::path::PathBuf;
use std::rc::Rc;

use bytes::Bytes;
use futures::future::join_all;

use crate::buffers::{SLAB_BYTES, Slabs};
use crate::commit_log::commit::Commit;
use crate::commit_log::files::{Files, LogDir, LogFile, file_name, manifest_path, number_of};
use crate::commit_log::scan::{Chain, Scan};
use crate::commit_log::{GroupSequence, LogId};
use crate::config::{StoreName, StoreOptions};
use crate::core::Core;
use crate::error::{MANIFEST_DAMAGED, OpenError};
use crate::manifest::Manifest;
use crate::marker::{self, MarkerFound};
use crate::moving::Futures;
use crate::planted::{Bug, is};
use crate::runtime::{How, Runtime};
use crate::store::{Placed, end, new_core};
use crate::strays;
use crate::units::PartitionId;

mod extents;
mod foreign;
mod partition;
mod replay;
mod report;
pub(crate) mod resume;
#[cfg(test)]
mod tests;

pub use report::{RecoveryReport, Row};

/// One log file as recovery found it.
struct Opened<R: Runtime> {
    file: Rc<LogFile<R>>,
    path: PathBuf,
}

/// Opens a directory, in whatever state it is. Afterwards the store can be served: nothing is in flight, and the log has
/// room.
pub(crate) async fn recover<R: Runtime>(
    runtime: R,
    options: StoreOptions,
    placed: Vec<Placed>,
    elsewhere: Vec<Placed>,
) -> Result<(Rc<Core<R>>, RecoveryReport), OpenError> {
    let mut report = RecoveryReport::default();
    let began = runtime.monotonic();
    let files = open_files(&runtime, &options).await?;
    let manifest = read_manifest(&runtime, &options).await?;
    let opening = Opening(Some(empty_core(runtime, options, &files)));
    let core = opening.core();
    let futures = find_futures(&core, &placed).await?;
    let all = All { placed: &placed, elsewhere: &elsewhere, futures: &futures };
    match manifest {
        None => {
            no_manifest(&core, &placed, &files, &mut report).await?;
            resume::begin(&core, placed, files, &mut report).await?;
        }
        Some(manifest) => {
            check_shards(&core, &manifest)?;
            let chain = find_chain(&core, &manifest, &files, &all, &mut report).await?;
            let replayed = replay::replay(&core, &manifest, &chain, &all, &mut report)?;
            foreign::check(&core, &replayed, chain.holds_more_than_a_start()).await?;
            resume::resume(&core, &manifest, chain, (replayed, placed), files, &mut report).await?;
        }
    }
    strays::clear_moved(&core, &elsewhere, futures, &mut report)
        .await
        .map_err(OpenError::io(&core.options.directory))?;
    report.milliseconds =
        u64::try_from((core.runtime.monotonic() - began).as_millis()).unwrap_or(u64::MAX);
    Ok((opening.opened(), report))
}

/// Whose the entries of a log may be.
struct All<'a> {
    placed: &'a [Placed],
    /// In other directories. What is here of them is kept.
    elsewhere: &'a [Placed],
    futures: &'a Futures,
}

impl All<'_> {
    fn iter(&self) -> impl Iterator<Item = &Placed> {
        self.placed.iter().chain(self.elsewhere)
    }

    fn directory(&self, options: &StoreOptions, topic: &str, id: PartitionId) -> PathBuf {
        let future = self.futures.get(id).cloned();
        future.unwrap_or_else(|| crate::store::directory_of(options, topic, id))
    }
}

async fn find_futures<R: Runtime>(core: &Core<R>, placed: &[Placed]) -> Result<Futures, OpenError> {
    let directory = &core.options.directory;
    let here = placed.iter().map(|(id, topic, _)| (topic.as_str(), *id)).collect();
    Futures::find(&core.runtime, directory, &here).await.map_err(OpenError::io(directory))
}

/// A store that lets go of its logs if it is not opened after all.
struct Opening<R: Runtime>(Option<Rc<Core<R>>>);

impl<R: Runtime> Opening<R> {
    fn core(&self) -> Rc<Core<R>> {
        Rc::clone(self.0.as_ref().expect("it is there until it is opened"))
    }

    fn opened(mut self) -> Rc<Core<R>> {
        self.0.take().expect("it is opened once")
    }
}

impl<R: Runtime> Drop for Opening<R> {
    fn drop(&mut self) {
        if let Some(core) = &self.0 {
            end(core);
        }
    }
}

async fn open_files<R: Runtime>(
    runtime: &R,
    options: &StoreOptions,
) -> Result<Vec<Opened<R>>, OpenError> {
    let directory = options.commit_directory();
    let names = runtime.list(directory).await.map_err(OpenError::io(directory))?;
    let mut numbers: Vec<u32> =
        names.iter().filter_map(|name| number_of(options.name, name)).collect();
    numbers.sort_unstable();
    let mut files = Vec::new();
    for number in numbers {
        let path = directory.join(file_name(options.name, number));
        let file = runtime.open(&path, How::Write).await.map_err(OpenError::io(&path))?;
        let length = runtime.length(&file).await.map_err(OpenError::io(&path))?;
        files.push(Opened { file: Rc::new(LogFile { number, file, length }), path });
    }
    Ok(files)
}

async fn read_manifest<R: Runtime>(
    runtime: &R,
    options: &StoreOptions,
) -> Result<Option<Manifest>, OpenError> {
    let path = manifest_path(options.commit_directory(), options.name);
    let bytes = match crate::runtime::read_file(runtime, &path).await {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        other => other.map_err(OpenError::io(&path))?,
    };
    match Manifest::decode(&bytes) {
        Some(manifest) => Ok(Some(manifest)),
        None => Err(OpenError::Manifest { path, what: MANIFEST_DAMAGED.to_owned() }),
    }
}

fn empty_core<R: Runtime>(runtime: R, options: StoreOptions, files: &[Opened<R>]) -> Rc<Core<R>> {
    let id = LogId(u128::from(runtime.random()) << 64 | u128::from(runtime.random()));
    let mut log_files = Files::new(options.log_file_bytes);
    log_files.next_number = files.iter().map(|file| file.file.number + 1).max().unwrap_or(0);
    // Where everything is small (simulations, the controller's store), slabs are, too.
    let kept = options.dirty_bytes_max + options.clean_bytes_max;
    let slabs = Slabs::new(SLAB_BYTES.min(kept / 16).max(64 << 10), kept);
    let commit =
        Commit::new(id, u32::from(options.shards), log_files, slabs, options.group_bytes_max);
    Rc::new(new_core(runtime, options, commit))
}

/// Without a manifest the directory is new, or Kafka's, or one whose manifest was lost.
async fn no_manifest<R: Runtime>(
    core: &Core<R>,
    placed: &[Placed],
    files: &[Opened<R>],
    report: &mut RecoveryReport,
) -> Result<(), OpenError> {
    for opened in files {
        let bytes = read_log_file(core, opened).await?;
        if let Some(position) = crate::commit_log::scan::first_batch(&bytes) {
            return Err(OpenError::Rot {
                file: opened.path.display().to_string(),
                position,
                what: "the log holds batches, and there is no manifest".to_owned(),
            });
        }
    }
    for (id, topic, _) in placed {
        let directory = crate::store::directory_of(&core.options, topic, *id);
        if core.runtime.stat(&directory).await.is_ok() {
            return Err(marker::foreign(&directory, "it was not written by this log"));
        }
    }
    let directory = &core.options.directory;
    let foreign = crate::strays::foreign_partition(core).await.map_err(OpenError::io(directory))?;
    if let Some(path) = foreign {
        return Err(marker::foreign(&path, "it was not written by this log"));
    }
    if core.options.name == StoreName::Controller {
        lost_metadata(core).await?;
    }
    report.hit(if files.is_empty() { Row::NewDirectory } else { Row::NeverServed });
    sync_directories(core).await
}

/// The controller's store is the first to be made. Others beside it whose manifests are there without its own say that it was lost: opened
/// with an empty image, they would take every partition for a deleted one.
async fn lost_metadata<R: Runtime>(core: &Core<R>) -> Result<(), OpenError> {
    let LogDir { path: directory, commit } = core.options.log_dir();
    let mut names = core.runtime.list(directory).await.map_err(OpenError::io(directory))?;
    if commit != directory {
        names.extend(core.runtime.list(commit).await.map_err(OpenError::io(commit))?);
    }
    let is_manifest = |name: &&String| name.starts_with("odradek-") && name.ends_with(".manifest");
    let Some(other) = names.iter().find(is_manifest) else { return Ok(()) };
    Err(OpenError::Manifest {
        path: manifest_path(directory, core.options.name),
        what: format!(
            "it is missing, but {other} is there: without the metadata nothing says which partitions the data belongs to. Restore it, \
             odradek-controller-*.commit and __cluster_metadata-0 from a copy, or use an empty log directory"
        ),
    })
}

fn check_shards<R: Runtime>(core: &Core<R>, manifest: &Manifest) -> Result<(), OpenError> {
    let shards = u32::from(core.options.shards);
    if manifest.shards == shards {
        return Ok(());
    }
    Err(OpenError::Shards(format!(
        "the log of store {} was written with odradek.shards={}, and is opened with {shards}: it must be drained first",
        core.options.name, manifest.shards
    )))
}

/// The groups that follow the manifest, with every extent that had to be checked found good.
async fn find_chain<R: Runtime>(
    core: &Core<R>,
    manifest: &Manifest,
    files: &[Opened<R>],
    all: &All<'_>,
    report: &mut RecoveryReport,
) -> Result<Chain, OpenError> {
    sync_files(core, files).await?;
    let mut nothing_since = false;
    if let Some(marker) = &manifest.clean {
        let foreign = "Kafka ran on it after our clean stop, or it is a copy";
        match marker::find(core, marker).await? {
            MarkerFound::Ours => {}
            MarkerFound::Removed if served(core, manifest, files).await? => {}
            MarkerFound::Removed | MarkerFound::Another => {
                return Err(marker::foreign(&core.options.directory, foreign));
            }
        }
        let believed = !served(core, manifest, files).await?;
        let believed = believed || is(Bug::CleanBelieved);
        if believed {
            report.hit(Row::CleanStop);
            nothing_since = true;
        } else {
            report.hit(Row::ServedSinceCleanStop);
        }
    } else {
        report.hit(Row::UncleanStop);
    }
    let mut scan = Scan::new(manifest.id, manifest.first);
    // One after another: all of them together are larger than what a shard may use of memory.
    for opened in files {
        let bytes = if nothing_since { Bytes::new() } else { read_log_file(core, opened).await? };
        report.bytes_read += bytes.len() as u64;
        scan.look_at(&bytes);
    }
    scan.follow_links();
    let carried = if is(Bug::RotByGroupsWalked) { GroupSequence(0) } else { scan.mark() };
    let mark = if is(Bug::NoMarkInManifest) { carried } else { carried.max(manifest.mark) };
    let mut chain = scan.chain(manifest.id, manifest.first, manifest.previous);
    if let Some((index, what)) = extents::first_bad(core, &chain, mark, all, report).await? {
        let sequence = chain.groups[index].group.header.sequence;
        if sequence <= mark {
            return Err(rot(files, (chain.groups[index].file, chain.groups[index].position), what));
        }
        report.hit(Row::TornExtent);
        chain.cut_before(index, manifest.id, manifest.previous);
    }
    judge_end(&chain, mark, files, report)?;
    Ok(chain)
}

/// Whether a group of the log that the clean manifest names was written: it would be in the first block of a file.
async fn served<R: Runtime>(
    core: &Core<R>,
    manifest: &Manifest,
    files: &[Opened<R>],
) -> Result<bool, OpenError> {
    for opened in files {
        let read = core.runtime.read_at(&opened.file.file, 0, crate::runtime::BLOCK).await;
        let block = read.map_err(OpenError::io(&opened.path))?;
        if crate::commit_log::group::GroupHeader::decode(&block)
            .is_some_and(|(header, _)| header.id == manifest.id)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

/// A tear or rot?
fn judge_end<R: Runtime>(
    chain: &Chain,
    mark: GroupSequence,
    files: &[Opened<R>],
    report: &mut RecoveryReport,
) -> Result<(), OpenError> {
    if chain.end < mark {
        let place = chain
            .bad
            .or_else(|| chain.groups.last().map(|last| (last.file, last.position)))
            .unwrap_or((0, 0));
        let what =
            format!("the log ends with group {}, and group {} was durable", chain.end.0, mark.0);
        return Err(rot(files, place, what));
    }
    if chain.outranked {
        report.hit(Row::LinkOutranks);
    }
    report.hit(if chain.bad.is_some() { Row::TornGroup } else { Row::EndOfLog });
    Ok(())
}

fn rot<R: Runtime>(files: &[Opened<R>], (file, position): (usize, u64), what: String) -> OpenError {
    let file = files
        .get(file)
        .map_or_else(|| "no log file".to_owned(), |opened| opened.path.display().to_string());
    OpenError::Rot { file, position, what }
}

async fn sync_files<R: Runtime>(core: &Core<R>, files: &[Opened<R>]) -> Result<(), OpenError> {
    if is(Bug::RecoverySyncsNothing) {
        return Ok(());
    }
    let syncs = files.iter().map(|opened| async {
        core.runtime.fdatasync(&opened.file.file).await.map_err(OpenError::io(&opened.path))
    });
    join_all(syncs).await.into_iter().collect::<Result<(), _>>()?;
    if is(Bug::RecoverySyncsNoDirectory) {
        return Ok(());
    }
    sync_directories(core).await
}

/// The log directory, and that of its commit log.
async fn sync_directories<R: Runtime>(core: &Core<R>) -> Result<(), OpenError> {
    let (directory, commit) = (&*core.options.directory, core.options.commit_directory());
    if commit != directory {
        core.runtime.sync_directory(commit).await.map_err(OpenError::io(commit))?;
    }
    core.runtime.sync_directory(directory).await.map_err(OpenError::io(directory))
}

async fn read_log_file<R: Runtime>(core: &Core<R>, opened: &Opened<R>) -> Result<Bytes, OpenError> {
    let length =
        usize::try_from(crate::runtime::block_down(opened.file.length)).unwrap_or(usize::MAX);
    core.runtime.read_at(&opened.file.file, 0, length).await.map_err(OpenError::io(&opened.path))
}
