//! ReadShareGroupStateSummary, key 87, versions 0-1: where share partitions stand, without the state of single records (KIP-932).
//!
//! Asked by the group's coordinator, for those who describe offsets. 1: how many records were delivered for good (KIP-1226).

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 87, versions = "0-1", flexible = "0+", response = ReadShareGroupStateSummaryResponse)]
pub struct ReadShareGroupStateSummaryRequest {
    pub group_id: ByteString,
    pub topics: Vec<ReadStateSummaryData>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ReadStateSummaryData {
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionData>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct PartitionData {
    pub partition: i32,
    pub leader_epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-1", flexible = "0+")]
pub struct ReadShareGroupStateSummaryResponse {
    pub results: Vec<ReadStateSummaryResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ReadStateSummaryResult {
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct PartitionResult {
    pub partition: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    pub state_epoch: i32,
    pub leader_epoch: i32,
    /// -1 where nothing is written yet.
    pub start_offset: i64,
    /// -1 where it is not known.
    #[wire(versions = "1+", default = -1, ignorable)]
    pub delivery_complete_count: i32,
}
