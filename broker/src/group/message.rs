//! What is asked of a coordinator, and what it answers. Owned values: they cross between shards, and some of them stay.

use bytes::Bytes;
use bytestring::ByteString;
use uuid::Uuid;

use super::classic::State;
use super::consumer::ConsumerState;
use super::member::Protocols;
use super::share::ShareState;
use super::share::message::{ShareAnswer, ShareRequest};
use super::{Committed, Refusal, Refused};

/// A request, of one group unless it says otherwise.
#[derive(Debug, Clone)]
pub enum GroupRequest {
    Join(Box<Join>),
    Sync(Box<Sync>),
    Heartbeat(Heartbeat),
    Leave(Leave),
    /// ConsumerGroupHeartbeat.
    Report(Box<Report>),
    Commit(Commit),
    Fetch(Fetch),
    DeleteOffsets(DeleteOffsets),
    /// Groups of the partition.
    Describe(Vec<ByteString>),
    /// Consumer groups of the partition.
    DescribeConsumers(Vec<ByteString>),
    /// Groups of the partition.
    Delete(Vec<ByteString>),
    /// Of share groups.
    Share(Box<ShareRequest>),
    /// All groups of the partition.
    List,
}

/// The answer to the request of the same name.
#[derive(Debug, Clone)]
pub enum GroupAnswer {
    Join(Result<Joined, JoinRefused>),
    Sync(Result<Assigned, Refusal>),
    Heartbeat(Result<(), Refusal>),
    /// One for each member of the request.
    Leave(Result<Vec<Result<(), Refusal>>, Refusal>),
    Report(Result<Reported, Refused>),
    /// One for each partition of each topic of the request.
    Commit(Result<Vec<Vec<Result<(), Refusal>>>, Refusal>),
    Fetch(Result<Vec<FetchedTopic>, Refusal>),
    /// One for each partition of each topic of the request.
    DeleteOffsets(Result<Vec<Vec<Result<(), Refusal>>>, Refusal>),
    /// One for each group of the request; `GroupNotFound` for none.
    Describe(Vec<Result<Described, Refusal>>),
    /// One for each group of the request.
    DescribeConsumers(Vec<Result<ConsumerDescribed, Refused>>),
    /// One for each group of the request.
    Delete(Vec<Result<(), Refusal>>),
    Share(ShareAnswer),
    List(Result<Vec<Listed>, Refusal>),
}

impl GroupRequest {
    /// The answer that refuses all of it.
    pub fn refused(&self, refusal: Refusal) -> GroupAnswer {
        match self {
            GroupRequest::Join(join) => {
                GroupAnswer::Join(Err(JoinRefused { refusal, member_id: join.member_id.clone() }))
            }
            GroupRequest::Sync(_) => GroupAnswer::Sync(Err(refusal)),
            GroupRequest::Heartbeat(_) => GroupAnswer::Heartbeat(Err(refusal)),
            GroupRequest::Leave(_) => GroupAnswer::Leave(Err(refusal)),
            GroupRequest::Report(_) => GroupAnswer::Report(Err(Refused::new(refusal, ""))),
            GroupRequest::Commit(_) => GroupAnswer::Commit(Err(refusal)),
            GroupRequest::Fetch(_) => GroupAnswer::Fetch(Err(refusal)),
            GroupRequest::DeleteOffsets(_) => GroupAnswer::DeleteOffsets(Err(refusal)),
            GroupRequest::Describe(groups) => {
                GroupAnswer::Describe(groups.iter().map(|_| Err(refusal)).collect())
            }
            GroupRequest::DescribeConsumers(groups) => {
                let refused = || Err(Refused::new(refusal, ""));
                GroupAnswer::DescribeConsumers(groups.iter().map(|_| refused()).collect())
            }
            GroupRequest::Delete(groups) => {
                GroupAnswer::Delete(groups.iter().map(|_| Err(refusal)).collect())
            }
            GroupRequest::Share(request) => GroupAnswer::Share(request.refused(refusal)),
            GroupRequest::List => GroupAnswer::List(Err(refusal)),
        }
    }

    /// Whether its answer may wait for other members.
    pub fn may_park(&self) -> bool {
        matches!(self, GroupRequest::Join(_) | GroupRequest::Sync(_))
    }
}

