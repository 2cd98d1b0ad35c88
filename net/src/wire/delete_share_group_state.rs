//! DeleteShareGroupState, key 86, version 0: the share coordinator forgets the state of share partitions (KIP-932).

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 86, versions = "0", flexible = "0+", response = DeleteShareGroupStateResponse)]
pub struct DeleteShareGroupStateRequest {
    pub group_id: ByteString,
    pub topics: Vec<DeleteStateData>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DeleteStateData {
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionData>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct PartitionData {
    pub partition: i32,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct DeleteShareGroupStateResponse {
    pub results: Vec<DeleteStateResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DeleteStateResult {
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct PartitionResult {
    pub partition: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
}
