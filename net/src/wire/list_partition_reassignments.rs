//! ListPartitionReassignments, key 46, version 0: what moves between brokers (KIP-455).
//!
//! - Topics null asks for all.

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 46, versions = "0", flexible = "0+", response = ListPartitionReassignmentsResponse)]
pub struct ListPartitionReassignmentsRequest {
    #[wire(default = 60000)]
    pub timeout_ms: i32,
    pub topics: Option<Vec<ListPartitionReassignmentsTopics>>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ListPartitionReassignmentsTopics {
    pub name: ByteString,
    pub partition_indexes: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct ListPartitionReassignmentsResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    pub topics: Vec<OngoingTopicReassignment>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct OngoingTopicReassignment {
    pub name: ByteString,
    pub partitions: Vec<OngoingPartitionReassignment>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct OngoingPartitionReassignment {
    pub partition_index: i32,
    pub replicas: Vec<i32>,
    pub adding_replicas: Vec<i32>,
    pub removing_replicas: Vec<i32>,
}
