//! Names of a partition's files, and the bounded cache of those that are open.
//!
//! Files and directories are made when the first byte goes there, not when a partition is created: ten thousand idle
//! partitions cost no descriptor. A name that was made is durable once its directory was synced; drains leave that to the
//! recycling of the log file that still holds their bytes ([`FileCache::unsynced_directories`]), extents do it at once.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeSet, HashMap};
use std::io;
use std::path::{Path, PathBuf};

use futures::future::join_all;

use crate::checkpoint::PartitionMetadata;
use crate::compaction::CLEANED;
use crate::core::Core;
use crate::log::Log;
use crate::planted::{Bug, is};
use crate::recycle::{let_go, take_alone};
use crate::runtime::{How, Runtime};
use crate::units::{Offset, PartitionId};

/// The suffixes that Kafka gives to a segment's files.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Kind {
    Log,
    OffsetIndex,
    TimeIndex,
    Snapshot,
    /// Only where a transaction was aborted.
    TransactionIndex,
}

impl Kind {
    pub(crate) const ALL: [Kind; 5] =
        [Kind::Log, Kind::OffsetIndex, Kind::TimeIndex, Kind::Snapshot, Kind::TransactionIndex];

    pub(crate) fn suffix(self) -> &'static str {
        match self {
            Kind::Log => ".log",
            Kind::OffsetIndex => ".index",
            Kind::TimeIndex => ".timeindex",
            Kind::Snapshot => ".snapshot",
            Kind::TransactionIndex => ".txnindex",
        }
    }
}

/// `00000000000000000042.log`
pub(crate) fn file_name(base: Offset, kind: Kind) -> String {
    format!("{:020}{}", base.0, kind.suffix())
}

/// `<topic>-<partition>`
pub(crate) fn directory_name(topic: &str, partition: i32) -> String {
    format!("{topic}-{partition}")
}

/// Files that are synced beside each other.
const SYNC_TOGETHER: usize = 64;

#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
struct Key {
    id: PartitionId,
    /// Tells a log from another of a partition that was deleted and came back.
    birth: u64,
    base: Offset,
    kind: Kind,
    writes: bool,
    /// Tells a segment from the one in whose place compaction has put it.
    generation: u64,
}

impl Key {
    fn of<R: Runtime>(log: &Log<R>, base: Offset, kind: Kind, writes: bool) -> Self {
        let generation = log.state().segment(base).map_or(0, |segment| segment.generation);
        Key { id: log.id(), birth: log.birth(), base, kind, writes, generation }
    }
}

/// See the head of the file.
pub(crate) struct FileCache<R: Runtime> {
    open: RefCell<HashMap<Key, (R::File, u64)>>,
    /// Counts the uses, to find the oldest.
    uses: Cell<u64>,
    files_max: usize,
    unsynced: RefCell<BTreeSet<PathBuf>>,
    /// Files that were written since the last manifest.
    written: RefCell<BTreeSet<Key>>,
    /// Files that are being synced: of which log (its birth), of which segment.
    syncing: RefCell<BTreeSet<(u64, Offset, Kind)>>,
}

impl<R: Runtime> FileCache<R> {
    pub(crate) fn new(files_max: usize) -> Self {
        let files_max = files_max.max(8);
        FileCache {
            open: RefCell::default(),
            uses: Cell::new(0),
            files_max,
            unsynced: RefCell::default(),
            written: RefCell::default(),
            syncing: RefCell::default(),
        }
    }

    /// The segment's `.log` for direct writes; made, with its directory, if it is missing.
    pub(crate) async fn writable(
        &self,
        core: &Core<R>,
        log: &Log<R>,
        base: Offset,
    ) -> io::Result<R::File> {
        self.writable_kind(core, log, base, Kind::Log).await
    }

    pub(crate) async fn writable_kind(
        &self,
        core: &Core<R>,
        log: &Log<R>,
        base: Offset,
        kind: Kind,
    ) -> io::Result<R::File> {
        let key = Key::of(log, base, kind, true);
        if let Some(file) = self.cached(key) {
            return Ok(file);
        }
        ensure_directory(core, log).await?;
        let directory = log.state().directory.clone();
        let file = core.runtime.open(&directory.join(file_name(base, kind)), How::Create).await?;
        self.note_unsynced(&directory);
        self.keep(key, file.clone());
        Ok(file)
    }

