//! OffsetFetch, key 9, versions 1-10: what groups have committed.
//!
//! - One group up to version 7, several from 8 on. Topics null: every partition that the group has committed.
//! - Offset -1 and no error where nothing was committed.
//!
//! 2: all topics, a top-level error. 3: throttle time. 4: throttled after the answer (KIP-219). 5: leader epochs (KIP-320).
//! 6: flexible (KIP-482). 7: require stable (KIP-447). 8: several groups (KIP-709). 9: member ids and epochs (KIP-848).
//! 10: topic ids (KIP-848).

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 9, versions = "1-10", flexible = "6+", response = OffsetFetchResponse)]
pub struct OffsetFetchRequest {
    #[wire(versions = "1-7")]
    pub group_id: ByteString,
    /// Null for all.
    #[wire(versions = "1-7", nullable = "2-7")]
    pub topics: Option<Vec<OffsetFetchRequestTopic>>,
    #[wire(versions = "8+")]
    pub groups: Vec<OffsetFetchRequestGroup>,
    /// Partitions with offsets of an open transaction are UNSTABLE_OFFSET_COMMIT.
    #[wire(versions = "7+")]
    pub require_stable: bool,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct OffsetFetchRequestTopic {
    #[wire(versions = "1-7")]
    pub name: ByteString,
    #[wire(versions = "1-7")]
    pub partition_indexes: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct OffsetFetchRequestGroup {
    #[wire(versions = "8+")]
    pub group_id: ByteString,
    #[wire(versions = "9+", ignorable)]
    pub member_id: Option<ByteString>,
    #[wire(versions = "9+", default = -1, ignorable)]
    pub member_epoch: i32,
    /// Null for all.
    #[wire(versions = "8+")]
    pub topics: Option<Vec<OffsetFetchRequestTopics>>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct OffsetFetchRequestTopics {
    #[wire(versions = "8-9", ignorable)]
    pub name: ByteString,
    #[wire(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    #[wire(versions = "8+")]
    pub partition_indexes: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "1-10", flexible = "6+")]
pub struct OffsetFetchResponse {
    #[wire(versions = "3+", ignorable)]
    pub throttle_time_ms: i32,
    #[wire(versions = "1-7")]
    pub topics: Vec<OffsetFetchResponseTopic>,
    #[wire(versions = "2-7", ignorable)]
    pub error_code: ErrorCode,
    #[wire(versions = "8+")]
    pub groups: Vec<OffsetFetchResponseGroup>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct OffsetFetchResponseTopic {
    #[wire(versions = "1-7")]
    pub name: ByteString,
    #[wire(versions = "1-7")]
    pub partitions: Vec<OffsetFetchResponsePartition>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct OffsetFetchResponsePartition {
    #[wire(versions = "1-7")]
    pub partition_index: i32,
    #[wire(versions = "1-7")]
    pub committed_offset: i64,
    #[wire(versions = "5-7", default = -1, ignorable)]
    pub committed_leader_epoch: i32,
    #[wire(versions = "1-7")]
    pub metadata: Option<ByteString>,
    #[wire(versions = "1-7")]
    pub error_code: ErrorCode,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct OffsetFetchResponseGroup {
    #[wire(versions = "8+")]
    pub group_id: ByteString,
    #[wire(versions = "8+")]
    pub topics: Vec<OffsetFetchResponseTopics>,
    #[wire(versions = "8+")]
    pub error_code: ErrorCode,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct OffsetFetchResponseTopics {
    #[wire(versions = "8-9", ignorable)]
    pub name: ByteString,
    #[wire(versions = "10+", ignorable)]
    pub topic_id: Uuid,
    #[wire(versions = "8+")]
    pub partitions: Vec<OffsetFetchResponsePartitions>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct OffsetFetchResponsePartitions {
    #[wire(versions = "8+")]
    pub partition_index: i32,
    #[wire(versions = "8+")]
    pub committed_offset: i64,
    #[wire(versions = "8+", default = -1, ignorable)]
    pub committed_leader_epoch: i32,
    #[wire(versions = "8+")]
    pub metadata: Option<ByteString>,
    #[wire(versions = "8+")]
    pub error_code: ErrorCode,
}
