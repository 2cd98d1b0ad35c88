//! AlterShareGroupOffsets, key 91, version 0: an empty share group reads on from elsewhere (KIP-932).

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 91, versions = "0", flexible = "0+", response = AlterShareGroupOffsetsResponse)]
pub struct AlterShareGroupOffsetsRequest {
    pub group_id: ByteString,
    pub topics: Vec<AlterShareGroupOffsetsRequestTopic>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct AlterShareGroupOffsetsRequestTopic {
    pub topic_name: ByteString,
    pub partitions: Vec<AlterShareGroupOffsetsRequestPartition>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct AlterShareGroupOffsetsRequestPartition {
    pub partition_index: i32,
    pub start_offset: i64,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct AlterShareGroupOffsetsResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    pub responses: Vec<AlterShareGroupOffsetsResponseTopic>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct AlterShareGroupOffsetsResponseTopic {
    pub topic_name: ByteString,
    pub topic_id: Uuid,
    pub partitions: Vec<AlterShareGroupOffsetsResponsePartition>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct AlterShareGroupOffsetsResponsePartition {
    pub partition_index: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
}
