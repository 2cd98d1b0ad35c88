//! OffsetCommit, key 8, versions 2-10: how far a group has come in each partition.
//!
//! - Generation -1 and an empty member id: a consumer that is no member; the group must then be empty.
//! - Versions 2-4 may say how long the offsets are kept (`retention_time_ms`, -1 for the broker's choice).
//!
//! 2: retention time. 3: throttle time. 4: throttled after the answer (KIP-219). 5: no retention time (KIP-211).
//! 6: leader epochs (KIP-320). 7: static members (KIP-345). 8: flexible (KIP-482). 9: member epochs (KIP-848). 10: topic ids (KIP-848).

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 8, versions = "2-10", flexible = "8+", response = OffsetCommitResponse)]
pub struct OffsetCommitRequest {
    pub group_id: ByteString,
    /// -1 from who is no member.
    #[wire(default = -1)]
    pub generation_id_or_member_epoch: i32,
    pub member_id: ByteString,
    /// Of a static member.
    #[wire(versions = "7+")]
    pub group_instance_id: Option<ByteString>,
    /// -1 for what the broker is configured to.
    #[wire(versions = "2-4", default = -1, ignorable)]
    pub retention_time_ms: i64,
    pub topics: Vec<OffsetCommitRequestTopic>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct OffsetCommitRequestTopic {
    #[wire(versions = "2-9", ignorable)]
    pub name: ByteString,
    #[wire(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    pub partitions: Vec<OffsetCommitRequestPartition>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct OffsetCommitRequestPartition {
    pub partition_index: i32,
    pub committed_offset: i64,
    /// Of the last record that was consumed; -1 if it is not known.
    #[wire(versions = "6+", default = -1, ignorable)]
    pub committed_leader_epoch: i32,
    /// Anything that the client wants to keep beside the offset.
    pub committed_metadata: Option<ByteString>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "2-10", flexible = "8+")]
pub struct OffsetCommitResponse {
    #[wire(versions = "3+", ignorable)]
    pub throttle_time_ms: i32,
    pub topics: Vec<OffsetCommitResponseTopic>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct OffsetCommitResponseTopic {
    #[wire(versions = "2-9", ignorable)]
    pub name: ByteString,
    #[wire(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    pub partitions: Vec<OffsetCommitResponsePartition>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct OffsetCommitResponsePartition {
    pub partition_index: i32,
    pub error_code: ErrorCode,
}
