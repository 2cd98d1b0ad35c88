//! ElectLeaders, key 43, versions 0-2: partitions get their preferred leader back, or any leader at the price of lost records.
//!
//! - Topics null asks for all partitions.
//!
//! 1: the kind of election, an error for all (KIP-460). 2: flexible (KIP-482).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 43, versions = "0-2", flexible = "2+", response = ElectLeadersResponse)]
pub struct ElectLeadersRequest {
    /// 0 the preferred replica, 1 a replica that is not in sync.
    #[wire(versions = "1+")]
    pub election_type: i8,
    /// Null for all.
    pub topic_partitions: Option<Vec<TopicPartitions>>,
    #[wire(default = 60000)]
    pub timeout_ms: i32,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct TopicPartitions {
    pub topic: ByteString,
    pub partitions: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-2", flexible = "2+")]
pub struct ElectLeadersResponse {
    pub throttle_time_ms: i32,
    #[wire(versions = "1+")]
    pub error_code: ErrorCode,
    pub replica_election_results: Vec<ReplicaElectionResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ReplicaElectionResult {
    pub topic: ByteString,
    pub partition_result: Vec<PartitionResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct PartitionResult {
    pub partition_id: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
}
