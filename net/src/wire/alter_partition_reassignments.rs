//! AlterPartitionReassignments, key 45, versions 0-1: partitions move to other brokers, or stop moving (KIP-455).
//!
//! 1: whether the number of replicas may change (KIP-860).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 45, versions = "0-1", flexible = "0+", response = AlterPartitionReassignmentsResponse)]
pub struct AlterPartitionReassignmentsRequest {
    #[wire(default = 60000)]
    pub timeout_ms: i32,
    #[wire(versions = "1+", default = true)]
    pub allow_replication_factor_change: bool,
    pub topics: Vec<ReassignableTopic>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ReassignableTopic {
    pub name: ByteString,
    pub partitions: Vec<ReassignablePartition>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ReassignablePartition {
    pub partition_index: i32,
    /// Null ends the reassignment that is under way.
    pub replicas: Option<Vec<i32>>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-1", flexible = "0+")]
pub struct AlterPartitionReassignmentsResponse {
    pub throttle_time_ms: i32,
    #[wire(versions = "1+", default = true, ignorable)]
    pub allow_replication_factor_change: bool,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    pub responses: Vec<ReassignableTopicResponse>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ReassignableTopicResponse {
    pub name: ByteString,
    pub partitions: Vec<ReassignablePartitionResponse>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ReassignablePartitionResponse {
    pub partition_index: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
}
