//! The store: all logs of one shard in one log directory, and the tasks that serve them.
//!
//! - [`Store::open`] takes the directory's lock, recovers, and starts the tasks but for three: [`Store::serve`] starts the recycler,
//!   the cleaner and the scrubber.
//! - [`Store::close`] drains everything and cuts the files; [`Closed::seal`] then says in the manifest that the stop was
//!   clean, once the directory's marker is written ([`crate::write_marker`]).
//!
//! The tasks: the committer (one group at a time), the syncs (under `written`), four drains, the recycler, retention, the
//! renaming of what was given up, the cleaner of compacted logs, and the scrubber. All end when the store is closed or goes offline.

use std::cell::{Cell, RefCell};
use std::collections::BTreeSet;
use std::path::Path;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use futures::future::{Either, join_all, select};

use crate::commit_log::commit::Commit;
use crate::commit_log::committer;
use crate::config::{CleanerOptions, LogConfig, StoreOptions};
use crate::core::{Core, Counts, Events, OnAdvance, OnOffline};
use crate::error::{Offline, OpenError, StorageError};
use crate::log::Log;
use crate::manifest::Marker;
use crate::marker::CheckpointLine;
use crate::partition::Partition;
use crate::recovery::{RecoveryReport, recover};
use crate::recycle::{let_go, take_alone};
use crate::runtime::Runtime;
use crate::segment::{drain, files, finish};
use crate::units::{PartitionId, TopicId};

/// Drains that run beside each other.
const DRAINS: usize = 4;
/// A wait for room ends after this time at the latest, to look again.
const ROOM_PAUSE: Duration = Duration::from_millis(100);

/// See the head of the file. It ends when it is dropped, unless [`Store::close`] has returned: then with what that returned.
pub struct Store<R: Runtime>(Rc<Core<R>>, Rc<IsHeld>);

/// Counts the [`Store`] and its [`Closed`].
struct IsHeld;

/// A partition that is placed on this store: who it is, its topic's name, its configuration.
pub type Placed = (PartitionId, String, Arc<LogConfig>);

/// What a store has done since it was opened, and holds now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct StoreStats {
    pub groups: u64,
    pub empty_groups: u64,
    pub group_bytes: u64,
    pub batches: u64,
    pub batch_bytes: u64,
    pub extents: u64,
    pub extent_bytes: u64,
    pub drains: u64,
    pub drain_bytes: u64,
    pub syncs: u64,
    pub recycled: u64,
    pub relogged: u64,
    pub refused: u64,
    /// Rounds of the cleaner, bytes of the segments that they went through, records that they removed.
    pub cleanings: u64,
    pub cleaned_bytes: u64,
    pub removed_records: u64,
    /// Compacted logs that are not cleaned because of damage.
    pub uncleanable: usize,
    /// Whole passes of the scrubber, bytes that were read to be checked, reads of it that the disk answered with an error.
    pub scrubs: u64,
    pub examined_bytes: u64,
    pub scrub_errors: u64,
    /// Damaged ranges that were found, and those that are marked now, of earlier lives, too, where those were looked for.
    pub damage_found: u64,
    pub damaged_ranges: usize,
    pub indexes_rebuilt: u64,
    pub dirty_bytes: usize,
    pub kept_bytes: usize,
    pub log_files: usize,
    pub offline: bool,
}

impl<R: Runtime> Store<R> {
    /// Opens the directory with exactly the partitions placed here: others that the log knows were deleted meanwhile.
    pub async fn open(
        runtime: R,
        options: StoreOptions,
        partitions: Vec<Placed>,
    ) -> Result<(Store<R>, RecoveryReport), OpenError> {
        Store::open_among(runtime, options, partitions, Vec::new()).await
    }

    /// The same beside other directories: what the log knows of partitions that are `elsewhere` is kept, and named in
    /// [`RecoveryReport::elsewhere`]. It is a future log, to go on with, or what a move has left, to be deleted ([`crate::moving`]).
    pub async fn open_among(
        runtime: R,
        options: StoreOptions,
        partitions: Vec<Placed>,
        elsewhere: Vec<Placed>,
    ) -> Result<(Store<R>, RecoveryReport), OpenError> {
        let directory = options.directory.clone();
        runtime.lock(&directory).await.map_err(OpenError::io(&directory))?;
        let (core, report) = recover(runtime, options, partitions, elsewhere).await?;
        let store = Store(core, Rc::new(IsHeld));
        store.start();
        Ok((store, report))
    }

