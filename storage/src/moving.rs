//! A partition moves to another log directory while it is written: a copy, the *future* log, grows in the other directory until it has
//! caught up, and takes the partition's place (KIP-113).
//!
//! 1. [`Store::receive`]: the log rolls. Its finished segments are copied as files, indexes and all, into `<topic>-<n>.<32 hex>-future`,
//!    and synced; then the other store records a log of them in its manifest. **From there on a crash resumes the move, before it the copy
//!    is thrown away.** The source is *held* meanwhile: nothing is compacted or removed from it.
//! 2. [`Store::catch_up`]: what was appended since is appended to the future log, batch for batch as it is, under the same offsets. Only
//!    what is durable in the source is copied: after a power cut the future log must not have what the source has lost, since the source
//!    would give the same offsets to other records.
//! 3. The caller lets no append in, copies the rest, and waits until all of it is durable in the future log. Then it says in the metadata,
//!    durably, where the partition is. **This decides**: before it the source is the partition, after it the future log is.
//! 4. [`Store::promote`]: the directory gets the partition's name. A crash before that leaves it to the next start ([`Futures`]). Only then
//!    may the source be deleted.
//!
//! A store does not know the metadata. It is opened with the partitions that are `elsewhere`, too, and keeps what it has of them: a future
//! log, or what step 4 has left of a source. The names of the directories tell one from the other ([`Log::is_future`]).

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crate::batch::{Batch, BatchHeader};
use crate::checkpoint::PartitionMetadata;
use crate::core::Core;
use crate::error::{AppendError, MoveError, Offline, ReadError, StorageError};
use crate::log::Log;
use crate::manifest::SegmentState;
use crate::partition::Partition;
use crate::planted::{Bug, is};
use crate::recovery::resume::topic_of;
use crate::recycle::{let_go, take_alone};
use crate::retention::{DELETED, given_up_name};
use crate::runtime::{BLOCK, Dsync, How, Runtime};
use crate::segment::Segment;
use crate::segment::files::{Kind, directory_name, file_name};
use crate::store::Store;
use crate::strays::STRAY;
use crate::units::{Offset, PartitionId};

/// One read or write of a file that is copied.
const PIECE: usize = 1 << 20;
/// How long a copy waits for room at least.
const ROOM_PAUSE: Duration = Duration::from_millis(2);
/// What Kafka appends to the name of a future log's directory.
const FUTURE: &str = "future";

impl<R: Runtime> Log<R> {
    /// Whether it is the copy of a log that is moving here.
    #[must_use]
    pub fn is_future(&self) -> bool {
        is_future(&self.state().directory)
    }

    /// Nothing is removed from the log, or compacted: it is moving, as an earlier life has begun.
    pub fn keep(&self) {
        self.state_mut().held = true;
    }

    /// Appends what `source` has beyond this log's end and what is durable there, about `bytes_max` of it. Returns how many offsets are
    /// left.
    async fn copy_from(&self, source: &Log<R>, bytes_max: usize) -> Result<i64, MoveError> {
        let (from, up_to) = (self.end(), source.durable());
        let up_to = if is(Bug::UndurableMoved) { source.end() } else { up_to };
        if from < source.log_start() {
            return Err(MoveError::Behind);
        }
        if from >= up_to {
            return Ok(0);
        }
        let mut bytes = source.read_copied(from, up_to, bytes_max).await?;
        // The last one may be there in part.
        while BatchHeader::read(&bytes).is_some_and(|header| header.size() <= bytes.len()) {
            let (batch, size) =
                Batch::parse_first(&bytes).map_err(|error| MoveError::Unreadable {
                    directory: source.state().directory.clone(),
                    what: error.to_string(),
                })?;
            if batch.base_offset() != self.end() {
                // Compaction was at it, in another life.
                return Err(MoveError::Behind);
            }
            self.append_as_is(&batch)?;
            bytes = bytes.slice(size..);
        }
        Ok(up_to - self.end())
    }

    /// Where the source starts by now, this log starts, too.
    pub fn start_like(&self, source: &Log<R>) -> Result<(), StorageError> {
        let start = source.log_start();
        if start > self.log_start() { self.advance_log_start(start) } else { Ok(()) }
    }

