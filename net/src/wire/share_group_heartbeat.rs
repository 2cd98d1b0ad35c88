//! ShareGroupHeartbeat, key 76, version 1: a member of a share group joins, reports, learns its assignment, and leaves (KIP-932).
//!
//! - The client makes its member id up.
//! - An assignment is in force at once: no member waits for another one to give anything back.
//!
//! 1: stable. 0 was the early access of Kafka 4.0.

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 76, versions = "1", flexible = "0+", response = ShareGroupHeartbeatResponse)]
pub struct ShareGroupHeartbeatRequest {
    pub group_id: ByteString,
    pub member_id: ByteString,
    /// 0 to join, -1 to leave.
    pub member_epoch: i32,
    /// What follows is `None` where it has not changed since the last heartbeat.
    pub rack_id: Option<ByteString>,
    pub subscribed_topic_names: Option<Vec<ByteString>>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "1", flexible = "0+")]
pub struct ShareGroupHeartbeatResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    pub member_id: Option<ByteString>,
    pub member_epoch: i32,
    pub heartbeat_interval_ms: i32,
    /// `None` if it has not changed.
    pub assignment: Option<Assignment>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct Assignment {
    pub topic_partitions: Vec<TopicPartitions>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct TopicPartitions {
    pub topic_id: Uuid,
    pub partitions: Vec<i32>,
}
