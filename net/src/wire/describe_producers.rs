//! DescribeProducers, key 61, version 0: the producers that partitions remember (KIP-664).

use bytestring::ByteString;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 61, versions = "0", flexible = "0+", response = DescribeProducersResponse)]
pub struct DescribeProducersRequest {
    pub topics: Vec<TopicRequest>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct TopicRequest {
    pub name: ByteString,
    pub partition_indexes: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct DescribeProducersResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<TopicResponse>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct TopicResponse {
    pub name: ByteString,
    pub partitions: Vec<PartitionResponse>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct PartitionResponse {
    pub partition_index: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    pub active_producers: Vec<ProducerState>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ProducerState {
    pub producer_id: i64,
    pub producer_epoch: i32,
    #[wire(default = -1)]
    pub last_sequence: i32,
    #[wire(default = -1)]
    pub last_timestamp: i64,
    pub coordinator_epoch: i32,
    /// -1 without a transaction.
    #[wire(default = -1)]
    pub current_txn_start_offset: i64,
}