    /// Everything that was appended is durable when this returns.
    pub async fn settled(&self) -> Result<(), Offline> {
        let last = self.core().commit.borrow().last_content;
        self.core().durable(last).await
    }

    fn unreadable(&self, error: io::Error) -> MoveError {
        let directory = self.state().directory.clone();
        MoveError::Unreadable { directory, what: error.to_string() }
    }

    /// Nothing is removed from the log any more, every segment but the active one is final, and the active one is empty. Returns the
    /// log as it is in files.
    async fn hold(&self) -> Result<Still, MoveError> {
        let core = self.core();
        {
            let mut state = self.state_mut();
            if state.truncating {
                return Err(MoveError::NoRoom("the log is being truncated"));
            }
            state.held = true;
            if state.active().length > 0 {
                let now = core.runtime.now();
                state.roll(now);
            }
        }
        let still = {
            let state = self.state();
            Still {
                end: state.end,
                log_start: state.log_start,
                producers: state.producers.clone(),
                epochs: state.epochs.clone(),
                cleaned: (state.cleaned_to, state.rewritten),
                segments: Vec::new(),
            }
        };
        self.settled().await?;
        loop {
            let settled = core.events.settled.listen();
            core.check_online()?;
            {
                let state = self.state();
                if state.deleted || core.closing.get() {
                    return Err(MoveError::Gone);
                }
                let below = state.segments.iter().filter(|segment| segment.base < still.end);
                if below.clone().all(|segment| segment.finished && !segment.swapping) {
                    return Ok(Still { segments: below.map(SegmentState::of).collect(), ..still });
                }
            }
            self.request_drain();
            settled.await;
        }
    }
}

/// A log at one moment, as far as it is in files.
struct Still {
    end: Offset,
    log_start: Offset,
    producers: crate::producer::ProducerStates,
    epochs: crate::epochs::LeaderEpochs,
    cleaned: (Offset, Offset),
    segments: Vec<SegmentState>,
}

impl<R: Runtime> Store<R> {
    /// Step 1: begins to take a partition that is in another store of the shard, or goes on with what an earlier life has begun. What is
    /// here is durable when this returns.
    pub async fn receive(&self, source: &Log<R>) -> Result<Log<R>, MoveError> {
        let core = self.core();
        core.check_online()?;
        if let Some(future) = core.log(source.id()) {
            let is_usable = future.is_future()
                && future.end() <= source.durable()
                && future.end() >= source.log_start()
                && future.state().epochs.agrees_below(&source.state().epochs, future.end())
                && future.state().has_what_is_cleaned(&source.state());
            if is_usable && !source.state().deleted {
                source.state_mut().held = true;
                return Ok(future);
            }
            self.delete_log(&future).await?;
        }
        // Else two directories might be taken for the future log.
        self.names_are_free().await?;
        let still = source.hold().await?;
        let directory = self.begin_future(source).await?;
        for segment in &still.segments {
            self.copy_segment(source, segment, &directory).await?;
        }
        core.runtime.sync_directory(&directory).await?;
        let future = Log::new(Rc::clone(core), still.open(source, &directory, core.runtime.now()));
        if source.state().deleted {
            return Err(MoveError::Gone);
        }
        core.logs.borrow_mut().insert(source.id(), future.clone());
        if !is(Bug::FutureUnrecorded) {
            crate::recycle::record(core, None).await?;
        }
        if core.stopped.get() { Err(MoveError::Gone) } else { Ok(future) }
    }

    /// Makes the directory, durably, with the file that says whose it is.
    async fn begin_future(&self, source: &Log<R>) -> Result<PathBuf, MoveError> {
        let core = self.core();
        let name = directory_name(&source.state().topic, source.id().partition);
        let name = given_up_name(&core.runtime, &name, FUTURE);
        let directory = core.options.directory.join(name);
        core.runtime.mkdir(&directory).await?;
        let metadata = PartitionMetadata { topic: source.id().topic }.print();
        let path = directory.join("partition.metadata");
        crate::runtime::replace_file(&core.runtime, &path, metadata.as_bytes()).await?;
        core.runtime.sync_directory(&directory).await?;
        core.runtime.sync_directory(&core.options.directory).await?;
        Ok(directory)
    }

