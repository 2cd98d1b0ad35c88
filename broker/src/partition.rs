//! Where a log meets its replica and its waiters: one partition on the shard that owns it.
//!
//! An append takes its turn, is checked as Kafka checks it (leader, epoch and sequence of the producer, every record), and gets
//! its offsets; it is acknowledged when the log says that it is as durable as the node was told to make it. The high watermark
//! follows what is acknowledged, and wakes the fetches and the duplicates that wait for it.

pub(crate) mod upkeep;

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;

use futures::channel::oneshot;
use replication::replica::{Leader, NotEnough};
use storage::batch::{
    Attributes, Batch, BatchError, Checked, Codec, Compression, Progress, Unreadable, Validation,
    recompress,
};
use storage::producer::{SequenceCheck, SequenceError};
use storage::units::{Epoch, Offset, Timestamp};
use storage::{AppendError, Stamp, Ticket};

use crate::config::TopicConfig;
use crate::message::{
    Acks, AppendPart, Appended, EpochEndPart, FoundOffset, OffsetsPart, Read, ReadPart, Sought,
};
use crate::metadata::image::Partition as State;
use crate::shard::Log;
use crate::turnstile::{Turn, Turnstile};

/// Bytes of records that are walked before other work of the shard has its turn.
const VALIDATION_SLICE: usize = 256 << 10;

/// Why a batch was not appended, or not acknowledged.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendRefusal {
    #[error("this node does not lead the partition")]
    NotHere,
    /// `log_start` is the partition's, which Kafka tells beside most of these.
    #[error("{error}")]
    Invalid { error: BatchError, log_start: Offset },
    #[error("zstd needs Produce version 7 or later")]
    ZstdTooOld,
    #[error("transactions are not served")]
    Transactional,
    /// `log_start` as above.
    #[error("{error}")]
    Sequence { error: SequenceError, log_start: Offset },
    #[error(transparent)]
    NotEnoughReplicas(#[from] NotEnough),
    #[error(transparent)]
    Log(#[from] AppendError),
    #[error("the log directory went offline")]
    Offline,
    #[error("not acknowledged in time")]
    TimedOut,
    #[error("the node is stopping")]
    Stopping,
}

/// Why a partition was not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReadRefusal {
    #[error("this node does not lead the partition")]
    NotHere,
    #[error("the epoch of the request is older than the leader's")]
    FencedEpoch,
    #[error("the epoch of the request is newer than the leader's")]
    UnknownEpoch,
    #[error("the offset lies outside the log")]
    OutOfRange,
    #[error("the fetcher is no replica of the partition")]
    NotReplica,
    #[error("the records are damaged")]
    Corrupt,
    #[error("the log directory is offline")]
    Offline,
    #[error("the node is stopping")]
    Stopping,
}

/// One partition that this shard owns.
pub(crate) struct Partition {
    log: RefCell<Log>,
    /// Where in `log.dirs` the log is.
    directory: Cell<usize>,
    config: RefCell<Arc<TopicConfig>>,
    leader: RefCell<Leader>,
    turnstile: Rc<Turnstile>,
    watchers: RefCell<Vec<Watcher>>,
    duplicates: RefCell<Vec<(Offset, oneshot::Sender<()>)>>,
}

/// A parked fetch that waits for the high watermark to pass `seen`.
struct Watcher {
    shard: usize,
    watch: u64,
    seen: Offset,
}

/// A batch that has its offsets; await [`PendingAppend::acknowledged`] before answering.
pub(crate) struct PendingAppend {
    pub appended: Appended,
    wait: Wait,
}

enum Wait {
    Ticket(Ticket),
    Duplicate(oneshot::Receiver<()>),
    Nothing,
}

impl PendingAppend {
    /// Returns when the batch is as durable as the node was told to make what it acknowledges.
    pub(crate) async fn acknowledged(self) -> Result<Appended, AppendRefusal> {
        match self.wait {
            Wait::Ticket(ticket) => ticket.await.map_err(|_| AppendRefusal::Offline)?,
            Wait::Duplicate(receiver) => receiver.await.map_err(|_| AppendRefusal::Offline)?,
            Wait::Nothing => {}
        }
        Ok(self.appended)
    }
}