    /// [`begin_serving`] for this store's directory: with the partitions of this store, and the `others` of its other stores.
    pub async fn begin_serving<'a>(
        &self,
        others: impl IntoIterator<Item = (PartitionId, &'a str)>,
    ) -> Result<(), OpenError> {
        let core = &self.0;
        let known: BTreeSet<String> = {
            let logs = core.logs.borrow();
            let own = logs.values().map(|log| name_of((log.id(), &log.state().topic)));
            others.into_iter().map(name_of).chain(own).collect()
        };
        clear(&core.runtime, &core.options.directory, (&known, None)).await
    }

    /// From here on the log may forget what it says of the time before: to be called once the epochs that [`RecoveryReport::raise_epochs`]
    /// asks for are durable. A crash before that must find the same partitions again.
    pub fn serve(&self) {
        let core = &self.0;
        if !core.serving.replace(true) {
            core.runtime.spawn(crate::recycle::run(Rc::clone(core)));
            // It writes manifests, too.
            if core.options.cleaner.enabled {
                core.runtime.spawn(crate::compaction::run(Rc::clone(core)));
            }
            if core.options.scrub.bytes_per_second > 0.0 {
                core.runtime.spawn(crate::damage::scrub::run(Rc::clone(core)));
            }
        }
    }

    pub(crate) fn core(&self) -> &Rc<Core<R>> {
        &self.0
    }

    fn start(&self) {
        let core = &self.0;
        let runtime = &core.runtime;
        runtime.spawn(committer::run(Rc::clone(core)));
        runtime.spawn(committer::run_syncs(Rc::clone(core)));
        for _ in 0..DRAINS {
            runtime.spawn(drain::run(Rc::clone(core)));
        }
        runtime.spawn(crate::retention::run(Rc::clone(core)));
        runtime.spawn(crate::given_up::run(Rc::clone(core)));
    }

    /// A new, empty log. Its files are made when the first bytes go there.
    pub async fn create(
        &self,
        id: PartitionId,
        topic: &str,
        config: Arc<LogConfig>,
    ) -> Result<Log<R>, StorageError> {
        let core = &self.0;
        core.check_online()?;
        if core.log(id).is_some() {
            return Err(StorageError::Exists);
        }
        let directory = core.options.directory.join(files::directory_name(topic, id.partition));
        let partition = Partition::new(id, topic, directory, config, core.runtime.now());
        let log = Log::new(Rc::clone(core), partition);
        core.logs.borrow_mut().insert(id, log.clone());
        Ok(log)
    }

    #[must_use]
    pub fn log(&self, id: PartitionId) -> Option<Log<R>> {
        self.0.log(id)
    }

    /// All logs, those of partitions that are elsewhere, too.
    #[must_use]
    pub fn logs(&self) -> Vec<Log<R>> {
        self.0.logs.borrow().values().cloned().collect()
    }

    /// Takes the partition out of the log, and its files away. When this returns the deletion is durable.
    pub async fn delete(&self, id: PartitionId) -> Result<(), StorageError> {
        let log = self.0.log(id).ok_or(StorageError::Unknown)?;
        self.delete_log(&log).await
    }

    /// The same for this log, and no other that the partition may have by now.
    pub async fn delete_log(&self, log: &Log<R>) -> Result<(), StorageError> {
        loop {
            if log.state().deleted {
                break;
            }
            let room = self.0.events.room.listen();
            match crate::retention::delete(&self.0, log) {
                Err(StorageError::NoRoom(_)) => room.await,
                other => break other?,
            }
        }
        let last = self.0.commit.borrow().last_content;
        self.0.durable(last).await?;
        Ok(())
    }

