//! OffsetForLeaderEpoch, key 23, versions 2-4: where a leader epoch ended, so that a follower or consumer sees what it must cut.
//!
//! - The largest epoch that is not above the one asked for, and its end: where the next epoch began, or the end of the log.
//!
//! 2: current leader epoch, throttle time (KIP-320). 3: replica id (KIP-392). 4: flexible (KIP-482).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 23, versions = "2-4", flexible = "4+", response = OffsetForLeaderEpochResponse)]
pub struct OffsetForLeaderEpochRequest {
    /// A follower's node id; -1 for a consumer, -2 before version 3.
    #[wire(versions = "3+", default = -2, ignorable)]
    pub replica_id: i32,
    pub topics: Vec<OffsetForLeaderTopic>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct OffsetForLeaderTopic {
    pub topic: ByteString,
    pub partitions: Vec<OffsetForLeaderPartition>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct OffsetForLeaderPartition {
    pub partition: i32,
    /// -1 to leave it unchecked.
    #[wire(default = -1)]
    pub current_leader_epoch: i32,
    /// The epoch whose end is asked for.
    pub leader_epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "2-4", flexible = "4+")]
pub struct OffsetForLeaderEpochResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<OffsetForLeaderTopicResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct OffsetForLeaderTopicResult {
    pub topic: ByteString,
    pub partitions: Vec<EpochEndOffset>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct EpochEndOffset {
    pub error_code: ErrorCode,
    pub partition: i32,
    /// -1 when no epoch is known.
    #[wire(default = -1)]
    pub leader_epoch: i32,
    /// The offset after its last record, -1 when no epoch is known.
    #[wire(default = -1)]
    pub end_offset: i64,
}
