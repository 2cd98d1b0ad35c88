//! What is asked of share groups, and what their coordinator answers. Owned values, as all that crosses between shards.
//!
//! The coordinator asks nobody: where the share coordinator is to begin or to delete state, it says so in its answer, and who asked
//! (`api::share_groups`) sees to it and tells what came of it.

use bytestring::ByteString;
use uuid::Uuid;

use super::super::message::PartitionsDescribed;
use super::super::{Refusal, Refused};
use super::ShareState;

/// Partitions by topic, in the order of both.
pub type ByTopic = Vec<(Uuid, Vec<i32>)>;

/// Of one group unless it says otherwise.
#[derive(Debug, Clone)]
pub enum ShareRequest {
    /// ShareGroupHeartbeat.
    Report(ShareReport),
    /// Groups of the partition.
    Describe(Vec<ByteString>),
    /// What came of state that was to begin.
    Begun(StatesBegun),
    /// AlterShareGroupOffsets: state is to begin anew.
    Alter(AlterOffsets),
    /// DeleteShareGroupOffsets: state of topics is to be deleted.
    Forget { group: ByteString, topics: Vec<ByteString> },
    /// It is deleted.
    Forgotten { group: ByteString, topics: Vec<Uuid> },
    /// Which partitions have state.
    Kept(ByteString),
    /// The group is to be deleted: its state goes first.
    End(ByteString),
    /// It is deleted.
    Ended(ByteString),
}

/// The answer to the request of the same name.
#[derive(Debug, Clone)]
pub enum ShareAnswer {
    Report(Result<ShareReported, Refused>),
    /// One for each group of the request.
    Describe(Vec<Result<ShareDescribed, Refused>>),
    Begun(Result<(), Refusal>),
    Alter(Result<Altered, Refused>),
    /// One for each topic of the request; `None` if no state was ever begun.
    Forget(Result<Option<Vec<ToForget>>, Refused>),
    Forgotten(Result<(), Refusal>),
    Kept(Result<ByTopic, Refusal>),
    /// What is to be deleted.
    End(Result<ByTopic, Refusal>),
    Ended(Result<(), Refusal>),
}

/// What a member says; `None` where it has not changed.
#[derive(Debug, Clone)]
pub struct ShareReport {
    pub group: ByteString,
    pub member_id: ByteString,
    pub member_epoch: i32,
    pub rack: Option<ByteString>,
    pub client_id: ByteString,
    pub client_host: ByteString,
    pub names: Option<Vec<ByteString>>,
}

/// What it is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShareReported {
    pub member_id: ByteString,
    pub member_epoch: i32,
    pub heartbeat_ms: i32,
    /// `None` if it has not changed.
    pub assignment: Option<ByTopic>,
    /// Not for the member: it is for who asked to have it begun, and to tell with `Begun`.
    pub begin: Option<StatesToBegin>,
}

/// The share coordinator is to begin to keep the state of these partitions, from where the group's reset policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatesToBegin {
    pub state_epoch: i32,
    pub topics: ByTopic,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatesBegun {
    pub group: ByteString,
    pub begun: ByTopic,
    pub failed: ByTopic,
}

/// Topics and partitions, and from which offset each is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AlterOffsets {
    pub group: ByteString,
    /// No name twice.
    pub topics: Vec<(ByteString, Vec<(i32, i64)>)>,
}

/// State of the partitions that there are is to begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Altered {
    pub state_epoch: i32,
    /// For each topic of the request its id, `None` if it is not there, and which of the partitions are there.
    pub topics: Vec<Option<(Uuid, Vec<bool>)>>,
}

/// What is to be deleted of a topic.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ToForget {
    /// There is no such topic.
    Unknown,
    /// It has no state.
    Nothing,
    State(Uuid, Vec<i32>),
}

#[derive(Debug, Clone, PartialEq)]
pub struct ShareDescribed {
    pub state: ShareState,
    pub epoch: i32,
    pub target_epoch: i32,
    pub members: Vec<ShareMemberDescribed>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct ShareMemberDescribed {
    pub id: ByteString,
    pub rack: Option<ByteString>,
    pub epoch: i32,
    pub client_id: ByteString,
    pub client_host: ByteString,
    pub names: Vec<ByteString>,
    pub assigned: Vec<PartitionsDescribed>,
}

impl ShareRequest {
    /// The answer that refuses all of it.
    pub fn refused(&self, refusal: Refusal) -> ShareAnswer {
        let refused = || Refused::new(refusal, "");
        match self {
            ShareRequest::Report(_) => ShareAnswer::Report(Err(refused())),
            ShareRequest::Describe(groups) => {
                ShareAnswer::Describe(groups.iter().map(|_| Err(refused())).collect())
            }
            ShareRequest::Begun(_) => ShareAnswer::Begun(Err(refusal)),
            ShareRequest::Alter(_) => ShareAnswer::Alter(Err(refused())),
            ShareRequest::Forget { .. } => ShareAnswer::Forget(Err(refused())),
            ShareRequest::Forgotten { .. } => ShareAnswer::Forgotten(Err(refusal)),
            ShareRequest::Kept(_) => ShareAnswer::Kept(Err(refusal)),
            ShareRequest::End(_) => ShareAnswer::End(Err(refusal)),
            ShareRequest::Ended(_) => ShareAnswer::Ended(Err(refusal)),
        }
    }
}

impl ShareAnswer {
    /// What an answer becomes when the records that it rests on could not be written.
    pub fn unwritten(self, refusal: Refusal) -> ShareAnswer {
        let refused = || Refused::new(refusal, "");
        match self {
            ShareAnswer::Report(_) => ShareAnswer::Report(Err(refused())),
            ShareAnswer::Describe(all) => {
                ShareAnswer::Describe(all.iter().map(|_| Err(refused())).collect())
            }
            ShareAnswer::Begun(_) => ShareAnswer::Begun(Err(refusal)),
            ShareAnswer::Alter(_) => ShareAnswer::Alter(Err(refused())),
            ShareAnswer::Forget(_) => ShareAnswer::Forget(Err(refused())),
            ShareAnswer::Forgotten(_) => ShareAnswer::Forgotten(Err(refusal)),
            ShareAnswer::Kept(_) => ShareAnswer::Kept(Err(refusal)),
            ShareAnswer::End(_) => ShareAnswer::End(Err(refusal)),
            ShareAnswer::Ended(_) => ShareAnswer::Ended(Err(refusal)),
        }
    }
}
