//! DescribeTopicPartitions, key 75, version 0: topics with their partitions, page by page (KIP-966).
//!
//! - No topics asks for all. The answer ends with a cursor where there is more; it is sent back to go on.

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 75, versions = "0", flexible = "0+", response = DescribeTopicPartitionsResponse)]
pub struct DescribeTopicPartitionsRequest {
    pub topics: Vec<TopicRequest>,
    #[wire(default = 2000)]
    pub response_partition_limit: i32,
    pub cursor: Option<Cursor>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct TopicRequest {
    pub name: ByteString,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct Cursor {
    pub topic_name: ByteString,
    /// The first partition of the next page.
    pub partition_index: i32,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0", flexible = "0+")]
pub struct DescribeTopicPartitionsResponse {
    pub throttle_time_ms: i32,
    pub topics: Vec<DescribeTopicPartitionsResponseTopic>,
    pub next_cursor: Option<Cursor>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DescribeTopicPartitionsResponseTopic {
    pub error_code: ErrorCode,
    pub name: Option<ByteString>,
    pub topic_id: Uuid,
    pub is_internal: bool,
    pub partitions: Vec<DescribeTopicPartitionsResponsePartition>,
    #[wire(default = i32::MIN)]
    pub topic_authorized_operations: i32,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DescribeTopicPartitionsResponsePartition {
    pub error_code: ErrorCode,
    pub partition_index: i32,
    pub leader_id: i32,
    #[wire(default = -1)]
    pub leader_epoch: i32,
    pub replica_nodes: Vec<i32>,
    pub isr_nodes: Vec<i32>,
    pub eligible_leader_replicas: Option<Vec<i32>>,
    pub last_known_elr: Option<Vec<i32>>,
    pub offline_replicas: Vec<i32>,
}
