//! InitializeShareGroupState, key 83, version 0: the share coordinator begins to keep the state of share partitions (KIP-932).
//!
//! Asked by the group's coordinator. The state epoch goes up with each beginning: what was written in an earlier one is fenced.

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 83, versions = "0", flexible = "0+", response = InitializeShareGroupStateResponse)]
pub struct InitializeShareGroupStateRequest {
    pub group_id: ByteString,
    pub topics: Vec<InitializeStateData>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct InitializeStateData {
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionData>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct PartitionData {
    pub partition: i32,
    pub state_epoch: i32,
    /// -1 where the group's reset policy decides.
    pub start_offset: i64,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct InitializeShareGroupStateResponse {
    pub results: Vec<InitializeStateResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct InitializeStateResult {
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct PartitionResult {
    pub partition: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
}
