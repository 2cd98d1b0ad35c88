//! ShareAcknowledge, key 79, versions 1-2: a member of a share group says what became of records that it had acquired (KIP-932).
//!
//! 1: stable. 0 was the early access of Kafka 4.0. 2: renewed locks, and how long they last (KIP-1222).

use bytestring::ByteString;
use uuid::Uuid;

use super::share_fetch::{AcknowledgementBatch, LeaderIdAndEpoch, NodeEndpoint};
use super::{ErrorCode, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 79, versions = "1-2", flexible = "0+", response = ShareAcknowledgeResponse)]
pub struct ShareAcknowledgeRequest {
    pub group_id: Option<ByteString>,
    pub member_id: Option<ByteString>,
    /// -1 ends the session: what the member holds and does not acknowledge here is released.
    pub share_session_epoch: i32,
    /// Some of the acknowledgements renew locks.
    #[wire(versions = "2+")]
    pub is_renew_ack: bool,
    pub topics: Vec<AcknowledgeTopic>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct AcknowledgeTopic {
    pub topic_id: Uuid,
    pub partitions: Vec<AcknowledgePartition>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct AcknowledgePartition {
    pub partition_index: i32,
    pub acknowledgement_batches: Vec<AcknowledgementBatch>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "1-2", flexible = "0+")]
pub struct ShareAcknowledgeResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    #[wire(versions = "2+", ignorable)]
    pub acquisition_lock_timeout_ms: i32,
    pub responses: Vec<ShareAcknowledgeTopicResponse>,
    pub node_endpoints: Vec<NodeEndpoint>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ShareAcknowledgeTopicResponse {
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionData>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct PartitionData {
    pub partition_index: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    pub current_leader: LeaderIdAndEpoch,
}