impl Partition {
    /// `directory`: where in `log.dirs` the log is.
    pub(crate) fn new(
        log: Log,
        directory: usize,
        config: Arc<TopicConfig>,
        state: &State,
        me: i32,
    ) -> Partition {
        let acknowledged = log.acknowledged();
        let leader = Leader::new(
            me,
            state.leader_epoch,
            &state.replicas,
            &state.isr,
            acknowledged,
            log.log_start(),
        );
        Partition {
            log: RefCell::new(log),
            directory: Cell::new(directory),
            config: RefCell::new(config),
            leader: RefCell::new(leader),
            turnstile: Rc::default(),
            watchers: RefCell::default(),
            duplicates: RefCell::default(),
        }
    }

    pub(crate) fn log(&self) -> Log {
        self.log.borrow().clone()
    }

    pub(crate) fn directory(&self) -> usize {
        self.directory.get()
    }

    /// The log is in another directory from now on. The caller has its turn.
    pub(crate) fn move_to(&self, log: Log, directory: usize) {
        *self.log.borrow_mut() = log;
        self.directory.set(directory);
    }

    pub(crate) fn configure(&self, config: Arc<TopicConfig>) {
        *self.config.borrow_mut() = config;
    }

    /// The controller changed the partition.
    pub(crate) fn follow(&self, state: &State, me: i32) {
        let mut leader = self.leader.borrow_mut();
        let (end, high_watermark) = (self.log().acknowledged(), leader.high_watermark());
        *leader =
            Leader::new(me, state.leader_epoch, &state.replicas, &state.isr, end, high_watermark);
    }

    pub(crate) fn high_watermark(&self) -> Offset {
        self.leader.borrow().high_watermark()
    }

    pub(crate) fn epoch(&self) -> Epoch {
        self.leader.borrow().epoch()
    }

    /// A place in the order of this partition's appends.
    pub(crate) fn enter(&self) -> Turn {
        self.turnstile.enter()
    }

    /// Appends one batch in its turn.
    pub(crate) async fn append(
        &self,
        mut turn: Turn,
        part: &AppendPart,
        now: Timestamp,
        ring: &ring::Ring,
    ) -> Result<PendingAppend, AppendRefusal> {
        if !turn.is_front() {
            turn.come().await;
        }
        let invalid = |error| AppendRefusal::Invalid { error, log_start: self.log().log_start() };
        let mut batch = Batch::parse(part.records.clone()).map_err(invalid)?;
        let config = Arc::clone(&self.config.borrow());
        self.admit(part, &batch, &config)?;
        let rules = config.rules(now);
        let mut validation = Validation::new(&batch, &rules);
        let mut checked = loop {
            match validation.step(VALIDATION_SLICE).map_err(invalid)? {
                Progress::Done(checked) => break checked,
                Progress::More => ring.yield_now().await,
            }
        };
        if let Some(wanted) = config.compression
            && batch.codec() != Some(wanted.codec())
        {
            (batch, checked) = recompressed(batch, checked, wanted, config.message_bytes_max)
                .await
                .map_err(invalid)?;
        }
        let refused = |error| AppendRefusal::Sequence { error, log_start: self.log().log_start() };
        if let SequenceCheck::Duplicate { base_offset, last_offset, timestamp } =
            self.log().check_sequence(batch.info()).map_err(refused)?
        {
            return Ok(self.duplicate(base_offset, last_offset, timestamp));
        }
        let append_time = config.log_append_time.then_some(now);
        let stamp = Stamp { leader_epoch: self.epoch(), append_time };
        let appended = self.log().append(&batch, &checked, stamp)?;
        Ok(PendingAppend {
            appended: Appended {
                base_offset: appended.base_offset,
                append_time,
                log_start: appended.log_start,
            },
            wait: Wait::Ticket(appended.ticket),
        })
    }

    /// Appends a batch of the broker's own. It is not checked record by record, and takes no turn: it gets its offset before this returns.
    pub(crate) fn append_own(&self, batch: &Batch) -> Result<(Offset, Ticket), AppendRefusal> {
        let log_start = self.log().log_start();
        let invalid = |error| AppendRefusal::Invalid { error, log_start };
        let config = Arc::clone(&self.config.borrow());
        let limit = usize::try_from(config.message_bytes_max).unwrap_or(0);
        if batch.size() > limit {
            return Err(AppendError::TooLarge(batch.size()).into());
        }
        let wanted = usize::try_from(config.min_insync_replicas).unwrap_or(0);
        self.leader.borrow().enough(wanted)?;
        let checked = Checked::own(batch).map_err(|error| invalid(error.into()))?;
        let stamp = Stamp { leader_epoch: self.epoch(), append_time: None };
        let appended = self.log().append(batch, &checked, stamp)?;
        Ok((appended.base_offset, appended.ticket))
    }

