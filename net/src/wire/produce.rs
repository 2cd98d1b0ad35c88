//! Produce, key 0, versions 3-13: batches of records for partitions.
//!
//! - One batch a partition, of magic 2 (KIP-98).
//! - With acks 0 there is no response at all; an error closes the connection.
//! - Topics are named by name up to version 12, by id from 13; a response says them as its request did.
//! - Announced from version 0 (`registry` says why), and 0-2 refused.
//!
//! 3: transactional ids (KIP-98). 4: KAFKA_STORAGE_ERROR (KIP-112). 5: log start offset. 6: throttled after the answer (KIP-219).
//! 7: zstd (KIP-110). 8: errors of single records (KIP-467). 9: flexible (KIP-482). 10: the new leader (KIP-951).
//! 11: TRANSACTION_ABORTABLE (KIP-890). 12: adds its partitions to the transaction (KIP-890). 13: topic ids (KIP-516).

use bytes::Bytes;
use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 0, versions = "3-13", flexible = "9+", response = ProduceResponse)]
pub struct ProduceRequest {
    pub transactional_id: Option<ByteString>,
    /// 0 for none, 1 for the leader, -1 for all replicas in sync.
    pub acks: i16,
    /// How long the leader may wait for the others.
    pub timeout_ms: i32,
    pub topic_data: Vec<TopicProduceData>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct TopicProduceData {
    #[wire(versions = "0-12", ignorable)]
    pub name: ByteString,
    #[wire(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    pub partition_data: Vec<PartitionProduceData>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct PartitionProduceData {
    pub index: i32,
    /// A slice of the frame.
    pub records: Option<Bytes>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "3-13", flexible = "9+")]
pub struct ProduceResponse {
    pub responses: Vec<TopicProduceResponse>,
    pub throttle_time_ms: i32,
    #[wire(versions = "10+", tag = 0)]
    pub node_endpoints: Vec<NodeEndpoint>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct TopicProduceResponse {
    #[wire(versions = "0-12", ignorable)]
    pub name: ByteString,
    #[wire(versions = "13+", ignorable)]
    pub topic_id: Uuid,
    pub partition_responses: Vec<PartitionProduceResponse>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct PartitionProduceResponse {
    pub index: i32,
    pub error_code: ErrorCode,
    /// Offset of the first record, -1 with an error.
    pub base_offset: i64,
    /// -1 unless the topic stamps records with its own time.
    #[wire(default = -1)]
    pub log_append_time_ms: i64,
    #[wire(versions = "5+", default = -1, ignorable)]
    pub log_start_offset: i64,
    /// The records for which the batch was refused.
    #[wire(versions = "8+", ignorable)]
    pub record_errors: Vec<BatchIndexAndErrorMessage>,
    #[wire(versions = "8+", ignorable)]
    pub error_message: Option<ByteString>,
    #[wire(versions = "10+", tag = 0)]
    pub current_leader: LeaderIdAndEpoch,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct BatchIndexAndErrorMessage {
    pub batch_index: i32,
    pub batch_index_error_message: Option<ByteString>,
}

/// Who leads the partition, as far as this broker knows.
#[derive(Clone, Debug, PartialEq, Wire)]
pub struct LeaderIdAndEpoch {
    #[wire(default = -1)]
    pub leader_id: i32,
    #[wire(default = -1)]
    pub leader_epoch: i32,
}

/// Where the leaders named above can be reached.
#[derive(Clone, Debug, PartialEq, Wire)]
pub struct NodeEndpoint {
    pub node_id: i32,
    pub host: ByteString,
    pub port: i32,
    pub rack: Option<ByteString>,
}