    async fn copy_segment(
        &self,
        source: &Log<R>,
        segment: &SegmentState,
        directory: &Path,
    ) -> Result<(), MoveError> {
        let (from, to) = (&source.core().runtime, &self.core().runtime);
        let old = source.state().directory.clone();
        for kind in Kind::ALL {
            let name = file_name(segment.base, kind);
            let file = match from.open(&old.join(&name), How::Read).await {
                Err(error) if error.kind() == io::ErrorKind::NotFound && kind != Kind::Log => {
                    continue;
                }
                other => other.map_err(|error| source.unreadable(error))?,
            };
            if source.state().deleted || self.core().stopped.get() {
                return Err(MoveError::Gone);
            }
            let copied = copy_file((from, &file), (to, &directory.join(&name))).await;
            let length = copied.map_err(|error| match error {
                Copied::Unread(error) => source.unreadable(error),
                Copied::Unwritten(error) => MoveError::Io(error),
            })?;
            if kind == Kind::Log && length != u64::from(segment.length) {
                return Err(MoveError::Unreadable {
                    directory: old,
                    what: format!("{name} has {length} bytes, not {}", segment.length),
                });
            }
        }
        Ok(())
    }

    /// Step 2, until at most so many offsets are left, or [`MoveError::Gone`] when it is not to go on.
    pub async fn catch_up(
        &self,
        source: &Log<R>,
        future: &Log<R>,
        left: i64,
        goes_on: impl Fn() -> bool,
    ) -> Result<(), MoveError> {
        while goes_on() {
            match future.copy_from(source, PIECE).await {
                Ok(more) if more <= left => return Ok(()),
                // Appends of others have their turn.
                Ok(_) => self.core().runtime.sleep(Duration::ZERO).await,
                Err(MoveError::NoRoom(_)) => {
                    self.room().await;
                    // Room for most is not room for the largest.
                    self.core().runtime.sleep(ROOM_PAUSE).await;
                }
                Err(error) => return Err(error),
            }
        }
        Err(MoveError::Gone)
    }

    /// The move is given up, or begins anew: what is here of it goes. A copy that stayed while the source is compacted would bring back what
    /// is gone.
    pub async fn give_up(&self, source: &Log<R>) -> Result<(), StorageError> {
        source.state_mut().held = false;
        match self.log(source.id()).filter(Log::is_future) {
            Some(future) => self.delete_log(&future).await,
            None => Ok(()),
        }
    }

    /// Steps 3 and 4, for a caller that lets no append into `source` until this returns. `decide` says in the metadata where the partition
    /// is: durably, when it has returned `Ok`. After an error of any other step than the last nothing was decided, and the source goes on.
    pub async fn take_place<E>(
        &self,
        source: &Log<R>,
        future: &Log<R>,
        decide: impl AsyncFnOnce() -> Result<(), E>,
    ) -> Result<Result<(), E>, MoveError> {
        source.settled().await?;
        self.catch_up(source, future, 0, || true).await?;
        future.start_like(source)?;
        if !is(Bug::MovedBeforeDurable) {
            future.settled().await?;
        }
        if source.state().deleted || future.state().deleted {
            return Err(MoveError::Gone);
        }
        if future.end() != source.end() {
            return Err(MoveError::Behind);
        }
        match decide().await {
            Ok(()) => {
                // Where this fails the directory goes offline, with the partition: what is decided is decided.
                let _ = self.promote(source.id()).await;
                Ok(Ok(()))
            }
            other => Ok(other),
        }
    }

    /// Step 4: the future log is the partition's. Its directory has that name when this returns.
    pub async fn promote(&self, id: PartitionId) -> Result<(), StorageError> {
        let core = self.core();
        let log = core.log(id).ok_or(StorageError::Unknown)?;
        let promoted = promote(core, &log).await;
        log.state_mut().held = false;
        if let Err(error) = promoted {
            core.go_offline(&format!("a directory cannot be renamed: {error}"));
            core.check_online()?;
        }
        Ok(())
    }
}

