//! All that crosses between shards, the controller's executor and the admin thread: one closed enum of owned messages.
//!
//! An [`Ask`] is answered once, by an [`Answer`] of the same kind and id. The two one-way messages, [`Message::Watch`] and
//! [`Message::Moved`], carry a parked fetch: its connection's shard owns the wait, the partitions' shards say when something moved.
//!
//! Errors cross as typed refusals; Kafka's codes are given to them in `api`, nowhere else.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use bytestring::ByteString;
use storage::index::AbortedTransaction;
use storage::units::{Epoch, Offset, PartitionId, Timestamp};

use crate::controller::{ControllerAnswer, ControllerRequest};
use crate::directories::InUse;
use crate::group::message::{GroupAnswer, GroupRequest};
use crate::metadata::image::Image;
use crate::metrics::Sample;
use crate::moves::MoveRefusal;
use crate::partition::upkeep::{DeletePart, DeleteRefusal, Producer};
use crate::partition::{AppendRefusal, ReadRefusal};
use crate::quota::Spender;
use crate::share::message::{ShareAnswer, ShareAsk, ShareNote};
use crate::share::state::message::{StateAnswer, StateRequest};
use crate::telemetry::{Asking, Refusal, Told};

/// What travels on the mesh.
pub enum Message {
    /// A request that is answered under the same id.
    Ask { id: u32, ask: Ask },
    /// The answer to the ask of that id.
    Answer { id: u32, answer: Answer },
    /// A fetch waits on these partitions until one of them has something beyond what it has seen.
    Watch { watch: u64, seen: Vec<Seen> },
    /// The fetch no longer waits.
    Unwatch { watch: u64, partitions: Vec<PartitionId> },
    /// Something moved for these watches; each is told once.
    Moved { watches: Vec<u64> },
    /// The answer to a request of a group that had to wait, under the number of its wait.
    Group { wait: u64, answer: Box<GroupAnswer> },
    /// Of share groups' fetches.
    Share(Box<ShareNote>),
    /// The executor has nothing more to do: its loop ends.
    Leave,
}

/// A question to another executor.
pub enum Ask {
    Append(Vec<AppendPart>),
    Read(ReadAsk),
    Offsets(Vec<OffsetsPart>),
    EpochEnds(Vec<EpochEndPart>),
    Group(Box<GroupAsk>),
    ShareState(Box<ShareStateAsk>),
    Share(Box<ShareAsk>),
    DeleteRecords(Vec<DeletePart>),
    /// Who produces to these partitions.
    Producers(Vec<PartitionId>),
    /// A client asks for its subscriptions, or pushes metrics.
    Telemetry(Box<Asking>),
    /// A client has spent so much of what it may spend a second.
    Spend {
        spender: Spender,
        per_second: f64,
        amount: f64,
    },
    /// The first image: open the log directories with the partitions placed on this shard.
    Open(Arc<Image>, InUse),
    /// A newer metadata image; answered when the partitions of the shard follow it.
    Apply(Arc<Image>),
    /// Listen: answered when connections are accepted.
    Serve,
    Control(Box<ControllerRequest>),
    /// The counters of an executor, for `/metrics`.
    Samples,
    /// Stop: finish what is in flight, drain the log into the segments. Answered when everything of the executor is on disk.
    Stop,
    /// The clean-shutdown markers of the directories are written: the shard's manifests may say that they are clean.
    Seal(Vec<Option<storage::Marker>>),
    /// Partitions that are to be in another log directory.
    Move(Vec<(PartitionId, usize)>),
    /// What the shard has in each log directory.
    Directories,
    /// A log directory has failed, and why: the shard's part of it goes offline.
    Fail(usize, String),
}

/// The answer to an [`Ask`], of the same name.
pub enum Answer {
    Append(Vec<Result<Appended, AppendRefusal>>),
    Read(Vec<Result<Read, ReadRefusal>>),
    Offsets(Vec<Result<Option<FoundOffset>, ReadRefusal>>),
    EpochEnds(Vec<Result<(Epoch, Offset), ReadRefusal>>),
    /// `None`: the answer follows as a message of its own.
    Group(Option<Box<GroupAnswer>>),
    ShareState(Box<StateAnswer>),
    Share(Box<ShareAnswer>),
    /// The log starts.
    DeleteRecords(Vec<Result<Offset, DeleteRefusal>>),
    /// None where the partition is not here.
    Producers(Vec<Option<Vec<Producer>>>),
    /// How long until it is paid for.
    Spent(Duration),
    /// A push tells nothing.
    Telemetry(Result<Option<Told>, Refusal>),
    Opened(Result<Opened, String>),
    Applied,
    Serving(Result<(), String>),
    Control(Box<ControllerAnswer>),
    Samples(Vec<Sample>),
    /// The offsets for the checkpoints of each directory; `None` for one that is offline.
    Stopped(Vec<Option<Vec<storage::CheckpointLine>>>),
    Sealed(Result<(), String>),
    Moving(Vec<Result<(), MoveRefusal>>),
    /// `None` for one that is offline.
    Directories(Vec<Option<Vec<InDirectory>>>),
    Failed,
}