    /// Waits until the directories of all partitions that were deleted have left their names. Before that nobody may use the
    /// names again: another store, which knows nothing of the deletion, would lose its files with them.
    pub async fn names_are_free(&self) -> Result<(), StorageError> {
        let closing = self.0.events.closing.listen();
        if self.0.closing.get() {
            return Ok(());
        }
        let last = self.0.commit.borrow().last_content;
        let renamed = std::pin::pin!(crate::given_up::renamed_up_to(&self.0, last));
        match select(renamed, closing).await {
            Either::Left((renamed, _)) => renamed.map_err(|e| Offline(e.to_string()).into()),
            // A store that closes sees to it by itself.
            Either::Right(_) => Ok(()),
        }
    }

    /// From now on the log obeys this.
    pub fn set_config(&self, id: PartitionId, config: Arc<LogConfig>) {
        if let Some(log) = self.0.log(id) {
            log.state_mut().config = config;
        }
    }

    /// From now on the cleaner is run like this; whether it runs at all was decided at the start.
    pub fn set_cleaner(&self, cleaner: CleanerOptions) {
        *self.0.cleaner.borrow_mut() = cleaner;
        self.0.events.cleaner.notify();
    }

    /// From now on producers that were silent for so many milliseconds are forgotten.
    pub fn set_producer_expiration(&self, expiration_ms: i64) {
        self.0.producer_expiration_ms.set(expiration_ms);
    }

    /// Who is told how far the logs have come: once per completed group or sync, before its tickets resolve.
    pub fn on_advance(&self, on_advance: OnAdvance) {
        *self.0.on_advance.borrow_mut() = Some(on_advance);
    }

    /// Who is told that the store goes offline: once, also if it has already.
    pub fn on_offline(&self, on_offline: OnOffline) {
        match &*self.0.offline.borrow() {
            Some(offline) => on_offline(offline),
            None => *self.0.on_offline.borrow_mut() = Some(on_offline),
        }
    }

    /// Whether an operation on the commit log or its manifest has failed.
    pub fn commit_log_failed(&self) -> bool {
        self.0.log_failed.get()
    }

    /// Takes the store offline, as a failed write does: another store of the directory has met one.
    pub fn fail(&self, why: &str) {
        self.0.go_offline(why);
    }

    /// Waits while the dirty budget is exhausted or the commit log has no room: meanwhile the shard reads no socket.
    pub async fn room(&self) {
        loop {
            let room = self.0.events.room.listen();
            if self.has_room() {
                return;
            }
            self.0.events.recycle.notify();
            let pause = std::pin::pin!(self.0.runtime.sleep(ROOM_PAUSE));
            select(room, pause).await;
        }
    }

    /// Whether [`Store::room`] would return at once. Offline counts as room: appends say why they fail.
    #[must_use]
    pub fn has_room(&self) -> bool {
        let core = &self.0;
        if core.check_online().is_err() || core.closing.get() {
            return true;
        }
        let group = core.options.group_bytes_max as u64;
        let commit = core.commit.borrow();
        let wanted = core.kept_for_recycling() + group.min(core.options.log_file_bytes / 2);
        !core.is_dirty_limit_reached() && commit.files.room() >= wanted
    }

    /// One look of retention, now.
    pub fn enforce_retention(&self) {
        crate::retention::enforce(&self.0);
    }

    #[must_use]
    pub fn stats(&self) -> StoreStats {
        let counts = &self.0.counts;
        StoreStats {
            groups: counts.groups.get(),
            empty_groups: counts.empty_groups.get(),
            group_bytes: counts.group_bytes.get(),
            batches: counts.batches.get(),
            batch_bytes: counts.batch_bytes.get(),
            extents: counts.extents.get(),
            extent_bytes: counts.extent_bytes.get(),
            drains: counts.drains.get(),
            drain_bytes: counts.drain_bytes.get(),
            syncs: counts.syncs.get(),
            recycled: counts.recycled.get(),
            relogged: counts.relogged.get(),
            refused: counts.refused.get(),
            cleanings: counts.rounds.get(),
            cleaned_bytes: counts.cleaned_bytes.get(),
            removed_records: counts.removed_records.get(),
            uncleanable: crate::compaction::uncleanable(&self.0),
            scrubs: counts.scrubs.get(),
            examined_bytes: counts.examined_bytes.get(),
            scrub_errors: counts.scrub_errors.get(),
            damage_found: counts.damage_found.get(),
            damaged_ranges: self.damaged_ranges(),
            indexes_rebuilt: counts.indexes_rebuilt.get(),
            dirty_bytes: counts.dirty_bytes.get(),
            kept_bytes: counts.kept_bytes.get(),
            log_files: self.0.commit.borrow().files.count(),
            offline: self.0.offline.borrow().is_some(),
        }
    }

