//! What crosses between shards for ShareFetch and ShareAcknowledge: to the shard of a group's sessions, and to those of the partitions.

use bytes::Bytes;
use bytestring::ByteString;
use storage::units::{Offset, PartitionId};

use super::partition::{self, Acquired, Kind};
use super::sessions::{ConnectionId, Fetch, Named, SessionRefusal, Told};
use super::state;
use crate::partition::ReadRefusal;

/// A question to one of the shards.
pub enum ShareAsk {
    Session(SessionAsk),
    Look(LookAsk),
    Take(TakeAsk),
    Acknowledge(AcknowledgeAsk),
    Release(ReleaseAsk),
}

/// The answer to the ask of the same name.
pub enum ShareAnswer {
    Session(SessionAnswer),
    Look(Vec<Result<Looked, Trouble>>),
    Take(Vec<Result<Taken, Trouble>>),
    Acknowledge(Vec<Result<(), AcknowledgeRefusal>>),
    Released,
}

/// One-way.
pub enum ShareNote {
    /// A fetch waits until something changes that it has not seen.
    Watch {
        watch: u64,
        group: ByteString,
        seen: Vec<(PartitionId, Standing)>,
    },
    Unwatch {
        watch: u64,
        group: ByteString,
        partitions: Vec<PartitionId>,
    },
    /// A connection has ended on which this member's session began.
    Ended {
        group: ByteString,
        member: ByteString,
        connection: ConnectionId,
    },
    /// A group has no session any more.
    Empty {
        group: ByteString,
    },
}

/// Of a member's session.
pub struct SessionAsk {
    pub group: ByteString,
    pub member: ByteString,
    pub what: SessionWhat,
}

pub enum SessionWhat {
    Fetch(Fetch),
    Acknowledge {
        epoch: i32,
    },
    /// What the fetch of this epoch is to be answered.
    Answer {
        epoch: i32,
        told: Vec<Told>,
    },
    /// It is over. Answered when what the member has is released.
    End,
}

pub enum SessionAnswer {
    /// The partitions of the session.
    Fetch(Result<Vec<Named>, SessionRefusal>),
    Acknowledge(Result<(), SessionRefusal>),
    /// Which of what was told the answer must name.
    Answer(Result<Vec<bool>, SessionRefusal>),
    Ended,
}

/// How much a member could take.
pub struct LookAsk {
    pub group: ByteString,
    pub parts: Vec<PartitionId>,
    /// Of each.
    pub bytes_max: usize,
}

pub struct Looked {
    pub bytes: usize,
    pub standing: Standing,
}

/// Records for a member, from the partitions in this order.
pub struct TakeAsk {
    pub group: ByteString,
    pub member: ByteString,
    pub parts: Vec<PartitionId>,
    pub wish: Wish,
}

/// How much of them.
#[derive(Clone, Copy, Debug)]
pub struct Wish {
    /// Records of all partitions together; the batch with the last of them is given whole, unless `strict`.
    pub records_max: i32,
    pub strict: bool,
    /// Records of one range of the answer, about.
    pub range_records: i32,
    /// For all partitions together, and for each.
    pub bytes_max: usize,
    pub part_bytes_max: usize,
    /// Whether the first partition that has records gives a whole batch, however large.
    pub at_least_one: bool,
}

/// What a partition gives.
#[derive(Debug)]
pub enum Taken {
    Records {
        /// Whole batches: the first and the last hold something of what is acquired.
        batches: Vec<Bytes>,
        acquired: Vec<Acquired>,
    },
    Nothing(Standing),
}

/// Where a share partition stands when it has nothing to give.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// Counts what may have made more available.
    pub changes: u64,
    /// What lies below is in flight or done with, if records can be acquired at all.
    pub high_watermark: Offset,
    /// It is loaded, and not at the limit of what may be in flight.
    pub acquirable: bool,
}

/// Why a share partition cannot be fetched from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    #[error(transparent)]
    Read(#[from] ReadRefusal),
    #[error("its state cannot be read: {0}")]
    State(state::Refusal),
    #[error("its state contradicts itself")]
    Contradiction,
    #[error("no record is as young as the group's reset policy wants it")]
    NoOffset,
}

pub struct AcknowledgeAsk {
    pub group: ByteString,
    pub member: ByteString,
    pub parts: Vec<(PartitionId, Vec<AcknowledgedBatch>)>,
}

/// Of consecutive offsets: one kind for all, or one for each.
#[derive(Clone, Debug)]
pub struct AcknowledgedBatch {
    pub first: i64,
    pub last: i64,
    pub kinds: Vec<Kind>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AcknowledgeRefusal {
    /// Nobody fetches from it here.
    NotHere,
    Refused(partition::Refusal),
    /// The state could not be written: all is as it was.
    Unwritten(state::Refusal),
    /// It has left this shard meanwhile.
    Left,
}

/// What the member has is given back.
pub struct ReleaseAsk {
    pub group: ByteString,
    pub member: ByteString,
    pub partitions: Vec<PartitionId>,
}