    /// What is decided from the batch's header alone.
    fn admit(
        &self,
        part: &AppendPart,
        batch: &Batch,
        config: &TopicConfig,
    ) -> Result<(), AppendRefusal> {
        if batch.codec().is_none() && !part.zstd_allowed {
            // Kafka looks for zstd in these versions, and stumbles over what is no codec before it knows the partition.
            let error =
                Unreadable::UnknownCodec(batch.header().attributes.0 & Attributes::CODEC).into();
            return Err(AppendRefusal::Invalid { error, log_start: Offset::NONE });
        }
        if batch.codec() == Some(Codec::Zstd) && !part.zstd_allowed {
            return Err(AppendRefusal::ZstdTooOld);
        }
        if batch.is_transactional() {
            return Err(AppendRefusal::Transactional);
        }
        if part.acks == Acks::All {
            let wanted = usize::try_from(config.min_insync_replicas).unwrap_or(0);
            self.leader.borrow().enough(wanted)?;
        }
        Ok(())
    }

    /// A batch that has been here before: it waits for the original's acknowledgement.
    fn duplicate(
        &self,
        base_offset: Offset,
        last_offset: Offset,
        timestamp: Timestamp,
    ) -> PendingAppend {
        let wait = if last_offset < self.high_watermark() {
            Wait::Nothing
        } else {
            let (sender, receiver) = oneshot::channel();
            self.duplicates.borrow_mut().push((last_offset, sender));
            Wait::Duplicate(receiver)
        };
        PendingAppend {
            appended: Appended {
                base_offset,
                append_time: Some(timestamp),
                log_start: self.log().log_start(),
            },
            wait,
        }
    }

    /// The log's acknowledged end moved: returns the fetches to wake, as (shard, watch).
    pub(crate) fn advance(&self, acknowledged: Offset, moved: &mut Vec<(usize, u64)>) {
        let Some(high_watermark) = self.leader.borrow_mut().acknowledged(acknowledged) else {
            return;
        };
        for (_, sender) in
            self.duplicates.borrow_mut().extract_if(.., |(last, _)| *last < high_watermark)
        {
            // The duplicate's client may be gone.
            let _ = sender.send(());
        }
        self.wake(|watcher| watcher.seen < high_watermark, moved);
    }

    /// Wakes every fetch that waits here: the partition was deleted, or changed.
    pub(crate) fn disturb(&self, moved: &mut Vec<(usize, u64)>) {
        self.wake(|_| true, moved);
    }

    fn wake(&self, which: impl Fn(&Watcher) -> bool, moved: &mut Vec<(usize, u64)>) {
        moved.extend(
            self.watchers
                .borrow_mut()
                .extract_if(.., |watcher| which(watcher))
                .map(|w| (w.shard, w.watch)),
        );
    }

    /// Parks a fetch; false if it need not wait, since the high watermark is past what it has seen.
    pub(crate) fn watch(&self, shard: usize, watch: u64, seen: Offset) -> bool {
        if self.high_watermark() > seen {
            return false;
        }
        self.watchers.borrow_mut().push(Watcher { shard, watch, seen });
        true
    }

    pub(crate) fn unwatch(&self, shard: usize, watch: u64) {
        self.watchers
            .borrow_mut()
            .retain(|watcher| watcher.shard != shard || watcher.watch != watch);
    }

    fn check_epoch(&self, current: Option<Epoch>) -> Result<(), ReadRefusal> {
        match current.map(|epoch| epoch.cmp(&self.epoch())) {
            Some(std::cmp::Ordering::Less) => Err(ReadRefusal::FencedEpoch),
            Some(std::cmp::Ordering::Greater) => Err(ReadRefusal::UnknownEpoch),
            Some(std::cmp::Ordering::Equal) | None => Ok(()),
        }
    }

