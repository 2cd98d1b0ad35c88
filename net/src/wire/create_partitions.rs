//! CreatePartitions, key 37, versions 0-3: topics get more partitions.
//!
//! 1: throttled after the answer (KIP-219). 2: flexible (KIP-482). 3: THROTTLING_QUOTA_EXCEEDED (KIP-599).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 37, versions = "0-3", flexible = "2+", response = CreatePartitionsResponse)]
pub struct CreatePartitionsRequest {
    pub topics: Vec<CreatePartitionsTopic>,
    pub timeout_ms: i32,
    /// Checks, and creates nothing.
    pub validate_only: bool,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct CreatePartitionsTopic {
    pub name: ByteString,
    /// How many partitions the topic has afterwards.
    pub count: i32,
    /// One for each new partition, the preferred leader first; null leaves it to the controller.
    pub assignments: Option<Vec<CreatePartitionsAssignment>>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct CreatePartitionsAssignment {
    pub broker_ids: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-3", flexible = "2+")]
pub struct CreatePartitionsResponse {
    pub throttle_time_ms: i32,
    pub results: Vec<CreatePartitionsTopicResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct CreatePartitionsTopicResult {
    pub name: ByteString,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
}
