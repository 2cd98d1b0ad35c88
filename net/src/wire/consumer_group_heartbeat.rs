//! ConsumerGroupHeartbeat, key 68, versions 0-1: a member of a consumer group joins, reports, learns its assignment, and leaves (KIP-848).
//!
//! 1: regular expressions; the client makes its member id up (KIP-1082).

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 68, versions = "0-1", flexible = "0+", response = ConsumerGroupHeartbeatResponse)]
pub struct ConsumerGroupHeartbeatRequest {
    pub group_id: ByteString,
    /// Empty from who has none (version 0).
    pub member_id: ByteString,
    /// 0 to join, -1 to leave, -2 for a static member that will be back.
    pub member_epoch: i32,
    /// What follows is `None` (-1) where it has not changed since the last heartbeat.
    pub instance_id: Option<ByteString>,
    pub rack_id: Option<ByteString>,
    #[wire(default = -1)]
    pub rebalance_timeout_ms: i32,
    pub subscribed_topic_names: Option<Vec<ByteString>>,
    #[wire(versions = "1+")]
    pub subscribed_topic_regex: Option<ByteString>,
    pub server_assignor: Option<ByteString>,
    /// What the member owns.
    pub topic_partitions: Option<Vec<TopicPartitions>>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct TopicPartitions {
    pub topic_id: Uuid,
    pub partitions: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "0-1", flexible = "0+")]
pub struct ConsumerGroupHeartbeatResponse {
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
