//! What all parts of a store share: the runtime, the commit log under construction, the logs, and the events between the
//! tasks.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::Duration;

use crate::commit_log::GroupSequence;
use crate::commit_log::commit::Commit;
use crate::commit_log::entry::ENTRY_BYTES;
use crate::config::{CleanerOptions, StoreOptions};
use crate::error::Offline;
use crate::event::Event;
use crate::given_up::{GivenUp, Renaming};
use crate::log::Log;
use crate::runtime::{BLOCK_U64, Runtime, is_full};
use crate::segment::drain::FULL_DISK_PAUSE;
use crate::segment::files::FileCache;
use crate::units::{Offset, PartitionId};

/// A full disk is mentioned so often at most.
const FULL_DISK_TOLD: Duration = Duration::from_secs(60);

/// How far a partition has come with a completed group or a sync.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Advance {
    pub id: PartitionId,
    /// Everything below is written: a stop of the process does not lose it.
    pub written: Offset,
    /// Everything below is on stable storage.
    pub durable: Offset,
    /// The one of the two that the store's durability promises.
    pub acknowledged: Offset,
}

/// Called once per completed group or sync, before its tickets resolve.
pub type OnAdvance = Rc<dyn Fn(&[Advance])>;

/// Called once, when the store goes offline.
pub type OnOffline = Rc<dyn Fn(&Offline)>;

/// See the head of the file.
pub(crate) struct Core<R: Runtime> {
    pub(crate) runtime: R,
    pub(crate) options: StoreOptions,
    /// Of the options, what may change while the store is open.
    pub(crate) cleaner: RefCell<CleanerOptions>,
    pub(crate) producer_expiration_ms: Cell<i64>,
    pub(crate) commit: RefCell<Commit<R>>,
    pub(crate) logs: RefCell<BTreeMap<PartitionId, Log<R>>>,
    pub(crate) files: FileCache<R>,
    pub(crate) drains: RefCell<VecDeque<Log<R>>>,
    pub(crate) prepares: RefCell<VecDeque<Log<R>>>,
    pub(crate) given_up: RefCell<VecDeque<GivenUp<R>>>,
    pub(crate) renaming: RefCell<Vec<Renaming<R>>>,
    /// What was renamed, and when it is removed (`file.delete.delay.ms`).
    pub(crate) to_remove: RefCell<BTreeSet<(Duration, PathBuf)>>,
    /// A task is at it.
    pub(crate) removing: Cell<bool>,
    pub(crate) memory: RefCell<VecDeque<GroupMemory<R>>>,
    /// Clean bytes that are kept for readers; see `memory`.
    pub(crate) clean_bytes: Cell<usize>,
    pub(crate) events: Events,
    pub(crate) counts: Counts,
    pub(crate) offline: RefCell<Option<Offline>>,
    /// What failed first was an operation on the commit log or the manifest.
    pub(crate) log_failed: Cell<bool>,
    /// When it was last said that the disk is full.
    pub(crate) full_told: Cell<Option<Duration>>,
    pub(crate) on_advance: RefCell<Option<OnAdvance>>,
    pub(crate) on_offline: RefCell<Option<OnOffline>>,
    /// Logs that there were in this store.
    pub(crate) births: Cell<u64>,
    /// Nothing may be appended any more.
    pub(crate) closing: Cell<bool>,
    /// The recycler and the cleaner run.
    pub(crate) serving: Cell<bool>,
    /// A sync is wanted now: somebody waits for the durable mark under `written`.
    pub(crate) sync_wanted: Cell<bool>,
    /// An empty group is wanted, to record the durable mark.
    pub(crate) record_wanted: Cell<bool>,
    /// A topic's `flush.ms` wants the next sync within this time, for a group that is complete.
    pub(crate) sync_within: Cell<Duration>,
    /// The manifest is being written.
    pub(crate) recording: Cell<bool>,
    /// A truncation that the start has replayed is not left behind yet: until it is, no manifest is written, and no log file becomes free.
    pub(crate) leaving: Cell<bool>,
    /// A log is being compacted.
    pub(crate) cleaning: Cell<bool>,
    /// The tasks are to end.
    pub(crate) stopped: Cell<bool>,
    /// The manifest of the clean stop is being written, or was: there is none after it.
    pub(crate) sealed: Cell<bool>,
}