/// What a shard has found in its parts of the log directories.
#[derive(Debug, Default)]
pub struct Opened {
    /// The partitions that the logs name after an unclean stop: their leader epoch is to be raised before they are served.
    pub raise_epochs: Vec<PartitionId>,
    /// Directories that could not be opened, and why.
    pub failed: Vec<(usize, String)>,
    /// Partitions of which a directory has something although they are in another one.
    pub elsewhere: Vec<(usize, PartitionId)>,
}

/// A partition in a log directory.
#[derive(Debug, Clone)]
pub struct InDirectory {
    pub topic: ByteString,
    pub partition: i32,
    pub bytes: u64,
    /// Offsets that a future log is behind.
    pub lag: i64,
    /// It is growing there, and the partition is in another directory.
    pub is_future: bool,
}

/// One partition's batch of a Produce request.
pub struct AppendPart {
    pub partition: PartitionId,
    pub records: Bytes,
    /// zstd is allowed from Produce version 7 on (KIP-110).
    pub zstd_allowed: bool,
    /// The topic is one that only the broker itself writes to.
    pub acks: Acks,
}

/// What a producer waits for (the `acks` of Produce).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Acks {
    None,
    Leader,
    All,
}

/// A batch that was appended, and acknowledged as its producer asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Appended {
    pub base_offset: Offset,
    /// Set on topics with `message.timestamp.type=LogAppendTime`; for a duplicate the time of its original, as in Kafka.
    pub append_time: Option<Timestamp>,
    pub log_start: Offset,
}

/// A request of a group, or of all groups of a partition.
pub struct GroupAsk {
    /// Of `__consumer_offsets`.
    pub partition: PartitionId,
    pub request: GroupRequest,
    /// Where the answer is waited for, if it may have to wait.
    pub wait: Option<u64>,
}

/// A request of a share partition's state.
pub struct ShareStateAsk {
    /// Of `__share_group_state`.
    pub partition: PartitionId,
    pub request: StateRequest,
}

/// The partitions of one owner in a Fetch request, in the request's order.
pub struct ReadAsk {
    pub parts: Vec<ReadPart>,
    /// For all partitions together, bytes.
    pub bytes_max: usize,
    /// Whether the first partition that has records gives a whole batch, however large.
    pub at_least_one: bool,
}

#[derive(Debug, Clone)]
pub struct ReadPart {
    pub partition: PartitionId,
    pub current_epoch: Option<Epoch>,
    pub from: Offset,
    pub last_fetched_epoch: Option<Epoch>,
    pub bytes_max: usize,
    pub read_committed: bool,
}

/// What a partition gives to a fetch.
pub struct Read {
    pub high_watermark: Offset,
    pub last_stable: Offset,
    pub log_start: Offset,
    pub plan: storage::ReadPlan<storage::runtime::ring::File>,
    /// What a reader of committed data leaves out of it.
    pub aborted: Vec<AbortedTransaction>,
    /// The fetcher's log parted from ours here (KIP-320, KIP-595).
    pub diverging: Option<(Epoch, Offset)>,
}

#[derive(Debug, Clone, Copy)]
pub struct OffsetsPart {
    pub partition: PartitionId,
    pub current_epoch: Option<Epoch>,
    pub sought: Sought,
    pub read_committed: bool,
}

/// The special timestamps of ListOffsets, and the plain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sought {
    Latest,
    Earliest,
    MaxTimestamp,
    At(Timestamp),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundOffset {
    pub offset: Offset,
    pub timestamp: Option<Timestamp>,
    pub epoch: Option<Epoch>,
}

#[derive(Debug, Clone, Copy)]
pub struct EpochEndPart {
    pub partition: PartitionId,
    pub current_epoch: Option<Epoch>,
    pub epoch: Epoch,
}

/// What a waiting fetch has seen of a partition: it is told when the high watermark passes this or the partition changes.
#[derive(Debug, Clone, Copy)]
pub struct Seen {
    pub partition: PartitionId,
    pub high_watermark: Offset,
}