    /// A fetch of one partition, up to the high watermark, `bytes_max` at most but the first batch whole if `at_least_one`.
    pub(crate) async fn read(
        &self,
        part: &ReadPart,
        bytes_max: usize,
        at_least_one: bool,
    ) -> Result<Read, ReadRefusal> {
        self.check_epoch(part.current_epoch)?;
        let high_watermark = self.high_watermark();
        let last_stable = self.log().last_stable(high_watermark);
        let up_to = if part.read_committed { last_stable } else { high_watermark };
        let log_start = self.log().log_start();
        let read = |plan, diverging| Read {
            high_watermark,
            last_stable,
            log_start,
            plan,
            aborted: Vec::new(),
            diverging,
        };
        if let Some(fetched) = part.last_fetched_epoch {
            let (epoch, end) = self.end_of(fetched);
            if end == Offset::NONE {
                return Err(ReadRefusal::OutOfRange);
            }
            if epoch < fetched || end < part.from {
                return Ok(read(storage::ReadPlan::default(), Some((epoch, end))));
            }
        }
        if part.from < log_start || part.from > self.log().end() {
            return Err(ReadRefusal::OutOfRange);
        }
        if part.from >= up_to || (bytes_max == 0 && !at_least_one) {
            return Ok(read(storage::ReadPlan::default(), None));
        }
        // First what was aborted: when compaction has removed the data, it is no longer listed.
        let aborted = match part.read_committed {
            true => self.log().aborted(part.from, up_to).await.map_err(refusal)?,
            false => Vec::new(),
        };
        let plan =
            self.log().read(part.from, up_to, bytes_max, at_least_one).await.map_err(refusal)?;
        Ok(Read { aborted, ..read(plan, None) })
    }

    /// The offset that a ListOffsets request seeks; `None` where no record answers it.
    pub(crate) async fn find_offset(
        &self,
        part: &OffsetsPart,
    ) -> Result<Option<FoundOffset>, ReadRefusal> {
        self.check_epoch(part.current_epoch)?;
        let mut high_watermark = self.high_watermark();
        if part.read_committed {
            high_watermark = self.log().last_stable(high_watermark);
        }
        let epoch = self.epoch();
        let plain = |offset, epoch| Ok(Some(FoundOffset { offset, timestamp: None, epoch }));
        match part.sought {
            Sought::Latest => plain(high_watermark, Some(epoch)),
            Sought::Earliest => {
                let start = self.log().log_start();
                // An empty log is the leader's own.
                plain(start, self.log().epoch_at(start).or(Some(epoch)))
            }
            Sought::MaxTimestamp => {
                let found =
                    self.log().max_timestamp_offset(high_watermark).await.map_err(refusal)?;
                Ok(found.map(|found| self.found(found.offset, found.timestamp)))
            }
            Sought::At(timestamp) => {
                let found = self
                    .log()
                    .offset_for_timestamp(timestamp, high_watermark)
                    .await
                    .map_err(refusal)?;
                Ok(found.map(|found| self.found(found.offset, found.timestamp)))
            }
        }
    }

    fn found(&self, offset: Offset, timestamp: Timestamp) -> FoundOffset {
        FoundOffset { offset, timestamp: Some(timestamp), epoch: self.log().epoch_at(offset) }
    }

    /// The end of an epoch (KIP-101, KIP-279): the largest epoch at most as large, and where the next one begins.
    pub(crate) fn epoch_end(&self, part: &EpochEndPart) -> Result<(Epoch, Offset), ReadRefusal> {
        self.check_epoch(part.current_epoch)?;
        Ok(self.end_of(part.epoch))
    }

    /// The log learns of an epoch with its first record; the leader knows its own before.
    fn end_of(&self, asked: Epoch) -> (Epoch, Offset) {
        let current = self.epoch();
        if asked == current {
            return (current, self.log().end());
        }
        if asked > current || asked == Epoch::NONE {
            return (Epoch::NONE, Offset::NONE);
        }
        match self.log().last_epoch() {
            Some(_) => self.log().epoch_end(asked).unwrap_or((Epoch::NONE, Offset::NONE)),
            // Nothing was ever written before this leader: its own epoch begins where the log does.
            None => (asked, self.log().end()),
        }
    }
}

/// Compresses on a thread of its own: the shard goes on with other work, and the partition's other appends wait for their turn.
async fn recompressed(
    batch: Batch,
    checked: Checked,
    wanted: Compression,
    bytes_max: i32,
) -> Result<(Batch, Checked), BatchError> {
    let work = move || recompress(&batch, &checked, wanted, bytes_max);
    glommio::executor().spawn_blocking(work).await
}

fn refusal(error: storage::ReadError) -> ReadRefusal {
    match error {
        storage::ReadError::OutOfRange { .. } => ReadRefusal::OutOfRange,
        storage::ReadError::Damaged { .. } => ReadRefusal::Corrupt,
        storage::ReadError::Io(..) => ReadRefusal::Offline,
    }
}