#[derive(Default)]
pub(crate) struct Events {
    /// Something was added to the commit log, or a task of it has something new to do.
    pub(crate) appended: Event,
    /// Marks moved.
    pub(crate) marks: Event,
    /// There may be room: dirty bytes fell, or a log file became free.
    pub(crate) room: Event,
    /// A log wants to be drained or prepared.
    pub(crate) drain: Event,
    /// A drain or a preparation ended.
    pub(crate) settled: Event,
    /// Log files are getting scarce, or the store closes.
    pub(crate) recycle: Event,
    /// An unsynced group was completed.
    pub(crate) unsynced: Event,
    /// Files were given up.
    pub(crate) given_up: Event,
    /// There is more to remove, or the store closes.
    pub(crate) to_remove: Event,
    pub(crate) closing: Event,
    /// The cleaner is to be run otherwise.
    pub(crate) cleaner: Event,
}

/// Of what is kept for recycling, what entries may use that give up files.
pub(crate) const KEPT_TO_MAKE_ROOM: u64 = 4 * BLOCK_U64;

/// What a store has done, for metrics.
#[derive(Default, Debug)]
pub(crate) struct Counts {
    pub(crate) dirty_bytes: Cell<usize>,
    pub(crate) kept_bytes: Cell<usize>,
    /// Logs with bytes that no segment has.
    pub(crate) dirty_logs: Cell<usize>,
    pub(crate) groups: Cell<u64>,
    pub(crate) empty_groups: Cell<u64>,
    pub(crate) batches: Cell<u64>,
    pub(crate) batch_bytes: Cell<u64>,
    pub(crate) group_bytes: Cell<u64>,
    pub(crate) extents: Cell<u64>,
    pub(crate) extent_bytes: Cell<u64>,
    pub(crate) drains: Cell<u64>,
    pub(crate) drain_bytes: Cell<u64>,
    pub(crate) syncs: Cell<u64>,
    pub(crate) recycled: Cell<u64>,
    pub(crate) relogged: Cell<u64>,
    pub(crate) refused: Cell<u64>,
    /// Of compaction: rounds, bytes of the segments that they went through, records that they removed.
    pub(crate) rounds: Cell<u64>,
    pub(crate) cleaned_bytes: Cell<u64>,
    pub(crate) removed_records: Cell<u64>,
    /// Of the scrubber: passes, bytes that were read to be checked, reads that failed; ranges that were found damaged, and indexes that
    /// were built anew, by whomever.
    pub(crate) scrubs: Cell<u64>,
    pub(crate) examined_bytes: Cell<u64>,
    pub(crate) scrub_errors: Cell<u64>,
    pub(crate) damage_found: Cell<u64>,
    pub(crate) indexes_rebuilt: Cell<u64>,
}

/// Adds to a counter.
pub(crate) fn count(cell: &Cell<u64>, more: usize) {
    cell.set(cell.get() + more as u64);
}

/// The memory of one group, and who has slices of it.
pub(crate) struct GroupMemory<R: Runtime> {
    pub(crate) sequence: GroupSequence,
    pub(crate) bytes: usize,
    pub(crate) logs: Vec<Log<R>>,
}

impl<R: Runtime> Core<R> {
    pub(crate) fn check_online(&self) -> Result<(), Offline> {
        match &*self.offline.borrow() {
            Some(offline) => Err(offline.clone()),
            None => Ok(()),
        }
    }

    /// Passes on what came of an operation on the commit log or the manifest, and remembers that it failed: where these have a device of
    /// their own, whatever has its commit log there fails with it.
    pub(crate) fn of_log<T>(&self, done: std::io::Result<T>) -> std::io::Result<T> {
        if done.as_ref().is_err_and(|error| !is_full(error)) {
            self.log_failed.set(true);
        }
        done
    }

    /// For what found the disk full and tries again: says so from time to time.
    pub(crate) async fn wait_out_full_disk(&self) {
        let now = self.runtime.monotonic();
        if self.full_told.get().is_none_or(|told| now.saturating_sub(told) >= FULL_DISK_TOLD) {
            self.full_told.set(Some(now));
            tracing::warn!(
                directory = %self.options.directory.display(),
                "no room on this disk: what is produced here waits, and nothing is lost. Delete topics or records, shorten retention, or make the disk larger"
            );
        }
        self.runtime.sleep(FULL_DISK_PAUSE).await;
    }