    fn damaged_ranges(&self) -> usize {
        self.0.logs.borrow().values().map(|log| log.state().marks().count()).sum()
    }

    /// Why the store is offline, if it is.
    #[must_use]
    pub fn offline(&self) -> Option<Offline> {
        self.0.offline.borrow().clone()
    }

    /// Drains everything into segments, cuts the files to length and syncs them. Nothing can be appended any more. The
    /// directory is not marked clean yet: [`Closed::seal`] does that.
    pub async fn close(&self) -> Result<Closed<R>, StorageError> {
        let core = &self.0;
        core.check_online()?;
        core.closing.set(true);
        core.events.closing.notify();
        core.events.to_remove.notify();
        core.events.room.notify();
        let last = core.commit.borrow().last_content;
        core.durable(last).await?;
        // A swap of segments that has begun comes to its end.
        loop {
            let settled = core.events.settled.listen();
            core.check_online()?;
            if !core.cleaning.get() {
                break;
            }
            settled.await;
        }
        let closed = self.drain_all().await;
        if let Err(error) = closed {
            core.go_offline(&format!("the log cannot be drained: {error}"));
            core.check_online()?;
        }
        Ok(Closed(Rc::clone(core), Rc::clone(&self.1)))
    }

    async fn drain_all(&self) -> std::io::Result<()> {
        let core = &self.0;
        let logs: Vec<Log<R>> = core.logs.borrow().values().cloned().collect();
        for together in logs.chunks(2 * DRAINS) {
            let closes = together.iter().map(|log| close_log(core, log));
            join_all(closes).await.into_iter().collect::<std::io::Result<()>>()?;
        }
        crate::recycle::record(core, None).await?;
        crate::removal::files_at_once(core).await
    }
}

/// Removes the clean stop's marker of a directory, durably, and the directories of partitions that are gone: of all that are not among
/// `known`, the partitions of all its stores. To be called when every store of the directory is open and before anything is appended to
/// one of them: a store that opens after it would take the missing marker for a sign that Kafka was here. A stop before it leaves a
/// marker that is still ours, and stores whose link says that they have served since.
///
/// With `topics`, all that there are, future logs of others go, too.
pub async fn begin_serving<'a, R: Runtime>(
    runtime: &R,
    directory: &Path,
    known: impl IntoIterator<Item = (PartitionId, &'a str)>,
    topics: &BTreeSet<TopicId>,
) -> Result<(), OpenError> {
    let known: BTreeSet<String> = known.into_iter().map(name_of).collect();
    clear(runtime, directory, (&known, Some(topics))).await
}

fn name_of((id, topic): (PartitionId, &str)) -> String {
    files::directory_name(topic, id.partition)
}

async fn clear<R: Runtime>(
    runtime: &R,
    directory: &Path,
    known: (&BTreeSet<String>, Option<&BTreeSet<TopicId>>),
) -> Result<(), OpenError> {
    crate::marker::remove(runtime, directory).await?;
    crate::strays::clear(runtime, directory, known).await.map_err(OpenError::io(directory))
}

/// Everything of a log goes to its files, which are then as Kafka leaves them.
async fn close_log<R: Runtime>(core: &Core<R>, log: &Log<R>) -> std::io::Result<()> {
    take_alone(core, log).await?;
    let closed = if log.state().deleted { Ok(()) } else { close_files(core, log).await };
    let_go(core, log);
    closed
}

async fn close_files<R: Runtime>(core: &Core<R>, log: &Log<R>) -> std::io::Result<()> {
    drain::drain(core, log, drain::Until::End).await?;
    if log.state().deleted {
        // Meanwhile, as what a move has left: a drain leaves that.
        return Ok(());
    }
    if log.state().segments.iter().any(|segment| !segment.is_filed()) {
        // What another drain was to write, this one does not write again.
        let what = "a drain has given up on a full disk";
        return Err(std::io::Error::new(std::io::ErrorKind::StorageFull, what));
    }
    let is_new =
        log.state().segments.iter().all(|segment| segment.length == 0) && log.log_start().0 == 0;
    crate::recovery::resume::remove_unknown_files(core, log).await?;
    if is_new {
        return Ok(());
    }
    let active = {
        let mut state = log.state_mut();
        let active = state.active_mut();
        active.add_time_entry();
        active.base
    };
    finish::cut(core, log, active).await?;
    finish::write_checkpoints(core, log).await
}

