//! DescribeQuorum, key 55, versions 0-2: the voters of the metadata log and how far they are (KIP-595).
//!
//! 1: when they last fetched and were caught up (KIP-836). 2: directories, nodes and texts (KIP-853).

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 55, versions = "0-2", flexible = "0+", response = DescribeQuorumResponse)]
pub struct DescribeQuorumRequest {
    pub topics: Vec<TopicData>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct TopicData {
    pub topic_name: ByteString,
    pub partitions: Vec<PartitionData>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct PartitionData {
    pub partition_index: i32,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-2", flexible = "0+")]
pub struct DescribeQuorumResponse {
    pub error_code: ErrorCode,
    #[wire(versions = "2+", ignorable)]
    pub error_message: Option<ByteString>,
    pub topics: Vec<TopicResult>,
    #[wire(versions = "2+")]
    pub nodes: Vec<Node>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct TopicResult {
    pub topic_name: ByteString,
    pub partitions: Vec<PartitionResult>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct PartitionResult {
    pub partition_index: i32,
    pub error_code: ErrorCode,
    #[wire(versions = "2+", ignorable)]
    pub error_message: Option<ByteString>,
    pub leader_id: i32,
    pub leader_epoch: i32,
    pub high_watermark: i64,
    pub current_voters: Vec<ReplicaState>,
    pub observers: Vec<ReplicaState>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ReplicaState {
    pub replica_id: i32,
    #[wire(versions = "2+")]
    pub replica_directory_id: Uuid,
    pub log_end_offset: i64,
    /// Milliseconds; -1 if it is not known.
    #[wire(versions = "1+", default = -1, ignorable)]
    pub last_fetch_timestamp: i64,
    #[wire(versions = "1+", default = -1, ignorable)]
    pub last_caught_up_timestamp: i64,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct Node {
    pub node_id: i32,
    pub listeners: Vec<Listener>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct Listener {
    pub name: ByteString,
    pub host: ByteString,
    pub port: u16,
}
