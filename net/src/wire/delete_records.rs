//! DeleteRecords, key 21, versions 0-2: the beginning of partitions' logs goes.
//!
//! - Offset -1 is the high watermark.
//!
//! 1: throttled after the answer (KIP-219). 2: flexible (KIP-482).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 21, versions = "0-2", flexible = "2+", response = DeleteRecordsResponse)]
pub struct DeleteRecordsRequest {
    pub topics: Vec<DeleteRecordsTopic>,
    /// How long to wait for replicas to follow.
    pub timeout_ms: i32,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DeleteRecordsTopic {
    pub name: ByteString,
    pub partitions: Vec<DeleteRecordsPartition>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DeleteRecordsPartition {
    pub partition_index: i32,
    /// The first record that stays; -1 for the high watermark.
    pub offset: i64,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-2", flexible = "2+")]
pub struct DeleteRecordsResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<DeleteRecordsTopicResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DeleteRecordsTopicResult {
    pub name: ByteString,
    pub partitions: Vec<DeleteRecordsPartitionResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DeleteRecordsPartitionResult {
    pub partition_index: i32,
    /// The log start offset afterwards; -1 with an error.
    pub low_watermark: i64,
    pub error_code: ErrorCode,
}
