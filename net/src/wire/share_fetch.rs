//! ShareFetch, key 78, versions 1-2: a member of a share group acquires records, and acknowledges what it had (KIP-932).
//!
//! - The broker says where to read: nobody names an offset.
//! - A session, one for each member and connection, says each partition once; its epoch counts up, 0 begins it and -1 ends it.
//! - Records come in whole batches; `acquired_records` says which of them are the member's until its lock expires.
//!
//! 1: stable. 0 was the early access of Kafka 4.0. 2: renewed locks (KIP-1222), the limit of records kept strictly (KIP-1206).

use bytestring::ByteString;
use uuid::Uuid;

use super::{ErrorCode, Records, Wire};

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(key = 78, versions = "1-2", flexible = "0+", response = ShareFetchResponse)]
pub struct ShareFetchRequest {
    pub group_id: Option<ByteString>,
    pub member_id: Option<ByteString>,
    /// 0 to begin a session, -1 to end it.
    pub share_session_epoch: i32,
    pub max_wait_ms: i32,
    pub min_bytes: i32,
    #[wire(default = i32::MAX)]
    pub max_bytes: i32,
    /// How many records are acquired at most; exceeded to the end of a batch unless `share_acquire_mode` forbids it.
    pub max_records: i32,
    /// Into how large ranges acquired records are cut, at batches' ends.
    pub batch_size: i32,
    /// 0 whole batches, 1 never more records than `max_records`.
    #[wire(versions = "2+", ignorable)]
    pub share_acquire_mode: i8,
    /// Some of the acknowledgements renew locks: nothing is fetched.
    #[wire(versions = "2+")]
    pub is_renew_ack: bool,
    pub topics: Vec<FetchTopic>,
    pub forgotten_topics_data: Vec<ForgottenTopic>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct FetchTopic {
    pub topic_id: Uuid,
    pub partitions: Vec<FetchPartition>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct FetchPartition {
    pub partition_index: i32,
    pub acknowledgement_batches: Vec<AcknowledgementBatch>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct AcknowledgementBatch {
    pub first_offset: i64,
    pub last_offset: i64,
    /// One for all the offsets, or one for each: 0 gap, 1 accept, 2 release, 3 reject, 4 renew.
    pub acknowledge_types: Vec<i8>,
}

/// Partitions that leave the session.
#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ForgottenTopic {
    pub topic_id: Uuid,
    pub partitions: Vec<i32>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
#[wire(versions = "1-2", flexible = "0+")]
pub struct ShareFetchResponse {
    pub throttle_time_ms: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    /// How long acquired records are the member's.
    pub acquisition_lock_timeout_ms: i32,
    pub responses: Vec<ShareFetchableTopicResponse>,
    pub node_endpoints: Vec<NodeEndpoint>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct ShareFetchableTopicResponse {
    pub topic_id: Uuid,
    pub partitions: Vec<PartitionData>,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct PartitionData {
    pub partition_index: i32,
    pub error_code: ErrorCode,
    pub error_message: Option<ByteString>,
    pub acknowledge_error_code: ErrorCode,
    pub acknowledge_error_message: Option<ByteString>,
    pub current_leader: LeaderIdAndEpoch,
    /// Never null.
    pub records: Records,
    pub acquired_records: Vec<AcquiredRecords>,
}

/// Both 0 where nothing is said of the leader.
#[derive(Clone, Debug, PartialEq, Wire)]
pub struct LeaderIdAndEpoch {
    pub leader_id: i32,
    pub leader_epoch: i32,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct AcquiredRecords {
    pub first_offset: i64,
    pub last_offset: i64,
    pub delivery_count: i16,
}

#[derive(Clone, Debug, PartialEq, Wire)]
pub struct NodeEndpoint {
    pub node_id: i32,
    pub host: ByteString,
    pub port: i32,
    pub rack: Option<ByteString>,
}
