//! DescribeShareGroupOffsets, key 90, versions 0-1: from where share groups read on (KIP-932).
//!
//! 1: the lag (KIP-1226).

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 90, versions = "0-1", flexible = "0+", response = DescribeShareGroupOffsetsResponse)]
pub struct DescribeShareGroupOffsetsRequest {
    pub groups: Vec<DescribeShareGroupOffsetsRequestGroup>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DescribeShareGroupOffsetsRequestGroup {
    pub group_id: ByteString,
    /// `None` for all that the group has.
    pub topics: Option<Vec<DescribeShareGroupOffsetsRequestTopic>>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DescribeShareGroupOffsetsRequestTopic {
    pub topic_name: ByteString,
    pub partitions: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-1", flexible = "0+")]
pub struct DescribeShareGroupOffsetsResponse {
    pub throttle_time_ms: i32,
    pub groups: Vec<DescribeShareGroupOffsetsResponseGroup>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DescribeShareGroupOffsetsResponseGroup {
    pub group_id: ByteString,
    pub topics: Vec<DescribeShareGroupOffsetsResponseTopic>,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DescribeShareGroupOffsetsResponseTopic {
    pub topic_name: ByteString,
    pub topic_id: Uuid,
    pub partitions: Vec<DescribeShareGroupOffsetsResponsePartition>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DescribeShareGroupOffsetsResponsePartition {
    pub partition_index: i32,
    /// -1 where there is none.
    pub start_offset: i64,
    pub leader_epoch: i32,
    /// -1 where it is not known.
    #[wire(versions = "1+", default = -1, ignorable)]
    pub lag: i64,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
}