/// A store that is drained. Its logs can be read no more once it is sealed or dropped.
pub struct Closed<R: Runtime>(Rc<Core<R>>, #[expect(dead_code, reason = "it counts")] Rc<IsHeld>);

impl<R: Runtime> Closed<R> {
    /// What Kafka's checkpoint files say of these partitions.
    #[must_use]
    pub fn checkpoint_lines(&self) -> Vec<CheckpointLine> {
        let logs = self.0.logs.borrow();
        logs.values().map(|log| CheckpointLine::of(&log.state())).collect()
    }

    /// Says in the manifest that the directory was stopped cleanly, under this marker; the tasks end.
    pub async fn seal(self, marker: Marker) -> Result<(), StorageError> {
        let core = &self.0;
        core.check_online()?;
        let recorded = crate::recycle::record(core, Some(marker)).await;
        if let Err(error) = recorded {
            core.go_offline(&format!("the clean stop cannot be recorded: {error}"));
            core.check_online()?;
        }
        Ok(())
    }
}

impl<R: Runtime> Drop for Closed<R> {
    fn drop(&mut self) {
        end(&self.0);
    }
}

impl<R: Runtime> Drop for Store<R> {
    fn drop(&mut self) {
        if Rc::strong_count(&self.1) == 1 {
            end(&self.0);
        }
    }
}

/// The tasks end, and everything lets go of the store that it holds itself. What was not submitted will not be.
pub(crate) fn end<R: Runtime>(core: &Core<R>) {
    core.stopped.set(true);
    core.commit.borrow_mut().abandon();
    core.wake_all();
    core.logs.borrow_mut().clear();
    core.memory.borrow_mut().clear();
    core.drains.borrow_mut().clear();
    core.prepares.borrow_mut().clear();
    core.given_up.borrow_mut().clear();
    core.renaming.borrow_mut().clear();
    *core.on_advance.borrow_mut() = None;
    *core.on_offline.borrow_mut() = None;
}

/// The parts of a store before recovery has found anything.
pub(crate) fn new_core<R: Runtime>(
    runtime: R,
    options: StoreOptions,
    commit: Commit<R>,
) -> Core<R> {
    Core {
        runtime,
        files: files::FileCache::new(options.files_max),
        clean_bytes: Cell::new(options.clean_bytes_max.min(crate::memory::CLEAN_BYTES_FIRST)),
        cleaner: RefCell::new(options.cleaner.clone()),
        producer_expiration_ms: Cell::new(options.producer_expiration_ms),
        options,
        commit: RefCell::new(commit),
        logs: RefCell::default(),
        drains: RefCell::default(),
        prepares: RefCell::default(),
        given_up: RefCell::default(),
        renaming: RefCell::default(),
        to_remove: RefCell::default(),
        removing: Cell::new(false),
        memory: RefCell::default(),
        events: Events::default(),
        counts: Counts::default(),
        offline: RefCell::new(None),
        log_failed: Cell::new(false),
        full_told: Cell::new(None),
        on_advance: RefCell::new(None),
        on_offline: RefCell::new(None),
        births: Cell::new(0),
        closing: Cell::new(false),
        serving: Cell::new(false),
        sync_wanted: Cell::new(false),
        record_wanted: Cell::new(false),
        sync_within: Cell::new(Duration::MAX),
        recording: Cell::new(false),
        leaving: Cell::new(false),
        cleaning: Cell::new(false),
        sealed: Cell::new(false),
        stopped: Cell::new(false),
    }
}

/// A partition's directory.
pub(crate) fn directory_of(
    options: &StoreOptions,
    topic: &str,
    id: PartitionId,
) -> std::path::PathBuf {
    Path::new(&options.directory).join(files::directory_name(topic, id.partition))
}