impl GroupAnswer {
    /// What an answer becomes when the records that it rests on could not be written.
    pub fn unwritten(self, refusal: Refusal) -> GroupAnswer {
        match self {
            GroupAnswer::Join(_) => {
                GroupAnswer::Join(Err(JoinRefused { refusal, member_id: ByteString::new() }))
            }
            GroupAnswer::Sync(_) => GroupAnswer::Sync(Err(refusal)),
            GroupAnswer::Heartbeat(_) => GroupAnswer::Heartbeat(Err(refusal)),
            GroupAnswer::Leave(_) => GroupAnswer::Leave(Err(refusal)),
            GroupAnswer::Report(_) => GroupAnswer::Report(Err(Refused::new(refusal, ""))),
            GroupAnswer::Commit(_) => GroupAnswer::Commit(Err(refusal)),
            GroupAnswer::Fetch(_) => GroupAnswer::Fetch(Err(refusal)),
            GroupAnswer::DeleteOffsets(_) => GroupAnswer::DeleteOffsets(Err(refusal)),
            GroupAnswer::Describe(all) => {
                GroupAnswer::Describe(all.iter().map(|_| Err(refusal)).collect())
            }
            GroupAnswer::DescribeConsumers(all) => {
                let refused = || Err(Refused::new(refusal, ""));
                GroupAnswer::DescribeConsumers(all.iter().map(|_| refused()).collect())
            }
            GroupAnswer::Delete(all) => {
                GroupAnswer::Delete(all.iter().map(|_| Err(refusal)).collect())
            }
            GroupAnswer::Share(answer) => GroupAnswer::Share(answer.unwritten(refusal)),
            GroupAnswer::List(_) => GroupAnswer::List(Err(refusal)),
        }
    }
}

#[derive(Debug, Clone)]
pub struct Join {
    pub group: ByteString,
    /// Empty from who has none.
    pub member_id: ByteString,
    /// The id of a member that has none.
    pub new_member_id: ByteString,
    pub instance: Option<ByteString>,
    pub client_id: ByteString,
    pub client_host: ByteString,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    pub protocol_type: ByteString,
    /// No name twice.
    pub protocols: Protocols,
    /// A new member is told its id first, and joins with it (KIP-394).
    pub known_id_required: bool,
    /// The client understands `skip_assignment` (KIP-814).
    pub may_skip_assignment: bool,
}

/// A member's place in a generation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Joined {
    pub member_id: ByteString,
    pub generation: i32,
    pub protocol_type: Option<ByteString>,
    pub protocol: Option<ByteString>,
    pub leader: ByteString,
    pub skip_assignment: bool,
    /// Id, instance and metadata of all members; for the leader only.
    pub members: Vec<(ByteString, Option<ByteString>, Bytes)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JoinRefused {
    pub refusal: Refusal,
    pub member_id: ByteString,
}

#[derive(Debug, Clone)]
pub struct Sync {
    pub group: ByteString,
    pub member_id: ByteString,
    pub generation: i32,
    pub instance: Option<ByteString>,
    /// What the member takes the group for; `None` from old clients.
    pub protocol_type: Option<ByteString>,
    pub protocol: Option<ByteString>,
    /// By member; from the leader.
    pub assignments: Vec<(ByteString, Bytes)>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Assigned {
    pub protocol_type: Option<ByteString>,
    pub protocol: Option<ByteString>,
    pub assignment: Bytes,
}

#[derive(Debug, Clone)]
pub struct Heartbeat {
    pub group: ByteString,
    pub member_id: ByteString,
    pub generation: i32,
    pub instance: Option<ByteString>,
}

#[derive(Debug, Clone)]
pub struct Leave {
    pub group: ByteString,
    /// Member id (empty where only the instance is known) and instance.
    pub members: Vec<(ByteString, Option<ByteString>)>,
}

/// What a member of a consumer group says; `None` (-1) where it has not changed.
#[derive(Debug, Clone)]
pub struct Report {
    pub group: ByteString,
    /// Empty from who has none.
    pub member_id: ByteString,
    /// The id of a member that has none.
    pub new_member_id: ByteString,
    pub member_epoch: i32,
    pub instance: Option<ByteString>,
    pub rack: Option<ByteString>,
    pub client_id: ByteString,
    pub client_host: ByteString,
    pub rebalance_timeout_ms: i32,
    pub names: Option<Vec<ByteString>>,
    pub regex: Option<ByteString>,
    pub assignor: Option<ByteString>,
    /// Partitions by topic.
    pub owns: Option<Vec<(Uuid, Vec<i32>)>>,
}

/// What it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reported {
    pub member_id: ByteString,
    pub member_epoch: i32,
    pub heartbeat_ms: i32,
    /// `None` if it has not changed.
    pub assignment: Option<Vec<(Uuid, Vec<i32>)>>,
}

