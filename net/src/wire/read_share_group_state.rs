//! ReadShareGroupState, key 84, version 0: the leader of a share partition takes up its state (KIP-932).
//!
//! The leader epoch that it names fences earlier leaders.

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 84, versions = "0", flexible = "0+", response = ReadShareGroupStateResponse)]
pub struct ReadShareGroupStateRequest {
    pub group_id: ByteString,
    pub topics: Vec<ReadStateData>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ReadStateData {
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionData>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct PartitionData {
    pub partition: i32,
    pub leader_epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct ReadShareGroupStateResponse {
    pub results: Vec<ReadStateResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ReadStateResult {
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct PartitionResult {
    pub partition: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    pub state_epoch: i32,
    /// -1 where nothing is written yet.
    pub start_offset: i64,
    pub state_batches: Vec<StateBatch>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct StateBatch {
    pub first_offset: i64,
    pub last_offset: i64,
    /// 0 available, 2 acknowledged, 4 archived.
    pub delivery_state: i8,
    pub delivery_count: i16,
}
