//! ShareGroupDescribe, key 77, version 1: state, epochs and members of share groups (KIP-932).
//!
//! 1: stable. 0 was the early access of Kafka 4.0.

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 77, versions = "1", flexible = "0+", response = ShareGroupDescribeResponse)]
pub struct ShareGroupDescribeRequest {
    pub group_ids: Vec<ByteString>,
    pub include_authorized_operations: bool,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "1", flexible = "0+")]
pub struct ShareGroupDescribeResponse {
    pub throttle_time_ms: i32,
    pub groups: Vec<DescribedGroup>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct DescribedGroup {
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    pub group_id: ByteString,
    pub group_state: ByteString,
    pub group_epoch: i32,
    pub assignment_epoch: i32,
    pub assignor_name: ByteString,
    pub members: Vec<Member>,
    /// `i32::MIN` where nobody asked.
    #[wire(default = i32::MIN)]
    pub authorized_operations: i32,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct Member {
    pub member_id: ByteString,
    pub rack_id: Option<ByteString>,
    pub member_epoch: i32,
    pub client_id: ByteString,
    pub client_host: ByteString,
    pub subscribed_topic_names: Vec<ByteString>,
    pub assignment: Assignment,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct Assignment {
    pub topic_partitions: Vec<TopicPartitions>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct TopicPartitions {
    pub topic_id: Uuid,
    pub topic_name: ByteString,
    pub partitions: Vec<i32>,
}