#[derive(Debug, Clone)]
pub struct Commit {
    pub group: ByteString,
    /// Empty from who is no member.
    pub member_id: ByteString,
    /// -1 from who is no member.
    pub generation: i32,
    pub instance: Option<ByteString>,
    /// How long to keep the offsets, milliseconds; -1 leaves it to the broker.
    pub retention_ms: i64,
    /// The client understands that there is no such group (version 9).
    pub may_miss_group: bool,
    pub topics: Vec<CommitTopic>,
}

#[derive(Debug, Clone)]
pub struct CommitTopic {
    pub name: ByteString,
    pub id: Uuid,
    pub partitions: Vec<CommitPartition>,
}

#[derive(Debug, Clone)]
pub struct CommitPartition {
    pub partition: i32,
    pub offset: i64,
    /// -1 if it is not known.
    pub leader_epoch: i32,
    pub metadata: ByteString,
}

#[derive(Debug, Clone)]
pub struct Fetch {
    pub group: ByteString,
    /// From a member of a consumer group, which is to be in this epoch; `None` and -1 from others.
    pub member_id: Option<ByteString>,
    pub member_epoch: i32,
    /// `None` for all that was committed.
    pub topics: Option<Vec<FetchTopic>>,
    /// Offsets that an open transaction commits are refused.
    pub stable: bool,
}

#[derive(Debug, Clone)]
pub struct FetchTopic {
    pub name: ByteString,
    /// Nil if it was not said: an offset of an older topic of that name is then as good.
    pub id: Uuid,
    pub partitions: Vec<i32>,
}

#[derive(Debug, Clone)]
pub struct FetchedTopic {
    pub name: ByteString,
    pub id: Uuid,
    /// `None` where nothing was committed.
    pub partitions: Vec<(i32, Result<Option<Committed>, Refusal>)>,
}

#[derive(Debug, Clone)]
pub struct DeleteOffsets {
    pub group: ByteString,
    pub topics: Vec<(ByteString, Vec<i32>)>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Described {
    pub state: State,
    pub protocol_type: ByteString,
    /// Empty unless the group is stable.
    pub protocol: ByteString,
    pub members: Vec<DescribedMember>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct DescribedMember {
    pub id: ByteString,
    pub instance: Option<ByteString>,
    pub client_id: ByteString,
    pub client_host: ByteString,
    /// Empty unless the group is stable.
    pub metadata: Bytes,
    pub assignment: Bytes,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ConsumerDescribed {
    pub state: ConsumerState,
    pub epoch: i32,
    pub target_epoch: i32,
    pub assignor: ByteString,
    pub members: Vec<ConsumerMemberDescribed>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ConsumerMemberDescribed {
    pub id: ByteString,
    pub instance: Option<ByteString>,
    pub rack: Option<ByteString>,
    pub epoch: i32,
    pub client_id: ByteString,
    pub client_host: ByteString,
    pub names: Vec<ByteString>,
    pub regex: Option<ByteString>,
    pub assigned: Vec<PartitionsDescribed>,
    pub target: Vec<PartitionsDescribed>,
    pub classic: bool,
}

#[derive(Debug, Clone, PartialEq)]
pub struct PartitionsDescribed {
    pub id: Uuid,
    pub name: ByteString,
    pub partitions: Vec<i32>,
}

/// A group's state, and with it its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ListedState {
    Classic(State),
    Consumer(ConsumerState),
    Share(ShareState),
}

#[derive(Debug, Clone, PartialEq)]
pub struct Listed {
    pub group: ByteString,
    pub protocol_type: ByteString,
    pub state: ListedState,
}
