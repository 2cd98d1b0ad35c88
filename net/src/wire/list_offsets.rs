//! ListOffsets, key 2, versions 1-11: the offset that belongs to a timestamp.
//!
//! - A timestamp of 0 and more: the first record that is not older. Below: one of the special ones, named here.
//! - Nothing found is offset -1 and timestamp -1, without an error.
//!
//! 1: one offset for a timestamp (KIP-79). 2: isolation level (KIP-98). 3: throttled after the answer (KIP-219).
//! 4: leader epochs (KIP-320). 5: OFFSET_NOT_AVAILABLE (KIP-207). 6: flexible (KIP-482). 7: `MAX_TIMESTAMP` (KIP-734).
//! 8: `EARLIEST_LOCAL` (KIP-405). 9: `LATEST_TIERED` (KIP-1005). 10: timeout, for tiered logs (KIP-1075).
//! 11: `EARLIEST_PENDING_UPLOAD` (KIP-1023).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

/// The end: the high watermark, or the last stable offset.
pub const LATEST: i64 = -1;
/// The log start offset.
pub const EARLIEST: i64 = -2;
/// The record with the highest timestamp.
pub const MAX_TIMESTAMP: i64 = -3;
/// The first offset on the leader's own disk.
pub const EARLIEST_LOCAL: i64 = -4;
/// The last offset in the tier.
pub const LATEST_TIERED: i64 = -5;
/// The first offset that is not yet in the tier.
pub const EARLIEST_PENDING_UPLOAD: i64 = -6;

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 2, versions = "1-11", flexible = "6+", response = ListOffsetsResponse)]
pub struct ListOffsetsRequest {
    /// A follower's node id; -1 for a consumer, -2 for a tool.
    pub replica_id: i32,
    /// With 1, the latest offset is the last stable one.
    #[wire(versions = "2+")]
    pub isolation_level: i8,
    pub topics: Vec<ListOffsetsTopic>,
    /// How long to wait for what lies in a tier.
    #[wire(versions = "10+", ignorable)]
    pub timeout_ms: i32,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ListOffsetsTopic {
    pub name: ByteString,
    pub partitions: Vec<ListOffsetsPartition>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ListOffsetsPartition {
    pub partition_index: i32,
    /// -1 to leave it unchecked.
    #[wire(versions = "4+", default = -1, ignorable)]
    pub current_leader_epoch: i32,
    /// Milliseconds, or a special one.
    pub timestamp: i64,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "1-11", flexible = "6+")]
pub struct ListOffsetsResponse {
    #[wire(versions = "2+", ignorable)]
    pub throttle_time_ms: i32,
    pub topics: Vec<ListOffsetsTopicResponse>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ListOffsetsTopicResponse {
    pub name: ByteString,
    pub partitions: Vec<ListOffsetsPartitionResponse>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ListOffsetsPartitionResponse {
    pub partition_index: i32,
    pub error_code: ErrorCode,
    #[wire(default = -1)]
    pub timestamp: i64,
    #[wire(default = -1)]
    pub offset: i64,
    #[wire(versions = "4+", default = -1)]
    pub leader_epoch: i32,
}
