//! ConsumerGroupDescribe, key 69, versions 0-1: state, epochs and members of consumer groups (KIP-848).
//!
//! 1: which protocol a member speaks (KIP-1099).

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 69, versions = "0-1", flexible = "0+", response = ConsumerGroupDescribeResponse)]
pub struct ConsumerGroupDescribeRequest {
    pub group_ids: Vec<ByteString>,
    pub include_authorized_operations: bool,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-1", flexible = "0+")]
pub struct ConsumerGroupDescribeResponse {
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
    /// The one that the next assignment is made by.
    pub assignor_name: ByteString,
    pub members: Vec<Member>,
    /// `i32::MIN` where nobody asked.
    #[wire(default = i32::MIN)]
    pub authorized_operations: i32,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct Member {
    pub member_id: ByteString,
    pub instance_id: Option<ByteString>,
    pub rack_id: Option<ByteString>,
    pub member_epoch: i32,
    pub client_id: ByteString,
    pub client_host: ByteString,
    pub subscribed_topic_names: Vec<ByteString>,
    pub subscribed_topic_regex: Option<ByteString>,
    pub assignment: Assignment,
    pub target_assignment: Assignment,
    /// -1 unknown, 0 classic, 1 consumer.
    #[wire(versions = "1+", default = -1, ignorable)]
    pub member_type: i8,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct TopicPartitions {
    pub topic_id: Uuid,
    pub topic_name: ByteString,
    pub partitions: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct Assignment {
    pub topic_partitions: Vec<TopicPartitions>,
}