impl Partition {
    /// Whether a future log has what the cleaner has made of its source by now: the source may have been cleaned while the directory of the
    /// future log was offline, and what is gone must not come back.
    fn has_what_is_cleaned(&self, source: &Partition) -> bool {
        let cleaned = |segment: &&Segment| segment.base < source.rewritten;
        let same = |segment: &Segment| {
            self.segment(segment.base).is_some_and(|own| {
                (own.length, own.next, own.max_timestamp)
                    == (segment.length, segment.next, segment.max_timestamp)
            })
        };
        let first = source.segments.front().map_or(source.end, |segment| segment.base);
        let own = self.segments.iter().filter(cleaned).filter(|segment| segment.base >= first);
        let theirs = source.segments.iter().filter(cleaned);
        own.count() == theirs.clone().count() && theirs.clone().all(same)
    }
}

impl Still {
    /// The future log.
    fn open<R: Runtime>(self, source: &Log<R>, directory: &Path, now: i64) -> Partition {
        let config = Arc::clone(&source.state().config);
        let topic = source.state().topic.clone();
        let mut partition = Partition::new(source.id(), &topic, directory.to_owned(), config, now);
        (partition.log_start, partition.end) = (self.log_start, self.end);
        (partition.written, partition.durable) = (self.end, self.end);
        (partition.producers, partition.epochs) = (self.producers, self.epochs);
        (partition.cleaned_to, partition.rewritten) = self.cleaned;
        let finished = self.segments.iter().map(SegmentState::open);
        partition.segments = finished.chain([Segment::new(self.end, now)]).collect();
        partition.has_directory = true;
        partition.held = true;
        partition
    }
}

async fn promote<R: Runtime>(core: &Core<R>, log: &Log<R>) -> io::Result<()> {
    if !log.is_future() {
        return Ok(());
    }
    crate::given_up::name_is_free(core, log).await?;
    take_alone(core, log).await?;
    while log.state().preparing && core.check_online().is_ok() {
        let settled = core.events.settled.listen();
        core.events.drain.notify();
        settled.await;
    }
    let from = log.state().directory.clone();
    let to = core.options.directory.join(directory_name(&log.state().topic, log.id().partition));
    // A manifest that is being written may look for names under the old one, and take it for deleted.
    let renamed = match core.runtime.sync_directory(&from).await {
        Ok(()) => take_name(&core.runtime, &core.options.directory, &from, &to).await,
        error => error,
    };
    if renamed.is_ok() {
        log.state_mut().directory.clone_from(&to);
    }
    let_go(core, log);
    renamed
}

/// Renames a future log's directory, durably. Whatever has the name is nobody's.
async fn take_name<R: Runtime>(
    runtime: &R,
    parent: &Path,
    from: &Path,
    to: &Path,
) -> io::Result<()> {
    if runtime.stat(to).await.is_ok() {
        let name = to.file_name().unwrap_or_default().to_string_lossy();
        let kept = parent.join(given_up_name(runtime, &name, STRAY));
        tracing::warn!(path = %to.display(), kept_as = %kept.display(), "no log has this directory: it is kept under another name until somebody removes it");
        runtime.rename(to, &kept).await?;
    }
    runtime.rename(from, to).await?;
    if is(Bug::PromotedUnsynced) { Ok(()) } else { runtime.sync_directory(parent).await }
}

enum Copied {
    Unread(io::Error),
    Unwritten(io::Error),
}

/// Copies a file; its bytes are on stable storage when this returns, its name is not.
async fn copy_file<R: Runtime>(
    (from, file): (&R, &R::File),
    (to, path): (&R, &Path),
) -> Result<u64, Copied> {
    let copy = to.open(path, How::Create).await.map_err(Copied::Unwritten)?;
    let mut position = 0;
    loop {
        let read = from.read_at(file, position, PIECE).await.map_err(Copied::Unread)?;
        if read.is_empty() {
            break;
        }
        let padded = crate::buffers::padded(&read);
        to.write_at(&copy, padded, position, Dsync::No).await.map_err(Copied::Unwritten)?;
        position += read.len() as u64;
        if !read.len().is_multiple_of(BLOCK) {
            break;
        }
    }
    to.truncate(&copy, position).await.map_err(Copied::Unwritten)?;
    if !is(Bug::FutureUnsynced) {
        to.fdatasync(&copy).await.map_err(Copied::Unwritten)?;
    }
    Ok(position)
}