    /// A write or a sync failed: nothing is acknowledged any more, and everybody who waits is told.
    pub(crate) fn go_offline(&self, why: &str) {
        if self.offline.borrow().is_some() {
            return;
        }
        // Where the store has ended, whatever its tasks were at fails, and that is nobody's concern.
        if !self.stopped.get() {
            tracing::error!(directory = %self.options.directory.display(), store = %self.options.name, why, "the log directory is offline");
        }
        *self.offline.borrow_mut() = Some(Offline(why.to_owned()));
        self.commit.borrow_mut().fail_all("a write or a sync failed");
        self.wake_all();
        let told = self.on_offline.borrow_mut().take();
        if let (Some(on_offline), Some(offline)) = (told, self.offline.borrow().as_ref()) {
            on_offline(offline);
        }
    }

    pub(crate) fn wake_all(&self) {
        let events = &self.events;
        for event in [
            &events.appended,
            &events.marks,
            &events.room,
            &events.drain,
            &events.settled,
            &events.recycle,
            &events.unsynced,
            &events.given_up,
            &events.to_remove,
            &events.closing,
            &events.cleaner,
        ] {
            event.notify();
        }
    }

    pub(crate) fn log(&self, id: PartitionId) -> Option<Log<R>> {
        self.logs.borrow().get(&id).cloned()
    }

    /// Room in the log that only recycling may use: what the logs that are not drained to the last block may have to log again, and a
    /// little for empty groups. A few blocks of it are for what makes room on the disk.
    pub(crate) fn kept_for_recycling(&self) -> u64 {
        const EACH: u64 = 2 * BLOCK_U64 + 2 * ENTRY_BYTES as u64;
        let again = self.counts.dirty_logs.get() as u64 * EACH;
        // A group's header and padding come with every few of them; the last group of a file does not quite fit.
        again + again / 8 + 4 * BLOCK_U64 + KEPT_TO_MAKE_ROOM
    }

    /// A log has given up bytes that no segment had: so many were dirty, so many are.
    pub(crate) fn dirty_fell(&self, was: u64, is: u64) {
        let counts = &self.counts;
        let less = usize::try_from(was.saturating_sub(is)).unwrap_or(usize::MAX);
        counts.dirty_bytes.set(counts.dirty_bytes.get().saturating_sub(less));
        if was > 0 && is == 0 {
            counts.dirty_logs.set(counts.dirty_logs.get().saturating_sub(1));
        }
    }

    pub(crate) fn is_dirty_limit_reached(&self) -> bool {
        self.counts.dirty_bytes.get() >= self.options.dirty_bytes_max
    }

    /// Waits until everything up to this group is durable and recorded. Asks for what that takes.
    pub(crate) async fn recorded(&self, sequence: GroupSequence) -> Result<(), Offline> {
        self.wait_for_marks(|marks| marks.recorded >= sequence, || self.record_wanted.set(true))
            .await
    }

    /// Waits until everything up to this group is durable. Asks for a sync where that takes one.
    pub(crate) async fn durable(&self, sequence: GroupSequence) -> Result<(), Offline> {
        self.wait_for_marks(|marks| marks.durable >= sequence, || self.sync_wanted.set(true)).await
    }

    /// Waits until everything up to this group is written.
    pub(crate) async fn written(&self, sequence: GroupSequence) -> Result<(), Offline> {
        self.wait_for_marks(|marks| marks.written >= sequence, || {}).await
    }

    async fn wait_for_marks(
        &self,
        done: impl Fn(&crate::commit_log::marks::Marks) -> bool,
        ask: impl Fn(),
    ) -> Result<(), Offline> {
        loop {
            let moved = self.events.marks.listen();
            self.check_online()?;
            if done(&self.commit.borrow().marks) {
                return Ok(());
            }
            ask();
            self.sync_wanted.set(true);
            self.events.appended.notify();
            self.events.unsynced.notify();
            moved.await;
        }
    }
}