    /// A write to this file has returned: the next manifest syncs it. Noted now and not when the write began, or a sync
    /// in between would take it for its own.
    pub(crate) fn note_written(&self, log: &Log<R>, base: Offset, kind: Kind) {
        self.written.borrow_mut().insert(Key::of(log, base, kind, true));
    }

    /// Syncs every file that was written since the last call, each by itself. Those that are gone were given up.
    pub(crate) async fn sync_written(&self, core: &Core<R>) -> io::Result<()> {
        let written: Vec<Key> =
            std::mem::take(&mut *self.written.borrow_mut()).into_iter().collect();
        for some in written.chunks(SYNC_TOGETHER) {
            let syncs = some.iter().map(|key| self.sync_one(core, *key));
            join_all(syncs).await.into_iter().collect::<io::Result<()>>()?;
        }
        Ok(())
    }

    async fn sync_one(&self, core: &Core<R>, key: Key) -> io::Result<()> {
        let Some(log) = core.log(key.id).filter(|log| log.birth() == key.birth) else {
            return Ok(());
        };
        let opened = match self.cached(key) {
            Some(file) => Some(file),
            None => match open_written(core, &log, key).await? {
                Some(file) => Some(file),
                None => {
                    // A partition that moves gives its directory another name: while nobody else is at it, it has the one that is known.
                    take_alone(core, &log).await?;
                    let opened = open_written(core, &log, key).await;
                    let_go(core, &log);
                    opened?
                }
            },
        };
        match opened {
            Some(file) => sync_file(core, &log, (key.base, key.kind), &file).await,
            None => Ok(()),
        }
    }

    /// A file of the segment for reading through the page cache; it exists.
    pub(crate) async fn readable(
        &self,
        core: &Core<R>,
        log: &Log<R>,
        base: Offset,
        kind: Kind,
    ) -> io::Result<R::File> {
        let key = Key::of(log, base, kind, false);
        if let Some(file) = self.cached(key) {
            return Ok(file);
        }
        let (directory, swapping) = {
            let state = log.state();
            let swapping = state.segment(base).is_some_and(|segment| segment.swapping);
            (state.directory.clone(), swapping)
        };
        let own = directory.join(file_name(base, kind));
        let opened = match swapping {
            // Until it has its own name. What has that name before is another's, and never looked at.
            true => {
                let cleaned = directory.join(format!("{}{CLEANED}", file_name(base, kind)));
                match core.runtime.open(&cleaned, How::Read).await {
                    Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                    other => Some(other?),
                }
            }
            false => None,
        };
        let file = match opened {
            Some(file) => file,
            None => core.runtime.open(&own, How::Read).await?,
        };
        self.keep(key, file.clone());
        Ok(file)
    }

    fn cached(&self, key: Key) -> Option<R::File> {
        let mut open = self.open.borrow_mut();
        let (file, used) = open.get_mut(&key)?;
        self.uses.set(self.uses.get() + 1);
        *used = self.uses.get();
        Some(file.clone())
    }

    fn keep(&self, key: Key, file: R::File) {
        let mut open = self.open.borrow_mut();
        if open.len() >= self.files_max {
            // A quarter at once: finding the oldest walks all of them.
            let mut uses: Vec<u64> = open.values().map(|(_, used)| *used).collect();
            let quarter = uses.len() / 4;
            let (_, limit, _) = uses.select_nth_unstable(quarter);
            let limit = *limit;
            open.retain(|_, (_, used)| *used > limit);
        }
        self.uses.set(self.uses.get() + 1);
        open.insert(key, (file, self.uses.get()));
    }

    /// Closes what is open of a segment, or of a whole partition.
    pub(crate) fn forget(&self, log: &Log<R>, base: Option<Offset>) {
        self.open
            .borrow_mut()
            .retain(|key, _| key.birth != log.birth() || base.is_some_and(|base| base != key.base));
    }

