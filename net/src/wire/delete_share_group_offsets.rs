//! DeleteShareGroupOffsets, key 92, version 0: an empty share group forgets topics (KIP-932).

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 92, versions = "0", flexible = "0+", response = DeleteShareGroupOffsetsResponse)]
pub struct DeleteShareGroupOffsetsRequest {
    pub group_id: ByteString,
    pub topics: Vec<DeleteShareGroupOffsetsRequestTopic>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DeleteShareGroupOffsetsRequestTopic {
    pub topic_name: ByteString,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct DeleteShareGroupOffsetsResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    pub responses: Vec<DeleteShareGroupOffsetsResponseTopic>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DeleteShareGroupOffsetsResponseTopic {
    pub topic_name: ByteString,
    pub topic_id: Uuid,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
}