fn is_future(directory: &Path) -> bool {
    let name = directory.file_name().unwrap_or_default().to_string_lossy();
    partition_of(&name).is_some()
}

/// `<topic>-<n>` of `<topic>-<n>.<32 hex>-future`.
pub(crate) fn partition_of(name: &str) -> Option<&str> {
    let (partition, random) = name.strip_suffix("-future")?.rsplit_once('.')?;
    let is_hex = random.len() == 32 && random.bytes().all(|b| b.is_ascii_hexdigit());
    is_hex.then_some(partition)
}

/// The directories of future logs that a start finds.
#[derive(Default)]
pub(crate) struct Futures(BTreeMap<PartitionId, PathBuf>);

impl Futures {
    /// Finds them, and gives those their names whose partitions are `here` by now: the metadata decided, and the rename is missing.
    pub(crate) async fn find<R: Runtime>(
        runtime: &R,
        directory: &Path,
        here: &BTreeSet<(&str, PartitionId)>,
    ) -> io::Result<Futures> {
        let mut found = BTreeMap::new();
        for name in runtime.list(directory).await? {
            let Some((partition, topic, number)) = parsed(&name) else { continue };
            let path = directory.join(&name);
            let Some(topic_id) = topic_of(runtime, &path).await else { continue };
            let id = PartitionId { topic: topic_id, partition: number };
            if here.contains(&(topic, id)) {
                if is(Bug::FutureForgotten) {
                    continue;
                }
                take_name(runtime, directory, &path, &directory.join(partition)).await?;
            } else {
                found.insert(id, path);
            }
        }
        Ok(Futures(found))
    }

    /// The directory of a partition's future log.
    pub(crate) fn get(&self, id: PartitionId) -> Option<&PathBuf> {
        self.0.get(&id)
    }

    /// Renames those that no log has: their move had hardly begun, or was given up. `own` are the partitions of this store that are in other
    /// directories: what is of other stores of this directory, or of no topic, is not this one's to judge.
    pub(crate) async fn remove_unused<R: Runtime>(
        self,
        core: &Core<R>,
        own: &BTreeSet<PartitionId>,
    ) -> io::Result<()> {
        let is_unused = |id: &PartitionId, path: &PathBuf| {
            own.contains(id) && core.log(*id).is_none_or(|log| log.state().directory != *path)
        };
        let unused: Vec<PathBuf> = self
            .0
            .into_iter()
            .filter(|(id, path)| is_unused(id, path))
            .map(|(_, path)| path)
            .collect();
        for path in &unused {
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            let partition = partition_of(&name).unwrap_or(&name);
            let to = given_up_name(&core.runtime, partition, DELETED);
            core.runtime.rename(path, &core.options.directory.join(to)).await?;
        }
        if unused.is_empty() {
            return Ok(());
        }
        core.runtime.sync_directory(&core.options.directory).await
    }
}

/// The partition, its topic and its number in a future log's name.
fn parsed(name: &str) -> Option<(&str, &str, i32)> {
    let partition = partition_of(name)?;
    let (topic, number) = partition.rsplit_once('-')?;
    Some((partition, topic, number.parse().ok()?))
}

impl From<ReadError> for MoveError {
    fn from(error: ReadError) -> Self {
        MoveError::Unreadable { directory: PathBuf::new(), what: error.to_string() }
    }
}

impl From<AppendError> for MoveError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::NoRoom(why) => MoveError::NoRoom(why),
            AppendError::Offline(offline) => MoveError::Offline(offline),
            AppendError::Deleted => MoveError::Gone,
            AppendError::TooLarge(bytes) => MoveError::TooLarge(bytes),
        }
    }
}
