//! WriteShareGroupState, key 85, versions 0-1: the leader of a share partition has its state kept (KIP-932).
//!
//! 1: how many records were delivered for good, from which the lag is known (KIP-1226).

use bytestring::ByteString;
use uuid::Uuid;

use super::read_share_group_state::StateBatch;
use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 85, versions = "0-1", flexible = "0+", response = WriteShareGroupStateResponse)]
pub struct WriteShareGroupStateRequest {
    pub group_id: ByteString,
    pub topics: Vec<WriteStateData>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct WriteStateData {
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionData>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct PartitionData {
    pub partition: i32,
    /// The one that was read.
    pub state_epoch: i32,
    pub leader_epoch: i32,
    /// -1 where it stays.
    pub start_offset: i64,
    /// Of the records from the start offset on; -1 where it is not known.
    #[wire(versions = "1+", default = -1, ignorable)]
    pub delivery_complete_count: i32,
    /// What has changed.
    pub state_batches: Vec<StateBatch>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-1", flexible = "0+")]
pub struct WriteShareGroupStateResponse {
    pub results: Vec<WriteStateResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct WriteStateResult {
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct PartitionResult {
    pub partition: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
}