    pub(crate) fn note_unsynced(&self, directory: &Path) {
        let mut unsynced = self.unsynced.borrow_mut();
        if !unsynced.contains(directory) {
            unsynced.insert(directory.to_owned());
        }
    }

    /// Directories with names that may not be durable yet. The caller syncs them.
    pub(crate) fn take_unsynced_directories(&self) -> Vec<PathBuf> {
        std::mem::take(&mut *self.unsynced.borrow_mut()).into_iter().collect()
    }
}

/// Syncs a file of a segment. **All syncs of segments' files go through here, one at a time for each file.** When one fails, what it was to
/// write is lost, and the next one succeeds: the error is told once. So the store is offline before anybody else syncs that file.
pub(crate) async fn sync_file<R: Runtime>(
    core: &Core<R>,
    log: &Log<R>,
    (base, kind): (Offset, Kind),
    file: &R::File,
) -> io::Result<()> {
    let name = (log.birth(), base, kind);
    loop {
        let settled = core.events.settled.listen();
        core.check_online().map_err(|offline| io::Error::other(offline.0))?;
        if core.files.syncing.borrow_mut().insert(name) {
            break;
        }
        settled.await;
    }
    let synced = core.runtime.fdatasync(file).await;
    if let Err(error) = &synced
        && !is(Bug::SyncTriedAgain)
    {
        core.go_offline(&format!("a sync failed: {error}"));
    }
    core.files.syncing.borrow_mut().remove(&name);
    core.events.settled.notify();
    synced
}

/// None if it is not there.
async fn open_written<R: Runtime>(
    core: &Core<R>,
    log: &Log<R>,
    key: Key,
) -> io::Result<Option<R::File>> {
    let path = log.state().directory.join(file_name(key.base, key.kind));
    match core.runtime.open(&path, How::Write).await {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        other => other.map(Some),
    }
}

/// Makes the partition's directory, with the file that says which topic it belongs to. One task does it, others wait.
pub(crate) async fn ensure_directory<R: Runtime>(core: &Core<R>, log: &Log<R>) -> io::Result<()> {
    loop {
        let settled = core.events.settled.listen();
        let is_ready = {
            let state = log.state();
            state.has_directory && !state.unchecked && !state.making_directory
        };
        if is_ready {
            return Ok(());
        }
        if !std::mem::replace(&mut log.state_mut().making_directory, true) {
            break;
        }
        core.check_online().map_err(|offline| io::Error::other(offline.0))?;
        settled.await;
    }
    let made = if log.state().has_directory { Ok(()) } else { make_directory(core, log).await };
    let made = match made {
        Ok(()) => crate::recovery::resume::remove_unknown_files(core, log).await,
        Err(error) => Err(error),
    };
    log.state_mut().making_directory = false;
    log.state_mut().has_directory = made.is_ok();
    core.events.settled.notify();
    made
}

async fn make_directory<R: Runtime>(core: &Core<R>, log: &Log<R>) -> io::Result<()> {
    let directory = log.state().directory.clone();
    crate::given_up::name_is_free(core, log).await?;
    // What a partition of the same name has left there is not ours.
    log.state_mut().unchecked |= core.runtime.stat(&directory).await.is_ok();
    core.runtime.mkdir(&directory).await?;
    let metadata = PartitionMetadata { topic: log.id().topic }.print();
    let path = directory.join("partition.metadata");
    crate::runtime::replace_file(&core.runtime, &path, metadata.as_bytes()).await?;
    core.files.note_unsynced(&core.options.directory);
    core.files.note_unsynced(&directory);
    Ok(())
}

/// Makes the names of a partition's files durable now. The next manifest syncs them once more: a name that was made while
/// this sync was under way is not covered by it.
pub(crate) async fn sync_names<R: Runtime>(core: &Core<R>, log: &Log<R>) -> io::Result<()> {
    let directory = log.state().directory.clone();
    if is(Bug::SegmentDirectoryUnsynced) {
        return Ok(());
    }
    core.runtime.sync_directory(&directory).await?;
    core.runtime.sync_directory(&core.options.directory).await?;
    Ok(())
}

#[cfg(test)]
mod tests;
